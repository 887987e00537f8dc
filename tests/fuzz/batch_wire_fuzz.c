/* Any bytes as an encoded batch: refused, or a batch whose every value can be read. */
#include <stdlib.h>

#include "data/batch.h"
#include "data/value.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct batch *batch;
    uint64_t sum = 0;
    if (batch_decode((struct slice){data, size}, &batch, NULL) != STATUS_OK)
        return 0;
    for (uint32_t i = 0; i < batch->columns_len; i++) {
        for (uint32_t row = 0; row < batch->rows; row++) {
            struct value value = value_of_column(&batch->columns[i].column, row);
            sum += value_hash(&value);
        }
    }
    batch_unref(batch);
    (void)sum;
    return 0;
}

/* Any bytes as the payload of a mutation's frame: refused, or rows and a batch that can be read. */
#include <stdlib.h>

#include "data/value.h"
#include "storage/source_files.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct batch *batch = NULL;
    uint64_t deleted = 0, sum = 0;
    if (mutation_decode((struct slice){data, size}, &deleted, &batch, NULL) != STATUS_OK)
        return 0;
    for (uint32_t i = 0; batch && i < batch->columns_len; i++) {
        for (uint32_t row = 0; row < batch->rows; row++) {
            struct value value = value_of_column(&batch->columns[i].column, row);
            sum += value_hash(&value);
        }
    }
    batch_unref(batch);
    (void)sum;
    return 0;
}

/* Any bytes as CSV records: refused or turned into a batch that its own wire form gives back. */
#include <stdlib.h>

#include "format/records/record_builder.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct record_field fields[] = {{STR("id"), TYPE_INT64, true},
                                                 {STR("at"), TYPE_TIMESTAMP, false},
                                                 {STR("day"), TYPE_DATE, false},
                                                 {STR("doc"), TYPE_JSON, false}};
    struct record_builder *builder;
    struct batch *batch, *back;
    struct error err = ERROR_INIT;
    if (record_builder_new(fields, 4, &builder, &err) != STATUS_OK)
        return 0;
    if (record_builder_csv(builder, str_make((const char *)data, size), &err) == STATUS_OK &&
        record_builder_finish(builder, &batch, &err) == STATUS_OK) {
        struct buf bytes;
        buf_init(&bytes, (size_t)1 << 28);
        if (batch_encode(batch, &bytes, &err) != STATUS_OK ||
            batch_decode((struct slice){bytes.data, bytes.len}, &back, &err) != STATUS_OK)
            abort();
        batch_unref(back);
        batch_unref(batch);
        buf_release(&bytes);
    }
    record_builder_free(builder);
    return 0;
}

/* Any bytes as records, read as NDJSON, as a JSON array and as CSV: refused, or turned into a batch
 * that its own wire form gives back. */
#include <stdlib.h>

#include "format/records/record_builder.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_batch(const struct batch *batch)
{
    struct batch *back;
    struct buf bytes;
    buf_init(&bytes, (size_t)1 << 28);
    if (batch_encode(batch, &bytes, NULL) != STATUS_OK ||
        batch_decode((struct slice){bytes.data, bytes.len}, &back, NULL) != STATUS_OK)
        abort();
    batch_unref(back);
    buf_release(&bytes);
}

static enum status read_array(struct record_builder *builder, struct str text, struct error *err)
{
    struct json_scan scan = json_scan_of(text);
    return record_builder_array(builder, &scan, false, err);
}

static void read_as(enum status (*read)(struct record_builder *, struct str, struct error *),
                    struct str text)
{
    static const struct record_field fields[] = {
        {.name = STR("id"), .type = TYPE_INT64, .declared = true},
        {.name = STR("at"), .type = TYPE_TIMESTAMP, .declared = false},
        {.name = STR("day"), .type = TYPE_DATE, .declared = false},
        {.name = STR("doc"), .type = TYPE_JSON, .declared = false}};
    struct record_builder *builder;
    struct batch *batch;
    struct error err = ERROR_INIT;
    if (record_builder_new(fields, 4, &builder, &err) != STATUS_OK)
        return;
    if (read(builder, text, &err) == STATUS_OK &&
        record_builder_finish(builder, &batch, &err) == STATUS_OK) {
        check_batch(batch);
        batch_unref(batch);
    }
    record_builder_free(builder);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = str_make((const char *)data, size);
    read_as(record_builder_ndjson, text);
    read_as(read_array, text);
    read_as(record_builder_csv, text);
    return 0;
}

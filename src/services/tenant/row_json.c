/* row_json.c: rows as JSON objects. The keys are the same in each row, so they are escaped once.
 */
#include "services/tenant/tenant_int.h"

/* `"name":` in the arena; data NULL: memory is out. */
static struct str key_text(struct arena *arena, struct str name)
{
    struct buf buf;
    struct json_writer w;
    buf_init(&buf, TENANT_BODY_MAX);
    json_writer_init(&w, &buf);
    json_key(&w, name);
    struct str text =
        buf_check(&buf, "a key", NULL) == STATUS_OK ? arena_str(arena, buf_str(&buf)) : STR_NONE;
    buf_release(&buf);
    return text;
}

enum status row_keys_take(struct row_keys *keys, struct arena *arena, const struct batch *batch,
                          struct error *err)
{
    struct str *texts = arena_array(arena, batch->columns_len + 1u, sizeof *texts);
    if (!texts)
        return error_no_memory(err);
    for (uint32_t i = 0; i < batch->columns_len; i++) {
        texts[i] = key_text(arena, batch->columns[i].name);
        if (!texts[i].data)
            return error_no_memory(err);
    }
    keys->texts = texts;
    return STATUS_OK;
}

void row_write(struct json_writer *w, const struct row_keys *keys, const struct batch *batch,
               uint32_t row)
{
    json_begin_object(w);
    for (uint32_t i = 0; i < batch->columns_len; i++) {
        json_key_raw(w, keys->texts[i]);
        column_write_json(w, &batch->columns[i].column, row);
    }
    json_end_object(w);
}

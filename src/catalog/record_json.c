/* record_json.c: records as JSON, out and in. */
#include <stdlib.h>

#include "base/datetime.h"
#include "catalog/record.h"

static void write_time(struct json_writer *w, const char *key, int64_t us)
{
    char text[TIMESTAMP_TEXT_MAX + 1];
    if (!us) {
        json_kv_null(w, key);
        return;
    }
    size_t len = timestamp_format(us, text);
    text[len++] = 'Z';
    json_kv_str(w, key, str_make(text, len));
}

static void write_list(struct json_writer *w, const char *key, const struct str_list *list)
{
    json_keyz(w, key);
    json_begin_array(w);
    for (uint32_t i = 0; i < list->len; i++)
        json_string(w, list->items[i]);
    json_end_array(w);
}

static void write_field(struct json_writer *w, const struct record *record, enum record_field field)
{
    const struct record_field_info *info = &record_field_info[field];
    struct str text;
    switch (info->type) {
    case RECORD_TEXT:
        text = record_get_text(record, field);
        json_kv_str(w, info->json, text.len ? text : STR_NONE);
        break;
    case RECORD_LIST:
        write_list(w, info->json, record_get_list(record, field));
        break;
    case RECORD_JSON:
        text = record_get_text(record, field);
        json_keyz(w, info->json);
        json_raw(w, text.len ? text : STR("{}"));
        break;
    case RECORD_INT:
        json_kv_int(w, info->json, record_get_int(record, field));
        break;
    case RECORD_BOOL:
        json_kv_bool(w, info->json, record_get_int(record, field) != 0);
        break;
    case RECORD_TIME:
        write_time(w, info->json, record_get_int(record, field));
        break;
    }
}

void record_write_members(struct json_writer *w, const struct record *record, bool secrets)
{
    for (int i = 0; i < RECORD_FIELD_COUNT; i++) {
        enum record_field field = (enum record_field)i;
        if (!record_has_field(record->domain, field))
            continue;
        if (!secrets && (record_field_info[i].access == ACCESS_SECRET || field == RECORD_key))
            continue;
        write_field(w, record, field);
    }
}

void record_write(struct json_writer *w, const struct record *record, bool secrets)
{
    json_begin_object(w);
    json_kv_strz(w, "domain", domain_name(record->domain));
    record_write_members(w, record, secrets);
    json_end_object(w);
}

/* --- in --- */

static enum status wrong_type(const struct record_field_info *info, const char *wanted,
                              yyjson_val *value, struct error *err)
{
    error_set(err, STATUS_INVALID_ARGUMENT, "%s must be %s, not %s", info->json, wanted,
              json_kind_name(value));
    error_at_field(err, info->json, (uint32_t)strlen(info->json), NULL, 0);
    return STATUS_INVALID_ARGUMENT;
}

static enum status set_text(struct str *to, const struct record_field_info *info, yyjson_val *value,
                            struct arena *arena, struct error *err)
{
    if (!yyjson_is_str(value))
        return wrong_type(info, "a string", value, err);
    *to = arena_str(arena, json_str_of(value));
    return to->data ? STATUS_OK : error_no_memory(err);
}

static enum status set_list(struct str_list *to, const struct record_field_info *info,
                            yyjson_val *value, struct arena *arena, struct error *err)
{
    if (!yyjson_is_arr(value))
        return wrong_type(info, "an array of strings", value, err);
    struct str *items = arena_array(arena, yyjson_arr_size(value), sizeof *items);
    if (!items)
        return error_no_memory(err);
    size_t at, max;
    yyjson_val *item;
    yyjson_arr_foreach(value, at, max, item)
    {
        TRY(set_text(&items[at], info, item, arena, err));
    }
    *to = (struct str_list){items, (uint32_t)max};
    return STATUS_OK;
}

/* Through our own writer, so that the text is compact and the same wherever it came from. */
static enum status set_object(struct str *to, const struct record_field_info *info,
                              yyjson_val *value, struct arena *arena, struct error *err)
{
    if (!yyjson_is_obj(value))
        return wrong_type(info, "an object", value, err);
    struct buf buf;
    struct json_writer w;
    buf_init(&buf, info->max);
    json_writer_init(&w, &buf);
    json_value(&w, value);
    enum status status = buf_check(&buf, info->json, err);
    if (status == STATUS_OK) {
        *to = arena_str(arena, buf_str(&buf));
        status = to->data ? STATUS_OK : error_no_memory(err);
    }
    buf_release(&buf);
    return status;
}

static enum status set_int(int64_t *to, const struct record_field_info *info, yyjson_val *value,
                           struct error *err)
{
    if (!yyjson_is_int(value) || (yyjson_is_uint(value) && yyjson_get_uint(value) > INT64_MAX))
        return wrong_type(info, "a whole number", value, err);
    *to = yyjson_get_sint(value);
    return STATUS_OK;
}

static enum status set_time(int64_t *to, const struct record_field_info *info, yyjson_val *value,
                            struct error *err)
{
    if (!yyjson_is_str(value) || !timestamp_parse(json_str_of(value), to))
        return wrong_type(info, "an ISO 8601 time", value, err);
    return STATUS_OK;
}

static void clear_field(struct record *record, enum record_field field)
{
    switch (record_field_info[field].type) {
    case RECORD_TEXT:
    case RECORD_JSON:
        *record_text_at(record, field) = STR_NONE;
        break;
    case RECORD_LIST:
        *record_list_at(record, field) = (struct str_list){NULL, 0};
        break;
    case RECORD_BOOL:
        *record_bool_at(record, field) = false;
        break;
    case RECORD_INT:
    case RECORD_TIME:
        *record_int_at(record, field) = 0;
        break;
    }
}

enum status record_set_json(struct record *record, enum record_field field, yyjson_val *value,
                            struct arena *arena, struct error *err)
{
    const struct record_field_info *info = &record_field_info[field];
    if (!value || yyjson_is_null(value)) {
        clear_field(record, field);
        return STATUS_OK;
    }
    switch (info->type) {
    case RECORD_TEXT:
        return set_text(record_text_at(record, field), info, value, arena, err);
    case RECORD_LIST:
        return set_list(record_list_at(record, field), info, value, arena, err);
    case RECORD_JSON:
        return set_object(record_text_at(record, field), info, value, arena, err);
    case RECORD_INT:
        return set_int(record_int_at(record, field), info, value, err);
    case RECORD_TIME:
        return set_time(record_int_at(record, field), info, value, err);
    case RECORD_BOOL:
        if (!yyjson_is_bool(value))
            return wrong_type(info, "a boolean", value, err);
        *record_bool_at(record, field) = yyjson_get_bool(value);
        break;
    }
    return STATUS_OK;
}

enum status record_read(yyjson_val *object, struct arena *arena, struct record *ret,
                        struct error *err)
{
    *ret = (struct record){0};
    yyjson_val *domain = json_get(object, "domain");
    if (!yyjson_is_str(domain) || !domain_parse(json_str_of(domain), &ret->domain))
        return error_set(err, STATUS_CORRUPT, "a stored record names no known domain");
    for (int i = 0; i < RECORD_FIELD_COUNT; i++)
        if (record_has_field(ret->domain, (enum record_field)i))
            TRY(record_set_json(ret, (enum record_field)i,
                                json_get(object, record_field_info[i].json), arena, err));
    return STATUS_OK;
}

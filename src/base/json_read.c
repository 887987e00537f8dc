#include "base/json.h"

#include <math.h>
#include <stdlib.h>

static void locate(struct str text, size_t offset, struct error *err)
{
    if (!err)
        return;
    if (offset > text.len)
        offset = text.len;
    int64_t line = 1;
    size_t line_start = 0;
    for (size_t i = 0; i < offset; i++) {
        if (text.data[i] == '\n') {
            line++;
            line_start = i + 1;
        }
    }
    err->offset = (int64_t)offset;
    err->line = line;
    err->column = (int64_t)(offset - line_start) + 1;
}

bool json_next_outside(struct str text, size_t *at, char *ret)
{
    if (*at >= text.len)
        return false;
    *ret = text.data[(*at)++];
    if (*ret != '"')
        return true;
    while (*at < text.len && text.data[*at] != '"')
        *at += text.data[*at] == '\\' ? 2 : 1;
    *at = *at < text.len ? *at + 1 : text.len;
    return true;
}

/* Refuses nesting before the parser builds it. */
static bool too_deep(struct str text, size_t *ret_offset)
{
    int depth = 0;
    char c;
    for (size_t at = 0; json_next_outside(text, &at, &c);) {
        if (c == '}' || c == ']')
            depth--;
        else if ((c == '{' || c == '[') && ++depth > JSON_DEPTH_MAX) {
            *ret_offset = at - 1;
            return true;
        }
    }
    return false;
}

static int compare_keys(const void *a, const void *b)
{
    yyjson_val *const *x = a;
    yyjson_val *const *y = b;
    return str_cmp(json_str_of(*x), json_str_of(*y));
}

enum { KEYS_ON_STACK = 64 };

/* The key that an object holds twice, or NULL. *ret_failed when memory is out. */
static yyjson_val *duplicate_key(yyjson_val *object, bool *ret_failed)
{
    size_t n = yyjson_obj_size(object);
    if (n < 2)
        return NULL;
    yyjson_val *stack[KEYS_ON_STACK];
    yyjson_val **keys = n <= KEYS_ON_STACK ? stack : malloc(n * sizeof *keys);
    if (!keys) {
        *ret_failed = true;
        return NULL;
    }
    size_t i, max;
    yyjson_val *key, *value;
    yyjson_obj_foreach(object, i, max, key, value)
    {
        keys[i] = key;
    }
    qsort(keys, n, sizeof *keys, compare_keys);
    yyjson_val *found = NULL;
    for (i = 1; i < n && !found; i++)
        if (str_eq(json_str_of(keys[i - 1]), json_str_of(keys[i])))
            found = keys[i];
    if (keys != stack)
        free(keys);
    return found;
}

/* Values of a document stand one behind another in memory, so all of them are met in one loop. */
static enum status check_keys(yyjson_doc *doc, struct error *err)
{
    size_t count = yyjson_doc_get_val_count(doc);
    yyjson_val *value = yyjson_doc_get_root(doc);
    bool failed = false;
    for (size_t i = 0; i < count; i++, value++) {
        if (!yyjson_is_obj(value))
            continue;
        yyjson_val *key = duplicate_key(value, &failed);
        if (failed)
            return error_no_memory(err);
        if (key)
            return error_set(
                err, STATUS_INVALID_ARGUMENT, "the key '%.*s' stands twice in one object",
                (int)(yyjson_get_len(key) < 100 ? yyjson_get_len(key) : 100), yyjson_get_str(key));
    }
    return STATUS_OK;
}

enum status json_parse(struct str text, yyjson_doc **ret_doc, struct error *err)
{
    size_t offset;
    if (text.len == 0)
        return error_set(err, STATUS_INVALID_JSON, "the JSON text is empty");
    if (too_deep(text, &offset)) {
        enum status status =
            error_set(err, STATUS_INVALID_JSON, "nested deeper than %d levels at byte %zu",
                      JSON_DEPTH_MAX, offset);
        locate(text, offset, err);
        return status;
    }
    yyjson_read_err read_err;
    yyjson_doc *doc = yyjson_read_opts((char *)(uintptr_t)text.data, text.len, YYJSON_READ_NOFLAG,
                                       NULL, &read_err);
    if (!doc && read_err.code == YYJSON_READ_ERROR_MEMORY_ALLOCATION)
        return error_no_memory(err);
    if (!doc) {
        enum status status = error_set(err, STATUS_INVALID_JSON, "not JSON: %s at byte %zu",
                                       read_err.msg, read_err.pos);
        locate(text, read_err.pos, err);
        return status;
    }
    enum status status = check_keys(doc, err);
    if (status != STATUS_OK) {
        yyjson_doc_free(doc);
        return status;
    }
    *ret_doc = doc;
    return STATUS_OK;
}

const char *json_kind_name(yyjson_val *value)
{
    switch (yyjson_get_type(value)) {
    case YYJSON_TYPE_NULL:
        return "null";
    case YYJSON_TYPE_BOOL:
        return "a boolean";
    case YYJSON_TYPE_NUM:
        return "a number";
    case YYJSON_TYPE_STR:
        return "a string";
    case YYJSON_TYPE_ARR:
        return "an array";
    case YYJSON_TYPE_OBJ:
        return "an object";
    default:
        return "nothing";
    }
}

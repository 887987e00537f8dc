/* yaml_write.c: objects as block style, texts plain where that is safe and quoted as in JSON else.
 */
#include <stdlib.h>

#include "catalog/node/yaml_json.h"

struct writer {
    struct buf *out;
    const struct yaml_style *style;
    struct error *err;
};

static bool is_plain_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           strchr("_-./@+=<>^~()$; ", c) != NULL;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '/';
}

/* Begins with a digit, and no reader takes it for a number: three numbers or more with dots between
 * them, or a letter that no way of writing numbers has. */
static bool is_no_number(struct str text)
{
    uint32_t dots = 0;
    bool letter = false;
    if (text.len > 1 && strchr("xXoObB", text.data[1]))
        return false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        dots += c == '.';
        letter = letter || (is_letter(c) && !strchr("eExXoO_", c));
    }
    return letter || dots > 1;
}

/* Reads back as the same text. Anything doubtful is quoted. */
static bool is_plain(struct str text)
{
    static const char *const reserved[] = {"null", "true", "false", "yes", "no", "on",
                                           "off",  "y",    "n",     "nan", "inf"};
    if (text.len == 0 || text.data[text.len - 1] == ' ')
        return false;
    if (!is_letter(text.data[0]) && !is_no_number(text))
        return false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        bool colon = c == ':' && i + 1 < text.len && text.data[i + 1] != ' ';
        if (c == 0 || (!is_plain_char(c) && !colon))
            return false;
    }
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++)
        if (str_eq_nocase(text, str_of(reserved[i])))
            return false;
    return is_letter(text.data[0]) || (text.data[0] >= '0' && text.data[0] <= '9');
}

static void write_scalar(struct writer *w, yyjson_val *value)
{
    struct json_writer json;
    if (yyjson_is_str(value) && is_plain(json_str_of(value))) {
        buf_append_str(w->out, json_str_of(value));
        return;
    }
    json_writer_init(&json, w->out);
    json_value(&json, value);
}

static bool is_empty(yyjson_val *value)
{
    return yyjson_is_null(value) || (yyjson_is_str(value) && yyjson_get_len(value) == 0) ||
           (yyjson_is_ctn(value) && yyjson_get_len(value) == 0);
}

static bool is_scalar(yyjson_val *value)
{
    return !yyjson_is_ctn(value) || yyjson_get_len(value) == 0;
}

static void begin_line(struct writer *w, int indent)
{
    buf_append_str(w->out, str_of(w->style->prefix));
    for (int i = 0; i < indent; i++)
        buf_append_str(w->out, STR("  "));
}

static int compare_keys(const void *a, const void *b)
{
    yyjson_val *const *x = a;
    yyjson_val *const *y = b;
    return str_cmp(json_str_of(*x), json_str_of(*y));
}

static enum status write_object(struct writer *w, yyjson_val *object, int indent, bool in_line);

static enum status write_array(struct writer *w, yyjson_val *array, int indent)
{
    size_t at, max;
    yyjson_val *value;
    if (indent > YAML_DEPTH_MAX)
        return error_set(w->err, STATUS_INVALID_ARGUMENT, "it is nested too deeply for YAML");
    yyjson_arr_foreach(array, at, max, value)
    {
        begin_line(w, indent);
        buf_append_str(w->out, STR("- "));
        if (yyjson_is_obj(value) && !is_scalar(value)) {
            TRY(write_object(w, value, indent + 1, true));
            continue;
        }
        if (is_scalar(value)) {
            write_scalar(w, value);
        } else {
            /* A list in a list: flow style, which JSON is. */
            struct json_writer json;
            json_writer_init(&json, w->out);
            json_value(&json, value);
        }
        buf_append_char(w->out, '\n');
    }
    return STATUS_OK;
}

/* `key: value`, the value of a container on the lines below. */
static enum status write_member(struct writer *w, yyjson_val *key, yyjson_val *value, int indent)
{
    if (yyjson_get_len(key) > YAML_KEY_MAX)
        return error_set(w->err, STATUS_INVALID_ARGUMENT, "a key is too long for YAML");
    write_scalar(w, key);
    buf_append_char(w->out, ':');
    if (is_scalar(value)) {
        buf_append_char(w->out, ' ');
        write_scalar(w, value);
        buf_append_char(w->out, '\n');
        return STATUS_OK;
    }
    buf_append_char(w->out, '\n');
    return yyjson_is_obj(value) ? write_object(w, value, indent + 1, false)
                                : write_array(w, value, indent + 1);
}

/* in_line: the first member goes on the line that was begun ("- "). */
static enum status write_object(struct writer *w, yyjson_val *object, int indent, bool in_line)
{
    size_t at, max, len = 0;
    yyjson_val *key, *value;
    enum status status = STATUS_OK;
    if (indent > YAML_DEPTH_MAX)
        return error_set(w->err, STATUS_INVALID_ARGUMENT, "it is nested too deeply for YAML");
    yyjson_val **keys = malloc((yyjson_obj_size(object) + 1) * sizeof *keys);
    if (!keys)
        return error_no_memory(w->err);
    yyjson_obj_foreach(object, at, max, key, value)
    {
        if (!w->style->sorted || !is_empty(value))
            keys[len++] = key;
    }
    if (w->style->sorted && len > 1)
        qsort(keys, len, sizeof *keys, compare_keys);
    for (size_t i = 0; i < len && status == STATUS_OK; i++) {
        if (!in_line || i > 0)
            begin_line(w, indent);
        status = write_member(w, keys[i], yyjson_obj_iter_get_val(keys[i]), indent);
    }
    if (in_line && len == 0)
        buf_append_str(w->out, STR("{}\n"));
    free(keys);
    return status;
}

enum status yaml_write(yyjson_val *object, const struct yaml_style *style, struct buf *out,
                       struct error *err)
{
    struct writer w = {out, style, err};
    TRY(write_object(&w, object, 0, false));
    return buf_check(out, "YAML", err);
}

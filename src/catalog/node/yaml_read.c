/* yaml_read.c: libyaml's events drive the JSON writer. */
#include <yaml.h>

#include "catalog/node/yaml_json.h"

struct reader {
    yaml_parser_t parser;
    struct json_writer w;
    struct error *err;
    int depth;
    bool is_mapping[YAML_DEPTH_MAX + 1];
    bool at_key[YAML_DEPTH_MAX + 1]; /* the next scalar of the mapping is a key */
    int documents;
};

static enum status refuse(struct reader *r, const yaml_mark_t *mark, const char *why)
{
    enum status status =
        error_set(r->err, STATUS_INVALID_ARGUMENT, "YAML line %zu: %s", mark->line + 1, why);
    if (r->err) {
        r->err->line = (int64_t)mark->line + 1;
        r->err->column = (int64_t)mark->column + 1;
    }
    return status;
}

static bool is_one_of(struct str text, const char *const *words, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (str_is(text, words[i]))
            return true;
    return false;
}

static size_t digits(struct str text, size_t at)
{
    size_t end = at;
    while (end < text.len && text.data[end] >= '0' && text.data[end] <= '9')
        end++;
    return end - at;
}

/* A number as JSON writes it; with an exponent only behind a fraction, as in YAML 1.1, so that
 * hashes such as 12e4 stay text. */
static bool is_number(struct str text)
{
    enum { NUMBER_TEXT_MAX = 24, INTEGER_DIGITS_MAX = 18 };
    size_t at = text.len && text.data[0] == '-', whole = digits(text, at);
    if (text.len > NUMBER_TEXT_MAX || whole == 0 || whole > INTEGER_DIGITS_MAX ||
        (whole > 1 && text.data[at] == '0'))
        return false;
    at += whole;
    if (at == text.len)
        return true;
    size_t fraction = text.data[at] == '.' ? digits(text, at + 1) : 0;
    if (fraction == 0)
        return false;
    at += 1 + fraction;
    if (at < text.len && (text.data[at] == 'e' || text.data[at] == 'E')) {
        at += 1 + (at + 1 < text.len && (text.data[at + 1] == '-' || text.data[at + 1] == '+'));
        size_t exponent = digits(text, at);
        at += exponent;
        if (exponent == 0 || exponent > 2)
            return false;
    }
    return at == text.len;
}

static void write_plain(struct json_writer *w, struct str text)
{
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL"};
    static const char *const trues[] = {"true", "True", "TRUE"};
    static const char *const falses[] = {"false", "False", "FALSE"};
    if (is_one_of(text, nulls, 5))
        json_null(w);
    else if (is_one_of(text, trues, 3))
        json_bool(w, true);
    else if (is_one_of(text, falses, 3))
        json_bool(w, false);
    else if (is_number(text))
        json_raw(w, text);
    else
        json_string(w, text);
}

/* After a value, a mapping expects a key again. */
static void after_value(struct reader *r)
{
    if (r->is_mapping[r->depth])
        r->at_key[r->depth] = true;
}

static bool is_key_next(const struct reader *r)
{
    return r->is_mapping[r->depth] && r->at_key[r->depth];
}

static enum status on_scalar(struct reader *r, const yaml_event_t *event)
{
    struct str text = str_make((const char *)event->data.scalar.value, event->data.scalar.length);
    const char *tag = (const char *)event->data.scalar.tag;
    if (event->data.scalar.anchor)
        return refuse(r, &event->start_mark, "anchors are not read");
    if (tag && strcmp(tag, YAML_STR_TAG) != 0)
        return refuse(r, &event->start_mark, "tags are not read");
    if (is_key_next(r)) {
        if (text.len > YAML_KEY_MAX)
            return refuse(r, &event->start_mark, "a key is too long");
        json_key(&r->w, text);
        r->at_key[r->depth] = false;
        return STATUS_OK;
    }
    if (!tag && event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
        write_plain(&r->w, text);
    else
        json_string(&r->w, text);
    after_value(r);
    return STATUS_OK;
}

static enum status on_begin(struct reader *r, const yaml_event_t *event, bool mapping)
{
    const yaml_char_t *anchor =
        mapping ? event->data.mapping_start.anchor : event->data.sequence_start.anchor;
    const yaml_char_t *tag =
        mapping ? event->data.mapping_start.tag : event->data.sequence_start.tag;
    if (anchor || tag)
        return refuse(r, &event->start_mark, "anchors and tags are not read");
    if (is_key_next(r))
        return refuse(r, &event->start_mark, "a key must be a plain word");
    if (r->depth == YAML_DEPTH_MAX)
        return refuse(r, &event->start_mark, "it is nested too deeply");
    if (mapping)
        json_begin_object(&r->w);
    else
        json_begin_array(&r->w);
    r->depth++;
    r->is_mapping[r->depth] = r->at_key[r->depth] = mapping;
    return STATUS_OK;
}

static enum status on_event(struct reader *r, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        return r->documents++ ? refuse(r, &event->start_mark, "only one document is read")
                              : STATUS_OK;
    case YAML_ALIAS_EVENT:
        return refuse(r, &event->start_mark, "aliases are not read");
    case YAML_SCALAR_EVENT:
        return on_scalar(r, event);
    case YAML_SEQUENCE_START_EVENT:
        return on_begin(r, event, false);
    case YAML_MAPPING_START_EVENT:
        return on_begin(r, event, true);
    case YAML_SEQUENCE_END_EVENT:
        json_end_array(&r->w);
        r->depth--;
        after_value(r);
        return STATUS_OK;
    case YAML_MAPPING_END_EVENT:
        json_end_object(&r->w);
        r->depth--;
        after_value(r);
        return STATUS_OK;
    default:
        return STATUS_OK;
    }
}

static enum status read_all(struct reader *r)
{
    for (bool done = false; !done;) {
        yaml_event_t event;
        if (!yaml_parser_parse(&r->parser, &event)) {
            if (r->parser.error == YAML_MEMORY_ERROR)
                return error_no_memory(r->err);
            return refuse(r, &r->parser.problem_mark,
                          r->parser.problem ? r->parser.problem : "it cannot be read");
        }
        done = event.type == YAML_STREAM_END_EVENT;
        enum status status = on_event(r, &event);
        yaml_event_delete(&event);
        TRY(status);
    }
    return STATUS_OK;
}

enum status yaml_to_json(struct str yaml, struct buf *out, struct error *err)
{
    struct reader r = {.err = err};
    if (yaml.len > YAML_TEXT_MAX)
        return error_set(err, STATUS_RESOURCE_LIMIT, "more than %d bytes of YAML", YAML_TEXT_MAX);
    if (!yaml_parser_initialize(&r.parser))
        return error_no_memory(err);
    yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)(yaml.data ? yaml.data : ""),
                                 yaml.len);
    json_writer_init(&r.w, out);
    enum status status = read_all(&r);
    yaml_parser_delete(&r.parser);
    if (status == STATUS_OK && r.documents == 0)
        json_null(&r.w);
    return status == STATUS_OK ? buf_check(out, "YAML", err) : status;
}

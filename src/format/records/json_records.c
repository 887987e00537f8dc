/* json_records.c: JSON objects into the builder. */
#include "format/records/record_builder_int.h"

/* A key or text with its escapes resolved; plain ones are not copied. Valid until the next call. */
static enum status resolve(struct record_builder *b, struct str raw, bool escaped,
                           struct str *ret_text, struct error *err)
{
    *ret_text = raw;
    if (!escaped)
        return STATUS_OK;
    buf_clear(&b->scratch);
    if (!buf_reserve(&b->scratch, raw.len + 1))
        return error_no_memory(err);
    *ret_text = str_make(b->scratch.data, json_unescape(raw, b->scratch.data));
    return STATUS_OK;
}

static enum status add_string(struct record_builder *b, struct slot *slot, struct json_scan *scan,
                              struct error *err)
{
    struct str raw, text;
    bool escaped;
    const char *begin = scan->at;
    TRY(json_scan_string(scan, &raw, &escaped, err));
    if (slot->typed && builder_column(b, slot)->type == TYPE_JSON)
        return builder_json(b, slot, str_make(begin, (size_t)(scan->at - begin)), false, err);
    TRY(resolve(b, raw, escaped, &text, err));
    return builder_text(b, slot, text, err);
}

static enum status add_value(struct record_builder *b, struct slot *slot, struct json_scan *scan,
                             struct error *err)
{
    struct str text;
    bool flag;
    char c = json_scan_peek(scan);
    switch (c) {
    case '"':
        return add_string(b, slot, scan, err);
    case 'n':
        TRY(json_scan_word(scan, "null", err));
        return builder_null(b, slot, err);
    case 't':
        TRY(json_scan_word(scan, "true", err));
        return builder_bool(b, slot, true, err);
    case 'f':
        TRY(json_scan_word(scan, "false", err));
        return builder_bool(b, slot, false, err);
    case '{':
    case '[':
        TRY(json_scan_skip(scan, &text, &flag, err));
        return builder_json(b, slot, text, flag, err);
    default:
        if (c != '-' && (c < '0' || c > '9'))
            return json_scan_fail(scan, err, "a value");
        TRY(json_scan_number(scan, &text, &flag, err));
        return builder_number(b, slot, text, flag, err);
    }
}

static enum status add_member(struct record_builder *b, struct json_scan *scan, struct error *err)
{
    struct str raw, name;
    bool escaped;
    uint32_t slot;
    TRY(json_scan_key(scan, &raw, &escaped, err));
    TRY(resolve(b, raw, escaped, &name, err));
    TRY(builder_slot(b, name, &slot, err));
    TRY(builder_claim(b, &b->slots[slot], err));
    return add_value(b, &b->slots[slot], scan, err);
}

static void at_record(const struct record_builder *b, enum status status, struct error *err)
{
    if (status == STATUS_INVALID_JSON && err)
        err->record = builder_record(b);
}

static enum status add_members(struct record_builder *b, struct json_scan *scan, struct error *err)
{
    bool more;
    TRY(json_scan_open(scan, '{', '}', &more, err));
    while (more) {
        TRY(add_member(b, scan, err));
        TRY(json_scan_next(scan, '}', &more, err));
    }
    return STATUS_OK;
}

static enum status add_bare(struct record_builder *b, struct json_scan *scan, struct error *err)
{
    enum status status = add_members(b, scan, err);
    if (status == STATUS_OK)
        return builder_end_row(b, err);
    at_record(b, status, err);
    return status;
}

/* One item of an array. A bad one is passed over, if it is JSON. */
static enum status add_item(struct record_builder *b, struct json_scan *scan,
                            enum status (*add)(struct record_builder *, struct json_scan *,
                                               struct error *),
                            struct error *err)
{
    struct error why = ERROR_INIT;
    struct str raw = STR_NONE;
    json_scan_peek(scan);
    struct json_scan start = *scan;
    if (add(b, scan, &why) == STATUS_OK)
        return STATUS_OK;
    if (builder_can_leave_out(b, why.status)) {
        *scan = start;
        TRY(json_scan_skip(scan, &raw, NULL, err));
    }
    return builder_leave_out(b, raw, -1, &why, err);
}

enum status record_builder_object(struct record_builder *b, struct json_scan *scan,
                                  struct error *err)
{
    return add_item(b, scan, add_bare, err);
}

static void at_line(enum status status, int64_t line, struct error *err)
{
    if ((status == STATUS_INVALID_JSON || status == STATUS_SCHEMA) && err)
        err->line = line;
}

/* A line that does not fit and is not JSON either: the latter is what its sender has to know. */
static enum status or_malformed(const struct record_builder *b, const char *line,
                                struct json_scan scan, struct error *err)
{
    struct error malformed = ERROR_INIT;
    struct str value;
    scan.at = line;
    enum status status = json_scan_skip(&scan, &value, NULL, &malformed);
    if (status == STATUS_OK)
        status = json_scan_end(&scan, &malformed);
    if (status == STATUS_OK)
        return STATUS_SCHEMA;
    malformed.record = builder_record(b);
    if (err)
        *err = malformed;
    return status;
}

static enum status add_line(struct record_builder *b, struct json_scan scan, int64_t line,
                            struct error *err)
{
    const char *start = scan.at;
    enum status status = add_members(b, &scan, err);
    if (status == STATUS_OK)
        status = json_scan_end(&scan, err);
    at_record(b, status, err);
    if (status == STATUS_SCHEMA)
        status = or_malformed(b, start, scan, err);
    if (status == STATUS_OK)
        status = builder_end_row(b, err);
    at_line(status, line, err);
    return status;
}

enum status record_builder_ndjson(struct record_builder *b, struct str text, struct error *err)
{
    struct json_scan whole = json_scan_of(text);
    int64_t line = 1;
    while (whole.at < whole.end) {
        const char *newline = memchr(whole.at, '\n', (size_t)(whole.end - whole.at));
        struct json_scan scan = {whole.at, newline ? newline : whole.end, whole.start};
        if (json_scan_peek(&scan) || scan.at < scan.end) {
            struct error why = ERROR_INIT;
            struct str raw = {scan.at, (size_t)(scan.end - scan.at)};
            if (add_line(b, scan, line, &why) != STATUS_OK)
                TRY(builder_leave_out(b, raw, line, &why, err));
        }
        whole.at = newline ? newline + 1 : whole.end;
        line++;
    }
    return STATUS_OK;
}

/* {"fields": {...}}; other members are refused, so that a misspelt one is not lost in silence. */
static enum status add_wrapped(struct record_builder *b, struct json_scan *scan, struct error *err)
{
    struct str raw;
    bool escaped, more, found = false;
    TRY(json_scan_open(scan, '{', '}', &more, err));
    while (more) {
        TRY(json_scan_key(scan, &raw, &escaped, err));
        if (!str_is(raw, "fields") || found) {
            enum status status =
                error_set(err, STATUS_INVALID_ARGUMENT,
                          "record %u: a record is {\"fields\": {...}}, found the member '%.*s'%s",
                          builder_record(b), raw.len < 80 ? (int)raw.len : 80, raw.data,
                          found ? " again" : "");
            if (err)
                err->record = builder_record(b);
            return status;
        }
        found = true;
        json_scan_peek(scan);
        TRY(add_members(b, scan, err));
        TRY(json_scan_next(scan, '}', &more, err));
    }
    if (found)
        return builder_end_row(b, err);
    enum status status = error_set(err, STATUS_INVALID_ARGUMENT, "record %u: 'fields' is missing",
                                   builder_record(b));
    if (err)
        err->record = builder_record(b);
    return status;
}

enum status record_builder_array(struct record_builder *b, struct json_scan *scan, bool wrapped,
                                 struct error *err)
{
    bool more;
    enum status status = json_scan_open(scan, '[', ']', &more, err);
    while (status == STATUS_OK && more) {
        status = add_item(b, scan, wrapped ? add_wrapped : add_bare, err);
        if (status == STATUS_OK)
            status = json_scan_next(scan, ']', &more, err);
    }
    at_record(b, status, err);
    return status;
}

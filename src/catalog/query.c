/* query.c: checks of queries, the reference evaluator, cursors.
 *
 * A cursor's text: the order field's member name, '.', the order value of the page's last record
 * (hexadecimal bytes of a text, or a decimal number), '.', that record's id. */
#include "catalog/query.h"

#include <stdio.h>

/* --- checks --- */

static bool op_fits(enum match_op op, enum record_type type)
{
    switch (op) {
    case MATCH_EQ:
    case MATCH_NE:
        return type != RECORD_LIST && type != RECORD_JSON;
    case MATCH_IN:
    case MATCH_PREFIX:
    case MATCH_GLOB:
        return type == RECORD_TEXT;
    case MATCH_LT:
    case MATCH_LTE:
    case MATCH_GT:
    case MATCH_GTE:
        return type == RECORD_INT || type == RECORD_TIME;
    case MATCH_HAS:
        return type == RECORD_LIST;
    case MATCH_JSON:
        return type == RECORD_JSON;
    }
    return false;
}

static enum status check_match(enum domain domain, const struct match *match, struct error *err)
{
    const struct record_field_info *info = &record_field_info[match->field];
    if (!record_has_field(domain, match->field))
        return error_set(err, STATUS_INVALID_ARGUMENT, "%s have no %s", domain_name(domain),
                         info->json);
    if (!op_fits(match->op, info->type))
        return error_set(err, STATUS_INVALID_ARGUMENT, "this condition does not fit %s",
                         info->json);
    if (match->values_len > QUERY_VALUES_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT, "a condition has at most %d values",
                         QUERY_VALUES_MAX);
    bool one = match->op == MATCH_PREFIX || match->op == MATCH_GLOB ||
               (info->type == RECORD_TEXT && (match->op == MATCH_EQ || match->op == MATCH_NE));
    if (one && match->values_len != 1)
        return error_set(err, STATUS_INVALID_ARGUMENT, "the condition on %s needs one value",
                         info->json);
    return STATUS_OK;
}

static enum status check_filters(const struct record_query *query, struct error *err)
{
    if (!query->tenant.len)
        return error_set(err, STATUS_INVALID_ARGUMENT, "no tenant is named");
    if (query->matches_len > QUERY_MATCHES_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT, "at most %d conditions are allowed",
                         QUERY_MATCHES_MAX);
    if (query->text.len > QUERY_TEXT_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT, "a search text has at most %d bytes",
                         QUERY_TEXT_MAX);
    if ((query->text.len || query->visible) && query->domain != DOMAIN_ASSET)
        return error_set(err, STATUS_INVALID_ARGUMENT, "only assets are searched by text");
    for (uint32_t i = 0; i < query->matches_len; i++)
        TRY(check_match(query->domain, &query->matches[i], err));
    return STATUS_OK;
}

enum status query_check(const struct record_query *query, struct error *err)
{
    const struct record_field_info *order = &record_field_info[query->order];
    TRY(check_filters(query, err));
    if (query->limit < 1 || query->limit > QUERY_LIMIT_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT, "limit must be between 1 and %d",
                         QUERY_LIMIT_MAX);
    bool sortable =
        order->type == RECORD_TEXT || order->type == RECORD_INT || order->type == RECORD_TIME;
    if (!sortable || order->access == ACCESS_SECRET ||
        !record_has_field(query->domain, query->order))
        return error_set(err, STATUS_INVALID_ARGUMENT, "%s cannot be ordered by %s",
                         domain_name(query->domain), order->json);
    return STATUS_OK;
}

enum status group_check(const struct group_query *query, struct error *err)
{
    TRY(check_filters(&query->records, err));
    enum domain domain = query->records.domain;
    if (query->by != GROUP_ALL) {
        const struct record_field_info *by = &record_field_info[query->by];
        if ((by->type != RECORD_TEXT && by->type != RECORD_LIST) || by->access == ACCESS_SECRET ||
            !record_has_field(domain, (enum record_field)query->by))
            return error_set(err, STATUS_INVALID_ARGUMENT, "%s cannot be grouped by %s",
                             domain_name(domain), by->json);
    }
    if (query->numbers_len > GROUP_NUMBERS_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT, "at most %d sums are allowed",
                         GROUP_NUMBERS_MAX);
    for (uint32_t i = 0; i < query->numbers_len; i++) {
        const struct record_field_info *info = &record_field_info[query->numbers[i]];
        if ((info->type != RECORD_INT && info->type != RECORD_TIME) ||
            !record_has_field(domain, query->numbers[i]))
            return error_set(err, STATUS_INVALID_ARGUMENT, "%s is not a number", info->json);
    }
    return STATUS_OK;
}

/* --- matching --- */

static size_t char_len(struct str text, size_t at)
{
    size_t len = 1;
    while (at + len < text.len && ((unsigned char)text.data[at + len] & 0xc0) == 0x80)
        len++;
    return len;
}

/* Remembers the last '*' only: what is matched before it need never be tried again. */
bool glob_matches(struct str pattern, struct str text)
{
    size_t p = 0, t = 0, star = SIZE_MAX, star_t = 0;
    while (t < text.len) {
        if (p < pattern.len && pattern.data[p] == '*') {
            star = p++;
            star_t = t;
        } else if (p < pattern.len && pattern.data[p] == '?') {
            p++;
            t += char_len(text, t);
        } else if (p < pattern.len && pattern.data[p] == text.data[t]) {
            p++;
            t++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            star_t += char_len(text, star_t);
            t = star_t;
        } else {
            return false;
        }
    }
    while (p < pattern.len && pattern.data[p] == '*')
        p++;
    return p == pattern.len;
}

static bool is_word(unsigned char c)
{
    return c >= 0x80 || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static char fold(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

/* The next word of *rest; false at the end. */
static bool next_word(struct str *rest, struct str *ret)
{
    size_t from = 0;
    while (from < rest->len && !is_word((unsigned char)rest->data[from]))
        from++;
    size_t to = from;
    while (to < rest->len && is_word((unsigned char)rest->data[to]))
        to++;
    *ret = str_make(rest->data + from, to - from);
    *rest = str_make(rest->data + to, rest->len - to);
    return ret->len > 0;
}

uint32_t text_words(struct str text, struct arena *arena, struct str *words, uint32_t max)
{
    uint32_t len = 0;
    struct str word;
    while (len < max && next_word(&text, &word)) {
        char *copy = arena_alloc(arena, word.len);
        if (!copy)
            break;
        for (size_t i = 0; i < word.len; i++)
            copy[i] = fold(word.data[i]);
        words[len++] = str_make(copy, word.len);
    }
    return len;
}

bool text_begins_word(struct str text, struct str wanted)
{
    struct str word;
    while (next_word(&text, &word)) {
        size_t i = 0;
        while (i < wanted.len && i < word.len && fold(word.data[i]) == fold(wanted.data[i]))
            i++;
        if (i == wanted.len)
            return true;
    }
    return false;
}

static bool list_begins_word(const struct str_list *list, struct str wanted)
{
    for (uint32_t i = 0; i < list->len; i++)
        if (text_begins_word(list->items[i], wanted))
            return true;
    return false;
}

static bool text_matches(struct str text, const struct record *record)
{
    struct str wanted;
    uint32_t words = 0;
    while (words++ < QUERY_WORDS_MAX && next_word(&text, &wanted)) {
        if (!text_begins_word(record->name, wanted) &&
            !text_begins_word(record->namespace, wanted) &&
            !text_begins_word(record->title, wanted) &&
            !text_begins_word(record->description, wanted) &&
            !list_begins_word(&record->tags, wanted) &&
            !list_begins_word(&record->categories, wanted))
            return false;
    }
    return true;
}

static bool list_has(const struct str_list *list, struct str value)
{
    for (uint32_t i = 0; i < list->len; i++)
        if (str_eq(list->items[i], value))
            return true;
    return false;
}

static bool one_of(struct str text, const struct str *values, uint32_t len)
{
    for (uint32_t i = 0; i < len; i++)
        if (str_eq(text, values[i]))
            return true;
    return false;
}

static bool scalar_equal(yyjson_val *a, yyjson_val *b)
{
    if (yyjson_is_str(a) && yyjson_is_str(b))
        return str_eq(json_str_of(a), json_str_of(b));
    if (yyjson_is_num(a) && yyjson_is_num(b))
        return yyjson_is_int(a) && yyjson_is_int(b) ? yyjson_get_sint(a) == yyjson_get_sint(b)
                                                    : yyjson_get_num(a) == yyjson_get_num(b);
    return yyjson_is_bool(a) && yyjson_is_bool(b) && yyjson_get_bool(a) == yyjson_get_bool(b);
}

static bool json_matches(const struct match *match, struct str json)
{
    yyjson_doc *doc = yyjson_read(json.data, json.len, 0);
    yyjson_doc *wanted = yyjson_read(match->json.data, match->json.len, 0);
    yyjson_val *value =
        yyjson_obj_getn(yyjson_doc_get_root(doc), match->path.data, match->path.len);
    bool same = value && wanted && scalar_equal(value, yyjson_doc_get_root(wanted));
    yyjson_doc_free(doc);
    yyjson_doc_free(wanted);
    return same;
}

static bool text_match(const struct match *match, struct str text)
{
    switch (match->op) {
    case MATCH_EQ:
        return str_eq(text, match->values[0]);
    case MATCH_NE:
        return !str_eq(text, match->values[0]);
    case MATCH_IN:
        return one_of(text, match->values, match->values_len);
    case MATCH_PREFIX:
        return str_starts(text, match->values[0]);
    case MATCH_GLOB:
        return glob_matches(match->values[0], text);
    default:
        return false;
    }
}

static bool number_match(const struct match *match, int64_t number)
{
    switch (match->op) {
    case MATCH_EQ:
        return number == match->number;
    case MATCH_NE:
        return number != match->number;
    case MATCH_LT:
        return number < match->number;
    case MATCH_LTE:
        return number <= match->number;
    case MATCH_GT:
        return number > match->number;
    case MATCH_GTE:
        return number >= match->number;
    default:
        return false;
    }
}

static bool one_match(const struct match *match, const struct record *record)
{
    switch (record_field_info[match->field].type) {
    case RECORD_TEXT:
        return text_match(match, record_get_text(record, match->field));
    case RECORD_JSON:
        return json_matches(match, record_get_text(record, match->field));
    case RECORD_LIST:
        for (uint32_t i = 0; i < match->values_len; i++)
            if (!list_has(record_get_list(record, match->field), match->values[i]))
                return false;
        return true;
    case RECORD_INT:
    case RECORD_BOOL:
    case RECORD_TIME:
        break;
    }
    return number_match(match, record_get_int(record, match->field));
}

bool query_matches(const struct record_query *query, const struct record *record)
{
    if (record->domain != query->domain || !str_eq(record->tenant, query->tenant))
        return false;
    if (query->deleted != DELETED_SHOW &&
        (query->deleted == DELETED_ONLY) != (record->deleted_us != 0))
        return false;
    const struct visibility *visible = query->visible;
    if (visible && !record->is_public && !str_eq(record->owner, visible->owner) &&
        !one_of(record->id, visible->ids, visible->ids_len))
        return false;
    for (uint32_t i = 0; i < query->matches_len; i++)
        if (!one_match(&query->matches[i], record))
            return false;
    return text_matches(query->text, record);
}

/* --- order and cursors --- */

static int compare_place(const struct record_query *query, struct str text, int64_t number,
                         struct str id, const struct record *record)
{
    int order = 0;
    if (record_field_info[query->order].type == RECORD_TEXT) {
        order = str_cmp(text, record_get_text(record, query->order));
    } else {
        int64_t other = record_get_int(record, query->order);
        order = number < other ? -1 : number > other;
    }
    if (!order)
        order = str_cmp(id, record->id);
    return query->descending ? -order : order;
}

static void place_of(const struct record_query *query, const struct record *record,
                     struct str *ret_text, int64_t *ret_number)
{
    bool text = record_field_info[query->order].type == RECORD_TEXT;
    *ret_text = text ? record_get_text(record, query->order) : STR_NONE;
    *ret_number = text ? 0 : record_get_int(record, query->order);
}

int query_compare(const struct record_query *query, const struct record *a, const struct record *b)
{
    struct str text;
    int64_t number;
    place_of(query, a, &text, &number);
    return compare_place(query, text, number, a->id, b);
}

bool cursor_before(const struct record_query *query, const struct cursor *cursor,
                   const struct record *record)
{
    return compare_place(query, cursor->text, cursor->number, cursor->id, record) < 0;
}

enum status cursor_write(const struct record_query *query, const struct record *last,
                         struct arena *arena, struct str *ret, struct error *err)
{
    struct str text;
    int64_t number;
    struct buf buf;
    place_of(query, last, &text, &number);
    buf_init(&buf, 4 * RECORD_TEXT_MAX);
    buf_printf(&buf, "%s.", record_field_info[query->order].member);
    if (record_field_info[query->order].type == RECORD_TEXT)
        for (size_t i = 0; i < text.len; i++)
            buf_printf(&buf, "%02x", (unsigned)(unsigned char)text.data[i]);
    else
        buf_printf(&buf, "%lld", (long long)number);
    buf_append_char(&buf, '.');
    buf_append_str(&buf, last->id);
    enum status status = buf_check(&buf, "a cursor", err);
    if (status == STATUS_OK) {
        *ret = arena_str(arena, buf_str(&buf));
        status = ret->data ? STATUS_OK : error_no_memory(err);
    }
    buf_release(&buf);
    return status;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool hex_read(struct str hex, struct arena *arena, struct str *ret)
{
    char *bytes = arena_alloc(arena, hex.len / 2);
    if (!bytes || hex.len % 2)
        return false;
    for (size_t i = 0; i < hex.len; i += 2) {
        int high = hex_value(hex.data[i]), low = hex_value(hex.data[i + 1]);
        if (high < 0 || low < 0)
            return false;
        bytes[i / 2] = (char)(high << 4 | low);
    }
    *ret = str_make(bytes, hex.len / 2);
    return true;
}

enum status cursor_read(const struct record_query *query, struct arena *arena, struct cursor *ret,
                        struct error *err)
{
    struct str rest = query->cursor, field = STR_NONE, value = STR_NONE;
    *ret = (struct cursor){0};
    bool good = str_split(&rest, '.', &field) && str_split(&rest, '.', &value) && rest.len &&
                str_is(field, record_field_info[query->order].member);
    if (good && record_field_info[query->order].type == RECORD_TEXT)
        good = hex_read(value, arena, &ret->text);
    else if (good)
        good = str_to_int64(value, &ret->number);
    if (!good)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "the cursor is not one of a query with this order");
    ret->id = rest;
    return STATUS_OK;
}

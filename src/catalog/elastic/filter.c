/* filter.c: a query's conditions in the server's language.
 *
 * All are filters on keywords and numbers that were cut into words and terms by us (document.c), so
 * that what is found is what query_matches finds, whatever the server thinks of languages. What
 * cannot be said exactly is said loosely or left out: then the caller looks at each record. */
#include "catalog/elastic/elastic_int.h"

enum { TERMS_MAX = 60000, GLOB_MARKS_MAX = 4 };

#define EXACT_NUMBER_MAX ((double)((int64_t)1 << 53))

/* {"<kind>":{"<field>":{"value": */
static void begin_leaf(struct json_writer *w, const char *kind, const char *field)
{
    json_begin_object(w);
    json_keyz(w, kind);
    json_begin_object(w);
    json_keyz(w, field);
    json_begin_object(w);
    json_keyz(w, "value");
}

static void end_leaf(struct json_writer *w)
{
    json_end_object(w);
    json_end_object(w);
    json_end_object(w);
}

static void write_text(struct json_writer *w, const char *kind, const char *field, struct str text)
{
    begin_leaf(w, kind, field);
    json_string(w, text.len ? text : STR(""));
    end_leaf(w);
}

static void write_int(struct json_writer *w, const char *field, int64_t number)
{
    begin_leaf(w, "term", field);
    json_int(w, number);
    end_leaf(w);
}

static void write_bool(struct json_writer *w, const char *field, bool value)
{
    begin_leaf(w, "term", field);
    json_bool(w, value);
    end_leaf(w);
}

static void write_range(struct json_writer *w, const char *field, const char *op, int64_t number)
{
    json_begin_object(w);
    json_keyz(w, "range");
    json_begin_object(w);
    json_keyz(w, field);
    json_begin_object(w);
    json_kv_int(w, op, number);
    json_end_object(w);
    json_end_object(w);
    json_end_object(w);
}

static void write_terms(struct json_writer *w, const char *field, const struct str *values,
                        uint32_t len)
{
    json_begin_object(w);
    json_keyz(w, "terms");
    json_begin_object(w);
    json_keyz(w, field);
    json_begin_array(w);
    for (uint32_t i = 0; i < len; i++)
        json_string(w, values[i].len ? values[i] : STR(""));
    json_end_array(w);
    json_end_object(w);
    json_end_object(w);
}

static void write_none(struct json_writer *w)
{
    json_begin_object(w);
    json_keyz(w, "match_none");
    json_begin_object(w);
    json_end_object(w);
    json_end_object(w);
}

static void begin_not(struct json_writer *w)
{
    json_begin_object(w);
    json_keyz(w, "bool");
    json_begin_object(w);
    json_keyz(w, "must_not");
    json_begin_array(w);
}

static void end_not(struct json_writer *w)
{
    json_end_array(w);
    json_end_object(w);
    json_end_object(w);
}

/* --- conditions --- */

/* Many '?' behind a '*' need an automaton that servers refuse to build. */
static bool is_simple_glob(struct str pattern)
{
    const char *star = memchr(pattern.data ? pattern.data : "", '*', pattern.len);
    int marks = 0;
    for (size_t i = star ? (size_t)(star - pattern.data) : pattern.len; i < pattern.len; i++)
        marks += pattern.data[i] == '?';
    return marks <= GLOB_MARKS_MAX;
}

/* A backslash stands for itself with us. */
static bool write_glob(struct json_writer *w, const char *field, struct str pattern)
{
    struct buf buf;
    if (!is_simple_glob(pattern))
        return false;
    buf_init(&buf, 2 * RECORD_TEXT_MAX);
    for (size_t i = 0; i < pattern.len; i++) {
        if (pattern.data[i] == '\\')
            buf_append_char(&buf, '\\');
        buf_append_char(&buf, pattern.data[i]);
    }
    bool whole = !buf_failed(&buf);
    if (whole)
        write_text(w, "wildcard", field, buf_str(&buf));
    buf_release(&buf);
    return whole;
}

static bool write_text_match(struct json_writer *w, const struct match *match)
{
    const char *field = elastic_field(match->field);
    if (!field)
        return false;
    switch (match->op) {
    case MATCH_EQ:
        write_text(w, "term", field, match->values[0]);
        return true;
    case MATCH_NE:
        begin_not(w);
        write_text(w, "term", field, match->values[0]);
        end_not(w);
        return true;
    case MATCH_IN:
        if (match->values_len)
            write_terms(w, field, match->values, match->values_len);
        else
            write_none(w);
        return true;
    case MATCH_PREFIX:
        if (match->values[0].len)
            write_text(w, "prefix", field, match->values[0]);
        return true;
    default:
        return write_glob(w, field, match->values[0]);
    }
}

static bool write_number_match(struct json_writer *w, const struct match *match)
{
    static const char *const ops[] = {
        [MATCH_LT] = "lt", [MATCH_LTE] = "lte", [MATCH_GT] = "gt", [MATCH_GTE] = "gte"};
    const char *field = elastic_field(match->field);
    if (match->op != MATCH_EQ && match->op != MATCH_NE) {
        write_range(w, field, ops[match->op], match->number);
        return true;
    }
    if (match->op == MATCH_NE)
        begin_not(w);
    if (record_field_info[match->field].type != RECORD_BOOL)
        write_int(w, field, match->number);
    else if (match->number == 0 || match->number == 1)
        write_bool(w, field, match->number != 0);
    else
        write_none(w);
    if (match->op == MATCH_NE)
        end_not(w);
    return true;
}

/* Numbers are compared as doubles by the term, as integers by us: the same below 2^53. */
static bool write_json_match(struct json_writer *w, const struct match *match)
{
    struct buf term;
    yyjson_doc *doc = yyjson_read(match->json.data, match->json.len, 0);
    yyjson_val *value = yyjson_doc_get_root(doc);
    bool scalar = yyjson_is_str(value) || yyjson_is_num(value) || yyjson_is_bool(value);
    bool exact = true;
    buf_init(&term, 2 * (size_t)RECORD_JSON_MAX);
    if (scalar) {
        elastic_member_term(&term, match->field, match->path, value);
        exact = term.len <= ELASTIC_MEMBER_MAX &&
                !(yyjson_is_num(value) && !(yyjson_get_num(value) < EXACT_NUMBER_MAX &&
                                            yyjson_get_num(value) > -EXACT_NUMBER_MAX));
        write_text(w, "term", "members", elastic_cut(buf_str(&term), ELASTIC_MEMBER_MAX));
        w->buf->failed |= term.failed;
    } else {
        write_none(w);
    }
    buf_release(&term);
    yyjson_doc_free(doc);
    return exact;
}

static bool write_match(struct json_writer *w, const struct match *match)
{
    switch (record_field_info[match->field].type) {
    case RECORD_TEXT:
        return write_text_match(w, match);
    case RECORD_JSON:
        return write_json_match(w, match);
    case RECORD_LIST:
        for (uint32_t i = 0; i < match->values_len; i++)
            write_text(w, "term", elastic_field(match->field), match->values[i]);
        return true;
    case RECORD_INT:
    case RECORD_BOOL:
    case RECORD_TIME:
        break;
    }
    return write_number_match(w, match);
}

static void write_words(struct json_writer *w, struct str text)
{
    struct str words[QUERY_WORDS_MAX];
    struct arena arena;
    arena_init(&arena, 1 << 16);
    uint32_t len = text_words(text, &arena, words, QUERY_WORDS_MAX);
    for (uint32_t i = 0; i < len; i++)
        write_text(w, "prefix", "words", words[i]);
    arena_release(&arena);
}

static void write_visibility(struct json_writer *w, const struct visibility *visible)
{
    json_begin_object(w);
    json_keyz(w, "bool");
    json_begin_object(w);
    json_kv_int(w, "minimum_should_match", 1);
    json_keyz(w, "should");
    json_begin_array(w);
    write_bool(w, "is_public", true);
    write_text(w, "term", "owner", visible->owner);
    for (uint32_t i = 0; i < visible->ids_len; i += TERMS_MAX)
        write_terms(w, "uuid", visible->ids + i,
                    visible->ids_len - i < TERMS_MAX ? visible->ids_len - i : TERMS_MAX);
    json_end_array(w);
    json_end_object(w);
    json_end_object(w);
}

static void write_deleted(struct json_writer *w, enum deleted_mode mode)
{
    if (mode == DELETED_SHOW)
        return;
    if (mode == DELETED_ONLY)
        begin_not(w);
    write_int(w, "deleted_us", 0);
    if (mode == DELETED_ONLY)
        end_not(w);
}

bool elastic_filter_write(struct json_writer *w, const struct record_query *query)
{
    bool exact = true;
    json_begin_object(w);
    json_keyz(w, "bool");
    json_begin_object(w);
    json_keyz(w, "filter");
    json_begin_array(w);
    write_text(w, "term", "tenant", query->tenant);
    write_deleted(w, query->deleted);
    if (query->visible)
        write_visibility(w, query->visible);
    for (uint32_t i = 0; i < query->matches_len; i++)
        exact &= write_match(w, &query->matches[i]);
    write_words(w, query->text);
    json_end_array(w);
    json_end_object(w);
    json_end_object(w);
    return exact;
}

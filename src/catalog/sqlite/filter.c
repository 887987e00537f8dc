/* filter.c: what a query asks for as conditions of SQL.
 *
 * One condition may be where the search begins (b->start): it names rows by their numbers, and the
 * table of assets is entered by these. All others are tested row by row. */
#include "catalog/sqlite/builder_int.h"

/* Whether the rows come from this value of this match. */
static bool begins_here(const struct builder *b, uint32_t match, uint32_t value)
{
    return b->start.at == START_MATCH && b->start.match == match && b->start.value == value;
}

/* Narrows to what a table of pairs (value, asset) has, by its row numbers or row by row. */
static void append_pairs(struct builder *b, const char *table, const char *condition, bool begins)
{
    if (begins)
        buf_printf(&b->sql, " AND r.seq IN (SELECT asset FROM %s WHERE %s)", table, condition);
    else
        buf_printf(&b->sql, " AND EXISTS(SELECT 1 FROM %s WHERE %s AND asset=r.seq)", table,
                   condition);
}

/* The exact comparison follows it. */
static enum status append_property_rows(struct builder *b, const struct match *match,
                                        yyjson_val *value, bool begins)
{
    struct str name = sqlite_property_name(match, b->arena);
    if (!name.data)
        return error_no_memory(b->err);
    append_pairs(b, "asset_properties", "name=? AND value=?", begins);
    sqlite_add_text(b, name);
    return add_scalar(b, value);
}

static enum status append_json_value(struct builder *b, const struct match *match,
                                     yyjson_val *value, bool begins)
{
    const char *column = record_field_info[match->field].member;
    if (!yyjson_is_str(value) && !yyjson_is_bool(value) && !yyjson_is_num(value)) {
        buf_printf(&b->sql, " AND 0");
        return STATUS_OK;
    }
    if (b->domain == DOMAIN_ASSET && sqlite_property_indexed(match, value))
        TRY(append_property_rows(b, match, value, begins));
    buf_printf(&b->sql, " AND EXISTS(SELECT 1 FROM json_each(r.%s) AS j WHERE j.key=? AND", column);
    sqlite_add_text(b, match->path);
    buf_printf(&b->sql, " j.type IN (%s) AND j.value=?)",
               yyjson_is_str(value)     ? "'text'"
               : yyjson_is_num(value)   ? "'integer','real'"
               : yyjson_get_bool(value) ? "'true'"
                                        : "'false'");
    return add_scalar(b, value);
}

static enum status append_json_match(struct builder *b, const struct match *match, bool begins)
{
    yyjson_doc *doc = yyjson_read(match->json.data, match->json.len, 0);
    enum status status = append_json_value(b, match, yyjson_doc_get_root(doc), begins);
    yyjson_doc_free(doc);
    return status;
}

static enum status append_list_match(struct builder *b, const struct match *match, uint32_t at)
{
    const char *column = record_field_info[match->field].member;
    for (uint32_t i = 0; i < match->values_len; i++) {
        if (match->field == RECORD_tags)
            append_pairs(b, "asset_tags", "tag=?", begins_here(b, at, i));
        else
            buf_printf(&b->sql, " AND EXISTS(SELECT 1 FROM json_each(r.%s) AS j WHERE j.value=?)",
                       column);
        if (b->parameters_len + 16 > PARAMETERS_MAX)
            return error_set(b->err, STATUS_RESOURCE_LIMIT, "the query has too many values");
        sqlite_add_text(b, match->values[i]);
    }
    return STATUS_OK;
}

static enum status append_match(struct builder *b, const struct match *match, uint32_t at)
{
    static const char *const compare[] = {
        [MATCH_EQ] = "=",   [MATCH_NE] = "<>", [MATCH_LT] = "<",
        [MATCH_LTE] = "<=", [MATCH_GT] = ">",  [MATCH_GTE] = ">=",
    };
    const char *column = record_field_info[match->field].member;
    bool text = record_field_info[match->field].type == RECORD_TEXT;
    switch (match->op) {
    case MATCH_EQ:
    case MATCH_NE:
    case MATCH_LT:
    case MATCH_LTE:
    case MATCH_GT:
    case MATCH_GTE:
        buf_printf(&b->sql, " AND r.%s%s?", column, compare[match->op]);
        if (text)
            sqlite_add_text(b, match->values[0]);
        else
            add_int(b, match->number);
        return STATUS_OK;
    case MATCH_IN:
        if (match->values_len == 1) { /* so that an index may also give the order */
            buf_printf(&b->sql, " AND r.%s=?", column);
            sqlite_add_text(b, match->values[0]);
            return STATUS_OK;
        }
        buf_printf(&b->sql, " AND r.%s IN (SELECT value FROM json_each(?))", column);
        return add_texts(b, match->values, match->values_len);
    case MATCH_PREFIX:
        buf_printf(&b->sql, " AND substr(CAST(r.%s AS BLOB),1,?)=CAST(? AS BLOB)", column);
        add_int(b, (int64_t)match->values[0].len);
        sqlite_add_text(b, match->values[0]);
        return STATUS_OK;
    case MATCH_GLOB:
        buf_printf(&b->sql, " AND r.%s GLOB ?", column);
        return sqlite_add_glob(b, match->values[0]);
    case MATCH_HAS:
        return append_list_match(b, match, at);
    case MATCH_JSON:
        return append_json_match(b, match, begins_here(b, at, 0));
    }
    return STATUS_OK;
}

static enum status append_text(struct builder *b, struct str text)
{
    struct str words;
    TRY(words_joined(b->arena, text, &words, b->err));
    if (!words.len)
        return STATUS_OK;
    if (b->start.at == START_WORDS) {
        buf_printf(&b->sql, " AND r.seq IN (SELECT rowid FROM asset_words(?))");
        sqlite_add_text(b, b->start.words);
    }
    buf_printf(&b->sql, " AND has_words(?,r.name,r.namespace,r.title,r.description,r.tags,"
                        "r.categories)");
    sqlite_add_text(b, words);
    return STATUS_OK;
}

enum status sqlite_add_filters(struct builder *b, const struct record_query *query)
{
    static const char *const deleted[] = {
        [DELETED_HIDE] = " AND r.deleted_us=0",
        [DELETED_ONLY] = " AND r.deleted_us<>0",
        [DELETED_SHOW] = "",
    };
    /* NOT INDEXED leaves the row numbers that the search begins with. */
    buf_printf(&b->sql, " FROM %s AS r%s WHERE r.tenant=?%s", domain_name(query->domain),
               b->start.at == START_ORDER ? "" : " NOT INDEXED", deleted[query->deleted]);
    sqlite_add_text(b, query->tenant);
    if (b->start.bounded)
        buf_printf(&b->sql, " AND walked(r.seq)");
    for (uint32_t i = 0; i < query->matches_len; i++)
        TRY(append_match(b, &query->matches[i], i));
    if (query->visible) {
        buf_printf(&b->sql, " AND (r.is_public OR r.owner=?"
                            " OR r.id IN (SELECT value FROM json_each(?)))");
        sqlite_add_text(b, query->visible->owner);
        TRY(add_texts(b, query->visible->ids, query->visible->ids_len));
    }
    return append_text(b, query->text);
}

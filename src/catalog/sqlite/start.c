/* start.c: where the search for matching assets begins. SQLite cannot know: it has no statistics of
 * single values, and no index of words.
 *
 * 1. A tag, a property or a word that few assets have: at those. They are found by asking for the
 *    first FEW of each.
 * 2. Else, when a page is asked for whose order an index has: along that index, until the page is
 *    full. Matches may be rare there even so, and that is not known before; so the walk is bounded
 *    when there is another way, and after WALK_MAX rows that is taken.
 * 3. Else at the words, at the rarest of the tags and properties, at all assets: in this order. */
#include "catalog/sqlite/builder_int.h"

enum {
    FEW = 1000,
    WALK_MAX = 2000, /* rows */
};

/* --- walked(row): counts the rows of a bounded walk --- */

static void walked(sqlite3_context *context, int len, sqlite3_value **values)
{
    struct connection *connection = sqlite3_user_data(context);
    (void)len;
    (void)values;
    if (connection->walk_left) {
        connection->walk_left--;
        sqlite3_result_int(context, 1);
    } else {
        connection->walk_ended = true;
        sqlite3_result_error(context, "the walk is too long", -1);
    }
}

enum status start_register(struct connection *connection, struct error *err)
{
    if (sqlite3_create_function_v2(connection->db, "walked", 1, SQLITE_UTF8 | SQLITE_DIRECTONLY,
                                   connection, walked, NULL, NULL, NULL) != SQLITE_OK)
        return connection_failed(connection, err);
    return STATUS_OK;
}

void start_walk(struct connection *connection)
{
    connection->walk_left = WALK_MAX;
    connection->walk_ended = false;
}

/* --- how many assets have a tag or a property, up to FEW --- */

static enum status count_rows(struct connection *connection, struct builder *b, int64_t *ret)
{
    sqlite3_stmt *stmt = NULL;
    enum status status = STATUS_OK;
    add_int(b, FEW);
    TRY(builder_prepare(b, connection, &stmt));
    if (sqlite3_step(stmt) == SQLITE_ROW)
        *ret = sqlite3_column_int64(stmt, 0);
    else
        status = connection_failed(connection, b->err);
    statement_done(stmt);
    return status;
}

static enum status count_tag(struct builder *b, struct connection *connection, struct str tag,
                             int64_t *ret)
{
    builder_clear(b);
    buf_printf(&b->sql, "SELECT count(*) FROM (SELECT 1 FROM asset_tags WHERE tag=? LIMIT ?)");
    sqlite_add_text(b, tag);
    return count_rows(connection, b, ret);
}

/* *ret stays when the table of properties does not have them. */
static enum status count_property(struct builder *b, struct connection *connection,
                                  const struct match *match, int64_t *ret)
{
    yyjson_doc *doc = yyjson_read(match->json.data, match->json.len, 0);
    yyjson_val *value = yyjson_doc_get_root(doc);
    struct str name = sqlite_property_name(match, b->arena);
    enum status status = name.data ? STATUS_OK : error_no_memory(b->err);
    if (status == STATUS_OK && sqlite_property_indexed(match, value)) {
        builder_clear(b);
        buf_printf(&b->sql, "SELECT count(*) FROM (SELECT 1 FROM asset_properties WHERE name=? AND"
                            " value=? LIMIT ?)");
        sqlite_add_text(b, name);
        status = add_scalar(b, value);
        if (status == STATUS_OK)
            status = count_rows(connection, b, ret);
    }
    yyjson_doc_free(doc);
    return status;
}

/* --- the choice --- */

/* The rarest tag or property in *ret; *ret_count INT64_MAX: there is none. */
static enum status rarest_match(struct builder *b, struct connection *connection,
                                const struct record_query *query, struct start *ret,
                                int64_t *ret_count)
{
    *ret_count = INT64_MAX;
    for (uint32_t i = 0; i < query->matches_len; i++) {
        const struct match *match = &query->matches[i];
        bool tags = match->op == MATCH_HAS && match->field == RECORD_tags;
        uint32_t values = tags ? match->values_len : match->op == MATCH_JSON;
        for (uint32_t j = 0; j < values && *ret_count >= FEW; j++) {
            int64_t count = INT64_MAX;
            TRY(tags ? count_tag(b, connection, match->values[j], &count)
                     : count_property(b, connection, match, &count));
            if (count >= *ret_count)
                continue;
            *ret = (struct start){.at = START_MATCH, .match = i, .value = j};
            *ret_count = count;
        }
    }
    builder_clear(b);
    return STATUS_OK;
}

static bool is_one_kind(const struct record_query *query)
{
    for (uint32_t i = 0; i < query->matches_len; i++) {
        const struct match *match = &query->matches[i];
        bool equal = match->op == MATCH_EQ || match->op == MATCH_IN;
        if (match->field == RECORD_kind && equal && match->values_len == 1)
            return true;
    }
    return false;
}

static bool order_is_indexed(const struct record_query *query)
{
    return query->order == RECORD_id || query->order == RECORD_updated_us ||
           (query->order == RECORD_name && is_one_kind(query));
}

enum status choose_start(struct builder *b, struct connection *connection,
                         const struct record_query *query, bool page, struct start *ret_other)
{
    struct start match = {0}, words = {.at = START_WORDS};
    int64_t count = INT64_MAX;
    bool few_words = false;
    b->start = *ret_other = (struct start){.at = START_ORDER};
    if (query->domain != DOMAIN_ASSET)
        return STATUS_OK;
    TRY(rarest_match(b, connection, query, &match, &count));
    if (count >= FEW)
        TRY(words_expression(b, connection, query->text, &words.words, &few_words));
    if (count < FEW)
        b->start = match;
    else if (few_words)
        b->start = words;
    if (b->start.at != START_ORDER)
        return STATUS_OK;
    *ret_other = words.words.len ? words : count < INT64_MAX ? match : b->start;
    if (page && order_is_indexed(query))
        b->start.bounded = ret_other->at != START_ORDER;
    else
        b->start = *ret_other;
    return STATUS_OK;
}

/* property_index.c: the table that finds assets by a member of their properties or attributes, kept
 * by triggers so that SQL writers keep it right too.
 *
 * asset_properties(name, value, asset): a row for each scalar at the top of `properties` (name "p:"
 * and the member's) and for the few members of `attributes` that people search by (name "a:..."),
 * as long as texts are short. It only narrows a search: what it finds is compared exactly
 * (query.c), so that a member it lacks must never be looked up in it. */
#include "catalog/sqlite/sqlite_int.h"

#define TEXT_MAX 200

enum { FEW = 1000 };

/* What is filed of a column of `row`, which is new or old; j is json_each. */
#define FILED_properties                                                                           \
    "j.type IN ('text', 'integer', 'real', 'true', 'false')"                                       \
    " AND length(CAST(j.value AS BLOB)) <= 200"
#define FILED_attributes                                                                           \
    "j.key IN ('uuid', 'author', 'meta_type') AND j.type = 'text'"                                 \
    " AND length(CAST(j.value AS BLOB)) <= 200"

#define PUT(prefix, column)                                                                        \
    "INSERT OR IGNORE INTO asset_properties SELECT '" prefix "' || j.key, j.value, new.seq FROM"   \
    " json_each(new." #column ") AS j WHERE " FILED_##column ";"
/* By names and values, which finds each row by the primary key; of large objects by names alone. No
 * index over assets has to be kept for it. */
#define TAKE(prefix, column)                                                                       \
    "DELETE FROM asset_properties WHERE length(old." #column ") <= 2000 AND asset = old.seq AND"   \
    " name IN (SELECT '" prefix "' || key FROM json_each(old." #column ")) AND value IN"           \
    " (SELECT value FROM json_each(old." #column "));"                                             \
    " DELETE FROM asset_properties WHERE length(old." #column ") > 2000 AND asset = old.seq AND"   \
    " name IN (SELECT '" prefix "' || key FROM json_each(old." #column "));"

/* An object that is empty, as most are, costs nothing; JSON that is none has no rows. */
#define TRIGGERS(prefix, column)                                                                   \
    "CREATE TRIGGER assets_" #column "_insert AFTER INSERT ON assets WHEN new." #column            \
    " <> '{}' AND json_valid(new." #column ") BEGIN " PUT(                                         \
        prefix,                                                                                    \
        column) " END;"                                                                            \
                "CREATE TRIGGER assets_" #column                                                   \
                "_delete AFTER DELETE ON assets WHEN old." #column                                 \
                " <> '{}' AND json_valid(old." #column ") BEGIN " TAKE(                            \
                    prefix,                                                                        \
                    column) " END;"                                                                \
                            "CREATE TRIGGER assets_" #column "_out BEFORE UPDATE OF " #column      \
                            " ON assets WHEN old." #column " <> new." #column                      \
                            " AND json_valid(old." #column                                         \
                            ") BEGIN " TAKE(prefix, column) " END;"                                \
                                                            "CREATE TRIGGER assets_" #column       \
                                                            "_in AFTER UPDATE OF " #column         \
                                                            " ON assets WHEN old." #column         \
                                                            " <> new." #column                     \
                                                            " AND json_valid(new." #column         \
                                                            ") BEGIN " PUT(prefix, column) " END;"

const char sqlite_property_index[] =
    "CREATE TABLE asset_properties(name TEXT NOT NULL, value ANY NOT NULL, asset INTEGER NOT NULL,"
    " PRIMARY KEY(name, value, asset)) STRICT, WITHOUT ROWID;"

    TRIGGERS("p:", properties)

        TRIGGERS("a:", attributes)

            "INSERT OR IGNORE INTO asset_properties SELECT 'p:' || j.key, j.value, a.seq FROM "
            "assets AS a,"
            " json_each(iif(json_valid(a.properties), a.properties, '{}')) AS j WHERE j.type IN "
            "('text',"
            " 'integer', 'real', 'true', 'false') AND length(CAST(j.value AS BLOB)) <= 200;"

            "INSERT OR IGNORE INTO asset_properties SELECT 'a:' || j.key, j.value, a.seq FROM "
            "assets AS a,"
            " json_each(iif(json_valid(a.attributes), a.attributes, '{}')) AS j WHERE j.key IN "
            "('uuid',"
            " 'author', 'meta_type') AND j.type = 'text' AND length(CAST(j.value AS BLOB)) <= 200;";

struct str sqlite_property_name(const struct match *match, struct arena *arena)
{
    return str_of(arena_printf(arena, "%c:%.*s", match->field == RECORD_properties ? 'p' : 'a',
                               STR_ARG(match->path)));
}

bool sqlite_property_indexed(const struct match *match, yyjson_val *value)
{
    static const char *const attributes[] = {"uuid", "author", "meta_type"};
    if (yyjson_is_str(value) && yyjson_get_len(value) > TEXT_MAX)
        return false;
    if (match->field == RECORD_properties)
        return true;
    for (size_t i = 0; i < sizeof attributes / sizeof *attributes; i++)
        if (match->field == RECORD_attributes && str_is(match->path, attributes[i]))
            return yyjson_is_str(value);
    return false;
}

/* --- few or many --- */

static void bind_scalar(sqlite3_stmt *stmt, int at, yyjson_val *value)
{
    if (yyjson_is_str(value))
        bind_text(stmt, at, json_str_of(value));
    else if (yyjson_is_bool(value))
        sqlite3_bind_int64(stmt, at, yyjson_get_bool(value));
    else if (yyjson_is_int(value))
        sqlite3_bind_int64(stmt, at, yyjson_get_sint(value));
    else
        sqlite3_bind_double(stmt, at, yyjson_get_num(value));
}

static enum status run_probe(struct connection *connection, sqlite3_stmt *stmt, bool *ret,
                             struct error *err)
{
    sqlite3_bind_int64(stmt, 3, FEW);
    enum status status = STATUS_OK;
    if (sqlite3_step(stmt) == SQLITE_ROW)
        *ret = sqlite3_column_int(stmt, 0) < FEW;
    else
        status = connection_failed(connection, err);
    statement_done(stmt);
    return status;
}

static enum status probe_property(struct connection *connection, const struct match *match,
                                  bool *ret, struct error *err)
{
    struct arena arena;
    sqlite3_stmt *stmt = NULL;
    yyjson_doc *doc = yyjson_read(match->json.data, match->json.len, 0);
    yyjson_val *value = yyjson_doc_get_root(doc);
    enum status status = STATUS_OK;
    arena_init(&arena, 0);
    struct str name = sqlite_property_name(match, &arena);
    if (!name.data)
        status = error_no_memory(err);
    else if (sqlite_property_indexed(match, value))
        status = connection_prepare(connection,
                                    STR("SELECT count(*) FROM (SELECT 1 FROM asset_properties WHERE"
                                        " name=?1 AND value=?2 LIMIT ?3)"),
                                    &stmt, err);
    if (stmt) {
        bind_text(stmt, 1, name);
        bind_scalar(stmt, 2, value);
        status = run_probe(connection, stmt, ret, err);
    }
    arena_release(&arena);
    yyjson_doc_free(doc);
    return status;
}

static enum status probe_tag(struct connection *connection, struct str tag, bool *ret,
                             struct error *err)
{
    sqlite3_stmt *stmt = NULL;
    TRY(connection_prepare(
        connection, STR("SELECT count(*) FROM (SELECT 1 FROM asset_tags WHERE tag=?1 LIMIT ?3)"),
        &stmt, err));
    bind_text(stmt, 1, tag);
    return run_probe(connection, stmt, ret, err);
}

enum status sqlite_few_assets(struct connection *connection, const struct record_query *query,
                              bool *ret, struct error *err)
{
    *ret = false;
    for (uint32_t i = 0; query->domain == DOMAIN_ASSET && i < query->matches_len && !*ret; i++) {
        const struct match *match = &query->matches[i];
        if (match->op == MATCH_JSON)
            TRY(probe_property(connection, match, ret, err));
        else if (match->op == MATCH_HAS && match->field == RECORD_tags && match->values_len)
            TRY(probe_tag(connection, match->values[0], ret, err));
    }
    return STATUS_OK;
}

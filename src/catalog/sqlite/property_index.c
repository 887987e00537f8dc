/* property_index.c: the table that finds assets by a member of their properties or attributes, kept
 * by triggers so that SQL writers keep it right too.
 *
 * asset_properties(name, value, asset): a row for each scalar at the top of `properties` (name "p:"
 * and the member's) and for the few members of `attributes` that people search by (name "a:..."),
 * as long as texts are short. It only narrows a search: what it finds is compared exactly
 * (filter.c), so that a member it lacks must never be looked up in it. */
#include "catalog/sqlite/sqlite_int.h"

#define TEXT_MAX 200

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

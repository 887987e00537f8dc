/* event.c: what happened: audit, queries, performance, ingestion. Events are only ever added. */
#include "catalog/catalog_int.h"

enum status event_append(struct catalog *catalog, const struct caller *caller,
                         struct record *events, uint32_t len, struct arena *arena,
                         struct error *err)
{
    struct change *changes = arena_array(arena, len, sizeof *changes);
    if (!changes)
        return error_no_memory(err);
    for (uint32_t i = 0; i < len; i++) {
        events[i].domain = DOMAIN_EVENT;
        if (!events[i].subject.len)
            events[i].subject = caller->principal;
        if (!events[i].location.len)
            events[i].location = caller->address;
        TRY(catalog_record_begin(catalog, caller, &events[i], arena, err));
        changes[i] = (struct change){.kind = CHANGE_INSERT, .record = &events[i]};
    }
    return backend_commit(catalog->backend, changes, len, NULL, err);
}

enum status asset_history(struct catalog *catalog, const struct caller *caller, struct str id,
                          struct str kind, uint32_t limit, struct str cursor, struct arena *arena,
                          struct record_page *ret, struct error *err)
{
    struct record asset;
    struct match matches[] = {
        {.field = RECORD_object, .op = MATCH_EQ, .values = &id, .values_len = 1},
        {.field = RECORD_kind, .op = MATCH_EQ, .values = &kind, .values_len = 1}};
    struct record_query query = {.domain = DOMAIN_EVENT,
                                 .tenant = caller->tenant,
                                 .matches = matches,
                                 .matches_len = kind.len ? 2 : 1,
                                 .order = RECORD_id,
                                 .descending = true,
                                 .cursor = cursor,
                                 .limit = limit};
    TRY(asset_open(catalog, caller, id, RIGHT_READ, "asset.history", arena, &asset, err));
    return backend_query(catalog->backend, &query, arena, ret, err);
}

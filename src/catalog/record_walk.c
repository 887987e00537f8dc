#include "catalog/record_walk.h"

void record_walk_init(struct record_walk *walk, struct backend *backend, enum domain domain)
{
    *walk = (struct record_walk){.backend = backend, .domain = domain};
    arena_init(&walk->arena, 0);
}

void record_walk_release(struct record_walk *walk)
{
    arena_release(&walk->arena);
}

enum status record_walk_fill(struct record_walk *walk, struct error *err)
{
    if (walk->ended || walk->at < walk->page.len)
        return STATUS_OK;
    arena_release(&walk->arena);
    walk->at = 0;
    TRY(backend_scan(walk->backend, walk->domain, str_of(walk->after), RECORD_WALK_PAGE,
                     &walk->arena, &walk->page, err));
    walk->ended = walk->page.len == 0;
    return STATUS_OK;
}

const struct record *record_walk_record(const struct record_walk *walk)
{
    return walk->at < walk->page.len ? &walk->page.records[walk->at] : NULL;
}

void record_walk_next(struct record_walk *walk)
{
    struct str id = walk->page.records[walk->at++].id;
    size_t len = id.len < RECORD_WALK_ID_MAX ? id.len : RECORD_WALK_ID_MAX;
    memcpy(walk->after, id.data, len);
    walk->after[len] = '\0';
}

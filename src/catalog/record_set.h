/* record_set.h: records of all domains in memory, by id and by key: what back ends without an
 * engine of their own keep (file), and what applies a commit's rules the same way everywhere.
 *
 * Not thread-safe. Owns copies of its records, each one block of memory. */
#ifndef QUARRY_CATALOG_RECORD_SET_H
#define QUARRY_CATALOG_RECORD_SET_H

#include "catalog/backend.h"

struct record_table {
    struct record **items; /* sorted by id */
    uint32_t len, cap;
    struct record **keys; /* live ones with a key: open addressing by tenant and key */
    uint32_t keys_len, keys_cap;
};

struct record_set {
    struct record_table tables[DOMAIN_COUNT];
};

void record_set_init(struct record_set *set);
void record_set_release(struct record_set *set);

/* One block with all its texts, for free(). NULL when memory is out. */
struct record *record_clone(const struct record *from);

/* NULL when there is none. Borrowed until the next change. */
const struct record *record_set_get(const struct record_set *set, enum domain domain,
                                    struct str id);
const struct record *record_set_find(const struct record_set *set, enum domain domain,
                                     struct str tenant, struct str key);
/* Inserts, or replaces the one with its id; takes `record` (of record_clone), also on failure. */
enum status record_set_put(struct record_set *set, struct record *record, struct error *err);
void record_set_remove(struct record_set *set, enum domain domain, struct str id);

/* What a commit makes of the set, without changing it: what each change leaves, each seeing those
 * before. Refusals as backend_commit. */
struct planned {
    enum domain domain;
    struct str id;        /* the change's own text */
    struct record *after; /* of record_clone; NULL: the record goes */
};
struct commit_plan {
    struct planned *items;
    uint32_t len;
};
/* Release the plan also after a failure. */
enum status commit_plan_make(const struct record_set *set, const struct change *changes,
                             uint32_t len, struct commit_plan *plan, struct commit_result *ret,
                             struct error *err);
/* Makes it so; the plan is empty then. Fails only for memory, then the set may lack a part. */
enum status commit_plan_apply(struct record_set *set, struct commit_plan *plan, struct error *err);
void commit_plan_release(struct commit_plan *plan);

/* query, group and scan over the set, by the reference evaluator. */
enum status record_set_query(const struct record_set *set, const struct record_query *query,
                             struct arena *arena, struct record_page *ret, struct error *err);
enum status record_set_group(const struct record_set *set, const struct group_query *query,
                             struct arena *arena, struct group_answer *ret, struct error *err);
enum status record_set_scan(const struct record_set *set, enum domain domain, struct str after,
                            uint32_t limit, struct arena *arena, struct record_page *ret,
                            struct error *err);

#endif

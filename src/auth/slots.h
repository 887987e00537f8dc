/* slots.h: a table of fixed size that remembers something about names, for limits that must not
 * themselves need memory without limit.
 *
 * Set-associative: a name may stand in SLOTS_WAYS places; when all are taken the one whose owner
 * says it matters least makes room. Names are kept as 64-bit hashes with a random seed, so that
 * nobody can choose whom to push out. Not thread-safe: the owner locks. */
#ifndef QUARRY_AUTH_SLOTS_H
#define QUARRY_AUTH_SLOTS_H

#include "sys/sys.h"

enum { SLOTS_WAYS = 8 };

struct slot {
    uint64_t hash; /* 0: free */
    double level;  /* the owner's: what counts */
    int64_t time_us;
};

struct slots {
    struct slot *slots;
    uint32_t sets; /* power of two */
    uint64_t seed;
};

/* Room for at least `names`. */
enum status slots_init(struct slots *table, struct sys *sys, uint32_t names, struct error *err);
void slots_release(struct slots *table);
/* The name's slot; a new one has level 0 and time 0. When its set is full, the slot with the lowest
 * `weigh` makes room. */
struct slot *slots_get(struct slots *table, struct str name,
                       double (*weigh)(const struct slot *slot, int64_t now_us), int64_t now_us);

#endif

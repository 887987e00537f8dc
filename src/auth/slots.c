#include "auth/slots.h"

#include <stdlib.h>
#include <xxhash.h>

enum status slots_init(struct slots *table, struct sys *sys, uint32_t names, struct error *err)
{
    uint32_t sets = 1;
    while (sets * SLOTS_WAYS < names)
        sets *= 2;
    *table = (struct slots){.slots = calloc((size_t)sets * SLOTS_WAYS, sizeof *table->slots),
                            .sets = sets};
    if (!table->slots)
        return error_no_memory(err);
    sys_random(sys, &table->seed, sizeof table->seed);
    return STATUS_OK;
}

void slots_release(struct slots *table)
{
    free(table->slots);
    *table = (struct slots){0};
}

struct slot *slots_get(struct slots *table, struct str name,
                       double (*weigh)(const struct slot *slot, int64_t now_us), int64_t now_us)
{
    uint64_t hash = XXH3_64bits_withSeed(name.data, name.len, table->seed) | 1;
    struct slot *set = table->slots + (hash >> 32 & (table->sets - 1)) * SLOTS_WAYS;
    struct slot *victim = set;
    for (int i = 0; i < SLOTS_WAYS; i++) {
        if (set[i].hash == hash)
            return &set[i];
        if (victim->hash && (!set[i].hash || weigh(&set[i], now_us) < weigh(victim, now_us)))
            victim = &set[i];
    }
    *victim = (struct slot){.hash = hash};
    return victim;
}

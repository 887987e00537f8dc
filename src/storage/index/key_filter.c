/* key_filter.c: the slots of a bit-sliced Bloom filter (see key_filter.h). */
#include "storage/index/key_filter.h"

#include <stdatomic.h>
#include <stdlib.h>

uint32_t key_filter_class(uint32_t keys)
{
    uint32_t size_class = KEY_FILTER_CLASS_MIN;
    while (size_class < 32 && keys >> 1 >> size_class)
        size_class++;
    return size_class;
}

static uint32_t slots_of(uint32_t size_class)
{
    return (uint32_t)KEY_FILTER_SLOTS_A_KEY << (size_class + 1);
}

uint64_t key_filter_bytes(uint32_t size_class, uint32_t members)
{
    return sizeof(struct key_filter) + (uint64_t)slots_of(size_class) * (members / 8);
}

static struct key_filter *make(uint32_t size_class, uint32_t members)
{
    struct key_filter *filter = calloc(1, sizeof *filter);
    if (!filter)
        return NULL;
    atomic_init(&filter->refs, 1);
    filter->size_class = size_class;
    filter->members = members;
    filter->slots = slots_of(size_class);
    filter->words = calloc(filter->slots, members / 8);
    if (filter->words)
        return filter;
    free(filter);
    return NULL;
}

struct key_filter *key_filter_new(uint32_t size_class)
{
    return make(size_class, KEY_FILTER_FEW);
}

struct key_filter *key_filter_ref(struct key_filter *filter)
{
    atomic_fetch_add_explicit(&filter->refs, 1, memory_order_relaxed);
    return filter;
}

void key_filter_unref(struct key_filter *filter)
{
    if (!filter || atomic_fetch_sub_explicit(&filter->refs, 1, memory_order_acq_rel) != 1)
        return;
    free(filter->words);
    free(filter);
}

/* Double hashing over a mixed tag (Kirsch and Mitzenmacher 2006). */
struct probes {
    uint32_t at, step;
};

static struct probes probes_of(uint32_t tag)
{
    uint64_t mixed = tag * UINT64_C(0x9E3779B97F4A7C15);
    mixed = (mixed ^ mixed >> 32) * UINT64_C(0xD6E8FEB86659FD93);
    return (struct probes){(uint32_t)(mixed >> 32), (uint32_t)mixed | 1};
}

static uint32_t next_slot(const struct key_filter *filter, struct probes *probes)
{
    uint32_t slot = (uint32_t)((uint64_t)probes->at * filter->slots >> 32);
    probes->at += probes->step;
    return slot;
}

void key_filter_add(struct key_filter *filter, uint32_t member, uint32_t tag)
{
    struct probes probes = probes_of(tag);
    uint16_t *words = filter->words;
    for (uint32_t i = 0; i < KEY_FILTER_PROBES; i++)
        words[next_slot(filter, &probes)] |= (uint16_t)(1u << member);
}

struct key_filter *key_filter_join(struct key_filter *const from[4])
{
    struct key_filter *filter = make(from[0]->size_class, KEY_FILTER_MANY);
    if (!filter)
        return NULL;
    uint64_t *words = filter->words;
    for (uint32_t i = 0; i < 4; i++) {
        const uint16_t *part = from[i]->words;
        for (uint32_t k = 0; k < KEY_FILTER_FEW; k++)
            filter->ids[i * KEY_FILTER_FEW + k] = from[i]->ids[k];
        for (uint32_t slot = 0; slot < filter->slots; slot++)
            words[slot] |= (uint64_t)part[slot] << (i * KEY_FILTER_FEW);
    }
    return filter;
}

void key_filter_prefetch(const struct key_filter *filter, uint32_t tag)
{
    struct probes probes = probes_of(tag);
    for (uint32_t i = 0; i < KEY_FILTER_PROBES; i++)
        __builtin_prefetch((const char *)filter->words +
                           (size_t)next_slot(filter, &probes) * (filter->members / 8));
}

uint64_t key_filter_find(const struct key_filter *filter, uint32_t tag)
{
    struct probes probes = probes_of(tag);
    uint64_t found = UINT64_MAX;
    for (uint32_t i = 0; i < KEY_FILTER_PROBES; i++) {
        uint32_t slot = next_slot(filter, &probes);
        found &= filter->members == KEY_FILTER_FEW ? ((const uint16_t *)filter->words)[slot]
                                                   : ((const uint64_t *)filter->words)[slot];
    }
    return found;
}

/* set.c: open addressing, linear probing, at most half full. */
#include "query/filter/set_int.h"

static uint32_t slots_for(uint32_t cap)
{
    uint32_t slots = 8;
    while (slots < cap * 2)
        slots *= 2;
    return slots;
}

bool set64_init(struct set64 *set, uint32_t cap, struct arena *arena)
{
    uint32_t slots = slots_for(cap);
    *set = (struct set64){.mask = slots - 1};
    set->slots = arena_array(arena, slots, sizeof *set->slots);
    return set->slots != NULL;
}

void set64_add(struct set64 *set, uint64_t value)
{
    if (set64_has(set, value))
        return;
    set->len++;
    if (value == 0) {
        set->has_zero = true;
        return;
    }
    uint64_t at = set64_mix(value) & set->mask;
    while (set->slots[at])
        at = (at + 1) & set->mask;
    set->slots[at] = value;
}

bool literal_set_init(struct literal_set *set, const struct literal *literals, uint32_t len,
                      struct arena *arena)
{
    uint32_t slots = slots_for(len);
    *set = (struct literal_set){.literals = literals, .mask = slots - 1};
    set->slots = arena_array(arena, slots, sizeof *set->slots);
    set->hashes = arena_array(arena, len, sizeof *set->hashes);
    if (!set->slots || !set->hashes)
        return false;
    for (uint32_t i = 0; i < len; i++) {
        if (literals[i].kind == LITERAL_NULL || literal_set_has(set, &literals[i]))
            continue;
        set->hashes[i] = literal_hash(&literals[i]);
        uint64_t at = set->hashes[i] & set->mask;
        while (set->slots[at])
            at = (at + 1) & set->mask;
        set->slots[at] = i + 1;
    }
    return true;
}

bool literal_set_has(const struct literal_set *set, const struct literal *literal)
{
    uint64_t hash = literal_hash(literal);
    for (uint64_t at = hash & set->mask; set->slots[at]; at = (at + 1) & set->mask) {
        uint32_t i = set->slots[at] - 1;
        if (set->hashes[i] == hash && literal_equal(&set->literals[i], literal))
            return true;
    }
    return false;
}

bool literal_set_has_text(const struct literal_set *set, struct str text)
{
    struct literal literal = {.kind = LITERAL_STR, .text = text};
    return literal_set_has(set, &literal);
}

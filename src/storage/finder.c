/* finder.c: making, refreshing and asking finders (see finder.h). */
#include "storage/finder.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "storage/index/hash_index.h"
#include "storage/index/key_filter.h"

#define NOWHERE UINT32_MAX

enum { FINDER_SMALL_BYTES = 1 << 20, FINDER_KEY_BYTES = 4 };

/* Where a segment stands: for views of another snapshot than the finder's. */
struct place {
    uint64_t id;
    uint32_t filter, member;
};

struct finder {
    _Atomic uint32_t refs;
    uint64_t snapshot_id;
    struct key_filter **filters;
    uint32_t filters_len, filters_cap;
    uint32_t (*positions)[KEY_FILTER_MANY]; /* of members among the snapshot's segments */
    uint64_t *alive;                        /* members that are in the snapshot, a word a filter */
    struct place *places;                   /* ascending by id */
    uint32_t places_len;
    uint64_t *uncovered; /* a bit for each segment of the snapshot */
    uint32_t segments_len;
};

static void finder_unref(struct finder *finder)
{
    if (!finder || atomic_fetch_sub_explicit(&finder->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (uint32_t i = 0; i < finder->filters_len; i++)
        key_filter_unref(finder->filters[i]);
    free(finder->filters);
    free(finder->positions);
    free(finder->alive);
    free(finder->places);
    free(finder->uncovered);
    free(finder);
}

static uint64_t bytes_of(const struct finder *finder)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; finder && i < finder->filters_len; i++)
        bytes += key_filter_bytes(finder->filters[i]->size_class, finder->filters[i]->members);
    return bytes;
}

static uint32_t words_for(uint32_t bits)
{
    return bits / 64 + 1;
}

/* --- making --- */

/* The work on one index. */
struct making {
    struct snapshot *snapshot;
    const struct index_def *def;
    uint64_t bytes, bytes_max;
    struct finder *finder;
    bool *covered;  /* of each segment */
    uint8_t *class; /* of each segment; 0: no filter can be made */
};

static uint32_t position_of(const struct snapshot *snapshot, uint64_t id)
{
    uint32_t low = 0, high = snapshot->segments_len;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        uint64_t other = segment_meta(snapshot->segments[middle])->id;
        if (other == id)
            return middle;
        if (other < id)
            low = middle + 1;
        else
            high = middle;
    }
    return NOWHERE;
}

/* Takes the filter over. */
static bool push(struct finder *finder, struct key_filter *filter)
{
    if (finder->filters_len == finder->filters_cap) {
        uint32_t cap = finder->filters_cap ? finder->filters_cap * 2 : 16;
        struct key_filter **grown = realloc(finder->filters, cap * sizeof(*grown));
        if (!grown) {
            key_filter_unref(filter);
            return false;
        }
        finder->filters = grown;
        finder->filters_cap = cap;
    }
    finder->filters[finder->filters_len++] = filter;
    return true;
}

static uint32_t count_alive(const struct making *making, const struct key_filter *filter)
{
    uint32_t alive = 0;
    for (uint32_t m = 0; m < filter->members; m++)
        alive += position_of(making->snapshot, filter->ids[m]) != NOWHERE;
    return alive;
}

/* Filters of which at least half is still needed. */
static bool keep_old(struct making *making, const struct finder *old)
{
    for (uint32_t i = 0; old && i < old->filters_len; i++) {
        struct key_filter *filter = old->filters[i];
        if (count_alive(making, filter) < filter->members / 2)
            continue;
        if (!push(making->finder, key_filter_ref(filter)))
            return false;
        making->bytes += key_filter_bytes(filter->size_class, filter->members);
        for (uint32_t m = 0; m < filter->members; m++) {
            uint32_t at = position_of(making->snapshot, filter->ids[m]);
            if (at != NOWHERE)
                making->covered[at] = true;
        }
    }
    return true;
}

static void classify(struct making *making)
{
    for (uint32_t i = 0; i < making->snapshot->segments_len; i++) {
        struct segment *segment = making->snapshot->segments[i];
        uint64_t rows = segment_meta(segment)->rows;
        if (making->covered[i] || rows >> (KEY_FILTER_CLASS_MAX + 1) ||
            segment_index_look(segment, making->def) != SEGMENT_INDEX_READY)
            continue;
        making->class[i] = (uint8_t)key_filter_class((uint32_t)rows);
    }
}

struct filling {
    struct key_filter *filter;
    uint32_t member;
    const struct hash_index *index;
};

static enum status add_key(void *context, uint64_t key, const uint64_t *rows, uint32_t len,
                           struct error *err)
{
    struct filling *f = context;
    (void)rows;
    (void)len;
    (void)err;
    key_filter_add(f->filter, f->member, hash_index_key_tag(f->index, key));
    return STATUS_OK;
}

/* Fills one filter from sidecars; false when one of them is not good: it is then left out. */
static bool fill(struct making *making, struct key_filter *filter, const uint32_t *members)
{
    for (uint32_t m = 0; m < filter->members; m++) {
        struct segment *segment = making->snapshot->segments[members[m]];
        struct filling filling = {filter, m, segment_hash_index(segment, making->def->id)};
        if (!filling.index ||
            hash_index_visit(filling.index, add_key, &filling, NULL) != STATUS_OK) {
            making->class[members[m]] = 0;
            return false;
        }
        filter->ids[m] = segment_meta(segment)->id;
    }
    return true;
}

/* The next KEY_FILTER_FEW segments of a class, or left over of lower ones; false when there are not
 * so many, or too small ones for a filter of this class. */
static bool pick(const struct making *making, uint32_t size_class, uint32_t ret[KEY_FILTER_FEW])
{
    uint64_t keys = 0, bytes = key_filter_bytes(size_class, KEY_FILTER_FEW);
    uint32_t n = 0;
    for (uint32_t i = 0; i < making->snapshot->segments_len && n < KEY_FILTER_FEW; i++) {
        if (making->class[i] == 0 || making->class[i] > size_class || making->covered[i])
            continue;
        keys += segment_meta(making->snapshot->segments[i])->rows;
        ret[n++] = i;
    }
    return n == KEY_FILTER_FEW && (bytes <= FINDER_SMALL_BYTES || bytes <= keys * FINDER_KEY_BYTES);
}

static bool add_class(struct making *making, uint32_t size_class)
{
    uint32_t members[KEY_FILTER_FEW];
    uint64_t bytes = key_filter_bytes(size_class, KEY_FILTER_FEW);
    while (making->bytes + bytes <= making->bytes_max && pick(making, size_class, members)) {
        struct key_filter *filter = key_filter_new(size_class);
        if (!filter)
            return false;
        if (!fill(making, filter, members)) {
            key_filter_unref(filter);
            continue;
        }
        if (!push(making->finder, filter))
            return false;
        making->bytes += bytes;
        for (uint32_t m = 0; m < KEY_FILTER_FEW; m++)
            making->covered[members[m]] = true;
    }
    return true;
}

/* Four small filters of one class become one. */
static bool join_class(struct making *making, uint32_t size_class)
{
    struct finder *finder = making->finder;
    for (;;) {
        uint32_t at[4], n = 0;
        for (uint32_t i = 0; i < finder->filters_len && n < 4; i++)
            if (finder->filters[i]->size_class == size_class &&
                finder->filters[i]->members == KEY_FILTER_FEW)
                at[n++] = i;
        if (n < 4)
            return true;
        struct key_filter *const from[4] = {finder->filters[at[0]], finder->filters[at[1]],
                                            finder->filters[at[2]], finder->filters[at[3]]};
        struct key_filter *joined = key_filter_join(from);
        if (!joined)
            return false;
        for (uint32_t i = 4; i-- > 0;) {
            key_filter_unref(from[i]);
            finder->filters[at[i]] = finder->filters[--finder->filters_len];
        }
        finder->filters[finder->filters_len++] = joined;
    }
}

static int by_id(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    return x->id < y->id ? -1 : x->id > y->id;
}

/* Positions, places and what is not covered. */
static bool index_members(struct making *making)
{
    struct finder *finder = making->finder;
    uint32_t n = finder->filters_len;
    finder->segments_len = making->snapshot->segments_len;
    finder->positions = malloc((n + 1) * sizeof *finder->positions);
    finder->alive = calloc(n + 1, sizeof *finder->alive);
    finder->places = malloc(((size_t)n * KEY_FILTER_MANY + 1) * sizeof *finder->places);
    finder->uncovered = calloc(words_for(finder->segments_len), sizeof *finder->uncovered);
    if (!finder->positions || !finder->alive || !finder->places || !finder->uncovered)
        return false;
    for (uint32_t i = 0; i < n; i++) {
        for (uint32_t m = 0; m < finder->filters[i]->members; m++) {
            uint64_t id = finder->filters[i]->ids[m];
            uint32_t position = position_of(making->snapshot, id);
            finder->positions[i][m] = position;
            if (position != NOWHERE)
                finder->alive[i] |= UINT64_C(1) << m;
            finder->places[finder->places_len++] = (struct place){id, i, m};
        }
    }
    qsort(finder->places, finder->places_len, sizeof *finder->places, by_id);
    for (uint32_t i = 0; i < finder->segments_len; i++)
        if (!making->covered[i])
            finder->uncovered[i / 64] |= UINT64_C(1) << (i % 64);
    return true;
}

static bool make_filters(struct making *making, const struct finder *old)
{
    if (!keep_old(making, old))
        return false;
    classify(making);
    for (uint32_t c = KEY_FILTER_CLASS_MIN; c <= KEY_FILTER_CLASS_MAX; c++)
        if (!add_class(making, c) || !join_class(making, c))
            return false;
    return index_members(making);
}

/* NULL when memory is out. */
static struct finder *make(struct snapshot *snapshot, const struct index_def *def,
                           const struct finder *old, uint64_t bytes_max)
{
    struct making making = {.snapshot = snapshot, .def = def, .bytes_max = bytes_max};
    making.finder = calloc(1, sizeof *making.finder);
    making.covered = calloc(snapshot->segments_len + 1u, sizeof *making.covered);
    making.class = calloc(snapshot->segments_len + 1u, sizeof *making.class);
    bool made = making.finder && making.covered && making.class;
    if (made) {
        atomic_init(&making.finder->refs, 1);
        making.finder->snapshot_id = snapshot->id;
        made = make_filters(&making, old);
    }
    free(making.covered);
    free(making.class);
    if (made)
        return making.finder;
    finder_unref(making.finder);
    return NULL;
}

/* --- the list --- */

void finder_list_init(struct finder_list *list, _Atomic uint64_t *bytes)
{
    *list = (struct finder_list){.bytes = bytes};
    pthread_mutex_init(&list->lock, NULL);
}

void finder_list_release(struct finder_list *list)
{
    struct finder_slot *next;
    for (struct finder_slot *slot = list->slots; slot; slot = next) {
        next = slot->next;
        atomic_fetch_sub(list->bytes, bytes_of(slot->finder));
        finder_unref(slot->finder);
        free(slot);
    }
    pthread_mutex_destroy(&list->lock);
}

/* A slot stays until the list goes; its finder changes under the lock, by one thread. */
static void put(struct finder_list *list, struct finder_slot *slot, struct finder *new)
{
    struct finder *old = slot->finder;
    atomic_fetch_add(list->bytes, bytes_of(new));
    pthread_mutex_lock(&list->lock);
    slot->finder = new;
    pthread_mutex_unlock(&list->lock);
    atomic_fetch_sub(list->bytes, bytes_of(old));
    finder_unref(old);
}

static void refresh(struct finder_list *list, struct finder_slot *slot, struct snapshot *snapshot,
                    const struct index_def *def)
{
    const struct finder *old = slot->finder;
    if (old && old->snapshot_id == snapshot->id)
        return;
    uint64_t used = atomic_load(list->bytes), own = bytes_of(old);
    uint64_t others = used > own ? used - own : 0;
    struct finder *new =
        make(snapshot, def, old, others < FINDER_BYTES_MAX ? FINDER_BYTES_MAX - others : 0);
    if (new) /* else the next round tries again */
        put(list, slot, new);
}

void finder_list_refresh(struct finder_list *list, struct snapshot *snapshot,
                         const struct index_def *defs, uint32_t len)
{
    pthread_mutex_lock(&list->lock);
    struct finder_slot *slots = list->slots;
    pthread_mutex_unlock(&list->lock);
    for (struct finder_slot *slot = slots; slot; slot = slot->next) {
        uint32_t i = 0;
        while (i < len && defs[i].id != slot->index_id)
            i++;
        if (i < len)
            refresh(list, slot, snapshot, &defs[i]);
        else
            put(list, slot, NULL);
    }
}

/* A reference, or NULL; then it is wanted from now on. */
static struct finder *get(struct finder_list *list, int32_t index_id)
{
    struct finder *finder = NULL;
    pthread_mutex_lock(&list->lock);
    struct finder_slot *slot = list->slots;
    while (slot && slot->index_id != index_id)
        slot = slot->next;
    if (slot && slot->finder) {
        finder = slot->finder;
        atomic_fetch_add_explicit(&finder->refs, 1, memory_order_relaxed);
    } else if (!slot && (slot = calloc(1, sizeof *slot)) != NULL) {
        slot->index_id = index_id;
        slot->next = list->slots;
        list->slots = slot;
    }
    pthread_mutex_unlock(&list->lock);
    return finder;
}

/* --- asking --- */

/* Members of each filter that may have one of the values. */
static void ask(const struct finder *finder, const uint64_t *hashes, uint32_t len, uint64_t *masks)
{
    memset(masks, 0, finder->filters_len * sizeof *masks);
    for (uint32_t v = 0; v < len; v++) {
        uint32_t tag = hash_index_tag(hashes[v]);
        for (uint32_t i = 0; i < finder->filters_len; i++)
            key_filter_prefetch(finder->filters[i], tag);
        for (uint32_t i = 0; i < finder->filters_len; i++)
            masks[i] |= key_filter_find(finder->filters[i], tag);
    }
}

/* The finder is about this very list of segments. */
static void spread(const struct finder *finder, const uint64_t *masks, uint64_t *found)
{
    memcpy(found, finder->uncovered, words_for(finder->segments_len) * sizeof *found);
    for (uint32_t i = 0; i < finder->filters_len; i++) {
        for (uint64_t left = masks[i] & finder->alive[i]; left; left &= left - 1) {
            uint32_t position = finder->positions[i][__builtin_ctzll(left)];
            found[position / 64] |= UINT64_C(1) << (position % 64);
        }
    }
}

/* It is about another state of the source: segments are matched by their ids. */
static void match(const struct finder *finder, const uint64_t *masks,
                  struct segment *const *segments, uint32_t len, uint64_t *found)
{
    uint32_t at = 0;
    memset(found, 0, words_for(len) * sizeof *found);
    for (uint32_t i = 0; i < len; i++) {
        uint64_t id = segment_meta(segments[i])->id;
        while (at < finder->places_len && finder->places[at].id < id)
            at++;
        const struct place *place = &finder->places[at];
        bool covered = at < finder->places_len && place->id == id;
        if (!covered || masks[place->filter] >> place->member & 1)
            found[i / 64] |= UINT64_C(1) << (i % 64);
    }
}

bool finder_narrow(struct finder_list *list, int32_t index_id, uint64_t snapshot_id,
                   struct segment *const *segments, uint32_t segments_len, const uint64_t *hashes,
                   uint32_t hashes_len, uint64_t *candidates, bool *ret_stale)
{
    struct finder *finder = get(list, index_id);
    *ret_stale = !finder || finder->snapshot_id < snapshot_id;
    if (!finder)
        return false;
    uint32_t words = words_for(segments_len);
    uint64_t *found =
        finder->filters_len ? malloc((finder->filters_len + (size_t)words) * sizeof *found) : NULL;
    if (found) {
        uint64_t *masks = found + words;
        ask(finder, hashes, hashes_len, masks);
        if (finder->snapshot_id == snapshot_id && finder->segments_len == segments_len)
            spread(finder, masks, found);
        else
            match(finder, masks, segments, segments_len, found);
        for (uint32_t i = 0; i < words; i++)
            candidates[i] &= found[i];
    }
    bool known = found != NULL;
    free(found);
    finder_unref(finder);
    return known;
}

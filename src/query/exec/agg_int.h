/* agg_int.h: the states of groups.
 *
 * Groups are numbered by a key table; without keys there is group 0 from the start. Each
 * aggregation keeps one array per number that it needs, indexed by group (struct of arrays), grown
 * together. Distinct values are one key table per aggregation over (group, value); percentile keeps
 * pairs (group, value). */
#ifndef QUARRY_QUERY_AGG_INT_H
#define QUARRY_QUERY_AGG_INT_H

#include "query/exec/exec.h"
#include "query/exec/key_table_int.h"
#include "query/exec/scan_int.h"

/* The least or greatest value of a group; bytes live in the aggregate's arena, in a room that is
 * used again when the next one fits. */
struct best {
    struct value value;
    char *room;
    uint32_t room_len;
};

struct agg_state {
    struct aggregate_spec spec;
    bool reals;       /* sums: a DOUBLE column took part */
    uint64_t *counts; /* values seen */
    __int128 *ints;   /* sum of integers */
    double *sums;     /* sum of doubles, and what rounding took from it (Neumaier 1974) */
    double *lost;
    double *means; /* stddev */
    double *m2s;
    struct best *bests;
    struct key_table distinct;
    uint32_t *value_groups; /* percentile */
    double *values;
    uint32_t values_len, values_cap;
    /* Keyless over a dictionary: entries that were met already. */
    const struct column *seen_dictionary;
    uint64_t seen_serial; /* and the row group, as addresses are used again */
    uint8_t *seen;
    uint32_t seen_cap;
};

_Static_assert((int)KEY_BATCH_MAX >= (int)SCAN_SLICE_ROWS, "a slice fits into a batch of keys");

struct aggregate {
    struct arena arena; /* names, byte values */
    struct agg_state *states;
    uint32_t states_len;
    const struct computed *computed; /* columns beside the view's; borrowed */
    uint32_t computed_len;
    struct str *keys;
    uint32_t keys_len;
    bool *key_ints, *key_reals; /* types met, for writing integral doubles as doubles */
    struct key_table groups;
    uint32_t groups_cap; /* room in the states' arrays */
    uint64_t values_held;
    struct buf scratch;      /* of one encoded key */
    struct key_batch *batch; /* of many; made when first needed */
};

static inline uint32_t agg_groups(const struct aggregate *agg)
{
    return agg->keys_len ? agg->groups.len : 1;
}

/* Room in all states for the groups there are. */
enum status agg_grow(struct aggregate *agg, struct error *err);

/* The cleared batch of keys, NULL when memory is out. */
struct key_batch *agg_batch(struct aggregate *agg);

/* Takes the values of a dense column (`rows` of them; groups NULL: all in group 0) into a state. */
enum status agg_update(struct aggregate *agg, struct agg_state *state, const struct column *column,
                       const uint32_t *groups, struct error *err);
/* A candidate for min or max. */
enum status agg_offer(struct aggregate *agg, struct agg_state *state, uint32_t group,
                      const struct value *value, struct error *err);
enum status agg_put_distinct(struct aggregate *agg, struct agg_state *state, uint32_t group,
                             const struct column *column, uint32_t row, struct error *err);
enum status agg_put_percentile(struct aggregate *agg, struct agg_state *state, uint32_t group,
                               double value, struct error *err);
/* agg_parallel.c: whether several threads share the work on a view, and their doing it. */
bool agg_is_shared(const struct view *view, const struct exec_context *context);
enum status agg_add_shared(struct aggregate *agg, struct view *view, const struct filter *filter,
                           const struct exec_context *context, struct exec_stats *stats,
                           struct error *err);
void agg_add_real(struct agg_state *state, uint32_t group, double value);
/* Joins the moments of `n` further values (Chan, Golub, LeVeque 1979). */
void agg_add_moments(struct agg_state *state, uint32_t group, uint64_t n, double mean, double m2);

#endif

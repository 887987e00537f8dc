/* check_states.c: all states of a source that CURRENT names, with those that cannot be read. */
#include <stdlib.h>

#include "storage/check/check_int.h"

/* Damage of a kept state is the caller's finding; short memory is a failure. */
static enum status load_kept(struct sys *sys, const char *dir, struct check_states *states,
                             const struct snapshot **known, struct error *err)
{
    uint32_t known_len = 0;
    known[known_len++] = states->current;
    for (uint32_t i = states->refs.ids_len; i-- > 0;) {
        struct check_state *state = &states->kept[i];
        state->id = states->refs.ids[i];
        enum status status = snapshot_load_old(sys, dir, state->id, known, known_len, true,
                                               &state->snapshot, &state->why);
        if (status == STATUS_NO_MEMORY)
            return error_no_memory(err);
        if (status == STATUS_OK)
            known[known_len++] = state->snapshot;
    }
    return STATUS_OK;
}

enum status check_states_load(struct sys *sys, const char *dir, struct check_states *ret,
                              struct error *err)
{
    *ret = (struct check_states){0};
    TRY(snapshot_load_any(sys, dir, &ret->current, &ret->refs, err));
    if (!ret->current)
        return STATUS_OK;
    const struct snapshot **known = calloc(ret->refs.ids_len + 1u, sizeof *known);
    ret->kept = calloc(ret->refs.ids_len + 1u, sizeof *ret->kept);
    enum status status =
        known && ret->kept ? load_kept(sys, dir, ret, known, err) : error_no_memory(err);
    free(known);
    if (status != STATUS_OK)
        check_states_release(ret);
    return status;
}

void check_states_release(struct check_states *states)
{
    for (uint32_t i = 0; states->kept && i < states->refs.ids_len; i++)
        snapshot_unref(states->kept[i].snapshot);
    free(states->kept);
    snapshot_unref(states->current);
    snapshot_refs_release(&states->refs);
    *states = (struct check_states){0};
}

struct segment *check_states_find(const struct check_states *states, uint64_t segment_id)
{
    struct segment *found = snapshot_find(states->current, segment_id);
    for (uint32_t i = 0; i < states->refs.ids_len && !found; i++) {
        if (states->kept[i].snapshot)
            found = snapshot_find(states->kept[i].snapshot, segment_id);
    }
    return found;
}

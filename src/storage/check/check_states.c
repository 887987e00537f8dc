/* check_states.c: all states of a source that CURRENT names, with those that cannot be read. */
#include <stdlib.h>

#include "storage/check/check_int.h"

/* Damage of a kept state is the caller's finding; short memory is a failure. */
static enum status load_kept(struct table_reader *reader, struct check_states *states,
                             struct error *err)
{
    for (uint32_t i = states->refs.ids_len; i-- > 0;) {
        struct check_state *state = &states->kept[i];
        state->id = states->refs.ids[i];
        if (table_read(reader, state->id, &state->snapshot, &state->why) == STATUS_NO_MEMORY)
            return error_no_memory(err);
        memcpy(state->file, table_reader_bad_file(reader), SYS_PATH_MAX);
    }
    return STATUS_OK;
}

static enum status load_states(struct check_states *ret, char ret_file[SYS_PATH_MAX],
                               struct error *err)
{
    struct table_reader *reader = NULL;
    uint64_t id = table_current_id(ret->table);
    if (!id)
        return STATUS_OK;
    TRY(table_refs(ret->table, &ret->refs, err));
    ret->kept = calloc(ret->refs.ids_len + 1u, sizeof *ret->kept);
    if (!ret->kept)
        return error_no_memory(err);
    TRY(table_reader_open(ret->table, true, &reader, err));
    enum status status = table_read(reader, id, &ret->current, err);
    if (status != STATUS_OK)
        memcpy(ret_file, table_reader_bad_file(reader), SYS_PATH_MAX);
    else
        status = load_kept(reader, ret, err);
    table_reader_close(reader);
    return status;
}

enum status check_states_load(struct sys *sys, const char *dir, const struct source_config *config,
                              struct check_states *ret, char ret_file[SYS_PATH_MAX],
                              struct error *err)
{
    *ret = (struct check_states){0};
    TRY(sys_path(ret_file, err, "%s/metadata/CURRENT", dir));
    enum status status = table_open(sys, dir, config, NULL, &ret->table, err);
    if (status == STATUS_OK)
        status = load_states(ret, ret_file, err);
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
    table_free(states->table);
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

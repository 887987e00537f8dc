/* loadstate.h: what a load remembers on disk, so that an interrupted one goes on without
 * duplicates.
 *
 * A small JSON file, replaced atomically, under $XDG_CACHE_HOME/quarry/loads (or ~/.cache/...),
 * named by the hash of server, source and the file's absolute path. It holds the file's identity
 * (size, time of change), the load's id, the bounds of a batch, and which batches were
 * acknowledged: all below `done`, and single ones above. A batch that was stored but not remembered
 * is sent again under the same idempotency key, so the server stores it once. Not thread-safe. */
#ifndef QUARRY_CMD_LOADSTATE_H
#define QUARRY_CMD_LOADSTATE_H

#include "base/buf.h"

enum { LOADSTATE_PATH_MAX = 1024, LOADSTATE_AHEAD_MAX = 256, LOADSTATE_ID_LEN = 36 };

struct load_identity {
    const char *url;
    const char *source;
    const char *path;
    const char *format;
    int64_t records_max; /* of a batch */
};

struct load_state {
    char path[LOADSTATE_PATH_MAX]; /* of the state file; "": nothing is kept */
    char id[LOADSTATE_ID_LEN + 1];
    uint64_t file_key; /* hash of the file's identity */
    int64_t records_max;
    uint64_t done;    /* all batches below are acknowledged */
    uint64_t records; /* in acknowledged batches */
    uint64_t ahead[LOADSTATE_AHEAD_MAX];
    uint32_t ahead_len;
    bool resumed;
};

/* Takes up the state of an earlier interrupted load, or begins a new one. `restart` forgets the
 * earlier one. STATUS_CONFLICT when the file, the format or the batch size is not that of the
 * earlier load. */
enum status load_state_open(struct load_state *state, const struct load_identity *identity,
                            bool restart, struct error *err);
bool load_state_has(const struct load_state *state, uint64_t batch);
/* STATUS_RESOURCE_LIMIT when more than LOADSTATE_AHEAD_MAX batches are ahead of a missing one. */
enum status load_state_add(struct load_state *state, uint64_t batch, uint32_t records,
                           struct error *err);
enum status load_state_save(const struct load_state *state, struct error *err);
/* The load is complete: the next one of this file is a new one. */
void load_state_remove(const struct load_state *state);
/* "<id>-<file key>-<batch>" into text[LOAD_KEY_MAX] */
enum { LOAD_KEY_MAX = 96 };
void load_state_key(const struct load_state *state, uint64_t batch, char *text);

#endif

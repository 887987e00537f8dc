/* progress.h: one line that says how far a load is: a bar that is drawn over again on a terminal,
 * else a plain line every few seconds. One thread. */
#ifndef QUARRY_CMD_PROGRESS_H
#define QUARRY_CMD_PROGRESS_H

#include "base/str.h"

struct progress {
    const char *name;
    bool terminal;
    bool quiet;
    int64_t begun_us;
    int64_t shown_us;
    bool drawn;
};

struct progress_state {
    uint64_t rows;                    /* acknowledged by now */
    uint64_t old_rows;                /* of these, from an earlier run: do not count for the rate */
    uint64_t bytes_done, bytes_total; /* of the file; total 0: unknown */
};

void progress_init(struct progress *progress, const char *name, bool quiet, int64_t now_us);
void progress_show(struct progress *progress, const struct progress_state *state, int64_t now_us);
/* Wipes the bar. */
void progress_end(struct progress *progress);

#endif

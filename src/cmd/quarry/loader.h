/* loader.h: sends the batches of one file, several at a time, each exactly once.
 *
 *   reader thread: record source -> bounded queue of batches (those acknowledged earlier are left
 * out) `jobs` sender threads: queue -> POST /data/write with the batch's idempotency key, retried
 * with back-off while the server does not answer or says "later" calling thread: progress, state
 * file, interruption The first failure stops the others after their present request. */
#ifndef QUARRY_CMD_LOADER_H
#define QUARRY_CMD_LOADER_H

#include <signal.h>

#include "cmd/quarry/cli.h"
#include "cmd/quarry/loadstate.h"
#include "cmd/quarry/records.h"

enum { LOADER_JOBS_MAX = 64, LOADER_RETRY_S = 60 };

struct loader_options {
    const char *url;
    const char *source;
    const char *name; /* of the file, for the progress line */
    uint32_t jobs;
    bool quiet;
    const volatile sig_atomic_t *interrupted;
};

struct loader_result {
    uint64_t records, batches; /* sent and acknowledged in this run */
    uint64_t file_bytes, body_bytes;
    uint64_t duplicates; /* records that the server had already */
    double seconds;
    bool interrupted;
    bool refused; /* the failure is the server's answer */
};

/* Until the end of the file, the first failure, or an interruption. `state` is brought up to date
 * and saved in each case. On failure err->line is the file's line, as far as known. */
enum status loader_run(const struct loader_options *options, struct record_source *records,
                       struct load_state *state, struct loader_result *ret, struct error *err);

#endif

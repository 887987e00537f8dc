/* revocations.h: tokens that were taken back, told to all processes of a machine through one file.
 *
 *   <random id>\n            changes when the file is written anew
 *   <token id> <until>\n     until: seconds since 1970, when the token expires anyway
 *
 * The gateway appends and syncs before it answers; the others look at the file's size at most every
 * REVOCATIONS_LOOK_US and read what is new. Threads: any. */
#ifndef QUARRY_SERVICE_REVOCATIONS_H
#define QUARRY_SERVICE_REVOCATIONS_H

#include "auth/verifier.h"

enum { REVOCATIONS_LOOK_US = 200000, REVOCATIONS_FILE_MAX = 256 << 20 };

struct revocations;

/* `verifier` (borrowed) learns of every entry. With `writer` the file is made, or written anew
 * without what has expired; only one process may be the writer. */
enum status revocations_open(struct sys *sys, const char *path, bool writer,
                             struct verifier *verifier, struct revocations **ret,
                             struct error *err);
void revocations_close(struct revocations *revocations);
/* Durable when it returns. The writer only. */
enum status revocations_add(struct revocations *revocations, struct str id, int64_t until_s,
                            struct error *err);
/* Reads what has come since the last look. A file that cannot be read is a failure: better nobody
 * comes in than somebody who was shut out. */
enum status revocations_refresh(struct revocations *revocations, struct error *err);

#endif

/* profile.h: a sample and distinct counts of a view: the source's sketch with the unflushed rows.
 *
 * Immutable and counted: any thread. Rows deleted since the sketch was made are in it, so it
 * becomes stale by deletes; profile_is_stale says when it should be made anew. */
#ifndef QUARRY_QUERY_PROFILE_H
#define QUARRY_QUERY_PROFILE_H

#include "query/exec/exec.h"
#include "storage/sketch/sketch.h"

enum { PROFILE_CHUNK_ROWS = 65536 }; /* unflushed rows that are looked at, at the most */

/* NULL in *ret when nothing is known: no sketch and no unflushed rows. */
enum status profile_of_view(const struct view *view, struct sketch **ret, struct error *err);
/* Does the sketch speak of other rows than the view's files have (5 % more or fewer)? */
bool profile_is_stale(const struct view *view, const struct sketch *sketch);
/* Reads all files of the source and gives it a new sketch, unless the old one is good (`force`: in
 * any case). `*ret_made` may be NULL. */
enum status profile_refresh(struct source *source, bool force, const struct exec_context *context,
                            bool *ret_made, struct error *err);

#endif

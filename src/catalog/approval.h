/* approval.h: what has to go before some steps of a node's lifecycle: somebody else's approval, and
 * a notice to those who use it (contracts 4.6). Which step needs what stands in lifecycle.c.
 *
 * Both are events about the asset, which nobody can change afterwards:
 *   kind "approval"  name: the state it is for; subject: who approves; row_count: the revision that
 *                    was looked at (a changed node needs a new approval); namespace: "security"
 * when that is who approves, else "review"; description: the comment kind "notice"    name: the
 * state that is announced; description: why Their lifecycle is "open" until the node moves ("used")
 * or they are taken back ("withdrawn"). Retention leaves open ones alone. */
#ifndef QUARRY_CATALOG_APPROVAL_H
#define QUARRY_CATALOG_APPROVAL_H

#include "catalog/catalog.h"

enum { APPROVALS_MAX = 100 }; /* open ones of an asset */

/* By anybody who may read the node but its owner. STATUS_FORBIDDEN: the owner (LC004).
 * STATUS_CONFLICT: LC003, there is no such step from where the node is. */
enum status approval_add(struct catalog *catalog, const struct caller *caller, struct str id,
                         struct str to, struct str comment, struct arena *arena, struct record *ret,
                         struct error *err);
/* By whoever may take the step. */
enum status notice_add(struct catalog *catalog, const struct caller *caller, struct str id,
                       struct str to, struct str reason, struct arena *arena, struct record *ret,
                       struct error *err);
/* Open ones, oldest first. */
enum status approval_list(struct catalog *catalog, const struct caller *caller, struct str id,
                          struct arena *arena, struct record_page *ret, struct error *err);
/* One's own, or anybody's for an admin of the asset. */
enum status approval_withdraw(struct catalog *catalog, const struct caller *caller,
                              struct str asset_id, struct str id, struct error *err);
/* When the announced step may be taken; 0 for approvals. */
int64_t notice_due_us(const struct record *notice, struct str from);

#endif

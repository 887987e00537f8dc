/* errors.h: the engine's error texts as our statuses. No text of the engine's passes that could
 * name a file of this machine; "LINE 2: ... ^" becomes line and column. */
#ifndef QUARRY_QUERY_SQLWORKER_ERRORS_H
#define QUARRY_QUERY_SQLWORKER_ERRORS_H

#include "base/status.h"
#include "base/str.h"

/* `text` as duckdb gives it (NULL is fine); `sql` is the tenant's statement or STR_NONE. */
enum status errors_map(const char *text, struct str sql, struct error *err);
/* After such a failure the engine's state is doubtful: the worker should be replaced. */
bool errors_spoil_engine(enum status status);

#endif

/* filters.h: --where texts and --filters JSON as the "filters" member of a request. */
#ifndef QUARRY_CMD_FILTERS_H
#define QUARRY_CMD_FILTERS_H

#include "cmd/quarry/cli.h"

/* Writes "filters": {...} when there are any. A --where is "FIELD OP VALUE": OP one of = == eq !=
 * <> ne > gt < lt >= gte <= lte in not_in like regex; VALUE is JSON (a number, true, "text",
 * ["a","b"]) or, when it is not JSON, a bare text. Several on one field are combined. False after a
 * message. */
bool filters_write(struct json_writer *w, const struct texts *wheres, const char *filters);

#endif

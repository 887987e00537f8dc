/* hooks_int.h: how a file of special functions offers them: one table a file, listed in hooks.c. */
#ifndef QUARRY_QUERY_LANG_HOOKS_INT_H
#define QUARRY_QUERY_LANG_HOOKS_INT_H

#include "query/lang/lower_int.h"

struct hook_row {
    const char *name; /* NULL ends a table */
    lower_hook *hook;
};

/* For use inside a hook: a template over its arguments; UNSUPPORTED for these arguments. */
#define TEMPLATE(text) lower_template(l, text, args, count, call)
struct node *hook_refuse(struct lower *l, struct node *call);
bool hook_is_literal(const struct node *node);

extern const struct hook_row hooks_clickhouse[], hooks_units[], hooks_nested[], hooks_snowflake[],
    hooks_bigquery[];

#endif

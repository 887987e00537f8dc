/* node.h: the tree. One node struct for all kinds; kinds and their slots are listed in nodes.def.
 *
 * Children are in an array: first the kind's fixed slots (NULL when empty), then, for kinds with a
 * starred slot, any number more. Parentheses are not kept: the tree says what belongs together.
 * Lowered trees may share sub-trees; nothing changes a node after it is shared. */
#ifndef QUARRY_QUERY_LANG_NODE_H
#define QUARRY_QUERY_LANG_NODE_H

#include "base/arena.h"
#include "base/str.h"

enum node_kind {
    NODE_NONE,
#define N(kind, name, ...) N_##kind,
#include "query/lang/nodes.def"
#undef N
    NODE_KINDS,
};

enum node_flag {
    NODE_NOT = 1 << 0,
    NODE_QUOTED = 1 << 1,
    NODE_DISTINCT = 1 << 2,
    NODE_ALL = 1 << 3, /* UNION ALL, GROUP BY ALL, ORDER BY ALL */
    NODE_TRY = 1 << 4, /* TRY_CAST, IF EXISTS */
    NODE_DESC = 1 << 5,
    NODE_NULLS_FIRST = 1 << 6,
    NODE_NULLS_LAST = 1 << 7,
    NODE_IGNORE_NULLS = 1 << 8,
    NODE_RESPECT_NULLS = 1 << 9,
    NODE_NATURAL = 1 << 10,
    NODE_LATERAL = 1 << 11,
    NODE_RECURSIVE = 1 << 12,
    NODE_PERCENT = 1 << 13,
    NODE_BY_NAME = 1 << 14,
    NODE_PAREN = 1 << 15, /* stood in parentheses */
    NODE_SYMMETRIC = 1 << 16,
    NODE_ORDINALITY = 1 << 17,
    NODE_TIES = 1 << 18,
    NODE_REPLACE = 1 << 19, /* CREATE OR REPLACE, UNION ... CORRESPONDING */
    NODE_TEMPORARY = 1 << 20,
    NODE_ASC = 1 << 21, /* said, not implied */
    NODE_ASOF = 1 << 22,
    NODE_LOWERED = 1 << 23, /* made by lowering: already in the common meaning */
    NODE_MATERIALIZED = 1 << 24,
    NODE_NO_PARENS = 1 << 25, /* CURRENT_DATE: a call without parentheses */
    NODE_DONE = 1 << 26,      /* all below is lowered: a view's query in a statement */
};

struct node {
    uint8_t kind;
    uint8_t type; /* enum lang_type, set by lowering */
    uint16_t count;
    uint32_t flags;
    uint32_t offset; /* of its first byte in the source */
    uint32_t end;    /* one past its last byte; 0 when made by lowering */
    struct str text;
    struct node **kids;
};

enum { NODE_KIDS_MAX = 65535, NODE_SLOTS_MAX = 15 };

/* slots: fixed names, NULL-ended; a name with a star at its end names the rest. */
struct node_info {
    const char *name;
    const char *slots[NODE_SLOTS_MAX + 1];
};
const struct node_info *node_info(enum node_kind kind);

/* Slot numbers, in the order of nodes.def. */
enum { SLOT_WITH, SLOT_ORDER, SLOT_LIMIT, SLOT_OFFSET };
enum {
    SELECT_DISTINCT_ON = 4,
    SELECT_ITEMS,
    SELECT_FROM,
    SELECT_WHERE,
    SELECT_GROUP,
    SELECT_HAVING,
    SELECT_QUALIFY,
    SELECT_WINDOWS,
    SELECT_SAMPLE,
    SELECT_LIMIT_BY,
    SELECT_INTO,
    SELECT_SLOTS,
};
enum { SETOP_LEFT = 4, SETOP_RIGHT, SETOP_SLOTS };
enum { VALUES_ROWS = 4, VALUES_SLOTS };
enum {
    CALL_ARGS,
    CALL_ORDER,
    CALL_FILTER,
    CALL_OVER,
    CALL_WITHIN,
    CALL_LIMIT,
    CALL_PARAMETERS,
    CALL_SEPARATOR,
    CALL_SLOTS,
};
enum { WINDOW_BASE, WINDOW_PARTITION, WINDOW_ORDER, WINDOW_START, WINDOW_END, WINDOW_SLOTS };

static inline struct node *kid(const struct node *node, size_t i)
{
    return i < node->count ? node->kids[i] : NULL;
}

static inline bool node_is(const struct node *node, enum node_kind kind)
{
    return node && node->kind == kind;
}

static inline size_t list_count(const struct node *list)
{
    return list ? list->count : 0;
}

static inline bool node_is_query(const struct node *node)
{
    return node && (node->kind == N_SELECT || node->kind == N_SETOP || node->kind == N_VALUES);
}

#endif

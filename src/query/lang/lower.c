/* lower.c: making nodes, the walk, and what stays as it is. */
#include "query/lang/lower_int.h"

#include <stdio.h>

#include "query/lang/token.h"

bool lower_has(const struct lower *l, uint32_t flag)
{
    return (l->dialect->flags & flag) != 0;
}

/* ---- failures ---- */

void lower_unsupported(struct lower *l, const struct node *at, struct str name, const char *why)
{
    if (l->status != STATUS_OK)
        return;
    l->status = STATUS_INVALID_SQL;
    *l->problem = (struct lang_problem){.code = LANG_UNSUPPORTED, .offset = at ? at->offset : 0};
    snprintf(l->problem->found, sizeof l->problem->found, "%.*s",
             name.len < LANG_NAME_MAX ? (int)name.len : LANG_NAME_MAX - 1, name.data);
    snprintf(l->problem->message, sizeof l->problem->message, "%s '%s' of dialect %s", why,
             l->problem->found, l->dialect->name);
}

static void *out_of_memory(struct lower *l)
{
    if (l->status == STATUS_OK) {
        l->status = STATUS_NO_MEMORY;
        *l->problem = (struct lang_problem){.code = LANG_NO_MEMORY};
        snprintf(l->problem->message, sizeof l->problem->message, "no memory for the statement");
    }
    return NULL;
}

/* ---- nodes ---- */

struct node *lower_node(struct lower *l, enum node_kind kind, const char *text, size_t slots,
                        const struct node *at)
{
    static struct node *const no_kids[NODE_SLOTS_MAX + 1];
    static const struct node nothing = {.kind = N_NULL_, .kids = (struct node **)no_kids};
    struct node *node = arena_alloc(l->arena, sizeof *node + slots * sizeof(struct node *));
    if (!node) {
        out_of_memory(l);
        return (struct node *)&nothing;
    }
    node->kind = (uint8_t)kind;
    node->count = (uint16_t)slots;
    node->kids = (struct node **)(node + 1);
    node->text = str_of(text);
    node->flags = NODE_LOWERED;
    if (at)
        node->offset = at->offset;
    return node;
}

struct node *lower_text(struct lower *l, enum node_kind kind, struct str text,
                        const struct node *at)
{
    struct node *node = lower_node(l, kind, "", 0, at);
    if (l->status == STATUS_OK)
        node->text = text;
    return node;
}

struct node *lower_quoted(struct lower *l, struct str name)
{
    struct node *node = lower_text(l, N_IDENT, name, NULL);
    if (l->status == STATUS_OK)
        node->flags = NODE_QUOTED;
    return node;
}

struct node *lower_named(struct lower *l, struct node *value, struct str name)
{
    struct node *alias = lower_node(l, N_ALIAS, "", 2, value);
    if (l->status == STATUS_OK) {
        alias->kids[0] = value;
        alias->text = name;
        alias->flags = NODE_QUOTED;
    }
    return alias;
}

struct node *lower_string(struct lower *l, const char *text, const struct node *at)
{
    struct node *node = lower_text(l, N_STRING, str_of(text), at);
    if (l->status == STATUS_OK)
        node->type = TY_TEXT;
    return node;
}

struct node *lower_number(struct lower *l, int64_t value, const struct node *at)
{
    const char *text = arena_printf(l->arena, "%lld", (long long)(value < 0 ? -value : value));
    if (!text)
        out_of_memory(l);
    struct node *node = lower_text(l, N_NUMBER, str_of(text ? text : "0"), at);
    if (value >= 0 || l->status != STATUS_OK)
        return node;
    struct node *minus = lower_node(l, N_UNARY, "-", 1, at);
    if (l->status == STATUS_OK)
        minus->kids[0] = node;
    return minus;
}

struct node *lower_shallow(struct lower *l, const struct node *node)
{
    struct node *copy = lower_node(l, node->kind, "", node->count, node);
    if (l->status != STATUS_OK)
        return copy;
    copy->text = node->text;
    copy->flags = node->flags;
    copy->type = node->type;
    for (size_t i = 0; i < node->count; i++)
        copy->kids[i] = node->kids[i];
    return copy;
}

struct node *lower_copy(struct lower *l, const struct node *node)
{
    struct node *copy = lower_shallow(l, node);
    for (size_t i = 0; i < node->count && l->status == STATUS_OK; i++)
        copy->kids[i] = lower_tree(l, node->kids[i]);
    return copy;
}

struct node *lower_list_of(struct lower *l, enum node_kind kind, struct node **items, size_t count,
                           const struct node *at)
{
    struct node *list = lower_node(l, kind, "", count, at);
    for (size_t i = 0; i < count && l->status == STATUS_OK; i++)
        list->kids[i] = items[i];
    return list;
}

struct node *lower_call_of(struct lower *l, const char *name, struct node **args, size_t count,
                           const struct node *at)
{
    struct node *call = lower_node(l, N_CALL, name, CALL_SLOTS, at);
    struct node *list = lower_list_of(l, N_LIST, args, count, at);
    if (l->status == STATUS_OK) {
        call->kids[CALL_ARGS] = list;
        lower_infer(l, call);
    }
    return call;
}

struct node *lower_cast(struct lower *l, struct node *value, const char *type)
{
    struct node *cast = lower_node(l, N_CAST, "", 3, value);
    struct node *to = lower_node(l, N_TYPE, type, 0, value);
    if (l->status == STATUS_OK) {
        cast->kids[0] = value;
        cast->kids[1] = to;
        lower_infer(l, cast);
    }
    return cast;
}

struct node *lower_binary(struct lower *l, const char *op, struct node *left, struct node *right)
{
    struct node *node = lower_node(l, N_BINARY, op, 2, left);
    if (l->status == STATUS_OK) {
        node->kids[0] = left;
        node->kids[1] = right;
        lower_infer(l, node);
    }
    return node;
}

struct str lower_upper(struct lower *l, struct str text)
{
    char *out = arena_alloc(l->arena, text.len + 1);
    if (!out) {
        out_of_memory(l);
        return STR("");
    }
    for (size_t i = 0; i < text.len; i++)
        out[i] =
            (char)(text.data[i] >= 'a' && text.data[i] <= 'z' ? text.data[i] - 32 : text.data[i]);
    return str_make(out, text.len);
}

/* ---- statements that only DuckDB's own text can say for now ---- */

static struct node *lower_statement(struct lower *l, const struct node *node)
{
    switch (node->kind) {
    case N_OTHER:
        lower_unsupported(l, node, node->text, "no translation of the statement");
        return lower_shallow(l, node);
    case N_MERGE:
    case N_REFRESH:
    case N_SHOW:
        lower_unsupported(l, node, str_of(node_info(node->kind)->name),
                          "no translation of the statement");
        return lower_shallow(l, node);
    default:
        return lower_copy(l, node);
    }
}

struct node *lower_tree(struct lower *l, const struct node *node)
{
    if (!node || l->status != STATUS_OK)
        return NULL;
    if (node->flags & NODE_DONE)
        return (struct node *)node;
    switch (node->kind) {
    case N_CALL:
        return lower_call(l, node);
    case N_TYPE:
        return lower_type(l, node);
    case N_INTERVAL:
        return lower_interval(l, node);
    case N_EXTRACT:
        return lower_extract(l, node);
    case N_SELECT:
    case N_SETOP:
    case N_VALUES:
        return lower_query(l, node);
    case N_TABLE:
    case N_TABLE_CALL:
    case N_TABLE_QUERY:
    case N_TABLE_JOINED:
    case N_JOIN:
    case N_PIVOT:
        return lower_table(l, node);
    case N_OTHER:
    case N_MERGE:
    case N_REFRESH:
    case N_SHOW:
        return lower_statement(l, node);
    default:
        return lower_expr(l, node);
    }
}

enum status lang_lower(struct arena *arena, const struct lang_query *query, struct node **ret,
                       struct lang_problem *problem)
{
    struct lower l = {.arena = arena,
                      .dialect = dialect_of(query->dialect),
                      .id = query->dialect,
                      .text = query->text,
                      .problem = problem};
    *ret = lower_tree(&l, query->root);
    if (l.status != STATUS_OK)
        problem_place(problem, query->text);
    return l.status;
}

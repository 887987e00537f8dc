/* bind.c: the face of the binder: statements, and the list of problems. */
#include "query/lang/bind.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "query/lang/bind_int.h"
#include "query/lang/token.h"

/* One place is told once; beyond the limit the rest is left out. */
struct lang_problem *bind_problem(struct binder *b, enum lang_code code, size_t offset,
                                  struct str found, const char *format, ...)
{
    struct lang_problems *list = b->problems;
    for (size_t i = 0; i < list->count; i++) {
        if (list->items[i].offset == offset && list->items[i].code == code)
            return NULL;
    }
    if (list->count == LANG_PROBLEMS_MAX)
        return NULL;
    struct lang_problem *problem = &list->items[list->count++];
    *problem = (struct lang_problem){.code = code, .offset = offset};
    snprintf(problem->found, sizeof problem->found, "%.*s",
             found.len < LANG_NAME_MAX ? (int)found.len : LANG_NAME_MAX - 1, found.data);
    va_list args;
    va_start(args, format);
    vsnprintf(problem->message, sizeof problem->message, format, args);
    va_end(args);
    problem_place(problem, b->query->text);
    return problem;
}

/* ---- sources ---- */

static uint8_t type_of_field(enum type type)
{
    static const uint8_t types[TYPE_COUNT] = {
        [TYPE_BOOL] = TY_BOOL,          [TYPE_INT64] = TY_INT, [TYPE_DOUBLE] = TY_DOUBLE,
        [TYPE_STRING] = TY_TEXT,        [TYPE_JSON] = TY_JSON, [TYPE_DATE] = TY_DATE,
        [TYPE_TIMESTAMP] = TY_TIMESTAMP};
    return type < TYPE_COUNT ? types[type] : (uint8_t)TY_UNKNOWN;
}

struct lang_source lang_source_of(struct arena *arena, struct str name, const struct field *fields,
                                  size_t count)
{
    struct lang_source_column *columns = arena_array(arena, count ? count : 1, sizeof *columns);
    struct lang_source source = {.name = name, .columns = columns, .count = columns ? count : 0};
    source.open = count == 0; /* the engine gives a table without columns one of its own */
    for (size_t i = 0; columns && i < count; i++) {
        columns[i] = (struct lang_source_column){fields[i].name, type_of_field(fields[i].type)};
        for (size_t k = 0; k < i && !source.open; k++)
            source.open = str_eq_nocase(fields[k].name, fields[i].name);
    }
    return source;
}

/* ---- statements ---- */

static struct bind_relation *enter_target(struct binder *b, struct node *table,
                                          struct bind_scope *scope)
{
    struct bind_relation *relation = bind_table(b, table, scope);
    if (relation)
        bind_enter(scope, relation);
    return relation;
}

static void check_target_column(struct binder *b, const struct bind_relation *target,
                                const struct node *ident)
{
    if (!target || target->open || bind_column(target, ident->text))
        return;
    bind_unknown_column(b, ident, ident->text, target, NULL);
}

static void bind_assignments(struct binder *b, const struct node *list,
                             const struct bind_relation *target, struct bind_scope *scope)
{
    for (size_t i = 0; i < list_count(list); i++) {
        const struct node *name = list->kids[i]->kids[0];
        if (node_is(name, N_REF) && name->count)
            check_target_column(b, target, name->kids[name->count - 1]);
        bind_expr(b, list->kids[i]->kids[1], scope);
    }
}

static void bind_insert(struct binder *b, struct node *root, struct bind_scope *scope)
{
    const struct node *names = root->kids[1];
    struct bind_relation *target = bind_table(b, root->kids[0], scope);
    bind_with(b, root->kids[3], scope);
    for (size_t i = 0; i < list_count(names); i++)
        check_target_column(b, target, names->kids[i]);
    if (root->kids[2])
        bind_query(b, root->kids[2], scope);
}

static void bind_update(struct binder *b, struct node *root, struct bind_scope *scope)
{
    bind_with(b, root->kids[4], scope);
    struct bind_relation *target = enter_target(b, root->kids[0], scope);
    for (size_t i = 0; i < list_count(root->kids[2]); i++)
        bind_from(b, root->kids[2]->kids[i], scope);
    bind_assignments(b, root->kids[1], target, scope);
    b->clause = BIND_WHERE;
    bind_expr(b, root->kids[3], scope);
}

static void bind_delete(struct binder *b, struct node *root, struct bind_scope *scope)
{
    bind_with(b, root->kids[3], scope);
    enter_target(b, root->kids[0], scope);
    for (size_t i = 0; i < list_count(root->kids[1]); i++)
        bind_from(b, root->kids[1]->kids[i], scope);
    b->clause = BIND_WHERE;
    bind_expr(b, root->kids[2], scope);
}

static void bind_merge(struct binder *b, struct node *root, struct bind_scope *scope)
{
    struct bind_relation *target = enter_target(b, root->kids[0], scope);
    bind_from(b, root->kids[1], scope);
    bind_expr(b, root->kids[2], scope);
    const struct node *branches = root->kids[3];
    for (size_t i = 0; i < list_count(branches); i++) {
        const struct node *branch = branches->kids[i], *values = branch->kids[2];
        bind_expr(b, branch->kids[0], scope);
        for (size_t k = 0; k < list_count(branch->kids[1]); k++)
            check_target_column(b, target, branch->kids[1]->kids[k]);
        if (str_ends(branch->text, STR("UPDATE")))
            bind_assignments(b, values, target, scope);
        else if (values)
            bind_expr(b, branch->kids[2], scope);
    }
}

static void bind_statement(struct binder *b, struct node *root, struct bind_scope *scope)
{
    switch (root->kind) {
    case N_INSERT:
        bind_insert(b, root, scope);
        break;
    case N_UPDATE:
        bind_update(b, root, scope);
        break;
    case N_DELETE:
        bind_delete(b, root, scope);
        break;
    case N_MERGE:
        bind_merge(b, root, scope);
        break;
    case N_CREATE_TABLE:
    case N_CREATE_VIEW:
        if (root->kids[2])
            bind_query(b, root->kids[2], scope);
        break;
    case N_EXPLAIN:
        if (root->kids[0])
            bind_statement(b, root->kids[0], scope);
        break;
    case N_SELECT:
    case N_SETOP:
    case N_VALUES:
        bind_query(b, root, NULL);
        break;
    default: /* no expressions in them */
        break;
    }
}

static int compare_problems(const void *a, const void *b)
{
    size_t x = ((const struct lang_problem *)a)->offset,
           y = ((const struct lang_problem *)b)->offset;
    return x < y ? -1 : x > y;
}

static enum status verdict(const struct binder *b)
{
    struct lang_problems *problems = b->problems;
    if (b->failed)
        return STATUS_NO_MEMORY;
    qsort(problems->items, problems->count, sizeof *problems->items, compare_problems);
    return problems->count ? STATUS_INVALID_SQL : STATUS_OK;
}

enum status lang_bind(struct arena *arena, struct lang_query *query,
                      const struct lang_catalog *catalog, struct lang_problems *ret)
{
    struct binder b = {
        .arena = arena, .query = query, .catalog = catalog, .problems = ret, .id = query->dialect};
    ret->count = 0;
    struct bind_scope *scope = bind_scope_new(&b, NULL);
    if (scope && query->root)
        bind_statement(&b, query->root, scope);
    return verdict(&b);
}

enum status lang_bind_query(struct arena *arena, struct lang_query *query,
                            const struct lang_catalog *catalog, struct lang_source *ret_columns,
                            struct lang_problems *ret)
{
    struct binder b = {
        .arena = arena, .query = query, .catalog = catalog, .problems = ret, .id = query->dialect};
    ret->count = 0;
    const struct bind_relation *outputs = bind_query(&b, query->root, NULL);
    if (!b.failed && outputs)
        *ret_columns = (struct lang_source){
            .columns = outputs->columns, .count = outputs->count, .open = outputs->open};
    return verdict(&b);
}

/* bind.c: names to sources, columns and outputs. Without a catalog every column is taken as it is
 * written and has the type DSL_ANY. */
#include "query/dsl/dsl_int.h"

/* --- sources --- */

/* `*` stands for any run of bytes; iterative, so that no pattern is slow. */
static bool glob_match(struct str pattern, struct str name)
{
    size_t p = 0, n = 0, star = SIZE_MAX, mark = 0;
    while (n < name.len) {
        if (p < pattern.len && pattern.data[p] == '*') {
            star = p++;
            mark = n;
        } else if (p < pattern.len && pattern.data[p] == name.data[n]) {
            p++;
            n++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            n = ++mark;
        } else {
            return false;
        }
    }
    while (p < pattern.len && pattern.data[p] == '*')
        p++;
    return p == pattern.len;
}

static struct dsl_words source_words(struct dsl_query *q, const struct dsl_catalog *catalog)
{
    enum { SHOWN_SOURCES = 200 };
    uint32_t len = catalog->len < SHOWN_SOURCES ? catalog->len : SHOWN_SOURCES;
    const char **names = dsl_alloc(q, len, sizeof *names);
    for (uint32_t i = 0; names && i < len; i++)
        names[i] = arena_str(q->arena, catalog->sources[i].name).data;
    return (struct dsl_words){names, names ? len : 0};
}

static void find_sources(struct dsl_query *q, struct dsl_table *table)
{
    const struct dsl_catalog *catalog = q->options->catalog;
    table->matches = dsl_alloc(q, catalog->len, sizeof *table->matches);
    for (uint32_t i = 0; table->matches && i < catalog->len; i++) {
        const struct dsl_source *source = &catalog->sources[i];
        if (table->pattern ? glob_match(table->name, source->name)
                           : str_eq(table->name, source->name))
            table->matches[table->matches_len++] = source;
    }
    if (table->matches_len == 0)
        dsl_fail(q, DSL_UNKNOWN_SOURCE, table->at, table->name, source_words(q, catalog),
                 table->pattern ? "no source matches \"%.*s\"" : "there is no source \"%.*s\"",
                 SHOWN(table->name));
}

static enum dsl_type type_of(enum type type)
{
    switch (type) {
    case TYPE_BOOL:
        return DSL_BOOL;
    case TYPE_INT64:
        return DSL_INT;
    case TYPE_DOUBLE:
        return DSL_DOUBLE;
    case TYPE_STRING:
        return DSL_STRING;
    case TYPE_JSON:
        return DSL_JSON;
    case TYPE_DATE:
        return DSL_DATE;
    case TYPE_TIMESTAMP:
        return DSL_TIMESTAMP;
    default:
        return DSL_ANY;
    }
}

/* What columns of one name in several sources become. */
static enum dsl_type common_type(enum dsl_type a, enum dsl_type b)
{
    bool numbers = (a == DSL_INT || a == DSL_DOUBLE) && (b == DSL_INT || b == DSL_DOUBLE);
    bool times = (a == DSL_DATE || a == DSL_TIMESTAMP) && (b == DSL_DATE || b == DSL_TIMESTAMP);
    if (a == b)
        return a;
    if (a == DSL_ANY || b == DSL_ANY)
        return DSL_ANY;
    if (numbers)
        return DSL_DOUBLE;
    if (times)
        return DSL_TIMESTAMP;
    return a == DSL_JSON || b == DSL_JSON ? DSL_JSON : DSL_STRING;
}

static struct dsl_column *find_column(const struct dsl_table *table, struct str name)
{
    for (uint32_t i = 0; i < table->columns_len; i++)
        if (str_eq(table->columns[i].name, name))
            return &table->columns[i];
    return NULL;
}

/* The engine folds case: of columns that differ in case only, the later ones have their field id
 * behind their name (query/sqlworker/views.c). */
struct str dsl_engine_name(struct arena *arena, const struct dsl_source *source, uint32_t index)
{
    struct str name = source->fields[index].name;
    for (uint32_t i = 0; i < index; i++) {
        if (!str_eq_nocase(source->fields[i].name, name))
            continue;
        return str_of(arena_printf(arena, "%.*s_%d", STR_ARG(name), source->fields[index].id));
    }
    return name;
}

/* The same for the columns of a pattern's sources. */
static struct str union_name(struct dsl_query *q, const struct dsl_table *table, struct str name)
{
    for (uint32_t i = 0; i < table->columns_len; i++)
        if (str_eq_nocase(table->columns[i].name, name))
            return str_of(arena_printf(q->arena, "%.*s_%u", STR_ARG(name), table->columns_len));
    return name;
}

static void gather_columns(struct dsl_query *q, struct dsl_table *table)
{
    size_t most = 0;
    for (uint32_t i = 0; i < table->matches_len; i++)
        most += table->matches[i]->fields_len;
    table->columns = dsl_alloc(q, most, sizeof *table->columns);
    for (uint32_t i = 0; table->columns && i < table->matches_len; i++) {
        const struct dsl_source *source = table->matches[i];
        for (uint32_t k = 0; k < source->fields_len; k++) {
            enum dsl_type type = type_of(source->fields[k].type);
            struct dsl_column *known = i ? find_column(table, source->fields[k].name) : NULL;
            if (known) {
                known->type = common_type(known->type, type);
                continue;
            }
            struct str name = table->matches_len == 1
                                  ? dsl_engine_name(q->arena, source, k)
                                  : union_name(q, table, source->fields[k].name);
            table->columns[table->columns_len++] =
                (struct dsl_column){source->fields[k].name, name, type};
        }
    }
}

static void bind_tables(struct dsl_query *q)
{
    for (uint32_t i = 0; i < q->tables_len; i++) {
        if (!q->tables[i].name.data)
            continue;
        find_sources(q, &q->tables[i]);
        gather_columns(q, &q->tables[i]);
    }
}

/* --- paths --- */

/* What a path may name here. */
struct scope {
    struct dsl_query *q;
    uint32_t tables; /* the first so many; */
    bool joined;     /* of those, the last one even when it is semi or anti */
    bool outputs;    /* aliases, before columns */
    bool columns;
};

static bool visible(const struct scope *scope, uint32_t index)
{
    const struct dsl_table *table = &scope->q->tables[index];
    if (table->join != JOIN_SEMI && table->join != JOIN_ANTI)
        return true;
    return scope->joined && index + 1 == scope->tables;
}

static struct dsl_words name_words(const struct scope *scope)
{
    enum { SHOWN_NAMES = 200 };
    struct dsl_query *q = scope->q;
    const char **names = dsl_alloc(q, SHOWN_NAMES, sizeof *names);
    uint32_t len = 0;
    if (!names)
        return no_words;
    for (uint32_t i = 0; scope->outputs && i < q->outputs_len && len < SHOWN_NAMES; i++)
        names[len++] = arena_str(q->arena, q->outputs[i].alias).data;
    for (uint32_t t = 0; scope->columns && t < scope->tables; t++) {
        const struct dsl_table *table = &q->tables[t];
        for (uint32_t i = 0; visible(scope, t) && i < table->columns_len && len < SHOWN_NAMES; i++)
            names[len++] = arena_str(q->arena, table->columns[i].name).data;
    }
    return (struct dsl_words){names, len};
}

static void set_column(struct dsl_path *path, const struct dsl_table *table,
                       const struct dsl_column *column, uint32_t json_from)
{
    path->table = table;
    path->column = column->engine_name;
    path->column_type = column->type;
    path->json_from = json_from;
    path->type = json_from < path->len ? DSL_JSON : column->type;
}

/* Into `path` when exactly one table has the column; the number of those that have it. */
static uint32_t find_in_tables(const struct scope *scope, struct dsl_path *path, struct str name,
                               uint32_t json_from)
{
    uint32_t found = 0;
    for (uint32_t i = 0; i < scope->tables; i++) {
        const struct dsl_column *column =
            visible(scope, i) ? find_column(&scope->q->tables[i], name) : NULL;
        if (!column)
            continue;
        if (found++ == 0)
            set_column(path, &scope->q->tables[i], column, json_from);
    }
    if (found > 1)
        dsl_fail(scope->q, DSL_AMBIGUOUS_COLUMN, path->at, STR_NONE, no_words,
                 "\"%.*s\" is a column of %u sources: write the source's name and a dot before it",
                 SHOWN(name), found);
    return found;
}

static const struct dsl_table *find_table(const struct scope *scope, struct str name)
{
    for (uint32_t i = 0; i < scope->tables; i++)
        if (visible(scope, i) && scope->q->tables[i].alias.data &&
            str_eq(scope->q->tables[i].alias, name))
            return &scope->q->tables[i];
    return NULL;
}

static void unknown_name(const struct scope *scope, const struct dsl_path *path, struct str name)
{
    dsl_fail(scope->q, DSL_UNKNOWN_COLUMN, path->at, name, name_words(scope),
             scope->columns ? "there is no column \"%.*s\"" : "\"%.*s\" is no column of the answer",
             SHOWN(name));
}

/* Without a catalog: what is written is believed. */
static void take_column(struct dsl_path *path, const struct dsl_table *table, uint32_t at)
{
    path->table = table;
    path->column = path->steps[at].name;
    path->column_type = DSL_ANY;
    path->json_from = at + 1;
    path->type = at + 1 < path->len ? DSL_JSON : DSL_ANY;
}

static bool is_name(const struct dsl_path *path, uint32_t step)
{
    return step < path->len && path->steps[step].kind == STEP_NAME;
}

static bool bind_qualified(const struct scope *scope, struct dsl_path *path)
{
    const struct dsl_table *table =
        is_name(path, 1) ? find_table(scope, path->steps[0].name) : NULL;
    if (!table)
        return false;
    if (!scope->q->options->catalog) {
        take_column(path, table, 1);
        return true;
    }
    const struct dsl_column *column = find_column(table, path->steps[1].name);
    if (column)
        set_column(path, table, column, 2);
    else
        take_column(path, table, 1);
    if (!column && table->matches_len)
        unknown_name(scope, path, path->steps[1].name);
    return true;
}

static bool bind_output(const struct scope *scope, struct dsl_path *path)
{
    struct dsl_query *q = scope->q;
    for (uint32_t i = 0; scope->outputs && i < q->outputs_len; i++) {
        struct dsl_output *output = &q->outputs[i];
        bool same = str_eq(output->alias, path->text) ||
                    (path->len == 1 && str_eq(output->alias, path->steps[0].name));
        if (!same)
            continue;
        path->output = output;
        path->type = output->type;
        path->json_from = path->len;
        return true;
    }
    return false;
}

/* True when every source is known: a dsl_missing column is then an error. */
static bool all_known(const struct scope *scope)
{
    for (uint32_t i = 0; i < scope->tables; i++)
        if (scope->q->tables[i].matches_len == 0)
            return false;
    return true;
}

static void bind_path(const struct scope *scope, struct dsl_path *path)
{
    if (!path || path->star || bind_output(scope, path))
        return;
    struct str first = path->steps[0].name;
    if (!scope->columns) {
        unknown_name(scope, path, path->text);
        take_column(path, NULL, 0);
        return;
    }
    if (!scope->q->options->catalog) {
        if (!bind_qualified(scope, path))
            take_column(path, NULL, 0);
        return;
    }
    uint32_t before = scope->q->errors.total;
    if (path->len > 1 && find_in_tables(scope, path, path->text, path->len) > 0)
        return;
    if (bind_qualified(scope, path) || find_in_tables(scope, path, first, 1) > 0) {
        bool into = path->json_from < path->len && scope->q->errors.total == before;
        if (into && path->column_type != DSL_JSON && path->column_type != DSL_ANY)
            dsl_fail(scope->q, DSL_TYPE_MISMATCH, path->at, STR_NONE, no_words,
                     "column \"%.*s\" is %s: only a json column has something inside",
                     SHOWN(path->column), dsl_type_name(path->column_type));
        return;
    }
    if (all_known(scope))
        unknown_name(scope, path, first);
    take_column(path, NULL, 0); /* for the engine to judge, when nobody else may */
}

static void bind_value(const struct scope *scope, struct dsl_expr *expr)
{
    if (!expr)
        return;
    if (expr->kind == EXPR_PATH)
        bind_path(scope, expr->path);
    for (uint32_t i = 0; i < expr->args_len; i++)
        bind_value(scope, &expr->args[i]);
    expr->type = dsl_expr_type(scope->q, expr);
}

static void bind_cond(const struct scope *scope, struct dsl_cond *cond)
{
    if (!cond)
        return;
    for (uint32_t i = 0; i < cond->items_len; i++)
        bind_cond(scope, cond->items[i]);
    if (cond->kind != COND_TEST)
        return;
    uint32_t before = scope->q->errors.total;
    bind_path(scope, cond->left);
    for (uint32_t i = 0; i < cond->values_len; i++)
        bind_value(scope, &cond->values[i]);
    if (scope->q->errors.total == before)
        dsl_check_test(scope->q, cond);
}

static void bind_orders(const struct scope *scope, struct dsl_order *order, uint32_t len)
{
    for (uint32_t i = 0; i < len; i++) {
        bind_path(scope, order[i].path);
        if (order[i].path && dsl_path_has_all(order[i].path))
            dsl_bad(scope->q, order[i].path->at, "a path with [*] is a list and has no order");
    }
}

static void bind_one_output(const struct scope *scope, struct dsl_output *output)
{
    uint32_t before = scope->q->errors.total;
    bind_value(scope, output->expr);
    bind_path(scope, output->path);
    bind_cond(scope, output->where);
    bind_value(scope, output->otherwise);
    bind_orders(scope, output->order, output->order_len);
    for (uint32_t i = 0; i < output->partition_len; i++)
        bind_path(scope, output->partition[i]);
    if (scope->q->errors.total == before)
        dsl_check_output(scope->q, output);
}

static void bind_joins(struct dsl_query *q)
{
    for (uint32_t i = 1; i < q->tables_len; i++) {
        struct scope scope = {q, i + 1, true, false, true};
        bind_cond(&scope, q->tables[i].on);
    }
}

/* With DISTINCT only what is selected has an order. */
static void check_distinct(struct dsl_query *q)
{
    for (uint32_t i = 0; q->distinct && !q->star && i < q->order_len; i++) {
        const struct dsl_path *path = q->order[i].path;
        bool selected = !path || path->output;
        for (uint32_t k = 0; !selected && k < q->outputs_len; k++) {
            const struct dsl_expr *expr = q->outputs[k].expr;
            selected = expr && expr->kind == EXPR_PATH && expr->path &&
                       str_eq(expr->path->text, path->text);
        }
        if (!selected)
            dsl_bad(q, q->order[i].at, "distinct rows are ordered by selected columns only");
    }
}

void dsl_query_bind(struct dsl_query *q)
{
    struct scope rows = {q, q->tables_len, false, false, true};
    struct scope answer = {q, q->tables_len, false, true, !q->aggregate};
    if (!q->tables)
        return;
    if (q->options->catalog)
        bind_tables(q);
    bind_joins(q);
    bind_cond(&rows, q->where);
    for (uint32_t i = 0; i < q->outputs_len; i++)
        bind_one_output(&rows, &q->outputs[i]);
    bind_cond(&answer, q->having);
    bind_cond(&answer, q->qualify);
    bind_orders(&answer, q->order, q->order_len);
    check_distinct(q);
}

/* analyze.c: what a statement touches. One walk over the source tree with scopes: tables of a FROM
 * are entered first, then names are resolved against them, from the inside out. Derived tables
 * (sub-queries, CTEs) carry their outputs, so that a column can be followed to base tables. */
#include <stdio.h>

#include "query/lang/functions.h"
#include "query/lang/lang.h"
#include "query/lang/token.h"
#include "query/lang/write_int.h"

struct columns {
    struct lang_column *items;
    size_t count, cap;
};

struct outputs {
    struct lang_output *items;
    size_t count, cap;
};

/* A table in scope: a base table (outputs NULL) or a derived one. */
struct entry {
    struct str alias;
    struct str name;
    const struct outputs *outputs;
    struct entry *next;
};

struct scope {
    struct scope *parent;
    struct entry *entries;
    struct entry *ctes; /* with their outputs */
};

struct analyzer {
    struct arena *arena;
    const struct lang_query *query;
    struct lang_analysis *ret;
    struct columns *sink; /* base columns of the expression at hand */
    struct columns all;
    size_t table_cap, function_cap, parameter_cap, filter_cap, aggregate_cap, join_cap, cte_cap;
    bool failed;
    int depth;
};

static struct outputs *walk_query(struct analyzer *a, const struct node *query,
                                  struct scope *parent, bool top);
static void walk(struct analyzer *a, const struct node *node, struct scope *scope);

/* Makes room for one more item of an array in the arena. */
static void *grow(struct analyzer *a, void *items, size_t count, size_t *cap, size_t size)
{
    if (count < *cap)
        return items;
    size_t wider = *cap ? *cap * 2 : 8;
    void *grown = arena_array(a->arena, wider, size);
    if (!grown) {
        a->failed = true;
        return NULL;
    }
    if (count)
        memcpy(grown, items, count * size);
    *cap = wider;
    return grown;
}

#define PUSH(a, array, counter, capacity, value)                                                   \
    do {                                                                                           \
        void *push_ = grow((a), (array), (counter), &(capacity), sizeof *(array));                 \
        if (push_) {                                                                               \
            (array) = push_;                                                                       \
            (array)[(counter)++] = (value);                                                        \
        }                                                                                          \
    } while (0)

/* A node's text in its own dialect. */
static struct str text_of(struct analyzer *a, const struct node *node)
{
    if (!node)
        return STR("");
    struct buf out;
    struct lang_problem problem;
    struct target target = {
        .name = "source", .quote = a->query->dialect == LANG_MYSQL ? '`' : '"', .canonical = true};
    buf_init(&out, 1 << 16);
    struct writer w = {.arena = a->arena,
                       .out = &out,
                       .target = &target,
                       .id = a->query->dialect,
                       .problem = &problem};
    write_node(&w, node, 0);
    struct str text = arena_str(a->arena, buf_str(&out));
    buf_release(&out);
    if (!text.data)
        a->failed = true;
    return text.data ? text : STR("");
}

static struct str dotted(struct analyzer *a, const struct node *ref)
{
    struct str name = ref->count ? ref->kids[0]->text : STR("");
    for (size_t i = 1; i < ref->count; i++) {
        const char *text =
            arena_printf(a->arena, "%.*s.%.*s", STR_ARG(name), STR_ARG(ref->kids[i]->text));
        if (!text)
            a->failed = true;
        name = str_of(text ? text : "");
    }
    return name;
}

static struct str last_part(const struct node *ref)
{
    return ref->count ? ref->kids[ref->count - 1]->text : STR("");
}

/* ---- columns ---- */

static bool same_column(const struct lang_column *a, struct lang_column b)
{
    return str_eq_nocase(a->table, b.table) && str_eq_nocase(a->name, b.name);
}

static void add_to(struct analyzer *a, struct columns *columns, struct lang_column column)
{
    for (size_t i = 0; i < columns->count; i++) {
        if (same_column(&columns->items[i], column))
            return;
    }
    PUSH(a, columns->items, columns->count, columns->cap, column);
}

static void add_column(struct analyzer *a, struct lang_column column)
{
    add_to(a, &a->all, column);
    if (a->sink)
        add_to(a, a->sink, column);
}

static const struct entry *find_entry(const struct scope *scope, struct str alias)
{
    for (; scope; scope = scope->parent) {
        for (const struct entry *e = scope->entries; e; e = e->next) {
            if (str_eq_nocase(e->alias, alias))
                return e;
        }
    }
    return NULL;
}

static const struct lang_output *find_output(const struct outputs *outputs, struct str name)
{
    for (size_t i = 0; outputs && i < outputs->count; i++) {
        if (str_eq_nocase(outputs->items[i].name, name))
            return &outputs->items[i];
    }
    return NULL;
}

static void add_output(struct analyzer *a, const struct lang_output *output)
{
    for (size_t i = 0; i < output->from_count; i++) {
        if (a->sink)
            add_to(a, a->sink, output->from[i]);
    }
}

static void resolve_in(struct analyzer *a, const struct entry *entry, struct str name,
                       size_t offset)
{
    if (!entry->outputs) {
        add_column(a, (struct lang_column){.table = entry->name, .name = name, .offset = offset});
        return;
    }
    const struct lang_output *output = find_output(entry->outputs, name);
    if (output) {
        add_output(a, output);
        return;
    }
    for (size_t i = 0; i < entry->outputs->count; i++) { /* through a star */
        const struct lang_output *star = &entry->outputs->items[i];
        if (!str_is(star->name, "*"))
            continue;
        for (size_t k = 0; k < star->from_count; k++)
            add_column(a, (struct lang_column){
                              .table = star->from[k].table, .name = name, .offset = offset});
    }
}

static void resolve_bare(struct analyzer *a, struct str name, const struct scope *scope,
                         size_t offset)
{
    for (const struct scope *s = scope; s; s = s->parent) {
        for (const struct entry *e = s->entries; e; e = e->next) {
            const struct lang_output *output = find_output(e->outputs, name);
            if (output) {
                add_output(a, output);
                return;
            }
        }
    }
    const struct entry *base = NULL;
    size_t bases = 0, derived = 0;
    for (const struct entry *e = scope ? scope->entries : NULL; e; e = e->next) {
        bases += e->outputs == NULL;
        derived += e->outputs != NULL;
        base = e->outputs ? base : e;
    }
    if (bases == 1)
        add_column(a, (struct lang_column){.table = base->name, .name = name, .offset = offset});
    else if (bases > 1 || derived == 0)
        add_column(a, (struct lang_column){.table = STR(""), .name = name, .offset = offset});
    else
        resolve_in(a, scope->entries, name, offset);
}

static void walk_ref(struct analyzer *a, const struct node *ref, struct scope *scope)
{
    if (ref->count >= 2) {
        for (size_t i = ref->count - 1; i-- > 0;) { /* s.t.c: t is nearest to the column */
            const struct entry *entry = find_entry(scope, ref->kids[i]->text);
            if (entry) {
                resolve_in(a, entry, ref->kids[i + 1]->text, ref->offset);
                return;
            }
        }
    }
    resolve_bare(a, ref->kids[0]->text, scope, ref->offset);
}

static void star_of(struct analyzer *a, const struct entry *e, size_t offset)
{
    if (!e->outputs) {
        add_column(a, (struct lang_column){.table = e->name, .name = STR("*"), .offset = offset});
        return;
    }
    for (size_t i = 0; i < e->outputs->count; i++)
        add_output(a, &e->outputs->items[i]);
}

static void walk_star(struct analyzer *a, const struct node *star, struct scope *scope)
{
    a->ret->select_star = true;
    if (node_is(star->kids[0], N_REF)) {
        const struct entry *entry = find_entry(scope, last_part(star->kids[0]));
        if (entry)
            star_of(a, entry, star->offset);
    } else {
        for (const struct entry *e = scope ? scope->entries : NULL; e; e = e->next)
            star_of(a, e, star->offset);
    }
    walk(a, star->kids[2], scope);
}

/* ---- tables ---- */

static void enter(struct analyzer *a, struct scope *scope, struct str alias, struct str name,
                  const struct outputs *outputs)
{
    struct entry *e = ARENA_NEW(a->arena, struct entry);
    if (!e) {
        a->failed = true;
        return;
    }
    *e = (struct entry){.alias = alias, .name = name, .outputs = outputs};
    struct entry **end = &scope->entries;
    while (*end)
        end = &(*end)->next;
    *end = e;
}

static const struct entry *find_cte(const struct scope *scope, struct str name)
{
    for (; scope; scope = scope->parent) {
        for (const struct entry *e = scope->ctes; e; e = e->next) {
            if (str_eq_nocase(e->alias, name))
                return e;
        }
    }
    return NULL;
}

static struct str alias_of(const struct node *alias)
{
    return alias ? alias->text : STR("");
}

/* Outputs under the names of t(a, b). */
static const struct outputs *renamed(struct analyzer *a, const struct outputs *outputs,
                                     const struct node *alias)
{
    const struct node *names = alias ? kid(alias, 1) : NULL;
    if (!names || !outputs)
        return outputs;
    struct outputs *copy = ARENA_NEW(a->arena, struct outputs);
    if (!copy) {
        a->failed = true;
        return outputs;
    }
    for (size_t i = 0; i < outputs->count; i++) {
        struct lang_output output = outputs->items[i];
        if (i < names->count)
            output.name = names->kids[i]->text;
        PUSH(a, copy->items, copy->count, copy->cap, output);
    }
    return copy;
}

static void add_table(struct analyzer *a, struct lang_table table)
{
    PUSH(a, a->ret->tables, a->ret->table_count, a->table_cap, table);
}

static void walk_name(struct analyzer *a, const struct node *table, struct scope *scope,
                      bool written)
{
    const struct node *ref = table->kids[0];
    struct str last = last_part(ref), alias = alias_of(table->kids[1]);
    const struct entry *cte = ref->count == 1 ? find_cte(scope, last) : NULL;
    if (cte && !written) {
        enter(a, scope, alias.len ? alias : last, last, renamed(a, cte->outputs, table->kids[1]));
        return;
    }
    struct str name = dotted(a, ref);
    add_table(a, (struct lang_table){.name = name,
                                     .last = last,
                                     .alias = alias,
                                     .offset = table->offset,
                                     .is_written = written});
    enter(a, scope, alias.len ? alias : last, name, NULL);
}

static void walk_from(struct analyzer *a, const struct node *table, struct scope *scope, bool top);

static void add_join(struct analyzer *a, const struct node *join)
{
    static const char *const sides[][2] = {
        {"INNER", "inner"}, {"LEFT", "left"}, {"RIGHT", "right"}, {"FULL", "full"},
        {"CROSS", "cross"}, {"SEMI", "semi"}, {"ANTI", "anti"}};
    struct lang_join item = {.side = "inner"};
    for (size_t i = 0; i < 7; i++) {
        if (str_is(join->text, sides[i][0]))
            item.side = sides[i][1];
    }
    const struct node *right = join->kids[1];
    if (node_is(right, N_TABLE))
        item.table = dotted(a, right->kids[0]);
    else if (right && (right->kind == N_TABLE_QUERY || right->kind == N_TABLE_CALL))
        item.table = alias_of(right->kids[1]);
    item.condition = join->kids[2] ? text_of(a, join->kids[2]) : text_of(a, join->kids[3]);
    PUSH(a, a->ret->joins, a->ret->join_count, a->join_cap, item);
}

static void add_filters(struct analyzer *a, const struct node *condition, struct scope *scope);

static void walk_join(struct analyzer *a, const struct node *join, struct scope *scope, bool top)
{
    walk_from(a, join->kids[0], scope, top);
    if (str_ends(join->text, STR("ARRAY")))
        walk(a, join->kids[1], scope);
    else
        walk_from(a, join->kids[1], scope, top);
    if (top)
        add_join(a, join);
    walk(a, join->kids[2], scope);
    if (join->kids[3]) {
        for (size_t i = 0; i < join->kids[3]->count; i++)
            resolve_bare(a, join->kids[3]->kids[i]->text, scope, join->kids[3]->kids[i]->offset);
    }
    if (top)
        add_filters(a, join->kids[2], scope);
}

static void walk_from(struct analyzer *a, const struct node *table, struct scope *scope, bool top)
{
    static const struct outputs nothing;
    if (!table || a->failed)
        return;
    switch (table->kind) {
    case N_TABLE:
        walk_name(a, table, scope, false);
        break;
    case N_TABLE_CALL: {
        struct str name = table->kids[0]->text, alias = alias_of(table->kids[1]);
        add_table(a, (struct lang_table){.name = name,
                                         .last = name,
                                         .alias = alias,
                                         .offset = table->offset,
                                         .is_function = true});
        walk(a, table->kids[0], scope);
        enter(a, scope, alias.len ? alias : name, name, &nothing);
        break;
    }
    case N_TABLE_QUERY: {
        struct scope *outer = scope;
        const struct outputs *outputs = walk_query(a, table->kids[0], outer, false);
        enter(a, scope, alias_of(table->kids[1]), STR(""),
              renamed(a, outputs ? outputs : &nothing, table->kids[1]));
        break;
    }
    case N_TABLE_JOINED:
        walk_from(a, table->kids[0], scope, top);
        break;
    case N_JOIN:
        walk_join(a, table, scope, top);
        break;
    case N_PIVOT: {
        walk_from(a, table->kids[0], scope, false);
        walk(a, table->kids[1], scope);
        for (size_t i = 0; i < list_count(kid(table, 4)); i++)
            walk(a, table->kids[4]->kids[i], scope);
        break;
    }
    default:
        walk(a, table, scope);
        break;
    }
}

/* ---- functions, parameters ---- */

static void add_function(struct analyzer *a, struct str name)
{
    char *lower = arena_alloc(a->arena, name.len + 1);
    if (!lower) {
        a->failed = true;
        return;
    }
    for (size_t i = 0; i < name.len; i++)
        lower[i] =
            (char)(name.data[i] >= 'A' && name.data[i] <= 'Z' ? name.data[i] + 32 : name.data[i]);
    struct str text = str_make(lower, name.len);
    for (size_t i = 0; i < a->ret->function_count; i++) {
        if (str_eq(a->ret->functions[i], text))
            return;
    }
    PUSH(a, a->ret->functions, a->ret->function_count, a->function_cap, text);
}

static bool is_aggregate(const struct node *node)
{
    static const char *const others[] = {
        "group_concat", "uniq", "uniqexact",     "grouparray",   "countif",     "sumif",
        "avgif",        "std",  "json_arrayagg", "collect_list", "collect_set", "array_agg"};
    if (!node_is(node, N_CALL) || node->kids[CALL_OVER])
        return false;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        if (str_eq_nocase(node->text, str_of(others[i])))
            return true;
    }
    return function_is_aggregate(node->text);
}

static bool has_aggregate(const struct node *node)
{
    if (!node || node_is_query(node) || node->kind == N_SUBQUERY)
        return false;
    if (is_aggregate(node))
        return true;
    for (size_t i = 0; i < node->count; i++) {
        if (has_aggregate(node->kids[i]))
            return true;
    }
    return false;
}

static void add_aggregates(struct analyzer *a, const struct node *node, struct str alias)
{
    if (!node || node_is_query(node))
        return;
    if (is_aggregate(node)) {
        const struct node *args = node->kids[CALL_ARGS];
        struct lang_aggregate item = {.alias = alias,
                                      .distinct = (node->flags & NODE_DISTINCT) != 0};
        char *lower = arena_alloc(a->arena, node->text.len + 1);
        if (!lower) {
            a->failed = true;
            return;
        }
        for (size_t i = 0; i < node->text.len; i++)
            lower[i] = (char)(node->text.data[i] >= 'A' && node->text.data[i] <= 'Z'
                                  ? node->text.data[i] + 32
                                  : node->text.data[i]);
        item.function = str_make(lower, node->text.len);
        item.column = list_count(args) ? text_of(a, args->kids[0]) : STR("*");
        PUSH(a, a->ret->aggregates, a->ret->aggregate_count, a->aggregate_cap, item);
        return;
    }
    for (size_t i = 0; i < node->count; i++)
        add_aggregates(a, node->kids[i], node->kind == N_ALIAS ? node->text : alias);
}

static void walk(struct analyzer *a, const struct node *node, struct scope *scope)
{
    if (!node || a->failed)
        return;
    switch (node->kind) {
    case N_REF:
        walk_ref(a, node, scope);
        return;
    case N_STAR:
        walk_star(a, node, scope);
        return;
    case N_PARAM:
        PUSH(a, a->ret->parameters, a->ret->parameter_count, a->parameter_cap, node->text);
        return;
    case N_SELECT:
    case N_SETOP:
    case N_VALUES: {
        struct columns *sink = a->sink;
        struct columns inner = {0};
        a->sink = &inner;
        const struct outputs *outputs = walk_query(a, node, scope, false);
        a->sink = sink;
        for (size_t i = 0; outputs && sink && i < outputs->count; i++)
            add_output(a, &outputs->items[i]);
        return;
    }
    case N_LAMBDA:
        walk(a, node->kids[1], scope);
        return;
    case N_CALL:
        add_function(a, node->text);
        break;
    case N_TYPE:
        return;
    default:
        break;
    }
    bool star = node->kind == N_CALL && list_count(node->kids[CALL_ARGS]) == 1 &&
                node->kids[CALL_ARGS]->kids[0]->kind == N_STAR &&
                !node->kids[CALL_ARGS]->kids[0]->kids[0];
    for (size_t i = star ? 1 : 0; i < node->count; i++)
        walk(a, node->kids[i], scope);
}

/* ---- filters ---- */

static const char *filter_op(const struct node *node)
{
    static const char *const ops[][2] = {{"=", "eq"},
                                         {"<>", "ne"},
                                         {">", "gt"},
                                         {">=", "gte"},
                                         {"<", "lt"},
                                         {"<=", "lte"},
                                         {"<=>", "is_not_distinct"}};
    bool negated = node->flags & NODE_NOT;
    switch (node->kind) {
    case N_BINARY:
        for (size_t i = 0; i < 7; i++) {
            if (str_is(node->text, ops[i][0]))
                return ops[i][1];
        }
        return NULL;
    case N_IN:
        return negated ? "not_in" : "in";
    case N_BETWEEN:
        return negated ? "not_between" : "between";
    case N_LIKE:
        return str_is(node->text, "ILIKE")   ? (negated ? "not_ilike" : "ilike")
               : str_is(node->text, "RLIKE") ? "regex"
               : negated                     ? "not_like"
                                             : "like";
    case N_IS:
        if (str_is(node->text, "NULL"))
            return negated ? "is_not_null" : "is_null";
        return str_is(node->text, "DISTINCT FROM") ? (negated ? "is_not_distinct" : "is_distinct")
                                                   : NULL;
    default:
        return NULL;
    }
}

static const char *turned(const char *op)
{
    static const char *const pairs[][2] = {
        {"gt", "lt"}, {"gte", "lte"}, {"lt", "gt"}, {"lte", "gte"}};
    for (size_t i = 0; i < 4; i++) {
        if (strcmp(op, pairs[i][0]) == 0)
            return pairs[i][1];
    }
    return op;
}

static struct str value_text(struct analyzer *a, const struct node *value)
{
    if (value && (value->kind == N_STRING || value->kind == N_NUMBER))
        return value->text;
    return text_of(a, value);
}

static void add_filters(struct analyzer *a, const struct node *condition, struct scope *scope)
{
    if (!condition || a->failed)
        return;
    if (condition->kind == N_BINARY && str_is(condition->text, "AND")) {
        add_filters(a, condition->kids[0], scope);
        add_filters(a, condition->kids[1], scope);
        return;
    }
    const char *op = filter_op(condition);
    const struct node *left = kid(condition, 0), *right = kid(condition, 1);
    if (op && condition->kind == N_BINARY && !node_is(left, N_REF) && node_is(right, N_REF)) {
        const struct node *other = left;
        left = right;
        right = other;
        op = turned(op);
    }
    if (!op || !node_is(left, N_REF))
        return;
    struct lang_filter filter = {.op = op, .value = value_text(a, right)};
    if (condition->kind == N_BETWEEN) {
        const char *both =
            arena_printf(a->arena, "%.*s AND %.*s", STR_ARG(text_of(a, kid(condition, 1))),
                         STR_ARG(text_of(a, kid(condition, 2))));
        filter.value = str_of(both ? both : "");
    }
    struct columns found = {0}, *sink = a->sink;
    a->sink = &found;
    walk_ref(a, left, scope);
    a->sink = sink;
    filter.column = found.count ? found.items[0]
                                : (struct lang_column){.table = STR(""),
                                                       .name = last_part(left),
                                                       .offset = left->offset};
    PUSH(a, a->ret->filters, a->ret->filter_count, a->filter_cap, filter);
}

/* ---- queries ---- */

static void push_texts(struct analyzer *a, const struct node *list, struct str **ret, size_t *count)
{
    size_t cap = 0;
    for (size_t i = 0; i < list_count(list); i++)
        PUSH(a, *ret, *count, cap, text_of(a, list->kids[i]));
}

static void push_orders(struct analyzer *a, const struct node *list)
{
    size_t cap = 0;
    for (size_t i = 0; i < list_count(list); i++) {
        const struct node *order = list->kids[i];
        struct lang_order item = {.expression =
                                      order->kids[0] ? text_of(a, order->kids[0]) : STR("ALL"),
                                  .descending = (order->flags & NODE_DESC) != 0};
        item.nulls = order->flags & NODE_NULLS_FIRST  ? "first"
                     : order->flags & NODE_NULLS_LAST ? "last"
                                                      : NULL;
        PUSH(a, a->ret->order_by, a->ret->order_count, cap, item);
    }
}

static int64_t number_of(const struct node *node)
{
    int64_t value = 0;
    return node_is(node, N_NUMBER) && str_to_int64(node->text, &value) ? value : -1;
}

static void walk_ctes(struct analyzer *a, const struct node *with, struct scope *scope)
{
    for (size_t i = 0; i < list_count(with) && !a->failed; i++) {
        const struct node *cte = with->kids[i];
        struct entry *e = ARENA_NEW(a->arena, struct entry);
        struct outputs *none = ARENA_NEW(a->arena, struct outputs);
        if (!e || !none) {
            a->failed = true;
            return;
        }
        PUSH(a, a->ret->ctes, a->ret->cte_count, a->cte_cap, cte->text);
        *e = (struct entry){
            .alias = cte->text, .name = cte->text, .outputs = none, .next = scope->ctes};
        if (with->flags & NODE_RECURSIVE)
            scope->ctes = e;
        if (node_is_query(cte->kids[1])) {
            struct node alias = {
                .kind = N_ALIAS, .count = 2, .kids = (struct node *[]){NULL, cte->kids[0]}};
            const struct outputs *outputs = walk_query(a, cte->kids[1], scope, false);
            e->outputs = renamed(a, outputs ? outputs : none, &alias);
        } else {
            walk(a, cte->kids[1], scope);
        }
        scope->ctes = e;
    }
}

static struct str output_name(struct analyzer *a, const struct node *item)
{
    if (item->kind == N_ALIAS)
        return item->text;
    if (item->kind == N_REF)
        return last_part(item);
    if (item->kind == N_STAR)
        return STR("*");
    return text_of(a, item);
}

static struct outputs *walk_items(struct analyzer *a, const struct node *select,
                                  struct scope *scope)
{
    struct outputs *outputs = ARENA_NEW(a->arena, struct outputs);
    const struct node *items = select->kids[SELECT_ITEMS];
    struct columns *sink = a->sink;
    if (!outputs) {
        a->failed = true;
        return NULL;
    }
    for (size_t i = 0; i < (items ? items->count : 1) && !a->failed; i++) {
        struct columns from = {0};
        struct lang_output output = {.name = STR("*")};
        a->sink = &from;
        if (items) {
            walk(a, items->kids[i], scope);
            output.name = output_name(a, items->kids[i]);
            output.is_aggregate = has_aggregate(items->kids[i]);
        } else {
            a->ret->select_star = true;
            for (const struct entry *e = scope->entries; e; e = e->next)
                star_of(a, e, select->offset);
        }
        a->sink = sink;
        output.from = from.items;
        output.from_count = from.count;
        PUSH(a, outputs->items, outputs->count, outputs->cap, output);
    }
    return outputs;
}

/* Names of the select list may stand in GROUP BY, HAVING, ORDER BY. */
static bool is_output(const struct outputs *outputs, const struct node *node)
{
    return node_is(node, N_REF) && node->count == 1 &&
           find_output(outputs, node->kids[0]->text) != NULL;
}

static void walk_list(struct analyzer *a, const struct node *list, struct scope *scope,
                      const struct outputs *outputs)
{
    for (size_t i = 0; i < list_count(list); i++) {
        const struct node *item = list->kids[i];
        const struct node *value = node_is(item, N_ORDER) ? item->kids[0] : item;
        if (!is_output(outputs, value))
            walk(a, item, scope);
    }
}

static void top_facts(struct analyzer *a, const struct node *query)
{
    push_orders(a, query->kids[SLOT_ORDER]);
    a->ret->limit = number_of(query->kids[SLOT_LIMIT]);
    a->ret->offset = number_of(query->kids[SLOT_OFFSET]);
}

static struct outputs *walk_select(struct analyzer *a, const struct node *select,
                                   struct scope *scope, bool top)
{
    const struct node *from = select->kids[SELECT_FROM];
    struct columns rest = {0}, *sink = a->sink;
    a->sink = &rest;
    for (size_t i = 0; i < list_count(from); i++)
        walk_from(a, from->kids[i], scope, top);
    a->sink = sink;
    struct outputs *outputs = walk_items(a, select, scope);
    a->sink = &rest;
    walk(a, select->kids[SELECT_WHERE], scope);
    walk_list(a, select->kids[SELECT_DISTINCT_ON], scope, outputs);
    walk_list(a, select->kids[SELECT_GROUP], scope, outputs);
    walk(a, select->kids[SELECT_HAVING], scope);
    walk(a, select->kids[SELECT_QUALIFY], scope);
    walk(a, select->kids[SELECT_WINDOWS], scope);
    walk(a, select->kids[SELECT_LIMIT_BY], scope);
    walk_list(a, select->kids[SLOT_ORDER], scope, outputs);
    walk(a, select->kids[SLOT_LIMIT], scope);
    walk(a, select->kids[SLOT_OFFSET], scope);
    if (top) {
        add_filters(a, select->kids[SELECT_WHERE], scope);
        add_aggregates(a, select->kids[SELECT_ITEMS], STR(""));
        push_texts(a, select->kids[SELECT_GROUP], &a->ret->group_by, &a->ret->group_count);
    }
    a->sink = sink;
    return outputs;
}

static struct outputs *walk_query(struct analyzer *a, const struct node *query,
                                  struct scope *parent, bool top)
{
    if (!query || a->failed)
        return NULL;
    struct scope *scope = ARENA_NEW(a->arena, struct scope);
    if (!scope) {
        a->failed = true;
        return NULL;
    }
    scope->parent = parent;
    walk_ctes(a, query->kids[SLOT_WITH], scope);
    if (top)
        top_facts(a, query);
    if (query->kind == N_SELECT)
        return walk_select(a, query, scope, top);
    if (query->kind == N_VALUES) {
        walk(a, query->kids[VALUES_ROWS], scope);
        return NULL;
    }
    struct outputs *left = walk_query(a, query->kids[SETOP_LEFT], scope, false);
    struct outputs *right = walk_query(a, query->kids[SETOP_RIGHT], scope, false);
    for (size_t i = 0; left && right && i < left->count && i < right->count; i++) {
        struct columns both = {.items = left->items[i].from,
                               .count = left->items[i].from_count,
                               .cap = left->items[i].from_count};
        for (size_t k = 0; k < right->items[i].from_count; k++)
            add_to(a, &both, right->items[i].from[k]);
        left->items[i].from = both.items;
        left->items[i].from_count = both.count;
    }
    return left ? left : right;
}

/* ---- statements ---- */

static void walk_statement(struct analyzer *a, const struct node *root)
{
    struct scope scope = {0};
    switch (root->kind) {
    case N_INSERT:
        walk_ctes(a, root->kids[3], &scope);
        walk_name(a, root->kids[0], &scope, true);
        walk(a, root->kids[2], &scope);
        break;
    case N_UPDATE:
        walk_ctes(a, root->kids[4], &scope);
        walk_name(a, root->kids[0], &scope, true);
        for (size_t i = 0; i < list_count(root->kids[2]); i++)
            walk_from(a, root->kids[2]->kids[i], &scope, false);
        walk(a, root->kids[1], &scope);
        walk(a, root->kids[3], &scope);
        add_filters(a, root->kids[3], &scope);
        break;
    case N_DELETE:
        walk_ctes(a, root->kids[3], &scope);
        walk_name(a, root->kids[0], &scope, true);
        for (size_t i = 0; i < list_count(root->kids[1]); i++)
            walk_from(a, root->kids[1]->kids[i], &scope, false);
        walk(a, root->kids[2], &scope);
        add_filters(a, root->kids[2], &scope);
        break;
    case N_MERGE:
        walk_name(a, root->kids[0], &scope, true);
        walk_from(a, root->kids[1], &scope, false);
        walk(a, root->kids[2], &scope);
        walk(a, root->kids[3], &scope);
        break;
    case N_CREATE_TABLE:
    case N_CREATE_VIEW:
        add_table(a, (struct lang_table){.name = dotted(a, root->kids[0]),
                                         .last = last_part(root->kids[0]),
                                         .offset = root->kids[0]->offset,
                                         .is_written = true});
        walk(a, root->kids[2], &scope);
        break;
    case N_ALTER:
    case N_DROP:
    case N_REFRESH:
    case N_DESCRIBE:
        add_table(a, (struct lang_table){.name = dotted(a, root->kids[0]),
                                         .last = last_part(root->kids[0]),
                                         .offset = root->kids[0]->offset,
                                         .is_written = root->kind != N_DESCRIBE});
        break;
    case N_EXPLAIN:
        walk_statement(a, root->kids[0]);
        break;
    case N_SHOW:
    case N_OTHER:
        break;
    default: {
        struct outputs *outputs = walk_query(a, root, NULL, true);
        if (outputs) {
            a->ret->outputs = outputs->items;
            a->ret->output_count = outputs->count;
        }
        break;
    }
    }
}

enum status lang_analyze(struct arena *arena, const struct lang_query *query,
                         struct lang_analysis *ret, struct lang_problem *problem)
{
    *ret = (struct lang_analysis){.limit = -1, .offset = -1};
    struct analyzer a = {.arena = arena, .query = query, .ret = ret};
    walk_statement(&a, query->root);
    ret->columns = a.all.items;
    ret->column_count = a.all.count;
    if (!a.failed)
        return STATUS_OK;
    if (problem) {
        *problem = (struct lang_problem){.code = LANG_NO_MEMORY};
        snprintf(problem->message, sizeof problem->message, "no memory for the statement");
    }
    return STATUS_NO_MEMORY;
}

/* ---- what may never be read ---- */

static bool is_path(struct str name)
{
    for (size_t i = 0; i < name.len; i++) {
        if (strchr("/*\\:?", name.data[i]))
            return true;
    }
    static const char *const ends[] = {".parquet", ".csv", ".json", ".ndjson", ".jsonl", ".tsv",
                                       ".gz",      ".zst", ".db",   ".duckdb", ".txt",   ".xlsx"};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        size_t len = strlen(ends[i]);
        if (name.len > len &&
            str_eq_nocase(str_make(name.data + name.len - len, len), str_of(ends[i])))
            return true;
    }
    return false;
}

static bool is_system(struct str name)
{
    static const char *const heads[] = {
        "information_schema.", "pg_catalog.", "duckdb_", "pragma_", "sqlite_", "system.", "pg_"};
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        size_t len = strlen(heads[i]);
        if (name.len >= len && str_eq_nocase(str_make(name.data, len), str_of(heads[i])))
            return true;
    }
    return false;
}

static bool reads_values_only(struct str function)
{
    static const char *const others[] = {"explode",
                                         "posexplode",
                                         "flatten",
                                         "numbers",
                                         "generator",
                                         "split_to_table",
                                         "string_split",
                                         "values",
                                         "json_array_elements",
                                         "jsonb_array_elements",
                                         "json_table",
                                         "openjson",
                                         "inline",
                                         "stack",
                                         "table",
                                         "sequence",
                                         "regexp_split_to_table",
                                         "jsonb_each",
                                         "generate_array",
                                         "generate_date_array"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        if (str_eq_nocase(function, str_of(others[i])))
            return true;
    }
    return function_is_table(function);
}

enum status lang_check_tables(const struct lang_analysis *analysis, const struct lang_query *query,
                              struct lang_problem *problem)
{
    struct lang_problem scratch;
    if (!problem)
        problem = &scratch;
    for (size_t i = 0; i < analysis->table_count; i++) {
        const struct lang_table *table = &analysis->tables[i];
        const char *why = NULL;
        if (table->is_function && !reads_values_only(table->name))
            why = "this table function is not allowed";
        else if (!table->is_function && is_path(table->name))
            why = "a table is named, not a file";
        else if (!table->is_function && is_system(table->name))
            why = "system tables are not readable";
        if (!why)
            continue;
        *problem = (struct lang_problem){.code = LANG_REFUSED, .offset = table->offset};
        snprintf(problem->found, sizeof problem->found, "%.*s",
                 table->name.len < LANG_NAME_MAX ? (int)table->name.len : LANG_NAME_MAX - 1,
                 table->name.data);
        snprintf(problem->message, sizeof problem->message, "%s: '%s'", why, problem->found);
        problem_place(problem, query->text);
        return STATUS_INVALID_SQL;
    }
    return STATUS_OK;
}

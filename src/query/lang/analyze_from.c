/* analyze_from.c: what stands in FROM: tables enter the scope, joins are noted. */
#include "query/lang/analyze_int.h"

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
const struct outputs *analyze_renamed(struct analyzer *a, const struct outputs *outputs,
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
        ANALYZE_PUSH(a, copy->items, copy->count, copy->cap, output);
    }
    return copy;
}

void analyze_add_table(struct analyzer *a, struct lang_table table)
{
    ANALYZE_PUSH(a, a->ret->tables, a->ret->table_count, a->table_cap, table);
}

void analyze_walk_name(struct analyzer *a, const struct node *table, struct scope *scope,
                       bool written)
{
    const struct node *ref = table->kids[0];
    struct str last = analyze_last_part(ref), alias = alias_of(table->kids[1]);
    const struct entry *cte = ref->count == 1 ? find_cte(scope, last) : NULL;
    if (cte && !written) {
        enter(a, scope, alias.len ? alias : last, last,
              analyze_renamed(a, cte->outputs, table->kids[1]));
        return;
    }
    struct str name = analyze_dotted(a, ref);
    analyze_add_table(a, (struct lang_table){.name = name,
                                             .last = last,
                                             .alias = alias,
                                             .offset = table->offset,
                                             .is_written = written});
    enter(a, scope, alias.len ? alias : last, name, NULL);
}

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
        item.table = analyze_dotted(a, right->kids[0]);
    else if (right && (right->kind == N_TABLE_QUERY || right->kind == N_TABLE_CALL))
        item.table = alias_of(right->kids[1]);
    item.condition =
        join->kids[2] ? analyze_text_of(a, join->kids[2]) : analyze_text_of(a, join->kids[3]);
    ANALYZE_PUSH(a, a->ret->joins, a->ret->join_count, a->join_cap, item);
}

static void walk_join(struct analyzer *a, const struct node *join, struct scope *scope, bool top)
{
    analyze_walk_from(a, join->kids[0], scope, top);
    if (str_ends(join->text, STR("ARRAY")))
        analyze_walk(a, join->kids[1], scope);
    else
        analyze_walk_from(a, join->kids[1], scope, top);
    if (top)
        add_join(a, join);
    analyze_walk(a, join->kids[2], scope);
    if (join->kids[3]) {
        for (size_t i = 0; i < join->kids[3]->count; i++)
            analyze_resolve_bare(a, join->kids[3]->kids[i]->text, scope,
                                 join->kids[3]->kids[i]->offset);
    }
    if (top)
        analyze_add_filters(a, join->kids[2], scope);
}

void analyze_walk_from(struct analyzer *a, const struct node *table, struct scope *scope, bool top)
{
    static const struct outputs nothing;
    if (!table || a->failed)
        return;
    switch (table->kind) {
    case N_TABLE:
        analyze_walk_name(a, table, scope, false);
        break;
    case N_TABLE_CALL: {
        struct str name = table->kids[0]->text, alias = alias_of(table->kids[1]);
        analyze_add_table(a, (struct lang_table){.name = name,
                                                 .last = name,
                                                 .alias = alias,
                                                 .offset = table->offset,
                                                 .is_function = true});
        analyze_walk(a, table->kids[0], scope);
        enter(a, scope, alias.len ? alias : name, name, &nothing);
        break;
    }
    case N_TABLE_QUERY: {
        struct scope *outer = scope;
        const struct outputs *outputs = analyze_walk_query(a, table->kids[0], outer, false);
        enter(a, scope, alias_of(table->kids[1]), STR(""),
              analyze_renamed(a, outputs ? outputs : &nothing, table->kids[1]));
        break;
    }
    case N_TABLE_JOINED:
        analyze_walk_from(a, table->kids[0], scope, top);
        break;
    case N_JOIN:
        walk_join(a, table, scope, top);
        break;
    case N_PIVOT: {
        analyze_walk_from(a, table->kids[0], scope, false);
        analyze_walk(a, table->kids[1], scope);
        for (size_t i = 0; i < list_count(kid(table, 4)); i++)
            analyze_walk(a, table->kids[4]->kids[i], scope);
        break;
    }
    default:
        analyze_walk(a, table, scope);
        break;
    }
}

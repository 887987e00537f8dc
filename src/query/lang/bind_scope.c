/* bind_scope.c: tables in scope, and names to columns. */
#include <stdio.h>

#include "query/lang/bind_int.h"
#include "service/nearest.h"

static void *out_of_memory(struct binder *b)
{
    b->failed = true;
    return NULL;
}

/* ---- making ---- */

struct bind_scope *bind_scope_new(struct binder *b, struct bind_scope *parent)
{
    struct bind_scope *scope = ARENA_NEW(b->arena, struct bind_scope);
    if (!scope)
        return out_of_memory(b);
    *scope = (struct bind_scope){.parent = parent};
    return scope;
}

struct bind_relation *bind_relation_new(struct binder *b, struct str name)
{
    struct bind_relation *relation = ARENA_NEW(b->arena, struct bind_relation);
    if (!relation)
        return out_of_memory(b);
    *relation = (struct bind_relation){.name = name};
    return relation;
}

void bind_enter(struct bind_scope *scope, struct bind_relation *relation)
{
    struct bind_relation **end = &scope->relations;
    while (*end)
        end = &(*end)->next;
    *end = relation;
}

void bind_add_column(struct binder *b, struct bind_relation *relation, struct str name,
                     uint8_t type)
{
    if (relation->count == relation->cap) {
        size_t cap = relation->cap ? relation->cap * 2 : 8;
        struct lang_source_column *wider = arena_array(b->arena, cap, sizeof *wider);
        if (!wider) {
            out_of_memory(b);
            return;
        }
        if (relation->count)
            memcpy(wider, relation->columns, relation->count * sizeof *wider);
        relation->columns = wider;
        relation->cap = cap;
    }
    struct lang_source_column *columns = (struct lang_source_column *)relation->columns;
    columns[relation->count++] = (struct lang_source_column){name, type};
}

void bind_add_name(struct binder *b, struct bind_name **list, struct str name)
{
    struct bind_name *item = ARENA_NEW(b->arena, struct bind_name);
    if (!item) {
        out_of_memory(b);
        return;
    }
    *item = (struct bind_name){name, *list};
    *list = item;
}

bool bind_has_name(const struct bind_name *list, struct str name)
{
    for (; list; list = list->next) {
        if (str_eq_nocase(list->name, name))
            return true;
    }
    return false;
}

const struct lang_source_column *bind_column(const struct bind_relation *relation, struct str name)
{
    for (size_t i = 0; relation && i < relation->count; i++) {
        if (str_eq_nocase(relation->columns[i].name, name))
            return &relation->columns[i];
    }
    return NULL;
}

/* ---- tables ---- */

static const struct bind_relation *find_cte(const struct bind_scope *scope, struct str name)
{
    for (; scope; scope = scope->parent) {
        for (const struct bind_relation *cte = scope->ctes; cte; cte = cte->next) {
            if (str_eq_nocase(cte->name, name))
                return cte;
        }
    }
    return NULL;
}

/* The source of exactly this name, or the only one that differs in case. */
static const struct lang_source *find_source(const struct lang_catalog *catalog, struct str name)
{
    const struct lang_source *alike = NULL;
    size_t count = 0;
    for (size_t i = 0; i < catalog->count; i++) {
        const struct lang_source *source = &catalog->sources[i];
        if (str_eq(source->name, name))
            return source;
        if (str_eq_nocase(source->name, name)) {
            alike = source;
            count++;
        }
    }
    return count == 1 ? alike : NULL;
}

static void suggest(struct lang_problem *problem, const char *name)
{
    if (!problem || !name)
        return;
    size_t len = strlen(problem->message);
    snprintf(problem->nearest, sizeof problem->nearest, "%s", name);
    snprintf(problem->message + len, sizeof problem->message - len, "; did you mean '%s'?", name);
}

static void offer(struct binder *b, struct nearest *nearest, struct str name)
{
    const char *text =
        name.len < LANG_NAME_MAX ? arena_printf(b->arena, "%.*s", STR_ARG(name)) : NULL;
    if (text)
        nearest_offer(nearest, text);
}

static void unknown_table(struct binder *b, const struct node *ref, struct str name)
{
    struct lang_problem *problem =
        bind_problem(b, LANG_UNKNOWN_TABLE, ref->offset, name, "there is no source %.*s",
                     name.len < 100 ? (int)name.len : 100, name.data);
    struct nearest nearest = nearest_begin(name);
    for (size_t i = 0; i < b->catalog->count; i++)
        offer(b, &nearest, b->catalog->sources[i].name);
    suggest(problem, nearest.best);
}

/* db.t: names of other schemas are the gate's to judge, those of the catalog are known. */
static const struct lang_source *source_of_ref(struct binder *b, const struct node *ref,
                                               bool *ret_silent)
{
    struct str last = ref->kids[ref->count - 1]->text, name = last;
    *ret_silent = false;
    if (ref->count == 2 && !str_eq_nocase(ref->kids[0]->text, STR("main"))) {
        const char *dotted =
            arena_printf(b->arena, "%.*s.%.*s", STR_ARG(ref->kids[0]->text), STR_ARG(last));
        if (!dotted)
            return out_of_memory(b);
        *ret_silent = true;
        name = str_of(dotted);
    } else if (ref->count > 2) {
        *ret_silent = true;
        return NULL;
    }
    return find_source(b->catalog, name);
}

struct bind_relation *bind_table(struct binder *b, const struct node *table,
                                 struct bind_scope *scope)
{
    const struct node *ref = table->kids[0], *alias = kid(table, 1);
    if (!node_is(ref, N_REF) || ref->count == 0) {
        struct bind_relation *any = bind_relation_new(b, alias ? alias->text : STR(""));
        if (any)
            any->open = true;
        return any;
    }
    struct str last = ref->kids[ref->count - 1]->text;
    struct bind_relation *relation = bind_relation_new(b, alias ? alias->text : last);
    const struct bind_relation *cte = ref->count == 1 ? find_cte(scope, last) : NULL;
    bool silent = false;
    if (!relation)
        return NULL;
    if (cte) {
        relation->columns = cte->columns;
        relation->count = cte->count;
        relation->open = cte->open;
        return relation;
    }
    const struct lang_source *source = source_of_ref(b, ref, &silent);
    relation->open = !source || source->open;
    if (source) {
        relation->columns = source->columns;
        relation->count = source->count;
    } else if (!silent) {
        unknown_table(b, ref, last);
    }
    return relation;
}

/* ---- columns ---- */

/* DuckDB: alias.x is the item x of the select list. */
static bool names_items(const struct binder *b, const struct node *ref)
{
    return b->id == LANG_DUCKDB && ref->count == 2 &&
           str_eq_nocase(ref->kids[0]->text, STR("alias"));
}

static struct bind_relation *find_relation(const struct bind_scope *scope, struct str name,
                                           bool *ret_open)
{
    for (; scope; scope = scope->parent) {
        *ret_open = *ret_open || scope->open;
        for (struct bind_relation *r = scope->relations; r; r = r->next) {
            if (str_eq_nocase(r->name, name))
                return r;
            *ret_open = *ret_open || r->open;
        }
    }
    return NULL;
}

/* What a name is in one scope. */
struct found {
    size_t count;
    uint8_t type;
    bool open;
};

static struct found find_in(const struct bind_scope *scope, struct str name)
{
    struct found found = {.open = scope->open};
    for (const struct bind_relation *r = scope->relations; r; r = r->next) {
        const struct lang_source_column *column = bind_column(r, name);
        found.open = found.open || r->open;
        if (!column || (r->hidden && found.count))
            continue;
        found.type = found.count && found.type != column->type ? TY_UNKNOWN : column->type;
        found.count += !r->hidden || !found.count;
    }
    if (found.open)
        found.type = TY_UNKNOWN;
    return found;
}

bool bind_is_own_column(const struct bind_scope *scope, const struct node *ref)
{
    struct str name = ref->kids[ref->count - 1]->text;
    struct found found = find_in(scope, name);
    if (found.open || bind_has_name(scope->values, name))
        return false;
    if (ref->count == 1)
        return found.count > 0;
    for (const struct bind_relation *r = scope->relations; r; r = r->next) {
        if (str_eq_nocase(r->name, ref->kids[ref->count - 2]->text))
            return bind_column(r, name) != NULL;
    }
    return false;
}

/* An alias of the select list, whether its item was bound already or not. */
static bool is_alias(const struct bind_scope *scope, struct str name, uint8_t *ret_type)
{
    const struct lang_source_column *output = bind_column(scope->outputs, name);
    if (output) {
        *ret_type = output->type;
        return true;
    }
    for (size_t i = 0; i < list_count(scope->items); i++) {
        const struct node *item = scope->items->kids[i];
        if (node_is(item, N_ALIAS) && str_eq_nocase(item->text, name))
            return true;
    }
    return false;
}

static void offer_columns(struct binder *b, struct nearest *nearest,
                          const struct bind_relation *relation)
{
    for (size_t i = 0; relation && i < relation->count; i++)
        offer(b, nearest, relation->columns[i].name);
}

static void offer_aliases(struct binder *b, struct nearest *nearest, const struct node *items)
{
    for (size_t i = 0; i < list_count(items); i++) {
        if (node_is(items->kids[i], N_ALIAS))
            offer(b, nearest, items->kids[i]->text);
    }
}

void bind_unknown_column(struct binder *b, const struct node *ref, struct str name,
                         const struct bind_relation *in, const struct bind_scope *scope)
{
    struct str table = in ? in->name : STR("");
    struct lang_problem *problem =
        bind_problem(b, LANG_UNKNOWN_COLUMN, ref->offset, name, "there is no column '%.*s'%s%.*s",
                     name.len < 100 ? (int)name.len : 100, name.data, in ? " in " : "",
                     table.len < 60 ? (int)table.len : 60, table.data);
    struct nearest nearest = nearest_begin(name);
    offer_columns(b, &nearest, in);
    for (; !in && scope; scope = scope->parent) {
        for (const struct bind_relation *r = scope->relations; r; r = r->next)
            offer_columns(b, &nearest, r);
        offer_aliases(b, &nearest, scope->items);
    }
    suggest(problem, nearest.best);
}

static void ambiguous(struct binder *b, const struct node *ref, struct str name,
                      const struct bind_scope *scope)
{
    struct str tables[2] = {STR(""), STR("")};
    size_t n = 0;
    for (const struct bind_relation *r = scope->relations; r && n < 2; r = r->next) {
        if (!r->hidden && bind_column(r, name))
            tables[n++] = r->name;
    }
    bind_problem(b, LANG_AMBIGUOUS_COLUMN, ref->offset, name,
                 "'%.*s' is a column of %.*s and of %.*s: write the table's name before it",
                 name.len < 60 ? (int)name.len : 60, name.data,
                 tables[0].len < 60 ? (int)tables[0].len : 60, tables[0].data,
                 tables[1].len < 60 ? (int)tables[1].len : 60, tables[1].data);
}

/* Names that a dialect reads otherwise when there is no such column. */
static bool may_be_else(const struct binder *b, const struct node *ident)
{
    static const char *const pseudo[] = {
        "rowid",          "oid",   "_rowid_", "rownum",   "level",         "ctid",
        "_partitiontime", "value", "sysdate", "excluded", "_table_suffix", "file_row_number"};
    struct str name = ident->text;
    if (b->id == LANG_SQLITE && (ident->flags & NODE_QUOTED)) /* "x" is a string then */
        return true;
    if (name.len && (name.data[0] == '@' || name.data[0] == '$' || name.data[0] == '#'))
        return true;
    for (size_t i = 0; i < sizeof pseudo / sizeof *pseudo; i++) {
        if (str_eq_nocase(name, str_of(pseudo[i])))
            return true;
    }
    return false;
}

static uint8_t bind_bare(struct binder *b, const struct node *ref, struct bind_scope *scope)
{
    struct str name = ref->kids[0]->text;
    bool open = false;
    for (const struct bind_scope *s = scope; s; s = s->parent) {
        uint8_t type = TY_UNKNOWN;
        if (bind_has_name(s->values, name))
            return TY_UNKNOWN;
        struct found found = find_in(s, name);
        bool alias = is_alias(s, name, &type);
        if (found.count > 1 && !found.open && !alias && !bind_has_name(s->merged, name))
            ambiguous(b, ref, name, s);
        bool either = alias && b->clause >= BIND_HAVING; /* elsewhere columns go before aliases */
        if (found.count)
            return either && type != found.type ? (uint8_t)TY_UNKNOWN : found.type;
        if (alias)
            return type;
        open = open || found.open;
    }
    if (open || find_relation(scope, name, &open) || may_be_else(b, ref->kids[0]))
        return TY_UNKNOWN; /* a table's name stands for its row */
    bind_unknown_column(b, ref, name, NULL, scope);
    return TY_UNKNOWN;
}

/* t.c, s.t.c, and c.member of a column. */
uint8_t bind_ref(struct binder *b, struct node *ref, struct bind_scope *scope)
{
    if (ref->count == 0 || names_items(b, ref))
        return TY_UNKNOWN;
    if (ref->count == 1)
        return bind_bare(b, ref, scope);
    bool open = false;
    for (size_t i = ref->count - 1; i-- > 0;) { /* the part nearest to the column first */
        struct bind_relation *relation = find_relation(scope, ref->kids[i]->text, &open);
        if (!relation)
            continue;
        struct str name = ref->kids[i + 1]->text;
        const struct lang_source_column *column = bind_column(relation, name);
        if (column)
            return i + 2 == ref->count ? column->type : TY_UNKNOWN;
        if (!relation->open && !may_be_else(b, ref->kids[i + 1]))
            bind_unknown_column(b, ref, name, relation, scope);
        return TY_UNKNOWN;
    }
    for (const struct bind_scope *s = scope; s; s = s->parent) {
        uint8_t type;
        struct str first = ref->kids[0]->text;
        if (bind_has_name(s->values, first) || find_in(s, first).count || is_alias(s, first, &type))
            return TY_UNKNOWN; /* a member of a column */
    }
    if (!open && !may_be_else(b, ref->kids[0]))
        bind_problem(b, LANG_UNKNOWN_TABLE, ref->offset, ref->kids[0]->text,
                     "'%.*s' is neither a table of this query nor a column",
                     ref->kids[0]->text.len < 100 ? (int)ref->kids[0]->text.len : 100,
                     ref->kids[0]->text.data);
    return TY_UNKNOWN;
}

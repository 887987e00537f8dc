/* statement_tables.c: tables that a statement names. Of system tables, system.files becomes the
 * table "system.files" under the alias files: the engine has schemas of such names of its own. */
#include <stdlib.h>

#include "query/lang/node.h"
#include "services/tenant/statement.h"

struct finder {
    struct statement *statement;
    struct node **refs; /* the names found, in the order of the walk */
    size_t len, cap;
    bool failed;
};

static const struct system_table *table_of(const struct node *ref)
{
    char name[64];
    if (!node_is(ref, N_REF) || ref->count != 2)
        return NULL;
    struct str schema = ref->kids[0]->text, last = ref->kids[1]->text;
    if (schema.len + 1 + last.len > sizeof name)
        return NULL;
    memcpy(name, schema.data, schema.len);
    name[schema.len] = '.';
    memcpy(name + schema.len + 1, last.data, last.len);
    return system_table_find(str_make(name, schema.len + 1 + last.len));
}

static void keep_table(struct statement *statement, const struct system_table *table)
{
    for (uint32_t i = 0; i < statement->system_len; i++) {
        if (statement->system[i] == table)
            return;
    }
    statement->system[statement->system_len++] = table;
}

static void keep_ref(struct finder *finder, struct node *ref)
{
    if (finder->len == finder->cap) {
        size_t cap = finder->cap ? finder->cap * 2 : 8;
        struct node **wider =
            arena_array(finder->statement->request->arena, cap, sizeof *finder->refs);
        if (!wider) {
            finder->failed = true;
            return;
        }
        if (finder->len)
            memcpy(wider, finder->refs, finder->len * sizeof *wider);
        finder->refs = wider;
        finder->cap = cap;
    }
    finder->refs[finder->len++] = ref;
}

static void find(struct finder *finder, struct node *node)
{
    if (!node || finder->failed)
        return;
    const struct system_table *table = node_is(node, N_TABLE) ? table_of(node->kids[0]) : NULL;
    if (table) {
        keep_table(finder->statement, table);
        keep_ref(finder, node);
    }
    for (size_t i = 0; i < node->count; i++)
        find(finder, node->kids[i]);
}

/* The name in one part, and an alias where there is none. */
static enum status rename_table(struct finder *finder, struct node *table, struct error *err)
{
    struct arena *arena = finder->statement->request->arena;
    const struct system_table *found = table_of(table->kids[0]);
    if (!found) /* of a view that is read twice: renamed already */
        return STATUS_OK;
    struct node *alias = ARENA_NEW(arena, struct node);
    struct node **none = arena_array(arena, 2, sizeof *none);
    if (!alias || !none)
        return error_no_memory(err);
    *alias = (struct node){.kind = N_ALIAS, .count = 2, .kids = none, .text = str_of(found->alias)};
    if (!table->kids[1])
        table->kids[1] = alias;
    table->kids[0]->count = 1;
    table->kids[0]->kids[0]->text = str_of(found->name);
    table->kids[0]->kids[0]->flags |= NODE_QUOTED;
    return STATUS_OK;
}

static int compare_places(const void *a, const void *b)
{
    uint32_t x = (*(struct node *const *)a)->offset, y = (*(struct node *const *)b)->offset;
    return x < y ? -1 : x > y;
}

/* DuckDB's text as it was but for those names, which are of our own list. */
static enum status rewrite(struct finder *finder, struct error *err)
{
    struct statement *statement = finder->statement;
    struct str text = statement->text;
    struct buf out;
    size_t at = 0;
    qsort(finder->refs, finder->len, sizeof *finder->refs, compare_places);
    buf_init(&out, text.len + 256 * (finder->len + 1));
    for (size_t i = 0; i < finder->len; i++) {
        const struct node *table = finder->refs[i], *ref = table->kids[0];
        const struct system_table *found = table_of(ref);
        buf_append_str(&out, str_make(text.data + at, ref->offset - at));
        buf_printf(&out, "\"%s\"", found->name);
        if (!table->kids[1])
            buf_printf(&out, " AS %s", found->alias);
        at = ref->end;
    }
    buf_append_str(&out, str_make(text.data + at, text.len - at));
    if (!buf_failed(&out))
        statement->text = arena_str(statement->request->arena, buf_str(&out));
    bool failed = buf_failed(&out) || !statement->text.data;
    buf_release(&out);
    return failed ? error_no_memory(err) : STATUS_OK;
}

enum status statement_find_system_tables(struct statement *statement, struct error *err)
{
    struct finder finder = {.statement = statement};
    find(&finder, statement->query.root);
    if (finder.failed)
        return error_no_memory(err);
    if (finder.len && statement->query.dialect == LANG_DUCKDB && !statement->has_views)
        TRY(rewrite(&finder, err));
    for (size_t i = 0; i < finder.len; i++)
        TRY(rename_table(&finder, finder.refs[i], err));
    return STATUS_OK;
}

static bool is_cte(const struct lang_analysis *facts, struct str name)
{
    for (size_t i = 0; i < facts->cte_count; i++) {
        if (str_eq_nocase(facts->ctes[i], name))
            return true;
    }
    return false;
}

const struct table_names *statement_table_names(const struct statement *statement)
{
    struct arena *arena = statement->request->arena;
    struct lang_analysis facts;
    struct lang_problem problem;
    if (!statement->is_read || statement->query.statement != LANG_SELECT ||
        lang_analyze(arena, &statement->query, &facts, &problem) != STATUS_OK)
        return NULL;
    struct table_names *names = ARENA_NEW(arena, struct table_names);
    if (names)
        names->items = arena_array(arena, facts.table_count, sizeof *names->items);
    if (!names || (!names->items && facts.table_count))
        return NULL;
    for (size_t i = 0; i < facts.table_count; i++) {
        const struct lang_table *table = &facts.tables[i];
        if (system_table_find(table->name))
            return NULL;
        if (!table->is_function && !is_cte(&facts, table->last))
            names->items[names->len++] = table->last;
    }
    return names;
}

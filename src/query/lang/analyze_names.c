/* analyze_names.c: texts of nodes, tables in scope, columns followed to base tables. */
#include <stdio.h>

#include "query/lang/analyze_int.h"
#include "query/lang/write_int.h"

/* Makes room for one more item of an array in the arena. */
void *analyze_grow(struct analyzer *a, void *items, size_t count, size_t *cap, size_t size)
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

/* A node's text in its own dialect. */
struct str analyze_text_of(struct analyzer *a, const struct node *node)
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
    emit_node(&w, node, 0);
    struct str text = arena_str(a->arena, buf_str(&out));
    buf_release(&out);
    if (!text.data)
        a->failed = true;
    return text.data ? text : STR("");
}

struct str analyze_dotted(struct analyzer *a, const struct node *ref)
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

struct str analyze_last_part(const struct node *ref)
{
    return ref->count ? ref->kids[ref->count - 1]->text : STR("");
}

/* ---- columns ---- */

static bool same_column(const struct lang_column *a, struct lang_column b)
{
    return str_eq_nocase(a->table, b.table) && str_eq_nocase(a->name, b.name);
}

void analyze_add_to(struct analyzer *a, struct columns *columns, struct lang_column column)
{
    for (size_t i = 0; i < columns->count; i++) {
        if (same_column(&columns->items[i], column))
            return;
    }
    ANALYZE_PUSH(a, columns->items, columns->count, columns->cap, column);
}

static void add_column(struct analyzer *a, struct lang_column column)
{
    analyze_add_to(a, &a->all, column);
    if (a->sink)
        analyze_add_to(a, a->sink, column);
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

const struct lang_output *analyze_find_output(const struct outputs *outputs, struct str name)
{
    for (size_t i = 0; outputs && i < outputs->count; i++) {
        if (str_eq_nocase(outputs->items[i].name, name))
            return &outputs->items[i];
    }
    return NULL;
}

void analyze_add_output(struct analyzer *a, const struct lang_output *output)
{
    for (size_t i = 0; i < output->from_count; i++) {
        if (a->sink)
            analyze_add_to(a, a->sink, output->from[i]);
    }
}

static void resolve_in(struct analyzer *a, const struct entry *entry, struct str name,
                       size_t offset)
{
    if (!entry->outputs) {
        add_column(a, (struct lang_column){.table = entry->name, .name = name, .offset = offset});
        return;
    }
    const struct lang_output *output = analyze_find_output(entry->outputs, name);
    if (output) {
        analyze_add_output(a, output);
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

void analyze_resolve_bare(struct analyzer *a, struct str name, const struct scope *scope,
                          size_t offset)
{
    for (const struct scope *s = scope; s; s = s->parent) {
        for (const struct entry *e = s->entries; e; e = e->next) {
            const struct lang_output *output = analyze_find_output(e->outputs, name);
            if (output) {
                analyze_add_output(a, output);
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

void analyze_walk_ref(struct analyzer *a, const struct node *ref, struct scope *scope)
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
    analyze_resolve_bare(a, ref->kids[0]->text, scope, ref->offset);
}

void analyze_star_of(struct analyzer *a, const struct entry *e, size_t offset)
{
    if (!e->outputs) {
        add_column(a, (struct lang_column){.table = e->name, .name = STR("*"), .offset = offset});
        return;
    }
    for (size_t i = 0; i < e->outputs->count; i++)
        analyze_add_output(a, &e->outputs->items[i]);
}

void analyze_walk_star(struct analyzer *a, const struct node *star, struct scope *scope)
{
    a->ret->select_star = true;
    if (node_is(star->kids[0], N_REF)) {
        const struct entry *entry = find_entry(scope, analyze_last_part(star->kids[0]));
        if (entry)
            analyze_star_of(a, entry, star->offset);
    } else {
        for (const struct entry *e = scope ? scope->entries : NULL; e; e = e->next)
            analyze_star_of(a, e, star->offset);
    }
    analyze_walk(a, star->kids[2], scope);
}

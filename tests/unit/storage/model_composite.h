/* model_composite.h: indexes over several columns among the model's operations. */
#ifndef QUARRY_TESTS_STORAGE_MODEL_COMPOSITE_H
#define QUARRY_TESTS_STORAGE_MODEL_COMPOSITE_H

#include "model_ops.h"

/* The member's list as the source has it. */
static void read_composites(struct member *m, struct model_composite ret[MODEL_COMPOSITES])
{
    struct index_info *list = NULL;
    struct arena arena;
    uint32_t len = 0, n = 0;
    arena_init(&arena, 0);
    memset(ret, 0, MODEL_COMPOSITES * sizeof *ret);
    assert_ok(source_list_indexes(m->source, &arena, &list, &len, &test_err));
    for (uint32_t i = 0; i < len; i++) {
        if (!list[i].number)
            continue;
        assert_true(n < MODEL_COMPOSITES);
        struct model_composite *c = &ret[n++];
        *c = (struct model_composite){
            .number = list[i].number, .kind = list[i].kind, .len = list[i].columns_len};
        for (uint32_t k = 0; k < c->len; k++)
            c->slots[k] = model_slot(&m->model, list[i].columns[k]);
    }
    arena_release(&arena);
}

static bool same_composite(const struct model_composite *a, const struct model_composite *b)
{
    return a->number == b->number && a->kind == b->kind && a->len == b->len &&
           memcmp(a->slots, b->slots, a->len * sizeof *a->slots) == 0;
}

/* `unsure`: a change of the list was under way. */
static void check_composites(struct member *m, bool unsure)
{
    struct model_composite present[MODEL_COMPOSITES];
    read_composites(m, present);
    for (int i = 0; i < MODEL_COMPOSITES && unsure; i++) {
        m->composites[i] = present[i];
        if (present[i].number > m->composite_last)
            m->composite_last = present[i].number;
    }
    for (int i = 0; i < MODEL_COMPOSITES; i++) {
        bool found = !m->composites[i].number;
        for (int k = 0; k < MODEL_COMPOSITES && !found; k++)
            found = same_composite(&m->composites[i], &present[k]);
        assert_true(found);
        found = !present[i].number;
        for (int k = 0; k < MODEL_COMPOSITES && !found; k++)
            found = same_composite(&present[i], &m->composites[k]);
        assert_true(found);
    }
}

static enum status add_composite(struct world *w, struct member *m, struct model_composite *at)
{
    struct model_composite wanted = {.kind = 1u << below(w, 2), .len = 2 + below(w, 2)};
    struct str names[MODEL_COMPOSITE_LEN];
    uint32_t number = 0;
    for (uint32_t i = 0; i < wanted.len; i++) {
        int slot = (int)below(w, SLOTS);
        for (uint32_t k = 0; k < i; k++)
            if (wanted.slots[k] == slot)
                return STATUS_OK;
        if (!m->model.columns[slot].live)
            return STATUS_OK;
        wanted.slots[i] = slot;
        names[i] = str_of(m->model.columns[slot].name);
    }
    for (int i = 0; i < MODEL_COMPOSITES; i++) { /* there already: nothing changes */
        const struct model_composite *other = &m->composites[i];
        if (other->kind == wanted.kind && other->len == wanted.len &&
            memcmp(other->slots, wanted.slots, wanted.len * sizeof *wanted.slots) == 0)
            return STATUS_OK;
    }
    say(w, m, "add a %s index of %u columns from %s",
        wanted.kind == INDEX_KIND_HASH ? "hash" : "sorted", wanted.len, names[0].data);
    TRY(source_add_composite(m->source, names, wanted.len, wanted.kind, &number, &test_err));
    assert_true(number > m->composite_last); /* never one that was used */
    wanted.number = m->composite_last = number;
    *at = wanted;
    return STATUS_OK;
}

static enum status do_composite(struct world *w, struct member *m)
{
    struct model_composite *at = &m->composites[below(w, MODEL_COMPOSITES)];
    if (!at->number)
        return add_composite(w, m, at);
    say(w, m, "drop index %u", at->number);
    uint32_t number = at->number;
    *at = (struct model_composite){0};
    return source_drop_composite(m->source, number, &test_err);
}

/* --- look-ups --- */

struct tuple_lookup {
    const struct view *view;
    struct composite composite;
    double cells[MODEL_COMPOSITE_LEN]; /* looked for */
    uint32_t prefix;                   /* of a sorted one: equal ones; the next within 9 */
    bool ranged;
};

static bool is_wanted(const struct tuple_lookup *t, const struct column *columns, uint32_t row)
{
    bool wanted = true;
    for (uint32_t i = 0; i < t->prefix && wanted; i++)
        wanted = cell_of(&columns[i], row) == t->cells[i];
    if (!wanted || !t->ranged)
        return wanted;
    double cell = cell_of(&columns[t->prefix], row);
    return cell >= t->cells[t->prefix] && cell <= t->cells[t->prefix] + 9;
}

/* In the segment's own types; false when it cannot be asked. */
static bool take_cells(const struct tuple_lookup *t, struct segment *segment, struct value *values,
                       char texts[][32])
{
    for (uint32_t i = 0; i < t->prefix + t->ranged; i++) {
        enum type type;
        if (!segment_column_type(segment, t->composite.def.fields[i], &type) ||
            (type == TYPE_INT64 && t->cells[i] != floor(t->cells[i])))
            return false;
        values[i] = cell_value(t->cells[i], type, texts[i]);
    }
    return true;
}

static bool ask_segment(const struct tuple_lookup *t, struct segment *segment, uint64_t **ret_rows,
                        uint32_t *ret_len)
{
    struct value values[MODEL_COMPOSITE_LEN];
    char texts[MODEL_COMPOSITE_LEN + 1][32];
    bool used = false;
    if (!take_cells(t, segment, values, texts))
        return false;
    if (t->composite.kind == INDEX_KIND_HASH) {
        assert_ok(segment_lookup_tuple(segment, &t->composite.def, values, UINT32_MAX, &used,
                                       ret_rows, ret_len, &test_err));
        return used;
    }
    struct value_range next = {.has_lo = true, .has_hi = true};
    struct tuple_range range = {.prefix = values, .prefix_len = t->prefix};
    if (t->ranged) {
        next.lo = values[t->prefix];
        next.hi = cell_value(t->cells[t->prefix] + 9, next.lo.type, texts[MODEL_COMPOSITE_LEN]);
        if (next.lo.type == TYPE_STRING) /* these have another order */
            return false;
        range.next = &next;
    }
    assert_ok(segment_range_tuple(segment, &t->composite.def, &range, UINT32_MAX, &used, ret_rows,
                                  ret_len, &test_err));
    return used;
}

/* What an index gives has all that a scan finds. */
static void check_unit(const struct tuple_lookup *t, uint32_t unit)
{
    struct column columns[MODEL_COMPOSITE_LEN];
    uint64_t *rows = NULL;
    uint32_t len = 0, at = 0;
    if (!ask_segment(t, t->view->segments[unit], &rows, &len))
        return;
    for (uint32_t i = 0; i < t->composite.def.fields_len; i++)
        read_unit(t->view, unit, t->composite.fields[i], &columns[i]);
    for (uint32_t row = 0; row < columns[0].rows; row++) {
        bool found = at < len && rows[at] == row;
        at += found;
        assert_true(found || !is_wanted(t, columns, row));
    }
    assert_int_equal(at, len);
    for (uint32_t i = 0; i < t->composite.def.fields_len; i++)
        column_release(&columns[i]);
    free(rows);
}

static enum status do_tuple_lookup(struct world *w, struct member *m)
{
    struct composite list[SOURCE_COMPOSITES_MAX];
    struct tuple_lookup t = {0};
    struct view view;
    if (m->model.len == 0)
        return STATUS_OK;
    const struct model_row *row = &m->model.rows[below(w, m->model.len)];
    TRY(view_open(m->source, &view, &test_err));
    uint32_t len = view_composites(&view, list);
    if (len) {
        t.view = &view;
        t.composite = list[below(w, len)];
        uint32_t fields = t.composite.def.fields_len;
        bool hash = t.composite.kind == INDEX_KIND_HASH, null = false;
        t.prefix = hash ? fields : below(w, fields + 1);
        t.ranged = !hash && t.prefix < fields && (t.prefix == 0 || below(w, 2));
        say(w, m, "look up %u of %u columns", t.prefix, fields);
        for (uint32_t i = 0; i < t.prefix + t.ranged; i++) {
            int slot = model_slot(&m->model, view.schema->fields[t.composite.fields[i]].name);
            t.cells[i] = slot == SLOT_ID ? (double)row->id : row->cells[slot];
            null |= isnan(t.cells[i]);
        }
        for (uint32_t unit = 0; unit < view.segments_len && !null; unit++)
            check_unit(&t, unit);
    }
    view_close(&view);
    return STATUS_OK;
}

#endif

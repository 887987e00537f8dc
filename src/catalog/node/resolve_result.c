/* resolve_result.c: from the decided versions to a list, its edges, its order and its cycles. */
#include <stdlib.h>

#include "catalog/node/resolve_int.h"

struct collector {
    struct solver *s;
    struct resolution *ret;
    uint32_t *node_of; /* package -> index in ret->nodes; RESOLVE_NONE: not taken */
    uint32_t *package_of;
};

static bool is_taken(const struct solver *s, const struct package *p)
{
    return p->loaded && p->trail_len && !set_has(solver_left(s, p), p->len);
}

static uint32_t taken_release(const struct solver *s, const struct package *p)
{
    return (uint32_t)set_highest(solver_left(s, p), p->len);
}

struct by_name {
    struct str name;
    uint32_t package;
};

static int compare_names(const void *a, const void *b)
{
    const struct by_name *x = a, *y = b;
    return str_cmp(x->name, y->name);
}

static enum status collect_nodes(struct collector *c, struct error *err)
{
    struct solver *s = c->s;
    struct by_name *list = arena_array(&s->arena, s->packages_len, sizeof *list);
    c->node_of = arena_array(&s->arena, s->packages_len, sizeof *c->node_of);
    if (!list || !c->node_of)
        return error_no_memory(err);
    for (uint32_t i = 1; i < s->packages_len; i++) {
        c->node_of[i] = RESOLVE_NONE;
        if (!s->packages[i]->optional_link && is_taken(s, s->packages[i]))
            list[c->ret->len++] = (struct by_name){s->packages[i]->name, i};
    }
    if (c->ret->len > 1)
        qsort(list, c->ret->len, sizeof *list, compare_names);
    c->ret->nodes = arena_array(s->results, c->ret->len, sizeof *c->ret->nodes);
    c->package_of = arena_array(&s->arena, c->ret->len, sizeof *c->package_of);
    if (!c->ret->nodes || !c->package_of)
        return error_no_memory(err);
    for (uint32_t i = 0; i < c->ret->len; i++) {
        const struct package *p = s->packages[list[i].package];
        struct resolved *node = &c->ret->nodes[i];
        c->node_of[list[i].package] = i;
        c->package_of[i] = list[i].package;
        node->name = arena_str(s->results, p->name);
        node->release = p->releases[taken_release(s, p)].given;
        if (!node->name.data)
            return error_no_memory(err);
    }
    return STATUS_OK;
}

/* Whether the need is met in the result: an optional one may not be. */
static bool is_met(const struct collector *c, const struct need *need)
{
    const struct package *target = c->s->packages[need->package];
    return need->set && c->node_of[need->package] != RESOLVE_NONE &&
           set_has(need->set, taken_release(c->s, target));
}

static int compare_numbers(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static enum status collect_needs(struct collector *c, uint32_t at, struct error *err)
{
    struct resolved *node = &c->ret->nodes[at];
    const struct package *p = c->s->packages[c->package_of[at]];
    const struct release *release = &p->releases[taken_release(c->s, p)];
    uint32_t *needs = arena_array(c->s->results, release->needs_len, sizeof *needs);
    uint32_t len = 0, kept = 0;
    if (!needs)
        return error_no_memory(err);
    for (uint32_t i = 0; i < release->needs_len; i++) {
        const struct need *need = &c->s->needs[release->needs[i]];
        if (is_met(c, need))
            needs[len++] = c->node_of[need->package];
        else if (!need->optional)
            return error_set(err, STATUS_INTERNAL, "resolution left %.*s without %.*s",
                             STR_ARG(node->name), STR_ARG(need->name));
    }
    if (len > 1)
        qsort(needs, len, sizeof *needs, compare_numbers);
    for (uint32_t i = 0; i < len; i++)
        if (needs[i] != at && (kept == 0 || needs[kept - 1] != needs[i]))
            needs[kept++] = needs[i];
    node->needs = needs;
    node->needs_len = kept;
    return STATUS_OK;
}

/* Optional needs of what was taken that were not met. */
static enum status collect_missed(struct collector *c, struct error *err)
{
    struct solver *s = c->s;
    struct resolve_need *missed = NULL;
    uint32_t len = 0, cap = 0;
    bool *seen = arena_array(&s->arena, s->needs_len, sizeof *seen);
    if (!seen)
        return error_no_memory(err);
    for (uint32_t i = 0; i <= c->ret->len; i++) { /* the root is the last */
        const struct package *p = s->packages[i < c->ret->len ? c->package_of[i] : 0];
        const struct release *release = &p->releases[taken_release(s, p)];
        for (uint32_t n = 0; n < release->needs_len; n++) {
            const struct need *need = &s->needs[release->needs[n]];
            if (!need->optional || seen[release->needs[n]] || is_met(c, need))
                continue;
            seen[release->needs[n]] = true;
            if (len == cap &&
                !resolve_grow(s->results, (void **)&missed, len, &cap, sizeof *missed))
                return error_no_memory(err);
            missed[len++] = (struct resolve_need){need->name, need->range, true};
        }
    }
    c->ret->missed = missed;
    c->ret->missed_len = len;
    return STATUS_OK;
}

/* --- order: depth first, needs before those who need them --- */

struct visit {
    uint32_t node;
    uint32_t next; /* of its needs */
};

struct walk {
    struct resolution *ret;
    struct arena *results;
    struct visit *path;
    uint32_t path_len;
    unsigned char *colour; /* 0 not seen, 1 on the path, 2 done */
    uint32_t order_len;
    struct str *cycles;
};

static enum status name_cycle(struct walk *w, uint32_t back_to, struct error *err)
{
    struct buf text;
    uint32_t from = w->path_len - 1;
    if (w->ret->cycles_len == RESOLVE_CYCLES_MAX)
        return STATUS_OK;
    while (w->path[from].node != back_to)
        from--;
    buf_init(&text, 1 << 20);
    for (uint32_t i = from; i <= w->path_len; i++) {
        const struct resolved *node = &w->ret->nodes[i < w->path_len ? w->path[i].node : back_to];
        buf_printf(&text, "%s%.*s %.*s", i > from ? " -> " : "", STR_ARG(node->name),
                   STR_ARG(node->release->version));
    }
    enum status status = buf_check(&text, "cycle", err);
    struct str copy = status == STATUS_OK ? arena_str(w->results, buf_str(&text)) : STR_NONE;
    buf_release(&text);
    if (status == STATUS_OK && !copy.data)
        return error_no_memory(err);
    if (status == STATUS_OK)
        w->cycles[w->ret->cycles_len++] = copy;
    return status;
}

static enum status visit_from(struct walk *w, uint32_t start, struct error *err)
{
    w->path[w->path_len++] = (struct visit){start, 0};
    w->colour[start] = 1;
    while (w->path_len) {
        struct visit *top = &w->path[w->path_len - 1];
        const struct resolved *node = &w->ret->nodes[top->node];
        if (top->next == node->needs_len) {
            w->colour[top->node] = 2;
            w->ret->order[w->order_len++] = top->node;
            w->path_len--;
            continue;
        }
        uint32_t need = node->needs[top->next++];
        if (w->colour[need] == 1)
            TRY(name_cycle(w, need, err));
        if (w->colour[need] != 0)
            continue;
        w->colour[need] = 1;
        w->path[w->path_len++] = (struct visit){need, 0};
    }
    return STATUS_OK;
}

static enum status make_order(struct collector *c, struct error *err)
{
    struct resolution *ret = c->ret;
    struct arena *scratch = &c->s->arena;
    struct walk w = {.ret = ret, .results = c->s->results};
    w.path = arena_array(scratch, ret->len, sizeof *w.path);
    w.colour = arena_array(scratch, ret->len, sizeof *w.colour);
    w.cycles = arena_array(c->s->results, RESOLVE_CYCLES_MAX, sizeof *w.cycles);
    ret->order = arena_array(c->s->results, ret->len, sizeof *ret->order);
    if (!w.path || !w.colour || !w.cycles || !ret->order)
        return error_no_memory(err);
    ret->cycles = w.cycles;
    for (uint32_t i = 0; i < ret->len; i++)
        if (w.colour[i] == 0)
            TRY(visit_from(&w, i, err));
    return STATUS_OK;
}

enum status solver_result(struct solver *s, struct resolution *ret, struct error *err)
{
    struct collector c = {.s = s, .ret = ret};
    TRY(collect_nodes(&c, err));
    for (uint32_t i = 0; i < ret->len; i++)
        TRY(collect_needs(&c, i, err));
    TRY(collect_missed(&c, err));
    return make_order(&c, err);
}

/* resolve_explain.c: the proof that there is no solution, for people.
 *
 * What was learned is a chain of resolutions: the first two facts give a conclusion, each further
 * fact gives the next. A chain becomes one paragraph ("Because A and B, C. And because D, E.");
 * when others rest on its conclusion, that gets a number. Facts refer to smaller numbers only, so
 * the paragraphs are written in the order in which they were learned, those that the failure rests
 * on. */
#include "catalog/node/resolve_int.h"

enum { EXPLANATION_MAX = 1 << 20, RUNS_MAX = 4 };

struct writer {
    struct solver *s;
    struct buf out;
    uint32_t *label; /* of each fact: 0 not referred to, else its number in the text + 1 */
    uint32_t labels;
    uint32_t lines;
};

/* --- sets in words --- */

static struct str version_text(const struct package *p, uint32_t release)
{
    return p->releases[release].given->version;
}

/* ">=1.0.0 <=1.4.0 || 2.0.0": runs of known versions, open at the ends. */
static void write_runs(struct buf *out, const struct package *p, const uint64_t *set)
{
    uint32_t runs = 0;
    for (uint32_t i = 0; i < p->len; i++) {
        if (!set_has(set, i))
            continue;
        uint32_t first = i;
        while (i + 1 < p->len && set_has(set, i + 1))
            i++;
        if (runs++ == RUNS_MAX) {
            buf_append_str(out, STR(" || ..."));
            return;
        }
        buf_append_str(out, runs > 1 ? STR(" || ") : STR(" "));
        if (first == i)
            buf_append_str(out, version_text(p, i));
        else if (first == 0)
            buf_printf(out, "<=%.*s", STR_ARG(version_text(p, i)));
        else if (i + 1 == p->len)
            buf_printf(out, ">=%.*s", STR_ARG(version_text(p, first)));
        else
            buf_printf(out, ">=%.*s <=%.*s", STR_ARG(version_text(p, first)),
                       STR_ARG(version_text(p, i)));
    }
}

/* The range with which somebody asked for just this set; NULL: nobody did. */
static const struct need *known_range(const struct solver *s, const struct package *p,
                                      const uint64_t *set)
{
    for (uint32_t i = 0; i < p->needed_by_len; i++) {
        const struct need *need = &s->needs[p->needed_by[i]];
        if (need->range.len && memcmp(need->set, set, p->words * sizeof *set) == 0)
            return need;
    }
    return NULL;
}

/* Name and versions; `set` holds releases only. */
static void write_set(struct writer *w, uint32_t package, const uint64_t *set)
{
    const struct package *p = w->s->packages[package];
    uint32_t count = set_count(set, p->words);
    const struct need *need = known_range(w->s, p, set);
    if (p->optional_link) {
        buf_printf(&w->out, "optional %.*s", STR_ARG(p->name));
    } else if (package == 0) {
        buf_append_str(&w->out, p->name);
    } else if (count == p->len && count != 1) {
        buf_printf(&w->out, "every version of %.*s", STR_ARG(p->name));
    } else {
        buf_append_str(&w->out, p->name);
        if (need && count != 1)
            buf_printf(&w->out, " %.*s", STR_ARG(need->range));
        else
            write_runs(&w->out, p, set);
    }
}

/* --- conclusions: the incompatibility in work --- */

/* "not taken" among a term's bits turns it round: what must not be is all but the term's set. */
static bool is_negative(const struct package *p)
{
    return set_has(p->work, p->len);
}

/* Writes the terms of one sign, joined; returns how many. The root goes without saying. */
static uint32_t write_terms(struct writer *w, bool negative, const char *joint)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < w->s->work_len; i++) {
        struct package *p = w->s->packages[w->s->work[i]];
        if (w->s->work[i] == 0 || is_negative(p) != negative)
            continue;
        if (count++)
            buf_append_str(&w->out, str_of(joint));
        if (negative)
            for (uint32_t n = 0; n < p->words; n++)
                p->work[n] = p->all[n] & ~p->work[n];
        write_set(w, w->s->work[i], p->work);
        if (negative)
            for (uint32_t n = 0; n < p->words; n++)
                p->work[n] = p->all[n] & ~p->work[n];
    }
    return count;
}

static uint32_t count_terms(const struct solver *s, bool negative)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < s->work_len; i++)
        count += s->work[i] != 0 && is_negative(s->packages[s->work[i]]) == negative;
    return count;
}

/* The conclusion that all versions of one name are out, of which there are several. */
static bool is_whole_package(const struct solver *s)
{
    if (s->work_len != 1)
        return false;
    const struct package *p = s->packages[s->work[0]];
    return !p->optional_link && p->len > 1 && !set_has(p->work, p->len) &&
           set_count(p->work, p->words) == p->len;
}

static void write_conclusion(struct writer *w)
{
    uint32_t with = count_terms(w->s, false), without = count_terms(w->s, true);
    if (with + without == 0) {
        buf_printf(&w->out, "%.*s cannot be satisfied", STR_ARG(w->s->request->root));
    } else if (is_whole_package(w->s)) {
        const struct package *p = w->s->packages[w->s->work[0]];
        buf_printf(&w->out, "no version of %.*s can be taken", STR_ARG(p->name));
    } else if (without == 0) {
        (void)write_terms(w, false, with == 2 ? " and " : ", ");
        buf_append_str(&w->out, with == 1 ? STR(" cannot be taken") : STR(" exclude each other"));
    } else {
        if (with)
            (void)write_terms(w, false, " with ");
        buf_append_str(&w->out, with ? STR(" needs ") : STR("needed is "));
        (void)write_terms(w, true, " or ");
    }
}

/* --- facts that were given --- */

static const char *const STATES[] = {
    [RELEASE_ACTIVE] = "active",      [RELEASE_DEPRECATED] = "deprecated",
    [RELEASE_YANKED] = "yanked",      [RELEASE_ARCHIVED] = "archived",
    [RELEASE_DRAFT] = "only a draft",
};

/* "b ^1.0.0 needs c ^2.0.0", and why that is hopeless when it is. */
static void write_need(struct writer *w, const struct fact *fact)
{
    const struct need *need = &w->s->needs[fact->need];
    const struct package *target = w->s->packages[need->package];
    struct str range = need->range.len ? need->range : STR("*");
    write_set(w, fact->terms[0].package, fact->terms[0].set);
    buf_printf(&w->out, " needs %.*s %.*s%s", STR_ARG(need->name), STR_ARG(range),
               need->overridden ? " (by override)" : "");
    if (need->bad)
        buf_append_str(&w->out, STR(", which is not a range of versions"));
    else if (target->loaded && target->len == 0)
        buf_append_str(&w->out, STR(", which is not known"));
    else if (need->set && set_count(need->set, target->words) == 0)
        buf_append_str(&w->out, STR(", which no version matches"));
}

static void write_fact(struct writer *w, uint32_t number)
{
    const struct fact *fact = &w->s->facts[number];
    switch (fact->kind) {
    case FACT_ROOT:
        buf_printf(&w->out, "%.*s is asked for", STR_ARG(w->s->request->root));
        break;
    case FACT_NEED:
    case FACT_BAD:
        write_need(w, fact);
        break;
    case FACT_STATE:
        write_set(w, fact->terms[0].package, fact->terms[0].set);
        buf_printf(&w->out, " is %s", STATES[fact->state]);
        break;
    case FACT_LEARNED:
        buf_printf(&w->out, "of (%u)", w->label[number] - 1);
        break;
    }
}

/* --- paragraphs --- */

static enum status write_paragraph(struct writer *w, uint32_t number, struct error *err)
{
    struct solver *s = w->s;
    const struct fact *fact = &s->facts[number];
    TRY(work_begin(s, fact->steps[0].fact, err));
    for (uint32_t i = 1; i < fact->steps_len; i++) {
        if (s->facts[fact->steps[i].fact].kind == FACT_ROOT)
            continue;
        buf_append_str(&w->out, i == 1 ? STR("Because ") : STR("And because "));
        if (i == 1) {
            write_fact(w, fact->steps[0].fact);
            bool learned = s->facts[fact->steps[1].fact].kind == FACT_LEARNED;
            buf_append_str(&w->out, learned ? STR(" and because ") : STR(" and "));
        }
        write_fact(w, fact->steps[i].fact);
        TRY(work_resolve(s, fact->steps[i].fact, fact->steps[i].pivot, err));
        buf_append_str(&w->out, STR(", "));
        write_conclusion(w);
        if (number != s->failure && i + 1 == fact->steps_len) {
            w->label[number] = ++w->labels + 1;
            buf_printf(&w->out, " (%u)", w->labels);
        }
        buf_append_str(&w->out, STR(".\n"));
        w->lines++;
    }
    work_end(s);
    return STATUS_OK;
}

/* A failure that is one given fact. */
static void write_single(struct writer *w)
{
    write_fact(w, w->s->failure);
    buf_printf(&w->out, ", so %.*s cannot be satisfied.\n", STR_ARG(w->s->request->root));
}

/* Marks the learned facts that the failure rests on. */
static void mark_used(struct writer *w)
{
    const struct solver *s = w->s;
    w->label[s->failure] = 1;
    for (uint32_t i = s->failure + 1; i-- > 0;) {
        if (!w->label[i] || s->facts[i].kind != FACT_LEARNED)
            continue;
        for (uint32_t n = 0; n < s->facts[i].steps_len; n++)
            w->label[s->facts[i].steps[n].fact] = 1;
    }
}

static enum status write_all(struct writer *w, struct error *err)
{
    struct solver *s = w->s;
    uint32_t lines = 0, left_out = 0;
    if (s->facts[s->failure].kind != FACT_LEARNED) {
        write_single(w);
        return STATUS_OK;
    }
    mark_used(w);
    for (uint32_t i = 0; i <= s->failure; i++)
        if (w->label[i] && s->facts[i].kind == FACT_LEARNED)
            lines += s->facts[i].steps_len;
    for (uint32_t i = 0; i <= s->failure; i++) {
        if (!w->label[i] || s->facts[i].kind != FACT_LEARNED)
            continue;
        if (lines > RESOLVE_LINES_MAX && i != s->failure) {
            /* Too long to be read: only the end is told. */
            w->label[i] = ++w->labels + 1;
            left_out++;
        } else {
            TRY(write_paragraph(w, i, err));
        }
    }
    if (left_out)
        buf_printf(&w->out, "(1) to (%u) are conflicts between versions; too many to be told.\n",
                   left_out);
    return STATUS_OK;
}

enum status solver_explain(struct solver *s, struct str *ret, struct error *err)
{
    struct writer w = {.s = s};
    w.label = arena_array(&s->arena, s->facts_len, sizeof *w.label);
    if (!w.label)
        return error_no_memory(err);
    buf_init(&w.out, EXPLANATION_MAX);
    enum status status = write_all(&w, err);
    if (status == STATUS_OK && w.out.over_max)
        w.out.failed = false; /* what fits is told */
    if (status == STATUS_OK)
        status = buf_check(&w.out, "explanation", err);
    if (status == STATUS_OK) {
        *ret = arena_str(s->results, str_trim(buf_str(&w.out)));
        status = ret->data ? STATUS_OK : error_no_memory(err);
    }
    buf_release(&w.out);
    return status;
}

#include "query/optimize/learned.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define CORRECTION_MAX 3.3 /* log2: ten times more or fewer */
#define DECAY          0.8
#define CORRECTION_MIN 0.5 /* log2: smaller ones are not worth it */
#define ONE_SIDED      0.8

enum { PROBES = 8 };

enum status learned_init(struct learned *learned, struct error *err)
{
    *learned = (struct learned){.templates = calloc(HISTORY_TEMPLATES, sizeof *learned->templates)};
    return learned->templates ? STATUS_OK : error_no_memory(err);
}

void learned_free(struct learned *learned)
{
    free(learned->templates);
    *learned = (struct learned){0};
}

void learned_reset(struct learned *learned)
{
    memset(learned->templates, 0, HISTORY_TEMPLATES * sizeof *learned->templates);
    learned->len = 0;
}

static struct template_history *slot(struct learned *learned, uint64_t key, int probe)
{
    return &learned->templates[(key + (uint64_t)probe) % HISTORY_TEMPLATES];
}

struct template_history *learned_find(struct learned *learned, uint64_t key)
{
    for (int i = 0; i < PROBES; i++) {
        struct template_history *at = slot(learned, key, i);
        if (at->key == key) {
            at->used = ++learned->clock;
            return at;
        }
    }
    return NULL;
}

struct template_history *learned_make(struct learned *learned, uint64_t key, const char *label)
{
    struct template_history *at = learned_find(learned, key);
    if (at)
        return at;
    for (int i = 0; i < PROBES; i++) {
        struct template_history *other = slot(learned, key, i);
        if (!at || other->used < at->used)
            at = other;
    }
    learned->len += at->key == 0;
    *at = (struct template_history){.key = key, .used = ++learned->clock};
    snprintf(at->label, sizeof at->label, "%s", label);
    return at;
}

void learned_check_rows(struct template_history *template, double rows_total)
{
    double before = template->rows_total;
    if (template->seen == 0 || fabs(rows_total - before) <= 0.2 * before)
        return;
    template->seen = 0;
    template->miss = template->noise = template->spread = 0;
    template->kept_until_us = 0;
    memset(template->paths, 0, sizeof template->paths);
}

static double clamp(double value)
{
    if (!isfinite(value))
        return 0;
    return value > CORRECTION_MAX    ? CORRECTION_MAX
           : value < -CORRECTION_MAX ? -CORRECTION_MAX
                                     : value;
}

/* Errors to both sides are chance: to correct them would add to them. */
double learned_row_correction(const struct template_history *template)
{
    if (!template || template->seen < HISTORY_SEEN_MIN || fabs(template->miss) < CORRECTION_MIN ||
        fabs(template->miss) < ONE_SIDED * template->noise)
        return 0;
    return clamp(template->miss);
}

double learned_time_correction(const struct template_history *template, enum access_path path)
{
    const struct path_history *known = template ? &template->paths[path] : NULL;
    return known && known->runs >= HISTORY_SEEN_MIN ? clamp(known->miss) : 0;
}

static double decayed(double mean, double value, bool first)
{
    return first ? value : DECAY * mean + (1 - DECAY) * value;
}

void learned_learn_rows(struct template_history *template, double estimate, double corrected,
                        double rows, double rows_total)
{
    bool first = template->seen == 0;
    double actual = rows < 1 ? 1 : rows;
    double miss = clamp(log2(actual / (estimate < 1 ? 1 : estimate)));
    double rest = fabs(log2(actual / (corrected < 1 ? 1 : corrected)));
    template->miss = decayed(template->miss, miss, first);
    template->noise = decayed(template->noise, fabs(miss), first);
    template->spread = decayed(template->spread, rest, first);
    template->rows = decayed(template->rows, rows, first);
    template->rows_total = rows_total;
    template->seen++;
}

void learned_learn_time(struct template_history *template, enum access_path path, double estimate,
                        double ms)
{
    struct path_history *known = &template->paths[path];
    bool first = known->runs == 0;
    if (!(ms > 0) || !(estimate > 0))
        return;
    known->miss = decayed(known->miss, clamp(log2(ms / estimate)), first);
    known->ms = decayed(known->ms, ms, first);
    known->best_ms = first || ms < known->best_ms ? ms : known->best_ms;
    known->runs++;
    template->runs++;
}

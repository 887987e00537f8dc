#include "service/scale.h"

#include <math.h>
#include <stdio.h>

static const double UP_FACTOR = 1.5, DOWN_FACTOR = 0.7;
static const double RUNNING_UP = 0.8, RUNNING_DOWN = 0.3; /* of policy.concurrent */

const struct scale_policy scale_policy_default = {
    .cpu_up = 70,
    .cpu_down = 30,
    .memory_up = 80,
    .memory_down = 40,
    .concurrent = 50,
    .queue_up = 10,
    .query_up_s = 30,
    .query_down_s = 15,
    .min = 2,
    .max = 50,
    .up_cooldown_us = INT64_C(300000000),
    .down_cooldown_us = INT64_C(600000000),
};

const char *scale_action_name(enum scale_action action)
{
    static const char *const names[] = {"hold", "up", "down"};
    return names[action];
}

enum status scale_policy_check(const struct scale_policy *p, struct error *err)
{
    if (p->min > p->max)
        return error_set(err, STATUS_INVALID_ARGUMENT, "MIN_WORKERS is %u, but MAX_WORKERS only %u",
                         p->min, p->max);
    if (p->cpu_down >= p->cpu_up)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "SCALE_DOWN_THRESHOLD_CPU must be below SCALE_UP_THRESHOLD_CPU");
    if (p->memory_down >= p->memory_up)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "SCALE_DOWN_THRESHOLD_MEMORY must be below SCALE_UP_THRESHOLD_MEMORY");
    return STATUS_OK;
}

/* --- the measures --- */

struct measure {
    const char *name, *unit;
    double value, up, down; /* down: it must be below, or 0 when that is 0 */
};

enum { MEASURES = 5 };

static void measure_all(const struct scale_policy *p, const struct scale_sample *average,
                        struct measure ret[MEASURES])
{
    ret[0] = (struct measure){"cpu", " %", average->cpu, p->cpu_up, p->cpu_down};
    ret[1] = (struct measure){"memory", " %", average->memory, p->memory_up, p->memory_down};
    ret[2] = (struct measure){"running queries", "", average->running, p->concurrent * RUNNING_UP,
                              p->concurrent * RUNNING_DOWN};
    ret[3] = (struct measure){"waiting queries", "", average->queued, p->queue_up, 0};
    ret[4] =
        (struct measure){"time of a query", " s", average->query_s, p->query_up_s, p->query_down_s};
}

static const struct measure *first_above(const struct measure *measures)
{
    for (int i = 0; i < MEASURES; i++)
        if (measures[i].value > measures[i].up)
            return &measures[i];
    return NULL;
}

static const struct measure *first_not_low(const struct measure *measures)
{
    for (int i = 0; i < MEASURES; i++) {
        bool low = measures[i].value < measures[i].down ||
                   (measures[i].down <= 0 && measures[i].value <= 0);
        if (!low)
            return &measures[i];
    }
    return NULL;
}

struct scale_sample scale_average(const struct scale_state *state)
{
    struct scale_sample sum = {.at_us = state->last_us};
    uint32_t len = state->window_len;
    if (len == 0)
        return sum;
    for (uint32_t i = 0; i < len; i++) {
        sum.cpu += state->window[i].cpu / len;
        sum.memory += state->window[i].memory / len;
        sum.running += state->window[i].running / len;
        sum.queued += state->window[i].queued / len;
        sum.query_s += state->window[i].query_s / len;
    }
    sum.machine_free = state->window[len - 1].machine_free;
    return sum;
}

/* --- the decision --- */

static void hold(struct scale_decision *d, const char *why, const char *because)
{
    snprintf(d->reason, sizeof d->reason, "%.64s: %.120s", why, because);
}

/* How long until a change is allowed again; 0: now. Up after a down needs no more than a window. */
static int64_t cooling(const struct scale_state *state, int64_t cooldown_us, bool after_down,
                       int64_t now_us)
{
    int64_t up_us = state->went_up ? state->last_up_us + cooldown_us - now_us : 0;
    int64_t down_us =
        state->went_down && after_down ? state->last_down_us + cooldown_us - now_us : 0;
    int64_t left_us = up_us > down_us ? up_us : down_us;
    return left_us > 0 ? left_us : 0;
}

static uint32_t clamp(double workers, const struct scale_policy *p)
{
    return workers <= p->min ? p->min : workers >= p->max ? p->max : (uint32_t)workers;
}

static void change(struct scale_state *state, struct scale_decision *d, enum scale_action action,
                   uint32_t to)
{
    d->action = action;
    d->to = state->workers = to;
    state->window_len = 0;
    if (action == SCALE_UP) {
        state->last_up_us = d->at_us;
        state->went_up = true;
    } else {
        state->last_down_us = d->at_us;
        state->went_down = true;
    }
}

static void hold_for_cooldown(struct scale_decision *d, int64_t left_us, const char *because)
{
    char why[65];
    snprintf(why, sizeof why, "cooling down for %lld s more",
             (long long)((left_us + 999999) / 1000000));
    hold(d, why, because);
}

static void consider_up(const struct scale_policy *p, struct scale_state *state,
                        double machine_free, struct scale_decision *d)
{
    char because[SCALE_REASON_MAX];
    int64_t left_us = cooling(state, p->up_cooldown_us, false, d->at_us);
    snprintf(because, sizeof because, "%s", d->reason);
    if (state->workers >= p->max)
        hold(d, "at MAX_WORKERS", because);
    else if (left_us)
        hold_for_cooldown(d, left_us, because);
    else if (machine_free >= 0 && machine_free < SCALE_MEMORY_FREE)
        hold(d, "the machine's memory is used up", because);
    else
        change(state, d, SCALE_UP, clamp(fmax(ceil(state->workers * UP_FACTOR), 1), p));
}

static void consider_down(const struct scale_policy *p, struct scale_state *state,
                          struct scale_decision *d)
{
    static const char because[] = "all measures are low";
    int64_t left_us = cooling(state, p->down_cooldown_us, true, d->at_us);
    snprintf(d->reason, sizeof d->reason, "%s", because);
    if (state->workers <= p->min)
        hold(d, "at MIN_WORKERS", because);
    else if (left_us)
        hold_for_cooldown(d, left_us, because);
    else
        change(state, d, SCALE_DOWN, clamp(floor(state->workers * DOWN_FACTOR), p));
}

static void decide(const struct scale_policy *p, struct scale_state *state,
                   struct scale_decision *d)
{
    const struct scale_sample average = scale_average(state);
    struct measure measures[MEASURES];
    measure_all(p, &average, measures);
    const struct measure *high = first_above(measures), *middle = first_not_low(measures);
    if (high) {
        snprintf(d->reason, sizeof d->reason, "%s %.1f%s > %.1f%s", high->name, high->value,
                 high->unit, high->up, high->unit);
        consider_up(p, state, average.machine_free, d);
    } else if (middle) {
        snprintf(d->reason, sizeof d->reason, "%s %.1f%s is between the thresholds", middle->name,
                 middle->value, middle->unit);
    } else {
        consider_down(p, state, d);
    }
}

static bool is_sane(const struct scale_sample *s)
{
    const double values[] = {s->cpu, s->memory, s->running, s->queued, s->query_s};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        if (!isfinite(values[i]) || values[i] < 0)
            return false;
    return isfinite(s->machine_free);
}

enum status scale_decide(const struct scale_policy *policy, struct scale_state *state,
                         const struct scale_sample *sample, struct scale_decision *ret,
                         struct error *err)
{
    if (!is_sane(sample))
        return error_set(err, STATUS_INVALID_ARGUMENT, "a measure of load is below 0 or no number");
    if (state->has_sample && sample->at_us < state->last_us)
        return error_set(err, STATUS_INVALID_ARGUMENT, "a sample is older than the one before it");
    *ret = (struct scale_decision){
        .at_us = sample->at_us, .from = state->workers, .to = state->workers};
    if (state->window_len == SCALE_WINDOW)
        for (uint32_t i = 0; i + 1 < SCALE_WINDOW; i++)
            state->window[i] = state->window[i + 1];
    else
        state->window_len++;
    state->window[state->window_len - 1] = *sample;
    state->last_us = sample->at_us;
    state->has_sample = true;
    if (state->window_len < SCALE_WINDOW)
        snprintf(ret->reason, sizeof ret->reason, "%u of %d samples", state->window_len,
                 SCALE_WINDOW);
    else
        decide(policy, state, ret);
    return STATUS_OK;
}

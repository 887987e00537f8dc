/* A round: 1. samples are added up into the states of the rules that select them; 2. values are
 * made of the sums (rates by the sums of the round before); 3. phases follow the values; 4. what
 * changed is told. */
#include "services/monitoring/alert_engine.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

struct state {
    struct alert alert;
    uint64_t key;
    bool seen, has_before, has_value;
    double sum, per;               /* of this round */
    double sum_before, per_before; /* of the round before */
    int64_t before_us;             /* its monotonic time */
    int64_t holds_us;              /* monotonic: since when the condition holds */
    int64_t gone_us;               /* monotonic: since when it does not; 0: it does */
    bool changed;
};

struct alert_engine {
    const struct alert_rules *rules;
    alert_changed changed;
    void *context;
    pthread_mutex_t lock;
    struct state *states; /* ALERT_STATES_MAX */
    uint32_t len;
    struct alert history[ALERT_HISTORY_MAX]; /* a ring of resolved ones */
    uint64_t resolved;
    uint64_t unwatched;
};

const char *alert_phase_name(enum alert_phase phase)
{
    static const char *const names[] = {"inactive", "pending", "firing", "resolved"};
    return names[phase];
}

enum status alert_engine_new(const struct alert_rules *rules, alert_changed changed, void *context,
                             struct alert_engine **ret, struct error *err)
{
    struct alert_engine *engine = calloc(1, sizeof *engine);
    if (!engine)
        return error_no_memory(err);
    engine->rules = rules;
    engine->changed = changed;
    engine->context = context;
    pthread_mutex_init(&engine->lock, NULL);
    engine->states = calloc(ALERT_STATES_MAX, sizeof *engine->states);
    if (!engine->states) {
        alert_engine_free(engine);
        return error_no_memory(err);
    }
    *ret = engine;
    return STATUS_OK;
}

void alert_engine_free(struct alert_engine *engine)
{
    if (!engine)
        return;
    pthread_mutex_destroy(&engine->lock);
    free(engine->states);
    free(engine);
}

/* --- 1. --- */

static struct state *find(struct alert_engine *engine, const struct alert_rule *rule,
                          const char *service, struct str labels)
{
    uint64_t key = str_hash(labels) * 31 + str_hash(str_of(service)) * 7 + str_hash(rule->name);
    for (uint32_t i = 0; i < engine->len; i++) {
        struct state *state = &engine->states[i];
        if (state->key == key && state->alert.rule == rule)
            return state;
    }
    if (engine->len == ALERT_STATES_MAX) {
        engine->unwatched++;
        return NULL;
    }
    struct state *state = &engine->states[engine->len++];
    *state = (struct state){.key = key, .alert = {.rule = rule, .service = service}};
    snprintf(state->alert.labels, sizeof state->alert.labels, "%.*s",
             labels.len < ALERT_LABELS_TEXT_MAX ? (int)labels.len : 0, labels.data);
    return state;
}

static void add_sample(struct alert_engine *engine, const char *service,
                       const struct sample *sample)
{
    for (uint32_t i = 0; i < engine->rules->len; i++) {
        const struct alert_rule *rule = &engine->rules->items[i];
        bool above = alert_selects(&rule->metric, sample);
        bool below = rule->has_per && alert_selects(&rule->per, sample);
        if (!above && !below)
            continue;
        struct state *state = find(engine, rule, service, rule->each ? sample->labels : STR(""));
        if (!state)
            continue;
        state->seen = true;
        state->sum += above ? sample->value : 0;
        state->per += below ? sample->value : 0;
    }
}

/* --- 2. --- */

/* Rates need two rounds, and counters that did not begin anew. */
static void make_value(struct state *state, int64_t mono_us)
{
    const struct alert_rule *rule = state->alert.rule;
    double value = state->sum, per = state->per;
    state->has_value = true;
    if (rule->is_rate) {
        double seconds = (double)(mono_us - state->before_us) / 1e6;
        value -= state->sum_before;
        per -= state->per_before;
        state->has_value = state->has_before && seconds > 0 && value >= 0 && per >= 0;
        value = rule->has_per ? value : value / seconds;
    }
    if (rule->has_per)
        value = per > 0 ? value / per : 0;
    if (state->has_value)
        state->alert.value = value;
    state->sum_before = state->sum;
    state->per_before = state->per;
    state->before_us = mono_us;
    state->has_before = true;
}

/* --- 3. --- */

static void enter(struct state *state, enum alert_phase phase, int64_t now_us)
{
    state->alert.phase = phase;
    state->alert.since_us = now_us;
}

static void on_hold(struct state *state, int64_t now_us, int64_t mono_us)
{
    struct alert *alert = &state->alert;
    state->gone_us = 0;
    if (alert->phase == ALERT_INACTIVE) {
        state->holds_us = mono_us;
        alert->active_us = now_us;
        enter(state, ALERT_PENDING, now_us);
    }
    if (alert->phase == ALERT_PENDING && mono_us - state->holds_us >= alert->rule->for_us) {
        enter(state, ALERT_FIRING, now_us);
        state->changed = true;
    }
}

static void on_gone(struct alert_engine *engine, struct state *state, int64_t now_us,
                    int64_t mono_us)
{
    struct alert *alert = &state->alert;
    if (alert->phase == ALERT_PENDING)
        enter(state, ALERT_INACTIVE, now_us);
    if (alert->phase != ALERT_FIRING)
        return;
    if (!state->gone_us)
        state->gone_us = mono_us;
    if (mono_us - state->gone_us < alert->rule->keep_us)
        return;
    alert->resolved_us = now_us;
    enter(state, ALERT_RESOLVED, now_us);
    engine->history[engine->resolved++ % ALERT_HISTORY_MAX] = *alert;
    state->changed = true;
}

static void follow(struct alert_engine *engine, struct state *state, int64_t now_us,
                   int64_t mono_us)
{
    const struct alert_rule *rule = state->alert.rule;
    double threshold = state->alert.phase == ALERT_FIRING ? rule->clear : rule->threshold;
    bool holds =
        state->seen && state->has_value && alert_compares(rule->op, state->alert.value, threshold);
    if (holds)
        on_hold(state, now_us, mono_us);
    else
        on_gone(engine, state, now_us, mono_us);
}

static void begin_round(struct alert_engine *engine)
{
    engine->unwatched = 0;
    for (uint32_t i = 0; i < engine->len; i++) {
        struct state *state = &engine->states[i];
        state->seen = state->changed = state->has_value = false;
        state->sum = state->per = 0;
    }
}

/* --- 4.: told without the lock, then states that are over make room --- */

static void end_round(struct alert_engine *engine)
{
    for (uint32_t i = 0; i < engine->len; i++)
        if (engine->states[i].changed)
            engine->changed(engine->context, &engine->states[i].alert);
    pthread_mutex_lock(&engine->lock);
    for (uint32_t i = 0; i < engine->len;) {
        struct state *state = &engine->states[i];
        if (state->alert.phase == ALERT_RESOLVED) {
            state->alert.phase = ALERT_INACTIVE;
            state->alert.resolved_us = 0;
        }
        if (state->alert.phase == ALERT_INACTIVE && !state->seen)
            *state = engine->states[--engine->len];
        else
            i++;
    }
    pthread_mutex_unlock(&engine->lock);
}

void alerts_evaluate(struct alert_engine *engine, const struct alert_input *inputs, size_t len,
                     int64_t now_us, int64_t mono_us)
{
    pthread_mutex_lock(&engine->lock);
    begin_round(engine);
    for (size_t i = 0; i < len; i++) {
        struct str text = inputs[i].text;
        struct sample sample;
        while (sample_next(&text, &sample))
            add_sample(engine, inputs[i].service, &sample);
    }
    for (uint32_t i = 0; i < engine->len; i++) {
        if (engine->states[i].seen)
            make_value(&engine->states[i], mono_us);
        follow(engine, &engine->states[i], now_us, mono_us);
    }
    pthread_mutex_unlock(&engine->lock);
    end_round(engine);
}

size_t alerts_list(struct alert_engine *engine, struct alert *ret, size_t cap)
{
    size_t n = 0;
    pthread_mutex_lock(&engine->lock);
    for (int phase = ALERT_FIRING; phase >= ALERT_PENDING; phase--)
        for (uint32_t i = 0; i < engine->len && n < cap; i++)
            if ((int)engine->states[i].alert.phase == phase)
                ret[n++] = engine->states[i].alert;
    uint64_t kept = engine->resolved < ALERT_HISTORY_MAX ? engine->resolved : ALERT_HISTORY_MAX;
    for (uint64_t i = 0; i < kept && n < cap; i++)
        ret[n++] = engine->history[(engine->resolved - 1 - i) % ALERT_HISTORY_MAX];
    pthread_mutex_unlock(&engine->lock);
    return n;
}

void alerts_count(struct alert_engine *engine, struct alert_counts *ret)
{
    *ret = (struct alert_counts){0};
    pthread_mutex_lock(&engine->lock);
    for (uint32_t i = 0; i < engine->len; i++) {
        ret->pending += engine->states[i].alert.phase == ALERT_PENDING;
        ret->firing += engine->states[i].alert.phase == ALERT_FIRING;
    }
    ret->unwatched = engine->unwatched;
    pthread_mutex_unlock(&engine->lock);
}

/* alert_engine.h: rules over samples, from round to round.
 *
 *   inactive --holds--> pending --holds for for_us--> firing --gone for keep_us--> inactive
 * Pending ends at once when the condition is gone. What "gone" means is the rule's `clear`.
 *
 * A round is one call of alerts_evaluate with the samples of all services. A rule has one state for
 * each service, or with `each` for each series; ALERT_STATES_MAX in all, further ones are not
 * watched and counted. A state whose samples stay away keeps what it was until keep_us has passed.
 * Threads: any. */
#ifndef QUARRY_SERVICES_MONITORING_ALERT_ENGINE_H
#define QUARRY_SERVICES_MONITORING_ALERT_ENGINE_H

#include "services/monitoring/alert_rules.h"

enum {
    ALERT_STATES_MAX = 2000,
    ALERT_HISTORY_MAX = 100,
    ALERT_LABELS_TEXT_MAX = 256,
};

enum alert_phase { ALERT_INACTIVE, ALERT_PENDING, ALERT_FIRING, ALERT_RESOLVED };
const char *alert_phase_name(enum alert_phase phase);

struct alert {
    const struct alert_rule *rule;
    const char *service; /* whose samples they are */
    char labels[ALERT_LABELS_TEXT_MAX];
    enum alert_phase phase;
    double value;
    int64_t since_us;    /* 1970: of the phase */
    int64_t active_us;   /* 1970: since when the condition holds */
    int64_t resolved_us; /* 1970; 0: not */
};

struct alert_engine;

/* The samples of one service; `text` NULL: it did not answer. */
struct alert_input {
    const char *service; /* lives for ever */
    struct str text;
};

/* An alert began to fire, or was resolved. Called without locks by alerts_evaluate. */
typedef void (*alert_changed)(void *context, const struct alert *alert);

/* `rules` live longer than the engine. */
enum status alert_engine_new(const struct alert_rules *rules, alert_changed changed, void *context,
                             struct alert_engine **ret, struct error *err);
void alert_engine_free(struct alert_engine *engine);
/* now_us: 1970; mono_us: for what is measured. One thread at a time. */
void alerts_evaluate(struct alert_engine *engine, const struct alert_input *inputs, size_t len,
                     int64_t now_us, int64_t mono_us);
/* Copies the pending and firing ones, then the latest resolved ones; their number. */
size_t alerts_list(struct alert_engine *engine, struct alert *ret, size_t cap);
struct alert_counts {
    uint32_t pending, firing;
    uint64_t unwatched; /* series for which there was no room, in the last round */
};
void alerts_count(struct alert_engine *engine, struct alert_counts *ret);

#endif

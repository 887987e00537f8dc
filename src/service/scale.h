/* scale.h: when a tenant's node gets more workers, and when fewer. A pure function: samples of load
 * with their times go in, decisions with reasons come out. The live loop (cmd/quarryd/scaler.h) and
 * `quarry scale simulate` use the same one.
 *
 *   1. the last SCALE_WINDOW samples since the last change are averaged; fewer decide nothing
 *   2. up, if any average is above its threshold: CPU, memory, running queries (4/5 of
 *      `concurrent`), queue, time of a query; by half of what there is
 *   3. down, if all are below theirs (running below 3/10, no queue); by three tenths
 *   4. between the thresholds nothing happens, nor beyond min and max, nor before a cool-down is
 *      over: up `up_cooldown_us` after the last up, down `down_cooldown_us` after the last change
 *   5. not up either while the machine has less than SCALE_MEMORY_FREE per cent of its memory left
 * After a change the window begins anew: what the load was before says nothing about now.
 *
 * Times are of a monotonic clock, microseconds, and only grow; a sample from before the last one is
 * refused. */
#ifndef QUARRY_SERVICE_SCALE_H
#define QUARRY_SERVICE_SCALE_H

#include "base/status.h"

enum { SCALE_WINDOW = 3, SCALE_MEMORY_FREE = 5, SCALE_REASON_MAX = 200 };

struct scale_policy {
    double cpu_up, cpu_down;       /* per cent */
    double memory_up, memory_down; /* per cent */
    double concurrent;             /* running queries that are meant to be the most */
    double queue_up;               /* waiting queries */
    double query_up_s, query_down_s;
    uint32_t min, max;
    int64_t up_cooldown_us, down_cooldown_us;
};

/* The policy of the contract (1.8), where settings do not say otherwise. */
extern const struct scale_policy scale_policy_default;

struct scale_sample {
    int64_t at_us;
    double cpu,
        memory; /* per cent; of all processors, of the node's limit or the machine's memory */
    double running, queued; /* queries */
    double query_s; /* what those that ended since the last sample took on average; 0: none */
    double
        machine_free; /* per cent of the machine's memory that is available; below 0: not known */
};

enum scale_action { SCALE_HOLD, SCALE_UP, SCALE_DOWN };
const char *scale_action_name(enum scale_action action);

struct scale_decision {
    enum scale_action action;
    int64_t at_us;
    uint32_t from, to;
    char reason[SCALE_REASON_MAX]; /* "cpu 81.3 % > 70.0 %": also why nothing was done */
};

/* Of one node. Zero it, set workers. */
struct scale_state {
    uint32_t workers;
    struct scale_sample window[SCALE_WINDOW];
    uint32_t window_len;
    int64_t last_us;                     /* of the last sample */
    int64_t last_up_us, last_down_us;    /* monotonic */
    bool has_sample, went_up, went_down; /* whether the three times above mean anything */
};

/* One more sample; the state's workers are the decision's `to` afterwards. STATUS_INVALID_ARGUMENT:
 * a sample that is older than the last one, or no number. */
enum status scale_decide(const struct scale_policy *policy, struct scale_state *state,
                         const struct scale_sample *sample, struct scale_decision *ret,
                         struct error *err);
/* The mean of the window; all 0 when it is empty. */
struct scale_sample scale_average(const struct scale_state *state);
/* STATUS_INVALID_ARGUMENT says which thresholds contradict each other. */
enum status scale_policy_check(const struct scale_policy *policy, struct error *err);

#endif

/* alert_rules.h: what is to be watched: a list of rules, ours or the operator's file.
 *
 * The file is a JSON array of objects:
 *   name        "ServiceDown"
 *   metric      name of a sample ("quarry_probe_up", "..._sum")
 *   labels      {"status":"500|503","operation":"data_*"}: alternatives by |, * ends a prefix
 *   of          "value" (default) or "rate": its growth a second
 *   per         {"metric","labels"}: the first one is divided by this one
 *   each        true: every series by itself; false (default): their sum in each service
 *   op, threshold   ">", ">=", "<", "<=", "==", "!=" and a number
 *   clear       threshold for the end, when it is another one (hysteresis)
 *   for_seconds, keep_seconds   how long it must hold to fire, and be gone to resolve
 *   severity    "info", "warning", "critical"
 *   summary     text for people
 * Constant once loaded; any thread. */
#ifndef QUARRY_SERVICES_MONITORING_ALERT_RULES_H
#define QUARRY_SERVICES_MONITORING_ALERT_RULES_H

#include "base/json.h"
#include "services/monitoring/samples.h"
#include "sys/sys.h"

enum {
    ALERT_RULES_MAX = 200,
    ALERT_LABELS_MAX = 8,
    ALERT_TEXT_MAX = 512,
    ALERT_FILE_MAX = 1 << 20,
};

struct alert_selector {
    struct str metric;
    struct {
        struct str name, pattern;
    } labels[ALERT_LABELS_MAX];
    uint32_t labels_len;
};

enum alert_op { ALERT_GT, ALERT_GE, ALERT_LT, ALERT_LE, ALERT_EQ, ALERT_NE };

struct alert_rule {
    struct str name, severity, summary;
    struct alert_selector metric, per;
    bool has_per, is_rate, each;
    enum alert_op op;
    double threshold, clear;
    int64_t for_us, keep_us;
};

/* Texts are in `doc`. */
struct alert_rules {
    yyjson_doc *doc;
    struct alert_rule *items;
    uint32_t len;
};

/* `path` NULL or "": our own. STATUS_INVALID_ARGUMENT names the rule and what is wrong. */
enum status alert_rules_load(struct sys *sys, const char *path, struct alert_rules *ret,
                             struct error *err);
enum status alert_rules_parse(struct str text, struct alert_rules *ret, struct error *err);
void alert_rules_release(struct alert_rules *rules);
bool alert_selects(const struct alert_selector *selector, const struct sample *sample);
bool alert_compares(enum alert_op op, double value, double threshold);

#endif

#include "services/monitoring/alert_rules.h"

#include <stdlib.h>

static const char own_rules[] =
    "["
    "{\"name\":\"ServiceDown\",\"metric\":\"quarry_probe_up\",\"each\":true,\"op\":\"<\","
    "\"threshold\":1,\"for_seconds\":30,\"keep_seconds\":30,\"severity\":\"critical\","
    "\"summary\":\"A service does not answer or is not healthy.\"},"
    "{\"name\":\"Errors\",\"metric\":\"quarry_http_requests_total\","
    "\"labels\":{\"status\":\"500|502|503|504|507\"},\"of\":\"rate\","
    "\"per\":{\"metric\":\"quarry_http_requests_total\"},\"op\":\">\",\"threshold\":0.05,"
    "\"clear\":0.02,\"for_seconds\":60,\"keep_seconds\":120,\"severity\":\"warning\","
    "\"summary\":\"More than 5 % of a service's requests end with errors of its own.\"},"
    "{\"name\":\"Refuses\",\"metric\":\"quarry_http_requests_refused_total\",\"of\":\"rate\","
    "\"op\":\">\",\"threshold\":1,\"for_seconds\":60,\"keep_seconds\":120,"
    "\"severity\":\"warning\",\"summary\":\"A service refuses requests: its queue is full.\"},"
    "{\"name\":\"FlushFails\",\"metric\":\"quarry_flush_failures_total\",\"of\":\"rate\","
    "\"op\":\">\",\"threshold\":0,\"for_seconds\":0,\"keep_seconds\":600,"
    "\"severity\":\"critical\",\"summary\":\"Rows cannot be written to files; is the disk full?\"},"
    "{\"name\":\"SlowDisk\",\"metric\":\"quarry_wal_sync_duration_seconds_sum\",\"of\":\"rate\","
    "\"per\":{\"metric\":\"quarry_wal_sync_duration_seconds_count\"},\"op\":\">\","
    "\"threshold\":0.1,\"clear\":0.05,\"for_seconds\":120,\"keep_seconds\":300,"
    "\"severity\":\"warning\",\"summary\":\"Syncs of the log take more than 100 ms on average.\"},"
    "{\"name\":\"FewFileDescriptors\",\"metric\":\"process_open_fds\","
    "\"per\":{\"metric\":\"process_max_fds\"},\"op\":\">\",\"threshold\":0.8,\"clear\":0.7,"
    "\"for_seconds\":60,\"keep_seconds\":60,\"severity\":\"warning\","
    "\"summary\":\"More than 80 % of the file descriptors are in use.\"},"
    "{\"name\":\"NodeRestarts\",\"metric\":\"quarry_node_restarts_total\",\"each\":true,"
    "\"of\":\"rate\",\"op\":\">\",\"threshold\":0.01,\"for_seconds\":60,\"keep_seconds\":600,"
    "\"severity\":\"critical\",\"summary\":\"A tenant's node crashes again and again.\"}"
    "]";

/* --- matching --- */

static bool fits(struct str pattern, struct str value)
{
    struct str one;
    while (pattern.data && str_split(&pattern, '|', &one)) {
        bool prefix = str_ends(one, STR("*"));
        if (prefix ? str_starts(value, str_make(one.data, one.len - 1)) : str_eq(one, value))
            return true;
    }
    return false;
}

bool alert_selects(const struct alert_selector *selector, const struct sample *sample)
{
    if (!str_eq(selector->metric, sample->name))
        return false;
    for (uint32_t i = 0; i < selector->labels_len; i++) {
        struct str value = sample_label(sample, selector->labels[i].name);
        if (!fits(selector->labels[i].pattern, value.data ? value : STR("")))
            return false;
    }
    return true;
}

bool alert_compares(enum alert_op op, double value, double threshold)
{
    switch (op) {
    case ALERT_GT:
        return value > threshold;
    case ALERT_GE:
        return value >= threshold;
    case ALERT_LT:
        return value < threshold;
    case ALERT_LE:
        return value <= threshold;
    case ALERT_EQ:
        return !(value < threshold) && !(value > threshold);
    case ALERT_NE:
        return value < threshold || value > threshold;
    }
    return false;
}

/* --- reading --- */

static enum status wrong(const struct alert_rule *rule, const char *what, struct error *err)
{
    return error_set(err, STATUS_INVALID_ARGUMENT, "alert rule '%.*s': %s",
                     rule->name.len < 100 ? (int)rule->name.len : 100,
                     rule->name.data ? rule->name.data : "", what);
}

static bool take_text(yyjson_val *object, const char *name, struct str *ret)
{
    yyjson_val *value = json_get(object, name);
    *ret = json_str_of(value);
    return !value || (yyjson_is_str(value) && ret->len <= ALERT_TEXT_MAX);
}

static bool take_number(yyjson_val *object, const char *name, double *ret)
{
    yyjson_val *value = json_get(object, name);
    if (value)
        *ret = yyjson_get_num(value);
    return !value || yyjson_is_num(value);
}

static bool take_seconds(yyjson_val *object, const char *name, int64_t *ret_us)
{
    double seconds = 0;
    bool good = take_number(object, name, &seconds) && seconds >= 0 && seconds <= 86400 * 7;
    *ret_us = good ? (int64_t)(seconds * 1e6) : 0;
    return good;
}

static bool take_selector(yyjson_val *object, struct alert_selector *ret)
{
    yyjson_val *labels = json_get(object, "labels"), *name, *value;
    size_t i, max;
    if (!take_text(object, "metric", &ret->metric) || ret->metric.len == 0 ||
        (labels && !yyjson_is_obj(labels)) || yyjson_obj_size(labels) > ALERT_LABELS_MAX)
        return false;
    yyjson_obj_foreach(labels, i, max, name, value)
    {
        if (!yyjson_is_str(value))
            return false;
        ret->labels[ret->labels_len].name = json_str_of(name);
        ret->labels[ret->labels_len++].pattern = json_str_of(value);
    }
    return true;
}

static bool take_op(yyjson_val *object, enum alert_op *ret)
{
    static const char *const names[] = {">", ">=", "<", "<=", "==", "!="};
    struct str text = json_str_of(json_get(object, "op"));
    for (int i = 0; i < 6; i++)
        if (text.data && str_is(text, names[i])) {
            *ret = (enum alert_op)i;
            return true;
        }
    return false;
}

static bool is_known(struct str name)
{
    static const char *const names[] = {
        "name",      "metric", "labels",      "of",           "per",      "each",   "op",
        "threshold", "clear",  "for_seconds", "keep_seconds", "severity", "summary"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (str_is(name, names[i]))
            return true;
    return false;
}

static enum status check_members(yyjson_val *object, const struct alert_rule *rule,
                                 struct error *err)
{
    yyjson_val *name, *value;
    size_t i, max;
    yyjson_obj_foreach(object, i, max, name, value)
    {
        (void)value;
        if (!is_known(json_str_of(name)))
            return error_set(err, STATUS_INVALID_ARGUMENT,
                             "alert rule '%.*s': '%.60s' is no member of a rule",
                             rule->name.len < 100 ? (int)rule->name.len : 100, rule->name.data,
                             yyjson_get_str(name));
    }
    return STATUS_OK;
}

static enum status parse_rule(yyjson_val *object, struct alert_rule *rule, struct error *err)
{
    struct str of;
    yyjson_val *per = json_get(object, "per"), *each = json_get(object, "each");
    *rule = (struct alert_rule){.severity = STR("warning"), .summary = STR("")};
    if (!take_text(object, "name", &rule->name) || rule->name.len == 0)
        return wrong(rule, "it has no name", err);
    TRY(check_members(object, rule, err));
    if (!take_selector(object, &rule->metric) || (per && !take_selector(per, &rule->per)))
        return wrong(rule, "metric is a name, labels an object of texts (8 at the most)", err);
    rule->has_per = per != NULL;
    rule->each = yyjson_is_true(each);
    if ((each && !yyjson_is_bool(each)) || (rule->each && per))
        return wrong(rule, "each is true or false, and does not go with per", err);
    if (!take_text(object, "of", &of) || (of.data && !str_is(of, "value") && !str_is(of, "rate")))
        return wrong(rule, "of is \"value\" or \"rate\"", err);
    rule->is_rate = of.data && str_is(of, "rate");
    if (!take_op(object, &rule->op) || !json_get(object, "threshold") ||
        !take_number(object, "threshold", &rule->threshold))
        return wrong(rule, "it needs op (> >= < <= == !=) and threshold, a number", err);
    rule->clear = rule->threshold;
    if (!take_number(object, "clear", &rule->clear))
        return wrong(rule, "clear is a number", err);
    if (!take_seconds(object, "for_seconds", &rule->for_us) ||
        !take_seconds(object, "keep_seconds", &rule->keep_us))
        return wrong(rule, "for_seconds and keep_seconds are 0 to 604800", err);
    if (json_get(object, "severity") && !take_text(object, "severity", &rule->severity))
        return wrong(rule, "severity is a text", err);
    if (json_get(object, "summary") && !take_text(object, "summary", &rule->summary))
        return wrong(rule, "summary is a text of at most 512 bytes", err);
    return STATUS_OK;
}

static enum status parse_all(struct alert_rules *rules, struct error *err)
{
    yyjson_val *root = yyjson_doc_get_root(rules->doc), *item;
    size_t len = yyjson_arr_size(root), i, max;
    if (!yyjson_is_arr(root) || len > ALERT_RULES_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "alert rules are an array of at most %d objects", ALERT_RULES_MAX);
    rules->items = calloc(len ? len : 1, sizeof *rules->items);
    if (!rules->items)
        return error_no_memory(err);
    yyjson_arr_foreach(root, i, max, item)
    {
        TRY(parse_rule(item, &rules->items[i], err));
        for (size_t k = 0; k < i; k++)
            if (str_eq(rules->items[k].name, rules->items[i].name))
                return wrong(&rules->items[i], "the name is there twice", err);
        rules->len++;
    }
    return STATUS_OK;
}

enum status alert_rules_parse(struct str text, struct alert_rules *ret, struct error *err)
{
    *ret = (struct alert_rules){0};
    enum status status = json_parse(text, &ret->doc, err);
    if (status == STATUS_OK)
        status = parse_all(ret, err);
    if (status != STATUS_OK)
        alert_rules_release(ret);
    return status;
}

enum status alert_rules_load(struct sys *sys, const char *path, struct alert_rules *ret,
                             struct error *err)
{
    struct buf text;
    *ret = (struct alert_rules){0};
    if (!path || !path[0])
        return alert_rules_parse(STR(own_rules), ret, err);
    buf_init(&text, ALERT_FILE_MAX);
    enum status status = sys_read_file(sys, path, &text, err);
    if (status == STATUS_OK)
        status = alert_rules_parse(buf_str(&text), ret, err);
    buf_release(&text);
    return status == STATUS_OK ? status
                               : error_wrap(err, "the alert rules %s cannot be read", path);
}

void alert_rules_release(struct alert_rules *rules)
{
    yyjson_doc_free(rules->doc);
    free(rules->items);
    *rules = (struct alert_rules){0};
}

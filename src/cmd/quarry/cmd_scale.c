/* cmd_scale.c: quarry scale simulate FILE: a policy of scaling tried on a recorded load. No server.
 *
 * FILE (NDJSON, CSV or Parquet; by its name or --format) has a row for each sample: `at` (seconds,
 * from anywhere on), `node` (absent: one node), cpu_usage, memory_usage (per cent), active_queries,
 * queued_queries, avg_query_time (seconds); what is absent or null is 0. The rows of each node come
 * in the order of time. Each goes through the same function as in the live loop (service/scale.h);
 * the load is what was recorded, whatever the decisions. */
#include <math.h>
#include <stdlib.h>

#include "cmd/quarry/cli.h"
#include "cmd/quarry/records.h"
#include "format/records/record_builder.h"
#include "service/scale_settings.h"

enum {
    NODES_MAX = 65536,
    SLOTS = 2 * NODES_MAX,
    NODE_NAME_MAX = 127,
    ROWS_A_BATCH = 10000,
    LINE_MAX_BYTES = 4096,
};

enum sample_column { AT, NODE, CPU, MEMORY, RUNNING, QUEUED, QUERY_S, FIELDS };
static const char *const NAMES[FIELDS] = {"at",
                                          "node",
                                          "cpu_usage",
                                          "memory_usage",
                                          "active_queries",
                                          "queued_queries",
                                          "avg_query_time"};

struct simulated {
    char name[NODE_NAME_MAX + 1];
    struct scale_state state;
    double worker_seconds;
};

struct simulation {
    const struct cli *cli;
    struct scale_policy policy;
    uint32_t start; /* workers of each node at first */
    bool all;       /* decisions to hold, too */
    struct simulated *nodes;
    uint32_t len;
    uint32_t slots[SLOTS]; /* index + 1 by the hash of the name */
    uint64_t samples, ups, downs;
    uint32_t most; /* workers of all nodes together, at the most */
    uint32_t now;  /* ... at present */
};

/* --- nodes --- */

static enum status node_of(struct simulation *s, struct str name, struct simulated **ret,
                           struct error *err)
{
    uint32_t slot = (uint32_t)(str_hash(name) % SLOTS);
    for (; s->slots[slot]; slot = (slot + 1) % SLOTS) {
        *ret = &s->nodes[s->slots[slot] - 1];
        if (str_is(name, (*ret)->name))
            return STATUS_OK;
    }
    if (name.len > NODE_NAME_MAX || s->len == NODES_MAX)
        return error_set(err, STATUS_RESOURCE_LIMIT,
                         "more than %d nodes, or a name of more than %d bytes", NODES_MAX,
                         NODE_NAME_MAX);
    *ret = &s->nodes[s->len++];
    **ret = (struct simulated){.state = {.workers = s->start}};
    memcpy((*ret)->name, name.data, name.len);
    s->slots[slot] = s->len;
    s->now += s->start;
    return STATUS_OK;
}

/* --- printing --- */

static void print_decision(const struct simulation *s, const struct simulated *node,
                           const struct scale_decision *d)
{
    struct buf line;
    struct json_writer w;
    double at = (double)d->at_us / 1e6;
    if (!s->cli->json) {
        printf("%14.3f  %-24s %-4s %4u -> %-4u %s\n", at, node->name, scale_action_name(d->action),
               d->from, d->to, d->reason);
        return;
    }
    buf_init(&line, LINE_MAX_BYTES);
    json_writer_init(&w, &line);
    json_begin_object(&w);
    json_kv_double(&w, "at", at);
    json_kv_strz(&w, "node", node->name);
    json_kv_strz(&w, "action", scale_action_name(d->action));
    json_kv_int(&w, "from", d->from);
    json_kv_int(&w, "to", d->to);
    json_kv_strz(&w, "reason", d->reason);
    json_end_object(&w);
    printf("%.*s\n", STR_ARG(buf_str(&line)));
    buf_release(&line);
}

static void print_summary(const struct simulation *s)
{
    struct buf line;
    struct json_writer w;
    double worker_seconds = 0;
    for (uint32_t i = 0; i < s->len; i++)
        worker_seconds += s->nodes[i].worker_seconds;
    if (!s->cli->json) {
        printf("%llu samples of %u nodes: %llu times up, %llu times down; %u workers at the most, "
               "%u at the end, %.0f worker-seconds\n",
               (unsigned long long)s->samples, s->len, (unsigned long long)s->ups,
               (unsigned long long)s->downs, s->most, s->now, worker_seconds);
        return;
    }
    buf_init(&line, LINE_MAX_BYTES);
    json_writer_init(&w, &line);
    json_begin_object(&w);
    json_kv_int(&w, "samples", (int64_t)s->samples);
    json_kv_int(&w, "nodes", s->len);
    json_kv_int(&w, "ups", (int64_t)s->ups);
    json_kv_int(&w, "downs", (int64_t)s->downs);
    json_kv_int(&w, "workers_most", s->most);
    json_kv_int(&w, "workers_end", s->now);
    json_kv_double(&w, "worker_seconds", worker_seconds);
    json_end_object(&w);
    printf("%.*s\n", STR_ARG(buf_str(&line)));
    buf_release(&line);
}

/* --- samples --- */

static enum status take_sample(struct simulation *s, struct str name,
                               const struct scale_sample *sample, struct error *err)
{
    struct simulated *node = NULL;
    struct scale_decision decision;
    TRY(node_of(s, name, &node, err));
    if (node->state.has_sample)
        node->worker_seconds +=
            (double)(sample->at_us - node->state.last_us) / 1e6 * node->state.workers;
    if (scale_decide(&s->policy, &node->state, sample, &decision, err) != STATUS_OK)
        return error_wrap(err, "node '%s' at %.3f", node->name, (double)sample->at_us / 1e6);
    s->samples++;
    s->ups += decision.action == SCALE_UP;
    s->downs += decision.action == SCALE_DOWN;
    s->now += decision.to - decision.from;
    s->most = s->now > s->most ? s->now : s->most;
    if (s->all || decision.action != SCALE_HOLD)
        print_decision(s, node, &decision);
    return STATUS_OK;
}

/* A column that has no value in the batch may be left out of it. */
static const struct column *column_of(const struct batch *batch, enum sample_column at)
{
    int32_t index = batch_find(batch, str_of(NAMES[at]));
    return index < 0 ? NULL : &batch->columns[index].column;
}

static bool has_value(const struct column *column, uint32_t row)
{
    return column && !column_is_null(column, row);
}

static double number_at(const struct column *column, uint32_t row)
{
    return has_value(column, row) ? column_double(column, row) : 0;
}

static enum status take_rows(struct simulation *s, const struct batch *batch, struct error *err)
{
    const struct column *columns[FIELDS];
    for (int i = 0; i < FIELDS; i++)
        columns[i] = column_of(batch, (enum sample_column)i);
    for (uint32_t row = 0; row < batch->rows; row++) {
        double at = number_at(columns[AT], row);
        if (!has_value(columns[AT], row) || fabs(at) > 1e12)
            return error_set(err, STATUS_INVALID_ARGUMENT, "a sample without a time `at`");
        const struct scale_sample sample = {.at_us = llround(at * 1e6),
                                            .cpu = number_at(columns[CPU], row),
                                            .memory = number_at(columns[MEMORY], row),
                                            .running = number_at(columns[RUNNING], row),
                                            .queued = number_at(columns[QUEUED], row),
                                            .query_s = number_at(columns[QUERY_S], row),
                                            .machine_free = -1};
        bool named = has_value(columns[NODE], row);
        TRY(take_sample(s, named ? column_str(columns[NODE], row) : STR("node"), &sample, err));
    }
    return STATUS_OK;
}

static enum status take_batch(struct simulation *s, const struct record_batch *records,
                              struct error *err)
{
    struct record_field fields[FIELDS];
    struct record_builder *builder = NULL;
    struct batch *batch = NULL;
    for (int i = 0; i < FIELDS; i++)
        fields[i] = (struct record_field){.name = str_of(NAMES[i]),
                                          .type = i == NODE ? TYPE_STRING : TYPE_DOUBLE,
                                          .declared = true};
    TRY(record_builder_new(fields, FIELDS, &builder, err));
    bool csv = str_is(str_of(records->content_type), "text/csv");
    enum status status = csv ? record_builder_csv(builder, buf_str(&records->body), err)
                             : record_builder_ndjson(builder, buf_str(&records->body), err);
    if (status == STATUS_OK)
        status = record_builder_finish(builder, &batch, err);
    record_builder_free(builder);
    if (status == STATUS_OK)
        status = take_rows(s, batch, err);
    batch_unref(batch);
    return status;
}

static enum status simulate(struct simulation *s, const struct record_options *options,
                            struct error *err)
{
    struct record_source *source;
    TRY(record_source_open(options, &source, err));
    enum status status = STATUS_OK;
    for (struct record_batch *batch = NULL; status == STATUS_OK;) {
        status = record_source_next(source, &batch, err);
        if (status != STATUS_OK || !batch)
            break;
        status = take_batch(s, batch, err);
        record_batch_free(batch);
    }
    record_source_close(source);
    return status;
}

/* --- the command --- */

extern char **environ;

/* As quarryd has them: defaults, the file, the environment, --set. */
static enum status read_policy(const char *config, const struct texts *set,
                               struct scale_policy *ret, struct error *err)
{
    struct settings *settings = NULL;
    TRY(settings_new(&settings, err));
    enum status status =
        config ? settings_load_file(settings, sys_posix(), config, err) : STATUS_OK;
    if (status == STATUS_OK)
        status = settings_load_environment(settings, environ, err);
    for (size_t i = 0; i < set->len && status == STATUS_OK; i++) {
        struct str value = str_of(set->items[i]), name = STR_NONE;
        (void)str_split(&value, '=', &name);
        status = settings_set(settings, name, value.data ? value : STR(""), SETTING_FLAG, err);
    }
    if (status == STATUS_OK)
        status = scale_policy_of(settings, ret, err);
    settings_free(settings);
    return status;
}

static int run_simulation(struct simulation *s, const struct record_options *options)
{
    struct error err = ERROR_INIT;
    s->nodes = calloc(NODES_MAX, sizeof *s->nodes);
    enum status status = s->nodes ? simulate(s, options, &err) : error_no_memory(&err);
    if (status == STATUS_OK)
        print_summary(s);
    else
        cli_complain_error(&err);
    free(s->nodes);
    return status == STATUS_OK ? EXIT_DONE : EXIT_INPUT;
}

int cmd_scale(struct cli *cli, const struct command *command, int argc, char **argv)
{
    static struct simulation s; /* half a MiB */
    const char *format = NULL, *config = NULL;
    struct texts set = {.len = 0};
    int64_t start = 0;
    struct record_options options = {.records_max = ROWS_A_BATCH, .bytes_max = BATCH_BYTES_USUAL};
    struct error err = ERROR_INIT;
    const struct arg args[] = {
        {"--set", ARG_TEXTS, &set, "NAME=VALUE", "a setting: SCALE_..., MIN_WORKERS, MAX_WORKERS"},
        {"--config", ARG_TEXT, &config, "FILE", "quarryd's configuration file"},
        {"--start", ARG_INT, &start, "N", "workers of a node at first (MIN_WORKERS)"},
        {"--all", ARG_FLAG, &s.all, NULL, "decisions to do nothing are printed too"},
        {"--format", ARG_TEXT, &format, "NAME",
         "ndjson, csv or parquet, instead of the file's name"},
    };
    int code;
    if (!args_parse(cli, command, args, ARGS_LEN(args), 2, 2, &argc, argv, &code))
        return code;
    options.path = argv[1];
    s.cli = cli;
    if (strcmp(argv[0], "simulate") != 0 ||
        (format && !record_format_parse(format, &options.format))) {
        cli_complain("usage: quarry scale simulate FILE [--format ndjson|csv|parquet]");
        return EXIT_USAGE;
    }
    enum status status =
        format ? STATUS_OK : record_format_guess(options.path, &options.format, &err);
    if (status == STATUS_OK)
        status = read_policy(config, &set, &s.policy, &err);
    if (status != STATUS_OK) {
        cli_complain_error(&err);
        return EXIT_USAGE;
    }
    s.start = start > 0 ? (uint32_t)start : s.policy.min;
    return run_simulation(&s, &options);
}

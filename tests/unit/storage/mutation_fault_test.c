/* mutation_fault_test.c: as store_fault_test.c, over a story of appends, upserts, deletes, flushes,
 * compactions and restart.
 *
 * Rows come in groups of ids. Each group goes through stages, one write each: appended, wholly
 * replaced, half deleted, wholly replaced again; a client that gets no answer leaves the group
 * there. Whatever happened: the store opens, each group is as its last acknowledged stage left it
 * or as the one under way would, nothing between, and the rest of the story can be told. */
#include "mutation_fixture.h"
#include "sys/fault/fault.h"
#include "sys/sim/sim.h"

enum { GROUPS = 6, STAGES = 4, GROUP_ROWS = 20, SEGMENT_BYTES = 1 << 14 };

struct run {
    struct sim *sim;
    struct fault *fault;
    int sure[GROUPS];      /* stages that were acknowledged */
    bool given_up[GROUPS]; /* the next one was not */
};

static struct store *open_store(struct sys *sys)
{
    struct store_options options = {.path = "d",
                                    .wal_segment_bytes = SEGMENT_BYTES,
                                    .snapshot_retention_us = -1,
                                    .snapshots_min_kept = 2};
    struct store *store = NULL;
    return store_open(sys, &options, &store, &test_err) == STATUS_OK ? store : NULL;
}

/* What stage `stage` does to group `group`. */
static enum status do_stage(struct source *source, int group, int stage)
{
    int64_t ids[GROUP_ROWS];
    double values[GROUP_ROWS];
    struct write_result result;
    char id[32];
    snprintf(id, sizeof id, "g%d-%d", group, stage);
    for (int i = 0; i < GROUP_ROWS; i++) {
        ids[i] = (int64_t)group * GROUP_ROWS + i;
        values[i] = stage * 1000 + i;
    }
    if (stage == 1)
        return append_rows(source, ids, values, GROUP_ROWS, id, &result);
    if (stage == 3)
        return delete_range(source, ids[0], ids[0] + GROUP_ROWS / 2, id, &result);
    return upsert_rows(source, ids, values, GROUP_ROWS, id, &result);
}

static void stage_model(int stage, int group, struct model *model)
{
    for (int i = 0; i < GROUP_ROWS; i++) {
        int id = group * GROUP_ROWS + i;
        bool there = stage > 0 && !(stage == 3 && i < GROUP_ROWS / 2);
        model->count[id] = there;
        model->value[id] = there ? (stage == 3 ? 2 : stage) * 1000 + i : 0;
    }
}

static bool is_stage(const struct model *found, int group, int stage)
{
    static struct model model;
    stage_model(stage, group, &model);
    for (int id = group * GROUP_ROWS; id < (group + 1) * GROUP_ROWS; id++) {
        if (found->count[id] != model.count[id] || found->value[id] != model.value[id])
            return false;
    }
    return true;
}

static void advance(struct run *run, struct source *source, int group)
{
    if (run->given_up[group])
        return;
    int stage = run->sure[group] + 1;
    if (do_stage(source, group, stage) == STATUS_OK || do_stage(source, group, stage) == STATUS_OK)
        run->sure[group] = stage;
    else
        run->given_up[group] = true;
}

/* Stages first to last of all groups; upkeep between. */
static void session(struct run *run, int first, int last, bool flush_at_end)
{
    struct compact_policy policy = {.io_bytes_per_s = UINT64_MAX};
    struct source_config config = mutation_config("s");
    struct source *source = NULL;
    struct store *store = open_store(fault_sys(run->fault));
    if (!store)
        return;
    (void)store_add_source(store, &config, NULL);
    if (store_get_source(store, STR("s"), &source, NULL) == STATUS_OK) {
        for (int stage = first; stage <= last; stage++) {
            for (int group = 0; group < GROUPS; group++) {
                advance(run, source, group);
                if (group % 3 == 1)
                    (void)source_flush(source, NULL);
                if (group == 3 && stage > 1)
                    (void)source_compact(source, &policy, NULL, NULL);
            }
        }
    }
    source_unref(source);
    store_close(store, flush_at_end);
}

static void story(struct run *run)
{
    session(run, 1, 2, false);
    session(run, 3, 3, false);
    session(run, 4, STAGES, true);
}

static void check_groups(struct run *run, struct source *source, const char *what)
{
    static struct model found;
    model_of_source(source, &found);
    for (int group = 0; group < GROUPS; group++) {
        int sure = run->sure[group];
        bool next = run->given_up[group] && is_stage(&found, group, sure + 1);
        if (!next && !is_stage(&found, group, sure))
            fail_msg("%s: group %d is not as stage %d left it", what, group, sure);
        run->sure[group] = sure + next;
    }
}

static void check_end(struct source *source)
{
    static struct model model;
    memset(&model, 0, sizeof model);
    for (int group = 0; group < GROUPS; group++)
        stage_model(STAGES, group, &model);
    model_check(source, &model);
}

static void check_after(struct run *run, const char *what)
{
    struct source *source = NULL;
    struct source_config config = mutation_config("s");
    struct compact_policy policy = {.io_bytes_per_s = UINT64_MAX};
    test_err = ERROR_INIT;
    struct store *store = open_store(sim_sys(run->sim));
    if (!store)
        fail_msg("%s: the store does not open: %s (%s)", what, test_err.message, test_err.cause);
    assert_ok(store_add_source(store, &config, &test_err));
    assert_ok(store_get_source(store, STR("s"), &source, &test_err));
    check_groups(run, source, what);
    for (int group = 0; group < GROUPS; group++) { /* the last stage that is there is told again */
        for (int stage = run->sure[group] ? run->sure[group] : 1; stage <= STAGES; stage++)
            assert_ok(do_stage(source, group, stage));
    }
    check_end(source);
    if (source_flush(source, &test_err) != STATUS_OK)
        fail_msg("%s: no flush: %s", what, test_err.message);
    check_end(source);
    assert_ok(source_compact(source, &policy, NULL, &test_err));
    check_end(source);
    source_unref(source);
    store_close(store, false);
    store = open_store(sim_sys(run->sim));
    if (!store)
        fail_msg("%s: the store does not open again: %s", what, test_err.message);
    assert_ok(store_get_source(store, STR("s"), &source, &test_err));
    check_end(source);
    source_unref(source);
    store_close(store, false);
}

static void run_init(struct run *run, uint64_t seed)
{
    *run = (struct run){0};
    assert_ok(sim_new(seed, &run->sim, &test_err));
    assert_ok(fault_new(sim_sys(run->sim), &run->fault, &test_err));
}

static void run_release(struct run *run)
{
    fault_free(run->fault);
    sim_free(run->sim);
}

static uint64_t count_calls(enum fault_op op)
{
    struct run run;
    run_init(&run, 1);
    fault_plan(run.fault, NULL);
    story(&run);
    uint64_t calls = fault_calls(run.fault, op);
    for (int group = 0; group < GROUPS; group++)
        assert_int_equal(run.sure[group], STAGES);
    check_after(&run, "without a fault");
    run_release(&run);
    return calls;
}

/* Every `step`-th call fails as planned; QUARRY_TORTURE=1 takes all of them. */
static void each_call(struct fault_plan plan, bool cut, uint64_t step, const char *name)
{
    char what[128];
    uint64_t calls = count_calls(plan.op);
    assert_true(calls > 4);
    if (getenv("QUARRY_TORTURE"))
        step = 1;
    for (uint64_t at = 1 + (step > 1 ? calls % step : 0); at <= calls; at += step) {
        struct run run;
        run_init(&run, at);
        plan.at = at;
        fault_plan(run.fault, &plan);
        story(&run);
        fault_plan(run.fault, NULL);
        if (cut)
            sim_power_cut(run.sim, at);
        snprintf(what, sizeof what, "%s, call %llu of %llu", name, (unsigned long long)at,
                 (unsigned long long)calls);
        check_after(&run, what);
        run_release(&run);
    }
}

static void test_once(void **state)
{
    (void)state;
    each_call((struct fault_plan){.op = FAULT_ANY}, false, 31, "one failure");
}

static void test_once_then_cut(void **state)
{
    (void)state;
    each_call((struct fault_plan){.op = FAULT_ANY}, true, 31, "one failure, then a power cut");
}

static void test_crash(void **state)
{
    (void)state;
    each_call((struct fault_plan){.op = FAULT_ANY, .crash = true}, false, 23, "crash");
}

static void test_power_cut(void **state)
{
    (void)state;
    each_call((struct fault_plan){.op = FAULT_ANY, .crash = true}, true, 23, "power cut");
}

static void test_power_cut_at_syncs(void **state)
{
    (void)state;
    each_call((struct fault_plan){.op = FAULT_SYNC, .crash = true}, true, 5, "power cut at a sync");
}

static void test_torn_writes(void **state)
{
    (void)state;
    each_call(
        (struct fault_plan){
            .op = FAULT_PWRITE, .crash = true, .write = FAULT_WRITE_TORN, .bytes = 100},
        true, 5, "torn write");
}

static void test_full_disk(void **state)
{
    (void)state;
    each_call((struct fault_plan){.op = FAULT_PWRITE, .errnum = 28 /* ENOSPC */, .for_ever = true},
              false, 9, "full disk");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_once),
        cmocka_unit_test(test_once_then_cut),
        cmocka_unit_test(test_crash),
        cmocka_unit_test(test_power_cut),
        cmocka_unit_test(test_power_cut_at_syncs),
        cmocka_unit_test(test_torn_writes),
        cmocka_unit_test(test_full_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

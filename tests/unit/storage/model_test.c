/* model_test.c: random operations on three sources of one store against a model in memory, on a
 * machine that loses its power now and then.
 *
 * A life is a fresh machine and at most LIFE_STEPS operations, all chosen by the life's seed. After
 * an operation that a crash cut short, the source is as before it or as after it, the other sources
 * are as they were, and what was acknowledged is there once. QUARRY_MODEL_SEED is the first life's
 * seed (1), QUARRY_MODEL_STEPS the number of steps of all lives (100,000); QUARRY_MODEL_TRACE=1
 * prints every operation. A failure prints what replays it.
 *
 * The operations replay exactly. What the log's and the index thread do beside them does not to the
 * last call, so a crash may hit another call of the same operation. */
#include "model_composite.h"

enum { LIFE_STEPS = 400, STEPS = 100000, CHECK_STEPS = 25, CRASH_CALLS = 60 };

struct totals {
    uint64_t crashes, cut_short, reopened, commits, views;
};

static struct world *running; /* for the teardown of a test that failed */
static struct totals totals;

/* --- opening and closing --- */

static enum status open_store(struct world *w)
{
    struct store_options options = {.path = "d",
                                    .wal_segment_bytes = 1 << 14,
                                    .flush_age_us = INT64_C(1) << 60,
                                    .snapshot_retention_us = 60 * 1000000,
                                    .snapshots_min_kept = 2};
    return store_open(fault_sys(w->fault), &options, &w->store, &test_err);
}

static void get_sources(struct world *w)
{
    for (int i = 0; i < MEMBERS; i++)
        assert_ok(store_get_source(w->store, str_of(w->members[i].name), &w->members[i].source,
                                   &test_err));
}

static void check_kept(struct world *w, struct kept_view *kept)
{
    char why[256];
    if (!view_matches(&kept->view, &kept->model, why))
        fail_msg("a view that was kept has changed by step %u: %s", w->step, why);
}

static void close_kept(struct kept_view *kept)
{
    if (kept->open)
        view_close(&kept->view);
    model_release(&kept->model);
    kept->open = false;
}

static void close_store(struct world *w, bool flush)
{
    for (int i = 0; i < VIEWS; i++)
        close_kept(&w->views[i]);
    for (int i = 0; i < MEMBERS; i++) {
        source_unref(w->members[i].source);
        w->members[i].source = NULL;
    }
    store_close(w->store, flush);
    w->store = NULL;
}

/* --- what a source should hold --- */

/* Replaces the oldest without a tag. */
static void record(struct member *m, uint64_t snapshot_id)
{
    struct record *oldest = NULL;
    for (int i = 0; i < RECORDS; i++) {
        struct record *entry = &m->records[i];
        if (!entry->tag && (!oldest || entry->snapshot_id < oldest->snapshot_id))
            oldest = entry;
    }
    if (!oldest)
        return;
    model_release(&oldest->model);
    oldest->snapshot_id = snapshot_id;
    model_copy(&m->model, &oldest->model);
}

/* Has there been a commit? Then it holds what the model does. */
static void look_for_commit(struct member *m, bool known)
{
    struct source_stats stats;
    source_get_stats(m->source, &stats);
    assert_int_equal(stats.rows, m->model.len);
    if (stats.snapshot_id == m->snapshot_id)
        return;
    totals.commits++;
    m->snapshot_id = stats.snapshot_id;
    if (known)
        record(m, stats.snapshot_id);
}

static void check_member(struct member *m)
{
    struct view view;
    char why[256];
    assert_ok(view_open(m->source, &view, &test_err));
    if (!present_matches(&view, &m->model, why))
        fail_msg("%s: %s", m->name, why);
    view_close(&view);
}

static uint32_t indexes_of(struct member *m, const char *name)
{
    struct index_info *indexes = NULL;
    struct arena arena;
    uint32_t len = 0, kinds = 0;
    arena_init(&arena, 0);
    assert_ok(source_list_indexes(m->source, &arena, &indexes, &len, &test_err));
    for (uint32_t i = 0; i < len; i++)
        kinds |= !indexes[i].number && str_is(indexes[i].columns[0], name)
                     ? (uint32_t)indexes[i].kind
                     : 0;
    arena_release(&arena);
    return kinds;
}

/* `unsure`: the change of an index was under way. */
static void check_indexes(struct member *m, bool unsure)
{
    for (int slot = 0; slot < SLOTS; slot++) {
        struct model_column *column = &m->model.columns[slot];
        if (!column->live)
            continue;
        uint32_t kinds = indexes_of(m, column->name);
        if (unsure)
            column->indexes = kinds;
        assert_int_equal(column->indexes, kinds);
    }
}

static void remember_write(struct world *w, struct member *m)
{
    if (w->write.id)
        m->writes[w->write.id % WRITES] = w->write;
}

/* --- operations on the store --- */

static void keep_view(struct world *w, struct member *m)
{
    struct kept_view *kept = &w->views[below(w, VIEWS)];
    if (kept->open) {
        check_kept(w, kept);
        close_kept(kept);
        return;
    }
    say(w, m, "keep a view");
    assert_ok(view_open(m->source, &kept->view, &test_err));
    model_copy(&m->model, &kept->model);
    kept->open = true;
    totals.views++;
}

static void reopen(struct world *w, bool flush)
{
    say(w, &w->members[0], "close%s and open", flush ? " with a flush" : "");
    for (int i = 0; i < VIEWS; i++) {
        if (w->views[i].open)
            check_kept(w, &w->views[i]);
    }
    close_store(w, flush);
    assert_ok(open_store(w));
    get_sources(w);
    totals.reopened++;
    for (int i = 0; i < MEMBERS; i++) {
        look_for_commit(&w->members[i], true);
        check_member(&w->members[i]);
        check_indexes(&w->members[i], false);
        check_composites(&w->members[i], false);
    }
}

typedef enum status (*operation)(struct world *w, struct member *m);

static const struct {
    operation run;
    uint32_t weight;
    bool crashes; /* may be cut short */
} operations[] = {
    {do_append, 260, true},       {do_upsert, 220, true}, {do_delete, 80, true},
    {do_update, 80, true},        {do_flush, 40, true},   {do_compact, 10, true},
    {do_expire, 10, true},        {do_alter, 20, true},   {do_index, 8, true},
    {do_rollback, 4, true},       {do_tag, 10, false},    {do_as_of, 40, false},
    {do_duplicate, 80, false},    {do_lookup, 60, false}, {do_composite, 10, true},
    {do_tuple_lookup, 60, false},
};
enum { OPERATIONS = sizeof operations / sizeof *operations };

static operation choose(struct world *w, bool crashes)
{
    uint32_t sum = 0;
    for (int i = 0; i < OPERATIONS; i++)
        sum += operations[i].weight * (!crashes || operations[i].crashes);
    uint32_t at = below(w, sum);
    for (int i = 0;; i++) {
        uint32_t weight = operations[i].weight * (!crashes || operations[i].crashes);
        if (at < weight)
            return operations[i].run;
        at -= weight;
    }
}

static void clear_step(struct world *w)
{
    test_err = ERROR_INIT;
    w->write = (struct written){0};
    w->unrecorded = false;
}

static void plain_step(struct world *w, struct member *m)
{
    operation run = choose(w, false);
    clear_step(w);
    if (m->model.len >= ROWS_MAX && (run == do_append || run == do_upsert))
        run = do_delete;
    if (run(w, m) != STATUS_OK)
        fail_msg("%s: %s", test_err.message, test_err.cause);
    remember_write(w, m);
    look_for_commit(m, !w->unrecorded);
}

/* --- crashes --- */

static void cut_power(struct world *w)
{
    static const enum sim_cut kinds[] = {SIM_CUT_STRICT, SIM_CUT_NAMES, SIM_CUT_RANDOM,
                                         SIM_CUT_RANDOM};
    uint32_t kind = below(w, 5);
    uint64_t seed = chance(w);
    fault_plan(w->fault, NULL);
    if (kind < 4) /* else only the process dies */
        sim_power_cut_as(w->sim, kinds[kind], seed);
}

static void plan_crash(struct world *w)
{
    static const enum fault_op ops[] = {FAULT_ANY, FAULT_ANY, FAULT_PWRITE, FAULT_SYNC,
                                        FAULT_RENAME};
    struct fault_plan plan = {.op = ops[below(w, 5)], .crash = true};
    plan.at = 1 + below(w, plan.op == FAULT_ANY && below(w, 3) == 0 ? CRASH_CALLS : 3);
    if (below(w, 2)) {
        plan.write = FAULT_WRITE_TORN;
        plan.bytes = 1 + below(w, 900);
    }
    fault_plan(w->fault, &plan);
}

/* One time in four the recovery is cut short, too. */
static void recover(struct world *w)
{
    cut_power(w);
    if (below(w, 4) == 0) {
        plan_crash(w);
        if (open_store(w) == STATUS_OK) {
            store_close(w->store, false);
            w->store = NULL;
        }
        cut_power(w);
    }
    test_err = ERROR_INIT;
    assert_ok(open_store(w));
    get_sources(w);
}

/* Which of the two it is; the model becomes that. */
static void settle(struct world *w, struct member *m, struct model *before, bool acknowledged)
{
    struct view view;
    char why[256], other[256];
    assert_ok(view_open(m->source, &view, &test_err));
    bool is_after = present_matches(&view, &m->model, why);
    if (!is_after && acknowledged)
        fail_msg("%s: acknowledged, then a crash: %s", m->name, why);
    if (!is_after && !present_matches(&view, before, other))
        fail_msg("%s: neither as after it (%s) nor as before (%s)", m->name, why, other);
    view_close(&view);
    if (is_after && (acknowledged || !model_equal(&m->model, before)))
        remember_write(w, m);
    if (!is_after) {
        model_release(&m->model);
        m->model = *before;
        *before = (struct model){0};
    }
}

static void crash_step(struct world *w, struct member *m)
{
    struct model before;
    operation run = choose(w, true);
    clear_step(w);
    model_copy(&m->model, &before);
    plan_crash(w);
    bool acknowledged = run(w, m) == STATUS_OK;
    if (w->trace)
        print_message("  crash; it was %s\n", acknowledged ? "acknowledged" : test_err.message);
    close_store(w, false);
    recover(w);
    totals.crashes++;
    totals.cut_short += !acknowledged;
    settle(w, m, &before, acknowledged);
    model_release(&before);
    for (int i = 0; i < MEMBERS; i++) {
        check_member(&w->members[i]);
        bool unsure = &w->members[i] == m && !acknowledged;
        check_indexes(&w->members[i], unsure && run == do_index);
        check_composites(&w->members[i], unsure && run == do_composite);
        look_for_commit(&w->members[i], false);
    }
}

/* --- a life --- */

static void step(struct world *w)
{
    struct member *m = &w->members[below(w, MEMBERS)];
    uint32_t dice = below(w, 1000);
    if (dice < 14)
        crash_step(w, m);
    else if (dice < 19)
        reopen(w, below(w, 3) == 0);
    else if (dice < 50)
        keep_view(w, m);
    else
        plain_step(w, m);
    if (w->step % CHECK_STEPS == 0) {
        check_member(m);
        struct kept_view *kept = &w->views[below(w, VIEWS)];
        if (kept->open)
            check_kept(w, kept);
    }
}

/* The columns that are there from the first row on. */
static void fill(struct world *w, struct member *m)
{
    struct write_result result;
    struct model_row row = {.id = w->next_id++, .cells = {0, 1, 2}};
    model_add_column(&m->model, SLOT_ID, "id", TYPE_INT64, NAN, false, ++w->next_serial);
    model_add_column(&m->model, SLOT_KIND, "kind", TYPE_STRING, NAN, false, ++w->next_serial);
    model_add_column(&m->model, SLOT_KIND + 1, "n", TYPE_INT64, NAN, false, ++w->next_serial);
    m->model.columns[SLOT_ID].indexes = m->keyed ? INDEX_KIND_HASH : 0;
    model_add(&m->model, &row);
    struct batch *batch = model_batch(&m->model, &row, 1, UINT32_MAX);
    assert_ok(source_write(m->source, batch, STR_NONE, &result, &test_err));
    batch_unref(batch);
}

static void make_sources(struct world *w)
{
    static const struct member members[MEMBERS] = {
        {.name = "plain"},
        {.name = "parted", .keyed = true, .partitioned = true},
        {.name = "keyed", .keyed = true}};
    for (int i = 0; i < MEMBERS; i++) {
        struct member *m = &w->members[i];
        *m = members[i];
        struct source_config config = fixture_config(m->name);
        config.index_columns_len = m->keyed; /* id */
        config.partition_columns_len = m->partitioned;
        config.key_columns = fixture_index;
        config.key_columns_len = m->keyed;
        assert_ok(store_add_source(w->store, &config, &test_err));
    }
    get_sources(w);
    for (int i = 0; i < MEMBERS; i++)
        fill(w, &w->members[i]);
}

static void world_release(struct world *w)
{
    close_store(w, false);
    for (int i = 0; i < MEMBERS; i++) {
        model_release(&w->members[i].model);
        for (int k = 0; k < RECORDS; k++)
            model_release(&w->members[i].records[k].model);
    }
    fault_free(w->fault);
    sim_free(w->sim);
}

static void live(uint64_t seed, uint32_t steps)
{
    static struct world world;
    struct world *w = &world;
    *w = (struct world){.seed = seed, .chance = seed, .trace = getenv("QUARRY_MODEL_TRACE")};
    running = w;
    assert_ok(sim_new(seed, &w->sim, &test_err));
    assert_ok(fault_new(sim_sys(w->sim), &w->fault, &test_err));
    fault_plan(w->fault, NULL);
    assert_ok(open_store(w));
    make_sources(w);
    while (w->step < steps) {
        w->step++;
        step(w);
    }
    w->step++;
    reopen(w, false);
    world_release(w);
    running = NULL;
}

static uint64_t number_of(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text && *text ? strtoull(text, NULL, 10) : otherwise;
}

static void test_lives(void **state)
{
    uint64_t seed = number_of("QUARRY_MODEL_SEED", 1),
             steps = number_of("QUARRY_MODEL_STEPS", STEPS);
    (void)state;
    for (uint64_t done = 0; done < steps; done += LIFE_STEPS, seed++)
        live(seed, (uint32_t)(steps - done < LIFE_STEPS ? steps - done : LIFE_STEPS));
    print_message("%llu steps: %llu crashes (%llu in an operation), %llu restarts, %llu commits, "
                  "%llu views kept\n",
                  (unsigned long long)steps, (unsigned long long)totals.crashes,
                  (unsigned long long)totals.cut_short, (unsigned long long)totals.reopened,
                  (unsigned long long)totals.commits, (unsigned long long)totals.views);
}

static int tell_replay(void **state)
{
    (void)state;
    if (running)
        print_error("seed %llu, step %u, %s\nreplay: QUARRY_MODEL_SEED=%llu QUARRY_MODEL_STEPS=%u "
                    "QUARRY_MODEL_TRACE=1 model_test\n",
                    (unsigned long long)running->seed, running->step, running->what,
                    (unsigned long long)running->seed, running->step);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_teardown(test_lives, tell_replay)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

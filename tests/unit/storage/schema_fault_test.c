/* schema_fault_test.c: every call to the outside world fails once, or the power goes, during a
 * fixed story of writes and changes of columns; then the store is opened again.
 *
 * Whatever happened: the columns are those of the last change that was acknowledged, or of the one
 * that was under way; every acknowledged row is there with its values under the right names, and
 * values of a dropped column do not come back under the same name. */
#include "fixture.h"
#include "sys/fault/fault.h"
#include "sys/sim/sim.h"

enum { STATES = 4, ROWS = 10 };

/* What the client was told. */
struct model {
    bool rows[STATES]; /* ids state * ROWS and on, written in that state */
    int state;         /* changes acknowledged */
    bool under_way;    /* one more was asked for, without success */
};

struct run {
    struct sim *sim;
    struct fault *fault;
    struct model model;
};

static struct store *open_store(struct sys *sys)
{
    struct store_options options = {.path = "d", .wal_segment_bytes = 1 << 14};
    struct store *store = NULL;
    return store_open(sys, &options, &store, &test_err) == STATUS_OK ? store : NULL;
}

/* Names of the text column, and of the number (NULL: none), in each state. */
static const char *const text_name[STATES] = {"a", "b", "b", "b"};
static const char *const number_name[STATES] = {NULL, "c", "c", "d"};

/* The change that leads from a state to the next. */
static enum status change(struct source *source, int state)
{
    yyjson_doc *doc = yyjson_read("7", 1, 0);
    const struct schema_change changes[STATES - 1][2] = {
        {{.kind = SCHEMA_RENAME, .column = STR("a"), .to = STR("b")},
         {.kind = SCHEMA_ADD,
          .column = STR("c"),
          .type = TYPE_INT64,
          .value = yyjson_doc_get_root(doc),
          .place = PLACE_FIRST}},
        {{.kind = SCHEMA_DROP, .column = STR("b")},
         {.kind = SCHEMA_ADD, .column = STR("b"), .type = TYPE_STRING}},
        {{.kind = SCHEMA_RENAME, .column = STR("c"), .to = STR("d")},
         {.kind = SCHEMA_DEFAULT, .column = STR("d")}},
    };
    struct schema *schema = NULL;
    test_err = ERROR_INIT;
    enum status status = source_alter(source, changes[state], 2, -1, &schema, &test_err);
    schema_unref(schema);
    yyjson_doc_free(doc);
    return status;
}

static enum status write_rows(struct source *source, int state)
{
    struct write_result result;
    struct batch *batch = batch_new();
    uint32_t id, text;
    char word[16];
    assert_int_equal(batch_add_column(batch, STR("id"), TYPE_INT64, &id), STATUS_OK);
    assert_int_equal(batch_add_column(batch, str_of(text_name[state]), TYPE_STRING, &text),
                     STATUS_OK);
    for (int i = state * ROWS; i < (state + 1) * ROWS; i++) {
        snprintf(word, sizeof word, "v%d", i);
        assert_int_equal(column_append_int64(&batch->columns[id].column, i), STATUS_OK);
        assert_int_equal(column_append_bytes(&batch->columns[text].column, str_of(word)),
                         STATUS_OK);
    }
    assert_int_equal(batch_set_rows(batch, ROWS), STATUS_OK);
    snprintf(word, sizeof word, "w%d", state);
    enum status status = source_write(source, batch, str_of(word), &result, &test_err);
    batch_unref(batch);
    return status;
}

static bool write_twice(struct run *run, struct source *source, int state)
{
    run->model.rows[state] =
        write_rows(source, state) == STATUS_OK || write_rows(source, state) == STATUS_OK;
    return run->model.rows[state];
}

static bool change_twice(struct run *run, struct source *source, int state)
{
    run->model.under_way = true;
    if (change(source, state) != STATUS_OK && change(source, state) != STATUS_OK)
        return false;
    run->model.under_way = false;
    run->model.state = state + 1;
    return true;
}

/* From `first` on; ends when something fails twice. */
static bool session(struct run *run, int first, int end)
{
    struct source_config config = {
        .source_id = STR("s"), .name = STR("s"), .codec = PARQUET_SNAPPY, .wal_enabled = true};
    struct source *source = NULL;
    struct store *store = open_store(fault_sys(run->fault));
    if (!store)
        store = open_store(fault_sys(run->fault));
    if (!store)
        return false;
    bool good = store_add_source(store, &config, NULL) == STATUS_OK ||
                store_add_source(store, &config, NULL) == STATUS_OK;
    good = good && store_get_source(store, STR("s"), &source, NULL) == STATUS_OK;
    for (int state = first; good && state < end; state++) {
        good = write_twice(run, source, state);
        if (good && state == 1)
            (void)source_flush(source, NULL);
        good = good && (state == STATES - 1 || change_twice(run, source, state));
    }
    source_unref(source);
    store_close(store, false);
    return good;
}

static void story(struct run *run)
{
    if (session(run, 0, 2)) /* the restart is behind a change */
        (void)session(run, 2, STATES);
}

/* Which state the columns are those of; -1: none. */
static int state_of(const struct schema *schema)
{
    bool a = schema_find(schema, STR("a")) >= 0, b = schema_find(schema, STR("b")) >= 0;
    bool c = schema_find(schema, STR("c")) >= 0, d = schema_find(schema, STR("d")) >= 0;
    int32_t at = schema_find(schema, STR("b"));
    if (!b)
        return a || !c ? 0 : -1; /* before the first row there is no column */
    if (a || c == d)
        return -1;
    /* The second b is another field than c's elder neighbour. */
    int32_t other = schema_find(schema, d ? STR("d") : STR("c"));
    bool second = schema->fields[at].id > schema->fields[other].id;
    return d ? (second ? 3 : -1) : second ? 2 : 1;
}

static void check_row(int state, int64_t id, const struct column *text, const struct column *number,
                      uint32_t row, const char *what)
{
    char word[16];
    snprintf(word, sizeof word, "v%lld", (long long)id);
    bool old_text = id < 2 * ROWS; /* of the first text column */
    bool has_text = state < 2 ? old_text : !old_text;
    if (column_is_null(text, row) == has_text || (has_text && !str_is(column_str(text, row), word)))
        fail_msg("%s: row %lld in state %d has a wrong text", what, (long long)id, state);
    if (!number)
        return;
    bool has_number = id < 3 * ROWS;
    if (column_is_null(number, row) == has_number || (has_number && column_int64(number, row) != 7))
        fail_msg("%s: row %lld in state %d has a wrong number", what, (long long)id, state);
}

static void check_rows(const struct model *model, struct view *view, int state, const char *what)
{
    struct column ids, text, number = {0};
    bool there[STATES * ROWS] = {false};
    if (view->rows == 0) {
        assert_false(model->rows[0]);
        return;
    }
    fixture_read(view, "id", &ids);
    fixture_read(view, text_name[state], &text);
    if (number_name[state])
        fixture_read(view, number_name[state], &number);
    for (uint32_t row = 0; row < ids.rows; row++) {
        int64_t id = column_int64(&ids, row);
        assert_in_range(id, 0, STATES * ROWS - 1);
        if (there[id])
            fail_msg("%s: row %lld is there twice", what, (long long)id);
        there[id] = true;
        check_row(state, id, &text, number_name[state] ? &number : NULL, row, what);
    }
    for (int id = 0; id < STATES * ROWS; id++) {
        if (model->rows[id / ROWS] && !there[id])
            fail_msg("%s: row %d is gone", what, id);
        if (there[id] != there[id / ROWS * ROWS])
            fail_msg("%s: a part of batch %d", what, id / ROWS);
    }
    column_release(&ids);
    column_release(&text);
    column_release(&number);
}

static int check_source(const struct model *model, struct source *source, const char *what)
{
    struct view view;
    assert_ok(view_open(source, &view, &test_err));
    int state = state_of(view.schema);
    if (state != model->state && !(model->under_way && state == model->state + 1))
        fail_msg("%s: the columns are those of state %d, %d was acknowledged", what, state,
                 model->state);
    check_rows(model, &view, state, what);
    view_close(&view);
    return state;
}

static void check_after(struct run *run, const char *what)
{
    struct source *source = NULL;
    struct model *model = &run->model;
    test_err = ERROR_INIT;
    struct store *store = open_store(sim_sys(run->sim));
    if (!store)
        fail_msg("%s: the store does not open: %s (%s)", what, test_err.message, test_err.cause);
    if (store_get_source(store, STR("s"), &source, NULL) == STATUS_OK) {
        int state = check_source(model, source, what);
        *model = (struct model){.state = state}; /* it goes on from there */
        if (write_rows(source, state) != STATUS_OK)
            fail_msg("%s: no write: %s", what, test_err.message);
        model->rows[state] = true;
        for (; state + 1 < STATES; state++) {
            if (change(source, state) != STATUS_OK)
                fail_msg("%s: no change: %s", what, test_err.message);
        }
        model->state = STATES - 1;
        model->rows[0] = false;
        assert_ok(source_flush(source, &test_err));
        assert_int_equal(check_source(model, source, what), STATES - 1);
        source_unref(source);
    } else {
        assert_false(model->rows[0]);
    }
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
    assert_int_equal(run.model.state, STATES - 1);
    check_after(&run, "without a fault");
    run_release(&run);
    return calls;
}

static void each_call(struct fault_plan plan, bool cut, const char *name)
{
    char what[128];
    uint64_t calls = count_calls(plan.op);
    assert_true(calls > 4);
    for (uint64_t at = 1; at <= calls; at++) {
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
    each_call((struct fault_plan){.op = FAULT_ANY}, false, "one failure");
}

static void test_once_then_cut(void **state)
{
    (void)state;
    each_call((struct fault_plan){.op = FAULT_ANY}, true, "one failure, then a power cut");
}

static void test_crash(void **state)
{
    (void)state;
    each_call((struct fault_plan){.op = FAULT_ANY, .crash = true}, false, "crash");
}

static void test_power_cut(void **state)
{
    (void)state;
    each_call((struct fault_plan){.op = FAULT_ANY, .crash = true}, true, "power cut");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_once),
        cmocka_unit_test(test_once_then_cut),
        cmocka_unit_test(test_crash),
        cmocka_unit_test(test_power_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

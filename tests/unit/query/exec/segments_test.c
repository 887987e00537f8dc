/* segments_test.c: the same random rows through a real store: as segments with hash and sorted
 * indexes (few large ones, or many small ones, for the key filters), as segments without, and as
 * unflushed chunks. All three must give what the plain judge gives. */
#include "query/exec/change.h"
#include "storage/table/deletion.h"
#include "sys/sys.h"
#include "unit/query/exec/random_model.h"

enum { DELETES = 4 };
enum { FEW_BATCHES = 6, MANY_BATCHES = 24, MANY_ROWS_MAX = 40 };

struct stored {
    char path[64];
    struct store *store;
    struct source *plain, *indexed;
    struct view views[3]; /* plain, indexed, hand-built chunks */
    int batches;
    yyjson_doc *docs[MANY_BATCHES];
    yyjson_doc *deletes[DELETES]; /* filters whose rows were deleted */
    int deletes_len;
    struct deletion *gone[MANY_BATCHES]; /* the same of the hand-built chunks */
};

static void ok(enum status status, const struct error *err)
{
    if (status != STATUS_OK)
        fail_msg("%s: %s %s", status_info(status)->code, err->message, err->cause);
}

static struct source *add_source(struct store *store, const char *id, const struct schema *schema,
                                 const struct str *indexes, uint32_t indexes_len)
{
    struct error err = ERROR_INIT;
    struct source *source;
    struct source_config config = {.source_id = str_of(id),
                                   .name = str_of(id),
                                   .connection_string = STR(""),
                                   .data_path = STR(""),
                                   .fields = schema->fields,
                                   .fields_len = schema->fields_len,
                                   .index_columns = indexes,
                                   .index_columns_len = indexes_len,
                                   .codec = PARQUET_SNAPPY,
                                   .max_file_size_mb = 256,
                                   .wal_enabled = true};
    ok(store_add_source(store, &config, &err), &err);
    ok(store_get_source(store, config.source_id, &source, &err), &err);
    return source;
}

static void write_rows(struct source *source, const char *columns, const char *rows)
{
    struct error err = ERROR_INIT;
    struct write_result result;
    struct batch *batch = build_batch(columns, rows);
    ok(source_write(source, batch, STR_NONE, &result, &err), &err);
    batch_unref(batch);
}

/* Until the key filters of column i are there. */
static void wait_finder(struct view *view)
{
    struct value value = {.type = TYPE_INT64, .int64 = 1};
    uint64_t bits[2] = {UINT64_MAX, UINT64_MAX};
    uint32_t field = (uint32_t)schema_find(view->schema, STR("i"));
    for (int i = 0; i < 1000; i++) {
        if (view_narrow(view, field, &value, 1, bits))
            return;
        sys_sleep_us(sys_posix(), 5000);
    }
    fail_msg("there is no finder");
}

static void add_composites(struct source *source)
{
    static const struct {
        enum index_kind kind;
        uint32_t len;
        struct str columns[3];
    } composites[] = {
        {INDEX_KIND_HASH, 2, {{"i", 1}, {"s", 1}}},
        {INDEX_KIND_HASH, 3, {{"t", 1}, {"x", 1}, {"b", 1}}},
        {INDEX_KIND_SORTED, 2, {{"i", 1}, {"id", 2}}},
        {INDEX_KIND_SORTED, 2, {{"b", 1}, {"x", 1}}},
        {INDEX_KIND_SORTED, 3, {{"s", 1}, {"d", 1}, {"i", 1}}},
        {INDEX_KIND_SORTED, 2, {{"d", 1}, {"s", 1}}},
    };
    struct error err = ERROR_INIT;
    uint32_t number;
    for (size_t i = 0; i < sizeof composites / sizeof *composites; i++)
        ok(source_add_composite(source, composites[i].columns, composites[i].len,
                                composites[i].kind, &number, &err),
           &err);
}

/* Equality with some columns of a row that there is, perhaps a range of another. */
static char *tuple_filter(const struct stored *stored)
{
    yyjson_val *rows = yyjson_doc_get_root(stored->docs[model_random((uint32_t)stored->batches)]);
    yyjson_val *row = yyjson_arr_get(rows, model_random((uint32_t)yyjson_arr_size(rows)));
    static const char *const ops[] = {"eq", "eq", "eq", "gte", "lt", "in"};
    struct buf buf;
    uint32_t written = 0;
    buf_init(&buf, 1 << 20);
    buf_append_char(&buf, '{');
    for (int column = 0; column < 7; column++) {
        yyjson_val *value = yyjson_arr_get(row, (size_t)column);
        uint32_t op = model_random(6);
        if (model_random(3) == 0 || !value || yyjson_is_null(value) || (column == 6 && op > 2))
            continue;
        char *text = yyjson_val_write(value, 0, NULL);
        assert_non_null(text);
        buf_printf(&buf, op == 5 ? "%s\"%s\":{\"%s\":[%s]}" : "%s\"%s\":{\"%s\":%s}",
                   written++ ? "," : "", model_names[column], ops[op], text);
        free(text);
    }
    buf_append(&buf, "}", 2);
    assert_false(buf_failed(&buf));
    return buf_take(&buf, NULL);
}

static char *any_filter(const struct stored *stored)
{
    return model_random(3) == 0 ? tuple_filter(stored) : model_filter();
}

static void stored_init(struct stored *stored, uint32_t rows_max)
{
    struct error err = ERROR_INIT;
    struct schema *schema = build_schema(MODEL_SCHEMA);
    struct str indexes[] = {STR("i"), STR("s"), STR("x"), STR("t"), STR("d")};
    struct store_options options = {.path = stored->path};
    snprintf(stored->path, sizeof stored->path, "/tmp/quarry-segments-XXXXXX");
    assert_non_null(mkdtemp(stored->path));
    ok(store_open(sys_posix(), &options, &stored->store, &err), &err);
    stored->plain = add_source(stored->store, "plain", schema, NULL, 0);
    stored->indexed = add_source(stored->store, "indexed", schema, indexes, 5);
    stored->batches = rows_max > MANY_ROWS_MAX ? FEW_BATCHES : MANY_BATCHES;
    ok(source_add_indexes(stored->indexed, indexes, 5, INDEX_KIND_SORTED, &err), &err);
    add_composites(stored->indexed);
    stored->views[2] = build_view(MODEL_SCHEMA);
    uint32_t first = 0;
    for (int b = 0; b < stored->batches; b++) {
        bool narrow = model_random(3) == 0;
        const char *columns = narrow ? MODEL_NARROW : MODEL_SCHEMA;
        uint32_t rows = 1 + model_random(rows_max);
        char *text = model_rows(first, rows, narrow);
        first += rows;
        ok(json_parse(str_of(text), &stored->docs[b], &err), &err);
        write_rows(stored->plain, columns, text);
        write_rows(stored->indexed, columns, text);
        add_chunk(&stored->views[2], columns, text);
        free(text);
        if (b != 1 && b != stored->batches - 1) {
            ok(source_flush(stored->plain, &err), &err);
            ok(source_flush(stored->indexed, &err), &err);
        }
    }
    ok(view_open(stored->plain, &stored->views[0], &err), &err);
    ok(view_open(stored->indexed, &stored->views[1], &err), &err);
    assert_int_equal(stored->views[0].rows, first);
    assert_true(stored->views[0].segments_len > 0 && stored->views[0].chunks_len > 0);
    if (stored->batches == MANY_BATCHES)
        wait_finder(&stored->views[1]);
    free_schema(schema);
}

static void stored_release(struct stored *stored)
{
    view_close(&stored->views[0]);
    view_close(&stored->views[1]);
    free_view(&stored->views[2]);
    source_unref(stored->plain);
    source_unref(stored->indexed);
    store_close(stored->store, false);
    for (int b = 0; b < stored->batches; b++) {
        yyjson_doc_free(stored->docs[b]);
        deletion_unref(stored->gone[b]);
    }
    for (int i = 0; i < stored->deletes_len; i++)
        yyjson_doc_free(stored->deletes[i]);
    struct error err = ERROR_INIT;
    ok(sys_remove_tree(sys_posix(), stored->path, &err), &err);
}

static int compare_ids(const void *a, const void *b)
{
    const int64_t *x = a;
    const int64_t *y = b;
    return *x < *y ? -1 : *x > *y;
}

static char *ids_text(int64_t *ids, size_t n)
{
    struct buf buf;
    buf_init(&buf, 1 << 26);
    qsort(ids, n, sizeof *ids, compare_ids);
    for (size_t i = 0; i < n; i++)
        buf_printf(&buf, "%s%lld", i ? "," : "", (long long)ids[i]);
    buf_append_char(&buf, 0);
    assert_false(buf_failed(&buf));
    return buf_take(&buf, NULL);
}

/* Storage may order the rows of a segment, so both sides are sorted. */
static char *sorted(const char *text)
{
    int64_t *ids = malloc((strlen(text) + 1) * sizeof *ids);
    size_t n = 0;
    struct str rest = str_of(text), part;
    assert_non_null(ids);
    while (text[0] && str_split(&rest, ',', &part))
        assert_true(str_to_int64(part, &ids[n++]));
    char *result = ids_text(ids, n);
    free(ids);
    return result;
}

static bool is_deleted(const struct stored *stored, yyjson_val *row)
{
    for (int i = 0; i < stored->deletes_len; i++) {
        if (judge_row(row, yyjson_doc_get_root(stored->deletes[i])))
            return true;
    }
    return false;
}

static char *judged(struct stored *stored, const char *filter_text)
{
    struct error err = ERROR_INIT;
    yyjson_doc *filter;
    int64_t *ids = malloc(1000000 * sizeof *ids);
    size_t n = 0, i, max;
    yyjson_val *row;
    assert_non_null(ids);
    ok(json_parse(str_of(filter_text), &filter, &err), &err);
    for (int b = 0; b < stored->batches; b++)
        yyjson_arr_foreach(yyjson_doc_get_root(stored->docs[b]), i, max, row)
        {
            if (judge_row(row, yyjson_doc_get_root(filter)) && !is_deleted(stored, row))
                ids[n++] = yyjson_get_sint(yyjson_arr_get(row, 0));
        }
    yyjson_doc_free(filter);
    char *result = ids_text(ids, n);
    free(ids);
    return result;
}

/* Whole rows of the matches as JSON, sorted by id through the ids themselves being in the rows. */
static uint64_t rows_hash(struct view *view, const struct filter *filter)
{
    struct error err = ERROR_INIT;
    struct search_options options = {.filter = filter, .limit = -1};
    struct search *search;
    uint64_t hash = 0;
    ok(search_open(view, &options, &no_limits, &search, &err), &err);
    for (;;) {
        struct batch *batch;
        ok(search_next(search, &batch, &err), &err);
        if (!batch)
            break;
        for (uint32_t r = 0; r < batch->rows; r++) {
            struct buf buf;
            struct json_writer w;
            buf_init(&buf, 1 << 20);
            json_writer_init(&w, &buf);
            json_begin_object(&w);
            for (uint32_t c = 0; c < batch->columns_len; c++) {
                json_key(&w, batch->columns[c].name);
                column_write_json(&w, &batch->columns[c].column, r);
            }
            json_end_object(&w);
            hash += str_hash(buf_str(&buf));
            buf_release(&buf);
        }
        batch_unref(batch);
    }
    search_close(search);
    return hash;
}

static char *aggregated(struct view *view, const struct filter *filter, const char *key)
{
    struct error err = ERROR_INIT;
    struct str keys[2] = {str_of(key), key && key[0] == 'i' ? STR("s") : STR("b")};
    uint32_t keys_len = !key ? 0 : str_is(keys[0], "j") || str_is(keys[0], "i") ? 2 : 1;
    struct aggregate_spec specs[] = {
        {.kind = AGG_COUNT, .alias = STR("n")},
        {.kind = AGG_COUNT, .column = STR("s"), .alias = STR("cs")},
        {.kind = AGG_SUM, .column = STR("i"), .alias = STR("si")},
        {.kind = AGG_MIN, .column = STR("s"), .alias = STR("ls")},
        {.kind = AGG_MAX, .column = STR("x"), .alias = STR("hx")},
        {.kind = AGG_MIN, .column = STR("t"), .alias = STR("lt")},
        {.kind = AGG_COUNT_DISTINCT, .column = STR("s"), .alias = STR("ds")},
        {.kind = AGG_COUNT_DISTINCT, .column = STR("x"), .alias = STR("dx")},
        {.kind = AGG_PERCENTILE, .column = STR("x"), .percentile = 0.3, .alias = STR("p")},
    };
    struct aggregate *agg;
    struct buf buf;
    struct json_writer w;
    buf_init(&buf, 1 << 24);
    json_writer_init(&w, &buf);
    ok(aggregate_new(specs, 9, keys, keys_len, &agg, &err), &err);
    ok(aggregate_add_view(agg, view, filter, &no_limits, NULL, &err), &err);
    ok(aggregate_write_groups(agg, &w, &err), &err);
    buf_append_char(&buf, 0);
    aggregate_free(agg);
    return buf_take(&buf, NULL);
}

static void check_view(struct stored *stored, int v, const char *text, const char *wanted)
{
    struct error err = ERROR_INIT;
    struct filter *filter = parse_filter(text);
    struct view *view = &stored->views[v];
    char *ids = matching_ids(view, filter, &err);
    if (!ids)
        fail_msg("view %d: %s: %s", v, text, err.message);
    char *got = sorted(ids);
    if (strcmp(got, wanted) != 0)
        fail_msg("view %d: %s gives %.300s, wanted %.300s", v, text, got, wanted);
    if (rows_hash(view, filter) != rows_hash(&stored->views[2], filter))
        fail_msg("view %d: %s: the rows differ", v, text);
    static const char *const keys[] = {NULL, "s", "x", "t", "j", "i"};
    for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
        char *a = aggregated(view, filter, keys[k]);
        char *b = aggregated(&stored->views[2], filter, keys[k]);
        if (strcmp(a, b) != 0)
            fail_msg("view %d: %s by %s: %.500s, wanted %.500s", v, text, keys[k], a, b);
        free(a);
        free(b);
    }
    free(ids);
    free(got);
    filter_free(filter);
}

/* --- order_by --- */

enum { ORDERS_MAX = 3 };

struct found_values {
    struct column columns[ORDERS_MAX];
    uint32_t rows;
};

/* The values of the columns of a search, as they come; *ret_more: whether there are more. */
static struct found_values values_of(struct view *view, const struct filter *filter,
                                     const struct search_options *order, bool *ret_more)
{
    struct error err = ERROR_INIT;
    struct search_options options = *order;
    struct search *search;
    struct batch *batch;
    struct found_values values = {0};
    for (uint32_t c = 0; c < options.columns_len; c++) {
        int32_t field = schema_find(view->schema, options.columns[c]);
        column_init(&values.columns[c], view->schema->fields[field].type);
    }
    options.filter = filter;
    ok(search_open(view, &options, &no_limits, &search, &err), &err);
    for (;;) {
        ok(search_next(search, &batch, &err), &err);
        if (!batch)
            break;
        for (uint32_t c = 0; c < options.columns_len; c++)
            ok(column_append_range(&values.columns[c], &batch->columns[c].column, 0, batch->rows),
               &err);
        values.rows += batch->rows;
        batch_unref(batch);
    }
    ok(search_has_more(search, ret_more, &err), &err);
    search_close(search);
    return values;
}

static void release_values(struct found_values *values)
{
    for (uint32_t c = 0; c < ORDERS_MAX; c++)
        column_release(&values->columns[c]);
}

static const struct found_values *compared;
static struct search_order compared_order[ORDERS_MAX];
static uint32_t compared_len;

static int compare_rows(const void *a, const void *b)
{
    for (uint32_t c = 0; c < compared_len; c++) {
        struct value x = value_of_column(&compared->columns[c], *(const uint32_t *)a);
        struct value y = value_of_column(&compared->columns[c], *(const uint32_t *)b);
        if (x.is_null && y.is_null)
            continue;
        if (x.is_null || y.is_null)
            return (int)x.is_null - (int)y.is_null;
        int order = value_compare(&x, &y);
        if (order)
            return compared_order[c].descending ? -order : order;
    }
    return 0;
}

static void check_order(struct stored *stored, const char *text, const struct str *columns,
                        uint32_t len)
{
    bool more, descending = model_random(2), mixed = model_random(4) == 0;
    struct filter *filter = parse_filter(text);
    struct search_options options = {.columns = columns, .columns_len = len, .limit = -1};
    struct found_values all = values_of(&stored->views[2], filter, &options, &more);
    uint32_t *rows = malloc((all.rows + 1) * sizeof *rows);
    assert_non_null(rows);
    for (uint32_t i = 0; i < all.rows; i++)
        rows[i] = i;
    compared_len = len;
    for (uint32_t c = 0; c < len; c++)
        compared_order[c] = (struct search_order){columns[c], mixed ? model_random(2) : descending};
    options.order = compared_order;
    options.order_len = len;
    options.limit = model_random(4) ? model_random(12) : 200;
    options.offset = model_random(3) ? 0 : model_random(20);
    compared = &all;
    qsort(rows, all.rows, sizeof *rows, compare_rows);
    uint64_t end = (uint64_t)options.limit + options.offset;
    uint64_t wanted = all.rows <= options.offset ? 0
                      : all.rows < end           ? all.rows - options.offset
                                                 : (uint64_t)options.limit;
    for (int v = 0; v < 3; v++) {
        struct found_values got = values_of(&stored->views[v], filter, &options, &more);
        assert_int_equal(got.rows, wanted);
        assert_int_equal(more, all.rows > end);
        for (uint32_t i = 0; i < got.rows * len; i++) {
            struct value x = value_of_column(&got.columns[i % len], i / len);
            struct value y = value_of_column(&all.columns[i % len], rows[options.offset + i / len]);
            if (x.is_null != y.is_null || (!x.is_null && value_compare(&x, &y) != 0))
                fail_msg("view %d: %s by %s: row %u", v, text, columns[i % len].data, i / len);
        }
        release_values(&got);
    }
    release_values(&all);
    free(rows);
    filter_free(filter);
}

/* The ends of the composite indexes, or any. */
static uint32_t choose_order(struct str ret[ORDERS_MAX])
{
    static const struct str columns[] = {{"i", 1}, {"x", 1}, {"s", 1}, {"d", 1},
                                         {"t", 1}, {"b", 1}, {"id", 2}};
    static const struct {
        uint32_t len;
        struct str columns[ORDERS_MAX];
    } ends[] = {{1, {{"id", 2}}},          {2, {{"i", 1}, {"id", 2}}},
                {2, {{"d", 1}, {"i", 1}}}, {3, {{"s", 1}, {"d", 1}, {"i", 1}}},
                {1, {{"x", 1}}},           {1, {{"s", 1}}},
                {2, {{"d", 1}, {"s", 1}}}};
    uint32_t len = 1 + model_random(ORDERS_MAX), n = 0;
    if (model_random(2)) {
        uint32_t end = model_random(7);
        memcpy(ret, ends[end].columns, sizeof ends[end].columns);
        return ends[end].len;
    }
    while (n < len) {
        struct str column = columns[model_random(7)];
        bool twice = false;
        for (uint32_t i = 0; i < n; i++)
            twice |= str_eq(ret[i], column);
        if (!twice)
            ret[n++] = column;
    }
    return n;
}

/* What a composite index may serve: one value of its first column, or none. */
static char *prefix_filter(const struct stored *stored)
{
    yyjson_val *rows = yyjson_doc_get_root(stored->docs[model_random((uint32_t)stored->batches)]);
    yyjson_val *row = yyjson_arr_get(rows, model_random((uint32_t)yyjson_arr_size(rows)));
    static const int columns[] = {1, 6, 3, 4};
    int column = columns[model_random(4)];
    char *text = yyjson_val_write(yyjson_arr_get(row, (size_t)column), 0, NULL);
    struct buf buf;
    buf_init(&buf, 1 << 20);
    if (!text || str_is(str_of(text), "null"))
        buf_append_str(&buf, STR("{}"));
    else if (model_random(3))
        buf_printf(&buf, "{\"%s\":{\"eq\":%s}}", model_names[column], text);
    else
        buf_printf(&buf, "{\"%s\":{\"eq\":%s},\"id\":{\"gte\":%u}}", model_names[column], text,
                   model_random(3000));
    buf_append_char(&buf, 0);
    free(text);
    assert_false(buf_failed(&buf));
    return buf_take(&buf, NULL);
}

static void ordered(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        struct stored stored = {0};
        model_state = seed * 0xA0761D6478BD642Fu;
        stored_init(&stored, seed == 1 ? 9000 : seed == 2 ? MANY_ROWS_MAX : 300);
        for (int i = 0; i < (seed == 1 ? 15 : 60); i++) {
            struct str columns[ORDERS_MAX];
            uint32_t len = choose_order(columns);
            char *text = model_random(2)   ? prefix_filter(&stored)
                         : model_random(2) ? any_filter(&stored)
                                           : strdup("{}");
            assert_non_null(text);
            check_order(&stored, text, columns, len);
            free(text);
        }
        stored_release(&stored);
    }
}

/* The first rows by an indexed column of a large segment cost few rows; what cannot be ordered. */
static void ordered_reads_little(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    struct stored stored = {0};
    struct search *search;
    struct batch *batch;
    model_state = 5;
    stored_init(&stored, 20000);
    struct search_order order = {STR("id"), true};
    struct search_options options = {.order = &order, .order_len = 1, .limit = 10, .columns = NULL};
    ok(search_open(&stored.views[0], &options, &no_limits, &search, &err), &err);
    ok(search_next(search, &batch, &err), &err);
    assert_int_equal(batch->rows, 10);
    batch_unref(batch);
    assert_true(search_stats(search)->rows_scanned < stored.views[0].rows);
    search_close(search);
    options.limit = -1;
    assert_int_equal(search_open(&stored.views[0], &options, &no_limits, &search, &err),
                     STATUS_INVALID_ARGUMENT);
    options.limit = 10;
    order.column = STR("j");
    assert_int_equal(search_open(&stored.views[0], &options, &no_limits, &search, &err),
                     STATUS_INVALID_ARGUMENT);
    order.column = STR("nobody");
    assert_int_equal(search_open(&stored.views[0], &options, &no_limits, &search, &err),
                     STATUS_INVALID_ARGUMENT);
    stored_release(&stored);
}

static void differential(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        struct stored stored = {0};
        model_state = seed * 0xD1342543DE82EF95u;
        stored_init(&stored, seed == 4 ? 9000 : seed == 3 ? MANY_ROWS_MAX : 300);
        char *all = judged(&stored, "{}");
        check_view(&stored, 0, "{}", all);
        check_view(&stored, 1, "{}", all);
        free(all);
        for (int i = 0; i < (seed == 4 ? 6 : 50); i++) {
            char *text = any_filter(&stored);
            char *wanted = judged(&stored, text);
            check_view(&stored, 0, text, wanted);
            check_view(&stored, 1, text, wanted);
            free(text);
            free(wanted);
        }
        stored_release(&stored);
    }
}

static void delete_from(struct source *source, const char *text)
{
    struct error err = ERROR_INIT;
    struct mutation *mutation;
    struct write_result result;
    struct exec_stats stats = {0};
    struct filter *filter = parse_filter(text);
    ok(mutation_begin(source, STR_NONE, &mutation, &result, &err), &err);
    ok(change_delete(mutation, filter, &no_limits, &stats, &err), &err);
    ok(mutation_commit(mutation, NULL, &result, &err), &err);
    assert_int_equal(result.deleted, stats.rows_matched);
    mutation_end(mutation);
    filter_free(filter);
}

/* Deletes by a filter from both sources; now and then they are flushed. */
static void delete_some(struct stored *stored)
{
    struct error err = ERROR_INIT;
    char *text = model_filter();
    delete_from(stored->plain, text);
    delete_from(stored->indexed, text);
    ok(json_parse(str_of(text), &stored->deletes[stored->deletes_len++], &err), &err);
    free(text);
    if (model_random(2)) {
        ok(source_flush(stored->plain, &err), &err);
        ok(source_flush(stored->indexed, &err), &err);
    }
}

/* Views of the present state, the hand-built one too. */
static void view_again(struct stored *stored)
{
    struct error err = ERROR_INIT;
    size_t i, max;
    yyjson_val *row;
    for (int b = 0; b < stored->batches; b++) {
        struct deletion_builder builder;
        deletion_builder_init(&builder, stored->views[2].chunks[b]->rows);
        yyjson_arr_foreach(yyjson_doc_get_root(stored->docs[b]), i, max, row)
        {
            if (is_deleted(stored, row))
                ok(deletion_builder_add(&builder, i, &err), &err);
        }
        ok(deletion_builder_finish(&builder, &stored->gone[b], &err), &err);
    }
    stored->views[2].chunk_deletions = stored->gone;
    view_close(&stored->views[0]);
    view_close(&stored->views[1]);
    ok(view_open(stored->plain, &stored->views[0], &err), &err);
    ok(view_open(stored->indexed, &stored->views[1], &err), &err);
}

static void deleted_rows(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        struct stored stored = {0};
        model_state = seed * 0xD1342543DE82EF95u;
        stored_init(&stored, seed == 4 ? 9000 : seed == 3 ? MANY_ROWS_MAX : 300);
        for (int i = 0; i < DELETES; i++)
            delete_some(&stored);
        view_again(&stored);
        for (int i = 0; i < (seed == 4 ? 4 : 20); i++) {
            char *text = i ? any_filter(&stored) : str_dup(STR("{}"));
            char *wanted = judged(&stored, text);
            check_view(&stored, 0, text, wanted);
            check_view(&stored, 1, text, wanted);
            struct str columns[ORDERS_MAX];
            uint32_t len = choose_order(columns);
            check_order(&stored, text, columns, len);
            free(text);
            free(wanted);
        }
        stored_release(&stored);
    }
}

/* An equality on an indexed column goes through the index and reads little. */
static void index_is_used(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    struct stored stored = {0};
    model_state = 77;
    stored_init(&stored, 20000);
    struct filter *filter = parse_filter("{\"id\":5}");
    struct search_options options = {.filter = filter, .limit = -1};
    struct search *search;
    struct batch *batch;
    ok(search_open(&stored.views[1], &options, &no_limits, &search, &err), &err);
    ok(search_next(search, &batch, &err), &err);
    assert_int_equal(batch->rows, 1);
    batch_unref(batch);
    ok(search_next(search, &batch, &err), &err);
    assert_null(batch);
    /* ids ascend, so the bounds leave one segment at the most */
    const struct exec_stats *stats = search_stats(search);
    assert_true(stats->segments_pruned + 1 >= stats->segments);
    assert_false(stats->index_used);
    search_close(search);
    filter_free(filter);
    filter = parse_filter("{\"s\":\"abc\",\"i\":{\"in\":[42,-7,12345]}}");
    options.filter = filter;
    ok(search_open(&stored.views[1], &options, &no_limits, &search, &err), &err);
    do {
        ok(search_next(search, &batch, &err), &err);
        batch_unref(batch);
    } while (batch);
    stats = search_stats(search);
    assert_true(stats->index_used);
    assert_int_equal(stats->segments_by_index, stats->segments);
    assert_int_equal(stats->segments_scanned, 0);
    assert_true(stats->rows_scanned < stored.views[1].rows / 4);
    search_close(search);
    filter_free(filter);
    stored_release(&stored);
}

/* count, min and max without a filter are known without reading. */
static void metadata_answers(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    struct stored stored = {0};
    struct exec_stats stats = {0};
    struct aggregate *agg;
    struct aggregate_spec specs[] = {{.kind = AGG_COUNT},
                                     {.kind = AGG_COUNT, .column = STR("x")},
                                     {.kind = AGG_MIN, .column = STR("i")},
                                     {.kind = AGG_MAX, .column = STR("s")}};
    model_state = 99;
    stored_init(&stored, 500);
    ok(aggregate_new(specs, 4, NULL, 0, &agg, &err), &err);
    ok(aggregate_add_view(agg, &stored.views[0], NULL, &no_limits, &stats, &err), &err);
    assert_int_equal(stats.segments, stored.views[0].segments_len);
    assert_int_equal(stats.segments_scanned, 0);
    uint64_t unflushed = 0;
    for (uint32_t c = 0; c < stored.views[0].chunks_len; c++)
        unflushed += stored.views[0].chunks[c]->rows;
    assert_int_equal(stats.rows_scanned, unflushed);
    aggregate_free(agg);
    stored_release(&stored);
}

/* A segment of several row groups; `a` is indexed, `b` is the same without an index, so both give
 * the same rows in the same order. */
static void row_groups(void **state)
{
    (void)state;
    enum { ROWS = 300000, PART = 50000 };
    struct error err = ERROR_INIT;
    char path[] = "/tmp/quarry-segments-XXXXXX";
    struct store *store;
    struct view view;
    struct str index = STR("a");
    struct schema *schema = build_schema("id:int64,a:int64,b:int64,s:string");
    assert_non_null(mkdtemp(path));
    struct store_options options = {.path = path};
    ok(store_open(sys_posix(), &options, &store, &err), &err);
    struct source *source = add_source(store, "groups", schema, &index, 1);
    for (int64_t id = 0; id < ROWS;) {
        struct write_result result;
        struct batch *batch = build_batch("id:int64,a:int64,b:int64,s:string", "[]");
        for (int i = 0; i < PART; i++, id++) {
            char digit = (char)('0' + id % 10);
            assert_int_equal(column_append_int64(&batch->columns[0].column, id), 0);
            assert_int_equal(column_append_int64(&batch->columns[1].column, id * 7 % 1000), 0);
            assert_int_equal(column_append_int64(&batch->columns[2].column, id * 7 % 1000), 0);
            assert_int_equal(column_append_bytes(&batch->columns[3].column, str_make(&digit, 1)),
                             0);
        }
        assert_int_equal(batch_set_rows(batch, PART), 0);
        ok(source_write(source, batch, STR_NONE, &result, &err), &err);
        batch_unref(batch);
    }
    ok(source_flush(source, &err), &err);
    ok(view_open(source, &view, &err), &err);
    assert_int_equal(view.segments_len, 1);
    static const char *const pairs[][2] = {
        {"{\"a\":{\"in\":[500,17,4]}}", "{\"b\":{\"in\":[500,17,4]}}"},
        {"{\"a\":999,\"s\":\"7\"}", "{\"b\":999,\"s\":\"7\"}"},
        {"{\"a\":{\"lt\":5}}", "{\"b\":{\"lt\":5}}"},
        {"{\"a\":{\"lt\":500},\"id\":{\"gt\":290000}}",
         "{\"b\":{\"lt\":500},\"id\":{\"gt\":290000}}"},
    };
    static const size_t rows[] = {900, 300, 1500, 5000};
    for (size_t i = 0; i < 4; i++) {
        struct filter *indexed = parse_filter(pairs[i][0]);
        struct filter *plain = parse_filter(pairs[i][1]);
        char *x = matching_ids(&view, indexed, &err);
        char *y = matching_ids(&view, plain, &err);
        assert_string_equal(x, y);
        size_t n = 1;
        for (const char *at = x; *at; at++)
            n += *at == ',';
        assert_int_equal(n, i == 3 ? n : rows[i]);
        assert_int_equal(rows_hash(&view, indexed), rows_hash(&view, plain));
        filter_free(indexed);
        filter_free(plain);
        free(x);
        free(y);
    }
    view_close(&view);
    source_unref(source);
    store_close(store, false);
    free_schema(schema);
    ok(sys_remove_tree(sys_posix(), path, &err), &err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(differential),  cmocka_unit_test(deleted_rows),
        cmocka_unit_test(ordered),       cmocka_unit_test(ordered_reads_little),
        cmocka_unit_test(index_is_used), cmocka_unit_test(metadata_answers),
        cmocka_unit_test(row_groups),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* random_test.c: random chunks, random filters; search and aggregates against the plain judge. */
#include "unit/query/exec/random_model.h"

struct model {
    struct view view;
    yyjson_doc *docs[BUILDER_CHUNKS_MAX];
    uint32_t chunks;
};

static void model_init(struct model *model, uint32_t chunks, uint32_t rows_max)
{
    uint32_t first = 0;
    *model = (struct model){.view = build_view(MODEL_SCHEMA), .chunks = chunks};
    for (uint32_t c = 0; c < chunks; c++) {
        bool narrow = model_random(3) == 0;
        uint32_t rows = model_random(rows_max);
        char *text = model_rows(first, rows, narrow);
        struct error err = ERROR_INIT;
        assert_int_equal(json_parse(str_of(text), &model->docs[c], &err), STATUS_OK);
        add_chunk(&model->view, narrow ? MODEL_NARROW : MODEL_SCHEMA, text);
        free(text);
        first += rows;
    }
}

static void model_release(struct model *model)
{
    for (uint32_t c = 0; c < model->chunks; c++)
        yyjson_doc_free(model->docs[c]);
    free_view(&model->view);
}

/* What the judge says: ids as text, the number of rows, the sum of i. */
struct verdict {
    struct buf ids;
    uint64_t rows;
    __int128 sum;
    uint64_t values;
};

static struct verdict judge(struct model *model, const char *filter_text)
{
    struct verdict verdict = {0};
    struct error err = ERROR_INIT;
    yyjson_doc *filter;
    size_t i, max;
    yyjson_val *row;
    buf_init(&verdict.ids, 1 << 26);
    assert_int_equal(json_parse(str_of(filter_text), &filter, &err), STATUS_OK);
    for (uint32_t c = 0; c < model->chunks; c++) {
        yyjson_arr_foreach(yyjson_doc_get_root(model->docs[c]), i, max, row)
        {
            if (!judge_row(row, yyjson_doc_get_root(filter)))
                continue;
            buf_printf(&verdict.ids, "%s%lld", verdict.rows ? "," : "",
                       (long long)yyjson_get_sint(yyjson_arr_get(row, 0)));
            verdict.rows++;
            yyjson_val *value = yyjson_arr_get(row, 1);
            verdict.values += !yyjson_is_null(value);
            verdict.sum += yyjson_is_null(value) ? 0 : yyjson_get_sint(value);
        }
    }
    buf_append_char(&verdict.ids, 0);
    yyjson_doc_free(filter);
    return verdict;
}

/* count and sum, keyless and added up over the groups of s and b. */
static void check_aggregates(struct model *model, const struct filter *filter,
                             const struct verdict *verdict, const char *text)
{
    struct aggregate_spec specs[] = {{.kind = AGG_COUNT, .alias = STR("n")},
                                     {.kind = AGG_COUNT, .column = STR("i"), .alias = STR("v")},
                                     {.kind = AGG_AVG, .column = STR("i"), .alias = STR("a")}};
    struct str keys[] = {STR("s"), STR("b")};
    for (uint32_t keys_len = 0; keys_len <= 2; keys_len++) {
        struct error err = ERROR_INIT;
        struct aggregate *agg;
        struct buf buf;
        struct json_writer w;
        yyjson_doc *doc;
        buf_init(&buf, 1 << 24);
        json_writer_init(&w, &buf);
        assert_int_equal(aggregate_new(specs, 3, keys, keys_len, &agg, &err), STATUS_OK);
        assert_int_equal(aggregate_add_view(agg, &model->view, filter, &no_limits, NULL, &err), 0);
        assert_int_equal(aggregate_write_groups(agg, &w, &err), STATUS_OK);
        assert_int_equal(json_parse(buf_str(&buf), &doc, &err), STATUS_OK);
        uint64_t rows = 0, values = 0;
        double sum = 0;
        size_t i, max;
        yyjson_val *group;
        yyjson_arr_foreach(yyjson_doc_get_root(doc), i, max, group)
        {
            uint64_t n = yyjson_get_uint(json_get(group, "v"));
            rows += yyjson_get_uint(json_get(group, "n"));
            values += n;
            if (n)
                sum += yyjson_get_num(json_get(group, "a")) * (double)n;
        }
        double wanted = (double)verdict->sum;
        double error = sum > wanted ? sum - wanted : wanted - sum;
        if (rows != verdict->rows || values != verdict->values || error > 1e10)
            fail_msg("%s by %u keys: %s, wanted %llu rows", text, keys_len, buf.data,
                     (unsigned long long)verdict->rows);
        yyjson_doc_free(doc);
        buf_release(&buf);
        aggregate_free(agg);
    }
}

static void check_filter(struct model *model, const char *text)
{
    struct error err = ERROR_INIT;
    struct filter *filter = parse_filter(text);
    struct verdict verdict = judge(model, text);
    char *ids = matching_ids(&model->view, filter, &err);
    if (!ids)
        fail_msg("%s: %s", text, err.message);
    if (strcmp(ids, verdict.ids.data) != 0)
        fail_msg("%s gives %s, wanted %s", text, ids, verdict.ids.data);
    check_aggregates(model, filter, &verdict, text);
    free(ids);
    buf_release(&verdict.ids);
    filter_free(filter);
}

static void random_filters(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        struct model model;
        model_state = seed * 0x9E3779B97F4A7C15u;
        model_init(&model, 1 + model_random(5), seed % 3 ? 60 : 12000);
        for (int i = 0; i < (seed % 3 ? 250 : 12); i++) {
            char *text = model_filter();
            check_filter(&model, text);
            free(text);
        }
        model_release(&model);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_filters)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

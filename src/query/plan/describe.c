/* describe.c: a plan in the origin's words: internal_query (contracts 1.5.4) and the execution
 * plan's rules of thumb (1.5.5). Both look at the plan before any rule. */
#include "query/plan/plan.h"

enum { GATHERED_MAX = 256 };

struct facts {
    const struct plan_node *scans[GATHERED_MAX];
    uint32_t scans_len;
    const struct plan_expr *filters[GATHERED_MAX];
    uint32_t filters_len;
    const struct plan_node *joins[GATHERED_MAX];
    uint32_t joins_len;
    const struct plan_node *project, *aggregate, *sort, *limit;
};

static void gather_filters(struct facts *f, const struct plan_exprs *list)
{
    for (uint32_t i = 0; i < list->len && f->filters_len < GATHERED_MAX; i++)
        f->filters[f->filters_len++] = list->items[i];
}

static void gather(struct facts *f, const struct plan_node *node)
{
    if (!node)
        return;
    if (node->op == PLAN_SCAN && f->scans_len < GATHERED_MAX)
        f->scans[f->scans_len++] = node;
    if (node->op == PLAN_JOIN && f->joins_len < GATHERED_MAX)
        f->joins[f->joins_len++] = node;
    if (node->op == PLAN_PROJECT && !f->project)
        f->project = node;
    if (node->op == PLAN_AGGREGATE && !f->aggregate)
        f->aggregate = node;
    if (node->op == PLAN_SORT && !f->sort)
        f->sort = node;
    if (node->op == PLAN_LIMIT && !f->limit)
        f->limit = node;
    if (node->op == PLAN_FILTER && node->input && node->input->op != PLAN_AGGREGATE)
        gather_filters(f, &node->conditions);
    gather(f, node->input);
    gather(f, node->right);
}

static bool is_test(const struct plan_expr *expr)
{
    return expr->kind == PLAN_CALL && expr->args_len > 0 && expr->args[0]->kind == PLAN_COLUMN &&
           !str_is(expr->name, "and") && !str_is(expr->name, "or") && !str_is(expr->name, "not");
}

/* Text of an expression, for lists of names. */
static void write_name(const struct plan_expr *expr, struct buf *out)
{
    if (expr->table.data) {
        buf_append_str(out, expr->table);
        buf_append_char(out, '.');
    }
    if (expr->kind == PLAN_VALUE)
        buf_append_str(out, expr->json);
    else
        buf_append_str(out, expr->name);
    if (expr->kind != PLAN_CALL)
        return;
    buf_append_char(out, '(');
    for (uint32_t i = 0; i < expr->args_len; i++) {
        buf_append_str(out, i ? STR(", ") : STR(""));
        write_name(expr->args[i], out);
    }
    buf_append_char(out, ')');
}

static void json_name(const struct plan_expr *expr, struct json_writer *w)
{
    struct buf buf;
    buf_init(&buf, 1 << 16);
    write_name(expr, &buf);
    json_string(w, buf_str(&buf));
    buf_release(&buf);
}

static bool first_of_column(const struct facts *f, uint32_t index)
{
    for (uint32_t i = 0; i < index; i++)
        if (is_test(f->filters[i]) &&
            plan_expr_equal(f->filters[i]->args[0], f->filters[index]->args[0]))
            return false;
    return true;
}

static void write_test_value(const struct plan_expr *test, struct json_writer *w)
{
    bool list = test->args_len > 2 || str_is(test->name, "in") || str_is(test->name, "not_in");
    if (test->args_len == 1 && !list) {
        json_bool(w, true);
        return;
    }
    if (list)
        json_begin_array(w);
    for (uint32_t i = 1; i < test->args_len; i++) {
        if (test->args[i]->kind == PLAN_VALUE)
            json_raw(w, test->args[i]->json);
        else
            json_name(test->args[i], w);
    }
    if (list)
        json_end_array(w);
}

/* column -> {operator: value}; of the same operator twice the first. What is no test of a column is
 * under "" as a list of expressions. */
static void write_filters(const struct facts *f, struct json_writer *w)
{
    bool rest = false;
    json_begin_object(w);
    for (uint32_t i = 0; i < f->filters_len; i++) {
        rest = rest || !is_test(f->filters[i]);
        if (!is_test(f->filters[i]) || !first_of_column(f, i))
            continue;
        json_key(w, f->filters[i]->args[0]->name);
        json_begin_object(w);
        for (uint32_t k = i; k < f->filters_len; k++) {
            const struct plan_expr *test = f->filters[k];
            bool seen = !is_test(test) || !plan_expr_equal(test->args[0], f->filters[i]->args[0]);
            for (uint32_t m = i; m < k && !seen; m++)
                seen = is_test(f->filters[m]) && str_eq(f->filters[m]->name, test->name) &&
                       plan_expr_equal(f->filters[m]->args[0], test->args[0]);
            if (seen)
                continue;
            json_key(w, test->name);
            write_test_value(test, w);
        }
        json_end_object(w);
    }
    if (rest) {
        json_keyz(w, "");
        json_begin_array(w);
        for (uint32_t i = 0; i < f->filters_len; i++)
            if (!is_test(f->filters[i]))
                plan_write_expr(f->filters[i], w);
        json_end_array(w);
    }
    json_end_object(w);
}

static void write_projections(const struct facts *f, struct json_writer *w)
{
    const struct plan_items *items = f->project ? &f->project->items : NULL;
    json_begin_array(w);
    for (uint32_t i = 0; items && i < items->len; i++)
        json_name(items->items[i].expr, w);
    if (!items || items->len == 0)
        json_stringz(w, "*");
    json_end_array(w);
}

static void write_aggregations(const struct facts *f, struct json_writer *w)
{
    json_begin_array(w);
    for (uint32_t i = 0; f->aggregate && i < f->aggregate->items.len; i++) {
        const struct plan_item *item = &f->aggregate->items.items[i];
        json_begin_object(w);
        json_kv_str(w, "type", item->expr->name);
        json_keyz(w, "column");
        if (item->expr->args_len)
            json_name(item->expr->args[0], w);
        else
            json_stringz(w, "*");
        json_kv_str(w, "alias", item->alias);
        json_end_object(w);
    }
    json_end_array(w);
}

static void write_joins(const struct facts *f, struct json_writer *w)
{
    json_begin_array(w);
    for (uint32_t i = f->joins_len; i-- > 0;) { /* as written: the innermost first */
        const struct plan_node *join = f->joins[i];
        json_begin_object(w);
        json_kv_str(w, "type", join->kind);
        json_kv_str(w, "table",
                    join->right && join->right->op == PLAN_SCAN ? join->right->source : STR_NONE);
        json_keyz(w, "condition");
        json_begin_array(w);
        for (uint32_t k = 0; k < join->conditions.len; k++)
            plan_write_expr(join->conditions.items[k], w);
        json_end_array(w);
        json_end_object(w);
    }
    json_end_array(w);
}

static void write_order(const struct facts *f, struct json_writer *w)
{
    json_begin_array(w);
    for (uint32_t i = 0; f->sort && i < f->sort->items.len; i++) {
        const struct plan_item *item = &f->sort->items.items[i];
        json_begin_object(w);
        json_keyz(w, "column");
        json_name(item->expr, w);
        json_kv_strz(w, "direction", item->descending ? "DESC" : "ASC");
        json_end_object(w);
    }
    json_end_array(w);
}

static bool is_time_name(struct str name)
{
    return str_ends(name, STR("_date")) || str_ends(name, STR("_time")) ||
           str_ends(name, STR("_at")) || str_is(name, "date") || str_is(name, "day") ||
           str_is(name, "timestamp");
}

static void write_hints(const struct facts *f, struct json_writer *w)
{
    bool time = false;
    json_begin_object(w);
    json_kv_bool(w, "has_filters", f->filters_len > 0);
    for (int pass = 0; pass < 2; pass++) {
        json_keyz(w, pass ? "suggested_indexes" : "filter_columns");
        json_begin_array(w);
        for (uint32_t i = 0; i < f->filters_len; i++) {
            const struct plan_expr *test = f->filters[i];
            if (!is_test(test) || !first_of_column(f, i))
                continue;
            time = time || is_time_name(test->args[0]->name);
            if (!pass || str_is(test->name, "eq") || str_is(test->name, "in"))
                json_string(w, test->args[0]->name);
        }
        json_end_array(w);
    }
    json_kv_bool(w, "partition_pruning_candidate", time);
    json_kv_bool(w, "parallel_join_candidate", f->scans_len > 1);
    json_kv_bool(w, "has_aggregations", f->aggregate && f->aggregate->items.len > 0);
    json_keyz(w, "aggregation_types");
    json_begin_array(w);
    for (uint32_t i = 0; f->aggregate && i < f->aggregate->items.len; i++)
        json_string(w, f->aggregate->items.items[i].expr->name);
    json_end_array(w);
    json_kv_bool(w, "small_result_set", f->limit && f->limit->limit >= 0 && f->limit->limit < 100);
    json_end_object(w);
}

void plan_write_internal(const struct plan_node *root, struct json_writer *w)
{
    struct facts f = {.scans_len = 0};
    gather(&f, root);
    json_begin_object(w);
    json_keyz(w, "source_ids");
    json_begin_array(w);
    for (uint32_t i = 0; i < f.scans_len; i++) {
        bool seen = false;
        for (uint32_t k = 0; k < i && !seen; k++)
            seen = str_eq(f.scans[k]->source, f.scans[i]->source);
        if (!seen)
            json_string(w, f.scans[i]->source);
    }
    json_end_array(w);
    json_keyz(w, "filters");
    write_filters(&f, w);
    json_keyz(w, "projections");
    write_projections(&f, w);
    json_keyz(w, "aggregations");
    write_aggregations(&f, w);
    json_keyz(w, "joins");
    write_joins(&f, w);
    json_keyz(w, "order_by");
    write_order(&f, w);
    json_keyz(w, "group_by");
    json_begin_array(w);
    for (uint32_t i = 0; f.aggregate && i < f.aggregate->groups.len; i++)
        json_name(f.aggregate->groups.items[i].expr, w);
    json_end_array(w);
    json_keyz(w, "limit");
    if (f.limit && f.limit->limit >= 0)
        json_int(w, f.limit->limit);
    else
        json_null(w);
    json_kv_int(w, "offset", f.limit ? f.limit->offset : 0);
    json_kv_strz(w, "query_type", f.aggregate ? "aggregate" : "select");
    json_keyz(w, "optimization_hints");
    write_hints(&f, w);
    json_end_object(w);
}

/* --- contracts 1.5.5 --- */

static const char *strategy(const struct facts *f)
{
    bool aggregates = f->aggregate != NULL;
    int64_t limit = f->limit ? f->limit->limit : -1;
    if (f->joins_len) {
        for (uint32_t i = 0; i < f->filters_len; i++)
            if (is_test(f->filters[i]) && !first_of_column(f, i))
                return "multi_source_filtered_join";
        return "multi_source_join";
    }
    if (f->scans_len > 1)
        return "multi_source_union";
    if (f->scans_len == 0)
        return "default";
    if (aggregates)
        return "single_source_aggregation";
    return limit >= 0 && limit < 1000 ? "single_source_limit" : "single_source_scan";
}

static int64_t parallelism(const struct facts *f)
{
    int64_t n = f->scans_len < 8 ? f->scans_len : 8;
    if (f->limit && f->limit->limit >= 0 && f->limit->limit < 100 && n > 2)
        n = 2;
    if (f->aggregate)
        n = 2 * n < 16 ? 2 * n : 16;
    if (f->joins_len > 2)
        n /= 2;
    return n < 1 ? 1 : n;
}

/* A result may be kept when it was work to make and its filter does not follow the clock. */
static bool cacheable(const struct facts *f)
{
    for (uint32_t i = 0; i < f->filters_len && !f->aggregate; i++) {
        if (!is_test(f->filters[i]))
            continue;
        struct str name = f->filters[i]->args[0]->name;
        if (str_is(name, "timestamp") || str_is(name, "created_at") || str_is(name, "updated_at") ||
            str_is(name, "date"))
            return false;
    }
    return true;
}

static int64_t timeout_ms(const struct facts *f)
{
    int64_t ms = 30000 + 1000 * (int64_t)f->scans_len + 5000 * (int64_t)f->joins_len +
                 500 * (int64_t)f->filters_len;
    if (f->aggregate)
        ms += 2000 * (int64_t)f->aggregate->items.len;
    return ms < 300000 ? ms : 300000;
}

void plan_write_execution(const struct plan_node *root, struct json_writer *w)
{
    struct facts f = {.scans_len = 0};
    gather(&f, root);
    json_kv_strz(w, "execution_strategy", strategy(&f));
    json_kv_int(w, "parallelism", parallelism(&f));
    json_kv_bool(w, "cache_enabled", cacheable(&f));
    json_kv_int(w, "timeout_ms", timeout_ms(&f));
}

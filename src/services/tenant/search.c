/* search.c: POST /data/search and /data/search/stream.
 *
 * The answer is an array with one object a source (contracts 1.3). Paging: limit and offset count
 * in each source; global_limit and global_offset count over all sources in the order of the answer;
 * a cursor ("*" begins) goes on in one source behind its last record. Answers larger than a piece
 * are streamed, so memory is bounded by a batch of rows whatever their number. */
#include <stdlib.h>

#include "services/tenant/tenant_int.h"

struct plan {
    struct tenant_node *node;
    struct request *request;
    struct exec_context context;
    const struct str *columns;
    uint32_t columns_len;
    int64_t limit;  /* of a source; -1: none */
    int64_t offset; /* of a source */
    int64_t global_limit, global_offset;
    bool global;
    struct search_order order[SEARCH_ORDER_MAX];
    uint32_t order_len;
    bool wants_cursor;
    struct str cursor;
    uint64_t total;         /* rows answered so far */
    struct access_run *run; /* of the present source; NULL: a cursor goes on */
};

static enum status decode_columns(struct request *request, struct plan *plan, struct error *err)
{
    yyjson_val *list = request_json(request, "select_columns"), *item;
    size_t count = yyjson_arr_size(list), i, max;
    if (!list)
        return STATUS_OK;
    if (count == 0 || count > SCHEMA_FIELDS_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT, "select_columns names 1 to %d columns",
                         SCHEMA_FIELDS_MAX);
    struct str *columns = arena_array(request->arena, count, sizeof *columns);
    if (!columns)
        return error_no_memory(err);
    yyjson_arr_foreach(list, i, max, item)
    {
        columns[i] = json_str_of(item);
        for (size_t k = 0; k < i; k++)
            if (str_eq(columns[k], columns[i]))
                return error_set(err, STATUS_INVALID_ARGUMENT, "select_columns names '%.*s' twice",
                                 columns[i].len < 100 ? (int)columns[i].len : 100, columns[i].data);
    }
    plan->columns = columns;
    plan->columns_len = (uint32_t)count;
    return STATUS_OK;
}

static enum status decode_order(struct request *request, struct plan *plan, struct error *err)
{
    yyjson_val *list = request_json(request, "order_by"), *item;
    size_t count = yyjson_arr_size(list), i, max;
    if (!list)
        return STATUS_OK;
    if (count < 1 || count > SEARCH_ORDER_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT, "order_by names 1 to %d columns",
                         SEARCH_ORDER_MAX);
    if (plan->wants_cursor || plan->global)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "order_by goes with limit and offset, not with a cursor or global paging");
    yyjson_arr_foreach(list, i, max, item)
    {
        plan->order[plan->order_len++] = (struct search_order){
            .column = json_str_of(json_get(item, "column")),
            .descending = str_is(json_str_of(json_get(item, "direction")), "desc")};
    }
    return STATUS_OK;
}

static enum status decode(struct request *request, struct plan *plan, struct error *err)
{
    *plan = (struct plan){.node = request->context, .request = request};
    plan->context.sys = plan->node->sys;
    plan->context.deadline_us =
        sys_mono_us(plan->node->sys) + plan->node->options.search_timeout_us;
    plan->limit = request_has(request, "limit") ? request_int(request, "limit") : -1;
    plan->offset = request_int(request, "offset");
    plan->global = request_has(request, "global_limit") || request_has(request, "global_offset");
    plan->global_limit =
        request_has(request, "global_limit") ? request_int(request, "global_limit") : -1;
    plan->global_offset = request_int(request, "global_offset");
    plan->cursor = request_str(request, "cursor");
    plan->wants_cursor = plan->cursor.data != NULL;
    if (plan->wants_cursor && plan->global)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "a cursor pages each source by itself: leave out global_limit/_offset");
    if (plan->wants_cursor && plan->limit <= 0)
        return error_set(err, STATUS_INVALID_ARGUMENT, "a cursor needs a limit above 0");
    if (plan->global && (plan->limit >= 0 || plan->offset))
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "give limit/offset (each source) or global_limit/global_offset, not both");
    TRY(decode_order(request, plan, err));
    return decode_columns(request, plan, err);
}

/* --- output: one face for the array of the contract, NDJSON and server-sent events --- */

enum form { AS_ARRAY, AS_LINES, AS_EVENTS };

struct out {
    struct answer answer;
    enum form form;
    uint64_t source_rows; /* of the present source */
    struct row_keys keys; /* likewise */
    bool in_event;
};

static void begin_member(struct out *out, struct str source_id)
{
    struct json_writer *w = &out->answer.w;
    json_begin_object(w);
    json_kv_str(w, "source_id", source_id);
    json_keyz(w, "records");
    json_begin_array(w);
}

static void begin_event(struct out *out, struct str source_id)
{
    buf_append_str(&out->answer.buf, STR("data: "));
    json_writer_init(&out->answer.w, &out->answer.buf);
    begin_member(out, source_id);
}

static void write_statistics(struct json_writer *w, const struct exec_stats *stats,
                             const struct access_run *run)
{
    json_keyz(w, "statistics");
    json_begin_object(w);
    json_kv_int(w, "rows_scanned", (int64_t)stats->rows_scanned);
    json_kv_int(w, "rows_matched", (int64_t)stats->rows_matched);
    json_kv_int(w, "files", (int64_t)stats->segments);
    json_kv_int(w, "files_pruned", (int64_t)stats->segments_pruned);
    json_kv_bool(w, "index_used", stats->index_used);
    if (run)
        write_access(w, &run->choice, &run->outcome, NULL);
    json_end_object(w);
}

/* What stands behind the records of a source. */
struct tail {
    uint64_t rows;
    bool has_more;
    const char *cursor; /* or NULL */
    const struct error *fault;
    const struct exec_stats *stats;
    const struct access_run *run; /* how the source was read; or NULL */
};

static void end_member(struct out *out, const struct tail *tail)
{
    struct json_writer *w = &out->answer.w;
    json_end_array(w);
    json_kv_int(w, "total_rows", (int64_t)tail->rows);
    json_kv_bool(w, "has_more", tail->has_more);
    if (tail->cursor)
        json_kv_strz(w, "cursor", tail->cursor);
    json_kv_strz(w, "error_message", tail->fault ? tail->fault->message : NULL);
    if (tail->stats)
        write_statistics(w, tail->stats, tail->run);
    json_end_object(w);
}

static enum status write_rows(struct out *out, struct str source_id, const struct batch *batch,
                              struct error *err)
{
    struct json_writer *w = &out->answer.w;
    if (!out->keys.texts)
        TRY(row_keys_take(&out->keys, out->answer.request->arena, batch, err));
    for (uint32_t row = 0; row < batch->rows; row++) {
        if (out->form == AS_LINES)
            json_writer_init(w, &out->answer.buf);
        if (out->form == AS_EVENTS && row == 0)
            begin_event(out, source_id);
        row_write(w, &out->keys, batch, row);
        if (out->form == AS_LINES)
            buf_append_char(&out->answer.buf, '\n');
        if (out->form != AS_EVENTS)
            TRY(answer_push(&out->answer, false, err));
    }
    out->source_rows += batch->rows;
    if (out->form != AS_EVENTS || batch->rows == 0)
        return STATUS_OK;
    struct tail tail = {.rows = batch->rows, .has_more = true};
    end_member(out, &tail);
    buf_append_str(&out->answer.buf, STR("\n\n"));
    return answer_push(&out->answer, true, err);
}

static void begin_source(struct out *out, struct str source_id)
{
    out->source_rows = 0;
    out->keys = (struct row_keys){0};
    if (out->form == AS_ARRAY)
        begin_member(out, source_id);
}

/* Events: the last one of a source holds no records and says whether more would follow. */
static enum status end_source(struct out *out, struct str source_id, struct tail *tail,
                              struct error *err)
{
    tail->rows = out->source_rows;
    if (out->form == AS_LINES)
        return STATUS_OK;
    if (out->form == AS_EVENTS) {
        tail->rows = 0;
        begin_event(out, source_id);
    }
    end_member(out, tail);
    if (out->form == AS_EVENTS)
        buf_append_str(&out->answer.buf, STR("\n\n"));
    return answer_push(&out->answer, out->form == AS_EVENTS, err);
}

static void write_end_event(struct out *out, uint64_t rows)
{
    struct json_writer w;
    buf_append_str(&out->answer.buf, STR("event: end\ndata: "));
    json_writer_init(&w, &out->answer.buf);
    json_begin_object(&w);
    json_kv_bool(&w, "success", true);
    json_kv_int(&w, "total_rows", (int64_t)rows);
    json_end_object(&w);
    buf_append_str(&out->answer.buf, STR("\n\n"));
}

static void write_error_event(struct out *out, const struct request *request,
                              const struct error *fault)
{
    struct json_writer w;
    buf_append_str(&out->answer.buf, STR("event: error\ndata: "));
    json_writer_init(&w, &out->answer.buf);
    json_begin_object(&w);
    request_write_error(request, &w, fault);
    json_end_object(&w);
    buf_append_str(&out->answer.buf, STR("\n\n"));
}

/* --- searching --- */

static struct query_shape shape_of(const struct plan *plan, const struct open_search *open)
{
    return (struct query_shape){
        .source_id = source_config(open->view.source)->source_id,
        .filter = open->filter,
        .filters = request_json(plan->request, "filters"),
        .columns = plan->columns,
        .columns_len = plan->columns_len,
        .limit = plan->global ? plan->global_limit : plan->limit,
        .offset = (uint64_t)(plan->global ? plan->global_offset : plan->offset),
        .order = plan->order,
        .order_len = plan->order_len,
    };
}

static enum status open_search(struct plan *plan, struct open_search *open, struct error *err)
{
    struct query_shape shape = shape_of(plan, open);
    struct search_options options = {
        .filter = shape.filter,
        .columns = shape.columns,
        .columns_len = shape.columns_len,
        .limit = shape.limit,
        .offset = shape.offset,
        .order = shape.order,
        .order_len = shape.order_len,
    };
    TRY(access_begin(plan->run, plan->request, &open->view, &shape, &plan->context, err));
    return search_open(&open->view, &options, &plan->run->context, &open->search, err);
}

static enum status open_one(struct plan *plan, struct source *source, struct open_search **ret,
                            struct error *err)
{
    struct open_search *open = calloc(1, sizeof *open);
    if (!open)
        return error_no_memory(err);
    int span = span_begin(plan->request, "search.open", SPAN_INTERNAL);
    enum status status = filter_parse(request_json(plan->request, "filters"), &open->filter, err);
    bool viewed = false;
    if (status == STATUS_OK) {
        status = tenant_view(plan->request, source, &open->view, err);
        viewed = status == STATUS_OK;
    }
    if (status == STATUS_OK)
        status = open_search(plan, open, err);
    span_end(plan->request, span);
    if (status != STATUS_OK) {
        if (viewed)
            view_close(&open->view);
        filter_free(open->filter);
        free(open);
        return status;
    }
    *ret = open;
    return STATUS_OK;
}

/* Global paging: what this source used up of it. */
static void use_global(struct plan *plan, const struct open_search *open, uint64_t rows)
{
    if (!plan->global)
        return;
    uint64_t matched = search_stats(open->search)->rows_matched;
    uint64_t skipped = rows ? (uint64_t)plan->global_offset : matched;
    if (skipped > (uint64_t)plan->global_offset)
        skipped = (uint64_t)plan->global_offset;
    plan->global_offset -= (int64_t)skipped;
    if (plan->global_limit >= 0)
        plan->global_limit -= (int64_t)rows;
}

static enum status pump(struct plan *plan, struct open_search *open, struct str source_id,
                        struct out *out, struct error *err)
{
    for (;;) {
        struct batch *batch;
        TRY(search_next(open->search, &batch, err));
        if (!batch)
            return STATUS_OK;
        int64_t began_us = sys_mono_us(plan->node->sys);
        enum status status = write_rows(out, source_id, batch, err);
        if (plan->run)
            plan->run->outside_us += sys_mono_us(plan->node->sys) - began_us;
        plan->total += batch->rows;
        batch_unref(batch);
        TRY(status);
    }
}

/* Runs an open search (taken) to its limit and writes its member of the answer. */
static enum status run_one(struct plan *plan, struct open_search *open, struct str source_id,
                           struct out *out, struct error *err)
{
    int span = span_begin(plan->request, "search.scan", SPAN_INTERNAL);
    struct tail tail = {0};
    char cursor[CURSOR_TEXT_MAX];
    struct exec_stats before = *search_stats(open->search); /* of earlier pages */
    begin_source(out, source_id);
    enum status status = pump(plan, open, source_id, out, err);
    if (status == STATUS_OK)
        status = search_has_more(open->search, &tail.has_more, err);
    span_end(plan->request, span);
    if (status != STATUS_OK) {
        span_fail(plan->request, span);
        open_search_close(open);
        return status;
    }
    struct exec_stats stats = *search_stats(open->search);
    tail.stats = &stats;
    tail.run = plan->run;
    if (plan->run)
        access_end(plan->run, &stats, out->source_rows, tail.has_more);
    tenant_count_reads(plan->request, &stats, &before);
    tenant_note_reads(plan->request, span, &stats, out->source_rows);
    plan->node->reads.rows_returned += out->source_rows;
    plan->request->work.rows_returned += out->source_rows;
    use_global(plan, open, out->source_rows);
    if (plan->wants_cursor && tail.has_more) {
        cursor_put(&plan->node->cursors, open, open_search_close, cursor);
        tail.cursor = cursor;
    } else {
        open_search_close(open);
    }
    return end_source(out, source_id, &tail, err);
}

/* A source whose filter does not bind: named in its member, unless it is the only one. */
static enum status report_fault(struct out *out, struct str source_id, const struct error *fault,
                                struct error *err)
{
    struct tail tail = {.fault = fault};
    begin_source(out, source_id);
    return end_source(out, source_id, &tail, err);
}

static enum status run_all(struct plan *plan, const struct source_set *set, struct out *out,
                           struct error *err)
{
    plan->run = arena_alloc(plan->request->arena, sizeof *plan->run);
    if (!plan->run)
        return error_no_memory(err);
    for (uint32_t i = 0; i < set->len; i++) {
        struct open_search *open = NULL;
        struct str id = source_config(set->sources[i])->source_id;
        enum status status = open_one(plan, set->sources[i], &open, err);
        if (status == STATUS_INVALID_ARGUMENT && set->len > 1) {
            struct error fault = *err;
            TRY(report_fault(out, id, &fault, err));
            continue;
        }
        TRY(status);
        TRY(run_one(plan, open, id, out, err));
    }
    return STATUS_OK;
}

static enum status run_cursor(struct plan *plan, struct out *out, struct error *err)
{
    void *taken = NULL;
    TRY(cursor_take(&plan->node->cursors, plan->cursor, open_search_close, &taken, err));
    struct open_search *open = taken;
    search_continue(open->search, plan->limit, &plan->context);
    return run_one(plan, open, source_config(open->view.source)->source_id, out, err);
}

static enum status run(struct plan *plan, struct out *out, struct error *err)
{
    if (plan->wants_cursor && !str_is(plan->cursor, "*"))
        return run_cursor(plan, out, err);
    struct source_set set;
    TRY(source_set_open(plan->node, request_json(plan->request, "source_ids"), &set, err));
    enum status status = run_all(plan, &set, out, err);
    source_set_close(&set);
    return status;
}

static struct str content_type(enum form form)
{
    return form == AS_EVENTS  ? STR("text/event-stream")
           : form == AS_LINES ? STR("application/x-ndjson")
                              : STR("application/json");
}

static enum status finish(struct plan *plan, struct out *out, enum status status, struct error *err)
{
    if (status == STATUS_OK) {
        if (out->form == AS_ARRAY)
            json_end_array(&out->answer.w);
        if (out->form == AS_EVENTS)
            write_end_event(out, plan->total);
        return answer_end(&out->answer, err);
    }
    if (out->answer.begun && out->form == AS_EVENTS && status != STATUS_CANCELLED) {
        struct error fault = *err, ignored;
        write_error_event(out, plan->request, &fault);
        if (answer_push(&out->answer, true, &ignored) == STATUS_OK) {
            http_end(plan->request->http);
            return STATUS_OK;
        }
    }
    return status;
}

enum status search_explain(struct request *request, enum explain explain)
{
    struct plan plan = {.node = request->context, .request = request};
    struct filter *filter = NULL;
    struct error *err = &request->error;
    plan.limit = request_has(request, "limit") ? request_int(request, "limit") : -1;
    plan.offset = request_int(request, "offset");
    TRY(decode_order(request, &plan, err));
    TRY(decode_columns(request, &plan, err));
    TRY(filter_parse(request_json(request, "filters"), &filter, err));
    struct query_shape shape = {.filter = filter,
                                .filters = request_json(request, "filters"),
                                .columns = plan.columns,
                                .columns_len = plan.columns_len,
                                .limit = plan.limit,
                                .offset = (uint64_t)plan.offset,
                                .order = plan.order,
                                .order_len = plan.order_len};
    enum status status = tenant_explain_sources(request, &shape, explain);
    filter_free(filter);
    return status;
}

/* Looks like one that an index answers: whether it does is found by trying, within bounds. */
static bool may_be_short(const struct plan *plan, enum form form)
{
    return form == AS_ARRAY && !plan->wants_cursor && !plan->order_len &&
           yyjson_obj_size(request_json(plan->request, "filters")) > 0;
}

/* Takes a place among the running searches. */
static enum status enter(struct plan *plan, enum form form, struct error *err)
{
    struct request *request = plan->request;
    if (!request->here)
        return admission_enter(&plan->node->admission, err);
    int64_t until_us = sys_mono_us(plan->node->sys) + SEARCH_HERE_US;
    if (plan->context.deadline_us > until_us)
        plan->context.deadline_us = until_us;
    plan->context.rows_max = SEARCH_HERE_ROWS;
    if (!may_be_short(plan, form) || !admission_try(&plan->node->admission))
        return request_give_back(request);
    return STATUS_OK;
}

static enum status search(struct request *request, bool stream)
{
    struct error *err = &request->error;
    enum explain explain = EXPLAIN_NO;
    struct plan plan;
    if (!stream)
        TRY(tenant_explain(request, &explain, err));
    if (explain)
        return request->here ? request_give_back(request) : search_explain(request, explain);
    struct out out = {0};
    enum accept_kind accept = request_accept(request);
    out.form = accept == ACCEPT_NDJSON          ? AS_LINES
               : stream || accept == ACCEPT_SSE ? AS_EVENTS
                                                : AS_ARRAY;
    TRY(decode(request, &plan, err));
    TRY(enter(&plan, out.form, err));
    answer_init(&out.answer, request, content_type(out.form));
    if (out.form == AS_ARRAY)
        json_begin_array(&out.answer.w);
    enum status status = finish(&plan, &out, run(&plan, &out, err), err);
    answer_release(&out.answer);
    admission_leave(&plan.node->admission);
    return request->here && status == STATUS_TIMEOUT ? request_give_back(request) : status;
}

enum status handle_search(struct request *request)
{
    return search(request, false);
}

enum status handle_search_stream(struct request *request)
{
    return search(request, true);
}

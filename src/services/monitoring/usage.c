/* usage.c: GET /usage and GET /operations/top: what tenants used and which operations cost most,
 * since the services' start, added up from their metrics. */
#include <stdlib.h>

#include "services/monitoring/monitoring_int.h"

enum { USAGE_BODY_MAX = 8 << 20, ROWS_MAX = 20000, NAME_MAX_BYTES = 64 };

/* --- rows by two names --- */

enum { VALUES = 8 };
struct row {
    char a[NAME_MAX_BYTES], b[NAME_MAX_BYTES];
    double values[VALUES];
};
struct rows {
    struct row *items;
    size_t len, cap;
};

static void copy_name(char out[NAME_MAX_BYTES], struct str name)
{
    size_t len = name.len < NAME_MAX_BYTES ? name.len : NAME_MAX_BYTES - 1;
    if (len)
        memcpy(out, name.data, len);
    out[len] = 0;
}

static struct row *find_row(struct rows *rows, struct str a, struct str b)
{
    struct row wanted = {0};
    copy_name(wanted.a, a);
    copy_name(wanted.b, b);
    for (size_t i = 0; i < rows->len; i++)
        if (strcmp(rows->items[i].a, wanted.a) == 0 && strcmp(rows->items[i].b, wanted.b) == 0)
            return &rows->items[i];
    if (rows->len == rows->cap) {
        size_t cap = rows->cap ? rows->cap * 2 : 64;
        struct row *items = cap <= ROWS_MAX ? realloc(rows->items, cap * sizeof *items) : NULL;
        if (!items)
            return NULL;
        rows->items = items;
        rows->cap = cap;
    }
    rows->items[rows->len] = wanted;
    return &rows->items[rows->len++];
}

static void read_metrics(struct monitoring *monitoring, struct rows *rows,
                         void (*take)(struct rows *rows, const struct sample *sample))
{
    struct buf text;
    buf_init(&text, COLLECTOR_TEXT_MAX);
    for (int kind = 0; kind < SERVICE_COUNT; kind++) {
        struct sample sample;
        buf_clear(&text);
        if (!collector_text(monitoring->collector, (enum service_kind)kind, &text))
            continue;
        struct str rest = buf_str(&text);
        while (sample_next(&rest, &sample))
            take(rows, &sample);
    }
    buf_release(&text);
}

/* --- tenants --- */

static const struct {
    const char *metric, *member;
} figures[VALUES] = {
    {"quarry_tenant_requests_total", "requests"},
    {"quarry_tenant_errors_total", "errors"},
    {"quarry_tenant_rows_read_total", "rows_read"},
    {"quarry_tenant_rows_returned_total", "rows_returned"},
    {"quarry_tenant_rows_written_total", "rows_written"},
    {"quarry_tenant_received_bytes_total", "bytes_in"},
    {"quarry_tenant_sent_bytes_total", "bytes_out"},
    {"quarry_tenant_cpu_seconds_total", "cpu_seconds"},
};

static void take_tenant(struct rows *rows, const struct sample *sample)
{
    for (int i = 0; i < VALUES; i++) {
        if (!str_is(sample->name, figures[i].metric))
            continue;
        struct row *row = find_row(rows, sample_label(sample, STR("tenant")),
                                   sample_label(sample, STR("service")));
        if (row)
            row->values[i] += sample->value;
    }
}

static void write_figures(struct json_writer *w, const double values[VALUES])
{
    for (int i = 0; i < VALUES; i++)
        json_kv_double(w, figures[i].member, values[i]);
}

static int by_names(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    int order = strcmp(x->a, y->a);
    return order ? order : strcmp(x->b, y->b);
}

/* The rows of one tenant, which stand together from `first`; returns the index behind. What went
 * through the gateway is counted there and by the service behind it: so the totals are those of all
 * services but the gateway, whose own figures stand among the services. */
static size_t write_tenant(struct json_writer *w, const struct rows *rows, size_t first)
{
    double total[VALUES] = {0};
    size_t end = first;
    while (end < rows->len && strcmp(rows->items[end].a, rows->items[first].a) == 0)
        end++;
    for (size_t i = first; i < end; i++)
        for (int k = 0; k < VALUES; k++)
            if (strcmp(rows->items[i].b, service_info(SERVICE_GATEWAY)->name) != 0)
                total[k] += rows->items[i].values[k];
    json_begin_object(w);
    json_kv_strz(w, "tenant", rows->items[first].a);
    write_figures(w, total);
    json_keyz(w, "services");
    json_begin_object(w);
    for (size_t i = first; i < end; i++) {
        json_keyz(w, rows->items[i].b);
        json_begin_object(w);
        write_figures(w, rows->items[i].values);
        json_end_object(w);
    }
    json_end_object(w);
    json_end_object(w);
    return end;
}

enum status handle_usage(struct request *request)
{
    struct monitoring *monitoring = request->context;
    bool all = monitoring_sees_all(monitoring, &request->identity);
    struct rows rows = {0};
    struct buf body;
    struct json_writer w;
    read_metrics(monitoring, &rows, take_tenant);
    if (rows.len)
        qsort(rows.items, rows.len, sizeof *rows.items, by_names);
    buf_init(&body, USAGE_BODY_MAX);
    json_writer_init(&w, &body);
    json_begin_object(&w);
    json_keyz(&w, "tenants");
    json_begin_array(&w);
    for (size_t i = 0; i < rows.len;) {
        if (all || str_is(request->identity.tenant, rows.items[i].a))
            i = write_tenant(&w, &rows, i);
        else
            i++;
    }
    json_end_array(&w);
    json_end_object(&w);
    free(rows.items);
    request_respond_json(request, 200, &body);
    return STATUS_OK;
}

/* --- operations --- */

enum { COUNT, ERRORS, SECONDS, MEAN };

static void take_operation(struct rows *rows, const struct sample *sample)
{
    bool counted = str_is(sample->name, "quarry_http_requests_total");
    if (!counted && !str_is(sample->name, "quarry_http_request_duration_seconds_sum"))
        return;
    struct str operation = sample_label(sample, STR("operation"));
    if (!operation.data || (sample->value <= 0))
        return;
    struct row *row = find_row(rows, sample_label(sample, STR("service")), operation);
    if (!row)
        return;
    row->values[counted ? COUNT : SECONDS] += sample->value;
    struct str status = sample_label(sample, STR("status"));
    if (counted && status.len == 3 && status.data[0] == '5' && !str_is(status, "501"))
        row->values[ERRORS] += sample->value;
}

static int compare(const struct row *x, const struct row *y, int key)
{
    return x->values[key] > y->values[key] ? -1 : x->values[key] < y->values[key];
}

static int by_count(const void *a, const void *b)
{
    return compare(a, b, COUNT);
}

static int by_errors(const void *a, const void *b)
{
    return compare(a, b, ERRORS);
}

static int by_seconds(const void *a, const void *b)
{
    return compare(a, b, SECONDS);
}

static int by_mean(const void *a, const void *b)
{
    return compare(a, b, MEAN);
}

static void put_in_order(struct rows *rows, struct str by)
{
    for (size_t i = 0; i < rows->len; i++) {
        double *values = rows->items[i].values;
        values[MEAN] = values[COUNT] > 0 ? values[SECONDS] / values[COUNT] : 0;
    }
    if (rows->len)
        qsort(rows->items, rows->len, sizeof *rows->items,
              str_is(by, "count")    ? by_count
              : str_is(by, "errors") ? by_errors
              : str_is(by, "mean")   ? by_mean
                                     : by_seconds);
}

enum status handle_top(struct request *request)
{
    size_t limit = (size_t)request_int(request, "limit");
    struct rows rows = {0};
    struct buf body;
    struct json_writer w;
    read_metrics(request->context, &rows, take_operation);
    put_in_order(&rows, request_str(request, "by"));
    buf_init(&body, USAGE_BODY_MAX);
    json_writer_init(&w, &body);
    json_begin_object(&w);
    json_keyz(&w, "operations");
    json_begin_array(&w);
    for (size_t i = 0; i < rows.len && i < limit; i++) {
        const struct row *row = &rows.items[i];
        json_begin_object(&w);
        json_kv_strz(&w, "service", row->a);
        json_kv_strz(&w, "operation", row->b);
        json_kv_int(&w, "requests", (int64_t)row->values[COUNT]);
        json_kv_int(&w, "errors", (int64_t)row->values[ERRORS]);
        json_kv_double(&w, "seconds", row->values[SECONDS]);
        json_kv_double(&w, "mean_ms", row->values[MEAN] * 1000);
        json_end_object(&w);
    }
    json_end_array(&w);
    json_end_object(&w);
    free(rows.items);
    request_respond_json(request, 200, &body);
    return STATUS_OK;
}

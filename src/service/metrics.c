/* Each metric has a hash table of chains. A series is added at the head of its chain and at the
 * tail of the metric's list under the registry's lock, published with release order, and never
 * removed: readers walk without locks. */
#include "service/metrics.h"

#include <assert.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { CHAINS = 64, KEY_MAX = 512 };

struct metric_series {
    struct metric_series *_Atomic next_in_chain;
    struct metric_series *_Atomic next; /* in order of creation */
    uint64_t hash;
    _Atomic uint64_t count;  /* counter; number of observations */
    _Atomic double value;    /* gauge */
    _Atomic uint64_t sum_us; /* histogram */
    _Atomic uint64_t buckets[HISTOGRAM_BUCKETS];
    size_t key_len;
    char key[]; /* the label values, each ended by NUL */
};

struct family {
    struct metric_series *_Atomic chains[CHAINS];
    struct metric_series *_Atomic first;
    struct metric_series *last; /* under the lock */
    size_t len;                 /* under the lock */
};

struct metrics {
    pthread_mutex_t lock;
    struct family families[METRIC_COUNT];
};

static const struct metric_info infos[METRIC_COUNT] = {
#define METRIC(id, name, kind, labels, help) [METRIC_##id] = {name, METRIC_##kind, labels, help},
#include "api/metrics.def"
#undef METRIC
};

const struct metric_info *metric_info(enum metric metric)
{
    return &infos[metric];
}

enum status metrics_new(struct metrics **ret_metrics, struct error *err)
{
    struct metrics *metrics = calloc(1, sizeof *metrics);
    if (!metrics)
        return error_no_memory(err);
    pthread_mutex_init(&metrics->lock, NULL);
    *ret_metrics = metrics;
    return STATUS_OK;
}

void metrics_free(struct metrics *metrics)
{
    if (!metrics)
        return;
    for (int i = 0; i < METRIC_COUNT; i++) {
        struct metric_series *series = metrics->families[i].first;
        while (series) {
            struct metric_series *next = series->next;
            free(series);
            series = next;
        }
    }
    pthread_mutex_destroy(&metrics->lock);
    free(metrics);
}

static size_t label_count(const char *labels)
{
    size_t n = labels[0] != 0;
    for (; *labels; labels++)
        n += *labels == ',';
    return n;
}

/* Values past KEY_MAX are cut, which can only make two series one. */
static struct str make_key(char key[KEY_MAX], size_t labels, const char *const *values)
{
    size_t len = 0;
    for (size_t i = 0; i < labels; i++) {
        size_t room = KEY_MAX - len - (labels - i);
        size_t n = strnlen(values[i], room);
        memcpy(key + len, values[i], n);
        len += n;
        key[len++] = 0;
    }
    return str_make(key, len);
}

static struct metric_series *find(struct family *family, struct str key, uint64_t hash)
{
    struct metric_series *series =
        atomic_load_explicit(&family->chains[hash % CHAINS], memory_order_acquire);
    while (series) {
        if (series->hash == hash && str_eq(key, str_make(series->key, series->key_len)))
            return series;
        series = atomic_load_explicit(&series->next_in_chain, memory_order_acquire);
    }
    return NULL;
}

static struct metric_series *add(struct family *family, struct str key, uint64_t hash)
{
    struct metric_series *series = calloc(1, sizeof *series + key.len);
    if (!series)
        return NULL;
    series->hash = hash;
    series->key_len = key.len;
    memcpy(series->key, key.data, key.len);
    atomic_init(&series->next_in_chain, family->chains[hash % CHAINS]);
    atomic_store_explicit(&family->chains[hash % CHAINS], series, memory_order_release);
    if (family->last)
        atomic_store_explicit(&family->last->next, series, memory_order_release);
    else
        atomic_store_explicit(&family->first, series, memory_order_release);
    family->last = series;
    family->len++;
    return series;
}

/* Tenants are the only labels of which there may be any number. */
static size_t series_max(const struct metric_info *info)
{
    return strstr(info->labels, "tenant") ? METRIC_TENANTS_MAX : METRIC_SERIES_MAX;
}

struct metric_series *metrics_series(struct metrics *metrics, enum metric metric,
                                     const char *const *values)
{
    static const char *const other[METRIC_LABELS_MAX] = {"other", "other", "other", "other"};
    struct family *family = &metrics->families[metric];
    size_t labels = label_count(infos[metric].labels);
    assert(labels <= METRIC_LABELS_MAX);
    char text[KEY_MAX];
    struct str key = make_key(text, labels, values);
    uint64_t hash = str_hash(key);
    struct metric_series *series = find(family, key, hash);
    if (series)
        return series;
    pthread_mutex_lock(&metrics->lock);
    if (family->len >= series_max(&infos[metric]) && labels) {
        key = make_key(text, labels, other);
        hash = str_hash(key);
    }
    series = find(family, key, hash);
    if (!series)
        series = add(family, key, hash);
    pthread_mutex_unlock(&metrics->lock);
    return series;
}

/* --- updates --- */

void metric_add(struct metric_series *series, uint64_t n)
{
    if (series)
        atomic_fetch_add_explicit(&series->count, n, memory_order_relaxed);
}

static void raise_to(_Atomic uint64_t *value, uint64_t total)
{
    uint64_t now = atomic_load_explicit(value, memory_order_relaxed);
    while (now < total && !atomic_compare_exchange_weak(value, &now, total))
        ;
}

void metric_raise(struct metric_series *series, uint64_t total)
{
    if (series)
        raise_to(&series->count, total);
}

void metric_set(struct metric_series *series, double value)
{
    if (series)
        atomic_store_explicit(&series->value, value, memory_order_relaxed);
}

void metric_observe_us(struct metric_series *series, int64_t us)
{
    if (!series)
        return;
    if (us < 0)
        us = 0;
    atomic_fetch_add_explicit(&series->buckets[histogram_bucket(us)], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&series->sum_us, (uint64_t)us, memory_order_relaxed);
}

void metric_raise_histogram(struct metric_series *series, const struct histogram *histogram)
{
    if (!series)
        return;
    for (int i = 0; i < HISTOGRAM_BUCKETS; i++)
        raise_to(&series->buckets[i], histogram->counts[i]);
    raise_to(&series->sum_us, histogram->sum_us);
}

void metrics_add(struct metrics *metrics, enum metric metric, uint64_t n)
{
    metric_add(metrics_series(metrics, metric, NULL), n);
}

void metrics_raise(struct metrics *metrics, enum metric metric, uint64_t total)
{
    metric_raise(metrics_series(metrics, metric, NULL), total);
}

void metrics_set(struct metrics *metrics, enum metric metric, double value)
{
    metric_set(metrics_series(metrics, metric, NULL), value);
}

/* --- text --- */

static void write_escaped(struct buf *buf, struct str value)
{
    for (size_t i = 0; i < value.len; i++) {
        char c = value.data[i];
        if (c == '\n')
            buf_append_str(buf, STR("\\n"));
        else if (c == '\\' || c == '"')
            buf_printf(buf, "\\%c", c);
        else
            buf_append_char(buf, c);
    }
}

/* name{labels,le="..."} and a blank */
static void write_name(struct buf *buf, const struct metric_info *info,
                       const struct metric_series *series, const char *suffix, const char *le)
{
    struct str labels = str_of(info->labels), label;
    const char *value = series->key;
    char open = '{';
    buf_printf(buf, "%s%s", info->name, suffix);
    while (labels.len && str_split(&labels, ',', &label)) {
        buf_printf(buf, "%c%.*s=\"", open, STR_ARG(label));
        write_escaped(buf, str_of(value));
        buf_append_char(buf, '"');
        value += strlen(value) + 1;
        open = ',';
    }
    if (le)
        buf_printf(buf, "%cle=\"%s\"", open, le);
    buf_append_str(buf, open == ',' || le ? STR("} ") : STR(" "));
}

static void write_seconds(struct buf *buf, uint64_t us)
{
    buf_printf(buf, "%llu.%06llu\n", (unsigned long long)(us / 1000000),
               (unsigned long long)(us % 1000000));
}

static void write_histogram(struct buf *buf, const struct metric_info *info,
                            struct metric_series *series)
{
    uint64_t total = 0;
    for (int i = 0; i < HISTOGRAM_BUCKETS; i++) {
        total += atomic_load_explicit(&series->buckets[i], memory_order_relaxed);
        write_name(buf, info, series, "_bucket",
                   i < HISTOGRAM_BUCKETS - 1 ? histogram_bound_text(i) : "+Inf");
        buf_printf(buf, "%llu\n", (unsigned long long)total);
    }
    uint64_t us = atomic_load_explicit(&series->sum_us, memory_order_relaxed);
    write_name(buf, info, series, "_sum", NULL);
    write_seconds(buf, us);
    write_name(buf, info, series, "_count", NULL);
    buf_printf(buf, "%llu\n", (unsigned long long)total);
}

static void write_gauge(struct buf *buf, const struct metric_info *info,
                        struct metric_series *series)
{
    double value = atomic_load_explicit(&series->value, memory_order_relaxed);
    write_name(buf, info, series, "", NULL);
    if (isnan(value))
        buf_append_str(buf, STR("NaN\n"));
    else if (isinf(value))
        buf_append_str(buf, value > 0 ? STR("+Inf\n") : STR("-Inf\n"));
    else
        buf_printf(buf, "%.17g\n", value);
}

static void write_series(struct buf *buf, const struct metric_info *info,
                         struct metric_series *series)
{
    if (info->kind == METRIC_HISTOGRAM) {
        write_histogram(buf, info, series);
    } else if (info->kind == METRIC_GAUGE) {
        write_gauge(buf, info, series);
    } else {
        uint64_t count = atomic_load_explicit(&series->count, memory_order_relaxed);
        write_name(buf, info, series, "", NULL);
        if (info->kind == METRIC_TIME)
            write_seconds(buf, count);
        else
            buf_printf(buf, "%llu\n", (unsigned long long)count);
    }
}

void metrics_write(struct metrics *metrics, struct buf *buf)
{
    static const char *const kinds[] = {"counter", "gauge", "counter", "histogram"};
    for (int i = 0; i < METRIC_COUNT; i++) {
        const struct metric_info *info = &infos[i];
        struct metric_series *series =
            atomic_load_explicit(&metrics->families[i].first, memory_order_acquire);
        if (!series)
            continue;
        buf_printf(buf, "# HELP %s %s\n# TYPE %s %s\n", info->name, info->help, info->name,
                   kinds[info->kind]);
        for (; series; series = atomic_load_explicit(&series->next, memory_order_acquire))
            write_series(buf, info, series);
    }
}

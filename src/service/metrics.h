/* metrics.h: counters, gauges and histograms of one service, from the list api/metrics.def.
 *
 * A series is a metric with its label values. Look it up once (metrics_series) and keep the pointer
 * where speed counts; it lives as long as the registry. Updates are atomic, look-ups lock-free but
 * for the first of a series. A metric holds at most METRIC_SERIES_MAX series, one with a label
 * "tenant" METRIC_TENANTS_MAX; further ones share one whose label values are "other". Thread-safe
 * throughout. */
#ifndef QUARRY_SERVICE_METRICS_H
#define QUARRY_SERVICE_METRICS_H

#include "base/buf.h"
#include "base/histogram.h"
#include "base/status.h"

enum metric {
#define METRIC(id, name, kind, labels, help) METRIC_##id,
#include "api/metrics.def"
#undef METRIC
    METRIC_COUNT
};

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_TIME, METRIC_HISTOGRAM };

enum { METRIC_LABELS_MAX = 4, METRIC_SERIES_MAX = 2048, METRIC_TENANTS_MAX = 100 };

struct metric_info {
    const char *name;
    enum metric_kind kind;
    const char *labels;
    const char *help;
};
const struct metric_info *metric_info(enum metric metric);

struct metrics;
struct metric_series;

enum status metrics_new(struct metrics **ret_metrics, struct error *err);
void metrics_free(struct metrics *metrics);

/* One value for each label, in the list's order (NULL array for a metric without labels). NULL when
 * memory is out: all calls below accept that and do nothing. */
struct metric_series *metrics_series(struct metrics *metrics, enum metric metric,
                                     const char *const *values);
/* For COUNTER, and TIME in microseconds */
void metric_add(struct metric_series *series, uint64_t n);
/* For those whose truth is counted elsewhere: never lets it go back. */
void metric_raise(struct metric_series *series, uint64_t total);
/* For GAUGE */
void metric_set(struct metric_series *series, double value);
/* For HISTOGRAM */
void metric_observe_us(struct metric_series *series, int64_t us);
/* The same as metric_raise for one that is counted elsewhere. */
void metric_raise_histogram(struct metric_series *series, const struct histogram *histogram);

/* The same for metrics without labels, looked up in place. */
void metrics_add(struct metrics *metrics, enum metric metric, uint64_t n);
void metrics_raise(struct metrics *metrics, enum metric metric, uint64_t total);
void metrics_set(struct metrics *metrics, enum metric metric, double value);

/* Prometheus text format 0.0.4 (HELP, TYPE, samples); metrics without series are left out. Series
 * stand in the order in which they were made. */
void metrics_write(struct metrics *metrics, struct buf *buf);
#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

#endif

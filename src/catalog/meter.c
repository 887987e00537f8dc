#include "catalog/meter.h"

#include "sys/sys.h"

const char *backend_call_name(enum backend_call call)
{
    static const char *const names[CALL_COUNT] = {
        [CALL_GET] = "get",     [CALL_FIND] = "find",     [CALL_QUERY] = "query",
        [CALL_GROUP] = "group", [CALL_COMMIT] = "commit", [CALL_SCAN] = "scan"};
    return names[call];
}

const char *call_outcome_name(enum call_outcome outcome)
{
    static const char *const names[OUTCOME_COUNT] = {
        [OUTCOME_OK] = "ok", [OUTCOME_REFUSED] = "refused", [OUTCOME_FAILED] = "failed"};
    return names[outcome];
}

static enum call_outcome outcome_of(enum status status)
{
    switch (status) {
    case STATUS_OK:
        return OUTCOME_OK;
    case STATUS_NOT_FOUND:
    case STATUS_CONFLICT:
    case STATUS_INVALID_ARGUMENT:
    case STATUS_RESOURCE_LIMIT:
        return OUTCOME_REFUSED;
    default:
        return OUTCOME_FAILED;
    }
}

/* The machine's clock also where the rest is simulated: it measures, nothing depends on it. */
int64_t meter_begin(void)
{
    return sys_mono_us(sys_posix());
}

enum status meter_end(struct meter *meter, enum backend_call call, int64_t begin,
                      enum status status)
{
    struct call_meter *one = &meter->calls[call];
    int64_t us = meter_begin() - begin;
    atomic_fetch_add_explicit(&one->outcomes[outcome_of(status)], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&one->buckets[histogram_bucket(us)], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&one->sum_us, (uint64_t)(us > 0 ? us : 0), memory_order_relaxed);
    return status;
}

void meter_look(const struct meter *meter, enum backend_call call, uint64_t ret[OUTCOME_COUNT],
                struct histogram *ret_durations)
{
    const struct call_meter *one = &meter->calls[call];
    for (int i = 0; i < OUTCOME_COUNT; i++)
        ret[i] = atomic_load_explicit(&one->outcomes[i], memory_order_relaxed);
    for (int i = 0; i < HISTOGRAM_BUCKETS; i++)
        ret_durations->counts[i] = atomic_load_explicit(&one->buckets[i], memory_order_relaxed);
    ret_durations->sum_us = atomic_load_explicit(&one->sum_us, memory_order_relaxed);
}

/* meter.h: how often a back end was called, how that ended and how long it took. Threads: any. */
#ifndef QUARRY_CATALOG_METER_H
#define QUARRY_CATALOG_METER_H

#include <stdatomic.h>

#include "base/histogram.h"
#include "base/status.h"

enum backend_call {
    CALL_GET,
    CALL_FIND,
    CALL_QUERY,
    CALL_GROUP,
    CALL_COMMIT,
    CALL_SCAN,
    CALL_COUNT
};

enum call_outcome {
    OUTCOME_OK,
    OUTCOME_REFUSED, /* it said no: not found, conflict, wrong or too large */
    OUTCOME_FAILED,  /* it could not */
    OUTCOME_COUNT
};

struct call_meter {
    atomic_uint_least64_t outcomes[OUTCOME_COUNT];
    atomic_uint_least64_t buckets[HISTOGRAM_BUCKETS], sum_us;
};

/* Zeroed is ready. */
struct meter {
    struct call_meter calls[CALL_COUNT];
};

const char *backend_call_name(enum backend_call call);
const char *call_outcome_name(enum call_outcome outcome);

int64_t meter_begin(void);
/* Returns `status`. */
enum status meter_end(struct meter *meter, enum backend_call call, int64_t begin,
                      enum status status);
void meter_look(const struct meter *meter, enum backend_call call, uint64_t ret[OUTCOME_COUNT],
                struct histogram *ret_durations);

#endif

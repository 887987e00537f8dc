/* histogram.h: durations counted in fixed buckets, from 100 us to 30 s, as Prometheus wants them.
 *
 * A plain value: whoever owns it locks it. */
#ifndef QUARRY_BASE_HISTOGRAM_H
#define QUARRY_BASE_HISTOGRAM_H

#include <stdint.h>

enum { HISTOGRAM_BUCKETS = 17 }; /* the last one has no upper bound */

struct histogram {
    uint64_t counts[HISTOGRAM_BUCKETS];
    uint64_t sum_us;
};

/* Upper bound of a bucket but the last, in microseconds and as text in seconds. */
int64_t histogram_bound_us(int bucket);
const char *histogram_bound_text(int bucket);
/* The bucket that a duration belongs to. */
int histogram_bucket(int64_t us);
void histogram_add(struct histogram *histogram, int64_t us);

#endif

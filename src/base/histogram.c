#include "base/histogram.h"

static const struct {
    int64_t us;
    const char *text;
} bounds[HISTOGRAM_BUCKETS - 1] = {
    {100, "0.0001"},  {250, "0.00025"}, {500, "0.0005"},  {1000, "0.001"},
    {2500, "0.0025"}, {5000, "0.005"},  {10000, "0.01"},  {25000, "0.025"},
    {50000, "0.05"},  {100000, "0.1"},  {250000, "0.25"}, {500000, "0.5"},
    {1000000, "1"},   {2500000, "2.5"}, {5000000, "5"},   {30000000, "30"},
};

int64_t histogram_bound_us(int bucket)
{
    return bounds[bucket].us;
}

const char *histogram_bound_text(int bucket)
{
    return bounds[bucket].text;
}

int histogram_bucket(int64_t us)
{
    int i = 0;
    while (i < HISTOGRAM_BUCKETS - 1 && us > bounds[i].us)
        i++;
    return i;
}

void histogram_add(struct histogram *histogram, int64_t us)
{
    if (us < 0)
        us = 0;
    histogram->counts[histogram_bucket(us)]++;
    histogram->sum_us += (uint64_t)us;
}

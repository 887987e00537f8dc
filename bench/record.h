/* record.h: the record of the ingest figures: 11 fields, about 220 bytes as a line of NDJSON. */
#ifndef QUARRY_BENCH_RECORD_H
#define QUARRY_BENCH_RECORD_H

#include <stdio.h>

enum { RECORD_MAX = 512 };

/* Writes the record number `id` into text[RECORD_MAX]; returns its length. */
static inline int make_record(char *text, unsigned long id)
{
    static const char *const events[] = {"view", "click", "search", "order", "refund"};
    static const char *const countries[] = {"DE", "FR", "PL", "US", "JP", "BR", "IN"};
    unsigned long mixed = id * 2654435761ul % 1000003ul;
    return snprintf(text, RECORD_MAX,
                    "{\"id\":%lu,\"time\":\"2026-%02lu-%02luT%02lu:%02lu:%02lu.%06lu\","
                    "\"user\":\"user-%06lu\",\"event\":\"%s\",\"page\":\"/shop/item/%lu\","
                    "\"country\":\"%s\",\"device\":\"mobile-%lu\",\"amount\":%lu.%02lu,"
                    "\"quantity\":%lu,\"paid\":%s,\"session\":\"%016lx%08lx\"}\n",
                    id, mixed % 12 + 1, mixed % 28 + 1, mixed % 24, mixed % 60, mixed % 59, mixed,
                    mixed % 100000, events[mixed % 5], mixed % 50000, countries[mixed % 7],
                    mixed % 9, mixed % 500, mixed % 100, mixed % 7 + 1,
                    mixed % 3 ? "true" : "false", mixed * 48271ul * 48271ul, mixed);
}

#endif

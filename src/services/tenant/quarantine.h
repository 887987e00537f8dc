/* quarantine.h: what becomes of the records of a write or load that do not fit (quarantine.c).
 *
 *     quarantine_init(&q, request, source)             the mode: the request's or the source's
 *     for each batch:
 *         quarantine_begin(&q, builder, write_id)      its builder leaves bad records out
 *         ... records into the builder, record_builder_finish ...
 *         quarantine_store(&q, batch, ...)             good and bad ones, both or neither
 *         quarantine_count(&q)
 *     quarantine_write(&q, w)                          counts and the first errors
 *     quarantine_release(&q) */
#ifndef QUARRY_SERVICES_TENANT_QUARANTINE_H
#define QUARRY_SERVICES_TENANT_QUARANTINE_H

#include "format/records/record_builder.h"
#include "services/tenant/tenant_int.h"

enum {
    QUARANTINE_ERRORS_MAX = 10,    /* told in the answer */
    QUARANTINE_RAW_MAX = 64 << 10, /* of a record's text; the rest is cut off */
};

struct quarantine_error {
    int64_t record, line; /* line -1: not known */
    struct str field, reason;
};

struct quarantine {
    struct tenant_node *node;
    struct arena *arena;
    struct source *source;
    enum on_error mode;
    struct source *side; /* opened at need */
    struct batch *batch; /* bad records of the batch at hand; NULL: none yet */
    struct str write_id; /* of the batch at hand; data NULL: none */
    struct str shown_id; /* what its rows name as their write, when that has no id */
    int64_t now_us;
    int64_t records_before, lines_before; /* of the file, before the batch at hand */
    uint64_t bad, total;                  /* of the batch at hand; of those that are stored */
    struct quarantine_error errors[QUARANTINE_ERRORS_MAX];
    uint32_t errors_len, errors_kept;
};

enum status quarantine_init(struct quarantine *q, struct request *request, struct source *source);
void quarantine_release(struct quarantine *q);
void quarantine_begin(struct quarantine *q, struct record_builder *builder, struct str write_id);
/* The batch at hand is made once more. */
void quarantine_drop(struct quarantine *q);
enum status quarantine_store(struct quarantine *q, struct batch *batch, bool upsert,
                             struct write_result *ret_result, struct error *err);
void quarantine_count(struct quarantine *q);
void quarantine_write(const struct quarantine *q, struct json_writer *w);
/* The id of a source's quarantine; STATUS_INVALID_ARGUMENT when it would be too long, or is one. */
enum status quarantine_id(struct str source_id, char out[SOURCE_ID_MAX + 1], struct error *err);

#endif

/* outbox.h: JSON documents on their way to somebody else's URL: a bounded queue, a thread, and
 * patience.
 *
 * A document is delivered by an answer 2xx. No connection, 408, 429 and 5xx are tried again after
 * OUTBOX_WAIT_US, doubled each time up to OUTBOX_WAIT_MAX_US, OUTBOX_TRIES times in all; any other
 * answer is final. Documents keep their order; one that is refused is dropped, and so is the
 * newest when the queue is full. Each has an id of its own in X-Quarry-Delivery, the same for all
 * tries. Threads: any. */
#ifndef QUARRY_SERVICES_MONITORING_OUTBOX_H
#define QUARRY_SERVICES_MONITORING_OUTBOX_H

#include "base/buf.h"
#include "sys/sys.h"

enum {
    OUTBOX_DOCUMENTS_MAX = 256,
    OUTBOX_BYTES_MAX = 32 << 20, /* of all that wait */
    OUTBOX_TRIES = 8,
    OUTBOX_WAIT_US = 500000,
    OUTBOX_WAIT_MAX_US = 30000000,
    OUTBOX_TIMEOUT_MS = 10000,
    OUTBOX_URL_MAX = 1024,
};

struct outbox;

/* In items: what the documents hold. */
struct outbox_stats {
    uint64_t sent, dropped;
    uint64_t retries; /* tries after the first */
};

enum status outbox_open(struct sys *sys, const char *url, struct outbox **ret, struct error *err);
/* What waits is dropped. NULL is fine. */
void outbox_close(struct outbox *outbox);
/* Takes the buffer's contents; `items`: how many things it tells of. */
void outbox_put(struct outbox *outbox, struct buf *document, uint32_t items);
void outbox_get_stats(struct outbox *outbox, struct outbox_stats *ret);

#endif

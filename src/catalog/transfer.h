/* transfer.h: from one back end to another, and the proof that both hold the same. */
#ifndef QUARRY_CATALOG_TRANSFER_H
#define QUARRY_CATALOG_TRANSFER_H

#include "catalog/backend.h"

/* Count and hash of all records of a domain, whatever their order. Equal on any two back ends that
 * hold the same records. */
struct catalog_digest {
    uint64_t count[DOMAIN_COUNT];
    uint64_t hash[DOMAIN_COUNT];
};

enum status catalog_digest(struct backend *backend, struct catalog_digest *ret, struct error *err);
bool catalog_digest_equal(const struct catalog_digest *a, const struct catalog_digest *b);

struct transfer_result {
    uint64_t copied, same, removed;
    struct catalog_digest from, to; /* taken afterwards */
};
typedef void (*transfer_progress_fn)(void *context, enum domain domain, uint64_t done);

/* Makes `to` hold exactly what `from` holds. Records that are equal already are left alone, so a
 * transfer that was cut off goes on where it was; those that `from` lacks are removed. Then both
 * are read again and compared: STATUS_CORRUPT when they differ, as they will when somebody writes
 * to one of them meanwhile. `progress` may be NULL. */
enum status catalog_transfer(struct backend *from, struct backend *to,
                             transfer_progress_fn progress, void *context,
                             struct transfer_result *ret, struct error *err);

#endif

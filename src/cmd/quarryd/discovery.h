/* discovery.h: where the services of the installation are: those of this process, those that
 * SERVICE_ADDRESSES lists (fixed ones and DNS names), and those that other processes have
 * registered in the catalog (catalog/presence.h).
 *
 * A thread keeps the own registration alive and looks for the others', four times in a TTL. When
 * the picture changes, `changed` gets the new one. A catalog that cannot be reached leaves the
 * picture as it was.
 *
 * Threads: discovery_list from any; the rest from the one that started it. */
#ifndef QUARRY_CMD_QUARRYD_DISCOVERY_H
#define QUARRY_CMD_QUARRYD_DISCOVERY_H

#include "base/log.h"
#include "catalog/presence.h"

struct discovery;

struct discovery_options {
    struct sys *sys;
    const struct log *log;
    const char *catalog_url; /* "": nothing is registered, nobody is looked for */
    const char *addresses;   /* SERVICE_ADDRESSES, checked already */
    int64_t ttl_us;          /* 0: as without a catalog */
    const char *version;
    const struct instance *own;   /* where this process calls its services; copied */
    const struct instance *known; /* the same, where others do */
    uint32_t own_len;
    /* Called before discovery_start returns, then by the thread; one at a time. */
    void (*changed)(void *context, const struct instances *all);
    void *context;
};

enum status discovery_start(const struct discovery_options *options, struct discovery **ret,
                            struct error *err);
/* All that are known now; texts live in the arena. */
enum status discovery_list(struct discovery *discovery, struct arena *arena, struct instances *ret,
                           struct error *err);
/* Ends the registration, so that no more calls come; the list stays. NULL is fine. */
void discovery_leave(struct discovery *discovery);
void discovery_free(struct discovery *discovery); /* NULL is fine */

#endif

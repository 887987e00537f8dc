/* presence.h: which processes of an installation are there and what they serve, told through the
 * catalog that they share.
 *
 *   TRY(presence_new(&options, &presence, err));
 *   every ttl_us / PRESENCE_BEATS: presence_beat(presence, own, len, err), presence_look(...)
 *   at the end: presence_leave(presence, err)
 *
 * A process keeps one record (domain service, tenant PRESENCE_TENANT, kind "process") and writes it
 * anew with every beat. Whoever looks takes a process for lost when its record has not changed for
 * half of the process's TTL, by the looker's own monotonic clock: the clocks of two machines need
 * not agree, and with a beat and a look every quarter a killed process is noticed within its TTL.
 * Only at the first sight of a record the wall clock decides. Records that were lost long ago are
 * removed by whoever finds them.
 *
 * Threads: one at a time. */
#ifndef QUARRY_CATALOG_PRESENCE_H
#define QUARRY_CATALOG_PRESENCE_H

#include "catalog/backend.h"
#include "sys/sys.h"

#define PRESENCE_TENANT "quarry-processes"

enum {
    PRESENCE_BEATS = 4, /* in a TTL */
    PRESENCE_PROCESSES_MAX = 1000,
    PRESENCE_SERVICES_MAX = 64, /* of one process */
    PRESENCE_FORGET_S = 3600,   /* a record is removed so long after its TTL */
};

/* One service of one process. */
struct instance {
    struct str service; /* "tenant", "catalog", ... */
    struct str url;     /* "http://host:port" */
    struct str tenant;  /* of a tenant node; else empty */
    struct str process; /* id; empty: of a list, no process told us */
    struct str host, version;
    const char *source; /* "registered"; others are the caller's: "own", "listed", "dns" */
    int64_t pid;
    int64_t started_us, heartbeat_us,
        expires_us; /* since 1970, by the process's own clock; 0: none */
    bool alive;
};

struct instances {
    struct instance *items;
    uint32_t len;
};

struct presence_options {
    struct sys *sys;
    struct backend *backend; /* borrowed */
    int64_t ttl_us;
    const char *host, *version; /* copied */
    int64_t pid;
};

struct presence;

enum status presence_new(const struct presence_options *options, struct presence **ret,
                         struct error *err);
void presence_free(struct presence *presence); /* NULL is fine; the record stays */
const char *presence_id(const struct presence *presence);
/* Says that this process is there and serves `own` (service, url, tenant). A beat after one that
 * failed finds out what became of that. */
enum status presence_beat(struct presence *presence, const struct instance *own, uint32_t len,
                          struct error *err);
/* All processes but this one, lost ones too until they are forgotten; texts live in the arena. */
enum status presence_look(struct presence *presence, struct arena *arena, struct instances *ret,
                          struct error *err);
/* Takes the record away. */
enum status presence_leave(struct presence *presence, struct error *err);

#endif

/* names.h: the addresses behind the DNS names of SERVICE_ADDRESSES (SERVICE=dns:HOST:PORT): each
 * address of the name is an instance of the service.
 *
 * A thread of its own asks, since a name server may be slow. What was found last stays while a name
 * cannot be looked up. */
#ifndef QUARRY_CMD_QUARRYD_NAMES_H
#define QUARRY_CMD_QUARRYD_NAMES_H

#include "base/arena.h"
#include "base/log.h"
#include "catalog/presence.h"
#include "sys/sys.h"

enum { NAMES_MAX = 64, NAME_ADDRESSES_MAX = 32, NAME_URL_MAX = 64 };

/* "http://10.0.0.1:8000" and so on, each once, in the order of their texts. STATUS_UNAVAILABLE. */
enum status names_resolve(const char *host, uint16_t port,
                          char ret[NAME_ADDRESSES_MAX][NAME_URL_MAX], uint32_t *ret_len,
                          struct error *err);

struct names;

struct names_options {
    struct sys *sys;
    const struct log *log;
    struct str addresses; /* the setting; copied; checked already */
    int64_t interval_us;
    void (*changed)(void *context); /* on the names' thread */
    void *context;
};

/* *ret becomes NULL when no entry of the setting is a DNS name. */
enum status names_start(const struct names_options *options, struct names **ret, struct error *err);
void names_stop(struct names *names); /* NULL is fine */
/* Appends what is known now to a list that has room for `cap`; texts live in the arena. NULL is
 * fine. */
enum status names_list(struct names *names, struct arena *arena, struct instances *to, uint32_t cap,
                       struct error *err);

#endif

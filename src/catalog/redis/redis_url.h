/* redis_url.h: redis://[:PASSWORD@]HOST:PORT[/DATABASE] or unix:PATH */
#ifndef QUARRY_CATALOG_REDIS_URL_H
#define QUARRY_CATALOG_REDIS_URL_H

#include "base/status.h"
#include "base/str.h"

struct redis_url {
    char *host; /* the path of a unix socket */
    char *password;
    int port, database;
    bool is_unix;
};

/* STATUS_INVALID_ARGUMENT says how it is written, and nothing of what was given. */
enum status redis_url_parse(struct str text, struct redis_url *ret, struct error *err);
void redis_url_release(struct redis_url *url);

#endif

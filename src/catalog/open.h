/* open.h: a back end by its URL: "sqlite:FILE", "file:FOLDER", "postgresql://USER@HOST:PORT/DB",
 * "redis://HOST:PORT/DB", "elasticsearch://HOST:PORT/PREFIX", "hybrid:PRIMARY|CACHE",
 * "hybrid:PRIMARY|CACHE|SEARCH", "hybrid:PRIMARY||SEARCH" of these. */
#ifndef QUARRY_CATALOG_OPEN_H
#define QUARRY_CATALOG_OPEN_H

#include "catalog/backend.h"
#include "sys/sys.h"

/* Makes missing folders. STATUS_INVALID_ARGUMENT when no back end has that name. */
enum status catalog_backend_open(struct sys *sys, const char *url, struct backend **ret,
                                 struct error *err);

/* The parts of a hybrid catalog's URL behind "hybrid:", PRIMARY|CACHE or PRIMARY|[CACHE]|SEARCH;
 * those left out are empty. False: it is none. */
bool hybrid_urls(struct str urls, struct str *ret_primary, struct str *ret_cache,
                 struct str *ret_search);

#endif

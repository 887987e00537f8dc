/* cors.h: which pages of other origins may call a service (Fetch standard, section 3.2).
 *
 * "*" lets every page call, without credentials of the browser (cookies); a list of origins names
 * those that may, with credentials. Tokens in a header work with both. */
#ifndef QUARRY_SERVICE_CORS_H
#define QUARRY_SERVICE_CORS_H

#include "net/http_server.h"

/* Sets the headers that the answer to this request needs; `origins` is ALLOWED_ORIGINS. True: it
 * was a preflight, which is to be answered with 204 and nothing else. */
bool cors_apply(struct http_request *http, const char *origins, const char *allow_methods);

#endif

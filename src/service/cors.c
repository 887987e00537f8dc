#include "service/cors.h"

static bool is_listed(const char *origins, struct str origin)
{
    struct str rest = str_of(origins), one;
    while (str_split(&rest, ',', &one))
        if (str_eq(str_trim(one), origin))
            return true;
    return false;
}

bool cors_apply(struct http_request *http, const char *origins, const char *allow_methods)
{
    struct str origin = http_request_header(http, "origin");
    bool preflight = http_request_method(http) == HTTP_OPTIONS &&
                     http_request_header(http, "access-control-request-method").data;
    bool any = strcmp(origins, "*") == 0;
    if (!any)
        http_set_header(http, "Vary", STR("Origin"));
    if (!origin.data || (!any && !is_listed(origins, origin)))
        return preflight; /* without headers: the browser refuses */
    http_set_header(http, "Access-Control-Allow-Origin", any ? STR("*") : origin);
    if (!any)
        http_set_header(http, "Access-Control-Allow-Credentials", STR("true"));
    if (!preflight) {
        http_set_header(http, "Access-Control-Expose-Headers",
                        STR("X-Request-Id, Retry-After, RateLimit"));
        return false;
    }
    http_set_header(http, "Access-Control-Allow-Methods", str_of(allow_methods));
    http_set_header(http, "Access-Control-Allow-Headers",
                    STR("Authorization, Content-Type, Content-Encoding, Idempotency-Key, "
                        "X-API-Key, X-Request-Id, traceparent"));
    http_set_header(http, "Access-Control-Max-Age", STR("600"));
    return true;
}

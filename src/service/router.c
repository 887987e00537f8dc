/* Steps of a search: cut the path at '/', compare literals byte by byte with every pattern of the
 * service (a few dozen), keep the best fit with the right method, decode its parameters. */
#include "service/router.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/utf8.h"
#include "service/nearest.h"

struct pattern {
    const struct operation *operation;
    enum http_method method;
    const char *path;
    struct str segments[ROUTE_SEGMENTS_MAX]; /* a parameter stands with its braces */
    uint32_t len;
};

struct router {
    size_t len;
    struct pattern patterns[];
};

static bool is_param(struct str segment)
{
    return segment.len > 2 && segment.data[0] == '{';
}

/* Number of segments, or ROUTE_SEGMENTS_MAX + 1 when there are more. The first byte is '/'. */
static uint32_t split_path(struct str path, struct str segments[ROUTE_SEGMENTS_MAX])
{
    struct str rest = str_make(path.data + 1, path.len - 1), segment;
    uint32_t len = 0;
    while (str_split(&rest, '/', &segment)) {
        if (len == ROUTE_SEGMENTS_MAX)
            return ROUTE_SEGMENTS_MAX + 1;
        segments[len++] = segment;
    }
    return len;
}

static void add_pattern(struct router *router, const struct operation *operation,
                        enum http_method method, const char *path)
{
    struct pattern *pattern = &router->patterns[router->len++];
    pattern->operation = operation;
    pattern->method = method;
    pattern->path = path;
    pattern->len = split_path(str_of(path), pattern->segments);
    assert(pattern->len <= ROUTE_SEGMENTS_MAX);
}

static void add_operations(struct router *router, enum service_kind kind)
{
    const struct operation *operation;
    const struct operation_alias *alias;
    for (size_t i = 0; (operation = operation_at(i)); i++)
        if (operation->service == kind || operation->service == SERVICE_ALL)
            add_pattern(router, operation, operation->method, operation->path);
    for (size_t i = 0; (alias = operation_alias_at(i)); i++) {
        if (alias->service != kind)
            continue;
        operation = operation_find(alias->name);
        assert(operation && operation->service == kind);
        add_pattern(router, operation, alias->method, alias->path);
    }
}

enum status router_new(enum service_kind kind, struct router **ret_router, struct error *err)
{
    size_t most = 0;
    while (operation_at(most))
        most++;
    for (size_t i = 0; operation_alias_at(i); i++)
        most++;
    struct router *router = calloc(1, sizeof *router + most * sizeof(struct pattern));
    if (!router)
        return error_no_memory(err);
    add_operations(router, kind);
    *ret_router = router;
    return STATUS_OK;
}

void router_free(struct router *router)
{
    free(router);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 32);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* false: a '%' without two hexadecimal digits, or no memory */
static bool decode_percent(struct str text, struct arena *arena, struct str *ret)
{
    char *out = arena_alloc(arena, text.len + 1);
    size_t n = 0;
    for (size_t i = 0; out && i < text.len; i++) {
        char c = text.data[i];
        if (c == '%') {
            int high = i + 1 < text.len ? hex_digit(text.data[i + 1]) : -1;
            int low = i + 2 < text.len ? hex_digit(text.data[i + 2]) : -1;
            if (high < 0 || low < 0)
                return false;
            c = (char)(high * 16 + low);
            i += 2;
        }
        out[n++] = c;
    }
    *ret = str_make(out, n);
    return out != NULL;
}

static bool fits(const struct pattern *pattern, const struct str *segments, uint32_t len)
{
    if (pattern->len != len)
        return false;
    for (uint32_t i = 0; i < len; i++) {
        if (is_param(pattern->segments[i]) ? segments[i].len == 0
                                           : !str_eq(pattern->segments[i], segments[i]))
            return false;
    }
    return true;
}

/* Both fit the same path: the one whose first difference is a literal is the better one. */
static bool better(const struct pattern *a, const struct pattern *b)
{
    for (uint32_t i = 0; b && i < a->len; i++)
        if (is_param(a->segments[i]) != is_param(b->segments[i]))
            return !is_param(a->segments[i]);
    return !b;
}

static enum status decode_params(const struct pattern *pattern, const struct str *segments,
                                 struct arena *arena, struct route *route, struct error *err)
{
    for (uint32_t i = 0; i < pattern->len; i++) {
        struct str segment = pattern->segments[i], value;
        if (!is_param(segment))
            continue;
        struct str name = str_make(segment.data + 1, segment.len - 2);
        if (!decode_percent(segments[i], arena, &value))
            return error_set(err, STATUS_INVALID_ARGUMENT,
                             "the path has a '%%' without two hexadecimal digits behind it");
        if (str_is(value, ".") || str_is(value, "..") || memchr(value.data, 0, value.len) ||
            !utf8_is_valid(value.data, value.len)) {
            enum status status = error_set(err, STATUS_INVALID_ARGUMENT,
                                           "the path's '%.*s' must be a name: not '.', not '..', "
                                           "no NUL, valid UTF-8",
                                           STR_ARG(name));
            error_at_field(err, name.data, (uint32_t)name.len, value.data, (uint32_t)value.len);
            return status;
        }
        assert(route->params < OPERATION_PARAMS_MAX);
        route->names[route->params] = name;
        route->values[route->params++] = value;
    }
    return STATUS_OK;
}

static enum status unknown_route(const struct router *router, struct str path, struct error *err)
{
    if (!err) /* who wants no words does not pay for them */
        return STATUS_UNKNOWN_ROUTE;
    struct nearest nearest = nearest_begin(path);
    for (size_t i = 0; i < router->len; i++)
        nearest_offer(&nearest, router->patterns[i].path);
    int shown = path.len < 200 ? (int)path.len : 200;
    if (nearest.best)
        return error_set(err, STATUS_UNKNOWN_ROUTE,
                         "no operation has the path '%.*s'; the nearest "
                         "is '%s'",
                         shown, path.data, nearest.best);
    return error_set(err, STATUS_UNKNOWN_ROUTE,
                     "no operation has the path '%.*s'; see /openapi.json", shown, path.data);
}

enum status router_find(const struct router *router, enum http_method method, struct str path,
                        struct arena *arena, struct route *ret_route, struct error *err)
{
    *ret_route = (struct route){0};
    if (path.len == 0 || path.data[0] != '/')
        return unknown_route(router, path, err);
    struct str segments[ROUTE_SEGMENTS_MAX];
    uint32_t len = split_path(path, segments);
    const struct pattern *best = NULL;
    enum http_method wanted = method == HTTP_HEAD ? HTTP_GET : method;
    for (size_t i = 0; i < router->len; i++) {
        const struct pattern *pattern = &router->patterns[i];
        if (!fits(pattern, segments, len))
            continue;
        ret_route->methods |= 1u << pattern->method;
        if (pattern->method == wanted && better(pattern, best))
            best = pattern;
    }
    if (!ret_route->methods)
        return unknown_route(router, path, err);
    if (!best) {
        char allow[ALLOW_TEXT_MAX];
        route_allow(ret_route->methods, allow);
        return error_set(err, STATUS_METHOD_NOT_ALLOWED, "%s is not a method of '%.*s'; it has %s",
                         http_method_name(method), path.len < 200 ? (int)path.len : 200, path.data,
                         allow);
    }
    ret_route->operation = best->operation;
    return decode_params(best, segments, arena, ret_route, err);
}

void route_allow(unsigned methods, char out[ALLOW_TEXT_MAX])
{
    size_t len = 0;
    if (methods & 1u << HTTP_GET)
        methods |= 1u << HTTP_HEAD;
    methods |= 1u << HTTP_OPTIONS;
    out[0] = 0;
    for (unsigned method = 0; method < HTTP_METHOD_OTHER; method++)
        if (methods & 1u << method)
            len += (size_t)snprintf(out + len, ALLOW_TEXT_MAX - len, "%s%s", len ? ", " : "",
                                    http_method_name((enum http_method)method));
}

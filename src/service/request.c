/* The accessors of a decoded request. A name that the operation does not have is a programming
 * error and asserts. */
#include <assert.h>

#include "service/service_int.h"

static const struct field_value *value_of(const struct request *request, const char *field)
{
    static const struct field_value none = {0};
    int index = field_find(request->operation->fields, str_of(field));
    assert(index >= 0);
    return index >= 0 ? &request->values[index] : &none;
}

struct str request_path_param(const struct request *request, const char *name)
{
    for (uint32_t i = 0; i < request->route->params; i++)
        if (str_is(request->route->names[i], name))
            return request->route->values[i];
    return STR_NONE;
}

struct str request_str(const struct request *request, const char *field)
{
    return value_of(request, field)->text;
}

int64_t request_int(const struct request *request, const char *field)
{
    return value_of(request, field)->integer;
}

bool request_bool(const struct request *request, const char *field)
{
    return value_of(request, field)->boolean;
}

double request_double(const struct request *request, const char *field)
{
    return value_of(request, field)->number;
}

yyjson_val *request_json(const struct request *request, const char *field)
{
    return value_of(request, field)->json;
}

bool request_has(const struct request *request, const char *field)
{
    return value_of(request, field)->present;
}

/* The q of a media range in thousandths; 1000 when it has none. */
static int quality_of(struct str parameters)
{
    struct str part;
    while (str_split(&parameters, ';', &part)) {
        double q;
        part = str_trim(part);
        if (part.len > 2 && (part.data[0] | 32) == 'q' && part.data[1] == '=' &&
            str_to_double(str_make(part.data + 2, part.len - 2), &q))
            return q < 0 ? 0 : q > 1 ? 1000 : (int)(q * 1000);
    }
    return 1000;
}

enum accept_kind request_accept(const struct request *request)
{
    static const struct {
        const char *type;
        enum accept_kind kind;
    } known[] = {
        {"application/json", ACCEPT_JSON},     {"*/*", ACCEPT_JSON},
        {"application/*", ACCEPT_JSON},        {"application/x-ndjson", ACCEPT_NDJSON},
        {"application/ndjson", ACCEPT_NDJSON}, {"application/jsonl", ACCEPT_NDJSON},
        {"text/event-stream", ACCEPT_SSE},     {"text/csv", ACCEPT_CSV},
    };
    struct str rest = http_request_header(request->http, "accept"), range;
    enum accept_kind best = ACCEPT_JSON;
    int best_quality = 0;
    while (rest.data && str_split(&rest, ',', &range)) {
        struct str type;
        str_split(&range, ';', &type);
        int quality = quality_of(range);
        for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
            if (quality > best_quality && str_eq_nocase(str_trim(type), str_of(known[i].type))) {
                best = known[i].kind;
                best_quality = quality;
            }
        }
    }
    return best;
}

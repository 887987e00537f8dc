/* errors.c: the mistakes of a query, gathered with their places. */
#include <stdarg.h>
#include <stdio.h>

#include "query/dsl/dsl_int.h"
#include "service/nearest.h"

static const struct {
    const char *name;
    int http;
} codes[] = {
    [DSL_INVALID_JSON] = {"INVALID_JSON", 400},
    [DSL_INVALID_TEXT] = {"INVALID_TEXT", 400},
    [DSL_MISSING_FIELD] = {"MISSING_FIELD", 400},
    [DSL_UNKNOWN_KEY] = {"UNKNOWN_KEY", 400},
    [DSL_UNKNOWN_QUERY_TYPE] = {"UNKNOWN_QUERY_TYPE", 400},
    [DSL_UNKNOWN_OPERATOR] = {"UNKNOWN_OPERATOR", 400},
    [DSL_UNKNOWN_FUNCTION] = {"UNKNOWN_FUNCTION", 400},
    [DSL_UNKNOWN_SOURCE] = {"UNKNOWN_SOURCE", 422},
    [DSL_UNKNOWN_COLUMN] = {"UNKNOWN_COLUMN", 422},
    [DSL_AMBIGUOUS_COLUMN] = {"AMBIGUOUS_COLUMN", 422},
    [DSL_TYPE_MISMATCH] = {"TYPE_MISMATCH", 422},
    [DSL_BAD_VALUE] = {"BAD_VALUE", 400},
    [DSL_DEPTH_EXCEEDED] = {"DEPTH_EXCEEDED", 400},
    [DSL_TOO_MANY_VALUES] = {"TOO_MANY_VALUES", 400},
    [DSL_DUPLICATE_ALIAS] = {"DUPLICATE_ALIAS", 400},
    [DSL_BAD_CURSOR] = {"BAD_CURSOR", 400},
};

const char *dsl_code_name(enum dsl_code code)
{
    return codes[code].name;
}

int dsl_code_http(enum dsl_code code)
{
    return codes[code].http;
}

/* --- places --- */

static const struct dsl_at *new_at(struct dsl_query *q, struct dsl_at at)
{
    struct dsl_at *copy = dsl_alloc(q, 1, sizeof *copy);
    if (!copy)
        return at.up; /* the query has failed already */
    *copy = at;
    return copy;
}

const struct dsl_at *dsl_at_name(struct dsl_query *q, const struct dsl_at *up, struct str key)
{
    return new_at(q, (struct dsl_at){up, key, 0});
}

const struct dsl_at *dsl_at_key(struct dsl_query *q, const struct dsl_at *up, const char *key)
{
    return dsl_at_name(q, up, str_of(key));
}

const struct dsl_at *dsl_at_index(struct dsl_query *q, const struct dsl_at *up, size_t index)
{
    return new_at(q, (struct dsl_at){up, STR_NONE, index});
}

static void write_pointer(struct buf *buf, const struct dsl_at *at)
{
    if (!at || !at->up)
        return; /* the root */
    write_pointer(buf, at->up);
    buf_append_char(buf, '/');
    if (!at->key.data) {
        buf_printf(buf, "%zu", at->index);
        return;
    }
    for (size_t i = 0; i < at->key.len; i++) { /* RFC 6901 */
        if (at->key.data[i] == '~')
            buf_append_str(buf, STR("~0"));
        else if (at->key.data[i] == '/')
            buf_append_str(buf, STR("~1"));
        else
            buf_append_char(buf, at->key.data[i]);
    }
}

static struct str pointer_of(struct dsl_query *q, const struct dsl_at *at)
{
    struct buf buf;
    buf_init(&buf, 16 << 10);
    write_pointer(&buf, at);
    struct str copy = arena_str(q->arena, buf_str(&buf));
    buf_release(&buf);
    return copy.data ? copy : STR("");
}

/* --- errors --- */

static const char *hint_for(struct dsl_query *q, struct str wanted, struct dsl_words allowed)
{
    struct nearest nearest = nearest_begin(wanted);
    for (uint32_t i = 0; wanted.data && i < allowed.len; i++)
        nearest_offer(&nearest, allowed.items[i]);
    return nearest.best ? arena_printf(q->arena, "did you mean \"%s\"?", nearest.best) : NULL;
}

static struct dsl_error *add(struct dsl_query *q, enum dsl_code code, const struct dsl_at *at,
                             const char *format, va_list args)
{
    struct dsl_errors *errors = &q->errors;
    char message[512];
    if (errors->total++ >= DSL_ERRORS_MAX)
        return NULL;
    (void)vsnprintf(message, sizeof message, format, args);
    struct dsl_error *error = &errors->items[errors->len++];
    struct str copy = arena_str(q->arena, str_of(message));
    *error = (struct dsl_error){.code = code,
                                .path = pointer_of(q, at),
                                .message = copy.data ? copy : STR("out of memory")};
    return error;
}

void dsl_fail(struct dsl_query *q, enum dsl_code code, const struct dsl_at *at, struct str wanted,
              struct dsl_words allowed, const char *format, ...)
{
    va_list args;
    if (q->options->settings.lenient && dsl_code_http(code) == 422)
        return;
    va_start(args, format);
    struct dsl_error *error = add(q, code, at, format, args);
    va_end(args);
    if (!error)
        return;
    error->allowed = allowed;
    error->hint = hint_for(q, wanted, allowed);
}

void dsl_bad(struct dsl_query *q, const struct dsl_at *at, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)add(q, DSL_BAD_VALUE, at, format, args);
    va_end(args);
}

void dsl_hint(struct dsl_query *q, const char *hint)
{
    if (q->errors.len > 0 && q->errors.total <= DSL_ERRORS_MAX)
        q->errors.items[q->errors.len - 1].hint = hint;
}

static void write_members(const struct dsl_error *error, struct json_writer *w)
{
    json_kv_strz(w, "code", dsl_code_name(error->code));
    json_kv_str(w, "message", error->message);
    json_kv_str(w, "path", error->path);
    if (error->allowed.len) {
        json_keyz(w, "allowed");
        json_begin_array(w);
        for (uint32_t i = 0; i < error->allowed.len; i++)
            json_stringz(w, error->allowed.items[i]);
        json_end_array(w);
    }
    if (error->hint)
        json_kv_strz(w, "hint", error->hint);
}

int dsl_write_errors(const struct dsl_errors *errors, struct str request_id, struct json_writer *w)
{
    int http = 422;
    json_kv_bool(w, "success", false);
    json_kv_str(w, "error_message", errors->items[0].message);
    json_keyz(w, "error");
    json_begin_object(w);
    write_members(&errors->items[0], w);
    json_keyz(w, "detail");
    json_begin_object(w);
    json_end_object(w);
    json_kv_str(w, "request_id", request_id);
    json_end_object(w);
    json_keyz(w, "errors");
    json_begin_array(w);
    for (uint32_t i = 0; i < errors->len; i++) {
        http = dsl_code_http(errors->items[i].code) == 400 ? 400 : http;
        json_begin_object(w);
        write_members(&errors->items[i], w);
        json_end_object(w);
    }
    json_end_array(w);
    return http;
}

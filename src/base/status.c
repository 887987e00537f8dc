#include "base/status.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

static const struct status_info infos[STATUS_COUNT] = {
    [STATUS_OK] = {"OK", "ok", 200, 0, false, "Success."},
#define X(name, code, http, grpc, retryable, meaning)                                              \
    [STATUS_##name] = {#name, code, http, grpc, retryable, meaning},
#include "api/errors.def"
#undef X
};

const struct status_info *status_info(enum status status)
{
    if ((unsigned)status >= STATUS_COUNT)
        status = STATUS_INTERNAL;
    return &infos[status];
}

static void error_clear(struct error *err, enum status status)
{
    *err = ERROR_INIT;
    err->status = status;
}

enum status error_set(struct error *err, enum status status, const char *format, ...)
{
    if (!err)
        return status;
    error_clear(err, status);
    va_list args;
    va_start(args, format);
    vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
    utf8_make_printable(err->message);
    return status;
}

enum status error_wrap(struct error *err, const char *format, ...)
{
    if (!err)
        return STATUS_INTERNAL;
    char lower[ERROR_CAUSE_MAX];
    if (err->cause[0])
        snprintf(lower, sizeof lower, "%.240s: %.230s", err->message, err->cause);
    else
        snprintf(lower, sizeof lower, "%.*s", ERROR_CAUSE_MAX - 1, err->message);
    va_list args;
    va_start(args, format);
    vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
    utf8_make_printable(err->message);
    memcpy(err->cause, lower, sizeof lower);
    return err->status;
}

static enum status status_of_errno(int errnum)
{
    switch (errnum) {
    case ENOSPC:
    case EDQUOT:
        return STATUS_STORAGE_FULL;
    case ENOMEM:
        return STATUS_NO_MEMORY;
    case ENOENT:
        return STATUS_NOT_FOUND;
    default:
        return STATUS_IO;
    }
}

enum status error_errno(struct error *err, int errnum, const char *format, ...)
{
    enum status status = status_of_errno(errnum);
    if (!err)
        return status;
    error_clear(err, status);
    va_list args;
    va_start(args, format);
    int n = vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
    if (n < 0)
        n = 0;
    if ((size_t)n < sizeof err->message) {
        char text[128];
        snprintf(err->message + n, sizeof err->message - (size_t)n, ": %s",
                 strerror_r(errnum, text, sizeof text));
    }
    utf8_make_printable(err->message);
    return status;
}

enum status error_no_memory(struct error *err)
{
    return error_set(err, STATUS_NO_MEMORY, "out of memory");
}

static void copy_printable(char *to, size_t cap, const char *from, uint32_t len)
{
    size_t n = len < cap - 1 ? len : cap - 1;
    memcpy(to, from, n);
    to[n] = 0;
    for (size_t i = 0; i < n; i++)
        if (!to[i])
            to[i] = '?';
    utf8_make_printable(to);
}

void error_at_field(struct error *err, const char *field, uint32_t field_len, const char *value,
                    uint32_t value_len)
{
    if (!err)
        return;
    if (field)
        copy_printable(err->field, sizeof err->field, field, field_len);
    if (value)
        copy_printable(err->value, sizeof err->value, value, value_len);
}

/* status.h: what a call that can fail returns, and the object that says why.
 *
 * A function that can fail returns `enum status` and takes `struct error *err` last. `err` may be
 * NULL. On STATUS_OK the error is untouched. The error object owns no memory: it is a fixed-size
 * value that lives on the caller's stack and may be copied. Code and message are for the client;
 * `cause` is the chain of lower messages, joined by ": ". Library code sets, it never logs. */
#ifndef QUARRY_BASE_STATUS_H
#define QUARRY_BASE_STATUS_H

#include <stdbool.h>
#include <stdint.h>

enum status {
    STATUS_OK = 0,
#define X(name, code, http, grpc, retryable, meaning) STATUS_##name,
#include "api/errors.def"
#undef X
    STATUS_COUNT
};

/* One row of api/errors.def. */
struct status_info {
    const char *name;
    const char *code;
    int http;
    int grpc;
    bool retryable;
    const char *meaning;
};

/* Never NULL; an unknown status gives the row of STATUS_INTERNAL. */
const struct status_info *status_info(enum status status);

enum {
    ERROR_MESSAGE_MAX = 480,
    ERROR_CAUSE_MAX = 480,
    ERROR_NAME_MAX = 160,
};

struct error {
    enum status status;
    char message[ERROR_MESSAGE_MAX];
    char cause[ERROR_CAUSE_MAX];
    /* Where, as far as known; -1 and "" when not. */
    int64_t offset; /* byte in the input, from 0 */
    int64_t line;   /* line in the input, from 1 */
    int64_t column; /* column in the line, from 1 */
    int64_t record; /* record in the batch, from 0 */
    char field[ERROR_NAME_MAX];
    char value[ERROR_NAME_MAX];
    int retry_after_s; /* 0: none */
};

#define ERROR_INIT ((struct error){.offset = -1, .line = -1, .column = -1, .record = -1})

/* Sets code and message and clears the rest. Returns `status`, so `return error_set(...)` reads
 * well. Invalid UTF-8 and control characters in the arguments are replaced by '?'. */
enum status error_set(struct error *err, enum status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Moves the present message into the cause and puts a new message before it; keeps the status and
 * the place. Returns the status. */
enum status error_wrap(struct error *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* A failed system call: STATUS_STORAGE_FULL for ENOSPC and EDQUOT, STATUS_NO_MEMORY for ENOMEM,
 * STATUS_NOT_FOUND for ENOENT, STATUS_IO otherwise; the message ends with the errno's text. */
enum status error_errno(struct error *err, int errnum, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

enum status error_no_memory(struct error *err);

/* Puts the name of a field and the start of an offending value (cut, made printable) in place. */
void error_at_field(struct error *err, const char *field, uint32_t field_len, const char *value,
                    uint32_t value_len);

#define TRY(expression)                                                                            \
    do {                                                                                           \
        enum status try_status_ = (expression);                                                    \
        if (try_status_ != STATUS_OK)                                                              \
            return try_status_;                                                                    \
    } while (0)

#endif

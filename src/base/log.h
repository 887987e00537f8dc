/* log.h: structured JSON lines. Only cmd and services log; a library returns an error instead.
 *
 * One line an event: {"time","level","service","message",...fields}. A line is written with one
 * write(2) of at most LOG_LINE_MAX bytes, so lines of several threads and processes do not mix.
 * Thread-safe. */
#ifndef QUARRY_BASE_LOG_H
#define QUARRY_BASE_LOG_H

#include "base/status.h"
#include "base/str.h"

enum { LOG_LINE_MAX = 4096 };

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

struct log {
    int fd;
    enum log_level level;
    const char *service; /* borrowed */
};

struct log_field {
    const char *key;
    struct str text; /* when .data is set, else the number */
    int64_t number;
};

#define LOG_TEXT(k, v) ((struct log_field){.key = (k), .text = (v)})
#define LOG_NUM(k, v)  ((struct log_field){.key = (k), .number = (v)})

/* Fields that do not fit into the line are left out. */
void log_write(const struct log *log, enum log_level level, const char *message,
               const struct log_field *fields, size_t count);
/* message, code and cause of an error */
void log_error(const struct log *log, const char *message, const struct error *err);

#define log_event(log, level, message, ...)                                                        \
    log_write((log), (level), (message), (const struct log_field[]){__VA_ARGS__},                  \
              sizeof((const struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field))

#endif

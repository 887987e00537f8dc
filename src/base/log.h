/* log.h: structured JSON lines. Only cmd and services log; a library returns an error instead.
 *
 * One line an event: {"time","level","service","message",...fields}. A line is written with one
 * write(2) of at most LOG_LINE_MAX bytes, so lines of several threads and processes do not mix.
 * Whatever a field holds, it stays one line and one member: the writer escapes it.
 * A log may have a sink besides its descriptor, with a level of its own: the collected logs
 * (service/log_files.h). Thread-safe. */
#ifndef QUARRY_BASE_LOG_H
#define QUARRY_BASE_LOG_H

#include "base/status.h"
#include "base/str.h"

enum { LOG_LINE_MAX = 4096 };

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

/* Takes whole lines, and says beforehand whether it wants one. Any thread. */
struct log_sink {
    bool (*wants)(void *context, const char *service, enum log_level level);
    void (*take)(void *context, const char *service, enum log_level level, struct str line);
    void (*count)(void *context, uint64_t *ret_taken, uint64_t *ret_dropped); /* lines so far */
    void *context;
};

struct log {
    int fd;
    enum log_level level;
    const char *service;         /* borrowed */
    const struct log_sink *sink; /* borrowed; NULL: none */
};

struct log_field {
    const char *key;
    struct str text; /* when .data is set, else the number */
    int64_t number;
};

#define LOG_TEXT(k, v) ((struct log_field){.key = (k), .text = (v)})
#define LOG_NUM(k, v)  ((struct log_field){.key = (k), .number = (v)})

/* "debug", "info", "warn", "error" */
const char *log_level_name(enum log_level level);
bool log_level_parse(struct str name, enum log_level *ret);

/* Fields that do not fit into the line are left out. */
void log_write(const struct log *log, enum log_level level, const char *message,
               const struct log_field *fields, size_t count);
/* message, code and cause of an error */
void log_error(const struct log *log, const char *message, const struct error *err);

#define log_event(log, level, message, ...)                                                        \
    log_write((log), (level), (message), (const struct log_field[]){__VA_ARGS__},                  \
              sizeof((const struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field))

#endif

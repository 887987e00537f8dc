/* log_read.h: collected log lines (service/log_files.h) found again: the newest that match, and
 * what comes after.
 *
 * Files are read from their ends, at most LOG_SCAN_MAX bytes a call. A line that is no JSON object
 * (torn by a crash) is passed over. */
#ifndef QUARRY_SERVICES_MONITORING_LOG_READ_H
#define QUARRY_SERVICES_MONITORING_LOG_READ_H

#include "base/arena.h"
#include "service/log_files.h"

#define LOG_SCAN_MAX (UINT64_C(512) << 20)
enum {
    LOG_LINES_BYTES_MAX = 16 << 20, /* of the lines of one answer */
    LOG_TAIL_BYTES_MAX = 1 << 20,   /* of one look at a tail */
};

/* What is not wanted is left at zero, but until_us: INT64_MAX. */
struct log_filter {
    enum log_level level; /* this one and above */
    int64_t since_us, until_us;
    struct str text;       /* stands somewhere in the line; data NULL: any line */
    struct str request_id; /* data NULL: any */
    struct str tenant;     /* only its lines; data NULL: any */
};

struct log_line {
    int64_t time_us;
    struct str json; /* one object, without the newline */
};

struct log_lines {
    struct log_line *items; /* oldest first */
    size_t len;
    bool truncated; /* a bound ended the search: there may be more */
};

/* A place between two lines. */
struct log_tail {
    struct log_file_name name;
    uint64_t offset;
    bool is_set; /* false: before the first file */
};

/* The filter's texts as they stand in a line; from `arena`. */
struct log_matcher;
enum status log_matcher_new(const struct log_filter *filter, struct arena *arena,
                            struct log_matcher **ret, struct error *err);

/* The newest `limit` lines of a service that match, before `end`. */
enum status log_read(struct sys *sys, const char *folder, const char *service,
                     const struct log_matcher *matcher, const struct log_tail *end, uint32_t limit,
                     struct arena *arena, struct log_lines *ret, struct error *err);
/* Puts two results into one, of which the newest `limit` lines stay. */
enum status log_lines_merge(struct log_lines *into, const struct log_lines *more, uint32_t limit,
                            struct arena *arena, struct error *err);

/* The end of what there is now. */
enum status log_tail_find(struct sys *sys, const char *folder, const char *service,
                          struct log_tail *ret, struct error *err);
/* Hands the next matching lines to `take` and moves behind them. */
enum status log_tail_read(struct sys *sys, const char *folder, const char *service,
                          const struct log_matcher *matcher, struct log_tail *tail,
                          enum status (*take)(void *context, struct str json, struct error *err),
                          void *context, struct error *err);

#endif

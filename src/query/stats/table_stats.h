/* table_stats.h: statistics of every column of a view. */
#ifndef QUARRY_QUERY_TABLE_STATS_H
#define QUARRY_QUERY_TABLE_STATS_H

#include "query/exec/exec.h"
#include "storage/sketch/sketch.h"

enum { COMMON_VALUES_MAX = 10 };

struct common_value {
    struct value value;
    double share; /* of all rows, by the sample */
};

struct column_statistics {
    struct str name;
    enum type type;
    uint64_t nulls;
    bool has_bounds;
    struct value min, max;       /* not of JSON columns */
    double distinct;             /* of the values that are not null; negative: not known */
    struct common_value *common; /* most frequent first */
    uint32_t common_len;
};

struct table_stats {
    uint64_t rows, files, bytes, snapshot_id, lsn;
    uint32_t sample_rows;
    size_t sketch_bytes;
    bool stale; /* the sketch is of other rows than there are: see profile.h */
    struct column_statistics *columns;
    uint32_t columns_len;
    struct arena arena; /* all of it */
};

/* Bounds and nulls come from metadata where no rows were deleted, else from the files. */
enum status table_stats_make(struct view *view, const struct exec_context *context,
                             struct table_stats *ret, struct error *err);
void table_stats_release(struct table_stats *stats);
/* Members into an object that the caller has begun. */
void table_stats_write(const struct table_stats *stats, struct json_writer *w);

/* The most common values of a column of a sample; texts in the arena. */
enum status common_values(const struct column *sample, struct arena *arena,
                          struct column_statistics *ret, struct error *err);

#endif

/* answer.h: the engine's result chunks as our batches.
 *
 *   engine                                     batch
 *   BOOLEAN                                    BOOL
 *   TINYINT .. BIGINT, UTINYINT .. UINTEGER    INT64; also DECIMAL(p <= 18, 0)
 *   UBIGINT, HUGEINT, UHUGEINT, other DECIMAL  JSON: the exact number as text
 *   FLOAT, DOUBLE                              DOUBLE; NaN and infinities are null
 *   VARCHAR, UUID, ENUM, INTERVAL              STRING
 *   BLOB                                       STRING: base64
 *   TIME                                       STRING "hh:mm:ss[.ffffff]"
 *   TIMESTAMP WITH TIME ZONE                   STRING, UTC, ending in Z
 *   JSON, LIST, ARRAY, STRUCT, MAP             JSON
 *   DATE, TIMESTAMP (s, ms, us, ns floored)    DATE, TIMESTAMP; infinity is null
 *
 * Other types (BIT, UNION, TIMETZ, ...) are refused with the advice to cast. Dates outside of the
 * years 0 to 9999 are refused likewise. */
#ifndef QUARRY_QUERY_SQLWORKER_ANSWER_H
#define QUARRY_QUERY_SQLWORKER_ANSWER_H

#include <duckdb.h>

#include "base/json.h"
#include "data/batch.h"

struct answer_column {
    struct str name; /* unique within the answer */
    duckdb_logical_type logical;
    duckdb_type id;
    enum type type;
    int scale;        /* DECIMAL */
    duckdb_type held; /* what a DECIMAL's or ENUM's numbers are stored as */
};

struct answer {
    struct arena arena;
    struct answer_column *columns;
    uint32_t columns_len;
};

/* STATUS_INVALID_SQL for a type that cannot be shown. Release in any case. */
enum status answer_init(struct answer *answer, duckdb_result *result, struct error *err);
void answer_release(struct answer *answer);

/* The `columns` frame: {columns: [{name, type}]}. */
void answer_write_columns(const struct answer *answer, struct json_writer *w);

/* Rows [first, first + count) of a chunk. */
enum status answer_batch(const struct answer *answer, duckdb_data_chunk chunk, idx_t first,
                         idx_t count, struct batch **ret_batch, struct error *err);

/* The engine's name of a type: "DECIMAL(18,2)", "STRUCT(a INTEGER)[]". */
void answer_type_name(duckdb_logical_type type, struct buf *out);

#endif

/* values_int.h: one value of an engine vector as text or JSON (values.c, nested.c). */
#ifndef QUARRY_QUERY_SQLWORKER_VALUES_INT_H
#define QUARRY_QUERY_SQLWORKER_VALUES_INT_H

#include <duckdb.h>

#include "base/json.h"

enum { NESTED_DEPTH_MAX = 48, NUMBER_TEXT_MAX = 64 };

/* Both return the length; `out` is NUL-ended. */
size_t text_of_int128(__int128 value, int scale, char out[NUMBER_TEXT_MAX]);
size_t text_of_uint128(unsigned __int128 value, char out[NUMBER_TEXT_MAX]);
/* The number of a DECIMAL, stored as SMALLINT .. HUGEINT. */
__int128 decimal_at(const void *data, idx_t row, duckdb_type held);
idx_t enum_index_at(const void *data, idx_t row, duckdb_type held);
int64_t integer_at(const void *data, idx_t row, duckdb_type id);
/* The double that reads like the float: 0.1f gives 0.1. */
double double_of_float(float value);
struct str string_at(const void *data, idx_t row);

size_t text_of_uuid(duckdb_hugeint value, char out[NUMBER_TEXT_MAX]);
size_t text_of_interval(duckdb_interval value, char out[128]);
size_t text_of_time(int64_t us, char out[NUMBER_TEXT_MAX]);
void append_base64(struct buf *out, struct str bytes);

/* Microseconds since 1970 of any TIMESTAMP type; false for an infinity. */
bool timestamp_at(const void *data, idx_t row, duckdb_type id, int64_t *ret_us);
/* Years 0000 to 9999, what base/datetime.h can print. */
bool timestamp_in_range(int64_t us);
bool date_in_range(int32_t days);

/* Any value as JSON into w; `type` describes the vector. STATUS_INVALID_SQL for types that cannot
 * be shown and beyond NESTED_DEPTH_MAX. */
enum status nested_write(struct json_writer *w, duckdb_vector vector, duckdb_logical_type type,
                         idx_t row, int depth, struct error *err);

enum status cannot_show(const char *type, struct error *err);

#endif

/* json_int.h: members of JSON objects, typed. STATUS_CORRUPT names the member that is missing or of
 * another kind. Strings are copied into the arena. */
#ifndef QUARRY_FORMAT_ICEBERG_JSON_INT_H
#define QUARRY_FORMAT_ICEBERG_JSON_INT_H

#include "base/arena.h"
#include "base/json.h"

enum status iceberg_json_int64(yyjson_val *object, const char *key, int64_t *ret,
                               struct error *err);
enum status iceberg_json_int32(yyjson_val *object, const char *key, int32_t *ret,
                               struct error *err);
/* Absent or null: `fallback`. */
enum status iceberg_json_int64_or(yyjson_val *object, const char *key, int64_t fallback,
                                  int64_t *ret, struct error *err);
enum status iceberg_json_int32_or(yyjson_val *object, const char *key, int32_t fallback,
                                  int32_t *ret, struct error *err);
enum status iceberg_json_str(yyjson_val *object, const char *key, struct arena *arena,
                             struct str *ret, struct error *err);
/* Absent or null: data NULL. */
enum status iceberg_json_str_opt(yyjson_val *object, const char *key, struct arena *arena,
                                 struct str *ret, struct error *err);

#endif

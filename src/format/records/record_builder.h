/* record_builder.h: records in, one typed batch out. No tree is built for a record.
 *
 * The builder starts from the columns that the source has; a field seen for the first time becomes
 * a column of the type of its first value that is not null: integer int64, other number double,
 * true or false bool, text string, object or array json. Rules for a value in a column:
 *
 *   int64      integer within 64 bits; 2.0 counts as 2 in a declared column, else widens it to
 * double double     any number within double's range bool       true, false string     text json
 * anything, kept as it came in, white space outside of strings removed date       text "YYYY-MM-DD"
 * (a full timestamp widens a column that is not declared) timestamp  ISO 8601 text
 * (base/datetime.h) null and a missing field are the same: null, unless the column has a default
 *
 * Anything else is STATUS_SCHEMA with record, field and value. STATUS_INVALID_JSON/INVALID_CSV for
 * text that is not what it says. After any failure the builder may only be freed: a batch is whole
 * or not at all, unless record_builder_on_bad says what becomes of bad records. One thread. */
#ifndef QUARRY_FORMAT_RECORD_BUILDER_H
#define QUARRY_FORMAT_RECORD_BUILDER_H

#include "data/batch.h"
#include "data/value.h"
#include "format/json/json_scan.h"

enum { RECORD_ROWS_MAX = 1 << 20 }; /* of one batch */

struct record_field {
    struct str name;
    enum type type;
    bool declared;            /* never widened */
    bool required;            /* null and missing are misfits */
    const struct value *fill; /* where the field is missing (not where it is null); NULL: null */
};

struct record_builder;

enum status record_builder_new(const struct record_field *fields, uint32_t fields_len,
                               struct record_builder **ret_builder, struct error *err);
void record_builder_free(struct record_builder *builder);
uint32_t record_builder_rows(const struct record_builder *builder);
/* What the finished batch carries as its epoch (data/batch.h). */
void record_builder_set_epoch(struct record_builder *builder, uint32_t epoch);

/* A record that is left out. */
struct record_bad {
    uint32_t record; /* its place among all records, from 0 */
    int64_t line;    /* from 1, in the text given; -1: not known */
    struct str raw;  /* as it stands in the text */
    const struct error *error;
};
typedef enum status (*record_bad_fn)(void *context, const struct record_bad *bad,
                                     struct error *err);
/* From now on a record that does not fit (STATUS_SCHEMA, a wrapped one STATUS_INVALID_ARGUMENT) is
 * left out and handed to `fn`; so is a line of NDJSON or CSV that cannot be read. A JSON array that
 * is no JSON still fails as a whole. What `fn` returns, unless STATUS_OK, ends the batch. */
void record_builder_on_bad(struct record_builder *builder, record_bad_fn fn, void *context);

/* One JSON object at the scan's place becomes one row. */
enum status record_builder_object(struct record_builder *builder, struct json_scan *scan,
                                  struct error *err);
/* Lines of one object each; empty lines are passed over. err->line counts from 1. */
enum status record_builder_ndjson(struct record_builder *builder, struct str text,
                                  struct error *err);
/* The items of an array at the scan's place: {"fields": {...}} each when `wrapped` (contracts 1.3),
 * bare objects otherwise. */
enum status record_builder_array(struct record_builder *builder, struct json_scan *scan,
                                 bool wrapped, struct error *err);
/* RFC 4180, comma, header line first. An empty field is null, "" is an empty text. A column that is
 * new is int64, double or bool when every value of this text reads as one, else string; numbers
 * with leading zeros are text. */
enum status record_builder_csv(struct record_builder *builder, struct str text, struct error *err);

/* The rows as a batch: columns that only held nulls and are new are left out. The builder is then
 * empty and may only be freed. */
enum status record_builder_finish(struct record_builder *builder, struct batch **ret_batch,
                                  struct error *err);

#endif

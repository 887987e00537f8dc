/* metadata.h: a table's metadata file, NNNNN-<uuid>.metadata.json (table spec, "Table Metadata").
 *
 * Written as format version 2. Read: versions 1 and 2; members that are not known are ignored.
 * Parsed structures lie in the caller's arena; there is nothing else to free. -1 stands for an
 * absent id or number. Times are milliseconds since 1970, UTC.
 *
 * Names as checksums: the <uuid> of every metadata file, manifest list and manifest written here is
 * a UUID of version 8 made of the XXH3-128 of the file's bytes. As every file is named in the one
 * above it, whoever knows the name of the metadata file can detect any flipped byte below. */
#ifndef QUARRY_FORMAT_ICEBERG_METADATA_H
#define QUARRY_FORMAT_ICEBERG_METADATA_H

#include "base/uuid.h"
#include "format/iceberg/transform.h"

enum {
    ICEBERG_JSON_MAX = 512 << 20,
    ICEBERG_FIRST_PARTITION_ID = 1000,
    ICEBERG_NAME_MAX = 200, /* of a file name made here */
};

#define ICEBERG_SNAPSHOT_ID_MAX ((INT64_C(1) << 53) - 1) /* exact in JavaScript */

struct iceberg_property {
    struct str key, value;
};

struct iceberg_partition_field {
    int32_t source_id;
    int32_t field_id; /* from 1000 */
    struct str name;
    struct iceberg_transform transform;
};

struct iceberg_spec {
    int32_t id;
    struct iceberg_partition_field *fields;
    uint32_t fields_len;
};

struct iceberg_sort_field {
    int32_t source_id;
    struct iceberg_transform transform;
    bool descending;
    bool nulls_last;
};

struct iceberg_sort_order {
    int32_t id; /* 0: unsorted */
    struct iceberg_sort_field *fields;
    uint32_t fields_len;
};

struct iceberg_snapshot {
    int64_t id;
    int64_t parent_id; /* -1: none */
    int64_t sequence_number;
    int64_t timestamp_ms;
    int32_t schema_id; /* -1: not said */
    struct str manifest_list;
    struct iceberg_property *summary; /* "operation" among them */
    uint32_t summary_len;
};

struct iceberg_log_entry {
    int64_t timestamp_ms;
    int64_t snapshot_id;      /* snapshot-log */
    struct str metadata_file; /* metadata-log */
};

struct iceberg_ref {
    struct str name;
    int64_t snapshot_id;
    bool is_tag; /* else a branch */
    int64_t max_ref_age_ms, max_snapshot_age_ms, min_snapshots_to_keep;
};

struct iceberg_metadata {
    int32_t format_version;
    struct str table_uuid;
    struct str location; /* URI without a slash at its end */
    int64_t last_sequence_number;
    int64_t last_updated_ms;
    int32_t last_column_id;
    struct iceberg_schema *schemas;
    uint32_t schemas_len;
    int32_t current_schema_id;
    struct iceberg_spec *specs;
    uint32_t specs_len;
    int32_t default_spec_id;
    int32_t last_partition_id;
    struct iceberg_sort_order *orders;
    uint32_t orders_len;
    int32_t default_order_id;
    struct iceberg_property *properties;
    uint32_t properties_len;
    int64_t current_snapshot_id; /* -1: none */
    struct iceberg_snapshot *snapshots;
    uint32_t snapshots_len;
    struct iceberg_log_entry *snapshot_log;
    uint32_t snapshot_log_len;
    struct iceberg_log_entry *metadata_log;
    uint32_t metadata_log_len;
    struct iceberg_ref *refs;
    uint32_t refs_len;
};

/* Checks that the current ids exist. STATUS_CORRUPT says what is wrong; STATUS_NOT_IMPLEMENTED for
 * format version 3 and up, and for version 1 snapshots without a manifest list. */
enum status iceberg_metadata_parse(struct str json, struct arena *arena,
                                   struct iceberg_metadata *ret, struct error *err);
enum status iceberg_metadata_write(const struct iceberg_metadata *metadata, struct buf *out,
                                   struct error *err);

/* NULL when absent. */
const struct iceberg_schema *iceberg_schema_find(const struct iceberg_metadata *m, int32_t id);
const struct iceberg_schema *iceberg_current_schema(const struct iceberg_metadata *m);
const struct iceberg_spec *iceberg_spec_find(const struct iceberg_metadata *m, int32_t id);
const struct iceberg_snapshot *iceberg_snapshot_find(const struct iceberg_metadata *m, int64_t id);
const struct iceberg_snapshot *iceberg_current_snapshot(const struct iceberg_metadata *m);
/* The snapshot that was current at that time by the snapshot log: for AS OF; NULL before the first.
 */
const struct iceberg_snapshot *iceberg_snapshot_as_of(const struct iceberg_metadata *m,
                                                      int64_t timestamp_ms);
/* Value by key; data NULL when absent. */
struct str iceberg_property_find(const struct iceberg_property *properties, uint32_t len,
                                 const char *key);

/* spec.c: partition specs as JSON: {"spec-id":..,"fields":[..]} and the fields alone. */
enum status iceberg_spec_parse(yyjson_val *json, int32_t spec_id, struct arena *arena,
                               int32_t *next_field_id, struct iceberg_spec *ret, struct error *err);
void iceberg_spec_fields_write(struct json_writer *w, const struct iceberg_spec *spec);

/* The fields of partition tuples with their types, from any of the table's schemas that has the
 * source column; ICEBERG_OTHER when none has. */
struct iceberg_partition_type {
    int32_t spec_id;
    struct iceberg_field *fields; /* id: 1000 and up */
    uint32_t fields_len;
};
enum status iceberg_partition_type_of(const struct iceberg_metadata *m, int32_t spec_id,
                                      struct arena *arena, struct iceberg_partition_type *ret,
                                      struct error *err);

/* --- names of files --- */

/* A version 8 UUID of the bytes. */
struct uuid iceberg_content_uuid(struct str bytes);
/* "NNNNN-<uuid>.metadata.json" for these bytes, NUL-ended. */
void iceberg_metadata_name(int64_t version, struct str bytes, char out[ICEBERG_NAME_MAX]);
/* The version in "NNNNN-<uuid>.metadata.json" or "vN.metadata.json", at the end of any path; false
 * for other names. */
bool iceberg_metadata_version(struct str path, int64_t *ret);
/* What version-hint.text holds for a metadata file: its name without ".metadata.json". */
struct str iceberg_version_hint(struct str metadata_name);
/* Whether the bytes are those that the file's name was made of. STATUS_CORRUPT when not;
 * *ret_checked false when the name is not one made here (nothing is known then). */
enum status iceberg_name_check(struct str path, struct str bytes, bool *ret_checked,
                               struct error *err);

#endif

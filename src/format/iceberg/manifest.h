/* manifest.h: manifests (lists of data and delete files) and manifest lists, in Avro (table spec,
 * "Manifests", "Manifest Lists"; field ids as there).
 *
 * The readers accept what other engines write: fields are found by id, else by name; file formats
 * in any case; `partitions` null or absent; no content, sequence numbers (version 1) or summaries.
 * What is parsed lies in the caller's arena, bytes copied. -1 stands for an absent number.
 *
 * Partition values: see bound.h for how foreign types are carried. */
#ifndef QUARRY_FORMAT_ICEBERG_MANIFEST_H
#define QUARRY_FORMAT_ICEBERG_MANIFEST_H

#include "format/iceberg/bound.h"
#include "format/iceberg/metadata.h"

enum {
    ICEBERG_AVRO_MAX = 512 << 20,       /* bytes of a manifest or list */
    ICEBERG_LIST_ENTRIES_MAX = 1 << 20, /* manifests of a snapshot */
    ICEBERG_ENTRIES_MAX = 4 << 20,      /* files of a manifest */
    ICEBERG_FILE_PATH_ID = 2147483546,  /* columns of position delete files */
    ICEBERG_POSITION_ID = 2147483545,
};

enum iceberg_content { ICEBERG_DATA, ICEBERG_POSITION_DELETES, ICEBERG_EQUALITY_DELETES };
enum iceberg_status { ICEBERG_EXISTING, ICEBERG_ADDED, ICEBERG_DELETED };

/* What is known of one column of a file. */
struct iceberg_column_stats {
    int32_t field_id;
    int64_t size;   /* bytes in the file */
    int64_t values; /* nulls included */
    int64_t nulls;
    int64_t nans;
    struct str lower, upper; /* as of bound.h; data NULL: none */
};

struct iceberg_data_file {
    enum iceberg_content content;
    struct str path;         /* full URI */
    struct str format;       /* "PARQUET" */
    struct value *partition; /* one for each field of the spec */
    uint32_t partition_len;
    int64_t records;
    int64_t bytes;
    struct iceberg_column_stats *columns; /* by field id, ascending */
    uint32_t columns_len;
    int64_t *split_offsets; /* where row groups begin */
    uint32_t split_offsets_len;
    int32_t *equality_ids; /* EQUALITY_DELETES: the columns compared */
    uint32_t equality_ids_len;
    int32_t sort_order_id;           /* -1: none */
    struct str referenced_data_file; /* POSITION_DELETES of one file; data NULL: several */
    struct str key_metadata;         /* of encryption; kept; data NULL: none */
};

struct iceberg_entry {
    enum iceberg_status status;
    int64_t snapshot_id;
    int64_t sequence_number;      /* of the data: decides which deletes apply */
    int64_t file_sequence_number; /* of the snapshot that added the file */
    struct iceberg_data_file file;
};

struct iceberg_partition_summary {
    bool contains_null;
    int contains_nan; /* -1: not said */
    struct str lower, upper;
};

/* One row of a manifest list. */
struct iceberg_manifest {
    struct str path;
    int64_t bytes;
    int32_t spec_id;
    bool is_deletes; /* content 1 */
    int64_t sequence_number, min_sequence_number;
    int64_t added_snapshot_id;
    int64_t added_files, existing_files, deleted_files;
    int64_t added_rows, existing_rows, deleted_rows;
    struct iceberg_partition_summary *partitions; /* NULL: not said */
    uint32_t partitions_len;
    struct str key_metadata;
};

/* --- manifests --- */

struct iceberg_manifest_head {
    const struct iceberg_schema *schema;
    const struct iceberg_spec *spec;
    const struct iceberg_partition_type *partition;
    bool is_deletes;
};

/* Appends the file to `out` and fills `*ret` but for path (counts, rows, partition summaries; the
 * sequence number is that of the snapshot `snapshot_id`, `min_sequence_number` the smallest of the
 * live entries). Summaries lie in `arena`. Entries with status ADDED may leave sequence numbers at
 * -1: readers then take the manifest's. STATUS_INVALID_ARGUMENT: a tuple that does not fit the
 * partition type, or entries of the other content. */
enum status iceberg_manifest_write(const struct iceberg_manifest_head *head,
                                   const struct iceberg_entry *entries, uint32_t len,
                                   int64_t snapshot_id, int64_t sequence_number,
                                   struct arena *arena, struct buf *out,
                                   struct iceberg_manifest *ret, struct error *err);
/* Entries with inherited numbers filled in. `partition` types the tuples; it may be NULL: then they
 * have the types of the Avro schema and the order there. */
enum status iceberg_manifest_read(struct slice bytes, const struct iceberg_manifest *from,
                                  const struct iceberg_partition_type *partition,
                                  struct arena *arena, struct iceberg_entry **ret,
                                  uint32_t *ret_len, struct error *err);

/* --- manifest lists --- */

enum status iceberg_list_write(const struct iceberg_manifest *manifests, uint32_t len,
                               int64_t snapshot_id, int64_t parent_id, int64_t sequence_number,
                               struct buf *out, struct error *err);
enum status iceberg_list_read(struct slice bytes, struct arena *arena,
                              struct iceberg_manifest **ret, uint32_t *ret_len, struct error *err);

#endif

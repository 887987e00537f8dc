/* table_int.h: parts of table.h.
 *
 *   table.c          opening, the files of metadata/
 *   table_map.c      Quarry's columns, partitions, bounds in Iceberg's terms and back
 *   table_read.c     states from manifests
 *   table_commit.c   a state to manifests, the commit
 *   table_move.c     the same table in another place */
#ifndef QUARRY_STORAGE_TABLE_INT_H
#define QUARRY_STORAGE_TABLE_INT_H

#include "format/iceberg/table.h"
#include "storage/table/table.h"

enum {
    TABLE_METADATA_KEPT = 10,      /* older metadata files, for readers that have just opened one */
    TABLE_MANIFEST_STATS = 200000, /* columns times files of one manifest: bounds memory */
    TABLE_MANIFEST_FILES_MIN = 64,
};

/* Keys of ours: of the table, and of a snapshot's summary. */
#define TABLE_WRITE_IDS     "quarry.write-ids"
#define TABLE_LAST_FIELD_ID "quarry.last-field-id"
#define TABLE_SOURCE_ID     "quarry.source-id"
#define SUMMARY_LSN         "quarry.wal-lsn"
#define SUMMARY_TIME        "quarry.time-us"
#define SUMMARY_OPERATION   "quarry.operation"
#define SUMMARY_NEXT_FILE   "quarry.next-file-id"

/* A field id has one type for ever (see field_id_widened). */
struct field_type {
    int32_t id;
    enum type type;
};

/* The parsed metadata file and what is derived from it. */
struct table_state {
    struct arena arena;
    struct iceberg_metadata m;
    char name[ICEBERG_NAME_MAX]; /* of the metadata file; "": there is none yet */
    struct field_type *types;    /* of all schemas, by id */
    uint32_t types_len;
};

struct table {
    struct sys *sys;
    char *dir;
    char *location; /* URI of dir */
    const struct source_config *config;
    struct reader_pool *readers; /* of its segments; may be NULL */
    struct table_state *state;
    int64_t next_version; /* of a metadata file: above every one that was ever written */
};

/* table.c */
enum status table_state_parse(const char *name, struct str json, struct table_state **ret,
                              struct error *err);
void table_state_free(struct table_state *state);
/* For iceberg_loader; the context is the table. Checks the bytes against the name. */
enum status table_load_file(void *context, struct str uri, struct arena *arena, struct slice *ret,
                            struct error *err);
/* What follows the last slash. */
struct str table_base_name(struct str path);
/* The full URI of a name below metadata/, in `arena`; data NULL when memory is out. */
struct str table_metadata_uri(const struct table *table, const char *name, struct arena *arena);

/* table_commit.c: steps 3 to 5 of an edit that is finished but for its metadata file. */
enum status table_commit_edit(struct table *table, struct iceberg_edit *edit, struct error *err);

/* table_map.c */
enum status table_map_schema(const struct schema *schema, struct arena *arena,
                             struct iceberg_schema *ret, struct error *err);
enum status table_read_schema(const struct table_state *state, int32_t id, struct schema **ret,
                              struct error *err);
/* False when no schema has the field. */
bool table_field_type(const struct table_state *state, int32_t field_id, enum type *ret);
/* The spec for the partition columns that the schema has; one that the table has already when it
 * is the same but for names. */
enum status table_map_spec(const struct iceberg_metadata *m, const struct source_config *config,
                           const struct schema *schema, struct arena *arena,
                           struct iceberg_spec *ret, struct error *err);
enum status table_map_order(const struct source_config *config, const struct schema *schema,
                            struct arena *arena, struct iceberg_sort_order *ret, struct error *err);
/* A segment as a data file of the metadata's default spec. */
enum status table_map_file(const struct iceberg_metadata *m, const struct source_config *config,
                           const struct schema *schema, const struct segment_meta *meta,
                           struct arena *arena, struct iceberg_data_file *ret, struct error *err);
/* The deletes of a segment that lies in that spec. */
enum status table_map_deletes(const struct iceberg_metadata *m, const struct source_config *config,
                              const struct schema *schema, const struct segment_meta *meta,
                              int32_t spec_id, const struct deletion_file *file,
                              struct arena *arena, struct iceberg_data_file *ret,
                              struct error *err);
/* And back; `spec_id` is that of its manifest. Texts and bounds lie in `arena` or are borrowed. */
enum status table_read_file(const struct table *table, int32_t spec_id,
                            const struct iceberg_data_file *file, struct arena *arena,
                            struct segment_meta *ret, struct error *err);
/* The path is borrowed. */
enum status table_read_deletes(const struct table *table, const struct iceberg_data_file *file,
                               struct deletion_file *ret, uint64_t *ret_segment, struct error *err);
/* data/.../<id>.parquet below the location, checked; false when it is not that. */
bool table_segment_path(const struct table *table, struct str uri, struct str *ret_path,
                        uint64_t *ret_id);

#endif

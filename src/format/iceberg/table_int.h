/* table_int.h: parts of the table's edits. */
#ifndef QUARRY_FORMAT_ICEBERG_TABLE_INT_H
#define QUARRY_FORMAT_ICEBERG_TABLE_INT_H

#include "format/iceberg/table.h"

/* A copy of an array with room for one more; NULL (and the error set) when memory is out. */
void *iceberg_grown(struct arena *arena, const void *items, uint32_t len, size_t size,
                    struct error *err);
enum status iceberg_set_ref(struct iceberg_edit *edit, struct str name, bool is_tag,
                            int64_t snapshot_id, struct error *err);
/* Snapshot log, current id and the branch main. */
enum status iceberg_make_current(struct iceberg_edit *edit, int64_t snapshot_id, struct error *err);

void iceberg_change_count(struct iceberg_change *change, const struct iceberg_data_file *file);
/* The summary of the new snapshot: operation, changes, totals (from the parent's), extras. */
enum status iceberg_summary(const struct iceberg_commit *commit,
                            const struct iceberg_snapshot *parent,
                            const struct iceberg_change *added,
                            const struct iceberg_change *removed, uint32_t changed_partitions,
                            struct arena *arena, struct iceberg_snapshot *snapshot,
                            struct error *err);

#endif

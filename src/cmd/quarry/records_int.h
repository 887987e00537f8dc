/* records_int.h: the Parquet half of records.c, which lives in records_parquet.c. */
#ifndef QUARRY_CMD_RECORDS_INT_H
#define QUARRY_CMD_RECORDS_INT_H

#include "cmd/quarry/records.h"

struct parquet_source;

enum status parquet_source_open(const struct record_options *options, struct parquet_source **ret,
                                struct error *err);
enum status parquet_source_next(struct parquet_source *source, struct record_batch *batch,
                                const struct record_options *options, struct error *err);
void parquet_source_progress(const struct parquet_source *source, uint64_t *ret_done,
                             uint64_t *ret_total);
void parquet_source_close(struct parquet_source *source);

#endif

/* manifest_int.h: parts that the manifest's writers and readers share. */
#ifndef QUARRY_FORMAT_ICEBERG_MANIFEST_INT_H
#define QUARRY_FORMAT_ICEBERG_MANIFEST_INT_H

#include <stdio.h>

#include "format/avro/avro.h"
#include "format/iceberg/manifest.h"

void iceberg_manifest_schema(const struct iceberg_partition_type *partition, struct buf *out);
void iceberg_list_schema(struct buf *out);
/* Bytes of uuid, fixed and decimal values in tuples; 0 for other types. */
uint32_t iceberg_fixed_size(const struct iceberg_type *type);
/* A sync marker for a file whose schema and head are these: any 16 bytes will do. */
void iceberg_sync_marker(struct str schema, int64_t salt, unsigned char out[AVRO_SYNC_LEN]);

#endif

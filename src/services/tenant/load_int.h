/* load_int.h: shared by the text and the Parquet half of /data/load. */
#ifndef QUARRY_SERVICES_TENANT_LOAD_INT_H
#define QUARRY_SERVICES_TENANT_LOAD_INT_H

#include "format/codec/codec.h"
#include "services/tenant/quarantine.h"
#include "services/tenant/tenant_int.h"

enum {
    LOAD_BATCH_BYTES = 4 << 20,
    LOAD_RECORD_MAX = 64 << 20,
    LOAD_PARQUET_ROWS = 65536, /* of a batch */
};

struct loader {
    struct tenant_node *node;
    struct request *request;
    struct source *source;
    enum body_form form;
    bool upsert;
    struct codec_stream codec;
    bool packed;          /* codec is open */
    char *piece;          /* packed bytes as they arrive */
    struct buf pending;   /* plain bytes not stored yet */
    bool ended;           /* the body is read */
    bool started, closed; /* JSON array: '[' and ']' were seen */
    struct buf header;    /* CSV */
    struct quarantine quarantine;
    struct str load_id;
    char write_id[WRITE_ID_MAX];
    uint64_t batches, rows, rows_before, bytes;
    int64_t lines;
};

/* Reads until `want` bytes are pending or the body ends. */
enum status loader_fill(struct loader *loader, size_t want, struct error *err);
/* The write id of the batch at hand; data NULL without a load_id. */
struct str loader_write_id(struct loader *loader);
void loader_count(struct loader *loader, const struct write_result *result);
enum status load_parquet(struct loader *loader, struct error *err);

#endif

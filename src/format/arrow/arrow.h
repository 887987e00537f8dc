/* arrow.h: batches as an Apache Arrow IPC stream: a schema message, record batches, the end.
 *
 * Source: the Arrow columnar format 1.4 (Message.fbs, Schema.fbs) and the FlatBuffers wire form.
 * Types: bool, int64, float64, utf8 (STRING and JSON), date32, timestamp[us]. No dictionaries, no
 * compression: what every reader knows. */
#ifndef QUARRY_FORMAT_ARROW_H
#define QUARRY_FORMAT_ARROW_H

#include "data/batch.h"

/* Each appends one message; a failed buffer is the caller's to find (buf_check). */
void arrow_write_schema(const struct field *fields, uint32_t fields_len, struct buf *out);
/* The batch's columns are the fields in their order; STATUS_INTERNAL when their types are not. */
enum status arrow_write_batch(const struct field *fields, uint32_t fields_len,
                              const struct batch *batch, struct buf *out, struct error *err);
void arrow_write_end(struct buf *out);

#endif

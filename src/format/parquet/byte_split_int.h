/* byte_split_int.h: 8-byte values as eight streams of bytes, and back. */
#ifndef QUARRY_FORMAT_BYTE_SPLIT_INT_H
#define QUARRY_FORMAT_BYTE_SPLIT_INT_H

#include "base/buf.h"

/* `streams` has 8 * count bytes, `out` room for as many. */
void byte_split_join(const uint8_t *streams, size_t count, uint8_t *out);
/* Appends; a failure is the buffer's (buf_check). */
void byte_split_encode(struct buf *out, const uint64_t *values, size_t count);

#endif

/* buf.h: a growing byte buffer that cannot be created without a maximum.
 *
 * A failed append leaves the contents as they were and marks the buffer as failed, so that a
 * sequence of appends may be checked once at its end with buf_failed(). Not thread-safe. */
#ifndef QUARRY_BASE_BUF_H
#define QUARRY_BASE_BUF_H

#include "base/status.h"
#include "base/str.h"

struct buf {
    char *data;
    size_t len;
    size_t cap;
    size_t max;
    bool failed;
    bool over_max; /* why it failed: the maximum, not memory */
};

void buf_init(struct buf *buf, size_t max);
void buf_release(struct buf *buf);
/* Empties, keeps the memory, forgets a failure. */
void buf_clear(struct buf *buf);
/* Makes room for `more` bytes past len. */
bool buf_reserve(struct buf *buf, size_t more);
bool buf_append(struct buf *buf, const void *data, size_t len);
bool buf_append_str(struct buf *buf, struct str s);
bool buf_append_char(struct buf *buf, char c);
bool buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Little-endian integers and LEB128, for our own binary forms. */
bool buf_append_u32(struct buf *buf, uint32_t value);
bool buf_append_u64(struct buf *buf, uint64_t value);
bool buf_append_varint(struct buf *buf, uint64_t value);
/* Hands the memory over (to be freed with free()) and leaves the buffer empty. */
char *buf_take(struct buf *buf, size_t *ret_len);
/* STATUS_OK, or why appends failed: STATUS_RESOURCE_LIMIT or STATUS_NO_MEMORY. */
enum status buf_check(const struct buf *buf, const char *what, struct error *err);

static inline bool buf_failed(const struct buf *buf)
{
    return buf->failed;
}

static inline struct str buf_str(const struct buf *buf)
{
    return (struct str){buf->data, buf->len};
}

#endif

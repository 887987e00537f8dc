#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void buf_init(struct buf *buf, size_t max)
{
    *buf = (struct buf){.max = max};
}

void buf_release(struct buf *buf)
{
    free(buf->data);
    buf_init(buf, buf->max);
}

void buf_clear(struct buf *buf)
{
    buf->len = 0;
    buf->failed = buf->over_max = false;
}

bool buf_reserve(struct buf *buf, size_t more)
{
    if (buf->cap - buf->len >= more)
        return true;
    if (more > buf->max - buf->len) {
        buf->failed = buf->over_max = true;
        return false;
    }
    size_t need = buf->len + more;
    size_t cap = buf->cap ? buf->cap : buf->max < 256 ? buf->max : 256;
    while (cap < need)
        cap = cap > buf->max / 2 ? buf->max : cap * 2;
    char *data = realloc(buf->data, cap);
    if (!data) {
        buf->failed = true;
        return false;
    }
    buf->data = data;
    buf->cap = cap;
    return true;
}

bool buf_append(struct buf *buf, const void *data, size_t len)
{
    if (!buf_reserve(buf, len))
        return false;
    if (len)
        memcpy(buf->data + buf->len, data, len);
    buf->len += len;
    return true;
}

bool buf_append_str(struct buf *buf, struct str s)
{
    return buf_append(buf, s.data, s.len);
}

bool buf_append_char(struct buf *buf, char c)
{
    return buf_append(buf, &c, 1);
}

bool buf_printf(struct buf *buf, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n < 0 || !buf_reserve(buf, (size_t)n + 1)) {
        buf->failed = true;
        return false;
    }
    va_start(args, format);
    vsnprintf(buf->data + buf->len, (size_t)n + 1, format, args);
    va_end(args);
    buf->len += (size_t)n;
    return true;
}

bool buf_append_u32(struct buf *buf, uint32_t value)
{
    unsigned char bytes[4];
    for (int i = 0; i < 4; i++)
        bytes[i] = (unsigned char)(value >> 8 * i);
    return buf_append(buf, bytes, sizeof bytes);
}

bool buf_append_u64(struct buf *buf, uint64_t value)
{
    unsigned char bytes[8];
    for (int i = 0; i < 8; i++)
        bytes[i] = (unsigned char)(value >> 8 * i);
    return buf_append(buf, bytes, sizeof bytes);
}

bool buf_append_varint(struct buf *buf, uint64_t value)
{
    unsigned char bytes[10];
    size_t n = 0;
    while (value >= 0x80) {
        bytes[n++] = (unsigned char)(value | 0x80);
        value >>= 7;
    }
    bytes[n++] = (unsigned char)value;
    return buf_append(buf, bytes, n);
}

char *buf_take(struct buf *buf, size_t *ret_len)
{
    char *data = buf->data;
    if (ret_len)
        *ret_len = buf->len;
    buf_init(buf, buf->max);
    return data;
}

enum status buf_check(const struct buf *buf, const char *what, struct error *err)
{
    if (!buf->failed)
        return STATUS_OK;
    if (buf->over_max)
        return error_set(err, STATUS_RESOURCE_LIMIT, "%s is larger than its limit of %zu bytes",
                         what, buf->max);
    return error_no_memory(err);
}

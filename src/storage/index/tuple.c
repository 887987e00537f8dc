/* tuple.c: several values as bytes that order as they do (see tuple.h). */
#include "storage/index/tuple.h"

#include "storage/index/sorted_index_int.h"

enum { TUPLE_VALUE = 1, TUPLE_NULL = 2, TUPLE_BYTES_MAX = 1 << 30 };

static void append_text(struct buf *out, struct str text)
{
    while (text.len) {
        const char *zero = memchr(text.data, 0, text.len);
        size_t plain = zero ? (size_t)(zero - text.data) : text.len;
        buf_append(out, text.data, plain);
        if (!zero)
            return;
        buf_append(out, "\0\xFF", 2);
        text = str_make(zero + 1, text.len - plain - 1);
    }
}

void tuple_append(struct buf *out, const struct value *value)
{
    buf_append_char(out, value->is_null ? TUPLE_NULL : TUPLE_VALUE);
    if (value->is_null)
        return;
    if (type_is_bytes(value->type)) {
        append_text(out, value->bytes);
        buf_append(out, "\0", 2);
    } else if (value->type == TYPE_BOOL) {
        buf_append_char(out, (char)value->boolean);
    } else {
        uint64_t key = __builtin_bswap64(sorted_key(value, 0, 0));
        buf_append(out, (const char *)&key, sizeof key);
    }
}

enum status tuple_column(const struct column *columns, uint32_t len, struct column *ret,
                         struct error *err)
{
    struct buf key;
    enum status status = STATUS_OK;
    column_init(ret, TYPE_STRING);
    buf_init(&key, TUPLE_BYTES_MAX);
    for (uint32_t row = 0; row < columns[0].rows && status == STATUS_OK; row++) {
        buf_clear(&key);
        for (uint32_t i = 0; i < len; i++) {
            struct value value = value_of_column(&columns[i], row);
            tuple_append(&key, &value);
        }
        status = buf_check(&key, "a key of an index", err);
        if (status == STATUS_OK && (status = column_append_bytes(ret, buf_str(&key))) != STATUS_OK)
            error_set(err, status, "the keys of an index take more than the memory that there is");
    }
    buf_release(&key);
    if (status != STATUS_OK)
        column_release(ret);
    return status;
}

static void append_low(struct buf *out, const struct value_range *next)
{
    if (next->has_lo)
        tuple_append(out, &next->lo);
    else
        buf_append_char(out, TUPLE_VALUE);
}

static void append_high(struct buf *out, const struct value_range *next)
{
    if (next->has_hi && !next->hi_is_prefix) {
        tuple_append(out, &next->hi);
        return;
    }
    buf_append_char(out, TUPLE_VALUE);
    if (next->has_hi)
        append_text(out, next->hi.bytes);
}

enum status tuple_bounds(const struct tuple_range *range, struct tuple_bounds *ret,
                         struct value_range *ret_range, struct error *err)
{
    buf_init(&ret->lo, TUPLE_BYTES_MAX);
    buf_init(&ret->hi, TUPLE_BYTES_MAX);
    for (uint32_t i = 0; i < range->prefix_len; i++) {
        tuple_append(&ret->lo, &range->prefix[i]);
        tuple_append(&ret->hi, &range->prefix[i]);
    }
    if (range->next) {
        append_low(&ret->lo, range->next);
        append_high(&ret->hi, range->next);
    }
    enum status status = buf_check(&ret->lo, "a key of an index", err);
    if (status == STATUS_OK)
        status = buf_check(&ret->hi, "a key of an index", err);
    if (status != STATUS_OK) {
        tuple_bounds_release(ret);
        return status;
    }
    *ret_range = (struct value_range){.hi_is_prefix = true};
    ret_range->has_lo = ret_range->has_hi = ret->lo.len > 0;
    ret_range->lo = (struct value){.type = TYPE_STRING, .bytes = buf_str(&ret->lo)};
    ret_range->hi = (struct value){.type = TYPE_STRING, .bytes = buf_str(&ret->hi)};
    return STATUS_OK;
}

void tuple_bounds_release(struct tuple_bounds *bounds)
{
    buf_release(&bounds->lo);
    buf_release(&bounds->hi);
}

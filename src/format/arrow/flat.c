#include <stdlib.h>

#include "format/arrow/flat_int.h"

enum { FLAT_MAX = 64 << 20 };

void flat_init(struct flat *flat)
{
    *flat = (struct flat){.align_max = 8};
}

void flat_release(struct flat *flat)
{
    free(flat->data);
    *flat = (struct flat){0};
}

/* Room for `len` bytes in front; zero. NULL: memory is out. */
static char *push(struct flat *flat, size_t len)
{
    if (flat->len + len > flat->cap && !flat->failed) {
        size_t cap = flat->cap ? flat->cap : 1024;
        while (cap < flat->len + len)
            cap *= 2;
        char *grown = cap <= FLAT_MAX ? malloc(cap) : NULL;
        flat->failed = !grown;
        if (grown) {
            if (flat->len)
                memcpy(grown + cap - flat->len, flat->data + flat->cap - flat->len, flat->len);
            free(flat->data);
            flat->data = grown;
            flat->cap = cap;
        }
    }
    if (flat->failed)
        return NULL;
    flat->len += len;
    char *at = flat->data + flat->cap - flat->len;
    memset(at, 0, len);
    return at;
}

/* Padding, so that after `more` bytes have been put in front the place is a multiple of `align`. */
static void align_to(struct flat *flat, size_t align, size_t more)
{
    size_t rest = (flat->len + more) % align;
    if (rest)
        (void)push(flat, align - rest);
}

static void put(struct flat *flat, const void *bytes, size_t len)
{
    char *at = push(flat, len);
    if (at && len)
        memcpy(at, bytes, len);
}

static void put_u32(struct flat *flat, uint32_t value)
{
    put(flat, &value, sizeof value);
}

uint32_t flat_vector(struct flat *flat, const void *elements, uint32_t count, uint32_t width,
                     uint32_t align)
{
    align_to(flat, 4, (size_t)count * width);
    align_to(flat, align, (size_t)count * width);
    put(flat, elements, (size_t)count * width);
    put_u32(flat, count);
    return (uint32_t)flat->len;
}

uint32_t flat_references(struct flat *flat, const uint32_t *places, uint32_t count)
{
    align_to(flat, 4, 0);
    for (uint32_t i = count; i > 0; i--)
        put_u32(flat, (uint32_t)flat->len + 4 - places[i - 1]);
    put_u32(flat, count);
    return (uint32_t)flat->len;
}

uint32_t flat_string(struct flat *flat, struct str text)
{
    align_to(flat, 4, text.len + 1);
    (void)push(flat, 1);
    put(flat, text.data, text.len);
    put_u32(flat, (uint32_t)text.len);
    return (uint32_t)flat->len;
}

void flat_begin(struct flat *flat)
{
    memset(flat->fields, 0, sizeof flat->fields);
    flat->fields_len = 0;
    flat->table_end = flat->len;
}

static void put_field(struct flat *flat, uint32_t field, const void *value, size_t len)
{
    align_to(flat, len, len);
    put(flat, value, len);
    flat->fields[field] = (uint32_t)flat->len;
    if (field >= flat->fields_len)
        flat->fields_len = field + 1;
}

void flat_u8(struct flat *flat, uint32_t field, uint8_t value)
{
    put_field(flat, field, &value, sizeof value);
}

void flat_u16(struct flat *flat, uint32_t field, uint16_t value)
{
    put_field(flat, field, &value, sizeof value);
}

void flat_u32(struct flat *flat, uint32_t field, uint32_t value)
{
    put_field(flat, field, &value, sizeof value);
}

void flat_u64(struct flat *flat, uint32_t field, uint64_t value)
{
    put_field(flat, field, &value, sizeof value);
}

void flat_reference(struct flat *flat, uint32_t field, uint32_t place)
{
    align_to(flat, 4, 4);
    uint32_t distance = (uint32_t)flat->len + 4 - place;
    put_field(flat, field, &distance, sizeof distance);
}

/* The table begins with the distance to its vtable, which stands right before it: the size of
 * both, then where each field is. */
uint32_t flat_end(struct flat *flat)
{
    uint16_t vtable[2 + FLAT_FIELDS_MAX];
    int32_t distance = (int32_t)(2 + flat->fields_len) * 2;
    align_to(flat, 4, 4);
    uint32_t table = (uint32_t)flat->len + 4;
    vtable[0] = (uint16_t)distance;
    vtable[1] = (uint16_t)(table - flat->table_end);
    for (uint32_t i = 0; i < flat->fields_len; i++)
        vtable[2 + i] = flat->fields[i] ? (uint16_t)(table - flat->fields[i]) : 0;
    put(flat, &distance, sizeof distance);
    put(flat, vtable, (size_t)distance);
    return table;
}

void flat_finish(struct flat *flat, uint32_t root)
{
    align_to(flat, 8, 4);
    put_u32(flat, (uint32_t)flat->len + 4 - root);
}

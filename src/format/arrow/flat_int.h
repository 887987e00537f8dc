/* flat_int.h: FlatBuffers, written from the end to the front, as the format wants it: what is
 * referred to stands behind what refers to it. Places are counted from the end of the buffer.
 * Source: the FlatBuffers internals document ("FlatBuffer Internals"). */
#ifndef QUARRY_FORMAT_FLAT_INT_H
#define QUARRY_FORMAT_FLAT_INT_H

#include "base/buf.h"

enum { FLAT_FIELDS_MAX = 8 };

struct flat {
    char *data; /* filled from the end */
    size_t cap, len;
    bool failed;
    size_t align_max;
    /* The table being made. */
    uint32_t fields[FLAT_FIELDS_MAX];
    uint32_t fields_len;
    size_t table_end;
};

void flat_init(struct flat *flat);
void flat_release(struct flat *flat);
/* A vector of `count` elements of `width` bytes, little-endian. Returns its place. */
uint32_t flat_vector(struct flat *flat, const void *elements, uint32_t count, uint32_t width,
                     uint32_t align);
/* A vector of references to `places`. */
uint32_t flat_references(struct flat *flat, const uint32_t *places, uint32_t count);
uint32_t flat_string(struct flat *flat, struct str text);
/* Between begin and end: fields in any order, each once. Zero is left out by the caller. */
void flat_begin(struct flat *flat);
void flat_u8(struct flat *flat, uint32_t field, uint8_t value);
void flat_u16(struct flat *flat, uint32_t field, uint16_t value);
void flat_u32(struct flat *flat, uint32_t field, uint32_t value);
void flat_u64(struct flat *flat, uint32_t field, uint64_t value);
void flat_reference(struct flat *flat, uint32_t field, uint32_t place);
uint32_t flat_end(struct flat *flat);
/* The root's reference; then the bytes are flat->data + cap - len, len of them, a multiple of 8. */
void flat_finish(struct flat *flat, uint32_t root);

#endif

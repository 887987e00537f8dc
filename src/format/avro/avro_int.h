/* avro_int.h: bytes being decoded. The getters return false when the bytes do not hold the value;
 * the input is then not to be used further. */
#ifndef QUARRY_FORMAT_AVRO_INT_H
#define QUARRY_FORMAT_AVRO_INT_H

#include "format/avro/avro.h"

struct avro_input {
    const char *at;
    const char *end;
};

bool avro_get_long(struct avro_input *in, int64_t *ret);
bool avro_get_bytes(struct avro_input *in, struct str *ret);
/* The head of a block of an array or map: 0 ends it. */
bool avro_get_count(struct avro_input *in, uint64_t *ret);
enum status avro_decode(struct avro_input *in, const struct avro_type *type, struct arena *arena,
                        uint64_t *values_left, struct avro_datum **ret, struct error *err);

#endif

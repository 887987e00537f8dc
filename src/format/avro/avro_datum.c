/* avro_datum.c: encoded values into a tree of struct avro_datum. */
#include "format/avro/avro_int.h"

struct decoder {
    struct avro_input *in;
    struct arena *arena;
    uint64_t *values_left;
    struct error *err;
};

static enum status decode(struct decoder *d, const struct avro_type *type, int depth,
                          struct avro_datum **ret);

static enum status bad(struct decoder *d, const char *what)
{
    return error_set(d->err, STATUS_CORRUPT, "an Avro record is damaged: %s", what);
}

bool avro_get_long(struct avro_input *in, int64_t *ret)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (in->at == in->end)
            return false;
        uint8_t byte = (uint8_t)*in->at++;
        if (shift == 63 && byte > 1)
            return false;
        value |= (uint64_t)(byte & 0x7F) << shift;
        if (!(byte & 0x80)) {
            *ret = (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
            return true;
        }
    }
    return false;
}

bool avro_get_bytes(struct avro_input *in, struct str *ret)
{
    int64_t len;
    if (!avro_get_long(in, &len) || len < 0 || len > in->end - in->at)
        return false;
    *ret = str_make(in->at, (size_t)len);
    in->at += len;
    return true;
}

bool avro_get_count(struct avro_input *in, uint64_t *ret)
{
    int64_t count, size;
    if (!avro_get_long(in, &count) || count == INT64_MIN)
        return false;
    if (count < 0) {
        if (!avro_get_long(in, &size) || size < 0 || size > in->end - in->at)
            return false;
        count = -count;
    }
    *ret = (uint64_t)count;
    return count <= in->end - in->at;
}

static bool get_fixed(struct avro_input *in, size_t len, struct str *ret)
{
    if (len > (size_t)(in->end - in->at))
        return false;
    *ret = str_make(in->at, len);
    in->at += len;
    return true;
}

static enum status decode_record(struct decoder *d, const struct avro_type *type, int depth,
                                 struct avro_datum *datum)
{
    struct avro_datum **tail = &datum->first;
    for (uint32_t i = 0; i < type->fields_len; i++) {
        TRY(decode(d, type->fields[i].type, depth + 1, tail));
        (*tail)->field = &type->fields[i];
        tail = &(*tail)->next;
    }
    datum->len = type->fields_len;
    return STATUS_OK;
}

static enum status decode_items(struct decoder *d, const struct avro_type *type, int depth,
                                struct avro_datum *datum)
{
    struct avro_datum **tail = &datum->first;
    uint64_t count;
    for (;;) {
        if (!avro_get_count(d->in, &count))
            return bad(d, "the number of items");
        if (count == 0)
            return STATUS_OK;
        while (count-- > 0) {
            struct str key = STR_NONE;
            if (type->kind == AVRO_MAP && !avro_get_bytes(d->in, &key))
                return bad(d, "a key");
            TRY(decode(d, type->fields[0].type, depth + 1, tail));
            (*tail)->key = key;
            tail = &(*tail)->next;
            datum->len++;
        }
    }
}

static enum status decode_number(struct decoder *d, struct avro_datum *datum)
{
    if (!avro_get_long(d->in, &datum->integer))
        return bad(d, "a number");
    if (datum->type->kind == AVRO_INT && (datum->integer < INT32_MIN || datum->integer > INT32_MAX))
        return bad(d, "an int beyond 32 bits");
    if (datum->type->kind == AVRO_ENUM &&
        (datum->integer < 0 || datum->integer >= datum->type->size))
        return bad(d, "an unknown symbol");
    return STATUS_OK;
}

static enum status decode_real(struct decoder *d, struct avro_datum *datum)
{
    struct str bytes;
    bool is_float = datum->type->kind == AVRO_FLOAT;
    if (!get_fixed(d->in, is_float ? 4 : 8, &bytes))
        return bad(d, "a floating point number");
    float narrow;
    if (is_float) {
        memcpy(&narrow, bytes.data, sizeof narrow);
        datum->real = (double)narrow;
    } else {
        memcpy(&datum->real, bytes.data, sizeof datum->real);
    }
    return STATUS_OK;
}

static enum status decode_bool(struct decoder *d, struct avro_datum *datum)
{
    struct str byte;
    if (!get_fixed(d->in, 1, &byte) || (uint8_t)*byte.data > 1)
        return bad(d, "a boolean");
    datum->boolean = *byte.data == 1;
    return STATUS_OK;
}

static enum status resolve_union(struct decoder *d, const struct avro_type **type)
{
    int64_t branch;
    if (!avro_get_long(d->in, &branch) || branch < 0 || branch >= (*type)->fields_len)
        return bad(d, "the branch of a union");
    *type = (*type)->fields[branch].type;
    return STATUS_OK;
}

static enum status decode(struct decoder *d, const struct avro_type *type, int depth,
                          struct avro_datum **ret)
{
    if (depth >= AVRO_DEPTH_MAX)
        return bad(d, "nested too deep");
    if (*d->values_left == 0)
        return bad(d, "more values than its bytes can account for");
    --*d->values_left;
    if (type->kind == AVRO_UNION)
        TRY(resolve_union(d, &type));
    struct avro_datum *datum = ARENA_NEW(d->arena, struct avro_datum);
    if (!datum)
        return error_no_memory(d->err);
    datum->type = type;
    *ret = datum;
    switch (type->kind) {
    case AVRO_NULL:
        return STATUS_OK;
    case AVRO_BOOLEAN:
        return decode_bool(d, datum);
    case AVRO_INT:
    case AVRO_LONG:
    case AVRO_ENUM:
        return decode_number(d, datum);
    case AVRO_FLOAT:
    case AVRO_DOUBLE:
        return decode_real(d, datum);
    case AVRO_BYTES:
    case AVRO_STRING:
        return avro_get_bytes(d->in, &datum->bytes) ? STATUS_OK : bad(d, "a length");
    case AVRO_FIXED:
        return get_fixed(d->in, type->size, &datum->bytes) ? STATUS_OK : bad(d, "a fixed value");
    case AVRO_ARRAY:
    case AVRO_MAP:
        return decode_items(d, type, depth, datum);
    case AVRO_RECORD:
        return decode_record(d, type, depth, datum);
    case AVRO_UNION:
        break;
    }
    return bad(d, "a union in a union");
}

enum status avro_decode(struct avro_input *in, const struct avro_type *type, struct arena *arena,
                        uint64_t *values_left, struct avro_datum **ret, struct error *err)
{
    struct decoder d = {in, arena, values_left, err};
    return decode(&d, type, 0, ret);
}

const struct avro_datum *avro_find(const struct avro_datum *record, int32_t id, const char *name)
{
    if (!record || record->type->kind != AVRO_RECORD)
        return NULL;
    const struct avro_datum *found = NULL;
    for (const struct avro_datum *child = record->first; child && !found; child = child->next)
        if (child->field->id == id || (child->field->id < 0 && str_is(child->field->name, name)))
            found = child;
    return found && found->type->kind != AVRO_NULL ? found : NULL;
}

bool avro_find_long(const struct avro_datum *record, int32_t id, const char *name, int64_t *ret)
{
    const struct avro_datum *datum = avro_find(record, id, name);
    if (!datum || (datum->type->kind != AVRO_INT && datum->type->kind != AVRO_LONG))
        return false;
    *ret = datum->integer;
    return true;
}

bool avro_find_bytes(const struct avro_datum *record, int32_t id, const char *name, struct str *ret)
{
    const struct avro_datum *datum = avro_find(record, id, name);
    if (!datum || (datum->type->kind != AVRO_BYTES && datum->type->kind != AVRO_STRING &&
                   datum->type->kind != AVRO_FIXED))
        return false;
    *ret = datum->bytes;
    return true;
}

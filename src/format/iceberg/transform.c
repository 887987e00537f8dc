/* transform.c: names and arithmetic of the transforms. Divisions round down, also below zero. */
#include "format/iceberg/transform.h"

#include "base/datetime.h"

static const char *const names[] = {"identity", "bucket", "truncate", "year",
                                    "month",    "day",    "hour",     "void"};

#define US_PER_HOUR INT64_C(3600000000)
#define US_PER_DAY  (24 * US_PER_HOUR)

static bool parse_param(struct str name, const char *word, int32_t *ret)
{
    struct str start = str_of(word);
    int64_t param;
    if (name.len < start.len + 3 || name.data[start.len] != '[' || name.data[name.len - 1] != ']')
        return false;
    struct str digits = str_make(name.data + start.len + 1, name.len - start.len - 2);
    if (!str_to_int64(digits, &param) || param < 1 || param > INT32_MAX)
        return false;
    *ret = (int32_t)param;
    return true;
}

bool iceberg_transform_parse(struct str name, struct iceberg_transform *ret)
{
    *ret = (struct iceberg_transform){.kind = ICEBERG_UNKNOWN, .text = name};
    for (int kind = 0; kind < ICEBERG_UNKNOWN; kind++) {
        bool has_param = kind == ICEBERG_BUCKET || kind == ICEBERG_TRUNCATE;
        if (has_param ? !str_starts(name, str_of(names[kind])) : !str_is(name, names[kind]))
            continue;
        *ret = (struct iceberg_transform){.kind = (enum iceberg_transform_kind)kind};
        return !has_param || parse_param(name, names[kind], &ret->param);
    }
    return name.len > 0;
}

void iceberg_transform_print(struct iceberg_transform transform, struct buf *out)
{
    if (transform.kind == ICEBERG_UNKNOWN)
        buf_append_str(out, transform.text);
    else
        buf_append_str(out, str_of(names[transform.kind]));
    if (transform.kind == ICEBERG_BUCKET || transform.kind == ICEBERG_TRUNCATE)
        buf_printf(out, "[%d]", transform.param);
}

bool iceberg_transform_allows(struct iceberg_transform transform, enum type source)
{
    bool is_time = source == TYPE_DATE || source == TYPE_TIMESTAMP;
    switch (transform.kind) {
    case ICEBERG_IDENTITY:
    case ICEBERG_VOID:
        return true;
    case ICEBERG_BUCKET:
        return is_time || source == TYPE_INT64 || type_is_bytes(source);
    case ICEBERG_TRUNCATE:
        return source == TYPE_INT64 || type_is_bytes(source);
    case ICEBERG_YEAR:
    case ICEBERG_MONTH:
    case ICEBERG_DAY:
        return is_time;
    case ICEBERG_HOUR:
        return source == TYPE_TIMESTAMP;
    case ICEBERG_UNKNOWN:
        break;
    }
    return false;
}

struct iceberg_type iceberg_transform_result(struct iceberg_transform transform,
                                             const struct iceberg_type *source)
{
    switch (transform.kind) {
    case ICEBERG_BUCKET:
    case ICEBERG_YEAR:
    case ICEBERG_MONTH:
    case ICEBERG_HOUR:
        return (struct iceberg_type){.kind = ICEBERG_INT};
    case ICEBERG_DAY:
        return (struct iceberg_type){.kind = ICEBERG_DATE};
    case ICEBERG_UNKNOWN:
        return (struct iceberg_type){.kind = ICEBERG_OTHER, .text = transform.text};
    default:
        return *source;
    }
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static uint32_t rotate(uint32_t x, unsigned by)
{
    return x << by | x >> (32 - by);
}

uint32_t iceberg_murmur3(struct str bytes)
{
    uint32_t h = 0, k;
    const unsigned char *at = (const unsigned char *)bytes.data;
    size_t rest = bytes.len;
    for (; rest >= 4; rest -= 4, at += 4) {
        memcpy(&k, at, sizeof k);
        h ^= rotate(k * 0xcc9e2d51u, 15) * 0x1b873593u;
        h = rotate(h, 13) * 5 + 0xe6546b64u;
    }
    k = 0;
    for (size_t i = rest; i > 0; i--)
        k = k << 8 | at[i - 1];
    h ^= rotate(k * 0xcc9e2d51u, 15) * 0x1b873593u;
    h ^= (uint32_t)bytes.len;
    h = (h ^ h >> 16) * 0x85ebca6bu;
    h = (h ^ h >> 13) * 0xc2b2ae35u;
    return h ^ h >> 16;
}

uint32_t iceberg_hash_value(const struct value *value)
{
    if (type_is_bytes(value->type))
        return iceberg_murmur3(value->bytes);
    int64_t integer = value->type == TYPE_BOOL ? value->boolean : value->int64;
    if (value->type == TYPE_DOUBLE) {
        double real = value->real == 0 ? 0.0 : value->real;
        memcpy(&integer, &real, sizeof integer);
    }
    return iceberg_murmur3(str_make((const char *)&integer, sizeof integer));
}

/* The first `width` code points of valid UTF-8. */
static struct str first_code_points(struct str text, int32_t width)
{
    size_t at = 0;
    while (at < text.len && width > 0) {
        at++;
        while (at < text.len && ((unsigned char)text.data[at] & 0xC0) == 0x80)
            at++;
        width--;
    }
    return str_make(text.data, at);
}

static void truncate_value(int32_t width, const struct value *value, struct value *ret)
{
    *ret = *value;
    if (type_is_bytes(value->type)) {
        ret->bytes = first_code_points(value->bytes, width);
        return;
    }
    int64_t over = value->int64 % width;
    if (over < 0)
        over += width;
    ret->int64 = (int64_t)((uint64_t)value->int64 - (uint64_t)over);
}

static int64_t days_of(const struct value *value)
{
    return value->type == TYPE_DATE ? value->int64 : floor_div(value->int64, US_PER_DAY);
}

/* Beyond the calendar of base/datetime (years 0 to 9999) the nearest end is taken. */
static int64_t months_of(const struct value *value)
{
    int year, month, day;
    int64_t days = days_of(value);
    const int64_t first = date_from_civil(0, 1, 1), last = date_from_civil(9999, 12, 31);
    days = days < first ? first : days > last ? last : days;
    date_to_civil((int32_t)days, &year, &month, &day);
    return ((int64_t)year - 1970) * 12 + month - 1;
}

static struct value int_value(enum type type, int64_t integer)
{
    return (struct value){.type = type, .int64 = integer};
}

static enum type result_type(struct iceberg_transform transform, enum type source)
{
    switch (transform.kind) {
    case ICEBERG_BUCKET:
    case ICEBERG_YEAR:
    case ICEBERG_MONTH:
    case ICEBERG_HOUR:
        return TYPE_INT64;
    case ICEBERG_DAY:
        return TYPE_DATE;
    default:
        return source;
    }
}

enum status iceberg_transform_value(struct iceberg_transform transform, const struct value *value,
                                    struct value *ret, struct error *err)
{
    enum type type = result_type(transform, value->type);
    if (!iceberg_transform_allows(transform, value->type))
        return error_set(err, STATUS_INVALID_ARGUMENT, "a %s column cannot be partitioned by %s",
                         type_name(value->type),
                         transform.kind < ICEBERG_UNKNOWN ? names[transform.kind]
                                                          : "an unknown transform");
    *ret = (struct value){.type = type, .is_null = true};
    if (value->is_null || transform.kind == ICEBERG_VOID)
        return STATUS_OK;
    if (transform.kind == ICEBERG_IDENTITY)
        *ret = *value;
    else if (transform.kind == ICEBERG_BUCKET)
        *ret = int_value(type, (iceberg_hash_value(value) & INT32_MAX) % transform.param);
    else if (transform.kind == ICEBERG_TRUNCATE)
        truncate_value(transform.param, value, ret);
    else if (transform.kind == ICEBERG_YEAR)
        *ret = int_value(type, floor_div(months_of(value), 12));
    else if (transform.kind == ICEBERG_MONTH)
        *ret = int_value(type, months_of(value));
    else if (transform.kind == ICEBERG_DAY)
        *ret = int_value(type, days_of(value));
    else
        *ret = int_value(type, floor_div(value->int64, US_PER_HOUR));
    return STATUS_OK;
}

enum status iceberg_transform_column(struct iceberg_transform transform, const struct column *in,
                                     struct column *out, struct error *err)
{
    column_init(out, result_type(transform, in->type));
    enum status status = column_reserve(out, in->rows);
    for (uint32_t row = 0; row < in->rows && status == STATUS_OK; row++) {
        struct value result, value = value_of_column(in, row);
        status = iceberg_transform_value(transform, &value, &result, err);
        if (status == STATUS_OK)
            status = column_append_value(out, &result);
    }
    if (status != STATUS_OK)
        column_release(out);
    return status == STATUS_NO_MEMORY ? error_no_memory(err) : status;
}

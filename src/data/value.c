#include "data/value.h"

#include <math.h>
#include <xxhash.h>

#include "base/datetime.h"

static const int64_t us_per_day = 86400 * (int64_t)1000000;

struct value value_of_column(const struct column *column, uint32_t row)
{
    struct value value = {.type = column->type, .is_null = column_is_null(column, row)};
    if (value.is_null)
        return value;
    switch (column->type) {
    case TYPE_BOOL:
        value.boolean = column_bool(column, row);
        break;
    case TYPE_INT64:
    case TYPE_TIMESTAMP:
        value.int64 = column_int64(column, row);
        break;
    case TYPE_DOUBLE:
        value.real = column_double(column, row);
        break;
    case TYPE_DATE:
        value.int64 = column_date(column, row);
        break;
    default:
        value.bytes = column_str(column, row);
    }
    return value;
}

#define THREE_WAY(a, b) ((a) < (b) ? -1 : (a) > (b))

/* Exact: a double beyond the range of int64 decides by its sign, else by its whole part and then
 * its fraction. */
static int compare_int_real(int64_t a, double b)
{
    if (b >= 9223372036854775808.0)
        return -1;
    if (b < -9223372036854775808.0)
        return 1;
    double whole = trunc(b);
    int order = THREE_WAY(a, (int64_t)whole);
    return order ? order : THREE_WAY(0.0, b - whole);
}

/* A date as its midnight beside timestamps. */
static int64_t as_timestamp(const struct value *value)
{
    return value->type == TYPE_DATE ? value->int64 * us_per_day : value->int64;
}

int value_compare(const struct value *a, const struct value *b)
{
    if (a->is_null || b->is_null)
        return (int)b->is_null - (int)a->is_null;
    if (a->type == TYPE_INT64 && b->type == TYPE_DOUBLE)
        return compare_int_real(a->int64, b->real);
    if (a->type == TYPE_DOUBLE && b->type == TYPE_INT64)
        return -compare_int_real(b->int64, a->real);
    switch (a->type) {
    case TYPE_BOOL:
        return (int)a->boolean - (int)b->boolean;
    case TYPE_DOUBLE:
        return THREE_WAY(a->real, b->real);
    case TYPE_STRING:
    case TYPE_JSON:
        return str_cmp(a->bytes, b->bytes);
    case TYPE_DATE:
    case TYPE_TIMESTAMP:
        if (a->type != b->type) {
            int64_t x = as_timestamp(a);
            int64_t y = as_timestamp(b);
            return THREE_WAY(x, y);
        }
        return THREE_WAY(a->int64, b->int64);
    default:
        return THREE_WAY(a->int64, b->int64);
    }
}

enum status column_append_value(struct column *column, const struct value *value)
{
    if (value->is_null)
        return column_append_null(column);
    switch (column->type) {
    case TYPE_BOOL:
        return column_append_bool(column, value->boolean);
    case TYPE_DOUBLE:
        return column_append_double(column, value->real);
    case TYPE_DATE:
        return column_append_date(column, (int32_t)value->int64);
    case TYPE_STRING:
    case TYPE_JSON:
        return column_append_bytes(column, value->bytes);
    default:
        return column_append_int64(column, value->int64);
    }
}

void value_write_json(struct json_writer *w, const struct value *value)
{
    char text[TIMESTAMP_TEXT_MAX];
    if (value->is_null) {
        json_null(w);
        return;
    }
    switch (value->type) {
    case TYPE_BOOL:
        json_bool(w, value->boolean);
        break;
    case TYPE_INT64:
        json_int(w, value->int64);
        break;
    case TYPE_DOUBLE:
        json_double(w, value->real);
        break;
    case TYPE_DATE:
        json_string(w, str_make(text, date_format((int32_t)value->int64, text)));
        break;
    case TYPE_TIMESTAMP:
        json_string(w, str_make(text, timestamp_format(value->int64, text)));
        break;
    case TYPE_JSON:
        json_raw(w, value->bytes);
        break;
    default:
        json_string(w, str_make(value->bytes.len ? value->bytes.data : "", value->bytes.len));
    }
}

void column_write_json(struct json_writer *w, const struct column *column, uint32_t row)
{
    struct value value = value_of_column(column, row);
    value_write_json(w, &value);
}

uint64_t value_hash(const struct value *value)
{
    if (value->is_null)
        return 0;
    switch (value->type) {
    case TYPE_STRING:
    case TYPE_JSON:
        return str_hash(value->bytes);
    case TYPE_DOUBLE: {
        double real = value->real == 0 ? 0.0 : value->real; /* -0.0 equals 0.0 */
        return XXH3_64bits(&real, sizeof real);
    }
    case TYPE_BOOL: {
        int64_t number = value->boolean;
        return XXH3_64bits(&number, sizeof number);
    }
    default:
        return XXH3_64bits(&value->int64, sizeof value->int64);
    }
}

uint64_t values_hash(const struct value *values, uint32_t len)
{
    uint64_t hash = value_hash(values);
    for (uint32_t i = 1; i < len; i++) {
        const uint64_t both[] = {hash, value_hash(&values[i])};
        hash = XXH3_64bits(both, sizeof both);
    }
    return hash;
}

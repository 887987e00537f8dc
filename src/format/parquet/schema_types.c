/* schema_types.c: one element of the footer's schema: what it says and which of our types a leaf
 * with it becomes. parquet.h has the table of types. */
#include "format/parquet/schema_int.h"

static void read_unit(struct thrift_reader *r, struct pq_element *e)
{
    struct thrift_field f = {0};
    while (thrift_next_field(r, &f)) {
        if (f.id >= PQ_MILLIS && f.id <= PQ_NANOS)
            e->unit = (enum pq_time_unit)f.id;
        thrift_skip(r, &f);
    }
}

/* TimeType and TimestampType are alike. */
static void read_timestamp(struct thrift_reader *r, struct pq_element *e)
{
    struct thrift_field f = {0};
    while (thrift_next_field(r, &f)) {
        if (f.id == 2 && f.type == THRIFT_STRUCT)
            read_unit(r, e);
        else
            thrift_skip(r, &f);
    }
}

static void read_integer(struct thrift_reader *r, struct pq_element *e)
{
    struct thrift_field f = {0};
    while (thrift_next_field(r, &f)) {
        if (f.id == 2)
            e->is_signed = thrift_read_bool(r, &f);
        else
            thrift_skip(r, &f);
    }
}

static void read_decimal(struct thrift_reader *r, struct pq_element *e)
{
    struct thrift_field f = {0};
    while (thrift_next_field(r, &f)) {
        if (f.id == 1)
            e->scale = thrift_read_i32(r, &f);
        else
            thrift_skip(r, &f);
    }
}

static void read_logical(struct thrift_reader *r, struct pq_element *e)
{
    struct thrift_field f = {0};
    while (thrift_next_field(r, &f)) {
        e->logical = (enum pq_logical)f.id;
        bool is_struct = f.type == THRIFT_STRUCT;
        if ((f.id == PQ_LOGICAL_TIMESTAMP || f.id == PQ_LOGICAL_TIME) && is_struct)
            read_timestamp(r, e);
        else if (f.id == PQ_LOGICAL_INTEGER && is_struct)
            read_integer(r, e);
        else if (f.id == PQ_LOGICAL_DECIMAL && is_struct)
            read_decimal(r, e);
        else
            thrift_skip(r, &f);
    }
}

/* Older files have only the converted type. */
static void logical_of_converted(struct pq_element *e)
{
    static const uint8_t logical[] = {
        [PQ_CONV_UTF8] = PQ_LOGICAL_STRING,
        [PQ_CONV_MAP] = PQ_LOGICAL_MAP,
        [PQ_CONV_MAP_KEY_VALUE] = PQ_LOGICAL_MAP,
        [PQ_CONV_LIST] = PQ_LOGICAL_LIST,
        [PQ_CONV_ENUM] = PQ_LOGICAL_ENUM,
        [PQ_CONV_DECIMAL] = PQ_LOGICAL_DECIMAL,
        [PQ_CONV_DATE] = PQ_LOGICAL_DATE,
        [PQ_CONV_TIME_MILLIS] = PQ_LOGICAL_TIME,
        [PQ_CONV_TIME_MICROS] = PQ_LOGICAL_TIME,
        [PQ_CONV_TIMESTAMP_MILLIS] = PQ_LOGICAL_TIMESTAMP,
        [PQ_CONV_TIMESTAMP_MICROS] = PQ_LOGICAL_TIMESTAMP,
        [PQ_CONV_JSON] = PQ_LOGICAL_JSON,
        [PQ_CONV_BSON] = PQ_LOGICAL_BSON,
        [PQ_CONV_INTERVAL] = PQ_LOGICAL_NONE,
    };
    int32_t c = e->converted;
    if (e->logical != PQ_LOGICAL_NONE || c < 0 || c > PQ_CONV_INTERVAL)
        return;
    e->logical = (enum pq_logical)logical[c];
    if (c >= PQ_CONV_UINT_8 && c <= PQ_CONV_INT_64)
        e->logical = PQ_LOGICAL_INTEGER;
    e->is_signed = c >= PQ_CONV_INT_8;
    e->is_interval = c == PQ_CONV_INTERVAL;
    if (c == PQ_CONV_TIMESTAMP_MILLIS || c == PQ_CONV_TIME_MILLIS)
        e->unit = PQ_MILLIS;
    else if (c == PQ_CONV_TIMESTAMP_MICROS || c == PQ_CONV_TIME_MICROS)
        e->unit = PQ_MICROS;
}

void pq_element_read(struct thrift_reader *r, struct pq_element *e)
{
    *e = (struct pq_element){.physical = -1, .converted = -1};
    int32_t scale = 0;
    struct thrift_field f = {0};
    while (thrift_next_field(r, &f)) {
        switch (f.id) {
        case 1:
            e->physical = thrift_read_i32(r, &f);
            break;
        case 2:
            e->width = thrift_read_i32(r, &f);
            break;
        case 3:
            e->repetition = thrift_read_i32(r, &f);
            break;
        case 4:
            e->name = thrift_read_binary(r, &f);
            break;
        case 5:
            e->children = thrift_read_i32(r, &f);
            break;
        case 6:
            e->converted = thrift_read_i32(r, &f);
            break;
        case 7:
            scale = thrift_read_i32(r, &f);
            break;
        case 9:
            e->id = thrift_read_i32(r, &f);
            break;
        case 10:
            if (f.type == THRIFT_STRUCT)
                read_logical(r, e);
            else
                thrift_skip(r, &f);
            break;
        default:
            thrift_skip(r, &f);
        }
    }
    if (e->logical == PQ_LOGICAL_NONE && e->converted == PQ_CONV_DECIMAL)
        e->scale = scale;
    logical_of_converted(e);
}

static void type_of_decimal(const struct pq_element *e, struct pq_leaf *leaf)
{
    leaf->form = PQ_FORM_DECIMAL;
    leaf->field.type = TYPE_JSON;
    leaf->scale = (uint32_t)e->scale;
    if (e->scale < 0 || e->scale > DECIMAL_SCALE_MAX)
        leaf->refusal = "its decimal scale is out of range";
    else if (leaf->physical == PQ_FIXED_LEN_BYTE_ARRAY && leaf->width > DECIMAL_BYTES_MAX)
        leaf->refusal = "its decimals are too wide";
}

static void type_of_int(const struct pq_element *e, struct pq_leaf *leaf)
{
    leaf->field.type = TYPE_INT64;
    leaf->is_unsigned = e->logical == PQ_LOGICAL_INTEGER && !e->is_signed;
    if (e->logical == PQ_LOGICAL_DECIMAL) {
        type_of_decimal(e, leaf);
    } else if (e->logical == PQ_LOGICAL_TIME) {
        leaf->form = PQ_FORM_TIME;
        leaf->field.type = TYPE_STRING;
        leaf->unit = e->unit;
    } else if (e->logical == PQ_LOGICAL_DATE && leaf->physical == PQ_INT32) {
        leaf->field.type = TYPE_DATE;
    } else if (e->logical == PQ_LOGICAL_TIMESTAMP && leaf->physical == PQ_INT64) {
        leaf->field.type = TYPE_TIMESTAMP;
        leaf->unit = e->unit;
    } else {
        return;
    }
    bool timed = e->logical == PQ_LOGICAL_TIME || e->logical == PQ_LOGICAL_TIMESTAMP;
    if (timed && e->unit == PQ_UNIT_NONE)
        leaf->refusal = "its time unit is unknown";
}

static void type_of_bytes(const struct pq_element *e, struct pq_leaf *leaf)
{
    leaf->field.type = e->logical == PQ_LOGICAL_JSON ? TYPE_JSON : TYPE_STRING;
    if (e->logical == PQ_LOGICAL_DECIMAL)
        type_of_decimal(e, leaf);
    else if (e->logical == PQ_LOGICAL_BSON || e->logical == PQ_LOGICAL_GEOMETRY ||
             e->logical == PQ_LOGICAL_GEOGRAPHY)
        leaf->form = PQ_FORM_BASE64;
    /* An unknown one is to be read as if there were none. */
}

static void type_of_fixed(const struct pq_element *e, struct pq_leaf *leaf)
{
    leaf->field.type = TYPE_STRING;
    leaf->form = PQ_FORM_BASE64;
    if (e->logical == PQ_LOGICAL_DECIMAL) {
        type_of_decimal(e, leaf);
    } else if (e->logical == PQ_LOGICAL_UUID && leaf->width == 16) {
        leaf->form = PQ_FORM_UUID;
    } else if (e->logical == PQ_LOGICAL_FLOAT16 && leaf->width == 2) {
        leaf->form = PQ_FORM_FLOAT16;
        leaf->field.type = TYPE_DOUBLE;
    } else if (e->is_interval && leaf->width == 12) {
        leaf->form = PQ_FORM_INTERVAL;
    }
}

enum status pq_leaf_type(const struct pq_element *e, struct pq_leaf *leaf, struct error *err)
{
    if ((uint32_t)e->physical >= PQ_TYPE_COUNT)
        return pq_corrupt(err, "column %.*s has the unknown type %d", STR_ARG(leaf->field.name),
                          e->physical);
    leaf->physical = (enum pq_type)e->physical;
    switch (leaf->physical) {
    case PQ_BOOLEAN:
        leaf->field.type = TYPE_BOOL;
        break;
    case PQ_INT32:
    case PQ_INT64:
        type_of_int(e, leaf);
        break;
    case PQ_INT96:
        leaf->field.type = TYPE_TIMESTAMP;
        break;
    case PQ_FLOAT:
    case PQ_DOUBLE:
        leaf->field.type = TYPE_DOUBLE;
        break;
    case PQ_BYTE_ARRAY:
        type_of_bytes(e, leaf);
        break;
    default:
        if (e->width <= 0 || e->width > FIXED_WIDTH_MAX)
            return pq_corrupt(err, "column %.*s has values of %d bytes", STR_ARG(leaf->field.name),
                              e->width);
        leaf->width = (uint32_t)e->width;
        type_of_fixed(e, leaf);
    }
    return STATUS_OK;
}

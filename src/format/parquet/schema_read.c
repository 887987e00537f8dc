/* schema_read.c: the footer's schema tree as a list of leaves with our types.
 *
 * The tree comes depth-first in one list. Only leaves directly below the root, required or
 * optional, are columns that we read; the others are listed with the reason for refusing them. */
#include <stdlib.h>

#include "format/parquet/reader_int.h"
#include "format/parquet/thrift_int.h"

struct element {
    int32_t physical; /* -1: a group */
    int32_t repetition;
    int32_t children;
    int32_t converted; /* -1: none */
    int32_t id;
    struct str name;
    enum pq_logical logical;
    enum pq_time_unit unit;
    int32_t bits;
    bool is_signed;
};

struct walk {
    struct parquet_reader *reader;
    struct thrift_reader *r;
    uint32_t left; /* elements not yet read */
    uint32_t cap;
    struct error *err;
};

static void read_unit(struct thrift_reader *r, struct element *e)
{
    struct thrift_field f = {0};
    while (thrift_next_field(r, &f)) {
        if (f.id >= PQ_MILLIS && f.id <= PQ_NANOS)
            e->unit = (enum pq_time_unit)f.id;
        thrift_skip(r, &f);
    }
}

static void read_timestamp(struct thrift_reader *r, struct element *e)
{
    struct thrift_field f = {0};
    while (thrift_next_field(r, &f)) {
        if (f.id == 2 && f.type == THRIFT_STRUCT)
            read_unit(r, e);
        else
            thrift_skip(r, &f);
    }
}

static void read_integer(struct thrift_reader *r, struct element *e)
{
    struct thrift_field f = {0};
    while (thrift_next_field(r, &f)) {
        if (f.id == 1)
            e->bits = (int32_t)thrift_read_int(r, &f);
        else if (f.id == 2)
            e->is_signed = thrift_read_bool(r, &f);
        else
            thrift_skip(r, &f);
    }
}

static void read_logical(struct thrift_reader *r, struct element *e)
{
    struct thrift_field f = {0};
    while (thrift_next_field(r, &f)) {
        e->logical = (enum pq_logical)f.id;
        if (f.id == PQ_LOGICAL_TIMESTAMP && f.type == THRIFT_STRUCT)
            read_timestamp(r, e);
        else if (f.id == PQ_LOGICAL_INTEGER && f.type == THRIFT_STRUCT)
            read_integer(r, e);
        else
            thrift_skip(r, &f);
    }
}

static void read_element(struct thrift_reader *r, struct element *e)
{
    *e = (struct element){.physical = -1, .converted = -1};
    struct thrift_field f = {0};
    while (thrift_next_field(r, &f)) {
        switch (f.id) {
        case 1:
            e->physical = thrift_read_i32(r, &f);
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
}

/* Older files have only the converted type. */
static void logical_of_converted(struct element *e)
{
    int32_t c = e->converted;
    if (e->logical != PQ_LOGICAL_NONE || c < 0)
        return;
    if (c == PQ_CONV_UTF8)
        e->logical = PQ_LOGICAL_STRING;
    else if (c == PQ_CONV_ENUM)
        e->logical = PQ_LOGICAL_ENUM;
    else if (c == PQ_CONV_DECIMAL)
        e->logical = PQ_LOGICAL_DECIMAL;
    else if (c == PQ_CONV_DATE)
        e->logical = PQ_LOGICAL_DATE;
    else if (c == PQ_CONV_TIME_MILLIS || c == PQ_CONV_TIME_MICROS)
        e->logical = PQ_LOGICAL_TIME;
    else if (c == PQ_CONV_JSON)
        e->logical = PQ_LOGICAL_JSON;
    else if (c >= PQ_CONV_UINT_8 && c <= PQ_CONV_INT_64)
        e->logical = PQ_LOGICAL_INTEGER;
    e->is_signed = c >= PQ_CONV_INT_8;
    if (c == PQ_CONV_TIMESTAMP_MILLIS || c == PQ_CONV_TIMESTAMP_MICROS) {
        e->logical = PQ_LOGICAL_TIMESTAMP;
        e->unit = c == PQ_CONV_TIMESTAMP_MILLIS ? PQ_MILLIS : PQ_MICROS;
    }
}

static void type_of_int(const struct element *e, struct pq_leaf *leaf)
{
    leaf->field.type = TYPE_INT64;
    leaf->is_unsigned = e->logical == PQ_LOGICAL_INTEGER && !e->is_signed;
    if (e->logical == PQ_LOGICAL_DECIMAL)
        leaf->refusal = "decimals are not read yet";
    else if (e->logical == PQ_LOGICAL_TIME)
        leaf->refusal = "times of day are not read yet";
    else if (e->logical == PQ_LOGICAL_DATE && leaf->physical == PQ_INT32)
        leaf->field.type = TYPE_DATE;
    if (e->logical == PQ_LOGICAL_TIMESTAMP && leaf->physical == PQ_INT64) {
        leaf->field.type = TYPE_TIMESTAMP;
        leaf->unit = e->unit;
        if (e->unit == PQ_UNIT_NONE)
            leaf->refusal = "its time unit is unknown";
    }
}

static void type_of_bytes(const struct element *e, struct pq_leaf *leaf)
{
    leaf->field.type = e->logical == PQ_LOGICAL_JSON ? TYPE_JSON : TYPE_STRING;
    if (e->logical == PQ_LOGICAL_DECIMAL)
        leaf->refusal = "decimals are not read yet";
    else if (e->logical > PQ_LOGICAL_JSON && e->logical <= PQ_LOGICAL_LAST_KNOWN)
        leaf->refusal = "its logical type is not read yet"; /* BSON, variant, geometry, ... */
    /* An unknown one is to be read as if there were none. */
}

static void type_of_leaf(const struct element *e, struct pq_leaf *leaf)
{
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
        leaf->field.type = TYPE_STRING;
        leaf->refusal = "fixed-length byte arrays are not read yet";
    }
}

static enum status add_leaf(struct walk *w, const struct element *e, struct str path, int depth)
{
    struct parquet_reader *reader = w->reader;
    if (reader->leaves_len == LEAVES_MAX)
        return error_set(w->err, STATUS_RESOURCE_LIMIT, "a Parquet file with over %d columns",
                         LEAVES_MAX);
    if (reader->leaves_len == w->cap)
        return pq_corrupt(w->err, "the schema has more columns than elements");
    if ((uint32_t)e->physical >= PQ_TYPE_COUNT)
        return pq_corrupt(w->err, "column %.*s has the unknown type %d", STR_ARG(path),
                          e->physical);
    struct pq_leaf *leaf = &reader->leaves[reader->leaves_len++];
    leaf->physical = (enum pq_type)e->physical;
    leaf->optional = e->repetition == PQ_OPTIONAL;
    leaf->field.name = path;
    leaf->field.id = e->id;
    type_of_leaf(e, leaf);
    if (depth > 1 || e->repetition == PQ_REPEATED)
        leaf->refusal = "nested columns are not read yet";
    else if (e->repetition != PQ_OPTIONAL && e->repetition != PQ_REQUIRED)
        return pq_corrupt(w->err, "column %.*s has the unknown repetition %d", STR_ARG(path),
                          e->repetition);
    return STATUS_OK;
}

static struct str join(struct arena *arena, struct str parent, struct str name)
{
    size_t dot = parent.len ? 1 : 0;
    char *text = arena_alloc(arena, parent.len + dot + name.len + 1);
    if (!text)
        return STR_NONE;
    if (dot) {
        memcpy(text, parent.data, parent.len);
        text[parent.len] = '.';
    }
    if (name.len)
        memcpy(text + parent.len + dot, name.data, name.len);
    return str_make(text, parent.len + dot + name.len);
}

/* `children` elements and all that is below them. */
static enum status walk_children(struct walk *w, int32_t children, struct str parent, int depth)
{
    if (depth > SCHEMA_DEPTH_MAX)
        return error_set(w->err, STATUS_NOT_IMPLEMENTED, "a schema deeper than %d",
                         SCHEMA_DEPTH_MAX);
    for (int32_t i = 0; i < children; i++) {
        struct element e;
        if (w->left == 0)
            return pq_corrupt(w->err, "the schema ends too early");
        w->left--;
        read_element(w->r, &e);
        if (w->r->failed)
            return pq_corrupt(w->err, "the schema does not parse");
        logical_of_converted(&e);
        struct str path = join(&w->reader->arena, parent, e.name);
        if (!path.data)
            return error_no_memory(w->err);
        if (e.physical >= 0)
            TRY(add_leaf(w, &e, path, depth));
        else
            TRY(walk_children(w, e.children, path, depth + 1));
    }
    return STATUS_OK;
}

enum status pq_schema_read(struct parquet_reader *reader, struct thrift_reader *r,
                           const struct thrift_field *list, struct error *err)
{
    uint32_t count = thrift_read_list(r, list, THRIFT_STRUCT);
    if (r->failed || count == 0 || reader->leaves)
        return pq_corrupt(err, "the schema does not parse");
    struct element root;
    read_element(r, &root);
    uint32_t cap = count < LEAVES_MAX ? count : LEAVES_MAX;
    reader->leaves = arena_array(&reader->arena, cap, sizeof *reader->leaves);
    if (!reader->leaves)
        return error_no_memory(err);
    struct walk w = {.reader = reader, .r = r, .left = count - 1, .cap = cap, .err = err};
    TRY(walk_children(&w, root.children, STR(""), 1));
    if (w.left)
        return pq_corrupt(err, "the schema has elements outside of its tree");
    reader->fields = arena_array(&reader->arena, reader->leaves_len, sizeof *reader->fields);
    if (!reader->fields)
        return error_no_memory(err);
    for (uint32_t i = 0; i < reader->leaves_len; i++)
        reader->fields[i] = reader->leaves[i].field;
    return STATUS_OK;
}

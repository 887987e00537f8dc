/* type.c: names of types, and the map between Iceberg's and Quarry's. */
#include "format/iceberg/type.h"

static const char *const kind_names[] = {
    [ICEBERG_BOOLEAN] = "boolean",
    [ICEBERG_INT] = "int",
    [ICEBERG_LONG] = "long",
    [ICEBERG_FLOAT] = "float",
    [ICEBERG_DOUBLE] = "double",
    [ICEBERG_DATE] = "date",
    [ICEBERG_TIME] = "time",
    [ICEBERG_TIMESTAMP] = "timestamp",
    [ICEBERG_TIMESTAMPTZ] = "timestamptz",
    [ICEBERG_STRING] = "string",
    [ICEBERG_UUID] = "uuid",
    [ICEBERG_BINARY] = "binary",
};
enum { KIND_NAMES = sizeof kind_names / sizeof *kind_names };

static const enum iceberg_kind kind_of_type[TYPE_COUNT] = {
    [TYPE_BOOL] = ICEBERG_BOOLEAN,        [TYPE_INT64] = ICEBERG_LONG,
    [TYPE_DOUBLE] = ICEBERG_DOUBLE,       [TYPE_STRING] = ICEBERG_STRING,
    [TYPE_JSON] = ICEBERG_STRING,         [TYPE_DATE] = ICEBERG_DATE,
    [TYPE_TIMESTAMP] = ICEBERG_TIMESTAMP,
};

/* "fixed[N]" or "decimal(P,S)": the text between the brackets. */
static bool inside(struct str name, struct str open, char close, struct str *ret)
{
    if (!str_starts(name, open) || name.data[name.len - 1] != close)
        return false;
    *ret = str_make(name.data + open.len, name.len - open.len - 1);
    return true;
}

static bool parse_number(struct str text, int64_t min, int64_t max, int32_t *ret)
{
    int64_t value;
    if (!str_to_int64(str_trim(text), &value) || value < min || value > max)
        return false;
    *ret = (int32_t)value;
    return true;
}

static bool parse_decimal(struct str inner, struct iceberg_type *ret)
{
    struct str precision;
    ret->kind = ICEBERG_DECIMAL;
    return str_split(&inner, ',', &precision) && inner.data &&
           parse_number(precision, 1, 38, &ret->precision) &&
           parse_number(inner, 0, ret->precision, &ret->scale);
}

bool iceberg_type_parse(struct str name, struct arena *arena, struct iceberg_type *ret)
{
    struct str inner;
    *ret = (struct iceberg_type){.kind = ICEBERG_OTHER};
    for (int kind = 0; kind < KIND_NAMES; kind++) {
        if (str_is(name, kind_names[kind])) {
            ret->kind = (enum iceberg_kind)kind;
            return true;
        }
    }
    if (inside(name, STR("decimal("), ')', &inner))
        return parse_decimal(inner, ret);
    if (inside(name, STR("fixed["), ']', &inner)) {
        ret->kind = ICEBERG_FIXED;
        return parse_number(inner, 0, 1 << 20, &ret->length);
    }
    ret->text = arena_str(arena, name);
    return ret->text.data != NULL;
}

void iceberg_type_print(const struct iceberg_type *type, struct buf *out)
{
    if ((int)type->kind < KIND_NAMES)
        buf_append_str(out, str_of(kind_names[type->kind]));
    else if (type->kind == ICEBERG_FIXED)
        buf_printf(out, "fixed[%d]", type->length);
    else if (type->kind == ICEBERG_DECIMAL)
        buf_printf(out, "decimal(%d, %d)", type->precision, type->scale);
    else
        buf_append_str(out, type->text);
}

static enum status make_doc(enum type type, struct str comment, struct arena *arena,
                            struct str *ret, struct error *err)
{
    *ret = STR_NONE;
    if (type == TYPE_JSON) {
        const char *space = comment.len ? " " : "";
        char *doc = arena_printf(arena, ICEBERG_JSON_MARK "%s%.*s", space, STR_ARG(comment));
        *ret = str_of(doc);
        return doc ? STATUS_OK : error_no_memory(err);
    }
    if (comment.len == 0)
        return STATUS_OK;
    *ret = arena_str(arena, comment);
    return ret->data ? STATUS_OK : error_no_memory(err);
}

enum status iceberg_schema_of_fields(const struct field *fields, uint32_t len,
                                     const struct str *docs, struct arena *arena,
                                     struct iceberg_schema *ret, struct error *err)
{
    *ret = (struct iceberg_schema){.fields_len = len};
    ret->fields = arena_array(arena, len ? len : 1, sizeof *ret->fields);
    if (!ret->fields)
        return error_no_memory(err);
    for (uint32_t i = 0; i < len; i++) {
        struct iceberg_field *field = &ret->fields[i];
        field->id = fields[i].id;
        field->name = arena_str(arena, fields[i].name);
        field->type.kind = kind_of_type[fields[i].type];
        if (!field->name.data)
            return error_no_memory(err);
        TRY(make_doc(fields[i].type, docs ? docs[i] : STR_NONE, arena, &field->doc, err));
    }
    return STATUS_OK;
}

static bool is_json(const struct iceberg_field *field)
{
    return field->type.kind == ICEBERG_STRING && str_starts(field->doc, STR(ICEBERG_JSON_MARK));
}

struct str iceberg_field_comment(const struct iceberg_field *field)
{
    struct str doc = field->doc;
    if (is_json(field)) {
        size_t mark = sizeof ICEBERG_JSON_MARK - 1;
        doc = str_trim(str_make(doc.data + mark, doc.len - mark));
    }
    return doc.len ? doc : STR_NONE;
}

bool iceberg_field_to_type(const struct iceberg_field *field, enum type *ret)
{
    switch (field->type.kind) {
    case ICEBERG_BOOLEAN:
        *ret = TYPE_BOOL;
        return true;
    case ICEBERG_INT:
    case ICEBERG_LONG:
        *ret = TYPE_INT64;
        return true;
    case ICEBERG_FLOAT:
    case ICEBERG_DOUBLE:
        *ret = TYPE_DOUBLE;
        return true;
    case ICEBERG_STRING:
        *ret = is_json(field) ? TYPE_JSON : TYPE_STRING;
        return true;
    case ICEBERG_DATE:
        *ret = TYPE_DATE;
        return true;
    case ICEBERG_TIMESTAMP:
    case ICEBERG_TIMESTAMPTZ:
        *ret = TYPE_TIMESTAMP;
        return true;
    default:
        return false;
    }
}

enum status iceberg_schema_to_fields(const struct iceberg_schema *schema, struct arena *arena,
                                     struct field **ret, uint32_t *ret_len, struct error *err)
{
    struct field *fields = arena_array(arena, schema->fields_len + 1, sizeof *fields);
    if (!fields)
        return error_no_memory(err);
    for (uint32_t i = 0; i < schema->fields_len; i++) {
        const struct iceberg_field *from = &schema->fields[i];
        fields[i] = (struct field){.name = from->name, .id = from->id};
        if (!iceberg_field_to_type(from, &fields[i].type))
            return error_set(err, STATUS_NOT_IMPLEMENTED,
                             "column '%.*s' has an Iceberg type that Quarry has none for",
                             (int)(from->name.len < 100 ? from->name.len : 100), from->name.data);
    }
    *ret = fields;
    *ret_len = schema->fields_len;
    return STATUS_OK;
}

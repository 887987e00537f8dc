#include "service/operation.h"

static const struct service_info services[SERVICE_COUNT] = {
    [SERVICE_GATEWAY] = {"auth-gateway", "gateway", 8080, "Users, tokens, permissions."},
    [SERVICE_OPERATION] = {"operation-node", "operation", 8081, "Tenant nodes and their scale."},
    [SERVICE_OPTIMIZER] = {"cbo-engine", "optimizer", 8082, "Plans and their costs."},
    [SERVICE_CATALOG] = {"metadata-catalog", "catalog", 8083, "Assets, files, compaction."},
    [SERVICE_MONITORING] = {"monitoring", "monitoring", 8084, "Health, metrics, logs."},
    [SERVICE_INTERPRETER] = {"query-interpreter", "interpreter", 8085, "SQL and DSL to plans."},
    [SERVICE_TENANT] = {"tenant-node", "tenant", 8000, "One tenant's data."},
};

/* --- the list --- */
#define NO_BODY       BODY_NONE
#define JSON          BODY_JSON
#define NDJSON        BODY_NDJSON
#define CSV           BODY_CSV
#define PARQUET       BODY_PARQUET
#define RAW_BODY      OPERATION_RAW_BODY
#define STREAM_BODY   (OPERATION_STREAM_BODY | OPERATION_RAW_BODY)
#define ENCODED_BODY  OPERATION_ENCODED_BODY
#define SSE           OPERATION_SSE
#define OPTIONAL_BODY OPERATION_OPTIONAL_BODY
#define QUEUED        OPERATION_QUEUED
#define TRY_HERE      OPERATION_TRY_HERE
#define SECRET_PATH   OPERATION_SECRET_PATH
#define REQUIRED      true
#define NOTHING

#define REQ(in, field_name, kind, text)                                                            \
    {.name = (field_name),                                                                         \
     .where = IN_##in,                                                                             \
     .type = FIELD_##kind,                                                                         \
     .required = true,                                                                             \
     .help = (text)},
#define OPT(in, field_name, kind, value, text)                                                     \
    {.name = (field_name),                                                                         \
     .where = IN_##in,                                                                             \
     .type = FIELD_##kind,                                                                         \
     .fallback = (value),                                                                          \
     .help = (text)},
#define NUM(in, field_name, kind, value, low, high, text)                                          \
    {.name = (field_name),                                                                         \
     .where = IN_##in,                                                                             \
     .type = FIELD_##kind,                                                                         \
     .fallback = (value),                                                                          \
     .ranged = true,                                                                               \
     .min = (low),                                                                                 \
     .max = (high),                                                                                \
     .help = (text)},
#define ENUM(in, field_name, value, words, text)                                                   \
    {.name = (field_name),                                                                         \
     .where = IN_##in,                                                                             \
     .type = FIELD_STRING,                                                                         \
     .fallback = (value),                                                                          \
     .choices = (words),                                                                           \
     .help = (text)},
#define CHOICE(in, field_name, words, text)                                                        \
    {.name = (field_name),                                                                         \
     .where = IN_##in,                                                                             \
     .type = FIELD_STRING,                                                                         \
     .required = true,                                                                             \
     .choices = (words),                                                                           \
     .help = (text)},
#define LIST(in, field_name, of, must, text)                                                       \
    {.name = (field_name),                                                                         \
     .where = IN_##in,                                                                             \
     .type = FIELD_LIST,                                                                           \
     .required = (must),                                                                           \
     .shape = &shape_##of,                                                                         \
     .help = (text)},

/* 1: shapes */
#define SHAPE(id, text, ...)                                                                       \
    static const struct shape shape_##id = {#id, text,                                             \
                                            (const struct op_field[]){__VA_ARGS__{.name = NULL}}};
#define OP(...)
#define ALIAS(...)
#include "api/operations.def"
#undef SHAPE

#define SHAPE(id, ...) &shape_##id,
static const struct shape *const shapes[] = {
#include "api/operations.def"
};
#undef SHAPE
#define SHAPE(...)

/* 2: operations */
#undef OP
#define OP(kind, id, verb, route, right, release, body_kinds, flag_set, max, text, ...)            \
    {.service = SERVICE_##kind,                                                                    \
     .name = #id,                                                                                  \
     .method = HTTP_##verb,                                                                        \
     .path = (route),                                                                              \
     .permission = PERMISSION_##right,                                                             \
     .since = (release),                                                                           \
     .bodies = (body_kinds),                                                                       \
     .flags = (flag_set),                                                                          \
     .body_max = (max),                                                                            \
     .summary = (text),                                                                            \
     .fields = (const struct op_field[]){__VA_ARGS__{.name = NULL}}},
static const struct operation operations[] = {
#include "api/operations.def"
};
#undef OP
#define OP(...)

/* 3: aliases */
#undef ALIAS
#define ALIAS(kind, verb, route, id) {SERVICE_##kind, HTTP_##verb, (route), #id},
static const struct operation_alias aliases[] = {
#include "api/operations.def"
};

/* --- access --- */
#define COUNT(array) (sizeof(array) / sizeof *(array))

const struct service_info *service_info(enum service_kind kind)
{
    return &services[(unsigned)kind < SERVICE_COUNT ? kind : SERVICE_GATEWAY];
}

bool service_kind_parse(struct str text, enum service_kind *ret_kind)
{
    for (int i = 0; i < SERVICE_COUNT; i++) {
        if (str_is(text, services[i].key) || str_is(text, services[i].name)) {
            *ret_kind = (enum service_kind)i;
            return true;
        }
    }
    return false;
}

const struct operation *operation_at(size_t index)
{
    return index < COUNT(operations) ? &operations[index] : NULL;
}

const struct operation_alias *operation_alias_at(size_t index)
{
    return index < COUNT(aliases) ? &aliases[index] : NULL;
}

const struct shape *shape_at(size_t index)
{
    return index < COUNT(shapes) ? shapes[index] : NULL;
}

const struct operation *operation_find(const char *name)
{
    for (size_t i = 0; i < COUNT(operations); i++)
        if (strcmp(operations[i].name, name) == 0)
            return &operations[i];
    return NULL;
}

int field_find(const struct op_field *fields, struct str name)
{
    for (int i = 0; fields[i].name; i++)
        if (str_is(name, fields[i].name))
            return i;
    return -1;
}

const char *permission_name(enum permission permission)
{
    static const char *const names[] = {"none", "person", "read", "write", "admin", "operator"};
    return names[permission];
}

const char *field_type_name(const struct op_field *field)
{
    switch (field->type) {
    case FIELD_STRING:
        return "a string";
    case FIELD_INT:
        return "an integer";
    case FIELD_NUMBER:
        return "a number";
    case FIELD_BOOL:
        return "a boolean";
    case FIELD_ANY:
        return "any value";
    case FIELD_OBJECT:
        return "an object";
    case FIELD_ARRAY:
        return "an array";
    case FIELD_STRINGS:
        return "an array of strings";
    case FIELD_STRING_MAP:
        return "an object of strings";
    case FIELD_STRING_OR_OBJECT:
        return "a string or an object";
    case FIELD_LIST:
        return "an array of objects";
    }
    return "a value";
}

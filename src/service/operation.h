/* operation.h: the list api/operations.def as tables: services, operations, fields, aliases.
 *
 * Everything here is constant and lives for ever; any thread. */
#ifndef QUARRY_SERVICE_OPERATION_H
#define QUARRY_SERVICE_OPERATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "net/http_server.h"

enum service_kind {
    SERVICE_GATEWAY,
    SERVICE_OPERATION,
    SERVICE_OPTIMIZER,
    SERVICE_CATALOG,
    SERVICE_MONITORING,
    SERVICE_INTERPRETER,
    SERVICE_TENANT,
    SERVICE_COUNT,
    SERVICE_ALL = SERVICE_COUNT, /* in the list: every service has it */
};

struct service_info {
    const char *name; /* "auth-gateway": in /health and metrics, the names of the contract */
    const char *key;  /* "gateway": in --services and the ports file */
    uint16_t port;    /* usual one */
    const char *summary;
};

const struct service_info *service_info(enum service_kind kind);
/* By key or name. */
bool service_kind_parse(struct str text, enum service_kind *ret_kind);

enum field_where { IN_PATH, IN_QUERY, IN_HEADER, IN_BODY, IN_EITHER };

/* Not data/type.h: what a request may hold, hence struct op_field and FIELD_. */
enum field_type {
    FIELD_STRING,
    FIELD_INT,
    FIELD_NUMBER,
    FIELD_BOOL,
    FIELD_ANY,
    FIELD_OBJECT,
    FIELD_ARRAY,
    FIELD_STRINGS,
    FIELD_STRING_MAP,
    FIELD_STRING_OR_OBJECT,
    FIELD_LIST, /* array of objects, see `shape` */
};

struct shape;

struct op_field {
    const char *name; /* NULL ends a list */
    enum field_where where;
    enum field_type type;
    bool required;
    const char *fallback; /* default as JSON text, or NULL */
    bool ranged;
    int64_t min, max;    /* of INT and NUMBER when ranged */
    const char *choices; /* "a|b|c" or NULL */
    const struct shape *shape;
    const char *help;
};

struct shape {
    const char *name;
    const char *help;
    const struct op_field *fields;
};

/* Each allows what those before it do. PERSON: whoever shows a token that is believed, also where
 * none is asked for; OPERATOR: an admin of the tenant that runs the place (TENANT_ID). */
enum permission {
    PERMISSION_NONE,
    PERMISSION_PERSON,
    PERMISSION_READ,
    PERMISSION_WRITE,
    PERMISSION_ADMIN,
    PERMISSION_OPERATOR,
};

/* A set of these in an operation, one of them in a request. */
enum body_kind { BODY_NONE = 0, BODY_JSON = 1, BODY_NDJSON = 2, BODY_CSV = 4, BODY_PARQUET = 8 };

enum operation_flags {
    OPERATION_RAW_BODY = 1,
    OPERATION_STREAM_BODY = 2,
    OPERATION_ENCODED_BODY = 4,
    OPERATION_SSE = 8,
    OPERATION_OPTIONAL_BODY = 16,
    OPERATION_QUEUED = 32,
    OPERATION_TRY_HERE = 64,
    OPERATION_SECRET_PATH = 128,
};

enum {
    OPERATION_BODY_MAX = 1 << 20, /* when the list says 0 */
    OPERATION_FIELDS_MAX = 32,
    OPERATION_PARAMS_MAX = 4, /* {params} in a path */
};

struct operation {
    enum service_kind service;
    const char *name;
    enum http_method method;
    const char *path;
    enum permission permission;
    const char *since;
    unsigned bodies; /* set of body_kind */
    unsigned flags;
    uint64_t body_max;
    const char *summary;
    const struct op_field *fields;
};

struct operation_alias {
    enum service_kind service;
    enum http_method method;
    const char *path;
    const char *name;
};

/* NULL past the end. */
const struct operation *operation_at(size_t index);
const struct operation_alias *operation_alias_at(size_t index);
const struct shape *shape_at(size_t index);
/* By name; operations of every service have no twin of the same name. NULL: none. */
const struct operation *operation_find(const char *name);
/* Index in fields, -1 when there is none. */
int field_find(const struct op_field *fields, struct str name);

const char *permission_name(enum permission permission);
/* "a string", "an integer" ...: for messages */
const char *field_type_name(const struct op_field *field);

#endif

/* record.h: the catalog's one shape of a stored thing, whatever its domain.
 *
 * Assets, relations between them, principals, grants, events, configuration, storage locations and
 * services are all records: some of the fields of record.def. That is what lets six back ends store
 * everything through one narrow contract (backend.h); what the fields mean is catalog.h's business.
 *
 * A struct record borrows all its texts. `record_field_info` is the list as a table: generic code
 * (JSON, SQL columns, filters) goes over it and never names a field. */
#ifndef QUARRY_CATALOG_RECORD_H
#define QUARRY_CATALOG_RECORD_H

#include "base/arena.h"
#include "base/json.h"
#include "base/status.h"
#include "base/str.h"

enum domain {
    DOMAIN_ASSET,
    DOMAIN_RELATION,
    DOMAIN_PRINCIPAL,
    DOMAIN_GRANT,
    DOMAIN_EVENT,
    DOMAIN_CONFIG,
    DOMAIN_LOCATION,
    DOMAIN_SERVICE,
    DOMAIN_COUNT
};

/* Name of a domain: one word in the plural ("assets"), as used for tables, folders, keys. */
const char *domain_name(enum domain domain);
bool domain_parse(struct str name, enum domain *ret);

enum {
    RECORD_LIST_MAX = 256, /* entries of a LIST */
    RECORD_TEXT_MAX = 65536,
    RECORD_JSON_MAX = 4 << 20,
};

struct str_list {
    struct str *items;
    uint32_t len;
};

enum record_field {
#define FIELD(type, member, json, domains, access, max) RECORD_##member,
#include "catalog/record.def"
#undef FIELD
    RECORD_FIELD_COUNT
};

enum record_type { RECORD_TEXT, RECORD_LIST, RECORD_JSON, RECORD_INT, RECORD_BOOL, RECORD_TIME };
enum record_access { ACCESS_FIXED, ACCESS_CREATE, ACCESS_FREE, ACCESS_STATE, ACCESS_SECRET };

typedef struct str record_text, record_json;
typedef struct str_list record_list;
typedef int64_t record_int, record_time;
typedef bool record_bool;

struct record {
    enum domain domain;
#define TEXT                                            record_text
#define LIST                                            record_list
#define JSON                                            record_json
#define INT                                             record_int
#define BOOL                                            record_bool
#define TIME                                            record_time
#define FIELD(type, member, json, domains, access, max) type member;
#include "catalog/record.def"
#undef FIELD
#undef TEXT
#undef LIST
#undef JSON
#undef INT
#undef BOOL
#undef TIME
};

struct record_field_info {
    const char *member; /* also the SQL column */
    const char *json;
    enum record_type type;
    enum record_access access;
    unsigned domains; /* bit 1 << domain */
    uint32_t max;
    size_t offset;
};

extern const struct record_field_info record_field_info[RECORD_FIELD_COUNT];

/* By JSON name or member, among the fields of the domain. */
bool record_field_find(enum domain domain, struct str name, enum record_field *ret);

static inline bool record_has_field(enum domain domain, enum record_field field)
{
    return record_field_info[field].domains >> domain & 1;
}

/* Untyped access; the field must be of the type. */
struct str *record_text_at(struct record *record, enum record_field field); /* TEXT, JSON */
struct str_list *record_list_at(struct record *record, enum record_field field);
bool *record_bool_at(struct record *record, enum record_field field);
int64_t *record_int_at(struct record *record, enum record_field field); /* INT, TIME */
struct str record_get_text(const struct record *record, enum record_field field);
const struct str_list *record_get_list(const struct record *record, enum record_field field);
/* INT, TIME, BOOL (0 or 1) */
int64_t record_get_int(const struct record *record, enum record_field field);

/* Deep copy into the arena. */
enum status record_copy(const struct record *from, struct arena *arena, struct record *ret,
                        struct error *err);
/* Same values in every stored field; JSON compared as bytes. */
bool record_equal(const struct record *a, const struct record *b);
/* SHA-free 64-bit hash over every stored field, the same on every back end and machine. */
uint64_t record_hash(const struct record *record);

/* Limits of record.def, UTF-8 without control characters (a description may have line ends), JSON
 * objects well-formed: STATUS_INVALID_ARGUMENT with the field named. What back ends may rely on. */
enum status record_check(const struct record *record, struct error *err);

/* Whole record: every field of the domain, "domain" first. `secrets` for storage, never for people:
 * else secret and key are left out. */
void record_write(struct json_writer *w, const struct record *record, bool secrets);
/* The members of record_write without begin and end of the object. */
void record_write_members(struct json_writer *w, const struct record *record, bool secrets);
/* Reads what record_write wrote; unknown members are skipped (a newer version's). */
enum status record_read(yyjson_val *object, struct arena *arena, struct record *ret,
                        struct error *err);
/* Takes one member of a patch over. STATUS_INVALID_ARGUMENT when the type is wrong. null clears. */
enum status record_set_json(struct record *record, enum record_field field, yyjson_val *value,
                            struct arena *arena, struct error *err);

#endif

/* record.c: the table of fields, copies, comparison, limits. */
#include "catalog/record.h"

#include "base/utf8.h"

static const char *const domain_names[DOMAIN_COUNT] = {
    [DOMAIN_ASSET] = "assets",         [DOMAIN_RELATION] = "relations",
    [DOMAIN_PRINCIPAL] = "principals", [DOMAIN_GRANT] = "grants",
    [DOMAIN_EVENT] = "events",         [DOMAIN_CONFIG] = "config",
    [DOMAIN_LOCATION] = "locations",   [DOMAIN_SERVICE] = "services",
};

enum domain_bit {
    ASSET = 1 << DOMAIN_ASSET,
    RELATION = 1 << DOMAIN_RELATION,
    PRINCIPAL = 1 << DOMAIN_PRINCIPAL,
    GRANT = 1 << DOMAIN_GRANT,
    EVENT = 1 << DOMAIN_EVENT,
    CONFIG = 1 << DOMAIN_CONFIG,
    LOCATION = 1 << DOMAIN_LOCATION,
    SERVICE = 1 << DOMAIN_SERVICE,
    ALL = (1 << DOMAIN_COUNT) - 1,
};

const struct record_field_info record_field_info[RECORD_FIELD_COUNT] = {
#define FIELD(type, member, json, domains, access, max)                                            \
    [RECORD_##member] = {#member,                                                                  \
                         json,                                                                     \
                         RECORD_##type,                                                            \
                         ACCESS_##access,                                                          \
                         domains,                                                                  \
                         max,                                                                      \
                         offsetof(struct record, member)},
#include "catalog/record.def"
#undef FIELD
};

const char *domain_name(enum domain domain)
{
    return domain_names[domain];
}

bool domain_parse(struct str name, enum domain *ret)
{
    for (int i = 0; i < DOMAIN_COUNT; i++) {
        if (!str_is(name, domain_names[i]))
            continue;
        *ret = (enum domain)i;
        return true;
    }
    return false;
}

bool record_field_find(enum domain domain, struct str name, enum record_field *ret)
{
    for (int i = 0; i < RECORD_FIELD_COUNT; i++) {
        const struct record_field_info *info = &record_field_info[i];
        if (!(info->domains >> domain & 1))
            continue;
        if (!str_is(name, info->json) && !str_is(name, info->member))
            continue;
        *ret = (enum record_field)i;
        return true;
    }
    return false;
}

static void *member_at(struct record *record, enum record_field field)
{
    return (char *)record + record_field_info[field].offset;
}

static const void *member_of(const struct record *record, enum record_field field)
{
    return (const char *)record + record_field_info[field].offset;
}

struct str *record_text_at(struct record *record, enum record_field field)
{
    return member_at(record, field);
}

struct str_list *record_list_at(struct record *record, enum record_field field)
{
    return member_at(record, field);
}

bool *record_bool_at(struct record *record, enum record_field field)
{
    return member_at(record, field);
}

int64_t *record_int_at(struct record *record, enum record_field field)
{
    return member_at(record, field);
}

struct str record_get_text(const struct record *record, enum record_field field)
{
    return *(const struct str *)member_of(record, field);
}

const struct str_list *record_get_list(const struct record *record, enum record_field field)
{
    return member_of(record, field);
}

int64_t record_get_int(const struct record *record, enum record_field field)
{
    if (record_field_info[field].type == RECORD_BOOL)
        return *(const bool *)member_of(record, field);
    return *(const int64_t *)member_of(record, field);
}

/* --- copies --- */

static enum status copy_text(struct str *text, struct arena *arena, struct error *err)
{
    if (!text->len) {
        *text = STR_NONE;
        return STATUS_OK;
    }
    *text = arena_str(arena, *text);
    return text->data ? STATUS_OK : error_no_memory(err);
}

static enum status copy_list(struct str_list *list, struct arena *arena, struct error *err)
{
    struct str *items = arena_array(arena, list->len, sizeof *items);
    if (!items)
        return error_no_memory(err);
    for (uint32_t i = 0; i < list->len; i++) {
        items[i] = list->items[i];
        TRY(copy_text(&items[i], arena, err));
    }
    list->items = items;
    return STATUS_OK;
}

enum status record_copy(const struct record *from, struct arena *arena, struct record *ret,
                        struct error *err)
{
    *ret = *from;
    for (int i = 0; i < RECORD_FIELD_COUNT; i++) {
        enum record_field field = (enum record_field)i;
        enum record_type type = record_field_info[i].type;
        if (type == RECORD_TEXT || type == RECORD_JSON)
            TRY(copy_text(record_text_at(ret, field), arena, err));
        else if (type == RECORD_LIST)
            TRY(copy_list(record_list_at(ret, field), arena, err));
    }
    return STATUS_OK;
}

/* --- comparison --- */

/* "" and "{}" are the same empty object. */
static struct str json_normal(struct str json)
{
    return json.len ? json : STR("{}");
}

static bool list_equal(const struct str_list *a, const struct str_list *b)
{
    if (a->len != b->len)
        return false;
    for (uint32_t i = 0; i < a->len; i++)
        if (!str_eq(a->items[i], b->items[i]))
            return false;
    return true;
}

static bool field_equal(const struct record *a, const struct record *b, enum record_field field)
{
    switch (record_field_info[field].type) {
    case RECORD_TEXT:
        return str_eq(record_get_text(a, field), record_get_text(b, field));
    case RECORD_JSON:
        return str_eq(json_normal(record_get_text(a, field)),
                      json_normal(record_get_text(b, field)));
    case RECORD_LIST:
        return list_equal(record_get_list(a, field), record_get_list(b, field));
    case RECORD_INT:
    case RECORD_BOOL:
    case RECORD_TIME:
        break;
    }
    return record_get_int(a, field) == record_get_int(b, field);
}

bool record_equal(const struct record *a, const struct record *b)
{
    if (a->domain != b->domain)
        return false;
    for (int i = 0; i < RECORD_FIELD_COUNT; i++)
        if (record_has_field(a->domain, (enum record_field)i) &&
            !field_equal(a, b, (enum record_field)i))
            return false;
    return true;
}

static uint64_t hash_step(uint64_t hash, struct str text)
{
    uint64_t pair[2] = {hash, str_hash(text)};
    return str_hash(str_make((const char *)pair, sizeof pair));
}

uint64_t record_hash(const struct record *record)
{
    uint64_t hash = (uint64_t)record->domain;
    for (int i = 0; i < RECORD_FIELD_COUNT; i++) {
        enum record_field field = (enum record_field)i;
        if (!record_has_field(record->domain, field))
            continue;
        enum record_type type = record_field_info[i].type;
        if (type == RECORD_TEXT) {
            hash = hash_step(hash, record_get_text(record, field));
        } else if (type == RECORD_JSON) {
            hash = hash_step(hash, json_normal(record_get_text(record, field)));
        } else if (type == RECORD_LIST) {
            const struct str_list *list = record_get_list(record, field);
            for (uint32_t at = 0; at < list->len; at++)
                hash = hash_step(hash, list->items[at]);
            hash = hash_step(hash, STR("]"));
        } else {
            int64_t number = record_get_int(record, field);
            hash = hash_step(hash, str_make((const char *)&number, sizeof number));
        }
    }
    return hash;
}

/* --- limits --- */

static enum status refuse(const struct record_field_info *info, struct str value, const char *why,
                          struct error *err)
{
    error_set(err, STATUS_INVALID_ARGUMENT, "%s %s", info->json, why);
    error_at_field(err, info->json, (uint32_t)strlen(info->json), value.data, (uint32_t)value.len);
    return STATUS_INVALID_ARGUMENT;
}

static bool has_control(struct str text, bool lines)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c == 0x7f || (c < 0x20 && !(lines && (c == '\n' || c == '\t' || c == '\r'))))
            return true;
    }
    return false;
}

static enum status check_text(const struct record_field_info *info, struct str text, bool lines,
                              struct error *err)
{
    if (text.len > info->max) {
        error_set(err, STATUS_INVALID_ARGUMENT, "%s has %zu bytes; at most %u are allowed",
                  info->json, text.len, (unsigned)info->max);
        error_at_field(err, info->json, (uint32_t)strlen(info->json), NULL, 0);
        return STATUS_INVALID_ARGUMENT;
    }
    if (!utf8_is_valid(text.data, text.len))
        return refuse(info, text, "is not valid UTF-8", err);
    if (has_control(text, lines))
        return refuse(info, text, "has a control character", err);
    return STATUS_OK;
}

static enum status check_list(const struct record_field_info *info, const struct str_list *list,
                              struct error *err)
{
    if (list->len > RECORD_LIST_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT, "%s has %u entries; at most %d are allowed",
                         info->json, (unsigned)list->len, RECORD_LIST_MAX);
    for (uint32_t i = 0; i < list->len; i++) {
        if (!list->items[i].len)
            return refuse(info, STR_NONE, "has an empty entry", err);
        TRY(check_text(info, list->items[i], false, err));
        for (uint32_t before = 0; before < i; before++)
            if (str_eq(list->items[before], list->items[i]))
                return refuse(info, list->items[i], "has an entry twice", err);
    }
    return STATUS_OK;
}

static enum status check_json(const struct record_field_info *info, struct str json,
                              struct error *err)
{
    if (!json.len)
        return STATUS_OK;
    if (json.len > info->max)
        return error_set(err, STATUS_INVALID_ARGUMENT, "%s has %zu bytes; at most %u are allowed",
                         info->json, json.len, (unsigned)info->max);
    if (json.data[0] != '{' || json.data[json.len - 1] != '}')
        return refuse(info, json, "is not a JSON object", err);
    return STATUS_OK;
}

enum status record_check(const struct record *record, struct error *err)
{
    for (int i = 0; i < RECORD_FIELD_COUNT; i++) {
        enum record_field field = (enum record_field)i;
        const struct record_field_info *info = &record_field_info[i];
        if (!record_has_field(record->domain, field))
            continue;
        if (info->type == RECORD_TEXT)
            TRY(check_text(info, record_get_text(record, field), field == RECORD_description, err));
        else if (info->type == RECORD_LIST)
            TRY(check_list(info, record_get_list(record, field), err));
        else if (info->type == RECORD_JSON)
            TRY(check_json(info, record_get_text(record, field), err));
        else if (record_get_int(record, field) < 0)
            return refuse(info, STR_NONE, "is below 0", err);
    }
    return STATUS_OK;
}

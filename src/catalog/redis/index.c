/* index.c: the names under which records are found.
 *
 * Every record is under its tenant; those with few of a kind also under the values of some fields.
 * A value is written with its length, so that no value can be taken for another's part. */
#include <stdio.h>

#include "catalog/redis/redis_int.h"

enum { NAMES_MAX = RECORD_LIST_MAX + 16, PROPERTY_TEXT_MAX = 200 };

/* Most telling first. */
static const enum record_field INDEXED[] = {RECORD_object, RECORD_subject, RECORD_name,
                                            RECORD_tags,   RECORD_owner,   RECORD_kind};
enum { INDEXED_LEN = sizeof INDEXED / sizeof *INDEXED };

static enum status tenant_name(struct str tenant, struct arena *arena, struct str *ret,
                               struct error *err)
{
    char *text = arena_printf(arena, "t:%.*s", STR_ARG(tenant));
    *ret = str_of(text);
    return text ? STATUS_OK : error_no_memory(err);
}

static enum status field_name(struct str tenant, enum record_field field, struct str value,
                              struct arena *arena, struct str *ret, struct error *err)
{
    char *text = arena_printf(arena, "f:%zu:%.*s:%s:%.*s", tenant.len, STR_ARG(tenant),
                              record_field_info[field].member, STR_ARG(value));
    *ret = str_of(text);
    return text ? STATUS_OK : error_no_memory(err);
}

/* --- members of JSON objects: only of assets --- */

/* Whether a scalar is filed: short ones of properties, and an asset's uuid. */
static bool is_filed(enum record_field field, struct str member, yyjson_val *value)
{
    if (field == RECORD_attributes && !(str_is(member, "uuid") && yyjson_is_str(value)))
        return false;
    return (yyjson_is_str(value) && yyjson_get_len(value) <= PROPERTY_TEXT_MAX) ||
           yyjson_is_bool(value) || yyjson_is_num(value);
}

/* Numbers by their nearest double: what is equal has one name; the evaluator tells the rest. */
static enum status member_name(struct str tenant, enum record_field field, struct str member,
                               yyjson_val *value, struct arena *arena, struct str *ret,
                               struct error *err)
{
    char number[40];
    struct str text = yyjson_is_str(value) ? json_str_of(value) : STR("");
    double real = yyjson_is_num(value) ? yyjson_get_num(value) : yyjson_get_bool(value);
    snprintf(number, sizeof number, "%c%.17g", yyjson_is_num(value) ? 'n' : 'b', real);
    char *name =
        arena_printf(arena, "%c:%zu:%.*s:%zu:%.*s:%s%.*s", field == RECORD_properties ? 'p' : 'a',
                     tenant.len, STR_ARG(tenant), member.len, STR_ARG(member),
                     yyjson_is_str(value) ? "s" : number, STR_ARG(text));
    *ret = str_of(name);
    return name ? STATUS_OK : error_no_memory(err);
}

static enum status add_members(const struct record *record, enum record_field field,
                               yyjson_val *object, struct arena *arena, struct str_list *names,
                               struct error *err)
{
    size_t at, max;
    yyjson_val *key, *value;
    yyjson_obj_foreach(object, at, max, key, value)
    {
        if (is_filed(field, json_str_of(key), value))
            TRY(member_name(record->tenant, field, json_str_of(key), value, arena,
                            &names->items[names->len++], err));
    }
    return STATUS_OK;
}

static enum status field_names(const struct record *record, struct arena *arena,
                               struct str_list *names, struct error *err)
{
    TRY(tenant_name(record->tenant, arena, &names->items[names->len++], err));
    for (int i = 0; i < INDEXED_LEN; i++) {
        enum record_field field = INDEXED[i];
        if (!record_has_field(record->domain, field))
            continue;
        if (record_field_info[field].type == RECORD_TEXT) {
            TRY(field_name(record->tenant, field, record_get_text(record, field), arena,
                           &names->items[names->len++], err));
            continue;
        }
        const struct str_list *list = record_get_list(record, field);
        for (uint32_t j = 0; j < list->len; j++)
            TRY(field_name(record->tenant, field, list->items[j], arena,
                           &names->items[names->len++], err));
    }
    return STATUS_OK;
}

enum status redis_index_names(const struct record *record, struct arena *arena,
                              struct str_list *ret, struct error *err)
{
    static const enum record_field fields[] = {RECORD_properties, RECORD_attributes};
    yyjson_doc *docs[2] = {NULL, NULL};
    size_t room = NAMES_MAX;
    for (int i = 0; i < 2 && record->domain == DOMAIN_ASSET; i++) {
        struct str json = record_get_text(record, fields[i]);
        docs[i] = yyjson_read(json.data, json.len, 0);
        room += yyjson_obj_size(yyjson_doc_get_root(docs[i]));
    }
    *ret = (struct str_list){arena_array(arena, room, sizeof *ret->items), 0};
    enum status status = ret->items ? field_names(record, arena, ret, err) : error_no_memory(err);
    for (int i = 0; i < 2; i++) {
        if (status == STATUS_OK)
            status = add_members(record, fields[i], yyjson_doc_get_root(docs[i]), arena, ret, err);
        yyjson_doc_free(docs[i]);
    }
    return status;
}

static bool fits(const struct match *match, enum record_field field)
{
    return match->field == field && match->values_len > 0 &&
           (match->op == MATCH_EQ || match->op == MATCH_HAS ||
            (match->op == MATCH_IN && match->values_len == 1));
}

/* *ret stays empty when the match is of no help. */
static enum status name_of_json(const struct record_query *query, const struct match *match,
                                struct arena *arena, struct str *ret, struct error *err)
{
    if (query->domain != DOMAIN_ASSET || match->op != MATCH_JSON)
        return STATUS_OK;
    yyjson_doc *doc = yyjson_read(match->json.data, match->json.len, 0);
    yyjson_val *value = yyjson_doc_get_root(doc);
    enum status status = STATUS_OK;
    if (is_filed(match->field, match->path, value))
        status = member_name(query->tenant, match->field, match->path, value, arena, ret, err);
    yyjson_doc_free(doc);
    return status;
}

enum status redis_index_of_query(const struct redis_backend *backend,
                                 const struct record_query *query, struct arena *arena,
                                 struct str *ret, struct error *err)
{
    *ret = STR_NONE;
    for (uint32_t j = 0; backend->files_members && j < query->matches_len && !ret->data; j++)
        TRY(name_of_json(query, &query->matches[j], arena, ret, err));
    if (ret->data)
        return STATUS_OK;
    for (int i = 0; i < INDEXED_LEN; i++)
        for (uint32_t j = 0; j < query->matches_len; j++)
            if (record_has_field(query->domain, INDEXED[i]) && fits(&query->matches[j], INDEXED[i]))
                return field_name(query->tenant, INDEXED[i], query->matches[j].values[0], arena,
                                  ret, err);
    return tenant_name(query->tenant, arena, ret, err);
}

/* index.c: the names under which records are found.
 *
 * Every record is under its tenant; those with few of a kind also under the values of some fields.
 * A value is written with its length, so that no value can be taken for another's part. */
#include "catalog/redis/redis_int.h"

enum { NAMES_MAX = RECORD_LIST_MAX + 16 };

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

enum status redis_index_names(const struct record *record, struct arena *arena,
                              struct str_list *ret, struct error *err)
{
    struct str *names = arena_array(arena, NAMES_MAX, sizeof *names);
    uint32_t len = 0;
    if (!names)
        return error_no_memory(err);
    TRY(tenant_name(record->tenant, arena, &names[len++], err));
    for (int i = 0; i < INDEXED_LEN; i++) {
        enum record_field field = INDEXED[i];
        if (!record_has_field(record->domain, field))
            continue;
        if (record_field_info[field].type == RECORD_TEXT) {
            TRY(field_name(record->tenant, field, record_get_text(record, field), arena,
                           &names[len++], err));
            continue;
        }
        const struct str_list *list = record_get_list(record, field);
        for (uint32_t j = 0; j < list->len; j++)
            TRY(field_name(record->tenant, field, list->items[j], arena, &names[len++], err));
    }
    *ret = (struct str_list){names, len};
    return STATUS_OK;
}

static bool fits(const struct match *match, enum record_field field)
{
    return match->field == field && match->values_len > 0 &&
           (match->op == MATCH_EQ || match->op == MATCH_HAS ||
            (match->op == MATCH_IN && match->values_len == 1));
}

enum status redis_index_of_query(const struct record_query *query, struct arena *arena,
                                 struct str *ret, struct error *err)
{
    for (int i = 0; i < INDEXED_LEN; i++)
        for (uint32_t j = 0; j < query->matches_len; j++)
            if (record_has_field(query->domain, INDEXED[i]) && fits(&query->matches[j], INDEXED[i]))
                return field_name(query->tenant, INDEXED[i], query->matches[j].values[0], arena,
                                  ret, err);
    return tenant_name(query->tenant, arena, ret, err);
}

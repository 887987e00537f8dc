/* composite_config.c: the composite indexes in a source's configuration: checks, copies, JSON. */
#include "storage/store_int.h"

enum status composites_check(const struct source_config *config, struct error *err)
{
    if (config->composites_len > SOURCE_COMPOSITES_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "a source has at most %d indexes over several columns",
                         SOURCE_COMPOSITES_MAX);
    for (uint32_t i = 0; i < config->composites_len; i++) {
        const struct composite_config *c = &config->composites[i];
        if (c->fields_len < 2 || c->fields_len > INDEX_FIELDS_MAX)
            return error_set(err, STATUS_INVALID_ARGUMENT,
                             "an index over several columns has 2 to %d of them", INDEX_FIELDS_MAX);
        for (uint32_t k = 0; k < c->fields_len; k++) {
            if (c->fields[k] < 1 || c->fields[k] >= FIELD_ID_STEP)
                return error_set(err, STATUS_INVALID_ARGUMENT,
                                 "an index over several columns names declared columns only");
            for (uint32_t j = 0; j < k; j++)
                if (c->fields[j] == c->fields[k])
                    return error_set(err, STATUS_INVALID_ARGUMENT,
                                     "an index over several columns names one of them twice");
        }
    }
    return STATUS_OK;
}

void composites_number(struct composite_config *list, uint32_t len, uint32_t *last)
{
    for (uint32_t i = 0; i < len; i++)
        if (list[i].number == 0)
            list[i].number = ++*last;
}

static struct composite_config *copy_list(struct arena *arena, const struct composite_config *list,
                                          uint32_t len)
{
    struct composite_config *copy = arena_array(arena, len + 1u, sizeof *copy);
    if (copy && len)
        memcpy(copy, list, len * sizeof *copy);
    return copy;
}

bool composites_copy(struct arena *arena, const struct source_config *from,
                     struct source_config *to)
{
    struct composite_config *list = copy_list(arena, from->composites, from->composites_len);
    if (!list)
        return false;
    composites_number(list, from->composites_len, &to->composites_last);
    to->composites = list;
    if (!from->declared_composites)
        return true;
    to->declared_composites =
        copy_list(arena, from->declared_composites, from->declared_composites_len);
    return to->declared_composites != NULL;
}

bool composite_same(const struct composite_config *a, const struct composite_config *b)
{
    return a->kind == b->kind && a->fields_len == b->fields_len &&
           memcmp(a->fields, b->fields, a->fields_len * sizeof *a->fields) == 0;
}

static bool same_lists(const struct composite_config *a, uint32_t a_len,
                       const struct composite_config *b, uint32_t b_len)
{
    if (a_len != b_len)
        return false;
    for (uint32_t i = 0; i < a_len; i++)
        if (!composite_same(&a[i], &b[i]))
            return false;
    return true;
}

bool composites_equal(const struct source_config *a, const struct source_config *b)
{
    return same_lists(a->composites, a->composites_len, b->composites, b->composites_len) ||
           (a->declared_composites && same_lists(a->declared_composites, a->declared_composites_len,
                                                 b->composites, b->composites_len));
}

bool composite_def(const struct composite_config *composite, const struct schema *schema,
                   struct index_def *ret, uint32_t *ret_places)
{
    *ret = (struct index_def){
        .id = index_id_composite(composite->number, composite->kind == INDEX_KIND_SORTED),
        .fields_len = composite->fields_len};
    for (uint32_t i = 0; i < composite->fields_len; i++) {
        uint32_t f = 0;
        while (f < schema->fields_len &&
               field_id_base(schema->fields[f].id) != composite->fields[i])
            f++;
        if (f == schema->fields_len)
            return false;
        ret->fields[i] = schema->fields[f].id;
        if (ret_places)
            ret_places[i] = f;
    }
    return true;
}

/* --- source.json --- */

static void write_list(struct json_writer *w, const char *key, const struct composite_config *list,
                       uint32_t len)
{
    json_keyz(w, key);
    json_begin_array(w);
    for (uint32_t i = 0; i < len; i++) {
        json_begin_object(w);
        json_kv_int(w, "number", list[i].number);
        json_kv_strz(w, "kind", list[i].kind == INDEX_KIND_SORTED ? "sorted" : "hash");
        json_keyz(w, "fields");
        json_begin_array(w);
        for (uint32_t k = 0; k < list[i].fields_len; k++)
            json_int(w, list[i].fields[k]);
        json_end_array(w);
        json_end_object(w);
    }
    json_end_array(w);
}

void composites_write(struct json_writer *w, const struct source_config *config)
{
    if (config->composites_last == 0)
        return;
    write_list(w, "composite_indexes", config->composites, config->composites_len);
    json_kv_int(w, "composite_indexes_last", config->composites_last);
    if (config->declared_composites)
        write_list(w, "declared_composite_indexes", config->declared_composites,
                   config->declared_composites_len);
}

static bool read_one(yyjson_val *json, struct composite_config *ret)
{
    size_t index, max;
    yyjson_val *fields = json_get(json, "fields"), *item;
    struct str kind = json_str_of(json_get(json, "kind"));
    ret->number = (uint32_t)yyjson_get_uint(json_get(json, "number"));
    ret->kind = str_is(kind, "sorted") ? INDEX_KIND_SORTED : INDEX_KIND_HASH;
    if (!yyjson_is_arr(fields) || yyjson_arr_size(fields) > INDEX_FIELDS_MAX || ret->number == 0 ||
        (ret->kind == INDEX_KIND_HASH && !str_is(kind, "hash")))
        return false;
    yyjson_arr_foreach(fields, index, max, item) ret->fields[ret->fields_len++] =
        (int32_t)yyjson_get_sint(item);
    return true;
}

static bool read_list(yyjson_val *json, struct arena *arena, const struct composite_config **ret,
                      uint32_t *ret_len)
{
    size_t index, max;
    yyjson_val *item;
    struct composite_config *list = arena_array(arena, yyjson_arr_size(json) + 1, sizeof *list);
    if (!list || !yyjson_is_arr(json))
        return false;
    yyjson_arr_foreach(json, index, max, item) if (!read_one(item, &list[index])) return false;
    *ret = list;
    *ret_len = (uint32_t)yyjson_arr_size(json);
    return true;
}

/* All members are absent where there never was one. */
bool composites_read(yyjson_val *root, struct arena *arena, struct source_config *config)
{
    yyjson_val *declared = json_get(root, "declared_composite_indexes");
    if (!json_get(root, "composite_indexes"))
        return !declared;
    config->composites_last = (uint32_t)yyjson_get_uint(json_get(root, "composite_indexes_last"));
    if (!read_list(json_get(root, "composite_indexes"), arena, &config->composites,
                   &config->composites_len))
        return false;
    for (uint32_t i = 0; i < config->composites_len; i++)
        if (config->composites[i].number > config->composites_last)
            return false;
    return !declared || read_list(declared, arena, &config->declared_composites,
                                  &config->declared_composites_len);
}

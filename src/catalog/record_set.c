/* record_set.c: tables sorted by id, hash tables of keys, queries by looking at every record. */
#include "catalog/record_set.h"

#include <stdlib.h>

/* --- records as one block --- */

static size_t texts_size(const struct record *record)
{
    size_t size = 0;
    for (int i = 0; i < RECORD_FIELD_COUNT; i++) {
        enum record_field field = (enum record_field)i;
        enum record_type type = record_field_info[i].type;
        if (type == RECORD_TEXT || type == RECORD_JSON) {
            size += record_get_text(record, field).len;
        } else if (type == RECORD_LIST) {
            const struct str_list *list = record_get_list(record, field);
            size += list->len * sizeof(struct str);
            for (uint32_t at = 0; at < list->len; at++)
                size += list->items[at].len;
        }
    }
    return size;
}

static struct str place_text(char **place, struct str text)
{
    struct str copy = {text.len ? *place : NULL, text.len};
    if (text.len)
        memcpy(*place, text.data, text.len);
    *place += text.len;
    return copy;
}

/* Lists first: they need alignment. */
struct record *record_clone(const struct record *from)
{
    struct record *to = malloc(sizeof *to + texts_size(from));
    if (!to)
        return NULL;
    *to = *from;
    struct str *items = (struct str *)(to + 1);
    for (int i = 0; i < RECORD_FIELD_COUNT; i++) {
        if (record_field_info[i].type != RECORD_LIST)
            continue;
        struct str_list *list = record_list_at(to, (enum record_field)i);
        if (list->len)
            memcpy(items, list->items, list->len * sizeof *items);
        list->items = list->len ? items : NULL;
        items += list->len;
    }
    char *place = (char *)items;
    for (int i = 0; i < RECORD_FIELD_COUNT; i++) {
        enum record_field field = (enum record_field)i;
        enum record_type type = record_field_info[i].type;
        if (type == RECORD_TEXT || type == RECORD_JSON) {
            *record_text_at(to, field) = place_text(&place, record_get_text(from, field));
        } else if (type == RECORD_LIST) {
            struct str_list *list = record_list_at(to, field);
            for (uint32_t at = 0; at < list->len; at++)
                list->items[at] = place_text(&place, list->items[at]);
        }
    }
    return to;
}

/* --- tables by id --- */

void record_set_init(struct record_set *set)
{
    *set = (struct record_set){0};
}

void record_set_release(struct record_set *set)
{
    for (int domain = 0; domain < DOMAIN_COUNT; domain++) {
        struct record_table *table = &set->tables[domain];
        for (uint32_t i = 0; i < table->len; i++)
            free(table->items[i]);
        free((void *)table->items);
        free((void *)table->keys);
    }
    *set = (struct record_set){0};
}

/* The first place whose id is not below `id`. Ids mostly grow: the end is looked at first. */
static uint32_t lower_bound(const struct record_table *table, struct str id)
{
    uint32_t low = 0, high = table->len;
    if (high && str_cmp(table->items[high - 1]->id, id) < 0)
        return high;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (str_cmp(table->items[middle]->id, id) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct record *record_set_get(const struct record_set *set, enum domain domain, struct str id)
{
    const struct record_table *table = &set->tables[domain];
    uint32_t at = lower_bound(table, id);
    return at < table->len && str_eq(table->items[at]->id, id) ? table->items[at] : NULL;
}

/* --- keys --- */

static bool has_live_key(const struct record *record)
{
    return record->key.len && !record->deleted_us;
}

static bool is_key(const struct record *record, struct str tenant, struct str key)
{
    return str_eq(record->key, key) && str_eq(record->tenant, tenant);
}

static uint32_t key_place(const struct record_table *table, struct str tenant, struct str key)
{
    uint64_t hash = str_hash(key) ^ str_hash(tenant) * 31;
    uint32_t at = (uint32_t)(hash & (table->keys_cap - 1));
    while (table->keys[at] && !is_key(table->keys[at], tenant, key))
        at = (at + 1) & (table->keys_cap - 1);
    return at;
}

static bool grow_keys(struct record_table *table)
{
    struct record_table grown = *table;
    grown.keys_cap = table->keys_cap ? table->keys_cap * 2 : 64;
    grown.keys = (struct record **)calloc(grown.keys_cap, sizeof(struct record *));
    if (!grown.keys)
        return false;
    for (uint32_t i = 0; i < table->keys_cap; i++)
        if (table->keys[i])
            grown.keys[key_place(&grown, table->keys[i]->tenant, table->keys[i]->key)] =
                table->keys[i];
    free((void *)table->keys);
    *table = grown;
    return true;
}

static bool add_key(struct record_table *table, struct record *record)
{
    if (2 * (table->keys_len + 1) > table->keys_cap && !grow_keys(table))
        return false;
    table->keys[key_place(table, record->tenant, record->key)] = record;
    table->keys_len++;
    return true;
}

/* Linear probing without tombstones: those behind the hole are put in anew. */
static void drop_key(struct record_table *table, const struct record *record)
{
    if (!table->keys_cap)
        return;
    uint32_t mask = table->keys_cap - 1, hole = key_place(table, record->tenant, record->key);
    if (table->keys[hole] != record)
        return;
    table->keys[hole] = NULL;
    table->keys_len--;
    for (uint32_t at = (hole + 1) & mask; table->keys[at]; at = (at + 1) & mask) {
        struct record *moved = table->keys[at];
        table->keys[at] = NULL;
        table->keys[key_place(table, moved->tenant, moved->key)] = moved;
    }
}

const struct record *record_set_find(const struct record_set *set, enum domain domain,
                                     struct str tenant, struct str key)
{
    const struct record_table *table = &set->tables[domain];
    if (!table->keys_cap || !key.len)
        return NULL;
    return table->keys[key_place(table, tenant, key)];
}

/* --- changes --- */

static bool make_room(struct record_table *table)
{
    if (table->len < table->cap)
        return true;
    uint32_t cap = table->cap ? table->cap * 2 : 64;
    struct record **items =
        (struct record **)realloc((void *)table->items, cap * sizeof(struct record *));
    if (!items)
        return false;
    table->items = items;
    table->cap = cap;
    return true;
}

enum status record_set_put(struct record_set *set, struct record *record, struct error *err)
{
    struct record_table *table = &set->tables[record->domain];
    uint32_t at = lower_bound(table, record->id);
    bool replaces = at < table->len && str_eq(table->items[at]->id, record->id);
    if (!replaces && !make_room(table)) {
        free(record);
        return error_no_memory(err);
    }
    if (replaces) {
        struct record *old = table->items[at];
        drop_key(table, old);
        free(old);
    } else {
        memmove((void *)&table->items[at + 1], (void *)&table->items[at],
                (table->len - at) * sizeof(struct record *));
        table->len++;
    }
    table->items[at] = record;
    if (has_live_key(record) && !add_key(table, record))
        return error_no_memory(err);
    return STATUS_OK;
}

void record_set_remove(struct record_set *set, enum domain domain, struct str id)
{
    struct record_table *table = &set->tables[domain];
    uint32_t at = lower_bound(table, id);
    if (at == table->len || !str_eq(table->items[at]->id, id))
        return;
    struct record *old = table->items[at];
    drop_key(table, old);
    memmove((void *)&table->items[at], (void *)&table->items[at + 1],
            (table->len - at - 1) * sizeof(struct record *));
    table->len--;
    free(old);
}

/* --- queries --- */

static int by_order(const void *a, const void *b, void *query)
{
    return query_compare(query, *(const struct record *const *)a, *(const struct record *const *)b);
}

enum status record_set_query(const struct record_set *set, const struct record_query *query,
                             struct arena *arena, struct record_page *ret, struct error *err)
{
    const struct record_table *table = &set->tables[query->domain];
    const struct record **found =
        (const struct record **)arena_array(arena, table->len, sizeof *found);
    struct cursor cursor = {0};
    uint32_t len = 0, total = 0;
    if (!found)
        return error_no_memory(err);
    if (query->cursor.len)
        TRY(cursor_read(query, arena, &cursor, err));
    for (uint32_t i = 0; i < table->len; i++) {
        if (!query_matches(query, table->items[i]))
            continue;
        total++;
        if (!query->cursor.len || cursor_before(query, &cursor, table->items[i]))
            found[len++] = table->items[i];
    }
    if (len)
        qsort_r((void *)found, len, sizeof *found, by_order, (void *)query);
    ret->len = len < query->limit ? len : query->limit;
    ret->total = query->count ? (int64_t)total : -1;
    ret->records = arena_array(arena, ret->len, sizeof *ret->records);
    if (!ret->records)
        return error_no_memory(err);
    for (uint32_t i = 0; i < ret->len; i++)
        TRY(record_copy(found[i], arena, &ret->records[i], err));
    if (len > query->limit)
        TRY(cursor_write(query, &ret->records[ret->len - 1], arena, &ret->next, err));
    return STATUS_OK;
}

enum status record_set_scan(const struct record_set *set, enum domain domain, struct str after,
                            uint32_t limit, struct arena *arena, struct record_page *ret,
                            struct error *err)
{
    const struct record_table *table = &set->tables[domain];
    uint32_t at = lower_bound(table, after);
    if (at < table->len && str_eq(table->items[at]->id, after))
        at++;
    ret->records = arena_array(arena, limit, sizeof *ret->records);
    if (!ret->records)
        return error_no_memory(err);
    for (; at < table->len && ret->len < limit; at++)
        TRY(record_copy(table->items[at], arena, &ret->records[ret->len++], err));
    return STATUS_OK;
}

/* --- groups --- */

struct grouping {
    const struct group_query *query;
    struct arena *arena;
    struct group_answer *answer;
    uint32_t cap;
};

static enum status group_row_for(struct grouping *g, struct str value, struct group_row **ret,
                                 struct error *err)
{
    struct group_answer *answer = g->answer;
    uint32_t low = 0, high = answer->len;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (str_cmp(answer->rows[middle].value, value) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *ret = &answer->rows[low];
    if (low < answer->len && str_eq(answer->rows[low].value, value))
        return STATUS_OK;
    if (answer->len == GROUP_ROWS_MAX)
        return error_set(err, STATUS_RESOURCE_LIMIT, "there are more than %d groups",
                         GROUP_ROWS_MAX);
    if (answer->len == g->cap) {
        g->cap = g->cap ? g->cap * 2 : 16;
        struct group_row *rows = arena_array(g->arena, g->cap, sizeof *rows);
        if (!rows)
            return error_no_memory(err);
        if (answer->len)
            memcpy(rows, answer->rows, answer->len * sizeof *rows);
        answer->rows = rows;
    }
    *ret = &answer->rows[low];
    memmove(*ret + 1, *ret, (answer->len - low) * sizeof **ret);
    answer->len++;
    **ret = (struct group_row){.value = arena_str(g->arena, value)};
    return (*ret)->value.data ? STATUS_OK : error_no_memory(err);
}

static enum status group_count(struct grouping *g, struct str value, const struct record *record,
                               struct error *err)
{
    struct group_row *row = NULL;
    TRY(group_row_for(g, value, &row, err));
    for (uint32_t i = 0; i < g->query->numbers_len; i++) {
        int64_t number = record_get_int(record, g->query->numbers[i]);
        row->sum[i] += number;
        row->min[i] = !row->count || number < row->min[i] ? number : row->min[i];
        row->max[i] = !row->count || number > row->max[i] ? number : row->max[i];
    }
    row->count++;
    return STATUS_OK;
}

static enum status group_record(struct grouping *g, const struct record *record, struct error *err)
{
    int by = g->query->by;
    if (by == GROUP_ALL)
        return group_count(g, STR(""), record, err);
    if (record_field_info[by].type == RECORD_TEXT)
        return group_count(g, record_get_text(record, (enum record_field)by), record, err);
    const struct str_list *list = record_get_list(record, (enum record_field)by);
    for (uint32_t i = 0; i < list->len; i++)
        TRY(group_count(g, list->items[i], record, err));
    return STATUS_OK;
}

enum status record_set_group(const struct record_set *set, const struct group_query *query,
                             struct arena *arena, struct group_answer *ret, struct error *err)
{
    const struct record_table *table = &set->tables[query->records.domain];
    struct grouping g = {.query = query, .arena = arena, .answer = ret};
    for (uint32_t i = 0; i < table->len; i++)
        if (query_matches(&query->records, table->items[i]))
            TRY(group_record(&g, table->items[i], err));
    if (query->by == GROUP_ALL && !ret->len) {
        struct group_row *row = NULL;
        TRY(group_row_for(&g, STR(""), &row, err));
    }
    return STATUS_OK;
}

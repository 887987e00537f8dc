/* read.c: one record, all records in the order of their ids, and what a row says. */
#include <stdlib.h>

#include "catalog/postgres/postgres_int.h"

struct str pg_value_text(const PGresult *result, int row, int column)
{
    return str_make(PQgetvalue(result, row, column), (size_t)PQgetlength(result, row, column));
}

int64_t pg_value_int(const PGresult *result, int row, int column)
{
    int64_t number = 0;
    (void)str_to_int64(pg_value_text(result, row, column), &number);
    return number;
}

static enum status read_text(struct str text, struct arena *arena, struct str *ret,
                             struct error *err)
{
    *ret = STR_NONE;
    if (!text.len)
        return STATUS_OK;
    *ret = arena_str(arena, text);
    return ret->data ? STATUS_OK : error_no_memory(err);
}

/* Lists come as JSON arrays; "[]" in nearly all rows: not worth a parser. */
static enum status read_list(struct str text, struct arena *arena, struct str_list *ret,
                             struct error *err)
{
    *ret = (struct str_list){NULL, 0};
    if (text.len <= 2)
        return STATUS_OK;
    yyjson_doc *doc = yyjson_read(text.data, text.len, 0);
    yyjson_val *array = yyjson_doc_get_root(doc), *item;
    struct str *items = arena_array(arena, yyjson_arr_size(array) + 1, sizeof *items);
    enum status status = items ? STATUS_OK : error_no_memory(err);
    size_t i, len;
    yyjson_arr_foreach(array, i, len, item) if (status == STATUS_OK) status =
        read_text(json_str_of(item), arena, &items[i], err);
    *ret = (struct str_list){items, (uint32_t)yyjson_arr_size(array)};
    yyjson_doc_free(doc);
    return status;
}

enum status pg_row_read(const PGresult *result, int row, enum domain domain, struct arena *arena,
                        struct record *ret, struct error *err)
{
    int at = 0;
    *ret = (struct record){.domain = domain};
    for (int i = 0; i < RECORD_FIELD_COUNT; i++) {
        enum record_field field = (enum record_field)i;
        enum record_type type = record_field_info[i].type;
        if (!record_has_field(domain, field))
            continue;
        if (type == RECORD_TEXT || type == RECORD_JSON)
            TRY(read_text(pg_value_text(result, row, at), arena, record_text_at(ret, field), err));
        else if (type == RECORD_LIST)
            TRY(read_list(pg_value_text(result, row, at), arena, record_list_at(ret, field), err));
        else if (type == RECORD_BOOL)
            *record_bool_at(ret, field) = str_is(pg_value_text(result, row, at), "t");
        else
            *record_int_at(ret, field) = pg_value_int(result, row, at);
        at++;
    }
    return STATUS_OK;
}

static enum status select_rows(struct postgres_backend *backend, enum domain domain,
                               const char *condition, const struct pg_parameters *parameters,
                               uint32_t limit, struct arena *arena, struct record_page *ret,
                               struct error *err)
{
    struct pg_connection *connection = NULL;
    PGresult *result = NULL;
    char *sql = arena_printf(arena, "SELECT %s FROM %s AS r WHERE %s", backend->columns[domain],
                             domain_name(domain), condition);
    ret->records = arena_array(arena, limit, sizeof *ret->records);
    if (!sql || !ret->records)
        return error_no_memory(err);
    TRY(pg_take(backend, &connection, err));
    enum status status = pg_select(backend, &connection, str_of(sql), parameters, &result, err);
    for (int row = 0; status == STATUS_OK && row < PQntuples(result) && ret->len < limit; row++)
        status = pg_row_read(result, row, domain, arena, &ret->records[ret->len++], err);
    PQclear(result);
    pg_give(backend, connection);
    return status;
}

static enum status select_one(struct backend *backend, enum domain domain, const char *condition,
                              struct str first, struct str second, struct arena *arena,
                              struct record *ret, struct error *err)
{
    struct pg_parameters *parameters = ARENA_NEW(arena, struct pg_parameters);
    struct record_page page = {0};
    if (!parameters)
        return error_no_memory(err);
    parameters->arena = arena;
    pg_add_text(parameters, first);
    pg_add_text(parameters, second);
    TRY(select_rows((struct postgres_backend *)backend, domain, condition, parameters, 1, arena,
                    &page, err));
    if (page.len == 0)
        return error_set(err, STATUS_NOT_FOUND, "the record does not exist");
    *ret = page.records[0];
    return STATUS_OK;
}

enum status postgres_get(struct backend *backend, enum domain domain, struct str tenant,
                         struct str id, struct arena *arena, struct record *ret, struct error *err)
{
    return select_one(backend, domain, "r.id=$1 AND r.tenant=$2", id, tenant, arena, ret, err);
}

enum status postgres_find(struct backend *backend, enum domain domain, struct str tenant,
                          struct str key, struct arena *arena, struct record *ret,
                          struct error *err)
{
    return select_one(backend, domain, "r.tenant=$1 AND r.key=$2 AND r.key<>'' AND r.deleted_us=0",
                      tenant, key, arena, ret, err);
}

enum status postgres_scan(struct backend *backend, enum domain domain, struct str after,
                          uint32_t limit, struct arena *arena, struct record_page *ret,
                          struct error *err)
{
    struct pg_parameters *parameters = ARENA_NEW(arena, struct pg_parameters);
    if (!parameters)
        return error_no_memory(err);
    parameters->arena = arena;
    pg_add_text(parameters, after);
    pg_add_number(parameters, limit);
    return select_rows((struct postgres_backend *)backend, domain, "r.id>$1 ORDER BY r.id LIMIT $2",
                       parameters, limit, arena, ret, err);
}

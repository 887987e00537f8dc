/* verify.c: what the server keeps by itself is its business; ours are the words, which are made
 * here, and the JSON texts. */
#include <stdlib.h>

#include "catalog/postgres/postgres_int.h"

enum { PAGE = 200 };

static enum status check_words(struct postgres_backend *backend, struct pg_connection **connection,
                               const struct record *asset, backend_fault_fn fault, void *context,
                               struct arena *arena, struct error *err)
{
    struct pg_parameters *parameters = ARENA_NEW(arena, struct pg_parameters);
    PGresult *result = NULL;
    if (!parameters)
        return error_no_memory(err);
    parameters->arena = arena;
    pg_add_text(parameters, asset->id);
    pg_add_words(parameters, asset);
    TRY(pg_select(
        backend, connection,
        STR("SELECT words=array_to_tsvector(array_remove($2::text[],'')) FROM assets WHERE id=$1"),
        parameters, &result, err));
    bool right = PQntuples(result) == 0 || str_is(pg_value_text(result, 0, 0), "t");
    char *text = right ? NULL
                       : arena_printf(arena, "the search words of asset %.*s are not its own",
                                      STR_ARG(asset->id));
    if (text)
        fault(context, text);
    PQclear(result);
    return STATUS_OK;
}

static enum status check_page(struct postgres_backend *backend, const struct record_page *page,
                              backend_fault_fn fault, void *context, struct arena *arena,
                              struct error *err)
{
    struct pg_connection *connection = NULL;
    TRY(pg_take(backend, &connection, err));
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < page->len && status == STATUS_OK; i++)
        status = check_words(backend, &connection, &page->records[i], fault, context, arena, err);
    pg_give(backend, connection);
    return status;
}

enum status postgres_verify(struct backend *base, backend_fault_fn fault, void *context,
                            struct error *err)
{
    char after[64] = "";
    enum status status = STATUS_OK;
    bool more = true;
    while (more && status == STATUS_OK) {
        struct record_page page = {0};
        struct arena arena;
        arena_init(&arena, 0);
        status = postgres_scan(base, DOMAIN_ASSET, str_of(after), PAGE, &arena, &page, err);
        if (status == STATUS_OK)
            status =
                check_page((struct postgres_backend *)base, &page, fault, context, &arena, err);
        more = page.len == PAGE;
        if (page.len > 0) {
            struct str id = page.records[page.len - 1].id;
            memcpy(after, id.data, id.len);
            after[id.len] = '\0';
        }
        arena_release(&arena);
    }
    return status;
}

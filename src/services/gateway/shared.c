/* shared.c: tokens taken back, told to the gateways of other machines through the catalog.
 *
 * Where CATALOG_URL names a catalog that others may share, each revocation is also a principal of
 * kind "revoked" of the own tenant, named by the token's (family's, group's) id, until it would
 * have expired. The upkeep of every gateway takes those of the last minute and more into its own
 * machine's list (service/revocations.h), and removes what has expired. */
#include "services/gateway/gateway_int.h"

/* How far clocks of two machines, or a commit's time and its being seen, may lie apart. */
#define OVERLAP_US INT64_C(120000000)
enum { PAGE = 500 };

enum status shared_revoke(struct gateway *gateway, struct str id, int64_t until_s,
                          struct error *err)
{
    struct caller self = gateway_caller(str_of(gateway->options.tenant));
    struct record made, draft = {.domain = DOMAIN_PRINCIPAL,
                                 .kind = STR("revoked"),
                                 .name = id,
                                 .expires_us = until_s * 1000000,
                                 .attributes = STR("{}")};
    struct arena arena;
    if (!gateway->options.shares_catalog)
        return STATUS_OK;
    arena_init(&arena, 1 << 20);
    enum status status = entry_create(gateway->options.catalog, &self, &draft, &arena, &made, err);
    arena_release(&arena);
    return status == STATUS_CONFLICT ? STATUS_OK : status; /* somebody was faster */
}

static enum status query(struct gateway *gateway, enum record_field field, enum match_op op,
                         int64_t time_us, struct str cursor, struct arena *arena,
                         struct record_page *ret, struct error *err)
{
    struct caller self = gateway_caller(str_of(gateway->options.tenant));
    struct str kind = STR("revoked");
    const struct match matches[] = {
        {.field = RECORD_kind, .op = MATCH_EQ, .values = &kind, .values_len = 1},
        {.field = field, .op = op, .number = time_us}};
    struct record_query query = {.domain = DOMAIN_PRINCIPAL,
                                 .matches = matches,
                                 .matches_len = 2,
                                 .order = RECORD_name,
                                 .cursor = cursor,
                                 .limit = PAGE};
    return entry_query(gateway->options.catalog, &self, &query, arena, ret, err);
}

static enum status take_page(struct gateway *gateway, const struct record_page *page,
                             struct error *err)
{
    for (uint32_t i = 0; i < page->len; i++)
        if (!verifier_has_revoked(gateway->options.verifier, page->records[i].name))
            TRY(revocations_add(gateway->options.revocations, page->records[i].name,
                                page->records[i].expires_us / 1000000, err));
    return STATUS_OK;
}

static enum status take_new(struct gateway *gateway, struct error *err)
{
    int64_t now_us = sys_now_us(gateway->sys);
    struct str cursor = STR("");
    struct record_page page;
    struct arena arena;
    enum status status;
    arena_init(&arena, 256 << 20);
    do {
        status = query(gateway, RECORD_created_us, MATCH_GTE, gateway->heard_us - OVERLAP_US,
                       cursor, &arena, &page, err);
        if (status == STATUS_OK)
            status = take_page(gateway, &page, err);
        cursor = status == STATUS_OK ? page.next : STR("");
    } while (cursor.len > 0);
    arena_release(&arena);
    if (status == STATUS_OK)
        gateway->heard_us = now_us;
    return status;
}

/* A page at a time: the next upkeep goes on. */
static enum status remove_expired(struct gateway *gateway, struct error *err)
{
    struct caller self = gateway_caller(str_of(gateway->options.tenant));
    struct record_page page;
    struct arena arena;
    arena_init(&arena, 16 << 20);
    enum status status = query(gateway, RECORD_expires_us, MATCH_LT, sys_now_us(gateway->sys),
                               STR(""), &arena, &page, err);
    for (uint32_t i = 0; status == STATUS_OK && i < page.len; i++) {
        status = entry_remove(gateway->options.catalog, &self, DOMAIN_PRINCIPAL, page.records[i].id,
                              err);
        if (status == STATUS_NOT_FOUND)
            status = STATUS_OK; /* another gateway did it */
    }
    arena_release(&arena);
    return status;
}

enum status shared_upkeep(struct gateway *gateway, struct error *err)
{
    if (!gateway->options.shares_catalog)
        return STATUS_OK;
    TRY(take_new(gateway, err));
    return remove_expired(gateway, err);
}

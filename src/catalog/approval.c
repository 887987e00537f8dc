#include "catalog/approval.h"

#include "catalog/catalog_int.h"

#define DAY_US (INT64_C(86400) * 1000000)

static const struct str OPEN = STR("open");

enum status approvals_open(struct catalog *catalog, const struct record *asset, struct arena *arena,
                           struct record_page *ret, struct error *err)
{
    static const struct str kinds[] = {STR("approval"), STR("notice")};
    const struct match matches[] = {
        {.field = RECORD_object, .op = MATCH_EQ, .values = &asset->id, .values_len = 1},
        {.field = RECORD_kind, .op = MATCH_IN, .values = kinds, .values_len = 2},
        {.field = RECORD_lifecycle, .op = MATCH_EQ, .values = &OPEN, .values_len = 1}};
    struct record_query query = {.domain = DOMAIN_EVENT,
                                 .tenant = asset->tenant,
                                 .matches = matches,
                                 .matches_len = 3,
                                 .limit = APPROVALS_MAX};
    return backend_query(catalog->backend, &query, arena, ret, err);
}

/* --- what a step lacks --- */

static bool counts(const struct record *approval, const struct record *asset,
                   const struct caller *caller, const struct step_needs *needs)
{
    return str_is(approval->kind, "approval") && approval->row_count == asset->revision &&
           !str_eq(approval->subject, asset->owner) &&
           !str_eq(approval->subject, caller->principal) &&
           (!needs->security || str_is(approval->namespace, "security"));
}

unsigned step_lacks(const struct step_needs *needs, const struct record_page *open,
                    const struct record *asset, const struct caller *caller, struct str to,
                    int64_t now_us)
{
    unsigned lacks =
        (needs->approval ? LACKS_APPROVAL : 0) | (needs->notice_days ? LACKS_NOTICE : 0);
    for (uint32_t i = 0; i < open->len; i++) {
        const struct record *one = &open->records[i];
        if (!str_eq(one->name, to))
            continue;
        if (counts(one, asset, caller, needs))
            lacks &= ~(unsigned)LACKS_APPROVAL;
        if (str_is(one->kind, "notice") && one->created_us + needs->notice_days * DAY_US <= now_us)
            lacks &= ~(unsigned)LACKS_NOTICE;
    }
    return lacks;
}

int64_t notice_due_us(const struct record *notice, struct str from)
{
    struct step_needs needs;
    bool announced = str_is(notice->kind, "notice") &&
                     lifecycle_step(from, notice->name, &needs, NULL) == STATUS_OK;
    return announced ? notice->created_us + needs.notice_days * DAY_US : 0;
}

/* --- adding --- */

static bool speaks_for_security(const struct caller *caller)
{
    for (uint32_t i = 0; i < caller->roles_len; i++)
        if (str_is(caller->roles[i], "security"))
            return true;
    return caller->admin;
}

static enum status add(struct catalog *catalog, const struct caller *caller,
                       const struct record *asset, struct record *event, struct arena *arena,
                       struct error *err)
{
    struct record_page open;
    TRY(approvals_open(catalog, asset, arena, &open, err));
    if (open.len == APPROVALS_MAX)
        return error_set(err, STATUS_RESOURCE_LIMIT,
                         "%d approvals and notices are open: withdraw some", APPROVALS_MAX);
    event->object = asset->id;
    event->lifecycle = OPEN;
    event->success = true;
    return event_append(catalog, caller, event, 1, arena, err);
}

enum status approval_add(struct catalog *catalog, const struct caller *caller, struct str id,
                         struct str to, struct str comment, struct arena *arena, struct record *ret,
                         struct error *err)
{
    struct record asset;
    struct step_needs needs;
    TRY(asset_open(catalog, caller, id, RIGHT_READ, "approval.add", arena, &asset, err));
    TRY(lifecycle_step(asset.lifecycle, to, &needs, err));
    if (str_eq(asset.owner, caller->principal))
        return error_set(err, STATUS_FORBIDDEN,
                         "LC004: the owner cannot approve: somebody else has to");
    *ret =
        (struct record){.kind = STR("approval"),
                        .name = to,
                        .namespace = speaks_for_security(caller) ? STR("security") : STR("review"),
                        .description = comment,
                        .row_count = asset.revision};
    return add(catalog, caller, &asset, ret, arena, err);
}

enum status notice_add(struct catalog *catalog, const struct caller *caller, struct str id,
                       struct str to, struct str reason, struct arena *arena, struct record *ret,
                       struct error *err)
{
    struct record asset;
    struct step_needs needs;
    TRY(asset_open(catalog, caller, id, RIGHT_READ, "notice.add", arena, &asset, err));
    TRY(lifecycle_step(asset.lifecycle, to, &needs, err));
    TRY(permission_check(catalog, caller, &asset, needs.permission, err));
    *ret = (struct record){.kind = STR("notice"), .name = to, .description = reason};
    return add(catalog, caller, &asset, ret, arena, err);
}

/* --- looking, withdrawing --- */

enum status approval_list(struct catalog *catalog, const struct caller *caller, struct str id,
                          struct arena *arena, struct record_page *ret, struct error *err)
{
    struct record asset;
    TRY(asset_open(catalog, caller, id, RIGHT_READ, "approval.list", arena, &asset, err));
    return approvals_open(catalog, &asset, arena, ret, err);
}

static enum status withdraw(struct catalog *catalog, const struct caller *caller,
                            const struct record *asset, struct str id, struct arena *arena,
                            struct error *err)
{
    struct record_page open;
    TRY(approvals_open(catalog, asset, arena, &open, err));
    for (uint32_t i = 0; i < open.len; i++) {
        struct record *one = &open.records[i];
        if (!str_eq(one->id, id))
            continue;
        if (!str_eq(one->subject, caller->principal))
            TRY(permission_check(catalog, caller, asset, RIGHT_ADMIN, err));
        struct change change = approval_close(one, "withdrawn", sys_now_us(catalog->sys));
        return commit_audited(catalog, caller, "approval.withdraw", asset, STR_NONE, &change, 1,
                              arena, NULL, err);
    }
    return error_set(err, STATUS_NOT_FOUND, "the asset has no open approval or notice '%.*s'",
                     STR_ARG(id));
}

enum status approval_withdraw(struct catalog *catalog, const struct caller *caller,
                              struct str asset_id, struct str id, struct error *err)
{
    struct arena arena;
    struct record asset;
    arena_init(&arena, 0);
    enum status status =
        asset_open(catalog, caller, asset_id, RIGHT_READ, "approval.withdraw", &arena, &asset, err);
    if (status == STATUS_OK)
        status = withdraw(catalog, caller, &asset, id, &arena, err);
    arena_release(&arena);
    return status;
}

struct change approval_close(struct record *event, const char *how, int64_t now_us)
{
    int64_t expected = event->revision;
    event->lifecycle = str_of(how);
    event->revision++;
    event->updated_us = now_us;
    return (struct change){.kind = CHANGE_UPDATE, .expected = expected, .record = event};
}

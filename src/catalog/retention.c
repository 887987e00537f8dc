/* retention.c: see retention.h. */
#include "catalog/retention.h"

#include <stdlib.h>

#include "catalog/catalog_int.h"

enum { PAGES_OF_FILE = 50, DAY_S = 86400, SCAN_PAGE = 500 };

/* --- one tenant --- */

/* Old events but those that tell what is gone, and approvals and notices that still count. */
static enum status old_events(struct catalog *catalog, const struct caller *caller,
                              int64_t before_us, struct str cursor, struct arena *arena,
                              struct record_page *ret, struct error *err)
{
    static const struct str kept[] = {STR("asset.purge"), STR("retention.run"), STR("open")};
    const struct match matches[] = {
        {.field = RECORD_created_us, .op = MATCH_LT, .number = before_us},
        {.field = RECORD_name, .op = MATCH_NE, .values = &kept[0], .values_len = 1},
        {.field = RECORD_name, .op = MATCH_NE, .values = &kept[1], .values_len = 1},
        {.field = RECORD_lifecycle, .op = MATCH_NE, .values = &kept[2], .values_len = 1}};
    struct record_query query = {.domain = DOMAIN_EVENT,
                                 .tenant = caller->tenant,
                                 .matches = matches,
                                 .matches_len = 4,
                                 .cursor = cursor,
                                 .limit = QUERY_LIMIT_MAX};
    return backend_query(catalog->backend, &query, arena, ret, err);
}

/* A file's worth of events, in one array. */
static enum status gather(struct catalog *catalog, const struct caller *caller, int64_t before_us,
                          struct arena *arena, struct record **ret, uint32_t *ret_len,
                          struct error *err)
{
    struct record *events = arena_array(arena, PAGES_OF_FILE * QUERY_LIMIT_MAX, sizeof *events);
    struct str cursor = STR_NONE;
    *ret = events;
    *ret_len = 0;
    if (!events)
        return error_no_memory(err);
    for (int i = 0; i < PAGES_OF_FILE && (i == 0 || cursor.len); i++) {
        struct record_page page;
        TRY(old_events(catalog, caller, before_us, cursor, arena, &page, err));
        if (page.len)
            memcpy(events + *ret_len, page.records, page.len * sizeof *events);
        *ret_len += page.len;
        cursor = page.next;
    }
    return STATUS_OK;
}

/* Another run may have been faster: what is gone is gone. */
static enum status remove_events(struct catalog *catalog, const struct record *events, uint32_t len,
                                 int64_t *removed, struct error *err)
{
    struct change changes[QUERY_LIMIT_MAX];
    for (uint32_t first = 0; first < len; first += QUERY_LIMIT_MAX) {
        uint32_t count = len - first < QUERY_LIMIT_MAX ? len - first : QUERY_LIMIT_MAX;
        for (uint32_t i = 0; i < count; i++)
            changes[i] = (struct change){.kind = CHANGE_REMOVE, .record = &events[first + i]};
        enum status status = backend_commit(catalog->backend, changes, count, NULL, err);
        for (uint32_t i = 0; status == STATUS_CONFLICT && i < count; i++) {
            enum status one = backend_commit(catalog->backend, &changes[i], 1, NULL, err);
            if (one != STATUS_CONFLICT)
                TRY(one);
        }
        if (status != STATUS_CONFLICT)
            TRY(status);
        *removed += count;
    }
    return STATUS_OK;
}

static enum status one_file(struct catalog *catalog, const struct caller *caller,
                            const struct retention *retention, struct retention_result *ret,
                            uint32_t *ret_len, struct error *err)
{
    struct arena arena;
    struct record *events = NULL;
    arena_init(&arena, 0);
    enum status status =
        gather(catalog, caller, retention->before_us, &arena, &events, ret_len, err);
    if (status == STATUS_OK && *ret_len && retention->archive) {
        status = log_archive_write(catalog->sys, retention->archive, events, *ret_len, err);
        ret->files += status == STATUS_OK;
    }
    if (status == STATUS_OK && *ret_len)
        status = remove_events(catalog, events, *ret_len, &ret->removed, err);
    arena_release(&arena);
    return status;
}

static enum status tell(struct catalog *catalog, const struct caller *caller,
                        const struct retention_result *result, struct error *err)
{
    struct arena arena;
    struct record event = {.kind = STR("audit"),
                           .namespace = STR("event"),
                           .name = STR("retention.run"),
                           .success = true};
    arena_init(&arena, 0);
    event.attributes =
        str_of(arena_printf(&arena, "{\"details\":{\"deleted\":%lld,\"archive_files\":%lld}}",
                            (long long)result->removed, (long long)result->files));
    enum status status = event.attributes.data
                             ? event_append(catalog, caller, &event, 1, &arena, err)
                             : error_no_memory(err);
    arena_release(&arena);
    return status;
}

enum status retention_run(struct catalog *catalog, const struct caller *caller,
                          const struct retention *retention, struct retention_result *ret,
                          struct error *err)
{
    uint32_t len = 0;
    *ret = (struct retention_result){0};
    if (!caller->admin)
        return error_set(err, STATUS_FORBIDDEN, "only an admin of the tenant removes its logs");
    do {
        TRY(one_file(catalog, caller, retention, ret, &len, err));
    } while (len);
    return ret->removed ? tell(catalog, caller, ret, err) : STATUS_OK;
}

/* --- what settings say --- */

enum status retention_rule(struct catalog *catalog, const struct caller *caller,
                           struct arena *arena, struct retention_rule *ret, struct error *err)
{
    struct str days, action;
    TRY(setting_get(catalog, caller, "data_retention_days", "90", arena, &days, err));
    TRY(setting_get(catalog, caller, "data_retention_action", "archive", arena, &action, err));
    if (!str_to_int64(days, &ret->days) || ret->days < 0 || ret->days > 36500)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "the setting data_retention_days is '%.*s', it must be 0 to 36500",
                         STR_ARG(days));
    if (!str_is(action, "archive") && !str_is(action, "delete"))
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "the setting data_retention_action is '%.*s', it must be archive or "
                         "delete",
                         STR_ARG(action));
    ret->archive = str_is(action, "archive");
    return STATUS_OK;
}

enum status retention_folder(const char *folder, struct str tenant, char out[SYS_PATH_MAX],
                             struct error *err)
{
    char name[3 * 128 + 1];
    size_t len = 0;
    for (size_t i = 0; i < tenant.len && len + 4 < sizeof name; i++) {
        unsigned char c = (unsigned char)tenant.data[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '-' || c == '_';
        len += (size_t)snprintf(name + len, sizeof name - len, plain ? "%c" : "%%%02X", c);
    }
    return sys_path(out, err, "%s/%.*s", folder, (int)len, name);
}

/* --- all tenants --- */

static enum status run_tenant(struct catalog *catalog, const char *folder, struct str tenant,
                              struct error *err)
{
    const struct caller caller = {.tenant = tenant, .principal = STR("system"), .admin = true};
    char archive[SYS_PATH_MAX];
    struct retention_rule rule;
    struct retention_result result;
    struct arena arena;
    arena_init(&arena, 0);
    enum status status = retention_rule(catalog, &caller, &arena, &rule, err);
    arena_release(&arena);
    TRY(status);
    if (!rule.days)
        return STATUS_OK;
    TRY(retention_folder(folder, tenant, archive, err));
    struct retention retention = {.before_us = sys_now_us(catalog->sys) -
                                               rule.days * DAY_S * INT64_C(1000000),
                                  .archive = rule.archive ? archive : NULL};
    return retention_run(catalog, &caller, &retention, &result, err);
}

/* Each tenant has settings of its own from its first day on (defaults.c). A tenant that fails does
 * not hold up the others; the first failure is returned. */
enum status retention_run_all(struct catalog *catalog, const char *folder, struct error *err)
{
    char after[64] = "";
    struct error own = ERROR_INIT;
    enum status first = STATUS_OK;
    uint32_t len = SCAN_PAGE;
    while (len == SCAN_PAGE) {
        struct arena arena;
        struct record_page page = {0};
        arena_init(&arena, 0);
        enum status status = backend_scan(catalog->backend, DOMAIN_CONFIG, str_of(after), SCAN_PAGE,
                                          &arena, &page, &own);
        for (uint32_t i = 0; status == STATUS_OK && i < page.len; i++) {
            const struct record *config = &page.records[i];
            memcpy(after, config->id.data, config->id.len);
            after[config->id.len] = 0;
            if (!str_is(config->name, "data_retention_days") || config->deleted_us)
                continue;
            enum status one = run_tenant(catalog, folder, config->tenant, &own);
            if (one != STATUS_OK && first == STATUS_OK) {
                first = one;
                if (err)
                    *err = own;
            }
        }
        len = page.len;
        arena_release(&arena);
        if (status != STATUS_OK) {
            if (err)
                *err = own;
            return status;
        }
    }
    return first;
}

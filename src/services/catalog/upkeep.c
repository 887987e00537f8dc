/* upkeep.c: what the catalog does by itself: old logs leave it as each tenant's settings say, and
 * its journal is cut. At the start and every CATALOG_UPKEEP_MINUTES; POST /retention does a
 * tenant's part at once. */
#include "base/log.h"
#include "catalog/journal.h"
#include "catalog/retention.h"
#include "services/catalog/collections_int.h"

static void run_round(struct catalog_service *service)
{
    struct error err = ERROR_INIT;
    int64_t before_us = sys_now_us(service->sys) - service->options.journal_us;
    if (retention_run_all(service->catalog, service->options.archive_path, &err) != STATUS_OK)
        log_error(service->log, "old logs could not be let go", &err);
    if (journal_trim(catalog_backend(service->catalog), before_us, &err) != STATUS_OK)
        log_error(service->log, "the catalog's journal could not be cut", &err);
}

static void *run(void *context)
{
    struct catalog_service *service = context;
    struct upkeep *upkeep = &service->upkeep;
    pthread_mutex_lock(&upkeep->lock);
    while (!upkeep->stopping) {
        pthread_mutex_unlock(&upkeep->lock);
        run_round(service);
        int64_t until_us = sys_mono_us(service->sys) + service->options.upkeep_us;
        pthread_mutex_lock(&upkeep->lock);
        while (!upkeep->stopping && thread_cond_wait_until(&upkeep->wake, &upkeep->lock, until_us))
            ;
    }
    pthread_mutex_unlock(&upkeep->lock);
    return NULL;
}

enum status upkeep_start(struct catalog_service *service, struct error *err)
{
    return thread_start(&service->upkeep.thread, "upkeep", 0, run, service, err);
}

void upkeep_stop(struct catalog_service *service)
{
    pthread_mutex_lock(&service->upkeep.lock);
    service->upkeep.stopping = true;
    pthread_cond_signal(&service->upkeep.wake);
    pthread_mutex_unlock(&service->upkeep.lock);
    thread_join(&service->upkeep.thread);
}

/* --- at once --- */

static enum status rule_of(struct request *request, const struct caller *caller,
                           struct retention_rule *ret)
{
    TRY(retention_rule(catalog_of(request), caller, request->arena, ret, &request->error));
    if (request_has(request, "days"))
        ret->days = request_int(request, "days");
    if (request_has(request, "action"))
        ret->archive = str_is(request_str(request, "action"), "archive");
    return STATUS_OK;
}

enum status retention_apply(struct request *request)
{
    struct caller caller = caller_of(request);
    struct retention_rule rule;
    struct retention_result result = {0};
    struct buf buf;
    struct json_writer w;
    char archive[SYS_PATH_MAX];
    TRY(rule_of(request, &caller, &rule));
    TRY(retention_folder(service_of(request)->options.archive_path, caller.tenant, archive,
                         &request->error));
    struct retention retention = {.before_us = sys_now_us(service_of(request)->sys) -
                                               rule.days * 86400 * INT64_C(1000000),
                                  .archive = rule.archive ? archive : NULL};
    if (rule.days)
        TRY(retention_run(catalog_of(request), &caller, &retention, &result, &request->error));
    writer_begin(&buf, &w);
    json_begin_object(&w);
    json_kv_int(&w, "days", rule.days);
    json_time(&w, "before", rule.days ? retention.before_us : 0);
    json_kv_strz(&w, "action", rule.archive ? "archive" : "delete");
    json_kv_int(&w, "deleted", result.removed);
    json_kv_int(&w, "archive_files", result.files);
    json_end_object(&w);
    return writer_respond(request, 200, &buf);
}

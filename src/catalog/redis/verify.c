/* verify.c: each record is under its own index names and no others, its key leads to it. */
#include <stdlib.h>

#include "catalog/redis/redis_int.h"

enum { PAGE = 200 };

/* For one id: how many of the names given it is under, how many it is said to be under, and where
 * its key leads. */
static const char LOOK[] =
    "local D=KEYS[1] local id=ARGV[1] local found=0"
    " for i=3,#ARGV do if redis.call('ZSCORE',D..':x:'..ARGV[i],id) then found=found+1 end end"
    " local m=redis.call('HGET',D..':m',id) local said=m and #cjson.decode(m)[4] or -1"
    " local key=ARGV[2]~='' and redis.call('HGET',D..':k',ARGV[2]) or ''"
    " return {found,said,key or '',redis.call('ZSCORE',D..':ids',id) or ''}";

static enum status look(struct redis_backend *backend, const struct record *record,
                        const struct str_list *names, struct arena *arena, redisReply **ret,
                        struct error *err)
{
    struct redis_command command;
    bool live = record->key.len > 0 && !record->deleted_us;
    char *key =
        live ? arena_printf(arena, "%.*s\n%.*s", STR_ARG(record->tenant), STR_ARG(record->key))
             : arena_printf(arena, "%s", "");
    if (!key)
        return error_no_memory(err);
    redis_command_init(&command, arena, (int)names->len + 8);
    redis_add(&command, STR("EVAL"));
    redis_add(&command, str_of(LOOK));
    redis_add(&command, STR("1"));
    char *folder = arena_printf(arena, "%s:%s", backend->prefix, domain_name(record->domain));
    redis_add(&command, str_of(folder));
    redis_add(&command, record->id);
    redis_add(&command, str_of(key));
    for (uint32_t i = 0; i < names->len; i++)
        redis_add(&command, names->items[i]);
    return redis_read(backend, &command, ret, err);
}

static enum status check_record(struct redis_backend *backend, const struct record *record,
                                backend_fault_fn fault, void *context, struct arena *arena,
                                struct error *err)
{
    struct str_list names;
    redisReply *reply = NULL;
    TRY(redis_index_names(record, arena, &names, err));
    TRY(look(backend, record, &names, arena, &reply, err));
    bool whole = reply->type == REDIS_REPLY_ARRAY && reply->elements == 4;
    bool right = whole && reply->element[0]->integer == (long long)names.len &&
                 reply->element[1]->integer == (long long)names.len && reply->element[3]->len > 0;
    if (right && record->key.len && !record->deleted_us)
        right = str_eq(str_make(reply->element[2]->str, reply->element[2]->len), record->id);
    freeReplyObject(reply);
    char *text = right ? NULL
                       : arena_printf(arena, "the index entries of %s %.*s are not its own",
                                      domain_name(record->domain), STR_ARG(record->id));
    if (text)
        fault(context, text);
    return STATUS_OK;
}

static enum status verify_domain(struct redis_backend *backend, enum domain domain,
                                 backend_fault_fn fault, void *context, struct error *err)
{
    char after[64] = "";
    enum status status = STATUS_OK;
    bool more = true;
    while (more && status == STATUS_OK) {
        struct record_page page = {0};
        struct arena arena;
        arena_init(&arena, 0);
        status = redis_scan(&backend->base, domain, str_of(after), PAGE, &arena, &page, err);
        for (uint32_t i = 0; i < page.len && status == STATUS_OK; i++)
            status = check_record(backend, &page.records[i], fault, context, &arena, err);
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

enum status redis_verify(struct backend *base, backend_fault_fn fault, void *context,
                         struct error *err)
{
    for (int i = 0; i < DOMAIN_COUNT; i++)
        TRY(verify_domain((struct redis_backend *)base, (enum domain)i, fault, context, err));
    return STATUS_OK;
}

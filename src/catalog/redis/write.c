/* write.c: a commit as one Lua script: first everything is checked, each change seeing those
 * before, then everything is done. A script is never undone by Redis, so the first half writes
 * nothing. */
#include <stdlib.h>

#include "catalog/redis/redis_int.h"

/* KEYS: the prefix. ARGV: eight texts for each change: what; domain; id; tenant; four numbers
 * (expected revision, access count, accessed time, new revision); the live key or ""; the record's
 * JSON; its index names as JSON. Revisions stay below 2^53, microseconds too: Lua's numbers hold
 * them. */
static const char SCRIPT[] =
    "local P=KEYS[1] local n=#ARGV/8 local seen={} local keys={}\n"
    "local function text(x) return string.format('%.0f',x) end\n"
    "local function numbers(s) return string.match(s,'(%d+) (%d+) (%d+) (%d+)') end\n"
    "local function look(d,id) local s=seen[d..id] if s==nil then\n"
    " local m=redis.call('HGET',P..':'..d..':m',id) s=m and cjson.decode(m) or false seen[d..id]=s "
    "end\n"
    " return s end\n"
    "local function place(d,t,k) return d..'\\n'..t..'\\n'..k end\n"
    "local function holder(d,t,k) local f=place(d,t,k) local h=keys[f] if h==nil then\n"
    " h=redis.call('HGET',P..':'..d..':k',t..'\\n'..k) or false keys[f]=h end return h end\n"
    "local function hold(d,t,k,id) if k~='' then keys[place(d,t,k)]=id end end\n"
    "for i=0,n-1 do local o=i*8\n"
    " local what,d,id,t,key=ARGV[o+1],ARGV[o+2],ARGV[o+3],ARGV[o+4],ARGV[o+6]\n"
    " local expected,_,_,revision=numbers(ARGV[o+5]) local old=look(d,id)\n"
    " if what=='I' then\n"
    "  if old then return {1,i,'0'} end\n"
    "  if key~='' and holder(d,t,key) then return {2,i,'0'} end\n"
    " elseif what~='T' then\n"
    "  if not old or old[2]~=t then return {3,i,'0'} end\n"
    "  if (what=='U' or expected~='0') and text(old[1])~=expected then return {4,i,text(old[1])} "
    "end\n"
    "  if what=='U' and key~='' then local h=holder(d,t,key)\n"
    "   if h and h~=id then return {2,i,'0'} end end\n"
    "  hold(d,t,old[3],false)\n"
    " end\n"
    " if what=='I' or what=='U' then hold(d,t,key,id) seen[d..id]={tonumber(revision),t,key}\n"
    " elseif what=='R' then seen[d..id]=false end\n"
    "end\n"
    "local function unlink(D,id) local m=redis.call('HGET',D..':m',id) if not m then return end\n"
    " local s=cjson.decode(m)\n"
    " if s[3]~='' then redis.call('HDEL',D..':k',s[2]..'\\n'..s[3]) end\n"
    " for _,x in ipairs(s[4]) do redis.call('ZREM',D..':x:'..x,id) end end\n"
    "local function counts(D,id)\n"
    " return string.match(redis.call('HGET',D..':a',id) or '0 0','(%d+) (%d+)') end\n"
    "for i=0,n-1 do local o=i*8\n"
    " local what,d,id,t,key=ARGV[o+1],ARGV[o+2],ARGV[o+3],ARGV[o+4],ARGV[o+6]\n"
    " local _,count,us,revision=numbers(ARGV[o+5]) local D=P..':'..d\n"
    " if what=='T' then local m=redis.call('HGET',D..':m',id)\n"
    "  if m and cjson.decode(m)[2]==t then local c,u=counts(D,id)\n"
    "   redis.call('HSET',D..':a',id,text(c+count)..' '..text(math.max(u,us))) end\n"
    " elseif what=='R' then unlink(D,id)\n"
    "  redis.call('HDEL',D..':r',id) redis.call('HDEL',D..':a',id) redis.call('HDEL',D..':m',id)\n"
    "  redis.call('ZREM',D..':ids',id)\n"
    " else unlink(D,id) redis.call('HSET',D..':r',id,ARGV[o+7])\n"
    "  if what=='U' then local c,u=counts(D,id) count=c us=text(math.max(u,us)) end\n"
    "  redis.call('HSET',D..':a',id,count..' '..us)\n"
    "  local names=cjson.decode(ARGV[o+8])\n"
    "  redis.call('HSET',D..':m',id,cjson.encode({tonumber(revision),t,key,names}))\n"
    "  if key~='' then redis.call('HSET',D..':k',t..'\\n'..key,id) end\n"
    "  redis.call('ZADD',D..':ids',0,id)\n"
    "  for _,x in ipairs(names) do redis.call('ZADD',D..':x:'..x,0,id) end\n"
    " end\n"
    "end\n"
    "return {0,0,'0'}\n";

static enum status add_json(struct redis_command *command, const struct record *record,
                            struct error *err)
{
    struct buf buf;
    struct json_writer w;
    buf_init(&buf, 64 << 20);
    json_writer_init(&w, &buf);
    record_write(&w, record, true);
    enum status status = buf_check(&buf, "a record", err);
    if (status == STATUS_OK)
        redis_add(command, buf_str(&buf));
    buf_release(&buf);
    return status;
}

static enum status add_names(struct redis_command *command, const struct record *record,
                             struct error *err)
{
    struct buf buf;
    struct json_writer w;
    struct str_list names;
    TRY(redis_index_names(record, command->arena, &names, err));
    buf_init(&buf, 64 << 20);
    json_writer_init(&w, &buf);
    json_begin_array(&w);
    for (uint32_t i = 0; i < names.len; i++)
        json_string(&w, names.items[i]);
    json_end_array(&w);
    enum status status = buf_check(&buf, "index names", err);
    if (status == STATUS_OK)
        redis_add(command, buf_str(&buf));
    buf_release(&buf);
    return status;
}

static enum status add_change(struct redis_command *command, const struct change *change,
                              struct error *err)
{
    static const char *const kinds[] = {
        [CHANGE_INSERT] = "I", [CHANGE_UPDATE] = "U", [CHANGE_REMOVE] = "R", [CHANGE_TOUCH] = "T"};
    const struct record *record = change->record;
    bool stores = change->kind == CHANGE_INSERT || change->kind == CHANGE_UPDATE;
    bool counts = record_has_field(record->domain, RECORD_access_count);
    bool times = record_has_field(record->domain, RECORD_accessed_us);
    char *numbers =
        arena_printf(command->arena, "%lld %lld %lld %lld", (long long)change->expected,
                     counts ? (long long)record->access_count : 0,
                     times ? (long long)record->accessed_us : 0, (long long)record->revision);
    if (!numbers)
        return error_no_memory(err);
    redis_add(command, str_of(kinds[change->kind]));
    redis_add(command, str_of(domain_name(record->domain)));
    redis_add(command, record->id);
    redis_add(command, record->tenant);
    redis_add(command, str_of(numbers));
    redis_add(command, stores && !record->deleted_us ? record->key : STR_NONE);
    if (!stores) {
        redis_add(command, STR_NONE);
        redis_add(command, STR_NONE);
        return STATUS_OK;
    }
    TRY(add_json(command, record, err));
    return add_names(command, record, err);
}

/* {conflict, at, revision} */
static enum status read_verdict(const redisReply *reply, struct commit_result *ret,
                                struct error *err)
{
    static const enum conflict conflicts[] = {CONFLICT_NONE, CONFLICT_ID, CONFLICT_KEY,
                                              CONFLICT_MISSING, CONFLICT_REVISION};
    int64_t revision = 0;
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 3 ||
        reply->element[0]->integer > 4 || reply->element[0]->integer < 0)
        return error_set(err, STATUS_CORRUPT, "the catalog's Redis server gave a strange answer");
    if (reply->element[0]->integer == 0)
        return STATUS_OK;
    (void)str_to_int64(str_make(reply->element[2]->str, reply->element[2]->len), &revision);
    return commit_refused(ret, conflicts[reply->element[0]->integer],
                          (uint32_t)reply->element[1]->integer, revision, err);
}

static enum status run_commit(struct redis_backend *backend, const struct change *changes,
                              uint32_t len, struct arena *arena, struct commit_result *ret,
                              struct error *err)
{
    struct redis_connection *connection = NULL;
    struct redis_command command;
    redisReply *reply = NULL;
    redis_command_init(&command, arena, (int)len * 8 + 4);
    redis_add(&command, STR("EVAL"));
    redis_add(&command, str_of(SCRIPT));
    redis_add(&command, STR("1"));
    redis_add(&command, str_of(backend->prefix));
    for (uint32_t i = 0; i < len; i++)
        TRY(add_change(&command, &changes[i], err));
    TRY(redis_take(backend, &connection, err));
    enum status status = redis_run(connection, &command, &reply, err);
    if (status == STATUS_OK) {
        status = read_verdict(reply, ret, err);
        freeReplyObject(reply);
    }
    redis_give(backend, connection);
    return status;
}

enum status redis_commit(struct backend *backend, const struct change *changes, uint32_t len,
                         struct commit_result *ret, struct error *err)
{
    struct arena arena;
    *ret = (struct commit_result){0};
    arena_init(&arena, 0);
    enum status status =
        run_commit((struct redis_backend *)backend, changes, len, &arena, ret, err);
    arena_release(&arena);
    return status;
}

/* loadstate.c: see loadstate.h. */
#include "cmd/quarry/loadstate.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/json.h"
#include "base/uuid.h"
#include "sys/sys.h"

enum { STATE_BYTES_MAX = 64 * 1024 };

static enum status state_path(const struct load_identity *identity, const char *absolute,
                              char *path, struct error *err)
{
    char name[3 * LOADSTATE_PATH_MAX];
    char folder[LOADSTATE_PATH_MAX];
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    bool own = cache && *cache;
    if (!own && !(home && *home))
        return STATUS_OK; /* nowhere to keep it: the load cannot be resumed */
    (void)snprintf(name, sizeof name, "%s\n%s\n%s", identity->url, identity->source, absolute);
    int len = snprintf(folder, sizeof folder, "%s%s/quarry/loads", own ? cache : home,
                       own ? "" : "/.cache");
    if (len < 0 || (size_t)len + 32 >= sizeof folder)
        return error_set(err, STATUS_INVALID_ARGUMENT, "the cache folder's path is too long");
    TRY(sys_mkdirs(sys_posix(), folder, err));
    (void)snprintf(path, LOADSTATE_PATH_MAX, "%.*s/%016" PRIx64 ".json", LOADSTATE_PATH_MAX - 32,
                   folder, str_hash(str_of(name)));
    return STATUS_OK;
}

static enum status file_key(const char *absolute, const struct load_identity *identity,
                            uint64_t *ret, struct error *err)
{
    char text[LOADSTATE_PATH_MAX * 2];
    struct sys_stat stat;
    TRY(sys_stat(sys_posix(), absolute, &stat, err));
    (void)snprintf(text, sizeof text, "%s\n%" PRIu64 "\n%" PRId64 "\n%s\n%" PRId64, absolute,
                   stat.size, stat.modified_us, identity->format, identity->records_max);
    *ret = str_hash(str_of(text));
    return STATUS_OK;
}

static void new_id(struct load_state *state)
{
    unsigned char random[10];
    sys_random(sys_posix(), random, sizeof random);
    struct uuid id = uuid_v7((uint64_t)sys_now_us(sys_posix()) / 1000, random);
    uuid_format(id, state->id);
}

static bool read_members(struct load_state *state, yyjson_val *root, uint64_t *ret_key)
{
    struct str id = json_str_of(json_get(root, "load_id"));
    size_t at, max;
    yyjson_val *batch, *ahead = json_get(root, "ahead");
    if (id.len != LOADSTATE_ID_LEN || !yyjson_is_uint(json_get(root, "done")) ||
        yyjson_arr_size(ahead) > LOADSTATE_AHEAD_MAX)
        return false;
    memcpy(state->id, id.data, id.len + 1);
    *ret_key = yyjson_get_uint(json_get(root, "file_key"));
    state->done = yyjson_get_uint(json_get(root, "done"));
    state->records = yyjson_get_uint(json_get(root, "records"));
    state->ahead_len = 0;
    yyjson_arr_foreach(ahead, at, max, batch)
    {
        state->ahead[state->ahead_len++] = yyjson_get_uint(batch);
    }
    return true;
}

static enum status read_state(struct load_state *state, struct error *err)
{
    struct buf text;
    struct sys_stat stat;
    yyjson_doc *doc = NULL;
    uint64_t key = 0;
    if (sys_stat(sys_posix(), state->path, &stat, NULL) == STATUS_NOT_FOUND)
        return STATUS_OK;
    buf_init(&text, STATE_BYTES_MAX);
    enum status status = sys_read_file(sys_posix(), state->path, &text, err);
    if (status == STATUS_OK)
        status = json_parse(buf_str(&text), &doc, err);
    if (status == STATUS_OK && !read_members(state, yyjson_doc_get_root(doc), &key))
        status = error_set(err, STATUS_CORRUPT, "the state file %s is damaged; use --restart",
                           state->path);
    else if (status == STATUS_OK && key != state->file_key)
        status = error_set(err, STATUS_CONFLICT,
                           "an earlier load of this file was interrupted, and the file, its format "
                           "or --batch has changed since; --restart loads it from its beginning");
    else if (status == STATUS_OK)
        state->resumed = true;
    yyjson_doc_free(doc);
    buf_release(&text);
    return status;
}

enum status load_state_open(struct load_state *state, const struct load_identity *identity,
                            bool restart, struct error *err)
{
    *state = (struct load_state){.records_max = identity->records_max};
    new_id(state);
    if (strcmp(identity->path, "-") == 0)
        return STATUS_OK;
    char *absolute = realpath(identity->path, NULL);
    if (!absolute)
        return error_errno(err, errno, "cannot open %s", identity->path);
    enum status status = file_key(absolute, identity, &state->file_key, err);
    if (status == STATUS_OK)
        status = state_path(identity, absolute, state->path, err);
    free(absolute);
    if (status == STATUS_OK && state->path[0] && restart)
        load_state_remove(state);
    if (status == STATUS_OK && state->path[0])
        status = read_state(state, err);
    return status;
}

bool load_state_has(const struct load_state *state, uint64_t batch)
{
    if (batch < state->done)
        return true;
    for (uint32_t i = 0; i < state->ahead_len; i++)
        if (state->ahead[i] == batch)
            return true;
    return false;
}

/* Moves `done` over the batches ahead that now follow it. */
static void close_gap(struct load_state *state)
{
    for (uint32_t i = 0; i < state->ahead_len;) {
        if (state->ahead[i] != state->done) {
            i++;
            continue;
        }
        state->done++;
        state->ahead[i] = state->ahead[--state->ahead_len];
        i = 0;
    }
}

enum status load_state_add(struct load_state *state, uint64_t batch, uint32_t records,
                           struct error *err)
{
    if (load_state_has(state, batch))
        return STATUS_OK;
    if (state->ahead_len == LOADSTATE_AHEAD_MAX)
        return error_set(err, STATUS_RESOURCE_LIMIT, "too many batches are ahead of a missing one");
    state->records += records;
    state->ahead[state->ahead_len++] = batch;
    close_gap(state);
    return STATUS_OK;
}

enum status load_state_save(const struct load_state *state, struct error *err)
{
    struct buf text;
    struct json_writer writer;
    if (!state->path[0])
        return STATUS_OK;
    buf_init(&text, STATE_BYTES_MAX);
    json_writer_init(&writer, &text);
    json_begin_object(&writer);
    json_kv_strz(&writer, "load_id", state->id);
    json_keyz(&writer, "file_key");
    json_uint(&writer, state->file_key);
    json_keyz(&writer, "done");
    json_uint(&writer, state->done);
    json_keyz(&writer, "records");
    json_uint(&writer, state->records);
    json_keyz(&writer, "ahead");
    json_begin_array(&writer);
    for (uint32_t i = 0; i < state->ahead_len; i++)
        json_uint(&writer, state->ahead[i]);
    json_end_array(&writer);
    json_end_object(&writer);
    enum status status = buf_check(&text, "the state", err);
    if (status == STATUS_OK)
        status =
            sys_replace_file(sys_posix(), state->path, (struct slice){text.data, text.len}, err);
    buf_release(&text);
    return status;
}

void load_state_remove(const struct load_state *state)
{
    if (state->path[0])
        (void)sys_unlink(sys_posix(), state->path, NULL); /* it may not be there */
}

void load_state_key(const struct load_state *state, uint64_t batch, char *text)
{
    (void)snprintf(text, LOAD_KEY_MAX, "%s-%016" PRIx64 "-%" PRIu64, state->id, state->file_key,
                   batch);
}

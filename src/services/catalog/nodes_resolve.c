/* nodes_resolve.c: which versions go together; comparing two versions. */
#include "catalog/node/registry.h"
#include "catalog/node/semver_range.h"
#include "services/catalog/catalog_int.h"

/* "namespace/name@range"; the range may be missing. */
static struct resolve_need need_of(struct str text)
{
    const char *at = text.len > 1 ? memrchr(text.data + 1, '@', text.len - 1) : NULL;
    size_t name = at ? (size_t)(at - text.data) : text.len;
    struct resolve_need need = {.name = str_make(text.data, name), .range = STR("*")};
    if (at && text.len > name + 1)
        need.range = str_make(at + 1, text.len - name - 1);
    return need;
}

static enum status read_needs(struct request *request, const char *field, bool optional,
                              struct resolve_need *needs, uint32_t *len)
{
    size_t at, max;
    yyjson_val *one, *list = request_json(request, field);
    if (!list)
        return STATUS_OK;
    yyjson_arr_foreach(list, at, max, one)
    {
        if (*len == RESOLVE_NEEDS_MAX)
            return error_set(&request->error, STATUS_INVALID_ARGUMENT, "more than %d needs",
                             RESOLVE_NEEDS_MAX);
        needs[*len] = need_of(json_str_of(one));
        needs[(*len)++].optional = optional;
    }
    return STATUS_OK;
}

static enum status read_pairs(struct request *request, yyjson_val *object,
                              const struct resolve_pair **ret, uint32_t *ret_len)
{
    size_t at, max;
    yyjson_val *key, *value;
    *ret_len = 0;
    struct resolve_pair *pairs =
        arena_array(request->arena, yyjson_obj_size(object), sizeof *pairs);
    if (!pairs)
        return error_no_memory(&request->error);
    yyjson_obj_foreach(object, at, max, key, value)
    {
        pairs[(*ret_len)++] = (struct resolve_pair){json_str_of(key), json_str_of(value)};
    }
    *ret = pairs;
    return STATUS_OK;
}

/* The lock file of an earlier answer, as an object. */
static enum status read_lock(struct request *request, struct node_resolve *resolve)
{
    struct buf buf;
    struct json_writer w;
    struct resolve_pair *pairs = NULL;
    if (!request_has(request, "lock"))
        return STATUS_OK;
    buf_init(&buf, RECORD_JSON_MAX);
    json_writer_init(&w, &buf);
    json_value(&w, request_json(request, "lock"));
    enum status status = buf_check(&buf, "lock", &request->error);
    if (status == STATUS_OK)
        status = node_read_lock(buf_str(&buf), request->arena, &pairs, &resolve->locked_len,
                                &request->error);
    buf_release(&buf);
    resolve->locked = pairs;
    return status;
}

static void write_nodes(struct json_writer *w, const struct resolution *result)
{
    json_keyz(w, "resolved_nodes");
    json_begin_array(w);
    for (uint32_t i = 0; i < result->len; i++) {
        const struct resolved *node = &result->nodes[i];
        json_begin_object(w);
        json_kv_str(w, "name", node->name);
        json_kv_str(w, "version", node->release->version);
        json_kv_bool(w, "deprecated", node->release->state == RELEASE_DEPRECATED);
        json_keyz(w, "needs");
        json_begin_array(w);
        for (uint32_t n = 0; n < node->needs_len; n++)
            json_string(w, result->nodes[node->needs[n]].name);
        json_end_array(w);
        json_end_object(w);
    }
    json_end_array(w);
    json_keyz(w, "execution_order");
    json_begin_array(w);
    for (uint32_t i = 0; i < result->len; i++)
        json_string(w, result->nodes[result->order[i]].name);
    json_end_array(w);
}

static enum status write_answer(struct json_writer *w, const struct resolution *result,
                                struct error *err)
{
    json_begin_object(w);
    json_kv_bool(w, "success", true);
    write_nodes(w, result);
    json_keyz(w, "missing_optional");
    json_begin_array(w);
    for (uint32_t i = 0; i < result->missed_len; i++)
        json_string(w, result->missed[i].name);
    json_end_array(w);
    json_keyz(w, "cycles");
    json_begin_array(w);
    for (uint32_t i = 0; i < result->cycles_len; i++)
        json_string(w, result->cycles[i]);
    json_end_array(w);
    json_keyz(w, "lock");
    struct buf lock;
    buf_init(&lock, ANSWER_MAX);
    enum status status = node_write_lock(result, &lock, err);
    if (status == STATUS_OK)
        json_raw(w, buf_str(&lock));
    buf_release(&lock);
    json_end_object(w);
    return status;
}

/* 409 with the reason at full length, which an error's message cannot hold. */
static enum status refuse(struct request *request, const char *message, struct str explanation)
{
    struct buf buf;
    struct json_writer w;
    (void)error_set(&request->error, STATUS_CONFLICT, "%s", message);
    writer_begin(&buf, &w);
    json_begin_object(&w);
    request_write_error(request, &w, &request->error);
    json_kv_str(&w, "explanation", explanation);
    json_end_object(&w);
    return writer_respond(request, status_info(STATUS_CONFLICT)->http, &buf);
}

enum status nodes_resolve(struct request *request)
{
    struct caller caller = caller_of(request);
    struct resolve_need *needs = arena_array(request->arena, RESOLVE_NEEDS_MAX, sizeof *needs);
    struct node_resolve resolve = {.needs = needs,
                                   .drafts = request_bool(request, "drafts"),
                                   .prereleases = request_bool(request, "prereleases")};
    struct resolution result;
    struct buf buf;
    struct json_writer w;
    if (!needs)
        return error_no_memory(&request->error);
    TRY(check_drafts(request, resolve.drafts));
    TRY(read_needs(request, "needs", false, needs, &resolve.needs_len));
    TRY(read_needs(request, "optional_needs", true, needs, &resolve.needs_len));
    TRY(read_pairs(request, request_json(request, "overrides"), &resolve.overrides,
                   &resolve.overrides_len));
    TRY(read_lock(request, &resolve));
    TRY(node_resolve(catalog_of(request), &caller, &resolve, request->arena, &result,
                     &request->error));
    if (!result.found)
        return refuse(request, "RG008: the versions asked for exclude each other",
                      result.explanation);
    if (result.cycles_len && !request_bool(request, "allow_cycles"))
        return refuse(request, "RG006: the nodes need each other in a cycle", result.cycles[0]);
    writer_begin(&buf, &w);
    enum status status = write_answer(&w, &result, &request->error);
    if (status != STATUS_OK) {
        buf_release(&buf);
        return status;
    }
    return writer_respond(request, 200, &buf);
}

enum status nodes_compare(struct request *request)
{
    struct semver a, b;
    struct semver_range range;
    struct buf buf;
    struct json_writer w;
    struct str text = request_str(request, "b");
    TRY(semver_parse(request_str(request, "a"), &a, &request->error));
    bool version = semver_parse(text, &b, NULL) == STATUS_OK;
    TRY(semver_range_parse(text, false, request->arena, &range, &request->error));
    writer_begin(&buf, &w);
    json_begin_object(&w);
    if (version) {
        json_kv_int(&w, "order", semver_compare(&a, &b));
        json_kv_bool(&w, "compatible", semver_is_compatible(&a, &b));
        json_kv_bool(&w, "major_mismatch", a.major != b.major);
    }
    json_kv_bool(&w, "satisfies", semver_range_has(&range, &a, false));
    json_end_object(&w);
    return writer_respond(request, 200, &buf);
}

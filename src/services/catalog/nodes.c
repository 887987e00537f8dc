/* nodes.c: versioned nodes over HTTP. A block comes as an object (metadata), as YAML, or as a file
 * that carries one. */
#include "catalog/node/registry.h"
#include "services/catalog/catalog_int.h"

enum status json_text_of(struct request *request, yyjson_val *value, struct str *ret)
{
    struct buf buf;
    struct json_writer w;
    buf_init(&buf, RECORD_JSON_MAX);
    json_writer_init(&w, &buf);
    json_value(&w, value);
    enum status status = buf_check(&buf, "metadata", &request->error);
    if (status == STATUS_OK) {
        *ret = arena_str(request->arena, buf_str(&buf));
        status = ret->data ? STATUS_OK : error_no_memory(&request->error);
    }
    buf_release(&buf);
    return status;
}

static enum status draft_of(struct request *request, struct node_draft *ret)
{
    int forms = request_has(request, "metadata") + request_has(request, "yaml") +
                request_has(request, "file");
    struct metadata_block block;
    *ret = (struct node_draft){.body = STR(""), .strict = request_bool(request, "strict")};
    if (forms != 1)
        return error_set(&request->error, STATUS_INVALID_ARGUMENT,
                         "give the block once: as metadata, yaml or file");
    if (request_has(request, "metadata"))
        return json_text_of(request, request_json(request, "metadata"), &ret->json);
    if (request_has(request, "yaml"))
        return metadata_parse(request_str(request, "yaml"), request->arena, &ret->json,
                              &request->error);
    TRY(metadata_find(request_str(request, "file"), request->arena, &block, &request->error));
    ret->json = block.json;
    ret->body = block.body;
    return STATUS_OK;
}

/* {"node":{...},"issues":[...]} */
static enum status respond_node(struct request *request, int http_status, const struct record *node,
                                const struct metadata_issues *issues)
{
    struct buf buf;
    struct json_writer w;
    writer_begin(&buf, &w);
    json_begin_object(&w);
    json_kv_bool(&w, "success", true);
    json_keyz(&w, "node");
    json_record(&w, node);
    json_keyz(&w, "issues");
    metadata_write_issues(&w, issues);
    json_end_object(&w);
    return writer_respond(request, http_status, &buf);
}

/* LC007 where it is told of, in a production registry. */
static enum status warn_of_draft(struct request *request, struct metadata_issues *issues)
{
    static const struct metadata_issue draft = {
        .severity = SEVERITY_WARNING,
        .code = "LC007",
        .field = STR("lifecycle"),
        .message = STR("is draft, and this is a production registry: nobody will be given it")};
    bool production = false;
    TRY(in_production(request, &production));
    if (!production)
        return STATUS_OK;
    struct metadata_issue *list = arena_array(request->arena, issues->len + 1, sizeof *list);
    if (!list)
        return error_no_memory(&request->error);
    if (issues->len)
        memcpy(list, issues->list, issues->len * sizeof *list);
    list[issues->len++] = draft;
    issues->list = list;
    return STATUS_OK;
}

enum status nodes_register(struct request *request)
{
    struct caller caller = caller_of(request);
    struct node_draft draft;
    struct metadata_issues issues;
    struct record node;
    TRY(draft_of(request, &draft));
    TRY(node_register(catalog_of(request), &caller, &draft, request->arena, &node, &issues,
                      &request->error));
    if (str_is(node.lifecycle, "draft"))
        TRY(warn_of_draft(request, &issues));
    return respond_node(request, 201, &node, &issues);
}

/* A warning when the block's own hash is another than the one of its contents. */
static void write_hash(struct request *request, const struct node_draft *draft,
                       struct json_writer *w)
{
    char hash[METADATA_HASH_LEN + 1];
    if (metadata_hash(draft->json, draft->body, hash, NULL) != STATUS_OK)
        return;
    json_kv_strz(w, "hash", hash);
    json_kv_bool(w, "hash_matches",
                 str_is(attribute_get(draft->json, "hash", request->arena), hash));
}

enum status nodes_validate(struct request *request)
{
    struct node_draft draft;
    struct metadata_issues issues;
    struct buf buf;
    struct json_writer w;
    TRY(draft_of(request, &draft));
    TRY(metadata_check(draft.json, request->arena, &issues, &request->error));
    writer_begin(&buf, &w);
    json_begin_object(&w);
    json_kv_bool(&w, "valid", !issues.errors);
    json_keyz(&w, "issues");
    metadata_write_issues(&w, &issues);
    write_hash(request, &draft, &w);
    json_object(&w, "metadata", draft.json);
    json_end_object(&w);
    return writer_respond(request, 200, &buf);
}

enum status nodes_list(struct request *request)
{
    struct caller caller = caller_of(request);
    struct record_page page;
    struct str states = request_str(request, "lifecycle_states");
    struct node_search search = {.uuid = request_str(request, "uuid"),
                                 .namespace = request_str(request, "namespace"),
                                 .name = request_str(request, "name"),
                                 .name_pattern = request_str(request, "name_pattern"),
                                 .author = request_str(request, "author"),
                                 .meta_type = request_str(request, "meta_type"),
                                 .version_pattern = request_str(request, "version_pattern"),
                                 .version_spec = request_str(request, "version_spec"),
                                 .input = request_str(request, "input"),
                                 .output = request_str(request, "output"),
                                 .text = request_str(request, "q"),
                                 .any_state = str_is(states, "*"),
                                 .latest_only = request_bool(request, "latest_only"),
                                 .limit = (uint32_t)request_int(request, "limit"),
                                 .cursor = request_str(request, "cursor")};
    TRY(strings_of(request, request_str(request, "tags"), &search.tags, &search.tags_len));
    TRY(strings_of(request, request_str(request, "capabilities"), &search.capabilities,
                   &search.capabilities_len));
    if (!search.any_state)
        TRY(strings_of(request, states, &search.states, &search.states_len));
    TRY(node_search(catalog_of(request), &caller, &search, request->arena, &page, &request->error));
    return respond_page(request, "nodes", &page, json_record);
}

enum status nodes_versions(struct request *request)
{
    struct caller caller = caller_of(request);
    struct record *list, latest;
    uint32_t len;
    struct buf buf;
    struct json_writer w;
    struct str namespace = request_path_param(request, "namespace");
    struct str name = request_path_param(request, "name");
    TRY(node_versions(catalog_of(request), &caller, namespace, name, request->arena, &list, &len,
                      &request->error));
    bool has_latest = node_get(catalog_of(request), &caller, namespace, name, STR("latest"), false,
                               request->arena, &latest, NULL) == STATUS_OK;
    writer_begin(&buf, &w);
    json_begin_object(&w);
    json_kv_str(&w, "namespace", namespace);
    json_kv_str(&w, "name", name);
    json_kv_text(&w, "latest", has_latest ? latest.version : STR(""));
    json_keyz(&w, "versions");
    json_begin_array(&w);
    for (uint32_t i = 0; i < len; i++) {
        json_begin_object(&w);
        json_kv_str(&w, "id", list[i].id);
        json_kv_str(&w, "version", list[i].version);
        json_kv_str(&w, "lifecycle", list[i].lifecycle);
        json_kv_strz(&w, "status",
                     has_latest && str_eq(list[i].version, latest.version) ? "latest"
                                                                           : "supported");
        json_time(&w, "created_at", list[i].created_us);
        json_end_object(&w);
    }
    json_end_array(&w);
    json_end_object(&w);
    return writer_respond(request, 200, &buf);
}

/* The node of the path; its version may be a range. */
static enum status find_node(struct request *request, const struct caller *caller,
                             struct record *ret)
{
    TRY(check_drafts(request, request_bool(request, "drafts")));
    return node_get(catalog_of(request), caller, request_path_param(request, "namespace"),
                    request_path_param(request, "name"), request_path_param(request, "version"),
                    request_bool(request, "drafts"), request->arena, ret, &request->error);
}

/* Changes name one version, never a range. */
static enum status find_exact(struct request *request, const struct caller *caller,
                              struct record *ret)
{
    enum status status =
        asset_find(catalog_of(request), caller, STR("node"),
                   request_path_param(request, "namespace"), request_path_param(request, "name"),
                   request_path_param(request, "version"), request->arena, ret, &request->error);
    return status == STATUS_NOT_FOUND
               ? error_set(&request->error, status, "RG001: there is no such version of the node")
               : status;
}

enum status nodes_get(struct request *request)
{
    struct caller caller = caller_of(request);
    struct record node;
    TRY(find_node(request, &caller, &node));
    return respond_record(request, 200, &node);
}

enum status nodes_block(struct request *request)
{
    struct caller caller = caller_of(request);
    struct str form = request_str(request, "form");
    struct record node;
    struct buf buf;
    TRY(find_node(request, &caller, &node));
    buf_init(&buf, ANSWER_MAX);
    enum status status = metadata_write(
        node.attributes,
        str_is(form, "markdown") ? METADATA_HTML
                                 : (str_is(form, "json") ? METADATA_SLASHES : METADATA_HASH),
        STR(""), &buf, &request->error);
    if (status != STATUS_OK) {
        buf_release(&buf);
        return status;
    }
    request_respond_text(request, 200, STR("text/plain; charset=utf-8"), &buf);
    return STATUS_OK;
}

enum status nodes_replace(struct request *request)
{
    struct caller caller = caller_of(request);
    struct node_draft draft;
    struct metadata_issues issues;
    struct record node;
    TRY(draft_of(request, &draft));
    TRY(find_exact(request, &caller, &node));
    TRY(node_replace(catalog_of(request), &caller, node.id, request_int(request, "revision"),
                     &draft, request->arena, &node, &issues, &request->error));
    return respond_node(request, 200, &node, &issues);
}

enum status nodes_delete(struct request *request)
{
    struct caller caller = caller_of(request);
    struct record node;
    TRY(find_exact(request, &caller, &node));
    TRY(asset_delete(catalog_of(request), &caller, node.id, 0, request->arena, &node,
                     &request->error));
    return respond_done(request);
}

enum status nodes_lifecycle(struct request *request)
{
    struct caller caller = caller_of(request);
    struct record node;
    unsigned lacks = 0;
    struct transition transition = {.ret_lacks = &lacks,
                                    .to = request_str(request, "to"),
                                    .reason = request_str(request, "reason"),
                                    .deprecated_by = request_str(request, "deprecated_by")};
    TRY(find_exact(request, &caller, &node));
    TRY(asset_transition(catalog_of(request), &caller, node.id, 0, &transition, request->arena,
                         &node, &request->error));
    return respond_moved(request, &node, lacks);
}

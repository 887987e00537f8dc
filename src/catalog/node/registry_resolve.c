/* registry_resolve.c: the registry as a universe for the resolver, and lock files.
 *
 * The resolver's names are "namespace/name". A need that names a uuid or a namespace is looked up
 * once; what nobody answers to keeps its own text as name, so that explanations show it. */
#include "catalog/node/needs.h"
#include "catalog/node/registry_int.h"

struct universe {
    struct catalog *catalog;
    const struct caller *caller;
    struct resolve_pair *known; /* as written -> "namespace/name" */
    uint32_t known_len, known_cap;
};

static struct str full_name(struct arena *arena, const struct record *record)
{
    char *text =
        arena_printf(arena, "%.*s/%.*s", STR_ARG(record->namespace), STR_ARG(record->name));
    return str_of(text);
}

/* By uuid, by namespace, or by a name that only one namespace has. */
static enum status look_up(struct universe *u, const struct node_need *need, struct arena *arena,
                           struct str *ret, struct error *err)
{
    struct node_search search = {.any_state = true, .latest_only = true, .limit = 2};
    struct record_page page;
    if (need->by == NEED_BY_UUID)
        search.uuid = need->target;
    else if (need->by == NEED_BY_NAMESPACE)
        search.namespace = need->target;
    else
        search.name = need->target;
    TRY(node_search(u->catalog, u->caller, &search, arena, &page, err));
    *ret = page.len == 1 ? full_name(arena, &page.records[0]) : need->target;
    return ret->data ? STATUS_OK : error_no_memory(err);
}

static enum status name_of(struct universe *u, const struct node_need *need, struct arena *arena,
                           struct str *ret, struct error *err)
{
    if (need->by == NEED_BY_NAME && memchr(need->target.data, '/', need->target.len)) {
        *ret = need->target;
        return STATUS_OK;
    }
    for (uint32_t i = 0; i < u->known_len; i++)
        if (str_eq(u->known[i].name, need->target)) {
            *ret = u->known[i].value;
            return STATUS_OK;
        }
    TRY(look_up(u, need, arena, ret, err));
    if (u->known_len == u->known_cap) {
        uint32_t cap = u->known_cap ? 2 * u->known_cap : 64;
        struct resolve_pair *grown = arena_array(arena, cap, sizeof *grown);
        if (!grown)
            return error_no_memory(err);
        if (u->known_len)
            memcpy(grown, u->known, u->known_len * sizeof *grown);
        u->known = grown;
        u->known_cap = cap;
    }
    u->known[u->known_len++] = (struct resolve_pair){need->target, *ret};
    return STATUS_OK;
}

static enum release_state state_of(const struct record *record)
{
    return str_is(record->lifecycle, "deprecated") ? RELEASE_DEPRECATED
           : str_is(record->lifecycle, "archived") ? RELEASE_ARCHIVED
           : str_is(record->lifecycle, "draft")    ? RELEASE_DRAFT
                                                   : RELEASE_ACTIVE;
}

/* Needs on nodes; libraries, services and the like are not the registry's. */
static enum status needs_of(struct universe *u, const struct record *record, struct arena *arena,
                            struct resolve_release *release, struct error *err)
{
    struct node_need *needs = NULL;
    uint32_t len = 0;
    yyjson_doc *doc = yyjson_read(record->attributes.data, record->attributes.len, 0);
    enum status status = node_needs_parse(json_get(yyjson_doc_get_root(doc), "dependencies"), arena,
                                          &needs, &len, err);
    yyjson_doc_free(doc);
    TRY(status);
    struct resolve_need *list = arena_array(arena, len, sizeof *list);
    if (!list)
        return error_no_memory(err);
    release->needs = list;
    for (uint32_t i = 0; i < len; i++) {
        if (needs[i].by == NEED_OUTSIDE)
            continue;
        struct resolve_need *need = &list[release->needs_len++];
        *need = (struct resolve_need){.range = needs[i].range, .optional = needs[i].optional};
        TRY(name_of(u, &needs[i], arena, &need->name, err));
    }
    return STATUS_OK;
}

static enum status releases_of(void *context, struct str text, struct arena *arena,
                               const struct resolve_release **ret, uint32_t *ret_len,
                               struct error *err)
{
    struct universe *u = context;
    struct str namespace, name;
    struct record *records = NULL;
    uint32_t len = 0;
    *ret_len = 0;
    node_split_name(text, &namespace, &name);
    if (!namespace.len)
        return STATUS_OK;
    enum status status =
        node_versions(u->catalog, u->caller, namespace, name, arena, &records, &len, err);
    if (status == STATUS_NOT_FOUND)
        return STATUS_OK;
    TRY(status);
    struct resolve_release *list = arena_array(arena, len, sizeof *list);
    if (!list)
        return error_no_memory(err);
    for (uint32_t i = 0; i < len; i++) {
        list[i] =
            (struct resolve_release){.version = records[i].version, .state = state_of(&records[i])};
        TRY(needs_of(u, &records[i], arena, &list[i], err));
    }
    *ret = list;
    *ret_len = len;
    return STATUS_OK;
}

enum status node_resolve(struct catalog *catalog, const struct caller *caller,
                         const struct node_resolve *request, struct arena *arena,
                         struct resolution *ret, struct error *err)
{
    struct universe u = {.catalog = catalog, .caller = caller};
    struct resolve_need *needs = arena_array(arena, request->needs_len, sizeof *needs);
    if (!needs)
        return error_no_memory(err);
    for (uint32_t i = 0; i < request->needs_len; i++) {
        struct node_need need = {.by = NEED_BY_NAME, .target = request->needs[i].name};
        needs[i] = request->needs[i];
        TRY(name_of(&u, &need, arena, &needs[i].name, err));
    }
    struct resolve_request resolve_request = {.root = STR("the request"),
                                              .needs = needs,
                                              .needs_len = request->needs_len,
                                              .universe = {&u, releases_of},
                                              .overrides = request->overrides,
                                              .overrides_len = request->overrides_len,
                                              .locked = request->locked,
                                              .locked_len = request->locked_len,
                                              .drafts = request->drafts,
                                              .prereleases = request->prereleases};
    return resolve_run(&resolve_request, arena, ret, err);
}

/* --- lock files --- */

enum status node_write_lock(const struct resolution *resolution, struct buf *out, struct error *err)
{
    struct json_writer w;
    json_writer_init(&w, out);
    json_begin_object(&w);
    json_kv_int(&w, "lock_version", 1);
    json_keyz(&w, "nodes");
    json_begin_object(&w);
    for (uint32_t i = 0; i < resolution->len; i++) {
        const struct resolved *node = &resolution->nodes[i];
        json_key(&w, node->name);
        json_begin_object(&w);
        json_kv_str(&w, "version", node->release->version);
        json_keyz(&w, "needs");
        json_begin_array(&w);
        for (uint32_t n = 0; n < node->needs_len; n++)
            json_string(&w, resolution->nodes[node->needs[n]].name);
        json_end_array(&w);
        json_end_object(&w);
    }
    json_end_object(&w);
    json_end_object(&w);
    return buf_check(out, "lock file", err);
}

enum status node_read_lock(struct str json, struct arena *arena, struct resolve_pair **ret,
                           uint32_t *ret_len, struct error *err)
{
    yyjson_doc *doc = NULL;
    size_t at, max;
    yyjson_val *key, *value;
    *ret_len = 0;
    TRY(json_parse(json, &doc, err));
    yyjson_val *root = yyjson_doc_get_root(doc), *nodes = json_get(root, "nodes");
    enum status status = STATUS_OK;
    if (yyjson_get_int(json_get(root, "lock_version")) != 1 || !yyjson_is_obj(nodes))
        status = error_set(err, STATUS_INVALID_ARGUMENT,
                           "this is no lock file of version 1: \"nodes\" is missing");
    *ret = status == STATUS_OK ? arena_array(arena, yyjson_obj_size(nodes), sizeof **ret) : NULL;
    if (status == STATUS_OK && !*ret)
        status = error_no_memory(err);
    yyjson_obj_foreach(status == STATUS_OK ? nodes : NULL, at, max, key, value)
    {
        (*ret)[*ret_len].name = arena_str(arena, json_str_of(key));
        (*ret)[(*ret_len)++].value = arena_str(arena, node_member(value, "version"));
    }
    yyjson_doc_free(doc);
    return status;
}

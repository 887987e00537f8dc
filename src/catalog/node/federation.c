/* federation.c: see federation.h. An offer is completed with what the stored version has and it
 * lacks (uuid, times), then compared by the block's hash, so that a file without these is the same
 * node each time it is read. */
#include "catalog/node/federation.h"

#include "base/datetime.h"
#include "catalog/node/registry_int.h"

#define QUARANTINE_KIND "quarantined_node"

bool import_policy_parse(struct str name, enum import_policy *ret)
{
    static const struct {
        const char *name;
        enum import_policy policy;
    } names[] = {{"skip", IMPORT_SKIP},
                 {"local_prefer", IMPORT_SKIP},
                 {"overwrite", IMPORT_OVERWRITE},
                 {"remote_prefer", IMPORT_OVERWRITE},
                 {"newer", IMPORT_NEWER},
                 {"fail", IMPORT_FAIL},
                 {"quarantine", IMPORT_QUARANTINE}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (!str_is(name, names[i].name))
            continue;
        *ret = names[i].policy;
        return true;
    }
    return false;
}

const char *import_outcome_name(enum import_outcome outcome)
{
    static const char *const names[IMPORT_OUTCOMES] = {"added",       "same",    "replaced", "kept",
                                                       "quarantined", "refused", "deleted"};
    return names[outcome];
}

/* One import on its way. */
struct import {
    struct catalog *catalog;
    const struct caller *caller;
    const struct node_offer *offer;
    enum import_policy policy;
    bool dry;
    struct arena *arena;
    struct import_result *result;
    struct record asset, local;
    bool has_local;
    struct str json; /* the offered block, completed */
};

static enum status end(struct import *import, enum import_outcome outcome, const char *reason)
{
    import->result->outcome = outcome;
    import->result->reason = arena_str(import->arena, str_of(reason));
    return STATUS_OK;
}

/* Failures that concern this node alone. */
static bool is_own(enum status status)
{
    return status == STATUS_INVALID_ARGUMENT || status == STATUS_CONFLICT ||
           status == STATUS_FORBIDDEN || status == STATUS_NOT_FOUND;
}

static enum status refuse(struct import *import, enum status status, struct error *err)
{
    return is_own(status) && err ? end(import, IMPORT_REFUSED, err->message) : status;
}

/* --- comparing --- */

static enum status fill_from_local(struct import *import, struct error *err)
{
    static const char *const members[] = {"uuid", "created_at", "last_modified_at", "hash"};
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        struct str here = attribute_get(import->local.attributes, members[i], import->arena);
        if (here.len && !attribute_get(import->json, members[i], import->arena).len)
            TRY(attribute_set(&import->json, members[i], here, import->arena, err));
    }
    return STATUS_OK;
}

static enum status find_local(struct import *import, struct error *err)
{
    struct import_result *result = import->result;
    result->namespace = attribute_get(import->json, "namespace", import->arena);
    result->name = attribute_get(import->json, "name", import->arena);
    result->version = attribute_get(import->json, "version", import->arena);
    if (!result->name.len)
        return STATUS_OK; /* node_prepare says what is wrong */
    enum status status =
        asset_find(import->catalog, import->caller, STR(NODE_KIND), result->namespace, result->name,
                   result->version, import->arena, &import->local, err);
    import->has_local = status == STATUS_OK;
    if (status == STATUS_NOT_FOUND)
        return STATUS_OK;
    TRY(status);
    return fill_from_local(import, err);
}

/* What a change of state adds to a block (lifecycle.c) is not its contents. */
static enum status content_hash(const struct record *node, struct arena *arena,
                                char out[METADATA_HASH_LEN + 1], struct error *err)
{
    static const char *const of_state[] = {"lifecycle", "deprecated_by", "deprecation_reason",
                                           "archived_reason", "reactivation_reason"};
    struct str json = node->attributes;
    for (size_t i = 0; i < sizeof of_state / sizeof *of_state; i++)
        TRY(attribute_set(&json, of_state[i], STR_NONE, arena, err));
    return metadata_hash(json, STR(""), out, err);
}

static enum status same_block(const struct import *import, bool *ret, struct error *err)
{
    char here[METADATA_HASH_LEN + 1], there[METADATA_HASH_LEN + 1];
    TRY(content_hash(&import->local, import->arena, here, err));
    TRY(content_hash(&import->asset, import->arena, there, err));
    *ret = memcmp(here, there, METADATA_HASH_LEN) == 0;
    return STATUS_OK;
}

static int64_t modified_us(const struct record *node, struct arena *arena)
{
    int64_t us = 0;
    (void)timestamp_parse(attribute_get(node->attributes, "last_modified_at", arena), &us);
    return us;
}

/* How far a state is; states only go on. */
static int progress(struct str state)
{
    return str_is(state, "archived")     ? 3
           : str_is(state, "deprecated") ? 2
           : str_is(state, "active")     ? 1
                                         : 0;
}

static struct str state_after(const struct import *import)
{
    struct str here = import->local.lifecycle, there = import->asset.lifecycle;
    bool forward = progress(there) > progress(here);
    bool back = import->policy == IMPORT_OVERWRITE && progress(there) > 0 && progress(here) < 3;
    return forward || back ? there : here;
}

/* --- deciding --- */

struct takeover {
    const struct record *asset;
    struct str lifecycle;
};

static enum status take_over(void *context, struct record *record, struct arena *arena,
                             struct error *err)
{
    const struct takeover *takeover = context;
    (void)arena;
    (void)err;
    record->lifecycle = takeover->lifecycle;
    record->description = takeover->asset->description;
    record->tags = takeover->asset->tags;
    record->categories = takeover->asset->categories;
    record->attributes = takeover->asset->attributes;
    return STATUS_OK;
}

static enum status replace(struct import *import, const char *reason, struct error *err)
{
    struct takeover takeover = {&import->asset, state_after(import)};
    struct asset_edit edit = {.action = "node.import",
                              .permission = RIGHT_ADMIN,
                              .expected = import->local.revision,
                              .edit = take_over,
                              .context = &takeover};
    if (!import->dry) {
        struct record done;
        enum status status = asset_edit(import->catalog, import->caller, import->local.id, &edit,
                                        import->arena, &done, err);
        if (status != STATUS_OK)
            return refuse(import, status, err);
    }
    return end(import, IMPORT_REPLACED, reason);
}

/* Kept under its identity and hash: the same offer again finds itself there. */
static enum status quarantine(struct import *import, const char *reason, struct error *err)
{
    const struct import_result *result = import->result;
    char hash[METADATA_HASH_LEN + 1];
    TRY(content_hash(&import->asset, import->arena, hash, err));
    struct record draft = import->asset, kept;
    char *name = arena_printf(import->arena, "%.*s@%.*s#%.12s", STR_ARG(result->name),
                              STR_ARG(result->version), hash);
    if (!name)
        return error_no_memory(err);
    draft.kind = STR(QUARANTINE_KIND);
    draft.name = str_of(name);
    draft.lifecycle = STR("draft");
    enum status status = import->dry ? STATUS_OK
                                     : asset_create(import->catalog, import->caller, &draft,
                                                    import->arena, &kept, err);
    if (status != STATUS_OK && status != STATUS_CONFLICT)
        return refuse(import, status, err);
    return end(import, IMPORT_QUARANTINED, reason);
}

static enum status fail(const struct import *import, const char *reason, struct error *err)
{
    return error_set(err, STATUS_CONFLICT, "%.*s/%.*s %.*s: %s", STR_ARG(import->result->namespace),
                     STR_ARG(import->result->name), STR_ARG(import->result->version), reason);
}

static enum status decide_block(struct import *import, struct error *err)
{
    static const char reason[] = "the version is here with other contents";
    bool newer =
        modified_us(&import->asset, import->arena) > modified_us(&import->local, import->arena);
    switch (import->policy) {
    case IMPORT_OVERWRITE:
        return replace(import, reason, err);
    case IMPORT_NEWER:
        return newer ? replace(import, "what came is newer", err)
                     : end(import, IMPORT_KEPT, "what is here is not older");
    case IMPORT_QUARANTINE:
        return quarantine(import, reason, err);
    case IMPORT_FAIL:
        return fail(import, reason, err);
    case IMPORT_SKIP:
        break;
    }
    return end(import, IMPORT_KEPT, reason);
}

/* Same block, other state. */
static enum status decide_state(struct import *import, struct error *err)
{
    static const char reason[] = "the version is here in another state";
    bool moves = !str_eq(state_after(import), import->local.lifecycle);
    if (import->policy == IMPORT_FAIL)
        return fail(import, reason, err);
    return moves && (import->policy == IMPORT_OVERWRITE || import->policy == IMPORT_NEWER)
               ? replace(import, reason, err)
               : end(import, IMPORT_KEPT, reason);
}

static enum status meet_local(struct import *import, struct error *err)
{
    bool same = false;
    if (!str_eq(attribute_get(import->local.attributes, "uuid", import->arena),
                attribute_get(import->asset.attributes, "uuid", import->arena)))
        return import->policy == IMPORT_FAIL ? fail(import, "MD009: here it has another uuid", err)
               : import->policy == IMPORT_QUARANTINE
                   ? quarantine(import, "MD009: here it has another uuid", err)
                   : end(import, IMPORT_REFUSED, "MD009: here it has another uuid");
    TRY(same_block(import, &same, err));
    if (!same)
        return decide_block(import, err);
    if (!str_eq(import->local.lifecycle, import->asset.lifecycle))
        return decide_state(import, err);
    return end(import, IMPORT_SAME, "");
}

/* --- adding --- */

/* Somebody has deleted the version here, and meant it. */
static enum status was_deleted(struct import *import, bool *ret, struct error *err)
{
    struct str kind = STR(NODE_KIND);
    const struct record *asset = &import->asset;
    const struct match matches[] = {
        {.field = RECORD_kind, .op = MATCH_EQ, .values = &kind, .values_len = 1},
        {.field = RECORD_namespace, .op = MATCH_EQ, .values = &asset->namespace, .values_len = 1},
        {.field = RECORD_name, .op = MATCH_EQ, .values = &asset->name, .values_len = 1},
        {.field = RECORD_version, .op = MATCH_EQ, .values = &asset->version, .values_len = 1}};
    struct record_query query = {.domain = DOMAIN_ASSET,
                                 .matches = matches,
                                 .matches_len = 4,
                                 .deleted = DELETED_ONLY,
                                 .limit = QUERY_LIMIT_MAX};
    struct record_page page;
    *ret = false;
    if (!import->offer->pulled || import->policy == IMPORT_OVERWRITE)
        return STATUS_OK;
    TRY(asset_query(import->catalog, import->caller, &query, import->arena, &page, err));
    for (uint32_t i = 0; i < page.len; i++)
        *ret = *ret ||
               !attribute_get(page.records[i].properties, NODE_DELETED_BY_PULL, import->arena).len;
    return STATUS_OK;
}

static enum status add(struct import *import, struct error *err)
{
    struct record added;
    bool deleted = false;
    TRY(was_deleted(import, &deleted, err));
    if (deleted)
        return end(import, IMPORT_KEPT, "it was deleted here");
    enum status status = STATUS_OK;
    import->asset.properties = STR("{}");
    if (import->offer->origin.len)
        status = attribute_set(&import->asset.properties, "origin", import->offer->origin,
                               import->arena, err);
    if (status == STATUS_OK)
        status =
            node_check_uuid(import->catalog, import->caller, &import->asset, import->arena, err);
    if (status == STATUS_OK && !import->dry)
        status = asset_create(import->catalog, import->caller, &import->asset, import->arena,
                              &added, err);
    return status == STATUS_OK ? end(import, IMPORT_ADDED, "") : refuse(import, status, err);
}

enum status node_import(struct catalog *catalog, const struct caller *caller,
                        const struct node_offer *offer, enum import_policy policy, bool dry,
                        struct arena *arena, struct import_result *ret, struct error *err)
{
    struct error own = ERROR_INIT;
    struct metadata_issues issues;
    struct import import = {.catalog = catalog,
                            .caller = caller,
                            .offer = offer,
                            .policy = policy,
                            .dry = dry,
                            .arena = arena,
                            .result = ret,
                            .json = offer->json};
    err = err ? err : &own;
    *ret = (struct import_result){.outcome = IMPORT_REFUSED};
    TRY(find_local(&import, err));
    if (str_is(ret->namespace, "npm"))
        return end(&import, IMPORT_REFUSED,
                   "packages of npm come by npm publish: their tarballs "
                   "belong to them");
    struct node_draft draft = {.json = import.json, .body = offer->body, .strict = offer->strict};
    enum status status = node_prepare(catalog, &draft, arena, &import.asset, &issues, err);
    if (status != STATUS_OK)
        return refuse(&import, status, err);
    if (offer->lifecycle.len)
        import.asset.lifecycle = offer->lifecycle;
    if (!import.asset.lifecycle.len) /* it says nothing of a state */
        import.asset.lifecycle = import.has_local ? import.local.lifecycle : STR("active");
    return import.has_local ? meet_local(&import, err) : add(&import, err);
}

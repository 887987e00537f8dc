/* registry.c: register, replace, look up by version. */
#include "catalog/node/registry.h"

#include <stdlib.h>

#include "base/datetime.h"
#include "base/uuid.h"
#include "catalog/node/registry_int.h"
#include "catalog/node/semver_range.h"

void node_split_name(struct str text, struct str *ret_namespace, struct str *ret_name)
{
    const char *slash = text.len ? memchr(text.data, '/', text.len) : NULL;
    size_t len = slash ? (size_t)(slash - text.data) : 0;
    *ret_namespace = slash ? str_make(text.data, len) : STR("");
    *ret_name = slash ? str_make(slash + 1, text.len - len - 1) : text;
}

struct str node_member(yyjson_val *block, const char *name)
{
    yyjson_val *value = json_get(block, name);
    return yyjson_is_str(value) ? json_str_of(value) : STR("");
}

/* --- from block to asset --- */

static bool take_texts(yyjson_val *value, struct arena *arena, struct str_list *ret)
{
    size_t at, max;
    yyjson_val *one;
    size_t len = yyjson_is_arr(value) ? yyjson_arr_size(value) : 0;
    ret->items = arena_array(arena, len, sizeof *ret->items);
    if (!ret->items)
        return false;
    yyjson_arr_foreach(value, at, max, one)
    {
        if (yyjson_is_str(one) && yyjson_get_len(one) && ret->len < RECORD_LIST_MAX)
            ret->items[ret->len++] = arena_str(arena, json_str_of(one));
    }
    return true;
}

/* What the registry knows and the block lacks. */
static void fill_missing(yyjson_mut_doc *doc, struct str now, const char *uuid, const char *hash)
{
    yyjson_mut_val *block = yyjson_mut_doc_get_root(doc);
    const struct {
        const char *name;
        const char *value;
    } members[] = {
        {"uuid", uuid}, {"created_at", now.data}, {"last_modified_at", now.data}, {"hash", hash}};
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        yyjson_mut_val *have = yyjson_mut_obj_get(block, members[i].name);
        if (have && !yyjson_mut_is_null(have))
            continue;
        yyjson_mut_obj_remove_key(block, members[i].name);
        yyjson_mut_obj_add_strcpy(doc, block, members[i].name, members[i].value);
    }
}

static enum status copy_block(const yyjson_mut_doc *doc, struct arena *arena, struct str *ret,
                              struct error *err)
{
    size_t len = 0;
    char *text = yyjson_mut_write(doc, 0, &len);
    if (!text)
        return error_no_memory(err);
    *ret = arena_str(arena, str_make(text, len));
    free(text);
    return ret->data ? STATUS_OK : error_no_memory(err);
}

/* The block with everything that registration adds. */
static enum status complete_block(struct sys *sys, const struct node_draft *draft,
                                  struct arena *arena, struct str *ret, struct error *err)
{
    char now[TIMESTAMP_TEXT_MAX], uuid[UUID_TEXT_LEN + 1], hash[METADATA_HASH_LEN + 1] = "";
    unsigned char random[10];
    yyjson_doc *doc = NULL;
    int64_t now_us = sys_now_us(sys);
    TRY(json_parse(draft->json, &doc, err));
    bool is_object = yyjson_is_obj(yyjson_doc_get_root(doc));
    yyjson_mut_doc *copy = is_object ? yyjson_doc_mut_copy(doc, NULL) : NULL;
    yyjson_doc_free(doc);
    if (!is_object)
        return error_set(err, STATUS_INVALID_ARGUMENT, "MD002: metadata must be an object");
    if (!copy)
        return error_no_memory(err);
    (void)timestamp_format(now_us, now);
    sys_random(sys, random, sizeof random);
    uuid_format(uuid_v7((uint64_t)(now_us / 1000), random), uuid);
    enum status status = metadata_hash(draft->json, draft->body, hash, err);
    if (status == STATUS_OK) {
        fill_missing(copy, str_of(now), uuid, hash);
        status = copy_block(copy, arena, ret, err);
    }
    yyjson_mut_doc_free(copy);
    return status;
}

/* The errors that make a block useless for the registry, whatever `strict` says. */
static bool is_fatal(const struct metadata_issue *issue, bool strict)
{
    static const char *const fields[] = {"name", "namespace", "version",
                                         "uuid", "lifecycle", "dependencies"};
    if (issue->severity != SEVERITY_ERROR || strict)
        return issue->severity == SEVERITY_ERROR;
    if (strcmp(issue->code, "MD008") == 0) /* others have namespaces of their own */
        return false;
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (str_is(issue->field, fields[i]))
            return true;
    return false;
}

static enum status judge(struct str json, bool strict, struct arena *arena,
                         struct metadata_issues *issues, struct error *err)
{
    TRY(metadata_check(json, arena, issues, err));
    for (uint32_t i = 0; i < issues->len; i++) {
        const struct metadata_issue *issue = &issues->list[i];
        if (!is_fatal(issue, strict))
            continue;
        error_set(err, STATUS_INVALID_ARGUMENT, "%s: %.*s %.*s", issue->code, STR_ARG(issue->field),
                  STR_ARG(issue->message));
        error_at_field(err, issue->field.data, (uint32_t)issue->field.len, NULL, 0);
        return STATUS_INVALID_ARGUMENT;
    }
    return STATUS_OK;
}

static enum status asset_of(struct str json, struct arena *arena, struct record *ret,
                            struct error *err)
{
    yyjson_doc *doc = NULL;
    TRY(json_parse(json, &doc, err));
    yyjson_val *block = yyjson_doc_get_root(doc);
    *ret = (struct record){.domain = DOMAIN_ASSET,
                           .kind = STR(NODE_KIND),
                           .namespace = arena_str(arena, node_member(block, "namespace")),
                           .name = arena_str(arena, node_member(block, "name")),
                           .version = arena_str(arena, node_member(block, "version")),
                           .description = arena_str(arena, node_member(block, "description")),
                           .lifecycle = arena_str(arena, node_member(block, "lifecycle")),
                           .attributes = json};
    bool fits = take_texts(json_get(block, "tags"), arena, &ret->tags) &&
                take_texts(json_get(block, "capabilities"), arena, &ret->categories) &&
                ret->lifecycle.data;
    yyjson_doc_free(doc);
    return fits ? STATUS_OK : error_no_memory(err);
}

/* MD009: a uuid names one node, whatever its versions. */
enum status node_check_uuid(struct catalog *catalog, const struct caller *caller,
                            const struct record *asset, struct arena *arena, struct error *err)
{
    struct node_search search = {
        .uuid = attribute_get(asset->attributes, "uuid", arena), .any_state = true, .limit = 2};
    struct record_page page;
    TRY(node_search(catalog, caller, &search, arena, &page, err));
    for (uint32_t i = 0; i < page.len; i++)
        if (!str_eq(page.records[i].name, asset->name) ||
            !str_eq(page.records[i].namespace, asset->namespace))
            return error_set(err, STATUS_CONFLICT, "MD009: the uuid belongs to %.*s/%.*s",
                             STR_ARG(page.records[i].namespace), STR_ARG(page.records[i].name));
    return STATUS_OK;
}

enum status node_prepare(struct catalog *catalog, const struct node_draft *draft,
                         struct arena *arena, struct record *ret, struct metadata_issues *issues,
                         struct error *err)
{
    struct str json = STR_NONE;
    *issues = (struct metadata_issues){0};
    TRY(complete_block(catalog_sys(catalog), draft, arena, &json, err));
    TRY(judge(json, draft->strict, arena, issues, err));
    return asset_of(json, arena, ret, err);
}

enum status node_register(struct catalog *catalog, const struct caller *caller,
                          const struct node_draft *draft, struct arena *arena, struct record *ret,
                          struct metadata_issues *issues, struct error *err)
{
    struct record asset;
    TRY(node_prepare(catalog, draft, arena, &asset, issues, err));
    if (attribute_get(draft->json, "uuid", arena).len) /* a uuid made here is new */
        TRY(node_check_uuid(catalog, caller, &asset, arena, err));
    enum status status = asset_create(catalog, caller, &asset, arena, ret, err);
    if (status == STATUS_CONFLICT && err && err->message[0] != 'M') {
        struct error inner = *err;
        return error_set(err, status, "RG002: %s", inner.message);
    }
    return status;
}

/* --- replacing --- */

struct replacement {
    const struct record *asset;
};

static enum status refuse_change(const char *what, struct error *err)
{
    return error_set(err, STATUS_CONFLICT,
                     "RG002: the %s of a registered version cannot change: register a new one",
                     what);
}

static enum status replace_block(void *context, struct record *record, struct arena *arena,
                                 struct error *err)
{
    const struct replacement *with = context;
    const struct record *asset = with->asset;
    if (!str_eq(record->name, asset->name))
        return refuse_change("name", err);
    if (!str_eq(record->namespace, asset->namespace))
        return refuse_change("namespace", err);
    if (!str_eq(record->version, asset->version))
        return refuse_change("version", err);
    if (!str_eq(attribute_get(record->attributes, "uuid", arena),
                attribute_get(asset->attributes, "uuid", arena)))
        return refuse_change("uuid", err);
    if (asset->lifecycle.len && !str_eq(record->lifecycle, asset->lifecycle))
        return error_set(err, STATUS_CONFLICT,
                         "LC003: the lifecycle changes by a transition, not with the block");
    record->description = asset->description;
    record->tags = asset->tags;
    if (str_is(record->lifecycle, "deprecated"))
        return STATUS_OK; /* frozen */
    record->categories = asset->categories;
    record->attributes = asset->attributes;
    return STATUS_OK;
}

enum status node_replace(struct catalog *catalog, const struct caller *caller, struct str id,
                         int64_t expected, const struct node_draft *draft, struct arena *arena,
                         struct record *ret, struct metadata_issues *issues, struct error *err)
{
    struct record asset;
    TRY(node_prepare(catalog, draft, arena, &asset, issues, err));
    struct replacement with = {&asset};
    struct asset_edit edit = {.action = "node.update",
                              .permission = RIGHT_WRITE,
                              .expected = expected,
                              .edit = replace_block,
                              .context = &with};
    return asset_edit(catalog, caller, id, &edit, arena, ret, err);
}

/* --- versions --- */

static int compare_versions(const void *a, const void *b)
{
    const struct record *x = a, *y = b;
    struct semver one = {0}, two = {0};
    bool valid_x = semver_parse(x->version, &one, NULL) == STATUS_OK;
    bool valid_y = semver_parse(y->version, &two, NULL) == STATUS_OK;
    if (valid_x != valid_y)
        return valid_x ? 1 : -1;
    return valid_x ? semver_compare_all(&one, &two) : str_cmp(x->version, y->version);
}

enum status node_versions(struct catalog *catalog, const struct caller *caller,
                          struct str namespace, struct str name, struct arena *arena,
                          struct record **ret, uint32_t *ret_len, struct error *err)
{
    struct str kind = STR(NODE_KIND);
    struct match matches[] = {
        {.field = RECORD_kind, .op = MATCH_EQ, .values = &kind, .values_len = 1},
        {.field = RECORD_name, .op = MATCH_EQ, .values = &name, .values_len = 1},
        {.field = RECORD_namespace, .op = MATCH_EQ, .values = &namespace, .values_len = 1},
    };
    struct record_query query = {
        .domain = DOMAIN_ASSET, .matches = matches, .matches_len = 3, .limit = QUERY_LIMIT_MAX};
    struct record *list = NULL;
    uint32_t len = 0;
    do {
        struct record_page page;
        TRY(asset_query(catalog, caller, &query, arena, &page, err));
        if (len + page.len > NODE_VERSIONS_MAX)
            return error_set(err, STATUS_RESOURCE_LIMIT, "more than %d versions of one name",
                             NODE_VERSIONS_MAX);
        struct record *more = arena_array(arena, (size_t)len + page.len, sizeof *more);
        if (!more)
            return error_no_memory(err);
        if (len)
            memcpy(more, list, len * sizeof *more);
        if (page.len)
            memcpy(more + len, page.records, page.len * sizeof *more);
        list = more;
        len += page.len;
        query.cursor = page.next;
    } while (query.cursor.len);
    *ret = list;
    *ret_len = len;
    if (len == 0)
        return error_set(err, STATUS_NOT_FOUND, "RG001: there is no node %.*s/%.*s",
                         STR_ARG(namespace), STR_ARG(name));
    qsort(list, len, sizeof *list, compare_versions);
    return STATUS_OK;
}

/* The newest version in the range among those in one state; NULL: none. */
static const struct record *newest(const struct record *list, uint32_t len, const char *state,
                                   const struct semver_range *range)
{
    int64_t latest = -1;
    for (uint32_t i = 0; i < len; i++) {
        struct semver version, best;
        if (!str_is(list[i].lifecycle, state) ||
            semver_parse(list[i].version, &version, NULL) != STATUS_OK)
            continue;
        if (latest < 0 || version.pre.len == 0 ||
            (semver_parse(list[latest].version, &best, NULL) == STATUS_OK && best.pre.len))
            latest = i;
    }
    for (uint32_t i = len; i-- > 0;) {
        struct semver version;
        if (str_is(list[i].lifecycle, state) &&
            semver_parse(list[i].version, &version, NULL) == STATUS_OK &&
            semver_range_has(range, &version, (int64_t)i == latest))
            return &list[i];
    }
    return NULL;
}

enum status node_get(struct catalog *catalog, const struct caller *caller, struct str namespace,
                     struct str name, struct str spec, bool drafts, struct arena *arena,
                     struct record *ret, struct error *err)
{
    static const char *const states[] = {"active", "deprecated", "draft"};
    struct semver exact;
    struct semver_range range;
    struct record *list;
    uint32_t len;
    if (semver_parse(spec, &exact, NULL) == STATUS_OK) {
        enum status status =
            asset_find(catalog, caller, STR(NODE_KIND), namespace, name, spec, arena, ret, err);
        return status == STATUS_NOT_FOUND
                   ? error_set(err, status, "RG001: there is no node %.*s/%.*s in version %.*s",
                               STR_ARG(namespace), STR_ARG(name), STR_ARG(spec))
                   : status;
    }
    TRY(semver_range_parse(spec, false, arena, &range, err));
    TRY(node_versions(catalog, caller, namespace, name, arena, &list, &len, err));
    for (int i = 0; i < 2 + drafts; i++) {
        const struct record *found = newest(list, len, states[i], &range);
        if (!found)
            continue;
        *ret = *found;
        return STATUS_OK;
    }
    return error_set(err, STATUS_NOT_FOUND, "RG001: no version of %.*s/%.*s fits %.*s",
                     STR_ARG(namespace), STR_ARG(name), STR_ARG(spec));
}

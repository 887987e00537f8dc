/* npm_people.c: who has to do with a package: its owner and those who have grants on it.
 *
 * A maintainer is the owner of the package's asset, or has an admin grant on it. The versions are
 * assets of their own, so what holds for the package is done to each of them, always before it is
 * done to the package: whoever repeats a call that was cut off finds the package unchanged and does
 * the rest. */
#include "services/catalog/npm_int.h"

/* --- who they are --- */

/* npm knows people by name; those whom an outside issuer vouches for have no record here. */
static struct npm_person person_of(struct request *request, struct str id, struct str right)
{
    struct caller caller = caller_of(request);
    struct npm_person person = {.id = id, .name = id, .email = STR(""), .right = right};
    struct record record;
    if (entry_get(catalog_of(request), &caller, DOMAIN_PRINCIPAL, id, request->arena, &record,
                  NULL) == STATUS_OK) {
        struct str email = attribute_get(record.attributes, "email", request->arena);
        person.name = record.name;
        person.email = email.data ? email : STR("");
    }
    return person;
}

/* admin above write above read; others count as read. */
static int rank_of(struct str right)
{
    return str_is(right, "admin") ? 2 : str_is(right, "write");
}

static void add_person(struct request *request, struct npm_people *people, struct str id,
                       struct str right)
{
    for (uint32_t i = 0; i < people->len; i++) {
        if (!str_eq(people->list[i].id, id))
            continue;
        if (rank_of(right) > rank_of(people->list[i].right))
            people->list[i].right = right;
        return;
    }
    people->list[people->len++] = person_of(request, id, right);
}

static bool is_person(struct str subject)
{
    return !str_starts(subject, STR("role:")) && !str_is(subject, "*");
}

static bool is_valid(struct request *request, const struct record *grant)
{
    return !grant->expires_us || grant->expires_us > sys_now_us(service_of(request)->sys);
}

enum status npm_people_of(struct request *request, const struct record *asset,
                          struct npm_people *ret)
{
    struct caller caller = caller_of(request);
    struct record_page grants;
    TRY(grant_list(catalog_of(request), &caller, asset->id, request->arena, &grants,
                   &request->error));
    ret->len = 0;
    ret->list = arena_array(request->arena, grants.len + 1, sizeof *ret->list);
    if (!ret->list)
        return error_no_memory(&request->error);
    add_person(request, ret, asset->owner, STR("admin"));
    for (uint32_t i = 0; i < grants.len; i++)
        if (is_person(grants.records[i].subject) && is_valid(request, &grants.records[i]))
            add_person(request, ret, grants.records[i].subject, grants.records[i].kind);
    return STATUS_OK;
}

void npm_write_maintainers(struct json_writer *w, const struct npm_people *people)
{
    json_keyz(w, "maintainers");
    json_begin_array(w);
    for (uint32_t i = 0; i < people->len; i++) {
        if (!str_is(people->list[i].right, "admin"))
            continue;
        json_begin_object(w);
        json_kv_str(w, "name", people->list[i].name);
        json_kv_str(w, "email", people->list[i].email);
        json_end_object(w);
    }
    json_end_array(w);
}

enum status npm_whoami(struct request *request)
{
    struct str name = request->identity.username;
    struct buf buf;
    struct json_writer w;
    writer_begin(&buf, &w);
    json_begin_object(&w);
    json_kv_str(&w, "username", name.len ? name : STR("local"));
    json_end_object(&w);
    return writer_respond(request, 200, &buf);
}

/* --- looking --- */

static enum status find_user(struct request *request, struct str name, struct record *ret)
{
    struct caller caller = caller_of(request);
    char *path = arena_printf(request->arena, "user/%.*s", STR_ARG(name));
    if (!path)
        return error_no_memory(&request->error);
    enum status status = entry_find(catalog_of(request), &caller, DOMAIN_PRINCIPAL, str_of(path),
                                    request->arena, ret, &request->error);
    return status == STATUS_NOT_FOUND
               ? error_set(&request->error, status, "there is no user '%.*s'", STR_ARG(name))
               : status;
}

static enum status send_user(struct request *request)
{
    struct str name = request_path_param(request, "user"), prefix = STR("org.couchdb.user:");
    struct record user;
    struct buf buf;
    struct json_writer w;
    if (str_starts(name, prefix))
        name = str_make(name.data + prefix.len, name.len - prefix.len);
    TRY(find_user(request, name, &user));
    struct str email = attribute_get(user.attributes, "email", request->arena);
    writer_begin(&buf, &w);
    json_begin_object(&w);
    json_kv_str(&w, "name", user.name);
    json_kv_str(&w, "email", email.data ? email : STR(""));
    json_kv_strz(&w, "type", "user");
    json_end_object(&w);
    return writer_respond(request, 200, &buf);
}

enum status npm_user(struct request *request)
{
    return npm_end(request, send_user(request));
}

static void write_right(struct json_writer *w, struct str name, struct str right)
{
    json_key(w, name);
    json_stringz(w, rank_of(right) ? "write" : "read");
}

static enum status send_collaborators(struct request *request)
{
    struct record package;
    struct npm_people people;
    struct buf buf;
    struct json_writer w;
    TRY(npm_package_asset(request, request_path_param(request, "package"), &package));
    TRY(npm_people_of(request, &package, &people));
    writer_begin(&buf, &w);
    json_begin_object(&w);
    for (uint32_t i = 0; i < people.len; i++)
        write_right(&w, people.list[i].name, people.list[i].right);
    json_end_object(&w);
    return writer_respond(request, 200, &buf);
}

enum status npm_collaborators(struct request *request)
{
    return npm_end(request, send_collaborators(request));
}

/* Packages that the caller sees and the user has a right on. */
static enum status write_packages(struct request *request, struct str user, struct json_writer *w)
{
    struct caller caller = caller_of(request);
    struct str kind = STR(NPM_PACKAGE);
    struct match match = {.field = RECORD_kind, .op = MATCH_EQ, .values = &kind, .values_len = 1};
    struct record_query query = {.domain = DOMAIN_ASSET,
                                 .matches = &match,
                                 .matches_len = 1,
                                 .order = RECORD_name,
                                 .limit = QUERY_LIMIT_MAX};
    struct record_page page;
    do {
        TRY(asset_query(catalog_of(request), &caller, &query, request->arena, &page,
                        &request->error));
        for (uint32_t i = 0; i < page.len; i++) {
            struct npm_people people;
            TRY(npm_people_of(request, &page.records[i], &people));
            for (uint32_t j = 0; j < people.len; j++)
                if (str_eq(people.list[j].id, user))
                    write_right(w, page.records[i].name, people.list[j].right);
        }
        query.cursor = page.next;
    } while (page.next.len);
    return STATUS_OK;
}

enum status npm_user_packages(struct request *request)
{
    struct str name = request_path_param(request, "user");
    struct record user;
    struct buf buf;
    struct json_writer w;
    bool self = str_eq(name, request->identity.username);
    enum status status = self ? STATUS_OK : find_user(request, name, &user);
    if (status != STATUS_OK)
        return npm_end(request, status);
    writer_begin(&buf, &w);
    json_begin_object(&w);
    status = write_packages(request, self ? caller_of(request).principal : user.id, &w);
    json_end_object(&w);
    if (status == STATUS_OK)
        return writer_respond(request, 200, &buf);
    buf_release(&buf);
    return npm_end(request, status);
}

/* --- changing --- */

static enum status add_maintainer(struct request *request, struct str asset, struct str id)
{
    struct caller caller = caller_of(request);
    struct grant grant = {.principal = id, .permission = RIGHT_ADMIN};
    struct record made;
    return grant_put(catalog_of(request), &caller, asset, &grant, request->arena, &made,
                     &request->error);
}

/* The heir owns what the one who goes has owned. */
static enum status remove_maintainer(struct request *request, const struct record *asset,
                                     struct str id, struct str heir)
{
    struct caller caller = caller_of(request);
    struct record_page grants;
    struct record changed;
    if (str_eq(asset->owner, id))
        TRY(asset_set_owner(catalog_of(request), &caller, asset->id, 0, heir, request->arena,
                            &changed, &request->error));
    enum status status = grant_list(catalog_of(request), &caller, asset->id, request->arena,
                                    &grants, &request->error);
    if (status == STATUS_NOT_FOUND)
        return STATUS_OK; /* the caller was the owner and has no other right */
    TRY(status);
    for (uint32_t i = 0; i < grants.len; i++)
        if (str_eq(grants.records[i].subject, id) && str_is(grants.records[i].kind, "admin"))
            TRY(grant_revoke(catalog_of(request), &caller, asset->id, grants.records[i].id,
                             &request->error));
    return STATUS_OK;
}

struct owners_change {
    struct request *request;
    struct npm_people now;
    struct str *wanted; /* ids */
    uint32_t wanted_len;
};

/* A name that the package has already stands for the same person; others must be users here. */
static enum status read_wanted(struct owners_change *change, yyjson_val *maintainers)
{
    size_t at, max;
    yyjson_val *one;
    change->wanted = arena_array(change->request->arena, yyjson_arr_size(maintainers) + 1,
                                 sizeof *change->wanted);
    if (!change->wanted)
        return error_no_memory(&change->request->error);
    yyjson_arr_foreach(maintainers, at, max, one)
    {
        struct str name = node_text(one, "name"), id = STR_NONE;
        struct record user;
        for (uint32_t i = 0; i < change->now.len && !id.data; i++)
            if (str_eq(change->now.list[i].name, name))
                id = change->now.list[i].id;
        if (!id.data) {
            TRY(find_user(change->request, name, &user));
            id = user.id;
        }
        change->wanted[change->wanted_len++] = id;
    }
    return change->wanted_len ? STATUS_OK
                              : error_set(&change->request->error, STATUS_INVALID_ARGUMENT,
                                          "a package needs an owner");
}

static bool is_wanted(const struct owners_change *change, struct str id)
{
    for (uint32_t i = 0; i < change->wanted_len; i++)
        if (str_eq(change->wanted[i], id))
            return true;
    return false;
}

static bool is_maintainer(const struct owners_change *change, struct str id)
{
    for (uint32_t i = 0; i < change->now.len; i++)
        if (str_eq(change->now.list[i].id, id))
            return str_is(change->now.list[i].right, "admin");
    return false;
}

static enum status apply_owners(struct owners_change *change, const struct record *asset)
{
    for (uint32_t i = 0; i < change->wanted_len; i++)
        if (!is_maintainer(change, change->wanted[i]))
            TRY(add_maintainer(change->request, asset->id, change->wanted[i]));
    for (uint32_t i = 0; i < change->now.len; i++) {
        const struct npm_person *person = &change->now.list[i];
        if (str_is(person->right, "admin") && !is_wanted(change, person->id))
            TRY(remove_maintainer(change->request, asset, person->id, change->wanted[0]));
    }
    return STATUS_OK;
}

enum status npm_set_maintainers(struct request *request, const struct record *package,
                                yyjson_val *maintainers)
{
    struct owners_change change = {.request = request};
    struct caller caller = caller_of(request);
    struct record *versions;
    uint32_t len;
    TRY(permission_check(catalog_of(request), &caller, package, RIGHT_ADMIN, &request->error));
    TRY(npm_people_of(request, package, &change.now));
    TRY(read_wanted(&change, maintainers));
    TRY(npm_versions(request, package->name, &versions, &len));
    for (uint32_t i = 0; i < len; i++)
        TRY(apply_owners(&change, &versions[i]));
    return apply_owners(&change, package);
}

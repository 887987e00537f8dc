/* Nodes in a real catalog: registration and its refusals, versions, search by each dimension,
 * resolution over what is registered, lock files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "catalog/node/registry.h"
#include "catalog/sqlite/sqlite_backend.h"

static const struct caller admin = {.tenant = STR("a"), .principal = STR("root"), .admin = true};
static const struct caller stranger = {.tenant = STR("b"), .principal = STR("eve"), .admin = true};

struct fixture {
    char folder[64];
    struct catalog *catalog;
    struct arena arena;
    struct error err;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct backend *backend = NULL;
    char path[SYS_PATH_MAX];
    assert_non_null(f);
    snprintf(f->folder, sizeof f->folder, "/tmp/quarry-nodes-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    assert_int_equal(sys_path(path, NULL, "%s/catalog.db", f->folder), STATUS_OK);
    f->err = ERROR_INIT;
    arena_init(&f->arena, 0);
    struct sqlite_backend_options options = {.path = path};
    assert_int_equal(sqlite_backend_open(&options, &backend, &f->err), STATUS_OK);
    struct catalog_options catalog = {.sys = sys_posix(), .backend = backend};
    assert_int_equal(catalog_open(&catalog, &f->catalog, &f->err), STATUS_OK);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    catalog_close(f->catalog);
    (void)sys_remove_tree(sys_posix(), f->folder, NULL);
    arena_release(&f->arena);
    free(f);
    return 0;
}

static enum status try_register(struct fixture *f, const char *json, bool strict,
                                struct record *ret)
{
    struct node_draft draft = {.json = str_of(json), .body = STR(""), .strict = strict};
    struct metadata_issues issues;
    return node_register(f->catalog, &admin, &draft, &f->arena, ret, &issues, &f->err);
}

/* name, version, and further members ("" or ",\"a\":1"). */
static struct record add(struct fixture *f, const char *name, const char *version, const char *more)
{
    char json[1024];
    struct record node = {0};
    snprintf(
        json, sizeof json,
        "{\"namespace\":\"onex.%s\",\"name\":\"%s\",\"version\":\"%s\",\"description\":\"d\"%s}",
        name, name, version, more);
    if (try_register(f, json, false, &node) != STATUS_OK)
        fail_msg("%s", f->err.message);
    return node;
}

static void registers_and_refuses(void **state)
{
    struct fixture *f = *state;
    struct record node =
        add(f, "a", "1.0.0", ",\"tags\":[\"x\",\"y\"],\"capabilities\":[\"read\"]");
    assert_true(str_is(node.kind, "node") && str_is(node.lifecycle, "active"));
    assert_int_equal(node.tags.len, 2);
    assert_true(str_is(node.categories.items[0], "read"));
    struct str uuid = attribute_get(node.attributes, "uuid", &f->arena);
    assert_int_equal(uuid.len, 36);
    assert_int_equal(attribute_get(node.attributes, "hash", &f->arena).len, METADATA_HASH_LEN);
    assert_int_equal(try_register(f,
                                  "{\"namespace\":\"onex.a\",\"name\":\"a\",\"version\":\"1.0.0\"}",
                                  false, &node),
                     STATUS_CONFLICT);
    assert_string_equal(f->err.message, "RG002: a node named 'a' 1.0.0 exists");
    char json[512];
    snprintf(json, sizeof json,
             "{\"namespace\":\"onex.b\",\"name\":\"b\",\"version\":\"1.0.0\",\"uuid\":\"%.*s\"}",
             STR_ARG(uuid));
    assert_int_equal(try_register(f, json, false, &node), STATUS_CONFLICT);
    assert_string_equal(f->err.message, "MD009: the uuid belongs to onex.a/a");
    assert_int_equal(try_register(f, "{\"namespace\":\"onex.b\",\"name\":\"b\"}", false, &node),
                     STATUS_INVALID_ARGUMENT);
    assert_string_equal(f->err.message, "MD006: version is missing");
    assert_int_equal(try_register(f,
                                  "{\"namespace\":\"onex.b\",\"name\":\"b\",\"version\":\"1.0.0\"}",
                                  true, &node),
                     STATUS_INVALID_ARGUMENT);
    assert_string_equal(f->err.message, "LC002: schema_version is missing");
}

static void expect_version(struct fixture *f, const char *spec, bool drafts, const char *wanted)
{
    struct record node;
    enum status status = node_get(f->catalog, &admin, STR("onex.a"), STR("a"), str_of(spec), drafts,
                                  &f->arena, &node, &f->err);
    if (!wanted) {
        assert_int_equal(status, STATUS_NOT_FOUND);
        return;
    }
    assert_int_equal(status, STATUS_OK);
    assert_true(str_is(node.version, wanted));
}

static void versions(void **state)
{
    struct fixture *f = *state;
    struct record *list;
    uint32_t len;
    (void)add(f, "a", "1.10.0", "");
    (void)add(f, "a", "1.9.0", "");
    (void)add(f, "a", "2.0.0-rc.1", "");
    (void)add(f, "a", "3.0.0", ",\"lifecycle\":\"draft\"");
    assert_int_equal(
        node_versions(f->catalog, &admin, STR("onex.a"), STR("a"), &f->arena, &list, &len, &f->err),
        STATUS_OK);
    assert_int_equal(len, 4);
    assert_true(str_is(list[0].version, "1.9.0") && str_is(list[1].version, "1.10.0") &&
                str_is(list[2].version, "2.0.0-rc.1") && str_is(list[3].version, "3.0.0"));
    expect_version(f, "latest", false, "1.10.0");
    expect_version(f, "1.9.0", false, "1.9.0");
    expect_version(f, "~1.9", false, "1.9.0");
    expect_version(f, "^2.0.0-rc.0", false, "2.0.0-rc.1");
    expect_version(f, "3", false, NULL);
    expect_version(f, "3", true, "3.0.0");
    expect_version(f, "9.9.9", false, NULL);
    assert_int_equal(node_versions(f->catalog, &stranger, STR("onex.a"), STR("a"), &f->arena, &list,
                                   &len, &f->err),
                     STATUS_NOT_FOUND);
}

static void expect_found(struct fixture *f, struct node_search search, const char *wanted)
{
    struct record_page page;
    struct buf text;
    buf_init(&text, 4096);
    if (!search.limit)
        search.limit = 100;
    for (;;) {
        if (node_search(f->catalog, &admin, &search, &f->arena, &page, &f->err) != STATUS_OK)
            fail_msg("%s", f->err.message);
        for (uint32_t i = 0; i < page.len; i++)
            buf_printf(&text, "%s%.*s %.*s", text.len ? ", " : "", STR_ARG(page.records[i].name),
                       STR_ARG(page.records[i].version));
        if (!page.next.len)
            break;
        search.cursor = page.next;
    }
    buf_append_char(&text, 0);
    assert_string_equal(text.data, wanted);
    buf_release(&text);
}

static void search(void **state)
{
    struct fixture *f = *state;
    const struct str tags[] = {STR("x"), STR("y")}, read[] = {STR("read")},
                     draft[] = {STR("draft")};
    struct record node = add(f, "alpha", "1.0.0",
                             ",\"tags\":[\"x\",\"y\"],\"author\":\"ann\",\"meta_type\":\"tool\"");
    (void)add(f, "alpha", "1.1.0", ",\"tags\":[\"x\"],\"inputs\":[{\"name\":\"in\"}]");
    (void)add(f, "beta", "2.0.0", ",\"capabilities\":[\"read\"],\"outputs\":[\"o\"]");
    (void)add(f, "gamma", "1.0.0", ",\"lifecycle\":\"draft\"");
    expect_found(f, (struct node_search){0}, "alpha 1.0.0, alpha 1.1.0, beta 2.0.0");
    expect_found(f, (struct node_search){.limit = 1}, "alpha 1.0.0, alpha 1.1.0, beta 2.0.0");
    expect_found(f, (struct node_search){.any_state = true, .latest_only = true},
                 "alpha 1.1.0, beta 2.0.0, gamma 1.0.0");
    expect_found(f, (struct node_search){.latest_only = true, .limit = 1},
                 "alpha 1.1.0, beta 2.0.0");
    expect_found(f, (struct node_search){.states = draft, .states_len = 1}, "gamma 1.0.0");
    expect_found(f, (struct node_search){.name = STR("beta")}, "beta 2.0.0");
    expect_found(f, (struct node_search){.name_pattern = STR("*ta")}, "beta 2.0.0");
    expect_found(f,
                 (struct node_search){.namespace = STR("onex.alpha"), .version_spec = STR("~1.1")},
                 "alpha 1.1.0");
    expect_found(f, (struct node_search){.version_pattern = STR("*.0.0")},
                 "alpha 1.0.0, beta 2.0.0");
    expect_found(f, (struct node_search){.tags = tags, .tags_len = 2}, "alpha 1.0.0");
    expect_found(f, (struct node_search){.capabilities = read, .capabilities_len = 1},
                 "beta 2.0.0");
    expect_found(f, (struct node_search){.author = STR("ann")}, "alpha 1.0.0");
    expect_found(f, (struct node_search){.meta_type = STR("tool")}, "alpha 1.0.0");
    expect_found(f, (struct node_search){.input = STR("in")}, "alpha 1.1.0");
    expect_found(f, (struct node_search){.output = STR("o")}, "beta 2.0.0");
    expect_found(f, (struct node_search){.text = STR("alph")}, "alpha 1.0.0, alpha 1.1.0");
    expect_found(f, (struct node_search){.uuid = attribute_get(node.attributes, "uuid", &f->arena)},
                 "alpha 1.0.0");
}

static void resolves_and_locks(void **state)
{
    struct fixture *f = *state;
    char more[512];
    struct record base = add(f, "base", "1.0.0", "");
    (void)add(f, "tool", "1.0.0", "");
    (void)add(f, "tool", "1.1.0", ",\"dependencies\":[\"tool://onex.other@^1\"]");
    (void)add(f, "other", "1.0.0", "");
    snprintf(more, sizeof more,
             ",\"dependencies\":[{\"id\":\"%.*s\",\"type\":\"tool\",\"version_spec\":\"^1\"},"
             "\"tool@^1.0\",{\"name\":\"zlib\",\"type\":\"library\"}]",
             STR_ARG(attribute_get(base.attributes, "uuid", &f->arena)));
    (void)add(f, "app", "1.0.0", more);
    struct resolve_need need = {.name = STR("app"), .range = STR("*")};
    struct node_resolve request = {.needs = &need, .needs_len = 1};
    struct resolution result;
    struct buf lock;
    buf_init(&lock, 1 << 16);
    if (node_resolve(f->catalog, &admin, &request, &f->arena, &result, &f->err) != STATUS_OK)
        fail_msg("%s", f->err.message);
    assert_int_equal(node_write_lock(&result, &lock, &f->err), STATUS_OK);
    buf_append_char(&lock, 0);
    assert_string_equal(
        lock.data, "{\"lock_version\":1,\"nodes\":{"
                   "\"onex.app/app\":{\"version\":\"1.0.0\",\"needs\":[\"onex.base/base\","
                   "\"onex.tool/tool\"]},\"onex.base/base\":{\"version\":\"1.0.0\",\"needs\":[]}"
                   ",\"onex.other/other\":{\"version\":\"1.0.0\",\"needs\":[]},"
                   "\"onex.tool/tool\":{\"version\":\"1.1.0\",\"needs\":[\"onex.other/other\"]}"
                   "}}");
    struct resolve_pair *locked;
    uint32_t len;
    assert_int_equal(node_read_lock(str_of(lock.data), &f->arena, &locked, &len, &f->err),
                     STATUS_OK);
    assert_int_equal(len, 4);
    (void)add(f, "tool", "1.2.0", "");
    request.locked = locked;
    request.locked_len = len;
    assert_int_equal(node_resolve(f->catalog, &admin, &request, &f->arena, &result, &f->err),
                     STATUS_OK);
    assert_true(str_is(result.nodes[3].release->version, "1.1.0"));
    need.name = STR("nobody");
    request.locked_len = 0;
    assert_int_equal(node_resolve(f->catalog, &admin, &request, &f->arena, &result, &f->err),
                     STATUS_OK);
    assert_false(result.found);
    assert_true(str_is(result.explanation, "the request needs nobody *, which is not known, so "
                                           "the request cannot be satisfied."));
    buf_release(&lock);
}

static void replaces(void **state)
{
    struct fixture *f = *state;
    struct record node = add(f, "a", "1.0.0", ",\"uuid\":\"5a1b02fa-9d46-4c98-ae7d-7d1a2d222df5\"");
    struct metadata_issues issues;
    struct node_draft draft = {
        .json = STR("{\"namespace\":\"onex.a\",\"name\":\"a\",\"version\":\"1.0.0\","
                    "\"uuid\":\"5a1b02fa-9d46-4c98-ae7d-7d1a2d222df5\",\"description\":\"new\"}"),
        .body = STR("")};
    assert_int_equal(
        node_replace(f->catalog, &admin, node.id, 1, &draft, &f->arena, &node, &issues, &f->err),
        STATUS_OK);
    assert_true(str_is(node.description, "new"));
    assert_int_equal(node.revision, 2);
    assert_int_equal(
        node_replace(f->catalog, &admin, node.id, 1, &draft, &f->arena, &node, &issues, &f->err),
        STATUS_CONFLICT);
    draft.json = STR("{\"namespace\":\"onex.a\",\"name\":\"a\",\"version\":\"1.0.1\"}");
    assert_int_equal(
        node_replace(f->catalog, &admin, node.id, 0, &draft, &f->arena, &node, &issues, &f->err),
        STATUS_CONFLICT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(registers_and_refuses, set_up, tear_down),
        cmocka_unit_test_setup_teardown(versions, set_up, tear_down),
        cmocka_unit_test_setup_teardown(search, set_up, tear_down),
        cmocka_unit_test_setup_teardown(resolves_and_locks, set_up, tear_down),
        cmocka_unit_test_setup_teardown(replaces, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

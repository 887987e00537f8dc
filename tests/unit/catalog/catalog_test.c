/* What the catalog does with records, whatever the back end: names, revisions, lifecycle,
 * permissions, relations, locations, audit. */
#include "catalog/catalog.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "catalog/sqlite/sqlite_backend.h"

struct fixture {
    char folder[64];
    struct catalog *catalog;
    struct arena arena;
    struct error err;
};

static const struct caller admin = {.tenant = STR("a"), .principal = STR("root"), .admin = true};
static const struct caller ann = {.tenant = STR("a"), .principal = STR("ann")};
static const struct caller stranger = {.tenant = STR("b"), .principal = STR("eve"), .admin = true};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct backend *backend = NULL;
    char path[SYS_PATH_MAX];
    assert_non_null(f);
    strcpy(f->folder, "/tmp/quarry-catalog-XXXXXX"); /* NOLINT: fits */
    assert_non_null(mkdtemp(f->folder));
    assert_int_equal(sys_path(path, NULL, "%s/catalog.db", f->folder), STATUS_OK);
    f->err = ERROR_INIT;
    arena_init(&f->arena, 0);
    struct sqlite_backend_options options = {.path = path};
    assert_int_equal(sqlite_backend_open(&options, &backend, &f->err), STATUS_OK);
    struct catalog_options catalog = {
        .sys = sys_posix(), .backend = backend, .touch_interval_us = 3600000000};
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

#define MUST(expression)                                                                           \
    do {                                                                                           \
        enum status must_ = (expression);                                                          \
        if (must_ != STATUS_OK)                                                                    \
            fail_msg("%s: %s", status_info(must_)->name, f->err.message);                          \
    } while (0)

static struct record create(struct fixture *f, const struct caller *caller, const char *kind,
                            const char *name)
{
    struct record draft = {.kind = str_of(kind), .name = str_of(name)}, asset;
    MUST(asset_create(f->catalog, caller, &draft, &f->arena, &asset, &f->err));
    return asset;
}

static void test_names(void **state)
{
    struct fixture *f = *state;
    struct record graph = create(f, &admin, "graph", "g/1"), got;
    assert_true(str_is(graph.key, "graph/g%2F1"));
    assert_true(str_is(graph.owner, "root") && str_is(graph.lifecycle, "active"));
    assert_int_equal(graph.revision, 1);
    struct record draft = {.kind = STR("graph"), .name = STR("g/1")};
    assert_int_equal(asset_create(f->catalog, &admin, &draft, &f->arena, &got, &f->err),
                     STATUS_CONFLICT);
    assert_string_equal(f->err.message, "a graph named 'g/1' exists");
    (void)create(f, &admin, "collection", "g/1");
    (void)create(f, &stranger, "graph", "g/1");
    draft.kind = STR("Bad Kind");
    assert_int_equal(asset_create(f->catalog, &admin, &draft, &f->arena, &got, &f->err),
                     STATUS_INVALID_ARGUMENT);
    draft = (struct record){.kind = STR("graph")};
    assert_int_equal(asset_create(f->catalog, &admin, &draft, &f->arena, &got, &f->err),
                     STATUS_INVALID_ARGUMENT);
    struct record node = {
        .kind = STR("node"), .namespace = STR("x"), .name = STR("n"), .version = STR("1.0.0")};
    MUST(asset_create(f->catalog, &admin, &node, &f->arena, &got, &f->err));
    node.version = STR("1.1.0");
    MUST(asset_create(f->catalog, &admin, &node, &f->arena, &got, &f->err));
    MUST(asset_find(f->catalog, &admin, STR("node"), STR("x"), STR("n"), STR("1.1.0"), &f->arena,
                    &got, &f->err));
    assert_true(str_is(got.version, "1.1.0"));
}

static enum status update(struct fixture *f, const struct caller *caller, struct str id,
                          int64_t expected, const char *json, struct record *ret)
{
    yyjson_doc *doc = NULL;
    MUST(json_parse(str_of(json), &doc, &f->err));
    enum status status = asset_update(f->catalog, caller, id, expected, yyjson_doc_get_root(doc),
                                      &f->arena, ret, &f->err);
    yyjson_doc_free(doc);
    return status;
}

static void test_update(void **state)
{
    struct fixture *f = *state;
    struct record graph = create(f, &admin, "graph", "g"), got;
    MUST(update(f, &admin, graph.id, 0, "{\"description\":\"d\",\"tags\":[\"x\"]}", &got));
    assert_int_equal(got.revision, 2);
    assert_true(str_is(got.description, "d"));
    MUST(update(f, &admin, graph.id, 2, "{\"description\":\"d\"}", &got));
    assert_int_equal(got.revision, 2); /* nothing changed */
    assert_int_equal(update(f, &admin, graph.id, 1, "{\"description\":\"e\"}", &got),
                     STATUS_CONFLICT);
    assert_int_equal(update(f, &admin, graph.id, 0, "{\"owner\":\"me\"}", &got),
                     STATUS_INVALID_ARGUMENT);
    assert_string_equal(f->err.field, "owner");
    assert_int_equal(update(f, &admin, graph.id, 0, "{\"tags\":[\"x\",\"x\"]}", &got),
                     STATUS_INVALID_ARGUMENT);
    assert_int_equal(update(f, &stranger, graph.id, 0, "{\"description\":\"e\"}", &got),
                     STATUS_NOT_FOUND);
    MUST(update(f, &admin, graph.id, 0, "{\"description\":null}", &got));
    assert_int_equal(got.description.len, 0);
    assert_int_equal(got.revision, 3);
}

static void test_delete(void **state)
{
    struct fixture *f = *state;
    struct record graph = create(f, &admin, "graph", "g"), got;
    MUST(asset_delete(f->catalog, &admin, graph.id, 0, &f->arena, &got, &f->err));
    assert_true(got.deleted_us != 0);
    assert_int_equal(asset_find(f->catalog, &admin, STR("graph"), STR_NONE, STR("g"), STR_NONE,
                                &f->arena, &got, &f->err),
                     STATUS_NOT_FOUND);
    assert_int_equal(update(f, &admin, graph.id, 0, "{}", &got), STATUS_NOT_FOUND);
    struct record second = create(f, &admin, "graph", "g");
    assert_int_equal(asset_undelete(f->catalog, &admin, graph.id, &f->arena, &got, &f->err),
                     STATUS_CONFLICT);
    MUST(asset_purge(f->catalog, &admin, second.id, &f->err));
    MUST(asset_undelete(f->catalog, &admin, graph.id, &f->arena, &got, &f->err));
    assert_int_equal(got.deleted_us, 0);
    assert_int_equal(asset_purge(f->catalog, &admin, second.id, &f->err), STATUS_NOT_FOUND);
}

static enum status move(struct fixture *f, struct str id, const char *to, const char *reason,
                        const char *by)
{
    struct record got;
    struct transition transition = {
        .to = str_of(to), .reason = str_of(reason), .deprecated_by = str_of(by)};
    return asset_transition(f->catalog, &admin, id, 0, &transition, &f->arena, &got, &f->err);
}

static void test_lifecycle(void **state)
{
    static const char *const states[] = {"draft", "active", "deprecated", "archived"};
    static const bool allowed[4][4] = {{1, 1, 0, 1}, {0, 1, 1, 0}, {0, 1, 1, 1}, {0, 0, 0, 1}};
    struct fixture *f = *state;
    char name[32];
    for (int from = 0; from < 4; from++) {
        for (int to = 0; to < 4; to++) {
            struct record draft = {.kind = STR("node"),
                                   .name = STR("n"),
                                   .lifecycle = str_of(states[from])},
                          asset;
            snprintf(name, sizeof name, "%d.%d.0", from, to);
            draft.version = str_of(name);
            MUST(asset_create(f->catalog, &admin, &draft, &f->arena, &asset, &f->err));
            assert_int_equal(move(f, asset.id, states[to], "because", "another"),
                             allowed[from][to] ? STATUS_OK : STATUS_CONFLICT);
        }
    }
    struct record node = create(f, &admin, "node", "m");
    assert_int_equal(move(f, node.id, "deprecated", NULL, NULL), STATUS_INVALID_ARGUMENT);
    assert_non_null(strstr(f->err.message, "LC005"));
    assert_int_equal(move(f, node.id, "gone", NULL, NULL), STATUS_INVALID_ARGUMENT);
    assert_non_null(strstr(f->err.message, "LC001"));
    assert_int_equal(move(f, node.id, "archived", "x", NULL), STATUS_CONFLICT);
    assert_non_null(strstr(f->err.message, "LC003"));
    assert_int_equal(move(f, node.id, "deprecated", NULL, "m2"), STATUS_OK);
    assert_int_equal(move(f, node.id, "archived", NULL, NULL), STATUS_INVALID_ARGUMENT);
    assert_non_null(strstr(f->err.message, "LC006"));
    assert_int_equal(move(f, node.id, "archived", "old", NULL), STATUS_OK);
    struct record got;
    MUST(asset_get(f->catalog, &admin, node.id, &f->arena, &got, &f->err));
    assert_true(str_is(attribute_get(got.attributes, "archived_reason", &f->arena), "old"));
}

static void grant(struct fixture *f, struct str asset, const char *principal, enum right permission,
                  int64_t expires_us)
{
    struct record got;
    struct grant wanted = {
        .principal = str_of(principal), .permission = permission, .expires_us = expires_us};
    MUST(grant_put(f->catalog, &admin, asset, &wanted, &f->arena, &got, &f->err));
}

static uint32_t seen_by(struct fixture *f, const struct caller *caller)
{
    struct record_query query = {.limit = 100};
    struct record_page page;
    MUST(asset_query(f->catalog, caller, &query, &f->arena, &page, &f->err));
    return page.len;
}

static void test_permissions(void **state)
{
    static const struct {
        enum right granted;
        bool may[RIGHT_COUNT]; /* read, write, execute, admin */
    } cases[] = {
        {RIGHT_READ, {1, 0, 0, 0}},
        {RIGHT_WRITE, {1, 1, 0, 0}},
        {RIGHT_EXECUTE, {0, 0, 1, 0}},
        {RIGHT_ADMIN, {1, 1, 1, 1}},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char name[32];
        snprintf(name, sizeof name, "g%zu", i);
        struct record graph = create(f, &admin, "graph", name), got;
        assert_int_equal(asset_get(f->catalog, &ann, graph.id, &f->arena, &got, &f->err),
                         STATUS_NOT_FOUND);
        grant(f, graph.id, "ann", cases[i].granted, 0);
        for (int wanted = 0; wanted < RIGHT_COUNT; wanted++) {
            bool may = false;
            MUST(grant_check(f->catalog, &admin, graph.id, STR("ann"), (enum right)wanted, &may,
                             &f->err));
            assert_int_equal(may, cases[i].may[wanted]);
            enum status status =
                permission_check(f->catalog, &ann, &graph, (enum right)wanted, &f->err);
            assert_int_equal(status == STATUS_OK, cases[i].may[wanted]);
        }
    }
    assert_int_equal(seen_by(f, &ann), 3);
    assert_int_equal(seen_by(f, &admin), 4);
    assert_int_equal(seen_by(f, &stranger), 0);
}

static void test_grants(void **state)
{
    struct fixture *f = *state;
    struct record graph = create(f, &admin, "graph", "g"), got;
    struct str roles[] = {STR("editor")};
    struct caller editor = {
        .tenant = STR("a"), .principal = STR("bob"), .roles = roles, .roles_len = 1};
    grant(f, graph.id, "ann", RIGHT_READ, 1); /* expired long ago */
    assert_int_equal(asset_get(f->catalog, &ann, graph.id, &f->arena, &got, &f->err),
                     STATUS_NOT_FOUND);
    grant(f, graph.id, "ann", RIGHT_READ, 0); /* the same grant: now for ever */
    MUST(asset_get(f->catalog, &ann, graph.id, &f->arena, &got, &f->err));
    assert_int_equal(update(f, &ann, graph.id, 0, "{\"description\":\"x\"}", &got),
                     STATUS_FORBIDDEN);
    grant(f, graph.id, "role:editor", RIGHT_WRITE, 0);
    MUST(update(f, &editor, graph.id, 0, "{\"description\":\"x\"}", &got));
    struct record_page page;
    MUST(grant_list(f->catalog, &admin, graph.id, &f->arena, &page, &f->err));
    assert_int_equal(page.len, 2);
    assert_int_equal(grant_revoke(f->catalog, &ann, graph.id, page.records[0].id, &f->err),
                     STATUS_FORBIDDEN);
    MUST(grant_revoke(f->catalog, &admin, graph.id, page.records[0].id, &f->err));
    assert_int_equal(asset_get(f->catalog, &ann, graph.id, &f->arena, &got, &f->err),
                     STATUS_NOT_FOUND);
    MUST(update(f, &admin, graph.id, 0, "{\"is_public\":true}", &got));
    MUST(asset_get(f->catalog, &ann, graph.id, &f->arena, &got, &f->err));
    assert_int_equal(seen_by(f, &ann), 1);
    /* a refusal is in the history */
    MUST(asset_history(f->catalog, &admin, graph.id, STR("audit"), 100, STR_NONE, &f->arena, &page,
                       &f->err));
    uint32_t refused = 0;
    for (uint32_t i = 0; i < page.len; i++)
        refused += !page.records[i].success;
    assert_int_equal(refused, 4);
}

static void relate(struct fixture *f, struct str from, struct str to, const char *kind)
{
    struct record got;
    MUST(relation_add(f->catalog, &admin, from, to, str_of(kind), STR_NONE, &f->arena, &got,
                      &f->err));
}

static void test_lineage(void **state)
{
    struct fixture *f = *state;
    struct record a = create(f, &admin, "graph", "a"), b = create(f, &admin, "graph", "b");
    struct record c = create(f, &admin, "graph", "c"), d = create(f, &admin, "graph", "d"), got;
    relate(f, b.id, a.id, "derived_from"); /* a <- b <- c, a <- d, c -> d; and a circle */
    relate(f, c.id, b.id, "subset_of");
    relate(f, d.id, a.id, "merged_with");
    relate(f, c.id, d.id, "depends_on");
    relate(f, a.id, c.id, "depends_on");
    assert_int_equal(relation_add(f->catalog, &admin, b.id, a.id, STR("derived_from"), STR_NONE,
                                  &f->arena, &got, &f->err),
                     STATUS_CONFLICT);
    assert_int_equal(relation_add(f->catalog, &admin, b.id, b.id, STR("derived_from"), STR_NONE,
                                  &f->arena, &got, &f->err),
                     STATUS_INVALID_ARGUMENT);
    struct lineage lineage;
    MUST(asset_lineage(f->catalog, &admin, a.id, false, 32, &f->arena, &lineage, &f->err));
    assert_int_equal(lineage.len, 3);
    assert_int_equal(lineage.steps[0].depth, 1);
    assert_true(str_eq(lineage.steps[2].asset.id, c.id));
    assert_int_equal(lineage.steps[2].depth, 2);
    assert_false(lineage.cut);
    MUST(asset_lineage(f->catalog, &admin, b.id, true, 1, &f->arena, &lineage, &f->err));
    assert_int_equal(lineage.len, 1);
    assert_true(str_eq(lineage.steps[0].asset.id, a.id));
    assert_true(str_is(lineage.steps[0].kind, "derived_from"));
    assert_true(lineage.cut);
    MUST(asset_delete(f->catalog, &admin, a.id, 0, &f->arena, &got, &f->err));
    MUST(asset_lineage(f->catalog, &admin, b.id, true, 9, &f->arena, &lineage, &f->err));
    assert_int_equal(lineage.len, 0);
    struct record_page page;
    MUST(relation_list(f->catalog, &admin, c.id, &f->arena, &page, &f->err));
    assert_int_equal(page.len, 3);
    MUST(asset_purge(f->catalog, &admin, c.id, &f->err));
    MUST(relation_list(f->catalog, &admin, b.id, &f->arena, &page, &f->err));
    assert_int_equal(page.len, 1);
}

static void test_locations(void **state)
{
    struct fixture *f = *state;
    struct record location = {.domain = DOMAIN_LOCATION,
                              .kind = STR("s3"),
                              .name = STR("store"),
                              .location = STR("s3://x/"),
                              .capacity_bytes = 1000},
                  got, choice;
    MUST(entry_create(f->catalog, &admin, &location, &f->arena, &got, &f->err));
    assert_int_equal(location_choose(f->catalog, &admin, STR_NONE, &f->arena, &choice, &f->err),
                     STATUS_NOT_FOUND);
    MUST(location_choose(f->catalog, &admin, STR("store"), &f->arena, &choice, &f->err));
    struct record draft = {.kind = STR("graph"),
                           .name = STR("g"),
                           .size_bytes = 600,
                           .attributes = STR("{\"storage_location\":\"store\"}")},
                  asset;
    MUST(asset_create(f->catalog, &admin, &draft, &f->arena, &asset, &f->err));
    MUST(entry_find(f->catalog, &admin, DOMAIN_LOCATION, STR("store"), &f->arena, &got, &f->err));
    assert_int_equal(got.size_bytes, 600);
    draft.name = STR("h");
    assert_int_equal(asset_create(f->catalog, &admin, &draft, &f->arena, &got, &f->err),
                     STATUS_STORAGE_FULL);
    struct asset_statistics statistics = {-1, 5, 6, -1, -1, 900};
    MUST(asset_set_statistics(f->catalog, &admin, asset.id, &statistics, &f->arena, &got, &f->err));
    assert_int_equal(got.node_count, 5);
    MUST(entry_find(f->catalog, &admin, DOMAIN_LOCATION, STR("store"), &f->arena, &got, &f->err));
    assert_int_equal(got.size_bytes, 900);
    MUST(asset_delete(f->catalog, &admin, asset.id, 0, &f->arena, &got, &f->err));
    MUST(entry_find(f->catalog, &admin, DOMAIN_LOCATION, STR("store"), &f->arena, &got, &f->err));
    assert_int_equal(got.size_bytes, 0);
}

static struct record user_of(const char *name, const char *attributes)
{
    return (struct record){.domain = DOMAIN_PRINCIPAL,
                           .kind = STR("user"),
                           .name = str_of(name),
                           .attributes = str_of(attributes)};
}

static void test_principals(void **state)
{
    struct fixture *f = *state;
    struct record first = user_of("ann", "{\"email\":\"ann@x\"}"), got;
    struct record second = user_of("bob", "{\"email\":\"ann@x\"}");
    MUST(entry_create(f->catalog, &admin, &first, &f->arena, &got, &f->err));
    assert_int_equal(entry_create(f->catalog, &ann, &second, &f->arena, &got, &f->err),
                     STATUS_FORBIDDEN);
    assert_int_equal(entry_create(f->catalog, &admin, &first, &f->arena, &got, &f->err),
                     STATUS_CONFLICT);
    assert_string_equal(f->err.message, "the name 'ann' is taken");
    assert_int_equal(entry_create(f->catalog, &admin, &second, &f->arena, &got, &f->err),
                     STATUS_CONFLICT);
    assert_string_equal(f->err.message, "the e-mail address 'ann@x' is taken");
    first.attributes = STR("{\"email\":\"ann@y\"}");
    MUST(entry_put(f->catalog, &admin, &first, &f->arena, &got, &f->err));
    assert_int_equal(got.revision, 2);
    MUST(entry_create(f->catalog, &admin, &second, &f->arena, &got, &f->err));
    MUST(entry_find(f->catalog, &ann, DOMAIN_PRINCIPAL, STR("user/bob"), &f->arena, &got, &f->err));
    MUST(entry_remove(f->catalog, &admin, DOMAIN_PRINCIPAL, got.id, &f->err));
    assert_int_equal(
        entry_find(f->catalog, &admin, DOMAIN_PRINCIPAL, STR("user/bob"), &f->arena, &got, &f->err),
        STATUS_NOT_FOUND);
    MUST(entry_create(f->catalog, &admin, &second, &f->arena, &got, &f->err));
}

/* Everything of one tenant, deleted things and events too; nothing of another one. */
static void test_remove_tenant(void **state)
{
    struct fixture *f = *state;
    struct record got, other, user = user_of("ann", "{\"email\":\"ann@x\"}");
    struct record one = create(f, &admin, "graph", "one"), two = create(f, &admin, "graph", "two");
    other = create(f, &stranger, "graph", "one");
    MUST(relation_add(f->catalog, &admin, one.id, two.id, STR("derived_from"), STR("{}"), &f->arena,
                      &got, &f->err));
    grant(f, one.id, "ann", RIGHT_READ, 0);
    MUST(asset_delete(f->catalog, &admin, two.id, 0, &f->arena, &got, &f->err));
    MUST(entry_create(f->catalog, &admin, &user, &f->arena, &got, &f->err));
    MUST(catalog_remove_tenant(f->catalog, STR("a"), &f->err));
    for (int domain = 0; domain < DOMAIN_COUNT; domain++) {
        struct record_page page;
        struct record_query query = {.domain = (enum domain)domain,
                                     .tenant = STR("a"),
                                     .deleted = DELETED_SHOW,
                                     .limit = 10};
        MUST(backend_query(catalog_backend(f->catalog), &query, &f->arena, &page, &f->err));
        assert_int_equal(page.len, 0);
    }
    MUST(asset_get(f->catalog, &stranger, other.id, &f->arena, &got, &f->err));
    MUST(catalog_remove_tenant(f->catalog, STR("a"), &f->err));
}

static enum status describe(void *context, struct record *record, struct arena *arena,
                            struct error *err)
{
    (void)arena;
    record->description = *(struct str *)context;
    return record->description.len ? STATUS_OK : error_set(err, STATUS_INVALID_ARGUMENT, "no text");
}

static void test_step_with_a_change(void **state)
{
    struct fixture *f = *state;
    struct record graph = create(f, &admin, "graph", "stepping"), got;
    struct str text = STR("");
    struct transition transition = {.to = STR("deprecated"), .also = describe, .context = &text};
    assert_int_equal(asset_transition(f->catalog, &admin, graph.id, graph.revision, &transition,
                                      &f->arena, &got, &f->err),
                     STATUS_INVALID_ARGUMENT);
    MUST(asset_get(f->catalog, &admin, graph.id, &f->arena, &got, &f->err));
    assert_true(str_is(got.lifecycle, "active") && got.revision == graph.revision);
    text = STR("old");
    MUST(asset_transition(f->catalog, &admin, graph.id, graph.revision, &transition, &f->arena,
                          &got, &f->err));
    assert_true(str_is(got.lifecycle, "deprecated") && str_is(got.description, "old"));
    assert_int_equal(got.revision, graph.revision + 1);
}

static void test_defaults_twice(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 2; i++)
        MUST(catalog_ensure_defaults(f->catalog, STR("a"), STR("./parquet_data"), &f->err));
    struct record got;
    MUST(entry_find(f->catalog, &ann, DOMAIN_CONFIG, STR("default_top_k"), &f->arena, &got,
                    &f->err));
    assert_true(str_is(attribute_get(got.attributes, "value", &f->arena), "10"));
    assert_true(str_is(got.kind, "integer"));
    struct record_query query = {.domain = DOMAIN_CONFIG, .limit = 100};
    struct record_page page;
    MUST(entry_query(f->catalog, &ann, &query, &f->arena, &page, &f->err));
    assert_int_equal(page.len, 15);
    MUST(location_choose(f->catalog, &admin, STR_NONE, &f->arena, &got, &f->err));
    assert_true(str_is(got.name, "local_parquet"));
}

static void test_audit_and_access_counts(void **state)
{
    struct fixture *f = *state;
    struct record graph = create(f, &admin, "graph", "g"), got;
    for (int i = 0; i < 7; i++)
        MUST(asset_get(f->catalog, &admin, graph.id, &f->arena, &got, &f->err));
    MUST(update(f, &admin, graph.id, 0, "{\"description\":\"x\"}", &got));
    struct record_page page;
    MUST(asset_history(f->catalog, &admin, graph.id, STR_NONE, 10, STR_NONE, &f->arena, &page,
                       &f->err));
    assert_int_equal(page.len, 2);
    assert_true(str_is(page.records[0].name, "asset.update"));
    assert_true(str_is(page.records[0].attributes,
                       "{\"details\":{\"revision\":2,\"changed\":[\"description\"]}}"));
    assert_true(str_is(page.records[1].name, "asset.create"));
    assert_true(str_is(page.records[1].subject, "root"));
    /* closing writes the counts */
    char path[SYS_PATH_MAX];
    struct backend *backend = NULL;
    catalog_close(f->catalog);
    f->catalog = NULL;
    MUST(sys_path(path, &f->err, "%s/catalog.db", f->folder));
    struct sqlite_backend_options options = {.path = path};
    MUST(sqlite_backend_open(&options, &backend, &f->err));
    MUST(backend_get(backend, DOMAIN_ASSET, STR("a"), graph.id, &f->arena, &got, &f->err));
    assert_int_equal(got.access_count, 7);
    assert_true(got.accessed_us > 0);
    backend_close(backend);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_names),
        TEST(test_update),
        TEST(test_delete),
        TEST(test_lifecycle),
        TEST(test_remove_tenant),
        TEST(test_step_with_a_change),
        TEST(test_permissions),
        TEST(test_grants),
        TEST(test_lineage),
        TEST(test_locations),
        TEST(test_principals),
        TEST(test_defaults_twice),
        TEST(test_audit_and_access_counts),
    };
    return cmocka_run_group_tests_name("catalog", tests, NULL, NULL);
}

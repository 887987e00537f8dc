/* Approvals and notices of nodes: what counts, what a strict tenant refuses, what a step uses up.
 */
#include "catalog/approval.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "catalog/retention.h"
#include "catalog/sqlite/sqlite_backend.h"

#define DAY_US (INT64_C(86400) * 1000000)

struct fixture {
    char folder[64];
    struct catalog *catalog;
    struct arena arena;
    struct error err;
};

static const struct caller admin = {.tenant = STR("a"), .principal = STR("root"), .admin = true};
static const struct caller ann = {.tenant = STR("a"), .principal = STR("ann")};
static const struct caller ben = {.tenant = STR("a"), .principal = STR("ben")};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct backend *backend = NULL;
    char path[SYS_PATH_MAX];
    assert_non_null(f);
    strcpy(f->folder, "/tmp/quarry-approval-XXXXXX"); /* NOLINT: fits */
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

static void set_policy(struct fixture *f, const char *value)
{
    struct record config = {.domain = DOMAIN_CONFIG,
                            .kind = STR("string"),
                            .name = STR("lifecycle_policy"),
                            .attributes = STR("{}")},
                  got;
    MUST(attribute_set(&config.attributes, "value", str_of(value), &f->arena, &f->err));
    MUST(entry_put(f->catalog, &admin, &config, &f->arena, &got, &f->err));
}

/* A draft of ann's that everyone may read and ben may write. */
static struct record draft_of_ann(struct fixture *f, const char *version)
{
    struct record got, made,
        draft = {.kind = STR("node"),
                 .namespace = STR("onex.x"),
                 .name = STR("n"),
                 .version = str_of(version),
                 .lifecycle = STR("draft"),
                 .is_public = true};
    struct grant grant = {.principal = STR("ben"), .permission = RIGHT_ADMIN};
    MUST(asset_create(f->catalog, &ann, &draft, &f->arena, &made, &f->err));
    MUST(grant_put(f->catalog, &ann, made.id, &grant, &f->arena, &got, &f->err));
    return made;
}

static enum status move(struct fixture *f, const struct caller *who, struct str id, const char *to,
                        unsigned *lacks)
{
    struct record got;
    struct transition transition = {.to = str_of(to),
                                    .reason = STR("because"),
                                    .deprecated_by = STR("another"),
                                    .ret_lacks = lacks};
    return asset_transition(f->catalog, who, id, 0, &transition, &f->arena, &got, &f->err);
}

static enum status approve(struct fixture *f, const struct caller *who, struct str id,
                           const char *to)
{
    struct record got;
    return approval_add(f->catalog, who, id, str_of(to), STR("looks good"), &f->arena, &got,
                        &f->err);
}

/* As if the notice had been given `days` ago. */
static void announce(struct fixture *f, struct str id, const char *to, int days)
{
    struct record notice;
    MUST(notice_add(f->catalog, &ben, id, str_of(to), STR("soon"), &f->arena, &notice, &f->err));
    struct change removal = {.kind = CHANGE_REMOVE, .record = &notice};
    MUST(backend_commit(catalog_backend(f->catalog), &removal, 1, NULL, &f->err));
    notice.created_us -= days * DAY_US;
    struct change insertion = {.kind = CHANGE_INSERT, .record = &notice};
    MUST(backend_commit(catalog_backend(f->catalog), &insertion, 1, NULL, &f->err));
}

static uint32_t count_open(struct fixture *f, struct str id)
{
    struct record_page page;
    MUST(approval_list(f->catalog, &ann, id, &f->arena, &page, &f->err));
    return page.len;
}

static void test_advised(void **state)
{
    struct fixture *f = *state;
    unsigned lacks = 0;
    struct str id = draft_of_ann(f, "1.0.0").id;
    MUST(move(f, &ann, id, "active", &lacks));
    assert_int_equal(lacks, LACKS_APPROVAL);
    MUST(move(f, &ann, id, "deprecated", &lacks));
    assert_int_equal(lacks, LACKS_NOTICE);
    MUST(move(f, &ann, id, "active", &lacks));
    assert_int_equal(lacks, LACKS_APPROVAL | LACKS_NOTICE);
    id = draft_of_ann(f, "2.0.0").id;
    MUST(move(f, &ann, id, "archived", &lacks));
    assert_int_equal(lacks, 0);
    set_policy(f, "sometimes");
    id = draft_of_ann(f, "3.0.0").id;
    assert_int_equal(move(f, &ann, id, "active", NULL), STATUS_INVALID_ARGUMENT);
    assert_non_null(strstr(f->err.message, "lifecycle_policy"));
}

static void test_approvals(void **state)
{
    struct fixture *f = *state;
    struct record got;
    struct str id = draft_of_ann(f, "1.0.0").id;
    set_policy(f, "strict");
    assert_int_equal(move(f, &ann, id, "active", NULL), STATUS_CONFLICT);
    assert_non_null(strstr(f->err.message, "LC004"));
    assert_int_equal(approve(f, &ann, id, "active"), STATUS_FORBIDDEN);
    assert_non_null(strstr(f->err.message, "LC004"));
    assert_int_equal(approve(f, &ben, id, "deprecated"), STATUS_CONFLICT);
    assert_non_null(strstr(f->err.message, "LC003"));
    assert_int_equal(approve(f, &ben, id, "gone"), STATUS_INVALID_ARGUMENT);
    /* who takes the step has not approved it */
    MUST(approve(f, &ben, id, "active"));
    assert_int_equal(move(f, &ben, id, "active", NULL), STATUS_CONFLICT);
    /* what is approved is the node as it was looked at */
    yyjson_doc *doc = NULL;
    MUST(json_parse(STR("{\"description\":\"another\"}"), &doc, &f->err));
    MUST(asset_update(f->catalog, &ann, id, 0, yyjson_doc_get_root(doc), &f->arena, &got, &f->err));
    yyjson_doc_free(doc);
    assert_int_equal(move(f, &ann, id, "active", NULL), STATUS_CONFLICT);
    MUST(approve(f, &ben, id, "active"));
    assert_int_equal(count_open(f, id), 2);
    unsigned lacks = 9;
    MUST(move(f, &ann, id, "active", &lacks));
    assert_int_equal(lacks, 0);
    assert_int_equal(count_open(f, id), 0); /* used up */
}

static void test_notices(void **state)
{
    struct fixture *f = *state;
    struct str id = draft_of_ann(f, "1.0.0").id;
    MUST(move(f, &ann, id, "active", NULL));
    set_policy(f, "strict");
    assert_int_equal(move(f, &ann, id, "deprecated", NULL), STATUS_CONFLICT);
    assert_non_null(strstr(f->err.message, "LC008"));
    announce(f, id, "deprecated", 29);
    assert_int_equal(move(f, &ann, id, "deprecated", NULL), STATUS_CONFLICT);
    announce(f, id, "deprecated", 31);
    MUST(move(f, &ann, id, "deprecated", NULL));
    /* back needs security and seven days; an approval of ben, who is no admin, is not enough */
    announce(f, id, "active", 8);
    MUST(approve(f, &ben, id, "active"));
    assert_int_equal(move(f, &ann, id, "active", NULL), STATUS_CONFLICT);
    assert_non_null(strstr(f->err.message, "security"));
    MUST(approve(f, &admin, id, "active"));
    MUST(move(f, &ann, id, "active", NULL));
    /* the first notice was used up: the same step needs another one */
    assert_int_equal(move(f, &ann, id, "deprecated", NULL), STATUS_CONFLICT);
}

static void test_withdrawn_and_kept(void **state)
{
    struct fixture *f = *state;
    struct record_page page;
    struct retention retention = {.before_us = INT64_MAX};
    struct retention_result result;
    struct str id = draft_of_ann(f, "1.0.0").id;
    struct caller eve = {.tenant = STR("a"), .principal = STR("eve")};
    MUST(approve(f, &ben, id, "active"));
    MUST(approval_list(f->catalog, &ann, id, &f->arena, &page, &f->err));
    MUST(retention_run(f->catalog, &admin, &retention, &result, &f->err));
    assert_true(result.removed > 0);
    assert_int_equal(count_open(f, id), 1);
    assert_int_equal(approval_withdraw(f->catalog, &eve, id, page.records[0].id, &f->err),
                     STATUS_FORBIDDEN);
    MUST(approval_withdraw(f->catalog, &ben, id, page.records[0].id, &f->err));
    assert_int_equal(approval_withdraw(f->catalog, &ben, id, page.records[0].id, &f->err),
                     STATUS_NOT_FOUND);
    assert_int_equal(count_open(f, id), 0);
}

static void test_strict_birth(void **state)
{
    struct fixture *f = *state;
    struct record got, node = {.kind = STR("node"), .name = STR("b"), .version = STR("1.0.0")};
    set_policy(f, "strict");
    assert_int_equal(asset_create(f->catalog, &ann, &node, &f->arena, &got, &f->err),
                     STATUS_FORBIDDEN);
    assert_non_null(strstr(f->err.message, "LC004"));
    MUST(asset_create(f->catalog, &admin, &node, &f->arena, &got, &f->err));
    node.namespace = STR("npm");
    MUST(asset_create(f->catalog, &ann, &node, &f->arena, &got, &f->err));
    struct record graph = {.kind = STR("graph"), .name = STR("b")};
    MUST(asset_create(f->catalog, &ann, &graph, &f->arena, &got, &f->err));
    unsigned lacks = 9;
    MUST(move(f, &ann, got.id, "deprecated", &lacks));
    assert_int_equal(lacks, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_advised, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_approvals, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_notices, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_withdrawn_and_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_strict_birth, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

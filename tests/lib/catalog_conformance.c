#include "lib/catalog_conformance.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { MODEL_MAX = 256, WRITERS = 8, INCREMENTS = 25, MANY = 1500 };

struct fixture {
    const struct conformance_target *target;
    struct backend *backend;
    struct arena arena;
    struct error err;
    /* the model */
    struct record model[MODEL_MAX];
    uint32_t model_len;
};

static const struct conformance_target *current_target;

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->target = current_target;
    f->err = ERROR_INIT;
    arena_init(&f->arena, 0);
    f->target->wipe(f->target->context);
    enum status status = f->target->open(f->target->context, &f->backend, &f->err);
    if (status != STATUS_OK)
        fail_msg("open: %s: %s", f->err.message, f->err.cause);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    backend_close(f->backend);
    f->target->wipe(f->target->context);
    arena_release(&f->arena);
    free(f);
    return 0;
}

static void reopen(struct fixture *f)
{
    backend_close(f->backend);
    f->backend = NULL;
    assert_int_equal(f->target->open(f->target->context, &f->backend, &f->err), STATUS_OK);
}

/* --- records --- */

static struct str text_of(struct arena *arena, const char *format, int number)
{
    char text[160];
    int len = snprintf(text, sizeof text, format, number); /* NOLINT: our own formats */
    return arena_str(arena, str_make(text, (size_t)len));
}

static struct str_list list_of(struct arena *arena, const char *first, const char *second)
{
    struct str *items = arena_array(arena, 2, sizeof *items);
    items[0] = str_of(first);
    items[1] = str_of(second);
    return (struct str_list){items, second ? 2u : 1u};
}

static void fill_numbers(struct record *record, int number)
{
    for (int i = 0; i < RECORD_FIELD_COUNT; i++) {
        enum record_field field = (enum record_field)i;
        if (!record_has_field(record->domain, field))
            continue;
        if (record_field_info[i].type == RECORD_INT)
            *record_int_at(record, field) = (int64_t)number * (i % 7) % 50;
        else if (record_field_info[i].type == RECORD_TIME)
            *record_int_at(record, field) = 1700000000000000 + (int64_t)number * i % 1000 * 1000001;
        else if (record_field_info[i].type == RECORD_BOOL)
            *record_bool_at(record, field) = (number + i) % 3 == 0;
    }
    record->revision = 1;
    record->deleted_us = 0;
}

static void fill_texts(struct record *r, int number, struct arena *arena)
{
    static const char *const tags[] = {"red", "green", "blue sky", "größe", "a\"b\\c"};
    static const char *const words[] = {"alpha", "Beta", "gamma-ray", "Ünïcode", "100%"};
    for (int i = 0; i < RECORD_FIELD_COUNT; i++) {
        enum record_field field = (enum record_field)i;
        if (!record_has_field(r->domain, field))
            continue;
        if (record_field_info[i].type == RECORD_TEXT)
            *record_text_at(r, field) = text_of(arena, "t%d", number % (i + 2));
        else if (record_field_info[i].type == RECORD_LIST)
            *record_list_at(r, field) = list_of(arena, tags[number % 5], tags[(number + 1) % 5]);
        else if (record_field_info[i].type == RECORD_JSON)
            *record_text_at(r, field) =
                text_of(arena, "{\"n\":%d,\"s\":\"x\",\"deep\":{\"a\":[1,2.5,null]}}", number % 4);
    }
    r->name = text_of(arena, "name %03d", number);
    if (record_has_field(r->domain, RECORD_description))
        r->description = str_of(words[number % 5]);
}

struct record conformance_record(enum domain domain, const char *tenant, int number,
                                 struct arena *arena)
{
    struct record r = {.domain = domain};
    fill_texts(&r, number, arena);
    fill_numbers(&r, number);
    r.id = text_of(arena, "0190a000-0000-7000-8000-%012d", number + 1000 * (tenant[0] - 'a'));
    r.tenant = str_of(tenant);
    r.key = text_of(arena, "kind/name %03d", number);
    if (!record_has_field(domain, RECORD_name))
        r.name = STR_NONE;
    return r;
}

static enum status commit_one(struct fixture *f, enum change_kind kind, int64_t expected,
                              const struct record *record, struct commit_result *ret)
{
    struct change change = {.kind = kind, .expected = expected, .record = record};
    return backend_commit(f->backend, &change, 1, ret, &f->err);
}

static void must_commit(struct fixture *f, enum change_kind kind, int64_t expected,
                        const struct record *record)
{
    if (commit_one(f, kind, expected, record, NULL) != STATUS_OK)
        fail_msg("commit of %.*s: %s: %s", STR_ARG(record->id), f->err.message, f->err.cause);
}

static void must_refuse(struct fixture *f, enum change_kind kind, int64_t expected,
                        const struct record *record, enum conflict conflict)
{
    struct commit_result result;
    assert_int_equal(commit_one(f, kind, expected, record, &result), STATUS_CONFLICT);
    assert_int_equal(result.conflict, conflict);
    assert_int_equal(result.at, 0);
}

static void must_equal(const struct record *got, const struct record *want)
{
    if (record_equal(got, want))
        return;
    for (int i = 0; i < RECORD_FIELD_COUNT; i++) {
        struct record a = *got;
        enum record_field field = (enum record_field)i;
        if (!record_has_field(want->domain, field))
            continue;
        if (record_field_info[i].type == RECORD_TEXT || record_field_info[i].type == RECORD_JSON) {
            struct str x = record_get_text(&a, field), y = record_get_text(want, field);
            if (!str_eq(x, y))
                print_error("%s: '%.*s' not '%.*s'\n", record_field_info[i].member, STR_ARG(x),
                            STR_ARG(y));
        } else if (record_field_info[i].type != RECORD_LIST &&
                   record_get_int(&a, field) != record_get_int(want, field)) {
            print_error("%s: %lld not %lld\n", record_field_info[i].member,
                        (long long)record_get_int(&a, field),
                        (long long)record_get_int(want, field));
        }
    }
    fail_msg("records differ");
}

static void must_get(struct fixture *f, const struct record *want)
{
    struct record got;
    enum status status =
        backend_get(f->backend, want->domain, want->tenant, want->id, &f->arena, &got, &f->err);
    if (status != STATUS_OK)
        fail_msg("get %.*s: %s", STR_ARG(want->id), f->err.message);
    must_equal(&got, want);
    assert_int_equal(record_hash(&got), record_hash(want));
}

static void must_lack(struct fixture *f, enum domain domain, const char *tenant, struct str id)
{
    struct record got;
    assert_int_equal(backend_get(f->backend, domain, str_of(tenant), id, &f->arena, &got, &f->err),
                     STATUS_NOT_FOUND);
}

/* --- one record --- */

static void test_every_field_of_every_domain(void **state)
{
    struct fixture *f = *state;
    for (int domain = 0; domain < DOMAIN_COUNT; domain++) {
        struct record r = conformance_record((enum domain)domain, "a", 17, &f->arena), got;
        must_commit(f, CHANGE_INSERT, 0, &r);
        must_get(f, &r);
        assert_int_equal(backend_find(f->backend, r.domain, r.tenant, r.key, &f->arena, &got, NULL),
                         STATUS_OK);
        must_equal(&got, &r);
    }
}

static void test_empty_fields(void **state)
{
    struct fixture *f = *state;
    for (int domain = 0; domain < DOMAIN_COUNT; domain++) {
        struct record r = {.domain = (enum domain)domain,
                           .id = STR("only-an-id"),
                           .tenant = STR("a"),
                           .kind = STR("k"),
                           .revision = 7,
                           .created_us = 1,
                           .updated_us = 1};
        must_commit(f, CHANGE_INSERT, 0, &r);
        must_get(f, &r);
        struct record got;
        assert_int_equal(
            backend_find(f->backend, r.domain, r.tenant, STR_NONE, &f->arena, &got, &f->err),
            STATUS_NOT_FOUND);
    }
}

static void test_hostile_texts(void **state)
{
    static const char *const texts[] = {
        "'; DROP TABLE assets; --",
        "\"",
        "\\",
        "%_*?[a]",
        "$(x) ${y} #{z}",
        "../../etc/passwd",
        "日本語 🪨 é",
        "NULL",
        "null",
        "0",
        "{}",
        "[]",
        "*",
        "a:b:c",
        "{hash}",
        "\\u0000",
        "\\n",
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct record r = conformance_record(DOMAIN_ASSET, "a", (int)i, &f->arena), got;
        struct str hostile = str_of(texts[i]);
        r.name = r.owner = r.description = r.key = r.namespace = r.lifecycle = hostile;
        r.tags = (struct str_list){&hostile, 1};
        must_commit(f, CHANGE_INSERT, 0, &r);
        must_get(f, &r);
        assert_int_equal(backend_find(f->backend, r.domain, r.tenant, r.key, &f->arena, &got, NULL),
                         STATUS_OK);
        must_equal(&got, &r);
        struct match matches[] = {
            {.field = RECORD_name, .op = MATCH_EQ, .values = &hostile, .values_len = 1},
            {.field = RECORD_tags, .op = MATCH_HAS, .values = &hostile, .values_len = 1}};
        struct record_query query = {.domain = DOMAIN_ASSET,
                                     .tenant = STR("a"),
                                     .matches = matches,
                                     .matches_len = 2,
                                     .limit = 10};
        struct record_page page;
        assert_int_equal(backend_query(f->backend, &query, &f->arena, &page, &f->err), STATUS_OK);
        assert_int_equal(page.len, 1);
        must_equal(&page.records[0], &r);
    }
}

static void test_large_properties(void **state)
{
    struct fixture *f = *state;
    struct record r = conformance_record(DOMAIN_ASSET, "a", 1, &f->arena);
    size_t size = 1 << 20;
    char *json = arena_alloc(&f->arena, size);
    memset(json, 'x', size);
    memcpy(json, "{\"v\":\"", 6);
    memcpy(json + size - 2, "\"}", 2);
    r.properties = str_make(json, size);
    must_commit(f, CHANGE_INSERT, 0, &r);
    must_get(f, &r);
    r.properties = STR("{}");
    r.revision = 2;
    must_commit(f, CHANGE_UPDATE, 1, &r);
    must_get(f, &r);
}

static void test_bad_records(void **state)
{
    struct fixture *f = *state;
    struct record good = conformance_record(DOMAIN_ASSET, "a", 1, &f->arena), r = good;
    char *large = arena_alloc(&f->arena, 300);
    memset(large, 'x', 300);
    r.name = str_make(large, 300);
    assert_int_equal(commit_one(f, CHANGE_INSERT, 0, &r, NULL), STATUS_INVALID_ARGUMENT);
    assert_string_equal(f->err.field, "name");
    r = good;
    r.name = str_make("a\0b", 3);
    assert_int_equal(commit_one(f, CHANGE_INSERT, 0, &r, NULL), STATUS_INVALID_ARGUMENT);
    r = good;
    r.name = str_make("\xff", 1);
    assert_int_equal(commit_one(f, CHANGE_INSERT, 0, &r, NULL), STATUS_INVALID_ARGUMENT);
    r = good;
    r.properties = STR("[]");
    assert_int_equal(commit_one(f, CHANGE_INSERT, 0, &r, NULL), STATUS_INVALID_ARGUMENT);
    r = good;
    r.size_bytes = -1;
    assert_int_equal(commit_one(f, CHANGE_INSERT, 0, &r, NULL), STATUS_INVALID_ARGUMENT);
    r = good;
    r.tenant = STR_NONE;
    assert_int_equal(commit_one(f, CHANGE_INSERT, 0, &r, NULL), STATUS_INVALID_ARGUMENT);
    must_lack(f, DOMAIN_ASSET, "a", good.id);
}

/* --- keys, revisions --- */

static void test_keys(void **state)
{
    struct fixture *f = *state;
    struct record first = conformance_record(DOMAIN_ASSET, "a", 1, &f->arena), got;
    struct record second = conformance_record(DOMAIN_ASSET, "a", 2, &f->arena);
    struct record other = conformance_record(DOMAIN_ASSET, "b", 1, &f->arena);
    struct record location = conformance_record(DOMAIN_LOCATION, "a", 1, &f->arena);
    must_commit(f, CHANGE_INSERT, 0, &first);
    must_commit(f, CHANGE_INSERT, 0, &other);    /* another tenant */
    must_commit(f, CHANGE_INSERT, 0, &location); /* another domain */
    must_refuse(f, CHANGE_INSERT, 0, &first, CONFLICT_ID);
    second.key = first.key;
    must_refuse(f, CHANGE_INSERT, 0, &second, CONFLICT_KEY);
    must_lack(f, DOMAIN_ASSET, "a", second.id);
    struct record foreign = second;
    foreign.id = other.id;
    must_refuse(f, CHANGE_INSERT, 0, &foreign, CONFLICT_ID);
    /* a deleted record frees its key, and cannot come back while it is taken */
    first.deleted_us = 5;
    first.revision = 2;
    must_commit(f, CHANGE_UPDATE, 1, &first);
    must_get(f, &first);
    assert_int_equal(
        backend_find(f->backend, DOMAIN_ASSET, STR("a"), first.key, &f->arena, &got, &f->err),
        STATUS_NOT_FOUND);
    must_commit(f, CHANGE_INSERT, 0, &second);
    first.deleted_us = 0;
    first.revision = 3;
    must_refuse(f, CHANGE_UPDATE, 2, &first, CONFLICT_KEY);
    second.key = STR("kind/renamed");
    second.revision = 2;
    must_commit(f, CHANGE_UPDATE, 1, &second);
    must_commit(f, CHANGE_UPDATE, 2, &first);
    assert_int_equal(
        backend_find(f->backend, DOMAIN_ASSET, STR("a"), first.key, &f->arena, &got, &f->err),
        STATUS_OK);
    must_equal(&got, &first);
    assert_int_equal(
        backend_find(f->backend, DOMAIN_ASSET, STR("a"), second.key, &f->arena, &got, &f->err),
        STATUS_OK);
    must_equal(&got, &second);
}

static void test_revisions(void **state)
{
    struct fixture *f = *state;
    struct record r = conformance_record(DOMAIN_ASSET, "a", 1, &f->arena);
    must_refuse(f, CHANGE_UPDATE, 1, &r, CONFLICT_MISSING);
    must_refuse(f, CHANGE_REMOVE, 0, &r, CONFLICT_MISSING);
    must_commit(f, CHANGE_INSERT, 0, &r);
    struct record changed = r;
    changed.revision = 3;
    changed.description = STR("new words");
    struct commit_result result;
    struct change change = {.kind = CHANGE_UPDATE, .expected = 2, .record = &changed};
    assert_int_equal(backend_commit(f->backend, &change, 1, &result, &f->err), STATUS_CONFLICT);
    assert_int_equal(result.conflict, CONFLICT_REVISION);
    assert_int_equal(result.revision, 1);
    must_get(f, &r);
    must_commit(f, CHANGE_UPDATE, 1, &changed);
    must_get(f, &changed);
    /* of another tenant: as if it were not there */
    struct record foreign = changed;
    foreign.tenant = STR("b");
    must_refuse(f, CHANGE_UPDATE, 3, &foreign, CONFLICT_MISSING);
    must_refuse(f, CHANGE_REMOVE, 0, &foreign, CONFLICT_MISSING);
    must_lack(f, DOMAIN_ASSET, "b", r.id);
    must_refuse(f, CHANGE_REMOVE, 2, &changed, CONFLICT_REVISION);
    must_commit(f, CHANGE_REMOVE, 3, &changed);
    must_lack(f, DOMAIN_ASSET, "a", r.id);
    must_commit(f, CHANGE_INSERT, 0, &r);
    must_commit(f, CHANGE_REMOVE, 0, &r);
    must_lack(f, DOMAIN_ASSET, "a", r.id);
}

static void test_touch(void **state)
{
    struct fixture *f = *state;
    struct record r = conformance_record(DOMAIN_ASSET, "a", 1, &f->arena), touch = r;
    r.access_count = 5;
    r.accessed_us = 1000;
    must_commit(f, CHANGE_INSERT, 0, &r);
    touch.access_count = 3;
    touch.accessed_us = 2000;
    must_commit(f, CHANGE_TOUCH, 0, &touch);
    touch.access_count = 1;
    touch.accessed_us = 1500;
    must_commit(f, CHANGE_TOUCH, 0, &touch);
    struct record updated = r; /* with the counts of before the touches */
    updated.revision = 2;
    updated.title = STR("other");
    must_commit(f, CHANGE_UPDATE, 1, &updated);
    updated.access_count = 9;
    updated.accessed_us = 2000;
    must_get(f, &updated);
    touch.id = STR("nobody");
    must_commit(f, CHANGE_TOUCH, 0, &touch);
    touch.id = r.id;
    touch.tenant = STR("b");
    must_commit(f, CHANGE_TOUCH, 0, &touch);
    must_get(f, &updated);
    struct record relation = conformance_record(DOMAIN_RELATION, "a", 1, &f->arena);
    must_commit(f, CHANGE_INSERT, 0, &relation);
    must_commit(f, CHANGE_TOUCH, 0, &relation); /* has nothing to count */
    must_get(f, &relation);
}

/* --- commits of several changes --- */

static void test_commit_is_atomic(void **state)
{
    struct fixture *f = *state;
    struct record a = conformance_record(DOMAIN_ASSET, "a", 1, &f->arena), a2 = a;
    struct record b = conformance_record(DOMAIN_ASSET, "a", 2, &f->arena);
    struct record event = conformance_record(DOMAIN_EVENT, "a", 3, &f->arena);
    struct record missing = conformance_record(DOMAIN_ASSET, "a", 4, &f->arena);
    struct commit_result result;
    must_commit(f, CHANGE_INSERT, 0, &a);
    a2.revision = 2;
    a2.title = STR("two");
    const struct change changes[] = {
        {.kind = CHANGE_UPDATE, .expected = 1, .record = &a2},
        {.kind = CHANGE_INSERT, .record = &b},
        {.kind = CHANGE_INSERT, .record = &event},
        {.kind = CHANGE_REMOVE, .record = &missing},
    };
    assert_int_equal(backend_commit(f->backend, changes, 4, &result, &f->err), STATUS_CONFLICT);
    assert_int_equal(result.conflict, CONFLICT_MISSING);
    assert_int_equal(result.at, 3);
    must_get(f, &a);
    must_lack(f, DOMAIN_ASSET, "a", b.id);
    must_lack(f, DOMAIN_EVENT, "a", event.id);
    assert_int_equal(backend_commit(f->backend, changes, 3, &result, &f->err), STATUS_OK);
    must_get(f, &a2);
    must_get(f, &b);
    must_get(f, &event);
}

static void test_changes_see_those_before(void **state)
{
    struct fixture *f = *state;
    struct record a = conformance_record(DOMAIN_ASSET, "a", 1, &f->arena), a2 = a;
    struct record b = conformance_record(DOMAIN_ASSET, "a", 2, &f->arena);
    a2.revision = 2;
    a2.key = STR("moved away");
    b.key = a.key;
    const struct change changes[] = {
        {.kind = CHANGE_INSERT, .record = &a},
        {.kind = CHANGE_UPDATE, .expected = 1, .record = &a2},
        {.kind = CHANGE_INSERT, .record = &b}, /* its key is free by now */
        {.kind = CHANGE_REMOVE, .expected = 2, .record = &a2},
    };
    assert_int_equal(backend_commit(f->backend, changes, 4, NULL, &f->err), STATUS_OK);
    must_lack(f, DOMAIN_ASSET, "a", a.id);
    must_get(f, &b);
    a.key = STR("kind/of its own");
    const struct change twice[] = {
        {.kind = CHANGE_INSERT, .record = &a},
        {.kind = CHANGE_INSERT, .record = &a},
    };
    struct commit_result result;
    assert_int_equal(backend_commit(f->backend, twice, 2, &result, &f->err), STATUS_CONFLICT);
    assert_int_equal(result.conflict, CONFLICT_ID);
    assert_int_equal(result.at, 1);
    must_lack(f, DOMAIN_ASSET, "a", a.id);
    assert_int_equal(backend_commit(f->backend, NULL, 0, NULL, &f->err), STATUS_OK);
}

/* --- queries against the model --- */

static void fill_model(struct fixture *f)
{
    struct change changes[MODEL_MAX];
    for (int i = 0; i < 120; i++)
        f->model[f->model_len++] =
            conformance_record(DOMAIN_ASSET, i % 6 == 5 ? "b" : "a", i, &f->arena);
    for (uint32_t i = 0; i < f->model_len; i++) {
        if (i % 10 == 3)
            f->model[i].deleted_us = 77;
        changes[i] = (struct change){.kind = CHANGE_INSERT, .record = &f->model[i]};
    }
    if (backend_commit(f->backend, changes, f->model_len, NULL, &f->err) != STATUS_OK)
        fail_msg("filling: %s: %s", f->err.message, f->err.cause);
}

static const struct record_query *sort_query;

static int by_query(const void *a, const void *b)
{
    return query_compare(sort_query, *(const struct record *const *)a,
                         *(const struct record *const *)b);
}

static uint32_t model_select(struct fixture *f, const struct record_query *query,
                             const struct record **ret)
{
    uint32_t len = 0;
    for (uint32_t i = 0; i < f->model_len; i++)
        if (query_matches(query, &f->model[i]))
            ret[len++] = &f->model[i];
    sort_query = query;
    qsort(ret, len, sizeof *ret, by_query);
    return len;
}

/* All pages of a query, compared with the model. */
static uint32_t must_select(struct fixture *f, struct record_query query)
{
    const struct record *want[MODEL_MAX];
    uint32_t want_len = model_select(f, &query, want), got = 0;
    query.count = true;
    for (;;) {
        struct record_page page;
        if (backend_query(f->backend, &query, &f->arena, &page, &f->err) != STATUS_OK)
            fail_msg("query: %s: %s", f->err.message, f->err.cause);
        assert_int_equal(page.total, want_len);
        for (uint32_t i = 0; i < page.len; i++) {
            assert_true(got < want_len);
            must_equal(&page.records[i], want[got++]);
        }
        if (!page.next.len)
            break;
        assert_int_equal(page.len, query.limit);
        query.cursor = page.next;
    }
    assert_int_equal(got, want_len);
    return want_len;
}

static struct record_query base_query(void)
{
    return (struct record_query){.domain = DOMAIN_ASSET, .tenant = STR("a"), .limit = 1000};
}

static void test_pages_and_orders(void **state)
{
    static const uint32_t limits[] = {1, 7, 30, 90, 1000};
    static const enum record_field orders[] = {RECORD_id, RECORD_name, RECORD_owner,
                                               RECORD_created_us, RECORD_row_count};
    struct fixture *f = *state;
    fill_model(f);
    for (size_t order = 0; order < sizeof orders / sizeof orders[0]; order++) {
        for (size_t limit = 0; limit < sizeof limits / sizeof limits[0]; limit++) {
            struct record_query query = base_query();
            query.order = orders[order];
            query.limit = limits[limit];
            assert_int_equal(must_select(f, query), 92);
            query.descending = true;
            assert_int_equal(must_select(f, query), 92);
        }
    }
}

static void test_deleted_modes(void **state)
{
    struct fixture *f = *state;
    fill_model(f);
    struct record_query query = base_query();
    query.limit = 9;
    assert_int_equal(must_select(f, query), 92);
    query.deleted = DELETED_ONLY;
    assert_int_equal(must_select(f, query), 8);
    query.deleted = DELETED_SHOW;
    assert_int_equal(must_select(f, query), 100);
    query.tenant = STR("b");
    assert_int_equal(must_select(f, query), 20);
    query.tenant = STR("nobody");
    assert_int_equal(must_select(f, query), 0);
}

static void test_filters(void **state)
{
    static const struct str one[] = {STR("t1")}, some[] = {STR("t0"), STR("t2"), STR("zz")};
    static const struct str prefix[] = {STR("name 01")}, glob[] = {STR("na?e *[5]*")},
                            glob2[] = {STR("*0?3")}, umlaut[] = {STR("?n?code")},
                            tag[] = {STR("größe")}, tags[] = {STR("red"), STR("green")},
                            none[] = {STR("re")}, quoted[] = {STR("a\"b\\c")};
    static const struct match matches[] = {
        {.field = RECORD_owner, .op = MATCH_EQ, .values = one, .values_len = 1},
        {.field = RECORD_owner, .op = MATCH_NE, .values = one, .values_len = 1},
        {.field = RECORD_owner, .op = MATCH_IN, .values = some, .values_len = 3},
        {.field = RECORD_owner, .op = MATCH_IN, .values_len = 0},
        {.field = RECORD_name, .op = MATCH_PREFIX, .values = prefix, .values_len = 1},
        {.field = RECORD_name, .op = MATCH_GLOB, .values = glob, .values_len = 1},
        {.field = RECORD_name, .op = MATCH_GLOB, .values = glob2, .values_len = 1},
        {.field = RECORD_description, .op = MATCH_GLOB, .values = umlaut, .values_len = 1},
        {.field = RECORD_row_count, .op = MATCH_EQ, .number = 4},
        {.field = RECORD_row_count, .op = MATCH_NE, .number = 4},
        {.field = RECORD_row_count, .op = MATCH_LT, .number = 20},
        {.field = RECORD_row_count, .op = MATCH_LTE, .number = 20},
        {.field = RECORD_created_us, .op = MATCH_GT, .number = 1700000500000000},
        {.field = RECORD_created_us, .op = MATCH_GTE, .number = 1700000500000000},
        {.field = RECORD_is_public, .op = MATCH_EQ, .number = 1},
        {.field = RECORD_tags, .op = MATCH_HAS, .values = tag, .values_len = 1},
        {.field = RECORD_tags, .op = MATCH_HAS, .values = tags, .values_len = 2},
        {.field = RECORD_tags, .op = MATCH_HAS, .values = none, .values_len = 1},
        {.field = RECORD_tags, .op = MATCH_HAS, .values = quoted, .values_len = 1},
        {.field = RECORD_categories, .op = MATCH_HAS, .values = tags, .values_len = 2},
        {.field = RECORD_properties, .op = MATCH_JSON, .path = STR("n"), .json = STR("2")},
        {.field = RECORD_properties, .op = MATCH_JSON, .path = STR("n"), .json = STR("2.0")},
        {.field = RECORD_properties, .op = MATCH_JSON, .path = STR("n"), .json = STR("\"2\"")},
        {.field = RECORD_properties, .op = MATCH_JSON, .path = STR("n"), .json = STR("true")},
        {.field = RECORD_properties, .op = MATCH_JSON, .path = STR("s"), .json = STR("\"x\"")},
        {.field = RECORD_properties, .op = MATCH_JSON, .path = STR("deep"), .json = STR("\"x\"")},
        {.field = RECORD_attributes, .op = MATCH_JSON, .path = STR("n"), .json = STR("3")},
    };
    struct fixture *f = *state;
    fill_model(f);
    uint32_t found = 0;
    for (size_t i = 0; i < sizeof matches / sizeof matches[0]; i++) {
        struct record_query query = base_query();
        query.matches = &matches[i];
        query.matches_len = 1;
        query.limit = 11;
        query.order = RECORD_name;
        found += must_select(f, query);
        query.matches_len = i + 2 < sizeof matches / sizeof matches[0] ? 2 : 1;
        query.order = RECORD_updated_us;
        query.descending = true;
        must_select(f, query);
    }
    assert_int_equal(found, 701);
}

static void test_text_search(void **state)
{
    static const char *const texts[] = {
        "",        "alpha", "ALPHA",    "alp",     "lpha",    "beta", "gamma ray", "ray-gamma",
        "ünïcode", "Ünï",   "name 007", "sky red", "größe",   "grö",  "100",       "\"a\" * OR b",
        "NOT x",   "---",   "a AND b",  "deep",    "t0 name", "blue", "日本",      "a\"b\\c"};
    struct fixture *f = *state;
    fill_model(f);
    uint32_t found = 0;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct record_query query = base_query();
        query.text = str_of(texts[i]);
        query.limit = 40;
        query.order = RECORD_name;
        found += must_select(f, query);
    }
    assert_int_equal(found, 500);
    /* words of an older state are forgotten */
    struct record r = f->model[0];
    r.description = STR("zebra");
    r.tags = (struct str_list){0};
    r.revision = 2;
    must_commit(f, CHANGE_UPDATE, 1, &r);
    r.access_count = f->model[0].access_count;
    f->model[0] = r;
    struct record_query query = base_query();
    query.text = STR("alpha");
    must_select(f, query);
    query.text = STR("zeb name");
    assert_int_equal(must_select(f, query), 1);
    must_commit(f, CHANGE_REMOVE, 2, &r);
    f->model[0].tenant = STR("gone");
    assert_int_equal(must_select(f, query), 0);
}

static void test_visibility(void **state)
{
    struct fixture *f = *state;
    fill_model(f);
    struct str ids[] = {f->model[1].id, f->model[2].id, STR("no such"), f->model[5].id};
    struct visibility visible = {.owner = STR("t3"), .ids = ids, .ids_len = 4};
    struct record_query query = base_query();
    query.visible = &visible;
    query.limit = 5;
    uint32_t some = must_select(f, query);
    visible = (struct visibility){.owner = STR("nobody")};
    uint32_t public = must_select(f, query);
    assert_true(public > 0 && public < some && some < 92);
}

static void test_cursor_stays(void **state)
{
    struct fixture *f = *state;
    fill_model(f);
    struct record_query query = base_query();
    struct record_page page;
    query.order = RECORD_name;
    query.limit = 10;
    assert_int_equal(backend_query(f->backend, &query, &f->arena, &page, &f->err), STATUS_OK);
    struct record last = page.records[9], next_first;
    query.cursor = page.next;
    assert_int_equal(backend_query(f->backend, &query, &f->arena, &page, &f->err), STATUS_OK);
    next_first = page.records[0];
    must_commit(f, CHANGE_REMOVE, 0, &last);
    struct record before = conformance_record(DOMAIN_ASSET, "a", 200, &f->arena);
    before.name = STR("before all");
    must_commit(f, CHANGE_INSERT, 0, &before);
    assert_int_equal(backend_query(f->backend, &query, &f->arena, &page, &f->err), STATUS_OK);
    must_equal(&page.records[0], &next_first);
}

static void test_bad_queries(void **state)
{
    struct fixture *f = *state;
    struct record_page page;
    static const char *const cursors[] = {"x", "id.zz.", "name.zz.id", "id.7.", "row_count.x.y"};
    struct record_query query = base_query();
    for (size_t i = 0; i < sizeof cursors / sizeof cursors[0]; i++) {
        query.cursor = str_of(cursors[i]);
        assert_int_equal(backend_query(f->backend, &query, &f->arena, &page, &f->err),
                         STATUS_INVALID_ARGUMENT);
    }
    query = base_query();
    query.limit = 0;
    assert_int_equal(backend_query(f->backend, &query, &f->arena, &page, &f->err),
                     STATUS_INVALID_ARGUMENT);
    query = base_query();
    query.tenant = STR_NONE;
    assert_int_equal(backend_query(f->backend, &query, &f->arena, &page, &f->err),
                     STATUS_INVALID_ARGUMENT);
    query = base_query();
    query.order = RECORD_duration_us; /* not an asset's */
    assert_int_equal(backend_query(f->backend, &query, &f->arena, &page, &f->err),
                     STATUS_INVALID_ARGUMENT);
    query.order = RECORD_tags;
    assert_int_equal(backend_query(f->backend, &query, &f->arena, &page, &f->err),
                     STATUS_INVALID_ARGUMENT);
}

/* --- groups --- */

static struct group_row *group_row_of(struct group_row *rows, uint32_t *len, struct str value)
{
    uint32_t at = 0;
    while (at < *len && str_cmp(rows[at].value, value) < 0)
        at++;
    if (at < *len && str_eq(rows[at].value, value))
        return &rows[at];
    memmove(&rows[at + 1], &rows[at], (*len - at) * sizeof *rows);
    ++*len;
    rows[at] = (struct group_row){.value = value};
    return &rows[at];
}

static void group_add(const struct group_query *query, struct group_row *row,
                      const struct record *record)
{
    for (uint32_t i = 0; i < query->numbers_len; i++) {
        int64_t number = record_get_int(record, query->numbers[i]);
        row->sum[i] += number;
        row->min[i] = !row->count || number < row->min[i] ? number : row->min[i];
        row->max[i] = !row->count || number > row->max[i] ? number : row->max[i];
    }
    row->count++;
}

static uint32_t model_group(struct fixture *f, const struct group_query *query,
                            struct group_row *rows)
{
    uint32_t len = 0;
    if (query->by == GROUP_ALL)
        group_row_of(rows, &len, STR(""));
    for (uint32_t i = 0; i < f->model_len; i++) {
        const struct record *record = &f->model[i];
        if (!query_matches(&query->records, record))
            continue;
        if (query->by == GROUP_ALL) {
            group_add(query, &rows[0], record);
        } else if (record_field_info[query->by].type == RECORD_TEXT) {
            struct str value = record_get_text(record, (enum record_field)query->by);
            group_add(query, group_row_of(rows, &len, value), record);
        } else {
            const struct str_list *list = record_get_list(record, (enum record_field)query->by);
            for (uint32_t at = 0; at < list->len; at++)
                group_add(query, group_row_of(rows, &len, list->items[at]), record);
        }
    }
    return len;
}

static void must_group(struct fixture *f, const struct group_query *query)
{
    struct group_row want[MODEL_MAX] = {0};
    struct group_answer got;
    uint32_t len = model_group(f, query, want);
    if (backend_group(f->backend, query, &f->arena, &got, &f->err) != STATUS_OK)
        fail_msg("group: %s: %s", f->err.message, f->err.cause);
    assert_int_equal(got.len, len);
    for (uint32_t i = 0; i < len; i++) {
        assert_true(str_eq(got.rows[i].value, want[i].value));
        assert_int_equal(got.rows[i].count, want[i].count);
        for (uint32_t n = 0; n < query->numbers_len; n++) {
            assert_int_equal(got.rows[i].sum[n], want[i].sum[n]);
            assert_int_equal(got.rows[i].min[n], want[i].min[n]);
            assert_int_equal(got.rows[i].max[n], want[i].max[n]);
        }
    }
}

static void test_groups(void **state)
{
    static const int by[] = {GROUP_ALL, RECORD_owner, RECORD_kind, RECORD_tags, RECORD_categories};
    static const struct str owner[] = {STR("t1")};
    static const struct match match = {
        .field = RECORD_owner, .op = MATCH_NE, .values = owner, .values_len = 1};
    struct fixture *f = *state;
    fill_model(f);
    for (size_t i = 0; i < sizeof by / sizeof by[0]; i++) {
        struct group_query query = {.records = base_query(),
                                    .by = by[i],
                                    .numbers = {RECORD_row_count, RECORD_created_us},
                                    .numbers_len = 2};
        must_group(f, &query);
        query.records.matches = &match;
        query.records.matches_len = 1;
        must_group(f, &query);
        query.records.text = STR("beta");
        must_group(f, &query);
        query.records.tenant = STR("nobody");
        must_group(f, &query);
    }
}

/* --- scan, restart, verification, watching --- */

static void test_scan_and_restart(void **state)
{
    struct fixture *f = *state;
    fill_model(f);
    for (int round = 0; round < 2; round++) {
        struct str after = STR_NONE;
        uint32_t seen = 0;
        for (;;) {
            struct record_page page;
            assert_int_equal(
                backend_scan(f->backend, DOMAIN_ASSET, after, 50, &f->arena, &page, &f->err),
                STATUS_OK);
            for (uint32_t i = 0; i < page.len; i++) {
                assert_true(str_cmp(after, page.records[i].id) < 0);
                after = page.records[i].id;
                must_get(f, &page.records[i]);
                seen++;
            }
            if (page.len < 50)
                break;
        }
        assert_int_equal(seen, f->model_len);
        reopen(f);
    }
    for (uint32_t i = 0; i < f->model_len; i++)
        must_get(f, &f->model[i]);
    struct record_query query = base_query();
    query.text = STR("beta");
    must_select(f, query);
    assert_int_equal(backend_health(f->backend, &f->err), STATUS_OK);
}

static void count_fault(void *context, const char *what)
{
    print_error("fault: %s\n", what);
    ++*(int *)context;
}

static void must_verify(struct fixture *f)
{
    int faults = 0;
    if (backend_verify(f->backend, count_fault, &faults, &f->err) != STATUS_OK)
        fail_msg("verify: %s: %s", f->err.message, f->err.cause);
    assert_int_equal(faults, 0);
}

static void test_verify_after_changes(void **state)
{
    struct fixture *f = *state;
    fill_model(f);
    must_verify(f);
    for (uint32_t i = 0; i < f->model_len; i += 2) {
        struct record r = f->model[i];
        r.revision = 2;
        r.tags = f->model[(i + 1) % f->model_len].tags;
        r.description = STR("changed");
        r.key = text_of(&f->arena, "moved/%d", (int)i);
        must_commit(f, CHANGE_UPDATE, 1, &r);
        if (i % 8 == 0)
            must_commit(f, CHANGE_REMOVE, 2, &r);
    }
    must_verify(f);
    reopen(f);
    must_verify(f);
}

static void count_changes(void *context, const struct change *changes, uint32_t len)
{
    (void)changes;
    *(uint32_t *)context += len;
}

static void test_watch(void **state)
{
    struct fixture *f = *state;
    uint32_t seen = 0;
    struct record r = conformance_record(DOMAIN_ASSET, "a", 1, &f->arena);
    backend_watch(f->backend, count_changes, &seen);
    must_commit(f, CHANGE_INSERT, 0, &r);
    must_refuse(f, CHANGE_INSERT, 0, &r, CONFLICT_ID);
    assert_int_equal(seen, 1);
}

/* --- many --- */

/* QUARRY_CATALOG_MANY: 100000 takes a minute or more, by back end. */
static int how_many(void)
{
    const char *text = getenv("QUARRY_CATALOG_MANY");
    int many = text ? atoi(text) : 0;
    return many > 0 ? many : MANY;
}

static void insert_many(struct fixture *f, int from, int len)
{
    struct arena arena;
    arena_init(&arena, 0);
    struct record *records = arena_array(&arena, (size_t)len, sizeof *records);
    struct change *changes = arena_array(&arena, (size_t)len, sizeof *changes);
    assert_true(records && changes);
    for (int i = 0; i < len; i++) {
        records[i] = conformance_record(DOMAIN_ASSET, "a", from + i, &arena);
        changes[i] = (struct change){.kind = CHANGE_INSERT, .record = &records[i]};
    }
    if (backend_commit(f->backend, changes, (uint32_t)len, NULL, &f->err) != STATUS_OK)
        fail_msg("inserting many: %s: %s", f->err.message, f->err.cause);
    arena_release(&arena);
}

/* How many numbers below `many` begin so when they are written with three digits or more. */
static int64_t beginning(int many, const char *digits)
{
    int64_t found = 0;
    for (int i = 0; i < many; i++) {
        char text[16];
        snprintf(text, sizeof text, "%03d", i);
        found += strncmp(text, digits, strlen(digits)) == 0;
    }
    return found;
}

static int64_t count_many(struct fixture *f, struct record_query query)
{
    struct record_page page;
    query.count = true;
    query.limit = 1;
    if (backend_query(f->backend, &query, &f->arena, &page, &f->err) != STATUS_OK)
        fail_msg("query: %s: %s", f->err.message, f->err.cause);
    return page.total;
}

/* The first pages, from the last name down. */
static void page_many(struct fixture *f)
{
    struct record_query query = base_query();
    struct str last = STR("z");
    query.order = RECORD_name;
    query.descending = true;
    for (int pages = 0; pages < 3; pages++) {
        struct record_page page;
        assert_int_equal(backend_query(f->backend, &query, &f->arena, &page, &f->err), STATUS_OK);
        for (uint32_t i = 0; i < page.len; i++) {
            assert_true(str_cmp(page.records[i].name, last) < 0);
            last = page.records[i].name;
        }
        query.cursor = page.next;
        if (!page.next.len)
            break;
    }
}

static int64_t scan_many(struct fixture *f)
{
    char after[64] = "";
    int64_t seen = 0;
    for (;;) {
        struct arena arena;
        struct record_page page;
        arena_init(&arena, 0);
        assert_int_equal(
            backend_scan(f->backend, DOMAIN_ASSET, str_of(after), 1000, &arena, &page, &f->err),
            STATUS_OK);
        seen += page.len;
        if (page.len)
            snprintf(after, sizeof after, "%.*s", STR_ARG(page.records[page.len - 1].id));
        bool ended = page.len == 0;
        arena_release(&arena);
        if (ended)
            return seen;
    }
}

static void test_many_assets(void **state)
{
    struct fixture *f = *state;
    int many = how_many();
    for (int i = 0; i < many; i += 1000)
        insert_many(f, i, many - i < 1000 ? many - i : 1000);
    assert_int_equal(count_many(f, base_query()), many);
    struct record_query query = base_query();
    query.text = STR("name 42");
    assert_int_equal(count_many(f, query), beginning(many, "42"));
    page_many(f);
    struct group_query groups = {.records = base_query(), .by = RECORD_lifecycle};
    struct group_answer answer;
    int64_t sum = 0;
    assert_int_equal(backend_group(f->backend, &groups, &f->arena, &answer, &f->err), STATUS_OK);
    for (uint32_t i = 0; i < answer.len; i++)
        sum += answer.rows[i].count;
    assert_int_equal(sum, many);
    assert_int_equal(scan_many(f), many);
    struct record want = conformance_record(DOMAIN_ASSET, "a", many / 2, &f->arena);
    must_get(f, &want);
    must_verify(f);
}

/* --- writers at the same time --- */

struct writer {
    struct fixture *f;
    pthread_t thread;
    uint32_t conflicts;
    bool failed;
};

static bool increment(struct writer *writer, struct arena *arena)
{
    struct backend *backend = writer->f->backend;
    struct record r;
    struct commit_result result;
    for (;;) {
        struct str id = STR("0190a000-0000-7000-8000-000000000001");
        if (backend_get(backend, DOMAIN_ASSET, STR("a"), id, arena, &r, NULL) != STATUS_OK)
            return false;
        r.node_count++;
        r.revision++;
        struct change change = {.kind = CHANGE_UPDATE, .expected = r.revision - 1, .record = &r};
        enum status status = backend_commit(backend, &change, 1, &result, NULL);
        if (status == STATUS_OK)
            return true;
        if (result.conflict != CONFLICT_REVISION)
            return false;
        writer->conflicts++;
    }
}

static void *write_increments(void *argument)
{
    struct writer *writer = argument;
    for (int i = 0; i < INCREMENTS && !writer->failed; i++) {
        struct arena arena;
        arena_init(&arena, 0);
        writer->failed = !increment(writer, &arena);
        arena_release(&arena);
    }
    return NULL;
}

static void test_no_lost_update(void **state)
{
    struct fixture *f = *state;
    struct writer writers[WRITERS];
    struct record r = conformance_record(DOMAIN_ASSET, "a", 1, &f->arena), got;
    r.node_count = 0;
    must_commit(f, CHANGE_INSERT, 0, &r);
    for (int i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){.f = f};
        assert_int_equal(pthread_create(&writers[i].thread, NULL, write_increments, &writers[i]),
                         0);
    }
    for (int i = 0; i < WRITERS; i++) {
        pthread_join(writers[i].thread, NULL);
        assert_false(writers[i].failed);
    }
    assert_int_equal(backend_get(f->backend, DOMAIN_ASSET, r.tenant, r.id, &f->arena, &got, NULL),
                     STATUS_OK);
    assert_int_equal(got.node_count, WRITERS * INCREMENTS);
    assert_int_equal(got.revision, 1 + WRITERS * INCREMENTS);
    must_verify(f);
}

int catalog_conformance_run(const struct conformance_target *target)
{
#define CONFORMANCE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CONFORMANCE(test_every_field_of_every_domain),
        CONFORMANCE(test_empty_fields),
        CONFORMANCE(test_hostile_texts),
        CONFORMANCE(test_large_properties),
        CONFORMANCE(test_bad_records),
        CONFORMANCE(test_keys),
        CONFORMANCE(test_revisions),
        CONFORMANCE(test_touch),
        CONFORMANCE(test_commit_is_atomic),
        CONFORMANCE(test_changes_see_those_before),
        CONFORMANCE(test_pages_and_orders),
        CONFORMANCE(test_deleted_modes),
        CONFORMANCE(test_filters),
        CONFORMANCE(test_text_search),
        CONFORMANCE(test_visibility),
        CONFORMANCE(test_cursor_stays),
        CONFORMANCE(test_bad_queries),
        CONFORMANCE(test_groups),
        CONFORMANCE(test_scan_and_restart),
        CONFORMANCE(test_verify_after_changes),
        CONFORMANCE(test_watch),
        CONFORMANCE(test_many_assets),
        CONFORMANCE(test_no_lost_update),
    };
    current_target = target;
    return cmocka_run_group_tests_name(target->name, tests, NULL, NULL);
}

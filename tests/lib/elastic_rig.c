#include "lib/elastic_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "catalog/elastic/elastic_backend.h"
#include "lib/catalog_conformance.h"

struct elastic_server elastic_rig_server;
char elastic_rig_url[128], elastic_rig_origin[64];

bool elastic_rig_start(void)
{
    if (!elastic_server_start(&elastic_rig_server, "elasticsearch"))
        return false;
    snprintf(elastic_rig_url, sizeof elastic_rig_url, "elasticsearch://127.0.0.1:%d/faults",
             elastic_rig_server.port);
    snprintf(elastic_rig_origin, sizeof elastic_rig_origin, "http://127.0.0.1:%d",
             elastic_rig_server.port);
    return true;
}

void elastic_rig_stop(void)
{
    elastic_server_stop(&elastic_rig_server);
}

enum status elastic_rig_open(uint32_t timeout_ms, struct backend **ret, struct error *err)
{
    return elastic_backend_open(&(struct elastic_backend_options){.sys = sys_posix(),
                                                                  .url = elastic_rig_url,
                                                                  .timeout_ms = timeout_ms,
                                                                  .tries = 4,
                                                                  .wait_ms = 2},
                                ret, err);
}

void elastic_rig_reopen(struct elastic_rig *rig)
{
    if (elastic_rig_open(ELASTIC_RIG_TIMEOUT_MS, &rig->backend, &rig->err) != STATUS_OK)
        fail_msg("open: %s: %s", rig->err.message, rig->err.cause);
}

int elastic_rig_set_up(void **state)
{
    struct elastic_rig *rig = calloc(1, sizeof *rig);
    assert_non_null(rig);
    rig->err = ERROR_INIT;
    arena_init(&rig->arena, 0);
    assert_true(elastic_server_faults(&elastic_rig_server, "[]"));
    assert_true(elastic_server_wipe(elastic_rig_origin, "faults"));
    elastic_rig_reopen(rig);
    rig->record = conformance_record(DOMAIN_ASSET, "a", 1, &rig->arena);
    *state = rig;
    return 0;
}

int elastic_rig_tear_down(void **state)
{
    struct elastic_rig *rig = *state;
    backend_close(rig->backend);
    arena_release(&rig->arena);
    free(rig);
    return 0;
}

void elastic_rig_faults(const char *faults)
{
    assert_true(elastic_server_faults(&elastic_rig_server, faults));
}

enum status elastic_rig_commit(struct elastic_rig *rig, enum change_kind kind, int64_t expected,
                               const struct record *record)
{
    const struct change change = {.kind = kind, .expected = expected, .record = record};
    return backend_commit(rig->backend, &change, 1, NULL, &rig->err);
}

void elastic_rig_must_commit(struct elastic_rig *rig, enum change_kind kind, int64_t expected,
                             const struct record *record)
{
    if (elastic_rig_commit(rig, kind, expected, record) != STATUS_OK)
        fail_msg("commit: %s: %s", rig->err.message, rig->err.cause);
}

enum status elastic_rig_get(struct elastic_rig *rig, struct record *ret)
{
    return backend_get(rig->backend, DOMAIN_ASSET, rig->record.tenant, rig->record.id, &rig->arena,
                       ret, &rig->err);
}

/* By id, by key and by a search. */
void elastic_rig_must_find(struct elastic_rig *rig, const struct record *want)
{
    struct record got;
    struct record_page page;
    const struct record_query query = {.domain = DOMAIN_ASSET,
                                       .tenant = want->tenant,
                                       .text = want->name,
                                       .limit = 10,
                                       .count = true};
    if (elastic_rig_get(rig, &got) != STATUS_OK)
        fail_msg("get: %s: %s", rig->err.message, rig->err.cause);
    assert_true(record_equal(&got, want));
    assert_int_equal(backend_find(rig->backend, DOMAIN_ASSET, want->tenant, want->key, &rig->arena,
                                  &got, &rig->err),
                     STATUS_OK);
    assert_true(record_equal(&got, want));
    assert_int_equal(backend_query(rig->backend, &query, &rig->arena, &page, &rig->err), STATUS_OK);
    assert_int_equal(page.total, 1);
    assert_true(record_equal(&page.records[0], want));
}

static void count_fault(void *context, const char *what)
{
    print_message("fault: %s\n", what);
    ++*(int *)context;
}

void elastic_rig_must_verify(struct elastic_rig *rig, int expected)
{
    int found = 0;
    assert_int_equal(backend_verify(rig->backend, count_fault, &found, &rig->err), STATUS_OK);
    assert_int_equal(found, expected);
}

"""libquarry: a program compiled against include/quarry.h runs, linked with either library; all
operations of the header are there, a C++ compiler takes the header, nothing else is exported."""

import os
import re
import subprocess

import pytest

from lib.quarry import ROOT, bin_folder

LIBRARIES = bin_folder().parent / "lib"
EXAMPLE = ROOT / "clients/c/examples/vectors.c"
WARNINGS = ["-Wall", "-Wextra", "-Werror"]


def sanitizers():
    """What the library was built with, the program must be, too."""
    cache = (bin_folder().parent / "CMakeCache.txt").read_text()
    kind = re.search(r"^QUARRY_SANITIZE:STRING=(\w*)$", cache, re.M)
    names = {"address": "address,undefined", "thread": "thread"}.get(kind and kind[1])
    return [f"-fsanitize={names}"] if names else []


def compile_and_run(tmp_path, server, source, *libraries, compiler="cc"):
    program = tmp_path / "program"
    subprocess.run([compiler, *WARNINGS, *sanitizers(), f"-I{ROOT / 'include'}", source, "-o", program,
                    *libraries, f"-Wl,-rpath,{LIBRARIES}"], check=True)
    environment = {name: value for name, value in os.environ.items()
                   if not name.startswith(("QUARRY_", "POSTGRES_"))}
    environment |= {"QUARRY_URL": f"http://127.0.0.1:{server.ports['catalog']}/",
                    "QUARRY_TENANT_URL": f"http://127.0.0.1:{server.ports['tenant']}",
                    "ASAN_OPTIONS": "detect_leaks=1"}
    return subprocess.run([program], env=environment, capture_output=True, text=True, timeout=60)


STATIC = [str(LIBRARIES / "libquarry.a"), "-lcurl", "-lxxhash", "-lpthread"]


@pytest.mark.parametrize("libraries", [[f"-L{LIBRARIES}", "-lquarry"], STATIC],
                         ids=["shared", "static"])
def test_example(new_server, tmp_path, libraries):
    server = new_server()
    server.client().add_source("measurements", {"place": "string", "t": "float64"})
    done = compile_and_run(tmp_path, server, EXAMPLE, *libraries)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[:3] == ["my_vectors: 1 query of 150.0 ms; ann may write: 0, then 1",
                         "1 warm place: roof", "tool 1.2.0"]
    assert lines[3].startswith("404 not_found: RG001: no version of onex.c/tool fits 2")
    assert server.client("catalog").get("/collections/my_vectors").ok().json["metadata"] == {
        "team": "search"}


PROGRAM = r"""
#include <pthread.h>
#include <quarry.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IS(condition) do { if (!(condition)) { \
    fprintf(stderr, "line %d: %s (%s)\n", __LINE__, #condition, e.message); exit(1); } } while (0)

static void *work(void *client)
{
    struct quarry_error e = {0};
    for (int i = 0; i < 20; i++) {
        struct quarry_answer *a;
        IS(quarry_get_config((struct quarry *)client, "default_top_k", &a, &e) == QUARRY_OK);
        IS(strcmp(quarry_text(a, "/value"), "10") == 0);
        quarry_answer_free(a);
    }
    return NULL;
}

int main(void)
{
    struct quarry *c, *nobody;
    struct quarry_answer *a;
    struct quarry_error e = {0};
    struct quarry_options off = {0};
    off.catalog_url = "http://127.0.0.1:1";
    struct quarry_collection docs = {0};
    struct quarry_collection_change change = {0};
    struct quarry_ingestion run = {0};
    struct quarry_metric metric = {0};
    struct quarry_audit audit = {0};
    const char *kind[] = {"kind", "dataset", NULL}, *space[] = {"namespace", "onex.t", NULL};
    char id[64], path[128];

    IS(quarry_open(&off, &nobody, &e) == QUARRY_OK);
    IS(quarry_list_config(nobody, &a, &e) == QUARRY_UNREACHABLE && !a && e.http_status == 0);
    quarry_close(nobody);
    IS(quarry_open(NULL, &c, &e) == QUARRY_OK);
    IS(quarry_get_asset(c, NULL, &a, &e) == QUARRY_BAD_ARGUMENT);
    IS(quarry_create_asset(c, "dataset", "x", "[1]", &a, &e) == QUARRY_BAD_ARGUMENT);
    IS(quarry_get_asset(c, "no/../such ?id", &a, &e) == QUARRY_NOT_FOUND && e.request_id[0]);

    IS(quarry_create_user(c, "ann", "ann@example.com", "x", "user", NULL, &e) == QUARRY_OK);
    IS(quarry_create_user(c, "ann", "b@example.com", "x", NULL, NULL, &e) == QUARRY_CONFLICT);
    IS(quarry_get_user(c, "ann", &a, &e) == QUARRY_OK && !quarry_has(a, "/last_login"));
    quarry_answer_free(a);
    IS(quarry_update_user_last_login(c, "ann", &e) == QUARRY_OK);
    IS(quarry_get_user(c, "ann", &a, &e) == QUARRY_OK && quarry_has(a, "/last_login"));
    quarry_answer_free(a);
    IS(quarry_list_users(c, &a, &e) == QUARRY_OK && quarry_count(a, "") >= 1);
    quarry_answer_free(a);

    docs.name = "docs";
    IS(quarry_create_collection(c, &docs, &a, &e) == QUARRY_BAD_ARGUMENT);
    docs.dimension = 8;
    docs.metric_type = "L2";
    IS(quarry_create_collection(c, &docs, &a, &e) == QUARRY_OK);
    quarry_answer_free(a);
    change.description = "changed";
    IS(quarry_update_collection(c, "docs", &change, &a, &e) == QUARRY_OK);
    IS(strcmp(quarry_text(a, "/description"), "changed") == 0);
    quarry_answer_free(a);
    IS(quarry_create_partition(c, "docs", "p", NULL, NULL, &e) == QUARRY_OK);
    IS(quarry_list_partitions(c, "docs", &a, &e) == QUARRY_OK && quarry_count(a, "") == 1);
    quarry_answer_free(a);
    IS(quarry_delete_partition(c, "docs", "p", &e) == QUARRY_OK);
    IS(quarry_create_index(c, "docs", "i", "HNSW", "{\"M\":16}", NULL, &e) == QUARRY_OK);
    IS(quarry_update_index(c, "docs", "i", "completed", 100, NULL, NULL, &e) == QUARRY_OK);
    IS(quarry_list_indexes(c, "docs", &a, &e) == QUARRY_OK);
    IS(quarry_int(a, "/0/progress_percentage", -1) == 100);
    quarry_answer_free(a);
    IS(quarry_delete_index(c, "docs", "i", &e) == QUARRY_OK);
    run.source_type = "file";
    IS(quarry_start_ingestion(c, "docs", &run, &a, &e) == QUARRY_OK);
    IS(quarry_finish_ingestion(c, "docs", quarry_text(a, "/id"), 5, NULL, NULL, &e) == QUARRY_OK);
    quarry_answer_free(a);
    IS(quarry_list_ingestions(c, "docs", "completed", &a, &e) == QUARRY_OK);
    IS(quarry_int(a, "/0/records_count", -1) == 5);
    quarry_answer_free(a);
    IS(quarry_grant_permission(c, "ann", "docs", "read", NULL, "2099-01-01T00:00:00Z", NULL, &e)
       == QUARRY_OK);
    IS(quarry_list_permissions(c, "docs", &a, &e) == QUARRY_OK && quarry_count(a, "") == 1);
    quarry_answer_free(a);
    IS(quarry_revoke_permission(c, "ann", "docs", "read", &e) == QUARRY_OK);
    metric.collection = "docs";
    metric.operation_type = "insert";
    metric.duration_ms = 7;
    IS(quarry_log_metric(c, &metric, NULL, &e) == QUARRY_OK);
    IS(quarry_performance_stats(c, "docs", 0, &a, &e) == QUARRY_OK);
    IS(quarry_number(a, "/0/p95_duration_ms", 0) == 7.0);
    quarry_answer_free(a);
    audit.user_id = "ann";
    audit.action = "look";
    audit.resource_type = "collection";
    IS(quarry_log_audit(c, &audit, NULL, &e) == QUARRY_OK);
    IS(quarry_audit_logs(c, "ann", "look", NULL, 0, &a, &e) == QUARRY_OK);
    IS(quarry_count(a, "") == 1);
    quarry_answer_free(a);
    IS(quarry_query_logs(c, "docs", NULL, 5, &a, &e) == QUARRY_OK && quarry_count(a, "") == 0);
    quarry_answer_free(a);
    IS(quarry_list_collections(c, NULL, &a, &e) == QUARRY_OK && quarry_count(a, "") == 1);
    quarry_answer_free(a);
    IS(quarry_delete_collection(c, "docs", &e) == QUARRY_OK);
    IS(quarry_get_collection(c, "docs", NULL, &e) == QUARRY_NOT_FOUND);
    IS(quarry_set_config(c, "word", "secret", NULL, NULL, true, NULL, &e) == QUARRY_OK);
    IS(quarry_get_config(c, "word", &a, &e) == QUARRY_OK && quarry_bool(a, "/is_encrypted"));
    quarry_answer_free(a);

    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "data %d", i);
        IS(quarry_create_asset(c, "dataset", path, "{\"tags\":[\"t\"]}", &a, &e) == QUARRY_OK);
        snprintf(id, sizeof id, "%s", quarry_text(a, "/id"));
        quarry_answer_free(a);
    }
    IS(quarry_list_assets(c, kind, &a, &e) == QUARRY_OK && quarry_count(a, "") == 3);
    IS(strcmp(quarry_text(a, "/0/tags/0"), "t") == 0 && strlen(quarry_json(a)) > 100);
    quarry_answer_free(a);
    IS(quarry_update_asset(c, id, "{\"description\":\"d\"}", NULL, &e) == QUARRY_OK);
    IS(quarry_get_asset(c, id, &a, &e) == QUARRY_OK);
    IS(strcmp(quarry_text(a, "/description"), "d") == 0);
    quarry_answer_free(a);
    IS(quarry_lineage(c, id, true, 0, &a, &e) == QUARRY_OK && quarry_count(a, "") == 0);
    quarry_answer_free(a);
    IS(quarry_delete_asset(c, id, false, &e) == QUARRY_OK);
    IS(quarry_undelete_asset(c, id, NULL, &e) == QUARRY_OK);
    IS(quarry_create_asset(c, "node", "moving", "{\"version\":\"1.0.0\",\"lifecycle\":\"draft\"}", &a, &e) == QUARRY_OK);
    snprintf(path, sizeof path, "%s", quarry_text(a, "/id"));
    quarry_answer_free(a);
    IS(quarry_relate(c, path, id, "derived_from", NULL, NULL, &e) == QUARRY_OK);
    IS(quarry_list_relations(c, path, &a, &e) == QUARRY_OK && quarry_count(a, "") == 1);
    quarry_answer_free(a);
    IS(quarry_announce(c, path, "archived", "soon", &a, &e) == QUARRY_OK);
    IS(quarry_withdraw_approval(c, path, quarry_text(a, "/id"), &e) == QUARRY_OK);
    quarry_answer_free(a);
    IS(quarry_approve(c, path, "active", NULL, NULL, &e) == QUARRY_FORBIDDEN); /* its owner */
    IS(quarry_list_approvals(c, path, &a, &e) == QUARRY_OK);
    quarry_answer_free(a);
    IS(quarry_move_asset(c, path, "active", NULL, NULL, &a, &e) == QUARRY_OK);
    IS(strcmp(quarry_text(a, "/lifecycle"), "active") == 0);
    IS(strcmp(quarry_text(a, "/issues/0/code"), "LC004") == 0);
    quarry_answer_free(a);
    IS(quarry_list_events(c, "notice", 0, &a, &e) == QUARRY_OK && quarry_count(a, "") == 1);
    quarry_answer_free(a);
    IS(quarry_pull_nodes(c, "http://127.0.0.1:1", NULL, &a, &e) == QUARRY_SERVER_FAILED);
    IS(quarry_delete_asset(c, id, true, &e) == QUARRY_OK);
    IS(quarry_register_node(c, "{\"namespace\":\"onex.t\",\"name\":\"n\",\"version\":\"1.0.0\","
                               "\"description\":\"sieve\"}", NULL, &e) == QUARRY_OK);
    IS(quarry_list_nodes(c, space, &a, &e) == QUARRY_OK && quarry_count(a, "") == 1);
    quarry_answer_free(a);
    IS(quarry_resolve(c, "[\"onex.t/n@^1\"]", &a, &e) == QUARRY_OK);
    IS(strcmp(quarry_text(a, "/execution_order/0"), "onex.t/n") == 0);
    quarry_answer_free(a);
    IS(quarry_search_assets(c, "sieve", NULL, &a, &e) == QUARRY_OK);
    IS(quarry_count(a, "/hits") == 1);
    quarry_answer_free(a);
    IS(quarry_sql(c, "SELECT ?::int + 1 AS n", "[41]", &a, &e) == QUARRY_OK);
    IS(strstr(quarry_json(a), "42"));
    quarry_answer_free(a);
    IS(quarry_call(c, QUARRY_TENANT, "GET", "/health", NULL, &a, &e) == QUARRY_OK);
    IS(quarry_bool(a, "/healthy"));
    quarry_answer_free(a);
    IS(quarry_call(c, QUARRY_CATALOG, "GET", "/nowhere", NULL, &a, NULL) == QUARRY_NOT_FOUND && !a);

    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        IS(pthread_create(&threads[i], NULL, work, c) == 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    quarry_close(c);
    quarry_close(NULL);
    puts("done");
    return 0;
}
"""


def test_every_operation(new_server, tmp_path):
    source = tmp_path / "every.c"
    source.write_text(PROGRAM)
    used = set(re.findall(r"\b(quarry_\w+)\(", PROGRAM + EXAMPLE.read_text()))
    header = re.sub(r"/\*.*?\*/", "", (ROOT / "include/quarry.h").read_text(), flags=re.S)
    assert set(re.findall(r"\b(quarry_\w+)\(", header)) - used == {"quarry_log_query"}
    done = compile_and_run(tmp_path, new_server(), source, f"-L{LIBRARIES}", "-lquarry", "-lpthread")
    assert done.returncode == 0, done.stderr
    assert (done.stdout, done.stderr) == ("done\n", "")


def test_header_and_names(tmp_path):
    plus = tmp_path / "plus.cc"
    plus.write_text('#include <quarry.h>\nint main() { return quarry_count(nullptr, "") != 0; }\n')
    subprocess.run(["c++", *WARNINGS, *sanitizers(), f"-I{ROOT / 'include'}", plus, "-o",
                    tmp_path / "plus", f"-L{LIBRARIES}", "-lquarry", f"-Wl,-rpath,{LIBRARIES}"],
                   check=True)
    subprocess.run([tmp_path / "plus"], check=True)
    for library, option in (("libquarry.so", "-D"), ("libquarry.a", "-g")):
        names = subprocess.run(["nm", option, "--defined-only", LIBRARIES / library], check=True,
                               capture_output=True, text=True).stdout
        found = {line.split()[2] for line in names.splitlines() if len(line.split()) == 3}
        assert {name for name in found if not name.startswith(("quarry_", "__"))} == set()

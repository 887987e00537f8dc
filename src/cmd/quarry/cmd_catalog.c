/* cmd_catalog.c: quarry catalog verify|repair|digest|migrate|reindex|backup|restore: on the back
 * ends themselves, named by their URLs, without a server. SQLite may be in use meanwhile; a folder
 * of files may not (it has a lock). Exit status: 0 done, 1 faults found or refused, 2 usage, 4
 * cannot be opened. */
#include "base/datetime.h"
#include "catalog/elastic/elastic_backend.h"
#include "catalog/hybrid/hybrid_backend.h"
#include "catalog/journal.h"
#include "catalog/open.h"
#include "catalog/sqlite/sqlite_backend.h"
#include "catalog/transfer.h"
#include "cmd/quarry/cli.h"

static int failed(const struct error *err)
{
    cli_complain_error(err);
    return err->status == STATUS_CORRUPT || err->status == STATUS_CONFLICT ? EXIT_REFUSED
                                                                           : EXIT_INPUT;
}

static void tell_fault(void *context, const char *what)
{
    ++*(uint64_t *)context;
    printf("fault: %s\n", what);
}

static void print_digest(const struct cli *cli, const struct catalog_digest *digest)
{
    struct buf buf;
    struct json_writer w;
    char hash[32];
    buf_init(&buf, 4096);
    json_writer_init(&w, &buf);
    json_begin_object(&w);
    for (int i = 0; i < DOMAIN_COUNT; i++) {
        const char *name = domain_name((enum domain)i);
        (void)snprintf(hash, sizeof hash, "%016llx", (unsigned long long)digest->hash[i]);
        if (!cli->json)
            printf("%-11s %10llu  %s\n", name, (unsigned long long)digest->count[i], hash);
        json_keyz(&w, name);
        json_begin_object(&w);
        json_kv_int(&w, "count", (int64_t)digest->count[i]);
        json_kv_strz(&w, "hash", hash);
        json_end_object(&w);
    }
    json_end_object(&w);
    if (cli->json && !buf_failed(&buf))
        printf("%.*s\n", STR_ARG(buf_str(&buf)));
    buf_release(&buf);
}

static int verify(struct cli *cli, const char *url, bool deep)
{
    struct error err = ERROR_INIT;
    struct backend *backend = NULL;
    struct catalog_digest digest;
    uint64_t faults = 0;
    enum status status = catalog_backend_open(sys_posix(), url, &backend, &err);
    if (status == STATUS_OK && deep)
        status = backend_verify(backend, tell_fault, &faults, &err);
    if (status == STATUS_OK)
        status = catalog_digest(backend, &digest, &err);
    if (status == STATUS_OK)
        print_digest(cli, &digest);
    backend_close(backend);
    if (status != STATUS_OK)
        return failed(&err);
    if (deep && !cli->json)
        printf("%llu faults\n", (unsigned long long)faults);
    return faults ? EXIT_REFUSED : EXIT_DONE;
}

/* What is derived: a hybrid catalog's cache and search engine. */
static int repair(struct cli *cli, const char *url)
{
    struct error err = ERROR_INIT;
    struct backend *backend = NULL;
    uint64_t faults = 0;
    enum status status = catalog_backend_open(sys_posix(), url, &backend, &err);
    if (status == STATUS_OK && strcmp(backend->ops->name, "hybrid") != 0)
        status = error_set(&err, STATUS_INVALID_ARGUMENT,
                           "only a catalog hybrid:PRIMARY|... has something to repair; others are "
                           "restored from a backup");
    if (status == STATUS_OK)
        status = hybrid_repair(backend, tell_fault, &faults, &err);
    backend_close(backend);
    if (status != STATUS_OK)
        return failed(&err);
    if (!cli->json)
        printf("%llu entries mended\n", (unsigned long long)faults);
    return EXIT_DONE;
}

static void tell_progress(void *context, enum domain domain, uint64_t done)
{
    const struct cli *cli = context;
    if (!cli->json)
        fprintf(stderr, "\r%-11s %10llu", domain_name(domain), (unsigned long long)done);
}

static enum status is_empty(struct backend *backend, const char *url, struct error *err)
{
    struct catalog_digest digest;
    const struct catalog_digest none = {0};
    TRY(catalog_digest(backend, &digest, err));
    if (catalog_digest_equal(&digest, &none))
        return STATUS_OK;
    return error_set(err, STATUS_CONFLICT,
                     "%s is not empty; migrate replaces what a catalog holds, restore does not",
                     url);
}

static int migrate(struct cli *cli, const char *from_url, const char *to_url, bool only_empty)
{
    struct error err = ERROR_INIT;
    struct backend *from = NULL, *to = NULL;
    struct transfer_result result;
    enum status status = catalog_backend_open(sys_posix(), from_url, &from, &err);
    if (status == STATUS_OK)
        status = catalog_backend_open(sys_posix(), to_url, &to, &err);
    if (status == STATUS_OK && only_empty)
        status = is_empty(to, to_url, &err);
    if (status == STATUS_OK)
        status = catalog_transfer(from, to, tell_progress, cli, &result, &err);
    if (!cli->json)
        fputc('\n', stderr);
    if (status == STATUS_OK) {
        if (!cli->json)
            printf("copied %llu, the same already %llu, removed %llu; counts and hashes agree\n",
                   (unsigned long long)result.copied, (unsigned long long)result.same,
                   (unsigned long long)result.removed);
        print_digest(cli, &result.to);
    }
    backend_close(from);
    backend_close(to);
    return status == STATUS_OK ? EXIT_DONE : failed(&err);
}

static void tell_documents(void *context, enum domain domain, uint64_t documents)
{
    tell_progress(context, domain, documents);
}

static int reindex(struct cli *cli, const char *url)
{
    struct error err = ERROR_INIT;
    struct backend *backend = NULL;
    enum status status = catalog_backend_open(sys_posix(), url, &backend, &err);
    if (status == STATUS_OK && strcmp(backend->ops->name, "elasticsearch") != 0)
        status = error_set(&err, STATUS_INVALID_ARGUMENT,
                           "only a catalog elasticsearch://... has an index to make anew");
    if (status == STATUS_OK)
        status = elastic_reindex(backend, tell_documents, cli, &err);
    backend_close(backend);
    if (!cli->json)
        fputc('\n', stderr);
    return status == STATUS_OK ? EXIT_DONE : failed(&err);
}

/* SQLite copies itself consistently while it is used; others are read record by record. */
static int backup(struct cli *cli, const char *url, const char *path)
{
    struct error err = ERROR_INIT;
    struct backend *backend = NULL;
    struct sys_stat found;
    char to[SYS_PATH_MAX];
    if (sys_stat(sys_posix(), path, &found, NULL) == STATUS_OK) {
        cli_complain("%s exists already", path);
        return EXIT_INPUT;
    }
    enum status status = sys_path(to, &err, "sqlite:%s", path);
    if (status == STATUS_OK)
        status = catalog_backend_open(sys_posix(), url, &backend, &err);
    bool sqlite = status == STATUS_OK && strcmp(backend->ops->name, "sqlite") == 0;
    if (sqlite)
        status = sqlite_backend_copy(backend, path, &err);
    backend_close(backend);
    if (status != STATUS_OK)
        return failed(&err);
    return sqlite ? verify(cli, to, true) : migrate(cli, url, to, true);
}

static int restore(struct cli *cli, const char *path, const char *url)
{
    struct sys_stat found;
    char from[SYS_PATH_MAX];
    struct error err = ERROR_INIT;
    if (sys_stat(sys_posix(), path, &found, &err) != STATUS_OK ||
        sys_path(from, &err, "sqlite:%s", path) != STATUS_OK)
        return failed(&err);
    return migrate(cli, from, url, true);
}

/* A catalog as it was: into an empty one, so that nothing is lost by a wrong time. */
static int restore_at(struct cli *cli, const char *from_url, const char *to_url, const char *time)
{
    struct error err = ERROR_INIT;
    struct backend *from = NULL, *to = NULL;
    struct restore_result result = {0};
    int64_t at_us = 0;
    if (!timestamp_parse(str_of(time), &at_us)) {
        cli_complain("--at takes a time such as 2026-11-21T08:30:00Z, not '%s'", time);
        return EXIT_USAGE;
    }
    enum status status = catalog_backend_open(sys_posix(), from_url, &from, &err);
    if (status == STATUS_OK)
        status = catalog_backend_open(sys_posix(), to_url, &to, &err);
    if (status == STATUS_OK)
        status = is_empty(to, to_url, &err);
    if (status == STATUS_OK)
        status = catalog_restore_at(from, to, at_us, &result, &err);
    if (status == STATUS_OK && !cli->json)
        printf("%llu records, %llu of them as they were, %llu of later left out\n",
               (unsigned long long)result.records, (unsigned long long)result.undone,
               (unsigned long long)result.left_out);
    backend_close(from);
    backend_close(to);
    return status == STATUS_OK ? verify(cli, to_url, true) : failed(&err);
}

int cmd_catalog(struct cli *cli, const struct command *command, int argc, char **argv)
{
    int code;
    const char *at = NULL;
    const struct arg args[] = {
        {"--at", ARG_TEXT, &at, "TIME", "restore: from a catalog as it was then"},
    };
    if (!args_parse(cli, command, args, ARGS_LEN(args), 2, 3, &argc, argv, &code))
        return code;
    if (argc == 3 && at && strcmp(argv[0], "restore") == 0)
        return restore_at(cli, argv[1], argv[2], at);
    if (argc == 2 && strcmp(argv[0], "verify") == 0)
        return verify(cli, argv[1], true);
    if (argc == 2 && strcmp(argv[0], "repair") == 0)
        return repair(cli, argv[1]);
    if (argc == 2 && strcmp(argv[0], "digest") == 0)
        return verify(cli, argv[1], false);
    if (argc == 3 && strcmp(argv[0], "migrate") == 0)
        return migrate(cli, argv[1], argv[2], false);
    if (argc == 3 && strcmp(argv[0], "backup") == 0)
        return backup(cli, argv[1], argv[2]);
    if (argc == 3 && strcmp(argv[0], "restore") == 0)
        return restore(cli, argv[1], argv[2]);
    if (argc == 2 && strcmp(argv[0], "reindex") == 0)
        return reindex(cli, argv[1]);
    cli_complain("usage: quarry %s %s", command->name, command->usage);
    return EXIT_USAGE;
}

/* cmd_backup.c: quarry backup URL|DATA_PATH DEST, quarry backup verify BACKUP, quarry restore
 * BACKUP DATA_PATH. With a URL the tenant node writes the backup itself (it owns the folder); DEST
 * is then an absolute path on the node's machine. The catalog's part follows under the number of
 * the same generation (catalog/backup.h). Exit status: 0 done, 1 refused or bad files, 2 usage, 4
 * input. */
#include <stdlib.h>
#include <unistd.h>

#include "catalog/backup.h"
#include "catalog/open.h"
#include "cmd/quarry/client.h"
#include "storage/backup/backup.h"

enum { POLL_US = 200000 };

static int failed(const struct error *err)
{
    cli_complain_error(err);
    return err->status == STATUS_CORRUPT ? EXIT_REFUSED : EXIT_INPUT;
}

static void print_json(struct buf *buf)
{
    if (!buf_failed(buf))
        printf("%.*s\n", STR_ARG(buf_str(buf)));
    buf_release(buf);
}

static void print_result(struct cli *cli, const char *dest, const struct backup_result *result)
{
    char bytes[COUNT_TEXT_MAX], copied[COUNT_TEXT_MAX];
    if (!cli->json) {
        printf("%s: generation %llu: %llu sources, %llu files, %s; new: %llu files, %s\n", dest,
               (unsigned long long)result->generation, (unsigned long long)result->sources,
               (unsigned long long)result->files, cli_bytes_text(result->bytes, bytes),
               (unsigned long long)result->copied_files,
               cli_bytes_text(result->copied_bytes, copied));
        return;
    }
    struct buf buf;
    struct json_writer w;
    buf_init(&buf, 4096);
    json_writer_init(&w, &buf);
    json_begin_object(&w);
    json_kv_int(&w, "generation", (int64_t)result->generation);
    json_kv_int(&w, "sources", (int64_t)result->sources);
    json_kv_int(&w, "files", (int64_t)result->files);
    json_kv_int(&w, "bytes", (int64_t)result->bytes);
    json_kv_int(&w, "copied_files", (int64_t)result->copied_files);
    json_kv_int(&w, "copied_bytes", (int64_t)result->copied_bytes);
    json_end_object(&w);
    print_json(&buf);
}

/* --- the catalog's part --- */

static void print_control(const struct cli *cli, const char *verb, uint64_t records, uint64_t files,
                          bool key)
{
    if (!cli->json)
        printf("catalog %s: %llu records, %llu files of the registry%s\n", verb,
               (unsigned long long)records, (unsigned long long)files,
               key ? ", the key of encrypted settings" : "");
}

/* What a generation has; none is fine, backups of earlier releases and of single nodes have none.
 */
static int control_done(const struct cli *cli, enum status status, const char *verb,
                        const struct catalog_backup_result *result, const struct error *err)
{
    if (status == STATUS_OK)
        print_control(cli, verb, result->records, result->files, result->key);
    else if (status == STATUS_NOT_FOUND && !cli->json)
        printf("without catalog\n");
    return status == STATUS_OK || status == STATUS_NOT_FOUND ? EXIT_DONE : failed(err);
}

/* `backend_url` NULL: the file in the data folder, when there is one. */
static int control_by_folder(const struct cli *cli, const char *path, const char *backend_url,
                             const char *dest, uint64_t generation)
{
    char url[SYS_PATH_MAX], registry[SYS_PATH_MAX], key[SYS_PATH_MAX];
    struct sys_stat stat;
    struct error err = ERROR_INIT;
    struct catalog_backup_result result = {0};
    struct catalog_backup what = {.sys = sys_posix(), .registry_path = registry, .key_path = key};
    enum status status = sys_path(url, &err, "sqlite:%s/catalog/catalog.db", path);
    if (status == STATUS_OK)
        status = sys_path(registry, &err, "%s/registry", path);
    if (status == STATUS_OK)
        status = sys_path(key, &err, "%s/auth/config.key", path);
    if (status == STATUS_OK && !backend_url)
        status = sys_stat(sys_posix(), url + strlen("sqlite:"), &stat, &err);
    if (status == STATUS_OK)
        status =
            catalog_backend_open(sys_posix(), backend_url ? backend_url : url, &what.backend, &err);
    if (status == STATUS_OK)
        status = catalog_backup(&what, dest, generation, &result, &err);
    backend_close(what.backend);
    return control_done(cli, status, "copied", &result, &err);
}

/* Asks the service at `url`; *ret_none: it is no catalog. */
static int control_by_service(const struct cli *cli, const char *url, const char *dest,
                              uint64_t generation, bool *ret_none)
{
    struct cli own = *cli;
    struct client *client = NULL;
    struct reply reply;
    struct error err = ERROR_INIT;
    struct buf body;
    struct json_writer w;
    yyjson_doc *doc = NULL;
    own.url = url;
    buf_init(&body, 64 * 1024);
    reply_init(&reply);
    json_writer_init(&w, &body);
    json_begin_object(&w);
    json_kv_strz(&w, "path", dest);
    json_kv_int(&w, "generation", (int64_t)generation);
    json_end_object(&w);
    const struct call call = {.method = "POST",
                              .path = "/catalog/backup",
                              .content_type = "application/json",
                              .body = buf_str(&body)};
    int code = EXIT_UNREACHABLE;
    if (client_open(own.url, &client, &err) != STATUS_OK ||
        client_send(client, &call, &reply, &err) != STATUS_OK) {
        cli_complain_error(&err);
    } else if (reply.status == 404) {
        *ret_none = true;
        code = EXIT_DONE;
    } else if (!reply_good(&reply)) {
        reply_complain(&reply);
        code = EXIT_REFUSED;
    } else if (json_parse(buf_str(&reply.body), &doc, &err) == STATUS_OK) {
        yyjson_val *root = yyjson_doc_get_root(doc);
        print_control(cli, "copied", yyjson_get_uint(json_get(root, "records")),
                      yyjson_get_uint(json_get(root, "registry_files")),
                      yyjson_get_bool(json_get(root, "config_key")));
        code = EXIT_DONE;
    }
    yyjson_doc_free(doc);
    client_close(client);
    reply_release(&reply);
    buf_release(&body);
    return code;
}

/* The gateway serves both parts; a tenant node alone has no catalog. */
static int control_hot(const struct cli *cli, const char *url, const char *catalog,
                       const char *dest, uint64_t generation)
{
    bool none = false;
    int code = control_by_service(cli, catalog ? catalog : url, dest, generation, &none);
    if (none && catalog) {
        cli_complain("%s is no catalog", catalog);
        return EXIT_REFUSED;
    }
    if (none && !cli->json)
        cli_complain("without catalog: name it with --catalog URL, or back up through the gateway");
    return code;
}

/* --- by the node --- */

static uint64_t uint_of(yyjson_val *object, const char *name)
{
    return yyjson_get_uint(json_get(object, name));
}

/* The state of the backup: *ret_state 'r' runs, 'd' done, 'f' failed. */
static int ask(struct cli *cli, const struct call *call, char *ret_state,
               struct backup_result *ret_result)
{
    struct reply reply;
    struct error err = ERROR_INIT;
    yyjson_doc *doc = NULL;
    reply_init(&reply);
    int code = client_once(cli, call, &reply);
    if (code == EXIT_DONE && json_parse(buf_str(&reply.body), &doc, &err) != STATUS_OK)
        code = failed(&err);
    if (code == EXIT_DONE) {
        yyjson_val *backup = json_get(yyjson_doc_get_root(doc), "backup");
        struct str state = json_str_of(json_get(backup, "state"));
        *ret_state = state.len ? state.data[0] : 'f';
        *ret_result = (struct backup_result){.generation = uint_of(backup, "generation"),
                                             .sources = uint_of(backup, "sources"),
                                             .files = uint_of(backup, "files"),
                                             .bytes = uint_of(backup, "bytes"),
                                             .copied_files = uint_of(backup, "copied_files"),
                                             .copied_bytes = uint_of(backup, "copied_bytes")};
        if (*ret_state == 'f') {
            struct str message = json_str_of(json_get(backup, "error_message"));
            cli_complain("the backup failed: %.*s", STR_ARG(message));
            code = EXIT_REFUSED;
        }
    }
    yyjson_doc_free(doc);
    reply_release(&reply);
    return code;
}

static int backup_by_node(struct cli *cli, const char *url, const char *catalog, const char *dest)
{
    struct buf body;
    struct json_writer w;
    struct backup_result result;
    char state = 'r';
    cli->url = url;
    buf_init(&body, 64 * 1024);
    json_writer_init(&w, &body);
    json_begin_object(&w);
    json_kv_strz(&w, "path", dest);
    json_end_object(&w);
    struct call start = {.method = "POST",
                         .path = "/admin/backup",
                         .content_type = "application/json",
                         .body = buf_str(&body)};
    const struct call poll = {.method = "GET", .path = "/admin/backup"};
    int code = ask(cli, &start, &state, &result);
    while (code == EXIT_DONE && state == 'r') {
        (void)usleep(POLL_US);
        code = ask(cli, &poll, &state, &result);
    }
    buf_release(&body);
    if (code != EXIT_DONE)
        return code;
    print_result(cli, dest, &result);
    return control_hot(cli, url, catalog, dest, result.generation);
}

/* --- by ourselves --- */

static int backup_folder(struct cli *cli, const char *path, const char *catalog, const char *dest)
{
    struct backup_result result;
    struct error err = ERROR_INIT;
    if (backup_cold(sys_posix(), path, dest, NULL, &result, &err) != STATUS_OK)
        return failed(&err);
    print_result(cli, dest, &result);
    return control_by_folder(cli, path, catalog, dest, result.generation);
}

static void print_bad(void *context, const char *path, const char *object, const char *what)
{
    const struct cli *cli = context;
    if (!cli->json) {
        printf("bad  %s (%s): %s\n", object, path, what);
        return;
    }
    struct buf buf;
    struct json_writer w;
    buf_init(&buf, 64 * 1024);
    json_writer_init(&w, &buf);
    json_begin_object(&w);
    json_kv_strz(&w, "path", path);
    json_kv_strz(&w, "object", object);
    json_kv_strz(&w, "what", what);
    json_end_object(&w);
    print_json(&buf);
}

static void print_verdict(struct cli *cli, const char *verb, const struct backup_verdict *verdict)
{
    char bytes[COUNT_TEXT_MAX];
    if (!cli->json) {
        printf("generation %llu: %llu files, %s %s%s\n", (unsigned long long)verdict->generation,
               (unsigned long long)verdict->files, cli_bytes_text(verdict->bytes, bytes), verb,
               verdict->bad ? ": DAMAGED" : "");
        return;
    }
    struct buf buf;
    struct json_writer w;
    buf_init(&buf, 4096);
    json_writer_init(&w, &buf);
    json_begin_object(&w);
    json_kv_int(&w, "generation", (int64_t)verdict->generation);
    json_kv_int(&w, "files", (int64_t)verdict->files);
    json_kv_int(&w, "bytes", (int64_t)verdict->bytes);
    json_kv_int(&w, "bad", (int64_t)verdict->bad);
    json_end_object(&w);
    print_json(&buf);
}

static int verify(struct cli *cli, const char *backup, uint64_t generation)
{
    struct backup_verdict verdict;
    struct error err = ERROR_INIT;
    if (backup_verify(sys_posix(), backup, generation, print_bad, cli, &verdict, &err) != STATUS_OK)
        return failed(&err);
    print_verdict(cli, "verified", &verdict);
    struct catalog_backup_result control = {0};
    enum status status =
        catalog_backup_verify(sys_posix(), backup, verdict.generation, &control, &err);
    int code = control_done(cli, status, "verified", &control, &err);
    return verdict.bad ? EXIT_REFUSED : code;
}

int cmd_backup(struct cli *cli, const struct command *command, int argc, char **argv)
{
    int64_t generation = 0;
    const char *catalog = NULL;
    const struct arg args[] = {
        {"--generation", ARG_INT, &generation, "N", "verify: this one; default the newest"},
        {"--catalog", ARG_TEXT, &catalog, "URL",
         "the catalog service (of a folder: the back end), where it is not found by itself"},
    };
    int code;
    if (!args_parse(cli, command, args, ARGS_LEN(args), 2, 2, &argc, argv, &code))
        return code;
    if (strcmp(argv[0], "verify") == 0)
        return verify(cli, argv[1], (uint64_t)generation);
    if (str_starts(str_of(argv[0]), STR("http://")) || str_starts(str_of(argv[0]), STR("https://")))
        return backup_by_node(cli, argv[0], catalog, argv[1]);
    return backup_folder(cli, argv[0], catalog, argv[1]);
}

int cmd_restore(struct cli *cli, const struct command *command, int argc, char **argv)
{
    int64_t generation = 0;
    const struct arg args[] = {
        {"--generation", ARG_INT, &generation, "N", "this one; default the newest"},
    };
    struct backup_verdict verdict;
    struct error err = ERROR_INIT;
    int code;
    if (!args_parse(cli, command, args, ARGS_LEN(args), 2, 2, &argc, argv, &code))
        return code;
    if (backup_restore(sys_posix(), argv[0], (uint64_t)generation, argv[1], &verdict, &err) !=
        STATUS_OK)
        return failed(&err);
    print_verdict(cli, "restored", &verdict);
    struct catalog_backup_result control = {0};
    enum status status =
        catalog_backup_restore(sys_posix(), argv[0], verdict.generation, argv[1], &control, &err);
    return control_done(cli, status, "restored", &control, &err);
}

/* file_backend.c: see file_backend.h for the folder.
 *
 * A commit, in steps:
 *   1. commit_plan checks it against memory and says what each record will be;
 *   2. of more than one record: commit.json is written with all of them and synced: from here on
 * the commit happens, whatever comes;
 *   3. each record's file is synced and renamed to its name, or removed; then the folders are
 * synced;
 *   4. commit.json is removed, its folder synced;
 *   5. memory takes it over.
 * A failure in 2 undoes it. A failure in 3 or 4 leaves a commit that is decided but not done: the
 * back end then answers UNAVAILABLE until it is opened again, which does what is left. */
#include "catalog/file/file_backend.h"

#include <pthread.h>
#include <stdlib.h>

#include "catalog/folder.h"
#include "catalog/record_set.h"

enum { FILE_MAX = 16 << 20, COMMIT_FILE_MAX = 1 << 30, ALL_DOMAINS = (1 << DOMAIN_COUNT) - 1 };

static const char format_text[] = "quarry-catalog 1\n";

struct file_backend {
    struct backend base;
    struct sys *sys;
    struct sys_file *lock_file;
    char path[SYS_PATH_MAX];
    struct record_set set;
    pthread_rwlock_t lock;      /* of `set` */
    pthread_mutex_t write_lock; /* one commit at a time; taken before `lock` */
    bool broken;                /* with write_lock: a decided commit is not done */
};

/* --- one record as a file --- */

/* Line ends and indentation around the structure of a compact JSON text. */
static void indent_json(struct str json, struct buf *out)
{
    int depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < json.len; i++) {
        char c = json.data[i];
        bool opens = !in_string && (c == '{' || c == '[');
        bool closes = !in_string && (c == '}' || c == ']');
        bool empty =
            opens && i + 1 < json.len && (json.data[i + 1] == '}' || json.data[i + 1] == ']');
        if (closes && json.data[i - 1] != '{' && json.data[i - 1] != '[')
            buf_printf(out, "\n%*s", 2 * --depth, "");
        else if (closes)
            depth--;
        buf_append_char(out, c);
        depth += opens;
        if ((opens && !empty) || (!in_string && c == ','))
            buf_printf(out, "\n%*s", 2 * depth, "");
        else if (!in_string && c == ':')
            buf_append_char(out, ' ');
        if (c == '"')
            in_string = !in_string;
        else if (c == '\\' && in_string && i + 1 < json.len)
            buf_append_char(out, json.data[++i]);
    }
    buf_append_char(out, '\n');
}

/* Ids are file names: what is no letter, digit, '-', '_' or '.' (not first) becomes %XX. */
static enum status file_name(const struct file_backend *backend, enum domain domain, struct str id,
                             char out[SYS_PATH_MAX], struct error *err)
{
    struct buf name;
    buf_init(&name, SYS_PATH_MAX);
    for (size_t i = 0; i < id.len; i++) {
        unsigned char c = (unsigned char)id.data[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '-' || c == '_' || (c == '.' && i);
        if (plain)
            buf_append_char(&name, (char)c);
        else
            buf_printf(&name, "%%%02X", (unsigned)c);
    }
    enum status status = buf_check(&name, "an id", err);
    if (status == STATUS_OK)
        status = sys_path(out, err, "%s/%s/%.*s.json", backend->path, domain_name(domain),
                          STR_ARG(buf_str(&name)));
    buf_release(&name);
    return status;
}

/* Old or new after a crash; the new name is durable after a sync of the folder. */
static enum status put_file(struct sys *sys, const char *path, struct str bytes, struct error *err)
{
    char temp[SYS_PATH_MAX];
    struct sys_file *file = NULL;
    TRY(sys_path(temp, err, "%s.tmp", path));
    TRY(sys_open(sys, temp, SYS_WRITE | SYS_CREATE | SYS_TRUNCATE, &file, err));
    enum status status = sys_pwrite(sys, file, bytes.data, bytes.len, 0, err);
    if (status == STATUS_OK)
        status = sys_sync(sys, file, err);
    sys_close(sys, file);
    return status == STATUS_OK ? sys_rename(sys, temp, path, err) : status;
}

static enum status write_record_file(struct file_backend *backend, const struct record *record,
                                     struct error *err)
{
    char path[SYS_PATH_MAX];
    struct buf compact, pretty;
    struct json_writer w;
    TRY(file_name(backend, record->domain, record->id, path, err));
    buf_init(&compact, FILE_MAX);
    buf_init(&pretty, 2 * (size_t)FILE_MAX);
    json_writer_init(&w, &compact);
    record_write(&w, record, true);
    indent_json(buf_str(&compact), &pretty);
    enum status status = buf_check(&compact, "a record", err);
    if (status == STATUS_OK)
        status = buf_check(&pretty, "a record", err);
    if (status == STATUS_OK)
        status = put_file(backend->sys, path, buf_str(&pretty), err);
    buf_release(&compact);
    buf_release(&pretty);
    return status;
}

static enum status remove_record_file(struct file_backend *backend, enum domain domain,
                                      struct str id, struct error *err)
{
    char path[SYS_PATH_MAX];
    TRY(file_name(backend, domain, id, path, err));
    enum status status = sys_unlink(backend->sys, path, err);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* The names of all domains in the set of bits. */
static enum status sync_names(struct file_backend *backend, unsigned domains, struct error *err)
{
    char folder[SYS_PATH_MAX];
    for (int i = 0; i < DOMAIN_COUNT; i++) {
        if (!(domains >> i & 1))
            continue;
        TRY(sys_path(folder, err, "%s/%s", backend->path, domain_name((enum domain)i)));
        TRY(sys_sync_dir(backend->sys, folder, err));
    }
    return STATUS_OK;
}

/* --- commit.json: [{"domain":..,"id":..,"record":{..}|null}, ...] --- */

static enum status commit_path(const struct file_backend *backend, char out[SYS_PATH_MAX],
                               struct error *err)
{
    return sys_path(out, err, "%s/commit.json", backend->path);
}

static enum status write_commit(struct file_backend *backend, const struct commit_plan *plan,
                                struct error *err)
{
    char path[SYS_PATH_MAX];
    struct buf buf;
    struct json_writer w;
    TRY(commit_path(backend, path, err));
    buf_init(&buf, COMMIT_FILE_MAX);
    json_writer_init(&w, &buf);
    json_begin_array(&w);
    for (uint32_t i = 0; i < plan->len; i++) {
        json_begin_object(&w);
        json_kv_strz(&w, "domain", domain_name(plan->items[i].domain));
        json_kv_str(&w, "id", plan->items[i].id);
        json_keyz(&w, "record");
        if (plan->items[i].after)
            record_write(&w, plan->items[i].after, true);
        else
            json_null(&w);
        json_end_object(&w);
    }
    json_end_array(&w);
    enum status status = buf_check(&buf, "a commit", err);
    if (status == STATUS_OK)
        status = sys_replace_file(backend->sys, path, (struct slice){buf.data, buf.len}, err);
    buf_release(&buf);
    return status;
}

static enum status remove_commit(struct file_backend *backend, struct error *err)
{
    char path[SYS_PATH_MAX];
    TRY(commit_path(backend, path, err));
    enum status status = sys_unlink(backend->sys, path, err);
    if (status != STATUS_OK && status != STATUS_NOT_FOUND)
        return status;
    return sys_sync_dir(backend->sys, backend->path, err);
}

static enum status redo_item(struct file_backend *backend, yyjson_val *item, struct arena *arena,
                             struct error *err)
{
    enum domain domain;
    struct record record;
    yyjson_val *after = json_get(item, "record");
    if (!domain_parse(json_str_of(json_get(item, "domain")), &domain))
        return error_set(err, STATUS_CORRUPT, "commit.json names no known domain");
    if (yyjson_is_null(after))
        return remove_record_file(backend, domain, json_str_of(json_get(item, "id")), err);
    TRY(record_read(after, arena, &record, err));
    return write_record_file(backend, &record, err);
}

/* Does what a commit that was cut off had decided. */
static enum status redo_commit(struct file_backend *backend, struct error *err)
{
    char path[SYS_PATH_MAX];
    struct sys_stat found;
    struct buf buf;
    struct arena arena;
    yyjson_doc *doc = NULL;
    TRY(commit_path(backend, path, err));
    if (sys_stat(backend->sys, path, &found, NULL) == STATUS_NOT_FOUND)
        return STATUS_OK;
    buf_init(&buf, COMMIT_FILE_MAX);
    arena_init(&arena, 0);
    enum status status = sys_read_file(backend->sys, path, &buf, err);
    if (status == STATUS_OK)
        status = json_parse(buf_str(&buf), &doc, err);
    size_t at, max;
    yyjson_val *item;
    yyjson_arr_foreach(yyjson_doc_get_root(doc), at, max, item)
    {
        if (status == STATUS_OK)
            status = redo_item(backend, item, &arena, err);
    }
    yyjson_doc_free(doc);
    arena_release(&arena);
    buf_release(&buf);
    if (status == STATUS_OK)
        status = sync_names(backend, ALL_DOMAINS, err);
    if (status != STATUS_OK)
        return error_wrap(err, "%s cannot be finished", path);
    return remove_commit(backend, err);
}

/* --- commits --- */

static enum status apply_files(struct file_backend *backend, const struct commit_plan *plan,
                               struct error *err)
{
    unsigned domains = 0;
    for (uint32_t i = 0; i < plan->len; i++) {
        const struct planned *item = &plan->items[i];
        domains |= 1u << item->domain;
        if (item->after)
            TRY(write_record_file(backend, item->after, err));
        else
            TRY(remove_record_file(backend, item->domain, item->id, err));
    }
    return sync_names(backend, domains, err);
}

/* Steps 2 to 4. A commit of one record needs no commit.json, but whether it happened is as open
 * after a failure. */
static enum status write_plan(struct file_backend *backend, const struct commit_plan *plan,
                              struct error *err)
{
    if (plan->len > 1) {
        enum status status = write_commit(backend, plan, err);
        if (status != STATUS_OK) {
            backend->broken = remove_commit(backend, NULL) != STATUS_OK;
            return status;
        }
    }
    enum status status = apply_files(backend, plan, err);
    if (status == STATUS_OK && plan->len > 1)
        status = remove_commit(backend, err);
    backend->broken = status != STATUS_OK;
    return status;
}

static enum status commit_locked(struct file_backend *backend, const struct change *changes,
                                 uint32_t len, struct commit_result *ret, struct error *err)
{
    struct commit_plan plan;
    if (backend->broken)
        return error_set(err, STATUS_UNAVAILABLE,
                         "an earlier write to %s failed half-way: mend the disk and start again",
                         backend->path);
    enum status status = commit_plan_make(&backend->set, changes, len, &plan, ret, err);
    if (status == STATUS_OK)
        status = write_plan(backend, &plan, err);
    if (status == STATUS_OK) {
        pthread_rwlock_wrlock(&backend->lock);
        status = commit_plan_apply(&backend->set, &plan, err);
        pthread_rwlock_unlock(&backend->lock);
        backend->broken = status != STATUS_OK; /* memory lacks what the files have */
    }
    commit_plan_release(&plan);
    return status;
}

static enum status file_commit(struct backend *base, const struct change *changes, uint32_t len,
                               struct commit_result *ret, struct error *err)
{
    struct file_backend *backend = (struct file_backend *)base;
    pthread_mutex_lock(&backend->write_lock);
    enum status status = commit_locked(backend, changes, len, ret, err);
    pthread_mutex_unlock(&backend->write_lock);
    return status;
}

/* --- reading --- */

static enum status copy_out(const struct record *found, struct arena *arena, struct record *ret,
                            struct error *err)
{
    if (!found)
        return error_set(err, STATUS_NOT_FOUND, "the record does not exist");
    return record_copy(found, arena, ret, err);
}

static enum status file_get(struct backend *base, enum domain domain, struct str tenant,
                            struct str id, struct arena *arena, struct record *ret,
                            struct error *err)
{
    struct file_backend *backend = (struct file_backend *)base;
    pthread_rwlock_rdlock(&backend->lock);
    const struct record *found = record_set_get(&backend->set, domain, id);
    if (found && !str_eq(found->tenant, tenant))
        found = NULL;
    enum status status = copy_out(found, arena, ret, err);
    pthread_rwlock_unlock(&backend->lock);
    return status;
}

static enum status file_find(struct backend *base, enum domain domain, struct str tenant,
                             struct str key, struct arena *arena, struct record *ret,
                             struct error *err)
{
    struct file_backend *backend = (struct file_backend *)base;
    pthread_rwlock_rdlock(&backend->lock);
    enum status status =
        copy_out(record_set_find(&backend->set, domain, tenant, key), arena, ret, err);
    pthread_rwlock_unlock(&backend->lock);
    return status;
}

static enum status file_query(struct backend *base, const struct record_query *query,
                              struct arena *arena, struct record_page *ret, struct error *err)
{
    struct file_backend *backend = (struct file_backend *)base;
    pthread_rwlock_rdlock(&backend->lock);
    enum status status = record_set_query(&backend->set, query, arena, ret, err);
    pthread_rwlock_unlock(&backend->lock);
    return status;
}

static enum status file_group(struct backend *base, const struct group_query *query,
                              struct arena *arena, struct group_answer *ret, struct error *err)
{
    struct file_backend *backend = (struct file_backend *)base;
    pthread_rwlock_rdlock(&backend->lock);
    enum status status = record_set_group(&backend->set, query, arena, ret, err);
    pthread_rwlock_unlock(&backend->lock);
    return status;
}

static enum status file_scan(struct backend *base, enum domain domain, struct str after,
                             uint32_t limit, struct arena *arena, struct record_page *ret,
                             struct error *err)
{
    struct file_backend *backend = (struct file_backend *)base;
    pthread_rwlock_rdlock(&backend->lock);
    enum status status = record_set_scan(&backend->set, domain, after, limit, arena, ret, err);
    pthread_rwlock_unlock(&backend->lock);
    return status;
}

/* --- loading and verification --- */

static enum status read_record_file(struct file_backend *backend, const char *path,
                                    struct arena *arena, struct record *ret, struct error *err)
{
    struct buf buf;
    yyjson_doc *doc = NULL;
    buf_init(&buf, 2 * (size_t)FILE_MAX);
    enum status status = sys_read_file(backend->sys, path, &buf, err);
    if (status == STATUS_OK)
        status = json_parse(buf_str(&buf), &doc, err);
    if (status == STATUS_OK)
        status = record_read(yyjson_doc_get_root(doc), arena, ret, err);
    if (status == STATUS_OK)
        status = record_check(ret, err);
    yyjson_doc_free(doc);
    buf_release(&buf);
    if (status == STATUS_OK || status == STATUS_NO_MEMORY || status == STATUS_IO)
        return status;
    (void)error_wrap(err, "%s is not a record of the catalog", path);
    if (err)
        err->status = STATUS_CORRUPT;
    return STATUS_CORRUPT;
}

struct listing {
    struct file_backend *backend;
    char folder[SYS_PATH_MAX];
    /* what to do with a record's file */
    enum status (*visit)(struct listing *listing, const char *path, const struct record *record,
                         struct error *err);
    backend_fault_fn fault; /* verification: what is wrong is told, not returned */
    void *fault_context;
    uint32_t seen;
};

static enum status visit_entry(void *context, const struct sys_dir_entry *entry, struct error *err)
{
    struct listing *listing = context;
    struct str name = str_of(entry->name);
    char path[SYS_PATH_MAX];
    struct arena arena;
    struct record record;
    struct error own = ERROR_INIT;
    if (entry->is_dir || !str_ends(name, STR(".json")))
        return STATUS_OK; /* left-overs of a write, files of git */
    TRY(sys_path(path, err, "%s/%s", listing->folder, entry->name));
    arena_init(&arena, 0);
    enum status status = read_record_file(listing->backend, path, &arena, &record, &own);
    if (status == STATUS_OK)
        status = listing->visit(listing, path, &record, &own);
    if (status == STATUS_CORRUPT && listing->fault) {
        listing->fault(listing->fault_context, own.message);
        status = STATUS_OK;
    } else if (status != STATUS_OK && err) {
        *err = own;
    }
    arena_release(&arena);
    return status;
}

static enum status visit_all(struct file_backend *backend, struct listing *listing,
                             struct error *err)
{
    listing->backend = backend;
    for (int domain = 0; domain < DOMAIN_COUNT; domain++) {
        TRY(sys_path(listing->folder, err, "%s/%s", backend->path,
                     domain_name((enum domain)domain)));
        TRY(sys_list_dir(backend->sys, listing->folder, visit_entry, listing, err));
    }
    return STATUS_OK;
}

static enum status check_place(struct listing *listing, const char *path,
                               const struct record *record, struct error *err)
{
    char right[SYS_PATH_MAX];
    TRY(file_name(listing->backend, record->domain, record->id, right, err));
    if (strcmp(path, right) == 0)
        return STATUS_OK;
    return error_set(err, STATUS_CORRUPT, "%s holds the record of %s", path, right);
}

static enum status load_record(struct listing *listing, const char *path,
                               const struct record *record, struct error *err)
{
    struct record_set *set = &listing->backend->set;
    TRY(check_place(listing, path, record, err));
    if (!record->deleted_us && record_set_find(set, record->domain, record->tenant, record->key))
        return error_set(err, STATUS_CORRUPT, "%s has the name of another record: '%.*s'", path,
                         STR_ARG(record->key));
    struct record *clone = record_clone(record);
    return clone ? record_set_put(set, clone, err) : error_no_memory(err);
}

static enum status compare_record(struct listing *listing, const char *path,
                                  const struct record *record, struct error *err)
{
    listing->seen++;
    TRY(check_place(listing, path, record, err));
    const struct record *kept = record_set_get(&listing->backend->set, record->domain, record->id);
    if (kept && record_equal(kept, record))
        return STATUS_OK;
    return error_set(err, STATUS_CORRUPT, "%s was changed since the catalog was opened", path);
}

static enum status file_verify(struct backend *base, backend_fault_fn fault, void *context,
                               struct error *err)
{
    struct file_backend *backend = (struct file_backend *)base;
    struct listing listing = {.visit = compare_record, .fault = fault, .fault_context = context};
    uint32_t kept = 0;
    pthread_mutex_lock(&backend->write_lock);
    enum status status = visit_all(backend, &listing, err);
    for (int domain = 0; domain < DOMAIN_COUNT; domain++)
        kept += backend->set.tables[domain].len;
    pthread_mutex_unlock(&backend->write_lock);
    if (status == STATUS_OK && kept > listing.seen)
        fault(context, "files of records are missing");
    return status;
}

static enum status file_health(struct backend *base, struct error *err)
{
    struct file_backend *backend = (struct file_backend *)base;
    struct sys_stat found;
    return sys_stat(backend->sys, backend->path, &found, err);
}

/* --- opening and closing --- */

static void file_close(struct backend *base)
{
    struct file_backend *backend = (struct file_backend *)base;
    sys_close(backend->sys, backend->lock_file);
    record_set_release(&backend->set);
    pthread_rwlock_destroy(&backend->lock);
    pthread_mutex_destroy(&backend->write_lock);
    free(backend);
}

static const struct backend_ops file_ops = {
    .name = "file",
    .get = file_get,
    .find = file_find,
    .query = file_query,
    .group = file_group,
    .commit = file_commit,
    .scan = file_scan,
    .verify = file_verify,
    .health = file_health,
    .close = file_close,
};

static enum status check_format(struct file_backend *backend, struct error *err)
{
    char path[SYS_PATH_MAX];
    struct buf buf;
    TRY(sys_path(path, err, "%s/format", backend->path));
    buf_init(&buf, 4096);
    enum status status = sys_read_file(backend->sys, path, &buf, err);
    if (status == STATUS_NOT_FOUND)
        status = sys_replace_file(backend->sys, path,
                                  (struct slice){format_text, sizeof format_text - 1}, err);
    else if (status == STATUS_OK && !str_eq(buf_str(&buf), STR(format_text)))
        status = error_set(err, STATUS_INVALID_ARGUMENT,
                           "%s is not '%.*s': the folder is of a newer release, or no catalog",
                           path, (int)sizeof format_text - 2, format_text);
    buf_release(&buf);
    return status;
}

static enum status take_lock(struct file_backend *backend, struct error *err)
{
    char path[SYS_PATH_MAX];
    TRY(sys_path(path, err, "%s/lock", backend->path));
    TRY(sys_open(backend->sys, path, SYS_READ | SYS_WRITE | SYS_CREATE, &backend->lock_file, err));
    enum status status = sys_lock(backend->sys, backend->lock_file, err);
    if (status == STATUS_CONFLICT)
        return error_wrap(err, "another process has the catalog %s open", backend->path);
    return status;
}

static enum status open_folder(struct file_backend *backend, const char *path, struct error *err)
{
    char folder[SYS_PATH_MAX];
    struct listing listing = {.visit = load_record};
    TRY(sys_path(backend->path, err, "%s", path));
    TRY(folder_make(backend->sys, path, err));
    TRY(take_lock(backend, err));
    TRY(check_format(backend, err));
    for (int domain = 0; domain < DOMAIN_COUNT; domain++) {
        TRY(sys_path(folder, err, "%s/%s", path, domain_name((enum domain)domain)));
        TRY(sys_mkdirs(backend->sys, folder, err));
    }
    TRY(sys_sync_dir(backend->sys, path, err));
    TRY(redo_commit(backend, err));
    return visit_all(backend, &listing, err);
}

enum status file_backend_open(struct sys *sys, const char *path, struct backend **ret,
                              struct error *err)
{
    struct file_backend *backend = calloc(1, sizeof *backend);
    if (!backend)
        return error_no_memory(err);
    backend->base.ops = &file_ops;
    backend->sys = sys;
    record_set_init(&backend->set);
    pthread_rwlock_init(&backend->lock, NULL);
    pthread_mutex_init(&backend->write_lock, NULL);
    enum status status = open_folder(backend, path, err);
    if (status != STATUS_OK) {
        file_close(&backend->base);
        return status;
    }
    *ret = &backend->base;
    return STATUS_OK;
}

#include "service/tenant_book.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/json.h"

/* A file as young as this may change once more without its time or size changing. */
enum { FRESH_US = 1000000 };

struct entry {
    char id[TENANT_ID_MAX + 1];
    struct tenant_rule rule;
};

struct tenant_book {
    struct sys *sys;
    char path[SYS_PATH_MAX];
    _Atomic int64_t looked_us; /* monotonic; 0: never */
    pthread_rwlock_t lock;     /* what follows */
    bool is_there;
    struct sys_stat seen;
    struct entry *entries; /* by id */
    uint32_t len;
};

static const char *const STATES[] = {"active", "suspended", "deleted"};

const char *tenant_state_name(enum tenant_state state)
{
    return STATES[state];
}

bool tenant_id_is_valid(struct str tenant)
{
    for (size_t i = 0; i < tenant.len; i++) {
        char c = tenant.data[i];
        bool good = (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '_' ||
                    ((c == '-' || c == '.') && i > 0);
        if (!good)
            return false;
    }
    return tenant.len > 0 && tenant.len <= TENANT_ID_MAX;
}

/* --- reading; the lock is held for writing --- */

static int by_id(const void *a, const void *b)
{
    return strcmp(((const struct entry *)a)->id, ((const struct entry *)b)->id);
}

static void copy_text(char *to, size_t cap, yyjson_val *value)
{
    struct str text = json_str_of(value);
    size_t len = text.len < cap ? text.len : cap - 1;
    if (len)
        memcpy(to, text.data, len);
    to[len] = 0;
}

static enum status read_entry(const struct tenant_book *book, yyjson_val *one, struct entry *ret,
                              struct error *err)
{
    struct str id = json_str_of(json_get(one, "tenant_id"));
    struct str state = json_str_of(json_get(one, "state"));
    int found = -1;
    for (int i = 0; i < 3; i++)
        if (str_is(state, STATES[i]))
            found = i;
    if (!tenant_id_is_valid(id) || found < 0)
        return error_set(err, STATUS_CORRUPT, "%s: an entry has no tenant_id or no known state.",
                         book->path);
    copy_text(ret->id, sizeof ret->id, json_get(one, "tenant_id"));
    copy_text(ret->rule.reason, sizeof ret->rule.reason, json_get(one, "reason"));
    ret->rule.state = (enum tenant_state)found;
    ret->rule.requests_per_second = yyjson_get_num(json_get(one, "requests_per_second"));
    ret->rule.burst = yyjson_get_num(json_get(one, "burst"));
    ret->rule.max_bytes = yyjson_get_sint(json_get(one, "max_bytes"));
    ret->rule.max_sources = yyjson_get_sint(json_get(one, "max_sources"));
    return STATUS_OK;
}

static enum status read_entries(const struct tenant_book *book, yyjson_val *list,
                                struct entry **ret, uint32_t *ret_len, struct error *err)
{
    yyjson_val *one;
    size_t i, len = yyjson_arr_size(list);
    if (!yyjson_is_arr(list) || len > TENANT_BOOK_TENANTS_MAX)
        return error_set(err, STATUS_CORRUPT, "%s: no list of at most %d tenants.", book->path,
                         TENANT_BOOK_TENANTS_MAX);
    struct entry *entries = calloc(len + 1, sizeof *entries);
    if (!entries)
        return error_no_memory(err);
    enum status status = STATUS_OK;
    yyjson_arr_foreach(list, i, len, one) if (status == STATUS_OK) status =
        read_entry(book, one, &entries[i], err);
    if (status != STATUS_OK) {
        free(entries);
        return status;
    }
    qsort(entries, len, sizeof *entries, by_id);
    *ret = entries;
    *ret_len = (uint32_t)len;
    return STATUS_OK;
}

static enum status read_file(struct tenant_book *book, struct error *err)
{
    struct buf text;
    yyjson_doc *doc = NULL;
    struct entry *entries = NULL;
    uint32_t len = 0;
    buf_init(&text, TENANT_BOOK_FILE_MAX);
    enum status status = sys_read_file(book->sys, book->path, &text, err);
    if (status == STATUS_OK)
        status = json_parse(buf_str(&text), &doc, err);
    if (status == STATUS_OK)
        status =
            read_entries(book, json_get(yyjson_doc_get_root(doc), "tenants"), &entries, &len, err);
    yyjson_doc_free(doc);
    buf_release(&text);
    TRY(status);
    free(book->entries);
    book->entries = entries;
    book->len = len;
    book->is_there = true;
    return STATUS_OK;
}

static enum status look(struct tenant_book *book, struct error *err)
{
    struct sys_stat now;
    enum status status = sys_stat(book->sys, book->path, &now, err);
    if (status == STATUS_NOT_FOUND)
        return STATUS_OK; /* what was read stays */
    TRY(status);
    bool fresh = sys_now_us(book->sys) - now.modified_us < FRESH_US;
    if (book->is_there && !fresh && now.size == book->seen.size &&
        now.modified_us == book->seen.modified_us)
        return STATUS_OK;
    TRY(read_file(book, err));
    book->seen = now;
    return STATUS_OK;
}

static enum status refresh(struct tenant_book *book, struct error *err)
{
    int64_t now = sys_mono_us(book->sys), looked = atomic_load(&book->looked_us);
    if (looked && now - looked < TENANT_BOOK_LOOK_US)
        return STATUS_OK;
    pthread_rwlock_wrlock(&book->lock);
    enum status status = look(book, err);
    if (status == STATUS_OK)
        atomic_store(&book->looked_us, now ? now : 1);
    pthread_rwlock_unlock(&book->lock);
    return status;
}

/* --- asking --- */

enum status tenant_book_find(struct tenant_book *book, struct str tenant, struct tenant_rule *ret,
                             struct error *err)
{
    struct entry key = {.id = ""};
    *ret = (struct tenant_rule){.state = TENANT_ACTIVE};
    TRY(refresh(book, err));
    if (tenant.len <= TENANT_ID_MAX)
        memcpy(key.id, tenant.data, tenant.len);
    pthread_rwlock_rdlock(&book->lock);
    const struct entry *entry =
        book->len ? bsearch(&key, book->entries, book->len, sizeof key, by_id) : NULL;
    bool is_there = book->is_there;
    if (entry)
        *ret = entry->rule;
    pthread_rwlock_unlock(&book->lock);
    return entry || !is_there
               ? STATUS_OK
               : error_set(err, STATUS_NOT_FOUND, "There is no tenant '%.*s'.", STR_ARG(tenant));
}

void tenant_book_look_again(struct tenant_book *book)
{
    atomic_store(&book->looked_us, 0);
}

/* --- life --- */

enum status tenant_book_open(struct sys *sys, const char *path, struct tenant_book **ret,
                             struct error *err)
{
    struct tenant_book *book = calloc(1, sizeof *book);
    if (!book)
        return error_no_memory(err);
    book->sys = sys;
    pthread_rwlock_init(&book->lock, NULL);
    enum status status = sys_path(book->path, err, "%s", path);
    if (status != STATUS_OK) {
        tenant_book_close(book);
        return status;
    }
    *ret = book;
    return STATUS_OK;
}

void tenant_book_close(struct tenant_book *book)
{
    if (!book)
        return;
    pthread_rwlock_destroy(&book->lock);
    free(book->entries);
    free(book);
}

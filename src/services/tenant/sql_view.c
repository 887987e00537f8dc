/* sql_view.c: the definitions of views, in memory and in DATA_PATH/views.json.
 *
 *   {"format": 1, "views": [{"name", "sql", "dialect", "query", "reads": [...], "created_us",
 *                            "materialized"?: {...}}]}
 *
 * sealed (storage/table/snapshot.h). What a definition has besides is kept as it is. */
#include "services/tenant/sql_view.h"

#include <stdio.h>
#include <stdlib.h>

#include "storage/backup/backup.h"
#include "storage/table/snapshot.h"

enum { BOOK_FORMAT = 1, BOOK_BYTES_MAX = 64 << 20 };

struct sql_view_book {
    struct sys *sys;
    char path[SYS_PATH_MAX];
    pthread_mutex_t saving; /* one change at a time; before `lock` */
    pthread_mutex_t lock;
    struct sql_view **views; /* by name */
    uint32_t len;
};

/* ---- one definition ---- */

struct sql_view *sql_view_ref(struct sql_view *view)
{
    atomic_fetch_add(&view->refs, 1);
    return view;
}

void sql_view_unref(struct sql_view *view)
{
    if (!view || atomic_fetch_sub(&view->refs, 1) != 1)
        return;
    yyjson_doc_free(view->doc);
    free(view);
}

static enum status view_of_json(struct str json, struct sql_view **ret, struct error *err)
{
    yyjson_doc *doc;
    TRY(json_parse(json, &doc, err));
    yyjson_val *root = yyjson_doc_get_root(doc);
    struct sql_view *view = malloc(sizeof *view);
    if (!view) {
        yyjson_doc_free(doc);
        return error_no_memory(err);
    }
    *view =
        (struct sql_view){.refs = 1,
                          .doc = doc,
                          .name = json_str_of(json_get(root, "name")),
                          .sql = json_str_of(json_get(root, "sql")),
                          .dialect = json_str_of(json_get(root, "dialect")),
                          .query = json_str_of(json_get(root, "query")),
                          .reads = json_get(root, "reads"),
                          .created_us = yyjson_get_sint(json_get(root, "created_us")),
                          .materialized = json_get(root, "materialized"),
                          .shown = json_str_of(json_get(json_get(root, "materialized"), "shown")),
                          .is_own = true};
    if (!view->name.len || !view->query.len || !view->sql.data || !view->dialect.data) {
        sql_view_unref(view);
        return error_set(err, STATUS_CORRUPT, "a view's definition lacks a member");
    }
    *ret = view;
    return STATUS_OK;
}

static enum status view_of_value(yyjson_val *value, struct sql_view **ret, struct error *err)
{
    struct buf text;
    struct json_writer w;
    buf_init(&text, BOOK_BYTES_MAX);
    json_writer_init(&w, &text);
    json_value(&w, value);
    enum status status = buf_check(&text, "a view", err);
    if (status == STATUS_OK)
        status = view_of_json(buf_str(&text), ret, err);
    buf_release(&text);
    return status;
}

/* ---- the file ---- */

static enum status load(struct sql_view_book *book, yyjson_val *content, struct error *err)
{
    yyjson_val *list = json_get(content, "views"), *item;
    size_t at, max;
    if (yyjson_get_int(json_get(content, "format")) != BOOK_FORMAT)
        return error_set(err, STATUS_CORRUPT, "%s: not of a form that this release reads",
                         book->path);
    if (yyjson_arr_size(list) > SQL_VIEWS_MAX)
        return error_set(err, STATUS_CORRUPT, "%s has more than %d views", book->path,
                         SQL_VIEWS_MAX);
    book->views = calloc(SQL_VIEWS_MAX + 1, sizeof(struct sql_view *));
    if (!book->views)
        return error_no_memory(err);
    yyjson_arr_foreach(list, at, max, item)
    {
        TRY(view_of_value(item, &book->views[book->len], err));
        book->views[book->len++]->is_own = false;
    }
    return STATUS_OK;
}

enum status sql_view_book_open(struct sys *sys, const char *data_path, struct sql_view_book **ret,
                               struct error *err)
{
    struct sql_view_book *book = calloc(1, sizeof *book);
    yyjson_doc *doc = NULL;
    yyjson_val *content = NULL;
    struct sys_stat stat;
    if (!book)
        return error_no_memory(err);
    book->sys = sys;
    pthread_mutex_init(&book->saving, NULL);
    pthread_mutex_init(&book->lock, NULL);
    enum status status = sys_path(book->path, err, "%s/" VIEWS_FILE, data_path);
    bool is_there = status == STATUS_OK && sys_stat(sys, book->path, &stat, NULL) == STATUS_OK;
    if (status == STATUS_OK && is_there)
        status = sealed_read(sys, book->path, &doc, &content, err);
    if (status == STATUS_OK && is_there)
        status = load(book, content, err);
    else if (status == STATUS_OK)
        book->views = calloc(SQL_VIEWS_MAX + 1, sizeof(struct sql_view *));
    yyjson_doc_free(doc);
    if (status == STATUS_OK && !book->views)
        status = error_no_memory(err);
    if (status != STATUS_OK) {
        sql_view_book_close(book);
        return status;
    }
    *ret = book;
    return STATUS_OK;
}

void sql_view_book_close(struct sql_view_book *book)
{
    if (!book)
        return;
    for (uint32_t i = 0; i < book->len; i++)
        sql_view_unref(book->views[i]);
    free(book->views);
    pthread_mutex_destroy(&book->saving);
    pthread_mutex_destroy(&book->lock);
    free(book);
}

/* `saving` is held, so the list does not change. */
static enum status save(struct sql_view_book *book, struct sql_view *const *views, uint32_t len,
                        struct error *err)
{
    struct buf text;
    struct json_writer w;
    buf_init(&text, BOOK_BYTES_MAX);
    json_writer_init(&w, &text);
    json_begin_object(&w);
    json_kv_int(&w, "format", BOOK_FORMAT);
    json_keyz(&w, "views");
    json_begin_array(&w);
    for (uint32_t i = 0; i < len; i++)
        json_value(&w, yyjson_doc_get_root(views[i]->doc));
    json_end_array(&w);
    json_end_object(&w);
    enum status status = buf_check(&text, "the list of views", err);
    if (status == STATUS_OK)
        status = sealed_write(book->sys, book->path, buf_str(&text), err);
    buf_release(&text);
    return status;
}

/* ---- the list ---- */

/* The place of the name, or where it belongs. */
static uint32_t place_of(const struct sql_view_book *book, struct str name, bool *ret_is_there)
{
    *ret_is_there = true;
    for (uint32_t i = 0; i < book->len; i++) {
        if (str_eq_nocase(book->views[i]->name, name))
            return i;
    }
    *ret_is_there = false;
    uint32_t at = 0;
    while (at < book->len && str_cmp(book->views[at]->name, name) < 0)
        at++;
    return at;
}

struct sql_view *sql_view_find(struct sql_view_book *book, struct str name)
{
    bool is_there;
    pthread_mutex_lock(&book->lock);
    uint32_t at = place_of(book, name, &is_there);
    struct sql_view *view = is_there ? sql_view_ref(book->views[at]) : NULL;
    pthread_mutex_unlock(&book->lock);
    return view;
}

enum status sql_view_list(struct sql_view_book *book, struct sql_view ***ret, uint32_t *ret_len,
                          struct error *err)
{
    enum status status = STATUS_OK;
    *ret = NULL;
    pthread_mutex_lock(&book->lock);
    *ret_len = book->len;
    if (book->len) {
        *ret = malloc(book->len * sizeof(struct sql_view *));
        if (!*ret)
            status = error_no_memory(err);
        for (uint32_t i = 0; *ret && i < book->len; i++)
            (*ret)[i] = sql_view_ref(book->views[i]);
    }
    pthread_mutex_unlock(&book->lock);
    return status;
}

void sql_view_list_release(struct sql_view **views, uint32_t len)
{
    for (uint32_t i = 0; views && i < len; i++)
        sql_view_unref(views[i]);
    free(views);
}

/* The list with `view` (taken) at a place: instead of what is there, before it, or (NULL) without
 * it; saved, then in force. `saving` is held. */
static enum status change(struct sql_view_book *book, uint32_t at, bool is_there,
                          struct sql_view *view, struct error *err)
{
    struct sql_view **next = calloc(SQL_VIEWS_MAX + 1, sizeof(struct sql_view *));
    uint32_t len = 0;
    if (!next) {
        sql_view_unref(view);
        return error_no_memory(err);
    }
    for (uint32_t i = 0; i <= book->len; i++) {
        if (i == at && view)
            next[len++] = view;
        if (i < book->len && !(i == at && is_there))
            next[len++] = book->views[i];
    }
    enum status status = save(book, next, len, err);
    if (status != STATUS_OK) {
        sql_view_unref(view);
        free(next);
        return status;
    }
    pthread_mutex_lock(&book->lock);
    struct sql_view **old = book->views, *gone = is_there ? old[at] : NULL;
    book->views = next;
    book->len = len;
    pthread_mutex_unlock(&book->lock);
    free(old);
    sql_view_unref(gone);
    return STATUS_OK;
}

enum status sql_view_put(struct sql_view_book *book, struct str json, struct error *err)
{
    struct sql_view *view;
    bool is_there;
    TRY(view_of_json(json, &view, err));
    pthread_mutex_lock(&book->saving);
    uint32_t at = place_of(book, view->name, &is_there);
    enum status status = STATUS_OK;
    if (!is_there && book->len == SQL_VIEWS_MAX) {
        status = error_set(err, STATUS_RESOURCE_LIMIT, "there are %d views already: drop one",
                           SQL_VIEWS_MAX);
        sql_view_unref(view);
    } else {
        status = change(book, at, is_there, view, err);
    }
    pthread_mutex_unlock(&book->saving);
    return status;
}

enum status sql_view_remove(struct sql_view_book *book, struct str name, struct error *err)
{
    bool is_there;
    pthread_mutex_lock(&book->saving);
    uint32_t at = place_of(book, name, &is_there);
    enum status status =
        is_there ? change(book, at, true, NULL, err)
                 : error_set(err, STATUS_NOT_FOUND, "there is no view %.*s", STR_ARG(name));
    pthread_mutex_unlock(&book->saving);
    return status;
}

/* ---- names ---- */

enum status sql_view_check_free(struct tenant_node *node, struct str source_id, struct error *err)
{
    struct sql_view *view = sql_view_find(node->sql_views, source_id);
    if (!view)
        return STATUS_OK;
    error_set(err, STATUS_CONFLICT, "there is a view %.*s: take another name, or drop the view",
              STR_ARG(view->name));
    sql_view_unref(view);
    return STATUS_CONFLICT;
}

enum status sql_view_unknown_source(struct tenant_node *node, struct str name, enum status status,
                                    struct error *err)
{
    struct sql_view *view =
        status == STATUS_UNKNOWN_SOURCE ? sql_view_find(node->sql_views, name) : NULL;
    if (!view)
        return status;
    error_set(err, STATUS_UNSUPPORTED_SQL,
              "%.*s is a view: POST /query/sql and /query/dsl read it, this operation is for "
              "sources",
              STR_ARG(view->name));
    sql_view_unref(view);
    return STATUS_UNSUPPORTED_SQL;
}

/* ---- telling ---- */

static void write_view(struct json_writer *w, const struct sql_view *view)
{
    json_key(w, view->name);
    json_begin_object(w);
    json_kv_str(w, "sql", view->sql);
    json_kv_str(w, "dialect", view->dialect);
    json_keyz(w, "reads");
    json_value(w, view->reads);
    json_kv_bool(w, "materialized", view->materialized != NULL);
    json_end_object(w);
}

enum status sql_view_write_all(struct tenant_node *node, struct json_writer *w, struct error *err)
{
    struct sql_view **views;
    uint32_t len;
    TRY(sql_view_list(node->sql_views, &views, &len, err));
    if (len) {
        json_keyz(w, "view_details");
        json_begin_object(w);
        for (uint32_t i = 0; i < len; i++)
            write_view(w, views[i]);
        json_end_object(w);
    }
    sql_view_list_release(views, len);
    return STATUS_OK;
}

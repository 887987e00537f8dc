/* sql_view.h: the tenant's SQL views: named queries, and materialised ones whose rows are a source.
 *
 * All definitions are in one file, DATA_PATH/views.json, replaced whole: a crash leaves the old or
 * the new ones. In memory each is an immutable, counted object; a change puts a new one in its
 * place. Names are those of sources: letters of either case are the same, and no view has the name
 * of a source.
 *
 * (A `struct view` is something else: storage's pinned state of a source.) */
#ifndef QUARRY_SERVICES_TENANT_SQL_VIEW_H
#define QUARRY_SERVICES_TENANT_SQL_VIEW_H

#include "query/lang/view.h"
#include "services/tenant/tenant_int.h"

enum {
    SQL_VIEWS_MAX = 1000,
    SQL_VIEW_DEPTH_MAX = 16, /* views that read views */
    SQL_VIEW_TEXT_MAX = 1 << 20,
};

/* A definition; all texts are in `doc`. */
struct sql_view {
    _Atomic uint32_t refs;
    yyjson_doc *doc;
    struct str name;
    struct str sql;     /* the statement as it was given, in ... */
    struct str dialect; /* "mysql" */
    struct str query;   /* canonical: the query in DuckDB's dialect, views in it by their names */
    yyjson_val *reads;  /* names of what it reads */
    int64_t created_us;
    yyjson_val *materialized; /* see matview.h; NULL: a plain view */
    struct str shown;         /* materialised, with columns that are not for people: the query of
                               * the others; data NULL: its source is read as it is */
    bool is_own;              /* defined or refreshed by this process, not read from the file */
};
struct sql_view *sql_view_ref(struct sql_view *view);
void sql_view_unref(struct sql_view *view); /* NULL is fine */

struct sql_view_book;
/* STATUS_CORRUPT when the file is damaged. */
enum status sql_view_book_open(struct sys *sys, const char *data_path, struct sql_view_book **ret,
                               struct error *err);
void sql_view_book_close(struct sql_view_book *book); /* NULL is fine */

/* Referenced; NULL: there is none of that name. */
struct sql_view *sql_view_find(struct sql_view_book *book, struct str name);
/* All, by name, referenced; the array is malloc'ed (NULL: none). */
enum status sql_view_list(struct sql_view_book *book, struct sql_view ***ret, uint32_t *ret_len,
                          struct error *err);
void sql_view_list_release(struct sql_view **views, uint32_t len);
/* `json`: a definition as it is stored. Durable when it returns. */
enum status sql_view_put(struct sql_view_book *book, struct str json, struct error *err);
/* STATUS_NOT_FOUND. */
enum status sql_view_remove(struct sql_view_book *book, struct str name, struct error *err);

/* Member view_details {name: {...}} of the answer that lists sources; left out when there are none:
 * the contract has no such member. */
enum status sql_view_write_all(struct tenant_node *node, struct json_writer *w, struct error *err);

/* --- names --- */

/* STATUS_CONFLICT when a view has the name that a new source is to have. */
enum status sql_view_check_free(struct tenant_node *node, struct str source_id, struct error *err);
/* For a name that is no source: told otherwise when it is a view. */
enum status sql_view_unknown_source(struct tenant_node *node, struct str name, enum status status,
                                    struct error *err);

/* --- use in statements --- */

/* The views that the tree names, ready to be put in; `catalog` (with room for SQL_VIEWS_MAX more)
 * gets their columns. STATUS_UNSUPPORTED_SQL: one of them cannot be read any more, says why. */
struct sql_view_set {
    struct lang_view *views;
    size_t len;
};
enum status sql_view_resolve(struct tenant_node *node, struct arena *arena, struct node *root,
                             struct lang_catalog *catalog, struct sql_view_set *ret,
                             struct error *err);
/* The same for one definition that is not stored yet. */
enum status sql_view_try(struct tenant_node *node, struct arena *arena, struct str name,
                         struct str query, struct lang_catalog *catalog, struct lang_view *ret,
                         struct error *err);

#endif

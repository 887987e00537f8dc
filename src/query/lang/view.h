/* view.h: named queries (views) put in place of their names.
 *
 * A view is kept as text in DuckDB's dialect. lang_view_make reads, checks and lowers it; the
 * result can be put into statements of any dialect (lang_expand), where its columns are checked as
 * those of any source before. A view of one table with plain columns and a condition is merged into
 * the query around it (view_merge.c), so that pruning, indexes and our own operators see through.
 *
 * Tables inside of views are named main.t: a WITH of the statement around never stands in for
 * them. */
#ifndef QUARRY_QUERY_LANG_VIEW_H
#define QUARRY_QUERY_LANG_VIEW_H

#include "query/lang/bind.h"

struct lang_view {
    struct lang_source source; /* its name and columns */
    struct node *query;        /* lowered, NODE_DONE */
};

/* Each place in FROM that names a table and not a CTE in scope, in the order of the tree; those of
 * views that were put in are left out. Targets of changes are among them. */
struct lang_places {
    struct node **tables; /* TABLE nodes */
    size_t len, cap;
};
enum status lang_find_tables(struct arena *arena, struct node *root, struct lang_places *ret);
/* The name of such a place: of t or main.t the t; data NULL: it is in another schema. */
struct str lang_place_name(const struct node *table);

/* The text that is kept of a CREATE VIEW: its query in DuckDB's dialect, with the names of the
 * columns that are given before it. UNSUPPORTED: it has parameters. */
enum status lang_view_text(struct arena *arena, const struct lang_query *query, struct buf *out,
                           struct lang_problem *problem);

/* STATUS_INVALID_SQL: `problems` says what. `catalog` has the views' columns, too. */
enum status lang_view_make(struct arena *arena, struct str name, struct str text,
                           const struct lang_catalog *catalog, const struct lang_view *views,
                           size_t views_len, struct lang_view *ret, struct lang_problems *problems);

/* Puts the views in place of their names; the statement was bound. `*ret_changed`: there was one.
 * STATUS_INVALID_SQL: one is to be changed, or read as of another time. */
enum status lang_expand(struct arena *arena, struct lang_query *query,
                        const struct lang_catalog *catalog, const struct lang_view *views,
                        size_t views_len, bool *ret_changed, struct lang_problem *problem);

/* view_merge.c: selects over one simple view become selects over its table. */
enum status lang_merge_views(struct arena *arena, struct node *root,
                             const struct lang_catalog *catalog);

#endif

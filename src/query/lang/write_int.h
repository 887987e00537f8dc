/* write_int.h: trees to text, for a target.
 *
 * Parentheses are written where the target's precedences need them and wherever dialects disagree
 * about precedence. Keywords are upper case; names keep their quotes and get them where the target
 * needs them. */
#ifndef QUARRY_QUERY_LANG_WRITE_INT_H
#define QUARRY_QUERY_LANG_WRITE_INT_H

#include "base/buf.h"
#include "query/lang/lang.h"
#include "query/lang/node.h"

/* How a target differs; one file a target: write_<name>.c. */
struct target {
    const char *name;
    char quote;                     /* of names */
    bool backslash;                 /* strings escape backslashes */
    bool canonical;                 /* a source dialect in its own words: nothing is checked */
    const struct fn_row *functions; /* common meaning -> target; by name and count */
    const struct type_row *types;   /* DuckDB type -> target */
    const char *const *same;        /* functions of the same name and meaning, sorted */
    size_t same_count;
};

struct writer {
    struct arena *arena;
    struct buf *out;
    const struct target *target;
    enum lang_dialect id;
    struct lang_problem *problem;
    enum status status;
    int depth;
};

extern const struct target target_duckdb, target_clickhouse, target_trino, target_postgres,
    target_mysql;

void emit_node(struct writer *w, const struct node *node, int level);
void emit_list(struct writer *w, const struct node *list); /* comma separated */
void emit_query(struct writer *w, const struct node *query);
void emit_table(struct writer *w, const struct node *table);
void emit_statement(struct writer *w, const struct node *node);
void emit_type(struct writer *w, const struct node *type);
void emit_call(struct writer *w, const struct node *call);
void emit_window(struct writer *w, const struct node *window);
void emit_order(struct writer *w, const struct node *list);

void emit_text(struct writer *w, const char *text);
void emit_str(struct writer *w, struct str text);
void emit_name(struct writer *w, struct str name, bool quoted);
void emit_string(struct writer *w, struct str text);
void emit_unsupported(struct writer *w, const struct node *at, struct str what);
bool emit_is(const struct writer *w, enum lang_dialect target);

#endif

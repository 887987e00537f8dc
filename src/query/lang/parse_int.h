/* parse_int.h: the state and the small tools that the parser's files share.
 *
 * Errors are sticky: the first one is kept, and from then on the current token is the end of the
 * text, so that every loop ends soon; functions always return a node (p->spare when there is no
 * better one), so callers need no checks. Depth is bounded by enter/leave. */
#ifndef QUARRY_QUERY_LANG_PARSE_INT_H
#define QUARRY_QUERY_LANG_PARSE_INT_H

#include "query/lang/node.h"
#include "query/lang/token.h"

struct parser {
    struct arena *arena;
    struct str text;
    struct token *tokens;
    size_t at, count;
    const struct dialect *dialect;
    enum lang_dialect id;
    struct lang_limits limits;
    struct lang_problem *problem;
    enum status status; /* the first failure */
    int depth;
    int arguments; /* inside so many argument lists */
    int attempts;  /* readings that were tried and given up: bounded, they may nest */
    bool template; /* $1 is a slot */
    bool no_in;    /* POSITION(a IN b): IN ends the expression */
    struct node spare;
};

enum { PARSE_ATTEMPTS_MAX = 500 };

/* Precedences; an operator binds its right side at its own level + 1. */
enum level {
    LEVEL_LAMBDA = 5,
    LEVEL_OR = 10,
    LEVEL_XOR = 15,
    LEVEL_AND = 20,
    LEVEL_NOT = 30,
    LEVEL_IS = 40,
    LEVEL_COMPARE = 45,
    LEVEL_IN = 50,
    LEVEL_OTHER = 60,
    LEVEL_BIT_XOR = 62,
    LEVEL_BIT_AND = 64,
    LEVEL_SHIFT = 66,
    LEVEL_ADD = 70,
    LEVEL_MULTIPLY = 80,
    LEVEL_POWER = 85,
    LEVEL_ZONE = 88,
    LEVEL_COLLATE = 90,
    LEVEL_UNARY = 95,
    LEVEL_POSTFIX = 100,
};

/* ---- parse.c: tokens and nodes ---- */
const struct token *parse_current(const struct parser *p);
const struct token *parse_peek(const struct parser *p, size_t ahead);
void parse_next(struct parser *p);
bool parse_is_kw(const struct parser *p, enum keyword keyword);
bool parse_peek_kw(const struct parser *p, size_t ahead, enum keyword keyword);
bool parse_accept_kw(struct parser *p, enum keyword keyword);
/* Both or none. */
bool parse_accept_kw2(struct parser *p, enum keyword first, enum keyword second);
void parse_expect_kw(struct parser *p, enum keyword keyword);
bool parse_is_op(const struct parser *p, uint32_t op);
bool parse_peek_op(const struct parser *p, size_t ahead, uint32_t op);
bool parse_accept_op(struct parser *p, uint32_t op);
void parse_expect_op(struct parser *p, uint32_t op);
/* An unquoted word that is no keyword of ours, by its text (upper case). */
bool parse_is_word(const struct parser *p, const char *word);
bool parse_peek_word(const struct parser *p, size_t ahead, const char *word);
bool parse_accept_word(struct parser *p, const char *word);
bool parse_is_dialect(const struct parser *p, uint32_t mask);
#define DIALECT(name) (1u << LANG_##name)

void parse_fail(struct parser *p, const char *message);
void parse_expected(struct parser *p, const char *what);
/* UNSUPPORTED at the current token: "<what> is not supported". */
void parse_unsupported(struct parser *p, const char *what);
/* Before trying a reading that may be given up. */
bool parse_attempt(struct parser *p);
bool parse_enter(struct parser *p);
void parse_leave(struct parser *p);

struct node *parse_node(struct parser *p, enum node_kind kind, size_t slots);
struct node *parse_text_node(struct parser *p, enum node_kind kind, struct str text);
/* Sets node->end to the end of the last token taken. */
struct node *parse_close(struct parser *p, struct node *node);
struct str parse_upper(struct parser *p, struct str text);
struct str parse_join_words(struct parser *p, const char *a, const char *b);

struct node_list {
    struct node **items;
    size_t count, cap;
};
void parse_add(struct parser *p, struct node_list *list, struct node *node);
/* Moves the list into a node as its further children. */
struct node *parse_list(struct parser *p, enum node_kind kind, struct node_list *list,
                        size_t start);

/* ---- names ---- */
bool parse_at_name(const struct parser *p);
/* A name at the current token; any_word: reserved words too (behind a dot, AS). */
struct node *parse_ident(struct parser *p, bool any_word);
struct node *parse_dotted(struct parser *p);
struct node *parse_ident_list(struct parser *p); /* with its parentheses */
bool parse_at_alias(const struct parser *p);

/* ---- expressions ---- */
struct node *parse_expr(struct parser *p, int level);
struct node *parse_prefix(struct parser *p);
struct node *parse_postfix(struct parser *p, struct node *left);
struct node *parse_exprs(struct parser *p); /* one or more, by commas: LIST */
struct node *parse_parens(struct parser *p);
struct node *parse_interval(struct parser *p);
/* A keyword expression (CASE, CAST, EXTRACT, TRIM, ...); NULL when the current token begins none.
 */
struct node *parse_special(struct parser *p);
struct node *parse_call(struct parser *p, struct str name, size_t offset);
struct node *parse_window(struct parser *p);
bool parse_at_unit(const struct parser *p, size_t ahead);
struct str parse_unit(struct parser *p);

/* ---- types ---- */
struct node *parse_type_name(struct parser *p);
/* Whether a word names a type that may stand before a string: DATE '2024-01-01'. */
bool parse_is_literal_type(struct str word);

/* ---- queries ---- */
bool parse_at_query(const struct parser *p, size_t ahead);
struct node *parse_query(struct parser *p);
struct node *parse_order_by(struct parser *p); /* behind ORDER BY: LIST of ORDER */
struct node *parse_from(struct parser *p);     /* behind FROM: LIST of tables */
struct node *parse_with(struct parser *p);
struct node *parse_select_items(struct parser *p);
struct node *parse_table_name(struct parser *p);
struct node *parse_alias(struct parser *p, bool columns);
struct node *parse_sample(struct parser *p);
struct node *parse_pivot(struct parser *p, struct node *table);
struct node *parse_joins(struct parser *p, struct node *left);

/* ---- statements ---- */
struct node *parse_statement(struct parser *p, enum lang_statement *ret);

/* A DuckDB expression with slots, for rows of dialects. */
struct node *parse_template(struct arena *arena, struct str text);

#endif

/* builder_int.h: a SELECT in the making: texts of our own, every value a parameter. */
#ifndef QUARRY_CATALOG_SQLITE_BUILDER_INT_H
#define QUARRY_CATALOG_SQLITE_BUILDER_INT_H

#include "catalog/sqlite/sqlite_int.h"

enum { PARAMETERS_MAX = 6 * QUERY_MATCHES_MAX + 16 };

struct parameter {
    enum { PARAMETER_TEXT, PARAMETER_INT, PARAMETER_REAL } type;
    struct str text;
    int64_t number;
    double real;
};

/* Where the search for matching assets begins (start.c). */
struct start {
    enum {
        START_ORDER, /* in the order asked for, by an index */
        START_MATCH, /* at the assets that the table of tags or properties names */
        START_WORDS, /* at those that the index of words names */
    } at;
    uint32_t match, value; /* START_MATCH: which of the query's, which of its values */
    struct str words;      /* START_WORDS: the expression for the index of words */
    bool bounded;          /* START_ORDER: give up after WALK_MAX rows, there is another way */
};

struct builder {
    struct buf sql;
    struct parameter parameters[PARAMETERS_MAX];
    int parameters_len;
    enum domain domain;
    struct start start;
    struct arena *arena;
    struct error *err;
};

/* --- builder.c --- */
void sqlite_builder_init(struct builder *b, enum domain domain, struct arena *arena,
                         struct error *err);
void builder_release(struct builder *b);
void builder_clear(struct builder *b); /* for another statement */
void sqlite_add_text(struct builder *b, struct str text);
void add_int(struct builder *b, int64_t number);
/* As a JSON array, for json_each: one statement whatever their number. */
enum status add_texts(struct builder *b, const struct str *texts, uint32_t len);
enum status sqlite_add_glob(struct builder *b, struct str pattern);
/* As SQLite's JSON functions give it. */
enum status add_scalar(struct builder *b, yyjson_val *value);
enum status builder_prepare(struct builder *b, struct connection *connection, sqlite3_stmt **ret);

/* --- filter.c --- */
/* " FROM <domain> AS r WHERE ..." of all that the query asks for. */
enum status sqlite_add_filters(struct builder *b, const struct record_query *query);

/* --- start.c --- */
/* Sets b->start; `page`: the first matches in the query's order will do, else all are wanted. When
 * the start is bounded and the walk ends early, *ret_other is the way to go. */
enum status choose_start(struct builder *b, struct connection *connection,
                         const struct record_query *query, bool page, struct start *ret_other);
/* Before a bounded walk; connection->walk_ended says whether it gave up. */
void start_walk(struct connection *connection);

/* --- words.c --- */
/* The text's words joined by spaces, as the function has_words wants them. */
enum status words_joined(struct arena *arena, struct str text, struct str *ret, struct error *err);
/* The expression that finds all assets with the words, and perhaps more; empty without words.
 * *ret_few: those are few. */
enum status words_expression(struct builder *b, struct connection *connection, struct str text,
                             struct str *ret, bool *ret_few);

#endif

/* query.h: what can be asked of a back end: filters, visibility, order, pages.
 *
 * The meaning is fixed here, for all back ends alike; query_matches is the reference, and what a
 * back end without an engine of its own uses:
 *   - texts compare as bytes; numbers and times as integers;
 *   - all matches must hold (AND);
 *   - `text` is cut into words: runs of ASCII letters, digits and bytes >= 0x80, ASCII letters
 *     folded. A record matches when each word begins some word of its name, namespace, title,
 *     description, tags or categories. A text without words matches everything;
 *   - records are ordered by one field, ties by id in the same direction; a page goes on behind the
 *     last record of the page before, also when that record is gone by now. */
#ifndef QUARRY_CATALOG_QUERY_H
#define QUARRY_CATALOG_QUERY_H

#include "catalog/record.h"

enum match_op {
    MATCH_EQ, /* TEXT, INT, BOOL, TIME */
    MATCH_NE,
    MATCH_IN,     /* TEXT: one of the values; none: nothing matches */
    MATCH_PREFIX, /* TEXT */
    MATCH_GLOB,   /* TEXT: '*' any bytes, '?' any one character; the rest stands for itself */
    MATCH_LT,     /* INT, TIME */
    MATCH_LTE,
    MATCH_GT,
    MATCH_GTE,
    MATCH_HAS,  /* LIST: holds each of the values */
    MATCH_JSON, /* JSON: the top-level member `path` is the scalar `json` (string, number, boolean;
                 * numbers compare by value) */
};

struct match {
    enum record_field field;
    enum match_op op;
    const struct str *values; /* TEXT and LIST */
    uint32_t values_len;
    int64_t number;  /* INT, BOOL, TIME */
    struct str path; /* MATCH_JSON */
    struct str json; /* a JSON scalar as text */
};

enum deleted_mode { DELETED_HIDE, DELETED_ONLY, DELETED_SHOW };

enum {
    QUERY_MATCHES_MAX = 32,
    QUERY_VALUES_MAX = 1000,
    QUERY_LIMIT_MAX = 1000,
    QUERY_WORDS_MAX = 16,
    QUERY_TEXT_MAX = 1024,
};

/* Only records that are public, owned by `owner`, or listed. */
struct visibility {
    struct str owner;
    const struct str *ids;
    uint32_t ids_len;
};

struct record_query {
    enum domain domain;
    struct str tenant; /* never empty: no query sees two tenants */
    const struct match *matches;
    uint32_t matches_len;
    struct str text;
    const struct visibility *visible; /* NULL: all */
    enum deleted_mode deleted;
    enum record_field order; /* TEXT, INT or TIME; RECORD_id, the first, is creation's order */
    bool descending;
    struct str cursor; /* of an earlier page of the same query; empty: from the start */
    uint32_t limit;    /* 1..QUERY_LIMIT_MAX */
    bool count;        /* fill page.total */
};

struct record_page {
    struct record *records;
    uint32_t len;
    struct str next; /* cursor of the next page; empty when this was the last */
    int64_t total;   /* matching records on all pages; -1 when not asked for */
};

/* Field, operator and values fit; limits kept. Wrappers in backend.h call it: back ends need not.
 */
enum status query_check(const struct record_query *query, struct error *err);
bool query_matches(const struct record_query *query, const struct record *record);
/* <0, 0, >0 in the query's order. */
int query_compare(const struct record_query *query, const struct record *a, const struct record *b);

/* Position behind a record, as text that a client hands back. */
struct cursor {
    struct str text; /* order value when the field is TEXT */
    int64_t number;  /* when it is INT or TIME */
    struct str id;
};
enum status cursor_write(const struct record_query *query, const struct record *last,
                         struct arena *arena, struct str *ret, struct error *err);
/* STATUS_INVALID_ARGUMENT when it is not one, or of a query with another order. */
enum status cursor_read(const struct record_query *query, struct arena *arena, struct cursor *ret,
                        struct error *err);
/* Whether the record comes after the cursor. */
bool cursor_before(const struct record_query *query, const struct cursor *cursor,
                   const struct record *record);

/* Cuts words off `text` as described above, lower-cased into the arena; at most `max`. */
uint32_t text_words(struct str text, struct arena *arena, struct str *words, uint32_t max);
/* Whether some word of `text` begins with `wanted`, letters folded. */
bool text_begins_word(struct str text, struct str wanted);
bool glob_matches(struct str pattern, struct str text);

/* Groups of records: count, and sum, least and greatest of some INT or TIME fields. */
enum { GROUP_NUMBERS_MAX = 8, GROUP_ROWS_MAX = 10000 };

struct group_query {
    struct record_query records; /* order, cursor, limit and count are ignored */
    int by;                      /* a TEXT or LIST field (a record counts in each entry's group), or
                                  * GROUP_ALL */
    enum record_field numbers[GROUP_NUMBERS_MAX];
    uint32_t numbers_len;
};
enum { GROUP_ALL = -1 };

struct group_row {
    struct str value; /* empty for GROUP_ALL */
    int64_t count;
    int64_t sum[GROUP_NUMBERS_MAX], min[GROUP_NUMBERS_MAX], max[GROUP_NUMBERS_MAX];
};

/* GROUP_ALL gives exactly one row, all zero when nothing matches; else rows come in the order of
 * their values. More than GROUP_ROWS_MAX: STATUS_RESOURCE_LIMIT. */
struct group_answer {
    struct group_row *rows;
    uint32_t len;
};

enum status group_check(const struct group_query *query, struct error *err);

#endif

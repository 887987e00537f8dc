/* dsl_int.h: the tree of a DSL query and what the files of this folder share.
 *
 * Reading order: words.c (operators and functions as data), errors.c, read.c (objects, keys),
 * path.c, value.c, cond.c, outputs.c, window.c, parse.c make the tree; bind.c and check.c give
 * names and types to it; gen_*.c write SQL, tree_json.c writes JSON. */
#ifndef QUARRY_QUERY_DSL_INT_H
#define QUARRY_QUERY_DSL_INT_H

#include "query/dsl/dsl.h"

/* --- types: those of columns, and "not known" --- */
enum dsl_type {
    DSL_ANY, /* not known: nothing is checked, the engine decides */
    DSL_BOOL,
    DSL_INT,
    DSL_DOUBLE,
    DSL_STRING,
    DSL_JSON,
    DSL_DATE,
    DSL_TIMESTAMP,
};
const char *dsl_type_name(enum dsl_type type);
const char *dsl_type_sql(enum dsl_type type);

/* --- words --- */
enum dsl_op {
    OP_EQ,
    OP_NE,
    OP_GT,
    OP_GTE,
    OP_LT,
    OP_LTE,
    OP_IN,
    OP_NOT_IN,
    OP_BETWEEN,
    OP_NOT_BETWEEN,
    OP_LIKE,
    OP_NOT_LIKE,
    OP_ILIKE,
    OP_CONTAINS,
    OP_NOT_CONTAINS,
    OP_STARTS_WITH,
    OP_ENDS_WITH,
    OP_REGEX,
    OP_IS_NULL,
    OP_IS_NOT_NULL,
    OP_IS_DISTINCT,
    OP_IS_NOT_DISTINCT,
    OP_EXISTS,
    OP_NOT_EXISTS,
    OP_HAS_ANY,
    OP_HAS_ALL,
    OP_COUNT
};
enum op_shape { SHAPE_NONE, SHAPE_ONE, SHAPE_TEXT, SHAPE_PAIR, SHAPE_LIST };
struct op_info {
    const char *name;
    enum op_shape shape;
    enum dsl_op base; /* the positive twin of a negated one; itself otherwise */
    bool ordered;     /* < and its kind: wants an order */
};
const struct op_info *dsl_op_info(enum dsl_op op);
/* Canonical names and their other spellings. */
bool dsl_op_find(struct str name, enum dsl_op *ret);
struct dsl_words dsl_op_words(void); /* canonical ones */
struct dsl_words dsl_op_aliases(void);

enum function_kind { FUNCTION_SCALAR, FUNCTION_AGGREGATE, FUNCTION_WINDOW };
/* What a function takes and gives. */
enum function_args {
    ARGS_ANY,
    ARGS_NUMBER,
    ARGS_TEXT,
    ARGS_BOOL,
    ARGS_TIME,
};
enum function_result {
    RESULT_ANY,
    RESULT_INT,
    RESULT_DOUBLE,
    RESULT_STRING,
    RESULT_BOOL,
    RESULT_DATE,
    RESULT_TIMESTAMP,
    RESULT_JSON,
    RESULT_SAME,   /* as the first argument */
    RESULT_NUMBER, /* INT of INT, else DOUBLE */
};
struct function_info {
    const char *name;
    enum function_args takes;
    enum function_result gives;
    uint8_t min, max; /* arguments */
    const char *sql;  /* template: @ is all arguments with commas, 1..9 one of them */
};
const struct function_info *dsl_function_find(enum function_kind kind, struct str name);
struct dsl_words dsl_function_words(enum function_kind kind);

/* --- places: a JSON pointer as a chain, in the query's arena --- */
struct dsl_at {
    const struct dsl_at *up;
    struct str key; /* data NULL: index */
    size_t index;
};

/* --- the tree --- */
struct dsl_step {
    enum { STEP_NAME, STEP_INDEX, STEP_ALL } kind;
    struct str name;
    int64_t index;
};

struct dsl_table;
struct dsl_output;

struct dsl_path {
    const struct dsl_at *at;
    struct str text; /* as written */
    struct dsl_step *steps;
    uint32_t len;
    /* bound: */
    const struct dsl_output *output; /* of the answer (having, qualify, order_by), or NULL */
    const struct dsl_table *table;   /* whose name stands before the column; NULL: none */
    struct str column;               /* in the engine's spelling */
    enum dsl_type column_type;
    enum dsl_type type; /* of the value: DSL_JSON inside a document */
    uint32_t json_from; /* steps from here on lead into the document */
    bool star;          /* "*" */
};

enum dsl_expr_kind {
    EXPR_NULL,
    EXPR_BOOL,
    EXPR_INT,
    EXPR_REAL,
    EXPR_TEXT,
    EXPR_OPEN,
    EXPR_PATH,
    EXPR_CALL
};
struct dsl_expr {
    enum dsl_expr_kind kind;
    const struct dsl_at *at;
    enum dsl_type type;
    yyjson_val *json; /* as it was written; NULL: made by us */
    struct str param; /* of {"param": name}; data NULL: none */
    bool boolean;
    int64_t integer;
    double real;
    struct str text; /* EXPR_TEXT; EXPR_INT beyond int64: its digits */
    bool never;      /* bound: no value of the column can equal it */
    struct dsl_path *path;
    const struct function_info *function; /* EXPR_CALL; NULL: a custom one */
    struct str function_name;
    struct dsl_expr *args;
    uint32_t args_len;
};

struct dsl_cond {
    enum { COND_TEST, COND_AND, COND_OR, COND_NOT } kind;
    const struct dsl_at *at;
    struct dsl_cond **items;
    uint32_t items_len;
    uint32_t grows; /* room in items, of one that dsl_cond_and made */
    /* a test: */
    struct dsl_path *left;
    enum dsl_op op;
    struct dsl_expr *values;
    uint32_t values_len;
    bool nocase;
};

struct dsl_order {
    const struct dsl_at *at;
    struct dsl_path *path;
    bool descending, nulls_first;
};

enum dsl_bucket {
    BUCKET_NONE,
    BUCKET_MINUTE,
    BUCKET_HOUR,
    BUCKET_DAY,
    BUCKET_WEEK,
    BUCKET_MONTH,
    BUCKET_QUARTER,
    BUCKET_YEAR,
    BUCKET_WIDTH
};
const char *dsl_bucket_name(enum dsl_bucket bucket);
struct dsl_words dsl_bucket_words(void);

struct dsl_bound { /* of a frame */
    enum { BOUND_UNBOUNDED, BOUND_CURRENT, BOUND_ROWS } kind;
    int64_t offset; /* negative: preceding */
};

enum dsl_output_kind { OUTPUT_EXPR, OUTPUT_GROUP, OUTPUT_AGGREGATE, OUTPUT_WINDOW };
struct dsl_output {
    enum dsl_output_kind kind;
    const struct dsl_at *at;
    struct str alias;
    bool aliased; /* by the user */
    enum dsl_type type;
    struct dsl_expr *expr; /* OUTPUT_EXPR */
    struct dsl_path *path; /* the others; NULL: a window function without one */
    enum dsl_bucket bucket;
    struct dsl_expr *width;
    const struct function_info *function; /* NULL: a custom one */
    struct str function_name;
    bool distinct;
    struct dsl_cond *where;
    struct dsl_expr *argument; /* percentile's p, string_agg's separator, ntile's n, lag's offset */
    struct dsl_expr *otherwise; /* lag, lead: instead of a dsl_missing row */
    struct dsl_order *order;
    uint32_t order_len;
    struct dsl_path **partition;
    uint32_t partition_len;
    bool framed, frame_range;
    struct dsl_bound start, end;
};

enum dsl_join {
    JOIN_NONE,
    JOIN_INNER,
    JOIN_LEFT,
    JOIN_RIGHT,
    JOIN_FULL,
    JOIN_SEMI,
    JOIN_ANTI,
    JOIN_CROSS
};
const char *dsl_join_name(enum dsl_join join);
struct dsl_words dsl_join_words(void);

/* A column of a table as the engine has it. */
struct dsl_column {
    struct str name, engine_name;
    enum dsl_type type;
};

struct dsl_table {
    const struct dsl_at *at;
    struct str name, alias;
    bool aliased;
    bool pattern;
    enum dsl_join join;
    struct dsl_cond *on;
    /* bound: */
    const struct dsl_source **matches; /* more than one for a pattern */
    uint32_t matches_len;
    struct dsl_column *columns; /* NULL: not known */
    uint32_t columns_len;
};

struct dsl_query {
    struct arena *arena;
    const struct dsl_options *options;
    struct dsl_errors errors;
    bool failed; /* memory ran out */
    const struct dsl_at *root;
    yyjson_val *parameters; /* the query's own */
    bool aggregate, distinct, star;
    struct dsl_table *tables;
    uint32_t tables_len;
    struct dsl_output *outputs;
    uint32_t outputs_len;
    struct dsl_cond *where, *having, *qualify;
    uint32_t conditions; /* counted against the limit */
    struct dsl_order *order;
    uint32_t order_len;
    int64_t limit, offset;
    struct str cursor;
};

/* --- errors.c --- */
const struct dsl_at *dsl_at_key(struct dsl_query *q, const struct dsl_at *up, const char *key);
const struct dsl_at *dsl_at_name(struct dsl_query *q, const struct dsl_at *up, struct str key);
const struct dsl_at *dsl_at_index(struct dsl_query *q, const struct dsl_at *up, size_t index);
/* `wanted`: what was misspelt, for the hint; STR_NONE: none. */
void dsl_fail(struct dsl_query *q, enum dsl_code code, const struct dsl_at *at, struct str wanted,
              struct dsl_words allowed, const char *format, ...)
    __attribute__((format(printf, 6, 7)));
void dsl_bad(struct dsl_query *q, const struct dsl_at *at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The last error gets this hint. */
void dsl_hint(struct dsl_query *q, const char *hint);
/* For %.*s: at most so many bytes of a user's text. */
enum { SHOWN_MAX = 80 };
#define SHOWN(s) (int)((s).len < SHOWN_MAX ? (s).len : SHOWN_MAX), ((s).data ? (s).data : "")
static const struct dsl_words no_words = {NULL, 0};

/* --- read.c --- */
struct dsl_key {
    const char *name;
    int slot; /* several names may share one */
};
struct dsl_member {
    yyjson_val *value; /* NULL: absent or null */
    const struct dsl_at *at;
};
/* The members of an object by slot; unknown and doubled ones are errors, null is absent but in slot
 * 0. False when it is not an object. */
bool dsl_read_object(struct dsl_query *q, const struct dsl_at *at, yyjson_val *value,
                     const struct dsl_key *keys, struct dsl_member *members, int slots);
void *dsl_alloc(struct dsl_query *q, size_t count, size_t size);
void dsl_missing(struct dsl_query *q, const struct dsl_at *at, const char *name, const char *why);
/* The value with {"param": name} replaced; *ret_open: it has no value. NULL after an error. */
yyjson_val *dsl_read_param(struct dsl_query *q, const struct dsl_at *at, yyjson_val *value,
                           struct str *ret_name, bool *ret_open);
bool dsl_read_bool(struct dsl_query *q, const struct dsl_member *member, bool fallback);
struct str dsl_read_name(struct dsl_query *q, const struct dsl_member *member);
/* A whole number in the range; fallback when absent or wrong. */
int64_t dsl_read_int(struct dsl_query *q, const struct dsl_member *member, int64_t min, int64_t max,
                     int64_t fallback);
/* Index in `words`, -1 when absent or (an error) unknown. */
int dsl_read_word(struct dsl_query *q, const struct dsl_member *member, struct dsl_words words);

/* --- path.c, value.c, cond.c, outputs.c, window.c, join.c --- */
struct dsl_path *dsl_path_parse(struct dsl_query *q, const struct dsl_at *at, struct str text);
struct dsl_path *dsl_path_read(struct dsl_query *q, const struct dsl_at *at, yyjson_val *value);
/* A scalar, {"field"}, {"param"} or {"function"}; false after an error. */
bool dsl_expr_read(struct dsl_query *q, const struct dsl_at *at, yyjson_val *value, uint32_t depth,
                   struct dsl_expr *ret);
/* All items of a list or a param that is one. */
bool dsl_exprs_read(struct dsl_query *q, const struct dsl_at *at, yyjson_val *value,
                    struct dsl_expr **ret, uint32_t *ret_len);
struct dsl_cond *dsl_conds_read(struct dsl_query *q, const struct dsl_at *at, yyjson_val *value);
/* field: value or field: {op: value}, joined by AND */
struct dsl_cond *dsl_filters_read(struct dsl_query *q, const struct dsl_at *at, yyjson_val *value);
struct dsl_cond *dsl_cond_and(struct dsl_query *q, struct dsl_cond *a, struct dsl_cond *b);
void dsl_orders_read(struct dsl_query *q, const struct dsl_at *at, yyjson_val *value,
                     struct dsl_order **ret, uint32_t *ret_len);
void dsl_selects_read(struct dsl_query *q, const struct dsl_member *member);
void dsl_groups_read(struct dsl_query *q, const struct dsl_member *member);
void dsl_aggregations_read(struct dsl_query *q, const struct dsl_member *member);
void dsl_windows_read(struct dsl_query *q, const struct dsl_member *member);
void dsl_source_read(struct dsl_query *q, const struct dsl_member *member, struct dsl_table *ret);
void dsl_joins_read(struct dsl_query *q, const struct dsl_member *member);
/* A function's row, an error when there is none and customs are not allowed. */
bool dsl_function_named(struct dsl_query *q, const struct dsl_at *at, struct str name,
                        enum function_kind kind, const struct function_info **ret,
                        struct str *ret_name);
bool dsl_function_read(struct dsl_query *q, const struct dsl_member *member,
                       enum function_kind kind, const struct function_info **ret,
                       struct str *ret_name);
bool dsl_call_read(struct dsl_query *q, const struct dsl_member *function,
                   const struct dsl_member *args, uint32_t depth, struct dsl_expr *ret);
/* The items of a clause; a single one may stand without its array. *ret_len 0 after an error. */
void dsl_items_of(struct dsl_query *q, const struct dsl_member *member, uint32_t max,
                  yyjson_val **ret_first, uint32_t *ret_len);
const struct dsl_at *dsl_item_at(struct dsl_query *q, const struct dsl_member *member,
                                 uint32_t index);
struct dsl_output *dsl_add_output(struct dsl_query *q, enum dsl_output_kind kind,
                                  const struct dsl_at *at);

/* --- bind.c, check.c --- */
void dsl_query_bind(struct dsl_query *q);
/* The name that the engine gives to a column: it folds case. */
struct str dsl_engine_name(struct arena *arena, const struct dsl_source *source, uint32_t index);
/* Values and operators against the type; converts literals in place. */
void dsl_check_test(struct dsl_query *q, struct dsl_cond *test);
void dsl_check_output(struct dsl_query *q, struct dsl_output *output);
enum dsl_type dsl_expr_type(struct dsl_query *q, struct dsl_expr *expr);

/* --- gen*.c --- */
struct dsl_gen {
    struct arena *arena;
    const struct dsl_query *query;
    struct buf sql;
    struct dsl_parameter *parameters;
    uint32_t parameters_len, parameters_cap;
    struct str *columns;
    uint32_t columns_len, columns_cap;
    struct str *functions;
    uint32_t functions_len, functions_cap;
    bool failed;
    bool qualify; /* columns get their table's name */
};
void dsl_gen_text(struct dsl_gen *g, const char *text);
void dsl_gen_identifier(struct dsl_gen *g, struct str name);
void dsl_gen_literal(struct dsl_gen *g, struct str text); /* 'text' */
void dsl_gen_note_function(struct dsl_gen *g, struct str name);
/* A new parameter with this JSON; its number. `expr` (or NULL) tells its name. */
uint32_t dsl_gen_parameter(struct dsl_gen *g, const struct dsl_expr *expr, struct str json);
void dsl_gen_parameter_ref(struct dsl_gen *g, uint32_t number, enum dsl_type cast);
/* A literal as JSON text. */
struct str dsl_gen_json_of(struct dsl_gen *g, const struct dsl_expr *expr);
/* A literal as a parameter, with a cast where its JSON type does not say what is meant. */
void dsl_gen_value(struct dsl_gen *g, const struct dsl_expr *expr, enum dsl_type type);
bool dsl_path_is_json(const struct dsl_path *path);
bool dsl_path_has_all(const struct dsl_path *path);
void dsl_gen_path(struct dsl_gen *g, const struct dsl_path *path);
/* A document's value when it is of this type, else NULL; other columns as they are. */
void dsl_gen_path_as(struct dsl_gen *g, const struct dsl_path *path, enum dsl_type type);
/* The column itself, its path as a literal (`elements`: with [*] behind it), and a call of both. */
void dsl_gen_column(struct dsl_gen *g, const struct dsl_path *path);
void dsl_gen_json_path(struct dsl_gen *g, const struct dsl_path *path, bool elements);
void dsl_gen_json_call(struct dsl_gen *g, const char *function, const struct dsl_path *path);
void dsl_gen_expr(struct dsl_gen *g, const struct dsl_expr *expr, enum dsl_type type);
void dsl_gen_cond(struct dsl_gen *g, const struct dsl_cond *cond);
/* Without parentheses around it. */
void dsl_gen_cond_outer(struct dsl_gen *g, const struct dsl_cond *cond);
void dsl_gen_json_test(struct dsl_gen *g, const struct dsl_cond *test);
/* The expression of an output, without its alias. */
void dsl_gen_output(struct dsl_gen *g, const struct dsl_output *output);

#endif

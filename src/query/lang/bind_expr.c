/* bind_expr.c: expressions: names in them, and light types in the terms of the source dialect. */
#include "query/lang/bind_int.h"

enum { ARGUMENTS_MAX = 64 }; /* of a call whose types are looked at */

/* ---- types ---- */

static bool is_number(uint8_t type)
{
    return type_is_number(type);
}

/* What a value that may be either of two has. */
static uint8_t common(uint8_t a, uint8_t b)
{
    if (a == b)
        return a;
    return is_number(a) && is_number(b) ? (a > b ? a : b) : (uint8_t)TY_UNKNOWN;
}

static uint8_t common_of(const uint8_t *types, size_t count)
{
    uint8_t type = count ? types[0] : (uint8_t)TY_UNKNOWN;
    for (size_t i = 1; i < count; i++)
        type = common(type, types[i]);
    return type;
}

static bool listed(struct str name, const char *names)
{
    char key[32];
    if (name.len > sizeof key - 3)
        return false;
    key[0] = ' ';
    for (size_t i = 0; i < name.len; i++)
        key[i + 1] =
            (char)(name.data[i] >= 'A' && name.data[i] <= 'Z' ? name.data[i] + 32 : name.data[i]);
    key[name.len + 1] = ' ';
    key[name.len + 2] = 0;
    return strstr(names, key) != NULL;
}

uint8_t bind_call_type(const struct binder *b, const struct node *call, const uint8_t *types,
                       size_t count)
{
    struct str name = call->text;
    uint8_t first = count ? types[0] : (uint8_t)TY_UNKNOWN;
    bool numeric_sums = b->id == LANG_POSTGRES || b->id == LANG_REDSHIFT;
    if (listed(name, " count row_number rank dense_rank ntile length char_length "))
        return TY_INT;
    if (listed(name, " upper lower concat substring substr trim ltrim rtrim replace "))
        return TY_TEXT;
    if (listed(name, " sum ")) /* of bigint it is numeric there */
        return first == TY_INT && numeric_sums ? (uint8_t)TY_DECIMAL : first;
    if (listed(name, " avg "))
        return first == TY_INT && (b->id == LANG_TSQL || b->id == LANG_REDSHIFT)
                   ? (uint8_t)TY_INT
                   : (uint8_t)TY_DOUBLE;
    if (listed(name, " coalesce greatest least ifnull nvl "))
        return common_of(types, count);
    if (listed(name, " min max any_value first_value last_value lag lead abs nullif "))
        return count == 1 || !listed(name, " min max ") ? first : common_of(types, count);
    return TY_UNKNOWN;
}

static uint8_t number_type(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if ((text.data[i] | 32) == 'x')
            return TY_INT;
    }
    for (size_t i = 0; i < text.len; i++) {
        if ((text.data[i] | 32) == 'e')
            return TY_DOUBLE;
    }
    return memchr(text.data, '.', text.len) ? TY_DECIMAL : TY_INT;
}

static bool is_comparison(struct str op)
{
    static const char *const ops[] = {"=", "<>", "<", "<=", ">", ">=", "<=>"};
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
        if (str_is(op, ops[i]))
            return true;
    }
    return false;
}

/* ---- operators ---- */

static uint8_t arithmetic_type(const struct binder *b, char op, uint8_t left, uint8_t right)
{
    bool whole = dialect_of(b->id)->flags & D_INTEGER_DIVIDE;
    if (!is_number(left) || !is_number(right))
        return TY_UNKNOWN;
    if (op == '/')
        return left == TY_INT && right == TY_INT && whole ? (uint8_t)TY_INT : (uint8_t)TY_DOUBLE;
    return common(left, right);
}

static uint8_t bind_binary(struct binder *b, struct node *node, struct bind_scope *scope)
{
    uint8_t left = bind_expr(b, node->kids[0], scope), right = bind_expr(b, node->kids[1], scope);
    struct str op = node->text;
    if (is_comparison(op)) {
        bind_check_comparison(b, node->kids[0], left, node->kids[1], right);
        return TY_BOOL;
    }
    if (str_is(op, "AND") || str_is(op, "OR") || str_is(op, "XOR"))
        return TY_BOOL;
    if (str_is(op, "||"))
        return left == TY_TEXT && right == TY_TEXT ? (uint8_t)TY_TEXT : (uint8_t)TY_UNKNOWN;
    if (op.len == 1 && strchr("+-*/%", op.data[0])) {
        bind_check_arithmetic(b, node, left, right);
        return arithmetic_type(b, op.data[0], left, right);
    }
    return TY_UNKNOWN;
}

static uint8_t bind_between(struct binder *b, struct node *node, struct bind_scope *scope)
{
    uint8_t type = bind_expr(b, node->kids[0], scope);
    for (size_t i = 1; i < 3; i++)
        bind_check_comparison(b, node->kids[0], type, node->kids[i],
                              bind_expr(b, node->kids[i], scope));
    return TY_BOOL;
}

static uint8_t bind_in(struct binder *b, struct node *node, struct bind_scope *scope)
{
    uint8_t type = bind_expr(b, node->kids[0], scope);
    struct node *set = node->kids[1];
    if (!node_is(set, N_LIST)) {
        bind_expr(b, set, scope);
        return TY_BOOL;
    }
    for (size_t i = 0; i < set->count; i++)
        bind_check_comparison(b, node->kids[0], type, set->kids[i],
                              bind_expr(b, set->kids[i], scope));
    return TY_BOOL;
}

static uint8_t bind_case(struct binder *b, struct node *node, struct bind_scope *scope)
{
    uint8_t type = TY_UNKNOWN;
    bool any = false;
    bind_expr(b, node->kids[0], scope);
    for (size_t i = 0; i < list_count(node->kids[1]); i++) {
        struct node *when = node->kids[1]->kids[i];
        bind_expr(b, when->kids[0], scope);
        uint8_t then = bind_expr(b, when->kids[1], scope);
        if (node_is(when->kids[1], N_NULL_))
            continue;
        type = any ? common(type, then) : then;
        any = true;
    }
    uint8_t other = bind_expr(b, node->kids[2], scope);
    if (!node->kids[2] || node_is(node->kids[2], N_NULL_))
        return type;
    return any ? common(type, other) : other;
}

/* ---- calls ---- */

/* Words that are no columns where a function takes a unit, a day or a type. */
static bool is_argument_word(const struct node *arg)
{
    static const char words[] =
        " year years yy yyyy yyy y quarter qtr qq q month months mm mon m week weeks wk ww w "
        "isoweek iso_week "
        "weekiso isoyear iso_year day days dd d dayofyear dy dayofweek dw weekday doy dow isodow "
        "dayofweekiso dayofweek_iso weekday_iso isodayofweek dayofyear_iso hour hours hh h hr "
        "minute minutes mi n min second seconds ss s sec "
        "millisecond milliseconds ms microsecond microseconds us mcs usec nanosecond nanoseconds "
        "ns nsec decade century millennium epoch epoch_second epoch_millisecond date time datetime "
        "timestamp monday tuesday wednesday thursday friday saturday sunday int integer bigint "
        "smallint tinyint varchar nvarchar char nchar text string float double real decimal "
        "numeric bit boolean json array utf8 utf8mb4 latin1 binary ascii unicode both leading "
        "trailing timezone_hour timezone_minute yearofweek yearofweekiso ";
    return node_is(arg, N_REF) && arg->count == 1 && !(arg->kids[0]->flags & NODE_QUOTED) &&
           listed(arg->kids[0]->text, words);
}

/* Functions of dates take parts by names of which every dialect has more. */
static bool is_date_part(const struct binder *b, const struct node *call, size_t i)
{
    static const char *const heads[] = {"date", "time", "trunc", "last_day", "next_day", "dateadd"};
    const struct node *args = call->kids[CALL_ARGS];
    if (!node_is(args->kids[i], N_REF) || args->kids[i]->count != 1 ||
        (i && (b->id != LANG_BIGQUERY || i + 1 != args->count)))
        return false;
    for (size_t k = 0; k < sizeof heads / sizeof *heads; k++) {
        struct str head = str_make(call->text.data, strlen(heads[k]));
        if (call->text.len >= head.len && str_eq_nocase(head, str_of(heads[k])))
            return true;
    }
    return false;
}

static uint8_t bind_call(struct binder *b, struct node *call, struct bind_scope *scope)
{
    uint8_t types[ARGUMENTS_MAX] = {0};
    struct node *args = call->kids[CALL_ARGS];
    bool aggregate = bind_is_aggregate(call);
    b->aggregates += aggregate;
    for (size_t i = 0; i < list_count(args); i++) {
        struct node *arg = args->kids[i];
        bool word =
            (is_argument_word(arg) || is_date_part(b, call, i)) && !bind_is_own_column(scope, arg);
        uint8_t type = word ? (uint8_t)TY_UNKNOWN : bind_expr(b, arg, scope);
        if (i < ARGUMENTS_MAX)
            types[i] = type;
    }
    for (size_t i = CALL_ORDER; i < call->count; i++) {
        if (i != CALL_OVER)
            bind_expr(b, call->kids[i], scope);
    }
    b->aggregates -= aggregate;
    bind_expr(b, call->kids[CALL_OVER], scope);
    size_t count = list_count(args) < ARGUMENTS_MAX ? list_count(args) : ARGUMENTS_MAX;
    bind_check_call(b, call, types, count);
    return bind_call_type(b, call, types, count);
}

/* ---- names of its own ---- */

static uint8_t bind_lambda(struct binder *b, struct node *lambda, struct bind_scope *scope)
{
    struct bind_scope *inner = bind_scope_new(b, scope);
    const struct node *names = lambda->kids[0];
    if (!inner)
        return TY_UNKNOWN;
    for (size_t i = 0; i < list_count(names); i++) {
        const struct node *name = names->kids[i];
        if (node_is(name, N_REF) && name->count)
            name = name->kids[0];
        bind_add_name(b, &inner->values, name->text);
    }
    bind_expr(b, lambda->kids[1], inner);
    return TY_UNKNOWN;
}

static uint8_t bind_open(struct binder *b, struct node *node, struct bind_scope *scope)
{
    struct bind_scope *inner = bind_scope_new(b, scope);
    if (!inner)
        return TY_UNKNOWN;
    inner->open = true;
    bind_exprs(b, node, inner);
    return TY_LIST;
}

/* ---- the walk ---- */

void bind_exprs(struct binder *b, struct node *list, struct bind_scope *scope)
{
    for (size_t i = 0; list && i < list->count; i++)
        bind_expr(b, list->kids[i], scope);
}

static uint8_t bind_scalar_query(struct binder *b, struct node *query, struct bind_scope *scope)
{
    struct bind_relation *outputs = bind_query(b, query, scope);
    return outputs && outputs->count == 1 ? outputs->columns[0].type : (uint8_t)TY_UNKNOWN;
}

/* Kinds whose type is known before their children are looked at. */
static uint8_t plain_type(const struct binder *b, const struct node *node)
{
    switch (node->kind) {
    case N_NUMBER:
        return number_type(node->text);
    case N_STRING:
        return TY_TEXT;
    case N_BOOL:
    case N_NOT:
    case N_LIKE:
    case N_IS:
    case N_EXISTS:
    case N_QUANTIFIED:
        return TY_BOOL;
    case N_INTERVAL:
        return TY_INTERVAL;
    case N_EXTRACT:
        return b->id == LANG_POSTGRES ? TY_DECIMAL : TY_INT;
    case N_CAST: {
        enum lang_type type = node->kids[1] ? lower_type_of(node->kids[1]->text) : TY_UNKNOWN;
        return type == TY_OTHER ? (uint8_t)TY_UNKNOWN : (uint8_t)type;
    }
    default:
        return TY_UNKNOWN;
    }
}

uint8_t bind_expr(struct binder *b, struct node *node, struct bind_scope *scope)
{
    if (!node || b->failed)
        return TY_UNKNOWN;
    switch (node->kind) {
    case N_REF:
        node->type = bind_ref(b, node, scope);
        return node->type;
    case N_SELECT:
    case N_SETOP:
    case N_VALUES:
        return bind_scalar_query(b, node, scope);
    case N_SUBQUERY:
        return bind_expr(b, node->kids[0], scope);
    case N_CALL:
        return bind_call(b, node, scope);
    case N_BINARY:
        return bind_binary(b, node, scope);
    case N_BETWEEN:
        return bind_between(b, node, scope);
    case N_IN:
        return bind_in(b, node, scope);
    case N_CASE:
        return bind_case(b, node, scope);
    case N_LAMBDA:
        return bind_lambda(b, node, scope);
    case N_COMPREHENSION:
        return bind_open(b, node, scope);
    case N_UNARY: {
        uint8_t type = bind_expr(b, node->kids[0], scope);
        return is_number(type) ? type : (uint8_t)TY_UNKNOWN;
    }
    case N_PAIR: /* a key may look like a column */
        if (!node_is(node->kids[0], N_REF))
            bind_expr(b, node->kids[0], scope);
        return bind_expr(b, node->kids[1], scope);
    case N_TYPE:
    case N_STAR:
        return TY_UNKNOWN;
    case N_CAST:
        bind_expr(b, node->kids[0], scope);
        return plain_type(b, node);
    default:
        bind_exprs(b, node, scope);
        return plain_type(b, node);
    }
}

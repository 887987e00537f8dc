/* parse_special.c: expressions that begin with a keyword and have their own grammar: CASE, CAST,
 * EXTRACT, INTERVAL, EXISTS, ARRAY, MAP, TRIM, SUBSTRING ... FROM, POSITION, ... */
#include "query/lang/parse_int.h"

static void set_kid(struct parser *p, struct node *node, size_t slot, struct node *child)
{
    if (node != &p->spare)
        node->kids[slot] = child;
}

static struct node *call_of(struct parser *p, const char *name, struct node_list *args,
                            size_t start)
{
    struct node *call = parse_node(p, N_CALL, CALL_SLOTS);
    call->offset = (uint32_t)start;
    call->text = str_of(name);
    set_kid(p, call, CALL_ARGS, parse_list(p, N_LIST, args, start));
    return parse_close(p, call);
}

static struct node *parse_case(struct parser *p)
{
    struct node *node = parse_node(p, N_CASE, 3);
    struct node_list whens = {0};
    size_t start = parse_current(p)->offset;
    parse_next(p);
    if (!parse_is_kw(p, KW_WHEN))
        set_kid(p, node, 0, parse_expr(p, 0));
    do {
        struct node *when = parse_node(p, N_WHEN, 2);
        parse_expect_kw(p, KW_WHEN);
        set_kid(p, when, 0, parse_expr(p, 0));
        parse_expect_kw(p, KW_THEN);
        set_kid(p, when, 1, parse_expr(p, 0));
        parse_add(p, &whens, parse_close(p, when));
    } while (parse_is_kw(p, KW_WHEN));
    set_kid(p, node, 1, parse_list(p, N_LIST, &whens, start));
    if (parse_accept_kw(p, KW_ELSE))
        set_kid(p, node, 2, parse_expr(p, 0));
    parse_expect_kw(p, KW_END);
    return parse_close(p, node);
}

/* CAST(x AS t [FORMAT f]), TRY_CAST, SAFE_CAST */
static struct node *parse_cast(struct parser *p, bool try)
{
    struct node *node = parse_node(p, N_CAST, 3);
    if (try)
        node->flags |= NODE_TRY;
    parse_next(p);
    parse_expect_op(p, OP1('('));
    set_kid(p, node, 0, parse_expr(p, 0));
    if (parse_accept_op(p, OP1(','))) { /* ClickHouse: CAST(x, 'Int32') */
        const struct token *token = parse_current(p);
        if (token->kind != T_STRING) {
            parse_expected(p, "a type's name in quotes");
            return node;
        }
        struct node *call = parse_text_node(p, N_STRING, token->text);
        parse_next(p);
        parse_expect_op(p, OP1(')'));
        struct node_list args = {0};
        parse_add(p, &args, kid(node, 0));
        parse_add(p, &args, call);
        return call_of(p, "cast", &args, node->offset);
    }
    parse_expect_kw(p, KW_AS);
    set_kid(p, node, 1, parse_type_name(p));
    if (parse_accept_kw(p, KW_FORMAT))
        set_kid(p, node, 2, parse_expr(p, 0));
    parse_expect_op(p, OP1(')'));
    return parse_close(p, node);
}

/* MySQL: CONVERT(x, type), CONVERT(x USING charset); T-SQL: [TRY_]CONVERT(type, x [, style]) */
static struct node *parse_convert(struct parser *p, bool try)
{
    struct node *node = parse_node(p, N_CAST, 3);
    if (try)
        node->flags |= NODE_TRY;
    parse_next(p);
    parse_expect_op(p, OP1('('));
    if (p->id == LANG_TSQL || (p->id == LANG_REDSHIFT && parse_peek_op(p, 1, OP1(',')))) {
        set_kid(p, node, 1, parse_type_name(p));
        parse_expect_op(p, OP1(','));
        set_kid(p, node, 0, parse_expr(p, 0));
        if (parse_accept_op(p, OP1(',')))
            set_kid(p, node, 2, parse_expr(p, 0));
    } else {
        set_kid(p, node, 0, parse_expr(p, 0));
        if (parse_accept_kw(p, KW_USING)) {
            set_kid(p, node, 1, parse_text_node(p, N_TYPE, STR("TEXT")));
            parse_ident(p, true);
        } else {
            parse_expect_op(p, OP1(','));
            set_kid(p, node, 1, parse_type_name(p));
        }
    }
    parse_expect_op(p, OP1(')'));
    return parse_close(p, node);
}

static struct node *parse_extract(struct parser *p)
{
    struct node *node = parse_node(p, N_EXTRACT, 1);
    parse_next(p);
    parse_expect_op(p, OP1('('));
    const struct token *token = parse_current(p);
    if (token->kind != T_WORD && token->kind != T_STRING && token->kind != T_QUOTED)
        parse_expected(p, "a unit");
    node->text = parse_upper(p, token->text);
    parse_next(p);
    if (parse_accept_op(p, OP1('('))) { /* WEEK(MONDAY) */
        const char *text = arena_printf(p->arena, "%.*s(%.*s)", STR_ARG(node->text),
                                        STR_ARG(parse_current(p)->text));
        node->text = parse_upper(p, str_of(text ? text : ""));
        parse_next(p);
        parse_expect_op(p, OP1(')'));
    }
    if (!parse_accept_kw(p, KW_FROM) && !(parse_accept_op(p, OP1(',')) && p->id == LANG_SNOWFLAKE))
        parse_expected(p, "FROM");
    set_kid(p, node, 0, parse_expr(p, 0));
    parse_expect_op(p, OP1(')'));
    return parse_close(p, node);
}

/* ---- intervals ---- */

static bool is_unit(struct str word)
{
    static const char *const units[] = {
        "microsecond",
        "millisecond",
        "second",
        "minute",
        "hour",
        "day",
        "week",
        "month",
        "quarter",
        "year",
        "decade",
        "century",
        "millennium",
        "nanosecond",
        "us",
        "ms",
        "isoweek",
        "isoyear",
        "dayofweek",
        "dayofyear",
        "second_microsecond",
        "minute_microsecond",
        "minute_second",
        "hour_microsecond",
        "hour_second",
        "hour_minute",
        "day_microsecond",
        "day_second",
        "day_minute",
        "day_hour",
        "year_month",
        "centuries",
        "millennia",
    };
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        size_t len = strlen(units[i]);
        if (word.len >= len && str_eq_nocase(str_make(word.data, len), str_make(units[i], len)) &&
            (word.len == len || (word.len == len + 1 && (word.data[len] | 32) == 's')))
            return true;
    }
    return false;
}

bool parse_at_unit(const struct parser *p, size_t ahead)
{
    const struct token *token = parse_peek(p, ahead);
    return token->kind == T_WORD && is_unit(token->text);
}

/* The unit at the current token in upper case, with "TO unit". */
struct str parse_unit(struct parser *p)
{
    struct str unit = parse_upper(p, parse_current(p)->text);
    parse_next(p);
    if (parse_is_op(p, OP1('(')) && parse_peek(p, 1)->kind == T_NUMBER) { /* DAY(3) TO SECOND */
        parse_next(p);
        parse_next(p);
        parse_expect_op(p, OP1(')'));
    }
    if (parse_is_kw(p, KW_TO) && parse_at_unit(p, 1)) {
        parse_next(p);
        const char *both =
            arena_printf(p->arena, "%.*s TO %.*s", STR_ARG(unit), STR_ARG(parse_current(p)->text));
        unit = parse_upper(p, str_of(both ? both : ""));
        parse_next(p);
    }
    return unit;
}

struct node *parse_interval(struct parser *p)
{
    const struct token *next = parse_peek(p, 1);
    bool value =
        next->kind == T_STRING || next->kind == T_NUMBER || next->kind == T_QUOTED ||
        next->kind == T_PARAM ||
        (next->kind == T_WORD && !(keyword_flags(next->keyword) & (KW_STOP | KW_RESERVED))) ||
        (next->kind == T_WORD && (next->keyword == KW_CASE || next->keyword == KW_CAST)) ||
        (next->kind == T_OP && (next->op == OP1('(') || next->op == OP1('-') ||
                                next->op == OP1('+') || next->op == OP1('?')));
    if (!value || (next->kind == T_OP && next->op != OP1('(') && next->op != OP1('?') &&
                   parse_peek(p, 2)->kind != T_NUMBER && parse_peek(p, 2)->kind != T_WORD &&
                   parse_peek(p, 2)->kind != T_STRING))
        return NULL;
    struct node *node = parse_node(p, N_INTERVAL, 1);
    node->text = STR("");
    parse_next(p);
    if (parse_current(p)->kind == T_STRING) {
        struct node *string = parse_text_node(p, N_STRING, parse_current(p)->text);
        parse_next(p);
        set_kid(p, node, 0, parse_close(p, string));
    } else {
        set_kid(p, node, 0, parse_expr(p, LEVEL_OTHER + 1));
    }
    if (parse_at_unit(p, 0))
        node->text = parse_unit(p);
    else if (kid(node, 0) && kid(node, 0)->kind != N_STRING && kid(node, 0)->kind != N_SLOT)
        parse_expected(p, "a unit of time");
    return parse_close(p, node);
}

/* ---- functions with words between their arguments ---- */

/* TRIM([BOTH|LEADING|TRAILING] [chars] FROM x), TRIM(x, chars): as trim, ltrim, rtrim. */
static struct node *parse_trim(struct parser *p)
{
    size_t start = parse_current(p)->offset;
    const char *name = "trim";
    parse_next(p);
    parse_next(p);
    if (parse_accept_kw(p, KW_LEADING))
        name = "ltrim";
    else if (parse_accept_kw(p, KW_TRAILING))
        name = "rtrim";
    else
        parse_accept_kw(p, KW_BOTH);
    struct node_list args = {0};
    struct node *first = NULL;
    if (!parse_is_kw(p, KW_FROM))
        first = parse_expr(p, 0);
    if (parse_accept_kw(p, KW_FROM)) {
        parse_add(p, &args, parse_expr(p, 0));
        if (first)
            parse_add(p, &args, first);
    } else {
        parse_add(p, &args, first);
        while (parse_accept_op(p, OP1(',')))
            parse_add(p, &args, parse_expr(p, 0));
        if (args.count == 2 && parse_is_dialect(p, DIALECT(SPARK) | DIALECT(DATABRICKS))) {
            args.items[0] = args.items[1]; /* TRIM(characters, text) */
            args.items[1] = first;
        }
    }
    parse_expect_op(p, OP1(')'));
    return call_of(p, name, &args, start);
}

/* SUBSTRING(x FROM a FOR b), with commas too */
static struct node *parse_substring(struct parser *p)
{
    size_t start = parse_current(p)->offset;
    struct node_list args = {0};
    parse_next(p);
    parse_next(p);
    parse_add(p, &args, parse_expr(p, 0));
    if (parse_accept_kw(p, KW_SIMILAR)) {
        parse_unsupported(p, "SUBSTRING ... SIMILAR");
    } else if (parse_accept_kw(p, KW_FROM)) {
        parse_add(p, &args, parse_expr(p, 0));
        if (parse_accept_kw(p, KW_FOR))
            parse_add(p, &args, parse_expr(p, 0));
    } else if (parse_accept_kw(p, KW_FOR)) {
        parse_add(p, &args, parse_text_node(p, N_NUMBER, STR("1")));
        parse_add(p, &args, parse_expr(p, 0));
    } else {
        while (parse_accept_op(p, OP1(',')))
            parse_add(p, &args, parse_expr(p, 0));
    }
    parse_expect_op(p, OP1(')'));
    return call_of(p, "substring", &args, start);
}

/* POSITION(needle IN haystack): as strpos(haystack, needle) */
static struct node *parse_position(struct parser *p)
{
    size_t start = parse_current(p)->offset;
    size_t at = p->at;
    struct node_list args = {0};
    parse_next(p);
    parse_next(p);
    p->no_in = true;
    struct node *needle = parse_expr(p, 0);
    p->no_in = false;
    if (!parse_accept_kw(p, KW_IN)) {
        p->at = p->status == STATUS_OK ? at : p->at;
        return NULL;
    }
    parse_add(p, &args, parse_expr(p, 0));
    parse_add(p, &args, needle);
    parse_expect_op(p, OP1(')'));
    return call_of(p, "strpos", &args, start);
}

static struct node *parse_overlay(struct parser *p)
{
    size_t start = parse_current(p)->offset;
    struct node_list args = {0};
    parse_next(p);
    parse_next(p);
    parse_add(p, &args, parse_expr(p, 0));
    if (parse_accept_kw(p, KW_PLACING)) {
        parse_add(p, &args, parse_expr(p, 0));
        parse_expect_kw(p, KW_FROM);
        parse_add(p, &args, parse_expr(p, 0));
        if (parse_accept_kw(p, KW_FOR))
            parse_add(p, &args, parse_expr(p, 0));
    } else {
        while (parse_accept_op(p, OP1(',')))
            parse_add(p, &args, parse_expr(p, 0));
    }
    parse_expect_op(p, OP1(')'));
    return call_of(p, "overlay", &args, start);
}

/* ---- constructors ---- */

static struct node *parse_exists(struct parser *p)
{
    struct node *node = parse_node(p, N_EXISTS, 1);
    parse_next(p);
    parse_expect_op(p, OP1('('));
    set_kid(p, node, 0, parse_query(p));
    parse_expect_op(p, OP1(')'));
    return parse_close(p, node);
}

/* ARRAY[...], ARRAY(SELECT ...), ARRAY<t>[...] */
static struct node *parse_array(struct parser *p)
{
    size_t start = parse_current(p)->offset;
    if (parse_peek_op(p, 1, OP1('['))) {
        parse_next(p);
        struct node *node = parse_prefix(p);
        return node;
    }
    if (parse_peek_op(p, 1, OP1('(')) && parse_at_query(p, 2)) {
        struct node *node = parse_node(p, N_ARRAY_QUERY, 1);
        parse_next(p);
        parse_next(p);
        set_kid(p, node, 0, parse_query(p));
        parse_expect_op(p, OP1(')'));
        return parse_close(p, node);
    }
    if (!parse_peek_op(p, 1, OP1('<')))
        return NULL;
    struct node *cast = parse_node(p, N_CAST, 3);
    cast->offset = (uint32_t)start;
    set_kid(p, cast, 1, parse_type_name(p));
    if (!parse_is_op(p, OP1('[')))
        parse_expected(p, "[");
    set_kid(p, cast, 0, parse_prefix(p));
    return parse_close(p, cast);
}

/* STRUCT<a t, ...>(...): a cast of a row; ROW(...), STRUCT(...) are calls. */
static struct node *parse_typed_struct(struct parser *p)
{
    struct node *cast = parse_node(p, N_CAST, 3);
    set_kid(p, cast, 1, parse_type_name(p));
    if (!parse_is_op(p, OP1('(')))
        parse_expected(p, "(");
    struct node *row = parse_parens(p);
    if (row->kind != N_ROW) {
        struct node_list one = {0};
        parse_add(p, &one, row);
        row = parse_list(p, N_ROW, &one, row->offset);
    }
    set_kid(p, cast, 0, row);
    return parse_close(p, cast);
}

static struct node *parse_map(struct parser *p)
{
    size_t start = parse_current(p)->offset;
    parse_next(p);
    struct node *node = parse_prefix(p);
    if (node->kind == N_STRUCT) {
        node->kind = N_MAP;
        node->offset = (uint32_t)start;
    } else if (node->kind == N_ARRAY) { /* Presto: MAP[...] does not exist; ClickHouse: map(...) */
        parse_unsupported(p, "this form of MAP");
    }
    return node;
}

/* Words that are calls without parentheses. */
static struct node *parse_bare_call(struct parser *p)
{
    struct node_list none = {0};
    size_t start = parse_current(p)->offset;
    struct str name = parse_current(p)->text;
    parse_next(p);
    struct node *call = call_of(p, "", &none, start);
    call->text = name;
    call->flags |= NODE_NO_PARENS;
    if (parse_is_op(p, OP1('('))) {
        call = parse_call(p, name, start);
        if (list_count(kid(call, CALL_ARGS)) == 0)
            call->flags |= NODE_NO_PARENS;
    }
    return call;
}

/* NEXT VALUE FOR and such are not expressions of ours. */
struct node *parse_special(struct parser *p)
{
    bool call = parse_peek_op(p, 1, OP1('('));
    switch (parse_current(p)->keyword) {
    case KW_CASE:
        return parse_case(p);
    case KW_CAST:
        return call ? parse_cast(p, false) : NULL;
    case KW_TRY_CAST:
    case KW_SAFE_CAST:
        return call ? parse_cast(p, true) : NULL;
    case KW_CONVERT:
        return call && !parse_is_dialect(p, DIALECT(ORACLE)) ? parse_convert(p, false) : NULL;
    case KW_EXTRACT:
        return call ? parse_extract(p) : NULL;
    case KW_INTERVAL:
        return parse_interval(p);
    case KW_EXISTS:
        return call && parse_at_query(p, 2) ? parse_exists(p) : NULL;
    case KW_ARRAY:
        return parse_array(p);
    case KW_STRUCT:
        return parse_peek_op(p, 1, OP1('<')) ? parse_typed_struct(p) : NULL;
    case KW_MAP:
        return parse_peek_op(p, 1, OP1('{')) ? parse_map(p) : NULL;
    case KW_TRIM:
        return call ? parse_trim(p) : NULL;
    case KW_SUBSTRING:
        return call ? parse_substring(p) : NULL;
    case KW_POSITION:
        return call ? parse_position(p) : NULL;
    case KW_OVERLAY:
        return call ? parse_overlay(p) : NULL;
    case KW_CURRENT_DATE:
    case KW_CURRENT_TIME:
    case KW_CURRENT_TIMESTAMP:
    case KW_LOCALTIME:
    case KW_LOCALTIMESTAMP:
    case KW_CURRENT_USER:
    case KW_SESSION_USER:
        return parse_peek_op(p, 1, OP1('.')) ? NULL : parse_bare_call(p);
    case KW_BINARY:
        if (p->id == LANG_MYSQL && !call) {
            struct node *cast = parse_node(p, N_CAST, 3);
            set_kid(p, cast, 1, parse_text_node(p, N_TYPE, STR("BINARY")));
            parse_next(p);
            set_kid(p, cast, 0, parse_expr(p, LEVEL_UNARY));
            return parse_close(p, cast);
        }
        return NULL;
    case KW_VALUES: /* MySQL's VALUES(col) and such are names */
        return NULL;
    default:
        if (call && parse_is_word(p, "TRY_CONVERT") && p->id == LANG_TSQL)
            return parse_convert(p, true);
        if (call && parse_is_word(p, "DATE_PART") && parse_peek_kw(p, 3, KW_FROM))
            return parse_extract(p);
        if (call && parse_is_word(p, "SUBSTR"))
            return parse_substring(p);
        if (parse_is_dialect(p, DIALECT(SQLITE) | DIALECT(ORACLE)) && parse_is_word(p, "SYSDATE") &&
            !call)
            return parse_bare_call(p);
        return NULL;
    }
}

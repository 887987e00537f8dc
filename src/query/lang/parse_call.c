/* parse_call.c: function calls with all that may stand inside and behind them, and windows. */
#include "query/lang/parse_int.h"

static void set_kid(struct parser *p, struct node *node, size_t slot, struct node *child)
{
    if (node != &p->spare)
        node->kids[slot] = child;
}

static struct node *named_argument(struct parser *p)
{
    struct node *node = parse_node(p, N_NAMED, 1);
    node->text = parse_current(p)->text;
    parse_next(p);
    parse_next(p);
    set_kid(p, node, 0, parse_expr(p, 0));
    return parse_close(p, node);
}

/* LAMBDA x, y : body */
static struct node *parse_lambda_keyword(struct parser *p)
{
    struct node *node = parse_node(p, N_LAMBDA, 2);
    struct node_list names = {0};
    size_t start = parse_current(p)->offset;
    parse_next(p);
    do
        parse_add(p, &names, parse_dotted(p));
    while (parse_accept_op(p, OP1(',')));
    set_kid(p, node, 0, parse_list(p, N_ROW, &names, start));
    parse_expect_op(p, OP1(':'));
    set_kid(p, node, 1, parse_expr(p, 0));
    return parse_close(p, node);
}

static struct node *parse_argument(struct parser *p)
{
    const struct token *token = parse_current(p);
    bool name = token->kind == T_WORD || token->kind == T_QUOTED;
    if (name && (parse_peek_op(p, 1, OP2('=', '>')) || parse_peek_op(p, 1, OP2(':', '='))))
        return named_argument(p);
    if (parse_is_kw(p, KW_LAMBDA) && parse_peek(p, 1)->kind == T_WORD)
        return parse_lambda_keyword(p);
    if (parse_at_query(p, 0)) {
        struct node *node = parse_node(p, N_SUBQUERY, 1);
        set_kid(p, node, 0, parse_query(p));
        return parse_close(p, node);
    }
    struct node *value = parse_expr(p, 0);
    if (parse_is_op(p, OP1(':')) || parse_is_kw(p, KW_VALUE)) { /* JSON_OBJECT('a': 1) */
        struct node *pair = parse_node(p, N_PAIR, 2);
        pair->offset = value->offset;
        parse_next(p);
        set_kid(p, pair, 0, value);
        set_kid(p, pair, 1, parse_expr(p, 0));
        return parse_close(p, pair);
    }
    if (parse_accept_kw(p, KW_AS)) { /* STRUCT(1 AS a), and CAST-like calls */
        struct node *named = parse_node(p, N_NAMED, 1);
        named->offset = value->offset;
        named->text = parse_current(p)->text;
        set_kid(p, named, 0, value);
        parse_ident(p, true);
        return parse_close(p, named);
    }
    return value;
}

static void null_treatment(struct parser *p, struct node *call)
{
    if (parse_accept_kw2(p, KW_IGNORE, KW_NULLS))
        call->flags |= NODE_IGNORE_NULLS;
    else if (parse_accept_kw2(p, KW_RESPECT, KW_NULLS))
        call->flags |= NODE_RESPECT_NULLS;
}

/* ORDER BY, LIMIT, SEPARATOR, IGNORE NULLS inside the parentheses. */
static void argument_suffixes(struct parser *p, struct node *call)
{
    null_treatment(p, call);
    if (parse_accept_kw(p, KW_HAVING)) { /* ANY_VALUE(x HAVING MAX y) */
        if (parse_is_word(p, "MAX"))
            call->flags |= NODE_DESC;
        else if (!parse_is_word(p, "MIN"))
            parse_expected(p, "MAX or MIN");
        parse_next(p);
        set_kid(p, call, CALL_PARAMETERS, parse_exprs(p));
    }
    if (parse_accept_kw2(p, KW_ORDER, KW_BY))
        set_kid(p, call, CALL_ORDER, parse_order_by(p));
    if (parse_accept_kw(p, KW_SEPARATOR))
        set_kid(p, call, CALL_SEPARATOR, parse_expr(p, 0));
    if (parse_accept_kw(p, KW_LIMIT))
        set_kid(p, call, CALL_LIMIT, parse_expr(p, 0));
    null_treatment(p, call);
    if (parse_is_word(p, "ABSENT") || (parse_is_kw(p, KW_NULL) && parse_peek_kw(p, 1, KW_ON)) ||
        parse_is_word(p, "RETURNING") || parse_is_word(p, "PASSING"))
        parse_unsupported(p, "an SQL/JSON clause");
}

static void parse_arguments(struct parser *p, struct node *call)
{
    struct node_list args = {0};
    size_t start = parse_current(p)->offset;
    parse_expect_op(p, OP1('('));
    p->arguments++;
    if (parse_accept_kw(p, KW_DISTINCT))
        call->flags |= NODE_DISTINCT;
    else if (parse_is_kw(p, KW_ALL) && !parse_peek_op(p, 1, OP1(')')))
        parse_next(p);
    bool more = !parse_is_op(p, OP1(')')) && !parse_is_kw(p, KW_ORDER);
    while (more && p->status == STATUS_OK) {
        parse_add(p, &args, parse_argument(p));
        more = parse_accept_op(p, OP1(','));
    }
    argument_suffixes(p, call);
    p->arguments--;
    parse_expect_op(p, OP1(')'));
    set_kid(p, call, CALL_ARGS, parse_list(p, N_LIST, &args, start));
}

/* ---- windows ---- */

static struct node *parse_bound(struct parser *p)
{
    struct node *node = parse_node(p, N_BOUND, 1);
    if (parse_accept_kw2(p, KW_CURRENT, KW_ROW)) {
        node->text = STR("CURRENT ROW");
        return parse_close(p, node);
    }
    bool unbounded = parse_accept_kw(p, KW_UNBOUNDED);
    if (!unbounded)
        set_kid(p, node, 0, parse_expr(p, LEVEL_IN + 1));
    if (parse_accept_kw(p, KW_PRECEDING))
        node->text = unbounded ? STR("UNBOUNDED PRECEDING") : STR("PRECEDING");
    else if (parse_accept_kw(p, KW_FOLLOWING))
        node->text = unbounded ? STR("UNBOUNDED FOLLOWING") : STR("FOLLOWING");
    else
        parse_expected(p, "PRECEDING or FOLLOWING");
    return parse_close(p, node);
}

static void parse_frame(struct parser *p, struct node *window)
{
    static const enum keyword modes[] = {KW_ROWS, KW_RANGE, KW_GROUPS};
    for (size_t i = 0; i < 3; i++) {
        if (!parse_accept_kw(p, modes[i]))
            continue;
        window->text = str_of(keyword_name(modes[i]));
        if (parse_accept_kw(p, KW_BETWEEN)) {
            set_kid(p, window, WINDOW_START, parse_bound(p));
            parse_expect_kw(p, KW_AND);
            set_kid(p, window, WINDOW_END, parse_bound(p));
        } else {
            set_kid(p, window, WINDOW_START, parse_bound(p));
        }
        if (parse_is_kw(p, KW_EXCLUDE))
            parse_unsupported(p, "EXCLUDE in a window's frame");
        return;
    }
}

struct node *parse_window(struct parser *p)
{
    struct node *window = parse_node(p, N_WINDOW, WINDOW_SLOTS);
    if (!parse_is_op(p, OP1('('))) {
        set_kid(p, window, WINDOW_BASE, parse_ident(p, false));
        window->flags |= NODE_NO_PARENS;
        return parse_close(p, window);
    }
    parse_next(p);
    if (parse_at_name(p) && !parse_is_kw(p, KW_PARTITION) && !parse_is_kw(p, KW_ORDER) &&
        !parse_is_kw(p, KW_ROWS) && !parse_is_kw(p, KW_RANGE) && !parse_is_kw(p, KW_GROUPS))
        set_kid(p, window, WINDOW_BASE, parse_ident(p, false));
    if (parse_accept_kw(p, KW_PARTITION)) {
        parse_expect_kw(p, KW_BY);
        set_kid(p, window, WINDOW_PARTITION, parse_exprs(p));
    }
    if (parse_accept_kw(p, KW_ORDER)) {
        parse_expect_kw(p, KW_BY);
        set_kid(p, window, WINDOW_ORDER, parse_order_by(p));
    }
    parse_frame(p, window);
    parse_expect_op(p, OP1(')'));
    return parse_close(p, window);
}

/* WITHIN GROUP, FILTER, nulls, OVER behind the parentheses. */
static void call_suffixes(struct parser *p, struct node *call)
{
    if (parse_is_kw(p, KW_WITHIN) && parse_peek_kw(p, 1, KW_GROUP)) {
        parse_next(p);
        parse_next(p);
        parse_expect_op(p, OP1('('));
        parse_expect_kw(p, KW_ORDER);
        parse_expect_kw(p, KW_BY);
        set_kid(p, call, CALL_WITHIN, parse_order_by(p));
        parse_expect_op(p, OP1(')'));
    }
    if (parse_is_kw(p, KW_FILTER) && parse_peek_op(p, 1, OP1('('))) {
        parse_next(p);
        parse_next(p);
        parse_accept_kw(p, KW_WHERE);
        set_kid(p, call, CALL_FILTER, parse_expr(p, 0));
        parse_expect_op(p, OP1(')'));
    }
    null_treatment(p, call);
    if (parse_accept_kw(p, KW_OVER))
        set_kid(p, call, CALL_OVER, parse_window(p));
}

struct node *parse_call(struct parser *p, struct str name, size_t offset)
{
    struct node *call = parse_node(p, N_CALL, CALL_SLOTS);
    if (!parse_enter(p)) {
        parse_leave(p);
        return call;
    }
    call->offset = (uint32_t)offset;
    call->text = name;
    parse_arguments(p, call);
    if (p->id == LANG_CLICKHOUSE && parse_is_op(p, OP1('('))) { /* quantile(0.5)(x) */
        struct node *parameters = kid(call, CALL_ARGS);
        parse_arguments(p, call);
        set_kid(p, call, CALL_PARAMETERS, parameters);
    }
    call_suffixes(p, call);
    parse_leave(p);
    return parse_close(p, call);
}

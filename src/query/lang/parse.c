/* parse.c: the parser's tools, and lang_parse. */
#include <stdio.h>

#include "query/lang/parse_int.h"
#include "service/nearest.h"

const struct token *parse_current(const struct parser *p)
{
    return &p->tokens[p->at];
}

const struct token *parse_peek(const struct parser *p, size_t ahead)
{
    size_t at = p->at + ahead;
    return &p->tokens[at < p->count ? at : p->count - 1];
}

void parse_next(struct parser *p)
{
    if (p->at + 1 < p->count)
        p->at++;
}

bool parse_peek_kw(const struct parser *p, size_t ahead, enum keyword keyword)
{
    const struct token *token = parse_peek(p, ahead);
    return token->kind == T_WORD && token->keyword == keyword;
}

bool parse_is_kw(const struct parser *p, enum keyword keyword)
{
    return parse_peek_kw(p, 0, keyword);
}

bool parse_accept_kw(struct parser *p, enum keyword keyword)
{
    if (!parse_is_kw(p, keyword))
        return false;
    parse_next(p);
    return true;
}

bool parse_accept_kw2(struct parser *p, enum keyword first, enum keyword second)
{
    if (!parse_is_kw(p, first) || !parse_peek_kw(p, 1, second))
        return false;
    parse_next(p);
    parse_next(p);
    return true;
}

void parse_expect_kw(struct parser *p, enum keyword keyword)
{
    if (!parse_accept_kw(p, keyword))
        parse_expected(p, keyword_name(keyword));
}

bool parse_peek_op(const struct parser *p, size_t ahead, uint32_t op)
{
    const struct token *token = parse_peek(p, ahead);
    return token->kind == T_OP && token->op == op;
}

bool parse_is_op(const struct parser *p, uint32_t op)
{
    return parse_peek_op(p, 0, op);
}

bool parse_accept_op(struct parser *p, uint32_t op)
{
    if (!parse_is_op(p, op))
        return false;
    parse_next(p);
    return true;
}

void parse_expect_op(struct parser *p, uint32_t op)
{
    static const char *const names[] = {"(", ")", "[", "]", ",", "}", "{", ":", "=", ">", "<", "."};
    if (parse_accept_op(p, op))
        return;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (OP1(names[i][0]) == op) {
            parse_expected(p, names[i]);
            return;
        }
    }
    parse_expected(p, "an operator");
}

bool parse_peek_word(const struct parser *p, size_t ahead, const char *word)
{
    const struct token *token = parse_peek(p, ahead);
    return token->kind == T_WORD && str_eq_nocase(token->text, str_of(word));
}

bool parse_is_word(const struct parser *p, const char *word)
{
    return parse_peek_word(p, 0, word);
}

bool parse_accept_word(struct parser *p, const char *word)
{
    if (!parse_is_word(p, word))
        return false;
    parse_next(p);
    return true;
}

bool parse_is_dialect(const struct parser *p, uint32_t mask)
{
    return (mask >> p->id & 1) != 0;
}

/* ---- failures ---- */

static bool begin_failure(struct parser *p, enum lang_code code, enum status status)
{
    if (p->status != STATUS_OK)
        return false;
    const struct token *token = parse_current(p);
    p->status = status;
    *p->problem = (struct lang_problem){.code = code, .offset = token->offset};
    if (token->kind == T_END) {
        snprintf(p->problem->found, sizeof p->problem->found, "end of statement");
    } else {
        size_t len = token->len < LANG_NAME_MAX - 1 ? token->len : LANG_NAME_MAX - 1;
        snprintf(p->problem->found, sizeof p->problem->found, "%.*s", (int)len,
                 p->text.data + token->offset);
    }
    p->at = p->count - 1;
    return true;
}

/* The keyword that a word was perhaps meant to be. */
static void suggest_keyword(struct parser *p, const struct token *token)
{
    if (token->kind != T_WORD || token->keyword != KW_NONE)
        return;
    struct nearest nearest = nearest_begin(token->text);
    for (int i = 1; i < KW_COUNT; i++)
        nearest_offer(&nearest, keyword_name((enum keyword)i));
    if (nearest.best)
        snprintf(p->problem->nearest, sizeof p->problem->nearest, "%s", nearest.best);
}

void parse_fail(struct parser *p, const char *message)
{
    const struct token *token = parse_current(p);
    if (!begin_failure(p, LANG_PARSE_ERROR, STATUS_INVALID_SQL))
        return;
    suggest_keyword(p, token);
    snprintf(p->problem->message, sizeof p->problem->message, "%s, found '%s'", message,
             p->problem->found);
}

void parse_expected(struct parser *p, const char *what)
{
    char message[96];
    bool first = p->status == STATUS_OK;
    snprintf(message, sizeof message, "expected %s", what);
    parse_fail(p, message);
    if (first)
        p->problem->expected[p->problem->expected_count++] = what;
}

void parse_unsupported(struct parser *p, const char *what)
{
    if (begin_failure(p, LANG_UNSUPPORTED, STATUS_INVALID_SQL))
        snprintf(p->problem->message, sizeof p->problem->message, "%s is not supported", what);
}

static void out_of_memory(struct parser *p)
{
    if (begin_failure(p, LANG_NO_MEMORY, STATUS_NO_MEMORY))
        snprintf(p->problem->message, sizeof p->problem->message, "no memory for the statement");
}

static void too_large(struct parser *p, const char *message)
{
    if (begin_failure(p, LANG_TOO_LARGE, STATUS_TOO_LARGE))
        snprintf(p->problem->message, sizeof p->problem->message, "%s", message);
}

bool parse_enter(struct parser *p)
{
    if (++p->depth <= p->limits.depth)
        return p->status == STATUS_OK;
    too_large(p, "the statement is nested too deeply");
    return false;
}

bool parse_attempt(struct parser *p)
{
    if (++p->attempts <= PARSE_ATTEMPTS_MAX)
        return true;
    too_large(p, "the statement has too many nested parentheses of tables");
    return false;
}

void parse_leave(struct parser *p)
{
    p->depth--;
}

/* ---- nodes ---- */

struct node *parse_node(struct parser *p, enum node_kind kind, size_t slots)
{
    struct node *node = arena_alloc(p->arena, sizeof *node + slots * sizeof(struct node *));
    if (!node) {
        out_of_memory(p);
        return &p->spare;
    }
    node->kind = (uint8_t)kind;
    node->count = (uint16_t)slots;
    node->kids = (struct node **)(node + 1);
    node->offset = parse_current(p)->offset;
    return node;
}

struct node *parse_text_node(struct parser *p, enum node_kind kind, struct str text)
{
    struct node *node = parse_node(p, kind, 0);
    node->text = text;
    return node;
}

struct node *parse_close(struct parser *p, struct node *node)
{
    if (p->at > 0)
        node->end = p->tokens[p->at - 1].offset + p->tokens[p->at - 1].len;
    return node;
}

struct str parse_upper(struct parser *p, struct str text)
{
    char *out = arena_alloc(p->arena, text.len + 1);
    if (!out) {
        out_of_memory(p);
        return STR("");
    }
    for (size_t i = 0; i < text.len; i++)
        out[i] =
            (char)(text.data[i] >= 'a' && text.data[i] <= 'z' ? text.data[i] - 32 : text.data[i]);
    return str_make(out, text.len);
}

struct str parse_join_words(struct parser *p, const char *a, const char *b)
{
    const char *text = arena_printf(p->arena, "%s %s", a, b);
    if (!text)
        out_of_memory(p);
    return str_of(text ? text : "");
}

void parse_add(struct parser *p, struct node_list *list, struct node *node)
{
    if (list->count >= NODE_KIDS_MAX) {
        too_large(p, "a list has more than 65,535 items");
        return;
    }
    if (list->count == list->cap) {
        size_t cap = list->cap ? list->cap * 2 : 8;
        struct node **grown = arena_array(p->arena, cap, sizeof(struct node *));
        if (!grown) {
            out_of_memory(p);
            return;
        }
        if (list->count)
            memcpy(grown, list->items, list->count * sizeof(struct node *));
        list->items = grown;
        list->cap = cap;
    }
    list->items[list->count++] = node;
}

struct node *parse_list(struct parser *p, enum node_kind kind, struct node_list *list, size_t start)
{
    struct node *node = parse_node(p, kind, 0);
    if (node == &p->spare)
        return node;
    node->kids = list->items;
    node->count = (uint16_t)list->count;
    node->offset = (uint32_t)start;
    return parse_close(p, node);
}

/* ---- names ---- */

bool parse_at_name(const struct parser *p)
{
    const struct token *token = parse_current(p);
    return token->kind == T_QUOTED ||
           (token->kind == T_WORD && !(keyword_flags(token->keyword) & KW_RESERVED));
}

struct node *parse_ident(struct parser *p, bool any_word)
{
    const struct token *token = parse_current(p);
    if (!parse_at_name(p) && !(any_word && token->kind == T_WORD)) {
        parse_expected(p, "a name");
        return &p->spare;
    }
    struct node *node = parse_text_node(p, N_IDENT, token->text);
    if (token->kind == T_QUOTED)
        node->flags |= NODE_QUOTED;
    parse_next(p);
    return parse_close(p, node);
}

struct node *parse_dotted(struct parser *p)
{
    struct node_list parts = {0};
    size_t start = parse_current(p)->offset;
    parse_add(p, &parts, parse_ident(p, false));
    while (parse_is_op(p, OP1('.')) && p->status == STATUS_OK) {
        parse_next(p);
        parse_add(p, &parts, parse_ident(p, true));
    }
    return parse_list(p, N_REF, &parts, start);
}

struct node *parse_ident_list(struct parser *p)
{
    struct node_list list = {0};
    size_t start = parse_current(p)->offset;
    parse_expect_op(p, OP1('('));
    do
        parse_add(p, &list, parse_ident(p, true));
    while (parse_accept_op(p, OP1(',')));
    parse_expect_op(p, OP1(')'));
    return parse_list(p, N_LIST, &list, start);
}

bool parse_at_alias(const struct parser *p)
{
    const struct token *token = parse_current(p);
    if (token->kind == T_QUOTED)
        return true;
    if (token->kind == T_STRING)
        return (p->dialect->flags & D_STRING_ALIAS) != 0;
    return token->kind == T_WORD && !(keyword_flags(token->keyword) & (KW_STOP | KW_RESERVED));
}

/* ---- the whole ---- */

static struct lang_limits limits_of(const struct lang_limits *given)
{
    struct lang_limits limits = {
        .bytes = 1 << 20, .tokens = 100000, .in_list = 10000, .depth = 200};
    if (given && given->bytes)
        limits.bytes = given->bytes;
    if (given && given->tokens)
        limits.tokens = given->tokens;
    if (given && given->in_list)
        limits.in_list = given->in_list;
    if (given && given->depth)
        limits.depth = given->depth;
    return limits;
}

static enum status parse_text(struct parser *p, struct lang_query *ret)
{
    if (p->text.len > p->limits.bytes) {
        p->problem->code = LANG_TOO_LARGE;
        snprintf(p->problem->message, sizeof p->problem->message,
                 "the statement is %zu bytes long; at most %zu are read", p->text.len,
                 p->limits.bytes);
        return STATUS_TOO_LARGE;
    }
    enum status status = token_read(p->arena, p->text, p->dialect, p->limits.tokens, &p->tokens,
                                    &p->count, p->problem);
    if (status == STATUS_NO_MEMORY)
        p->problem->code = LANG_NO_MEMORY;
    TRY(status);
    ret->root = parse_statement(p, &ret->statement);
    parse_accept_op(p, OP1(';'));
    if (parse_current(p)->kind != T_END)
        parse_expected(p, "end of statement");
    return p->status;
}

enum status lang_parse(struct arena *arena, struct str text, enum lang_dialect dialect,
                       const struct lang_limits *limits, struct lang_query *ret,
                       struct lang_problem *problem)
{
    struct lang_problem scratch;
    if (!problem)
        problem = &scratch;
    *problem = (struct lang_problem){0};
    *ret = (struct lang_query){.dialect = dialect, .text = text};
    struct node *no_kids = NULL;
    struct parser p = {.arena = arena,
                       .text = text,
                       .dialect = dialect_of(dialect),
                       .id = dialect,
                       .limits = limits_of(limits),
                       .problem = problem};
    p.spare.kids = &no_kids;
    enum status status = parse_text(&p, ret);
    if (status != STATUS_OK)
        problem_place(problem, text);
    return status;
}

struct node *parse_template(struct arena *arena, struct str text)
{
    struct lang_problem problem = {0};
    struct node *no_kids = NULL;
    struct parser p = {.arena = arena,
                       .text = text,
                       .dialect = &dialect_duckdb,
                       .id = LANG_DUCKDB,
                       .limits = limits_of(NULL),
                       .problem = &problem,
                       .template = true};
    p.spare.kids = &no_kids;
    if (token_read(arena, text, p.dialect, 1000, &p.tokens, &p.count, &problem) != STATUS_OK)
        return NULL;
    struct node *node = parse_expr(&p, 0);
    return p.status == STATUS_OK && parse_current(&p)->kind == T_END ? node : NULL;
}

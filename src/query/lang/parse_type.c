/* parse_type.c: types, as TYPE nodes: name in upper case, parameters (numbers, strings, types,
 * fields) as children; arrays are TYPE "[]" with the element first and a size perhaps second. */
#include "query/lang/parse_int.h"

bool parse_is_literal_type(struct str word)
{
    static const char *const names[] = {
        "DATE",   "TIME",          "TIMESTAMP",     "TIMESTAMPTZ", "DATETIME", "JSON",
        "JSONB",  "NUMERIC",       "BIGNUMERIC",    "BIGDECIMAL",  "DECIMAL",  "UUID",
        "BOOL",   "BOOLEAN",       "INT",           "INTEGER",     "BIGINT",   "FLOAT",
        "DOUBLE", "REAL",          "TEXT",          "VARCHAR",     "INET",     "BYTEA",
        "TIMETZ", "TIMESTAMP_NTZ", "TIMESTAMP_LTZ", "BLOB",        "SMALLINT", "TINYINT",
        "FLOAT8", "INT8",          "INT4",          "UTINYINT",    "HUGEINT",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (str_eq_nocase(word, str_of(names[i])))
            return true;
    }
    return false;
}

/* Takes one ">", also out of ">>". */
static void expect_greater(struct parser *p)
{
    struct token *token = &p->tokens[p->at];
    if (token->kind == T_OP && token->op == OP2('>', '>')) {
        token->op = OP1('>');
        token->offset++;
        token->len = 1;
        return;
    }
    parse_expect_op(p, OP1('>'));
}

static bool has_fields(struct str name)
{
    return str_is(name, "STRUCT") || str_is(name, "ROW") || str_is(name, "TUPLE") ||
           str_is(name, "UNION") || str_is(name, "OBJECT") || str_is(name, "NESTED");
}

/* name type, name: type, or only a type */
static struct node *parse_field(struct parser *p)
{
    const struct token *next = parse_peek(p, 1);
    bool named = next->kind == T_WORD || next->kind == T_QUOTED ||
                 (next->kind == T_OP && next->op == OP1(':'));
    if (named && (parse_peek_word(p, 1, "PRECISION") || parse_peek_word(p, 1, "VARYING") ||
                  parse_peek_word(p, 1, "WITH")))
        named = false;
    if (!named)
        return parse_type_name(p);
    struct node *field = parse_node(p, N_TYPE_FIELD, 1);
    if (parse_current(p)->kind == T_QUOTED)
        field->flags |= NODE_QUOTED;
    field->text = parse_ident(p, true)->text;
    parse_accept_op(p, OP1(':'));
    struct node *type = parse_type_name(p);
    if (field != &p->spare)
        field->kids[0] = type;
    if (parse_accept_kw(p, KW_NOT))
        parse_expect_kw(p, KW_NULL);
    if (parse_accept_kw(p, KW_COMMENT))
        parse_next(p);
    return parse_close(p, field);
}

static struct node *parse_parameter(struct parser *p, struct str name)
{
    bool minus = parse_accept_op(p, OP1('-'));
    const struct token *token = parse_current(p);
    if (token->kind == T_NUMBER || token->kind == T_STRING) {
        struct str text = token->text;
        if (minus) {
            const char *negative = arena_printf(p->arena, "-%.*s", STR_ARG(text));
            text = str_of(negative ? negative : "0");
        }
        struct node *node = parse_text_node(p, token->kind == T_NUMBER ? N_NUMBER : N_STRING, text);
        parse_next(p);
        if (parse_is_word(p, "CHAR") || parse_is_word(p, "BYTE")) /* VARCHAR2(10 CHAR) */
            parse_next(p);
        if (parse_is_op(p, OP1('=')) && token->kind == T_STRING) { /* Enum8('a' = 1) */
            parse_next(p);
            parse_next(p);
        }
        return parse_close(p, node);
    }
    return has_fields(name) ? parse_field(p) : parse_type_name(p);
}

static void parse_parameters(struct parser *p, struct node *type, uint32_t close)
{
    struct node_list list = {0};
    parse_next(p);
    while (!parse_is_op(p, close) && p->status == STATUS_OK) {
        if (close == OP1('>') && parse_is_op(p, OP2('>', '>')))
            break;
        parse_add(p, &list, parse_parameter(p, type->text));
        if (!parse_accept_op(p, OP1(',')))
            break;
    }
    if (close == OP1('>'))
        expect_greater(p);
    else
        parse_expect_op(p, close);
    if (type != &p->spare) {
        type->kids = list.items;
        type->count = (uint16_t)list.count;
    }
}

/* Names of several words become one name with single spaces. */
static void second_words(struct parser *p, struct node *type)
{
    static const char *const pairs[][2] = {
        {"DOUBLE", "PRECISION"},   {"CHARACTER", "VARYING"}, {"CHAR", "VARYING"},
        {"BIT", "VARYING"},        {"LONG", "RAW"},          {"NATIONAL", "CHAR"},
        {"NATIONAL", "CHARACTER"}, {"NCHAR", "VARYING"},     {"SIGNED", "INTEGER"},
        {"UNSIGNED", "INTEGER"},   {"SIGNED", "INT"},        {"UNSIGNED", "INT"},
        {"BINARY", "VARYING"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        if (str_is(type->text, pairs[i][0]) && parse_accept_word(p, pairs[i][1])) {
            type->text = parse_join_words(p, pairs[i][0], pairs[i][1]);
            if (parse_accept_word(p, "VARYING"))
                type->text = STR("NATIONAL CHAR VARYING");
            return;
        }
    }
}

static void zone_words(struct parser *p, struct node *type)
{
    bool with = parse_is_kw(p, KW_WITH), without = parse_is_kw(p, KW_WITHOUT);
    if (!(str_is(type->text, "TIMESTAMP") || str_is(type->text, "TIME")) || (!with && !without))
        return;
    bool local = parse_peek_kw(p, 1, KW_LOCAL);
    if (!parse_peek_kw(p, local ? 2 : 1, KW_TIME))
        return;
    for (int i = local ? 4 : 3; i > 0; i--)
        parse_next(p);
    if (with)
        type->text = parse_join_words(p, str_is(type->text, "TIME") ? "TIME" : "TIMESTAMP",
                                      local ? "WITH LOCAL TIME ZONE" : "WITH TIME ZONE");
}

static struct node *array_of(struct parser *p, struct node *element)
{
    struct node_list list = {0};
    parse_add(p, &list, element);
    if (parse_accept_op(p, OP1('[')) && !parse_is_op(p, OP1(']'))) {
        parse_add(p, &list, parse_text_node(p, N_NUMBER, parse_current(p)->text));
        if (parse_current(p)->kind != T_NUMBER)
            parse_expected(p, "a size");
        parse_next(p);
    }
    if (parse_is_op(p, OP1(']')))
        parse_next(p);
    struct node *array = parse_list(p, N_TYPE, &list, element->offset);
    if (array != &p->spare)
        array->text = STR("[]");
    return array;
}

static void type_suffixes(struct parser *p, struct node *type)
{
    if (str_is(type->text, "INTERVAL") && parse_at_unit(p, 0))
        parse_unit(p);
    if (parse_accept_kw(p, KW_UNSIGNED)) {
        const char *text = arena_printf(p->arena, "UNSIGNED %.*s", STR_ARG(type->text));
        type->text = str_of(text ? text : "");
    } else {
        parse_accept_kw(p, KW_SIGNED);
    }
    if (p->id == LANG_MYSQL && parse_accept_word(p, "CHARACTER")) {
        parse_expect_kw(p, KW_SET);
        parse_next(p);
    } else if (p->id == LANG_MYSQL && parse_is_word(p, "CHARSET")) {
        parse_next(p);
        parse_next(p);
    }
}

struct node *parse_type_name(struct parser *p)
{
    if (!parse_enter(p)) {
        parse_leave(p);
        return &p->spare;
    }
    struct node *type = parse_node(p, N_TYPE, 0);
    const struct token *token = parse_current(p);
    if (token->kind != T_WORD && token->kind != T_QUOTED) {
        parse_expected(p, "a type");
        parse_leave(p);
        return type;
    }
    type->text = parse_upper(p, token->text);
    if (token->kind == T_WORD &&
        (token->keyword == KW_FROM || token->keyword == KW_WHERE || token->keyword == KW_SELECT))
        parse_expected(p, "a type");
    parse_next(p);
    while (parse_accept_op(p, OP1('.'))) { /* pg_catalog.int4, schema.type */
        type->text = parse_upper(p, parse_current(p)->text);
        parse_next(p);
    }
    second_words(p, type);
    if (parse_is_op(p, OP1('(')))
        parse_parameters(p, type, OP1(')'));
    else if (parse_is_op(p, OP1('<')) &&
             (has_fields(type->text) || str_is(type->text, "ARRAY") || str_is(type->text, "MAP")))
        parse_parameters(p, type, OP1('>'));
    zone_words(p, type);
    type_suffixes(p, type);
    while (p->status == STATUS_OK && (parse_is_op(p, OP1('[')) ||
                                      (parse_is_kw(p, KW_ARRAY) &&
                                       parse_is_dialect(p, DIALECT(POSTGRES) | DIALECT(DUCKDB))))) {
        if (parse_is_op(p, OP1('[')) && !parse_peek_op(p, 1, OP1(']')) &&
            !(parse_peek(p, 1)->kind == T_NUMBER &&
              parse_is_dialect(p, DIALECT(POSTGRES) | DIALECT(DUCKDB))))
            break;
        parse_accept_kw(p, KW_ARRAY);
        type = array_of(p, parse_close(p, type));
    }
    parse_leave(p);
    return parse_close(p, type);
}

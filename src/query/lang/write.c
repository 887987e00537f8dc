/* write.c: expressions. */
#include <stdio.h>

#include "query/lang/dialect.h"
#include "query/lang/parse_int.h"
#include "query/lang/write_int.h"

void emit_text(struct writer *w, const char *text)
{
    buf_append_str(w->out, str_of(text));
}

void emit_str(struct writer *w, struct str text)
{
    buf_append_str(w->out, text);
}

bool emit_is(const struct writer *w, enum lang_dialect target)
{
    return w->id == target && !w->target->canonical;
}

void emit_unsupported(struct writer *w, const struct node *at, struct str what)
{
    if (w->status != STATUS_OK)
        return;
    w->status = STATUS_INVALID_SQL;
    *w->problem = (struct lang_problem){.code = LANG_UNSUPPORTED, .offset = at ? at->offset : 0};
    snprintf(w->problem->found, sizeof w->problem->found, "%.*s",
             what.len < LANG_NAME_MAX ? (int)what.len : LANG_NAME_MAX - 1, what.data);
    snprintf(w->problem->message, sizeof w->problem->message, "target %s has nothing for '%s'",
             w->target->name, w->problem->found);
}

/* ---- names and strings ---- */

static bool plain_name(struct str name)
{
    if (name.len == 0 || (name.data[0] >= '0' && name.data[0] <= '9'))
        return false;
    for (size_t i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char)name.data[i];
        if (!(c == '_' || (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z')))
            return false;
    }
    return !(keyword_flags(keyword_find(name)) & (KW_QUOTE | KW_RESERVED));
}

void emit_name(struct writer *w, struct str name, bool quoted)
{
    if (!quoted && plain_name(name)) {
        emit_str(w, name);
        return;
    }
    char quote = w->target->quote;
    buf_append_char(w->out, quote);
    for (size_t i = 0; i < name.len; i++) {
        if (name.data[i] == quote)
            buf_append_char(w->out, quote);
        buf_append_char(w->out, name.data[i]);
    }
    buf_append_char(w->out, quote);
}

void emit_string(struct writer *w, struct str text)
{
    buf_append_char(w->out, '\'');
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        if (c == '\'')
            buf_append_char(w->out, '\'');
        else if (c == '\\' && w->target->backslash)
            buf_append_char(w->out, '\\');
        buf_append_char(w->out, c);
    }
    buf_append_char(w->out, '\'');
}

void emit_list(struct writer *w, const struct node *list)
{
    for (size_t i = 0; i < list_count(list); i++) {
        if (i)
            emit_text(w, ", ");
        emit_node(w, list->kids[i], 0);
    }
}

static void write_ref(struct writer *w, const struct node *ref)
{
    for (size_t i = 0; i < ref->count; i++) {
        if (i)
            emit_text(w, ".");
        emit_name(w, ref->kids[i]->text, ref->kids[i]->flags & NODE_QUOTED);
    }
}

/* ---- operators ---- */

static int binary_level(struct str op)
{
    static const struct {
        const char *op;
        int level;
    } levels[] = {
        {"OR", LEVEL_OR},
        {"XOR", LEVEL_XOR},
        {"AND", LEVEL_AND},
        {"=", LEVEL_COMPARE},
        {"<>", LEVEL_COMPARE},
        {"<", LEVEL_COMPARE},
        {">", LEVEL_COMPARE},
        {"<=", LEVEL_COMPARE},
        {">=", LEVEL_COMPARE},
        {"<=>", LEVEL_COMPARE},
        {"+", LEVEL_ADD},
        {"-", LEVEL_ADD},
        {"*", LEVEL_MULTIPLY},
        {"/", LEVEL_MULTIPLY},
        {"//", LEVEL_MULTIPLY},
        {"%", LEVEL_MULTIPLY},
        {"DIV", LEVEL_MULTIPLY},
        {"**", LEVEL_POWER},
        {"AT TIME ZONE", LEVEL_ZONE},
        {":", LEVEL_POSTFIX},
        {"->", 1},
        {"->>", 1},
    };
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
        if (str_is(op, levels[i].op))
            return levels[i].level;
    }
    return LEVEL_OTHER;
}

static int node_level(const struct node *node)
{
    switch (node->kind) {
    case N_BINARY:
        return binary_level(node->text);
    case N_UNARY:
        return LEVEL_UNARY;
    case N_NOT:
        return LEVEL_NOT;
    case N_IS:
        return LEVEL_IS;
    case N_BETWEEN:
    case N_IN:
    case N_LIKE:
        return LEVEL_IN - 2;
    case N_QUANTIFIED:
        return LEVEL_COMPARE;
    case N_LAMBDA:
        return LEVEL_LAMBDA;
    case N_INTERVAL:
        return LEVEL_UNARY;
    case N_COLLATE:
        return LEVEL_COLLATE;
    default:
        return LEVEL_POSTFIX + 1;
    }
}

static void write_binary(struct writer *w, const struct node *node)
{
    int level = binary_level(node->text);
    int left = level, right = level + 1;
    if (level == LEVEL_OTHER || level == LEVEL_COMPARE)
        left = level + 1;
    if (level == LEVEL_OTHER && node_is(node->kids[0], N_BINARY) &&
        str_eq(node->kids[0]->text, node->text) && str_is(node->text, "||"))
        left = level;
    if (level == 1) { /* JSON arrows chain to the left; all else beside them is in parentheses */
        bool chain = node_is(node->kids[0], N_BINARY) && binary_level(node->kids[0]->text) == 1;
        left = chain ? 1 : LEVEL_UNARY + 1;
        right = LEVEL_UNARY + 1;
    }
    emit_node(w, node->kids[0], left);
    if (str_is(node->text, ":")) {
        emit_text(w, ":");
        emit_str(w, str_make(node->kids[1]->text.data + 2, node->kids[1]->text.len - 2));
        return;
    }
    emit_text(w, " ");
    emit_str(w, node->text);
    emit_text(w, " ");
    emit_node(w, node->kids[1], right);
}

static void write_is_test(struct writer *w, const struct node *node)
{
    emit_node(w, node->kids[0], LEVEL_COMPARE + 1);
    emit_text(w, node->flags & NODE_NOT ? " IS NOT " : " IS ");
    emit_str(w, node->text);
    if (node->kids[1]) {
        emit_text(w, " ");
        emit_node(w, node->kids[1], LEVEL_COMPARE + 1);
    }
}

static void write_in(struct writer *w, const struct node *node)
{
    emit_node(w, node->kids[0], LEVEL_OTHER);
    emit_text(w, node->flags & NODE_NOT ? " NOT IN " : " IN ");
    const struct node *set = node->kids[1];
    if (node_is(set, N_LIST)) {
        emit_text(w, "(");
        emit_list(w, set);
        emit_text(w, ")");
    } else {
        emit_node(w, set, LEVEL_POSTFIX);
    }
}

static void write_between(struct writer *w, const struct node *node)
{
    emit_node(w, node->kids[0], LEVEL_OTHER);
    emit_text(w, node->flags & NODE_NOT ? " NOT BETWEEN " : " BETWEEN ");
    if (node->flags & NODE_SYMMETRIC)
        emit_text(w, "SYMMETRIC ");
    emit_node(w, node->kids[1], LEVEL_OTHER);
    emit_text(w, " AND ");
    emit_node(w, node->kids[2], LEVEL_OTHER);
}

static void write_like(struct writer *w, const struct node *node)
{
    emit_node(w, node->kids[0], LEVEL_OTHER);
    emit_text(w, node->flags & NODE_NOT ? " NOT " : " ");
    emit_str(w, node->text);
    emit_text(w, " ");
    emit_node(w, node->kids[1], LEVEL_OTHER);
    if (node->kids[2]) {
        emit_text(w, " ESCAPE ");
        emit_node(w, node->kids[2], LEVEL_OTHER);
    }
}

static void write_case(struct writer *w, const struct node *node)
{
    emit_text(w, "CASE");
    if (node->kids[0]) {
        emit_text(w, " ");
        emit_node(w, node->kids[0], 0);
    }
    for (size_t i = 0; i < list_count(node->kids[1]); i++) {
        const struct node *when = node->kids[1]->kids[i];
        emit_text(w, " WHEN ");
        emit_node(w, when->kids[0], 0);
        emit_text(w, " THEN ");
        emit_node(w, when->kids[1], 0);
    }
    if (node->kids[2]) {
        emit_text(w, " ELSE ");
        emit_node(w, node->kids[2], 0);
    }
    emit_text(w, " END");
}

static void write_cast(struct writer *w, const struct node *node)
{
    emit_text(w, node->flags & NODE_TRY ? "TRY_CAST(" : "CAST(");
    emit_node(w, node->kids[0], 0);
    emit_text(w, " AS ");
    emit_node(w, node->kids[1], 0);
    if (node->kids[2]) {
        emit_text(w, " FORMAT ");
        emit_node(w, node->kids[2], 0);
    }
    emit_text(w, ")");
}

/* INTERVAL '1' DAY, INTERVAL (x) DAY */
static void write_interval(struct writer *w, const struct node *node)
{
    const struct node *value = node->kids[0];
    emit_text(w, "INTERVAL ");
    if (value->kind == N_STRING || value->kind == N_NUMBER) {
        emit_string(w, value->text);
    } else if (value->kind == N_UNARY && node_is(value->kids[0], N_NUMBER) &&
               str_is(value->text, "-")) {
        emit_text(w, "'-");
        emit_str(w, value->kids[0]->text);
        emit_text(w, "'");
    } else {
        emit_text(w, "(");
        emit_node(w, value, 0);
        emit_text(w, ")");
    }
    if (node->text.len) {
        emit_text(w, " ");
        emit_str(w, node->text);
    }
}

static void write_pairs(struct writer *w, const struct node *node)
{
    for (size_t i = 0; i < node->count; i++) {
        const struct node *pair = node->kids[i];
        if (i)
            emit_text(w, ", ");
        emit_node(w, pair->kids[0], LEVEL_OTHER);
        emit_text(w, ": ");
        emit_node(w, pair->kids[1], 0);
    }
}

static void write_slice(struct writer *w, const struct node *node)
{
    emit_node(w, node->kids[0], LEVEL_POSTFIX);
    emit_text(w, "[");
    if (node->kids[1])
        emit_node(w, node->kids[1], LEVEL_COMPARE);
    emit_text(w, ":");
    if (node->kids[2])
        emit_node(w, node->kids[2], LEVEL_COMPARE);
    else if (node->kids[3])
        emit_text(w, "-");
    if (node->kids[3]) {
        emit_text(w, ":");
        emit_node(w, node->kids[3], LEVEL_COMPARE);
    }
    emit_text(w, "]");
}

static void write_star(struct writer *w, const struct node *node)
{
    static const char *const words[] = {NULL, " EXCLUDE (", " REPLACE (", " RENAME ("};
    if (node->kids[0]) {
        emit_node(w, node->kids[0], LEVEL_POSTFIX);
        emit_text(w, ".");
    }
    emit_text(w, "*");
    for (size_t slot = 1; slot <= 3; slot++) {
        if (!node->kids[slot])
            continue;
        emit_text(w, words[slot]);
        emit_list(w, node->kids[slot]);
        emit_text(w, ")");
    }
}

static void write_alias(struct writer *w, const struct node *node)
{
    emit_node(w, node->kids[0], 0);
    if (node->text.len) {
        emit_text(w, " AS ");
        emit_name(w, node->text, node->flags & NODE_QUOTED);
    }
}

static void write_lambda(struct writer *w, const struct node *node)
{
    const struct node *names = node->kids[0];
    if (names->count == 1) {
        emit_node(w, names->kids[0], 0);
    } else {
        emit_text(w, "(");
        emit_list(w, names);
        emit_text(w, ")");
    }
    emit_text(w, " -> ");
    emit_node(w, node->kids[1], LEVEL_LAMBDA + 1);
}

static void write_comprehension(struct writer *w, const struct node *node)
{
    emit_text(w, "[");
    emit_node(w, node->kids[0], 0);
    emit_text(w, " FOR ");
    emit_list(w, node->kids[1]);
    emit_text(w, " IN ");
    emit_node(w, node->kids[2], 0);
    if (node->kids[3]) {
        emit_text(w, " IF ");
        emit_node(w, node->kids[3], 0);
    }
    emit_text(w, "]");
}

static void write_enclosed(struct writer *w, const char *open, const struct node *list,
                           const char *close)
{
    emit_text(w, open);
    emit_list(w, list);
    emit_text(w, close);
}

static void write_blob(struct writer *w, const struct node *node)
{
    emit_text(w, emit_is(w, LANG_DUCKDB) ? "UNHEX('" : emit_is(w, LANG_POSTGRES) ? "'\\x" : "X'");
    emit_str(w, node->text);
    emit_text(w, emit_is(w, LANG_DUCKDB) ? "')" : emit_is(w, LANG_POSTGRES) ? "'::bytea" : "'");
}

static void write_structured(struct writer *w, const struct node *node)
{
    switch (node->kind) {
    case N_ARRAY:
        write_enclosed(w, emit_is(w, LANG_POSTGRES) || emit_is(w, LANG_TRINO) ? "ARRAY[" : "[",
                       node, "]");
        break;
    case N_ROW:
        write_enclosed(w, node->count < 2 ? "ROW(" : "(", node, ")");
        break;
    case N_STRUCT:
        emit_text(w, "{");
        write_pairs(w, node);
        emit_text(w, "}");
        break;
    case N_MAP:
        emit_text(w, "MAP {");
        write_pairs(w, node);
        emit_text(w, "}");
        break;
    case N_PAIR:
        emit_node(w, node->kids[0], LEVEL_OTHER);
        emit_text(w, ": ");
        emit_node(w, node->kids[1], 0);
        break;
    case N_NAMED:
        emit_name(w, node->text, false);
        emit_text(w, " := ");
        emit_node(w, node->kids[0], 0);
        break;
    case N_COMPREHENSION:
        write_comprehension(w, node);
        break;
    case N_SLICE:
        write_slice(w, node);
        break;
    case N_INDEX:
        emit_node(w, node->kids[0], LEVEL_POSTFIX);
        write_enclosed(w, "[", NULL, "");
        emit_node(w, node->kids[1], 0);
        emit_text(w, "]");
        break;
    case N_FIELD:
        emit_text(w, node_is(node->kids[0], N_REF) ? "(" : "");
        emit_node(w, node->kids[0], LEVEL_POSTFIX);
        emit_text(w, node_is(node->kids[0], N_REF) ? ")." : ".");
        emit_name(w, node->text, node->flags & NODE_QUOTED);
        break;
    default:
        break;
    }
}

static void write_plain(struct writer *w, const struct node *node)
{
    switch (node->kind) {
    case N_REF:
        write_ref(w, node);
        break;
    case N_IDENT:
        emit_name(w, node->text, node->flags & NODE_QUOTED);
        break;
    case N_NUMBER:
        emit_str(w, node->text);
        break;
    case N_STRING:
        emit_string(w, node->text);
        break;
    case N_BLOB:
        write_blob(w, node);
        break;
    case N_BITS:
        emit_text(w, "'");
        emit_str(w, node->text);
        emit_text(w, emit_is(w, LANG_DUCKDB) ? "'::BIT" : "'");
        break;
    case N_NULL_:
        emit_text(w, "NULL");
        break;
    case N_DEFAULT:
        emit_text(w, "DEFAULT");
        break;
    case N_BOOL:
        emit_text(w, (node->text.data[0] | 32) == 't' ? "TRUE" : "FALSE");
        break;
    case N_PARAM:
        if (emit_is(w, LANG_DUCKDB) && node->text.data[0] == ':') {
            emit_text(w, "$");
            emit_str(w, str_make(node->text.data + 1, node->text.len - 1));
            break;
        }
        emit_str(w, node->text);
        break;
    case N_SLOT:
        emit_str(w, node->text);
        break;
    case N_LIST:
        emit_list(w, node);
        break;
    default:
        write_structured(w, node);
        break;
    }
}

static void write_bare(struct writer *w, const struct node *node)
{
    switch (node->kind) {
    case N_BINARY:
        write_binary(w, node);
        break;
    case N_UNARY: {
        emit_str(w, node->text);
        const struct node *operand = node->kids[0];
        if (node_is(operand, N_UNARY))
            emit_text(w, " ");
        emit_node(w, operand, LEVEL_UNARY);
        break;
    }
    case N_NOT:
        emit_text(w, "NOT ");
        emit_node(w, node->kids[0], LEVEL_NOT);
        break;
    case N_IS:
        write_is_test(w, node);
        break;
    case N_IN:
        write_in(w, node);
        break;
    case N_BETWEEN:
        write_between(w, node);
        break;
    case N_LIKE:
        write_like(w, node);
        break;
    case N_QUANTIFIED:
        emit_node(w, node->kids[0], LEVEL_COMPARE + 1);
        emit_text(w, " ");
        emit_str(w, node->text);
        if (node_is(node->kids[1], N_SUBQUERY)) {
            emit_node(w, node->kids[1], 0);
        } else {
            write_enclosed(w, "(", node->kids[1], ")");
        }
        break;
    case N_CASE:
        write_case(w, node);
        break;
    case N_CAST:
        write_cast(w, node);
        break;
    case N_TYPE:
        emit_type(w, node);
        break;
    case N_INTERVAL:
        write_interval(w, node);
        break;
    case N_EXTRACT:
        emit_text(w, "EXTRACT(");
        emit_str(w, node->text);
        emit_text(w, " FROM ");
        emit_node(w, node->kids[0], 0);
        emit_text(w, ")");
        break;
    case N_CALL:
        emit_call(w, node);
        break;
    case N_STAR:
        write_star(w, node);
        break;
    case N_ALIAS:
        write_alias(w, node);
        break;
    case N_LAMBDA:
        write_lambda(w, node);
        break;
    case N_COLLATE:
        emit_node(w, node->kids[0], LEVEL_COLLATE);
        emit_text(w, " COLLATE ");
        emit_name(w, node->text, false);
        break;
    case N_SUBQUERY:
        emit_text(w, "(");
        emit_query(w, node->kids[0]);
        emit_text(w, ")");
        break;
    case N_EXISTS:
        emit_text(w, "EXISTS(");
        emit_query(w, node->kids[0]);
        emit_text(w, ")");
        break;
    case N_ARRAY_QUERY:
        emit_text(w, "ARRAY(");
        emit_query(w, node->kids[0]);
        emit_text(w, ")");
        break;
    default:
        write_plain(w, node);
        break;
    }
}

void emit_node(struct writer *w, const struct node *node, int level)
{
    if (!node || w->status != STATUS_OK)
        return;
    bool parens = node_level(node) < level;
    if (parens)
        emit_text(w, "(");
    if (node_is_query(node))
        emit_query(w, node);
    else
        write_bare(w, node);
    if (parens)
        emit_text(w, ")");
}

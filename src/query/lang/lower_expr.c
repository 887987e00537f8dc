/* lower_expr.c: literals and operators. */
#include <stdio.h>

#include "query/lang/lower_int.h"

static struct node *finish(struct lower *l, struct node *node)
{
    if (l->status == STATUS_OK)
        lower_infer(l, node);
    return node;
}

static struct node *with_kids(struct lower *l, enum node_kind kind, struct node *a, struct node *b,
                              const struct node *at)
{
    struct node *node = lower_node(l, kind, "", node_info(kind)->slots[1] ? 3 : 1, at);
    if (l->status == STATUS_OK) {
        node->kids[0] = a;
        if (node->count > 1)
            node->kids[1] = b;
    }
    return node;
}

static struct node *negate(struct lower *l, struct node *operand)
{
    return finish(l, with_kids(l, N_NOT, operand, NULL, operand));
}

static struct node *call2(struct lower *l, const char *name, struct node *a, struct node *b)
{
    struct node *args[] = {a, b};
    return lower_call_of(l, name, args, 2, a);
}

/* ---- arithmetic ---- */

static struct node *divide(struct lower *l, struct node *left, struct node *right)
{
    bool integers = left->type == TY_INT && right->type == TY_INT;
    if (lower_has(l, D_ZERO_DIVIDE_NULL) && right->kind != N_NUMBER)
        right = call2(l, "nullif", right, lower_number(l, 0, right));
    else if (lower_has(l, D_ZERO_DIVIDE_NULL) && (str_is(right->text, "0")))
        right = call2(l, "nullif", right, lower_number(l, 0, right));
    if (integers && lower_has(l, D_INTEGER_DIVIDE)) { /* toward zero, as DuckDB's // is */
        bool certain = right->kind == N_NUMBER && !str_is(right->text, "0");
        if (certain || l->id == LANG_SQLITE) /* x / 0 is NULL there, as x // 0 */
            return lower_binary(l, "//", left, right);
        struct node *args[] = {left, right}; /* infinity is no BIGINT: the error that it is there */
        return lower_template(
            l, "CASE WHEN $2 = 0 THEN CAST(trunc($1 / $2) AS BIGINT) ELSE $1 // $2 END", args, 2,
            NULL);
    }
    return lower_binary(l, "/", left, right);
}

/* Bytes in arithmetic are a number in MySQL: 0x41 + 0 = 65. */
static struct node *number_of_bytes(struct lower *l, struct node *node)
{
    if (node->kind != N_BLOB || l->id != LANG_MYSQL || node->text.len > 15)
        return node;
    int64_t value = 0;
    for (size_t i = 0; i < node->text.len; i++) {
        int c = node->text.data[i] | 32;
        value = value * 16 + (c <= '9' ? c - '0' : c - 'a' + 10);
    }
    return lower_number(l, value, node);
}

static struct node *text_number(struct lower *l, struct node *node)
{
    node = number_of_bytes(l, node);
    if (node->kind == N_STRING && (l->id == LANG_MYSQL || l->id == LANG_SQLITE))
        return lower_cast(l, node, "DOUBLE");
    return node;
}

static bool is_temporal(uint8_t type)
{
    return type == TY_DATE || type == TY_TIMESTAMP || type == TY_TIMESTAMPTZ || type == TY_TIME;
}

static struct node *arithmetic(struct lower *l, struct str op, struct node *left,
                               struct node *right)
{
    char c = op.data[0];
    if (c == '+' && l->id == LANG_TSQL && (left->type == TY_TEXT || right->type == TY_TEXT))
        return lower_binary(l, "||", left, right);
    if (right->type == TY_INTERVAL || left->type == TY_INTERVAL) {
        if (left->kind == N_STRING)
            left = lower_cast(l, left, left->text.len <= 10 ? "DATE" : "TIMESTAMP");
    } else if (!is_temporal(left->type) && !is_temporal(right->type)) {
        left = text_number(l, left);
        right = text_number(l, right);
    }
    if (c == '/' && op.len == 1)
        return divide(l, left, right);
    const char *text = arena_printf(l->arena, "%.*s", STR_ARG(op));
    return lower_binary(l, text ? text : "", left, right);
}

/* ---- JSON ---- */

static struct node *json_step(struct lower *l, struct node *path)
{
    struct node *args[] = {path};
    return lower_template(l, "_path($1)", args, 1, NULL);
}

static struct node *json_arrow(struct lower *l, const char *op, struct node *left,
                               struct node *right)
{
    if (right->kind == N_STRING || (right->kind == N_NUMBER))
        right = json_step(l, right);
    return lower_binary(l, op, left, right);
}

/* '{a,0,b}' of #> and #>> as a path */
static struct node *json_deep(struct lower *l, const char *op, struct node *left,
                              struct node *right)
{
    if (right->kind != N_STRING || right->text.len < 2 || right->text.data[0] != '{') {
        lower_unsupported(l, right, STR("path"), "no translation of a computed JSON");
        return left;
    }
    struct node *parts[32];
    size_t count = 0;
    struct str rest = str_make(right->text.data + 1, right->text.len - 2), part;
    while (count < 32 && str_split(&rest, ',', &part)) {
        parts[count] = lower_text(l, N_STRING, str_trim(part), right);
        count++;
    }
    struct node *args[] = {left};
    struct node *path = lower_node(l, N_CALL, "_paths", CALL_SLOTS, right);
    if (l->status != STATUS_OK)
        return path;
    path->kids[CALL_ARGS] = lower_list_of(l, N_LIST, parts, count, right);
    struct str template =
        str_of(op[1] == '>' && op[2] ? "$1 ->> _paths(_rest(2))" : "$1 -> _paths(_rest(2))");
    struct node *all[33];
    all[0] = args[0];
    for (size_t i = 0; i < count; i++)
        all[i + 1] = parts[i];
    return lower_template(l, template.data, all, count + 1, NULL);
}

/* ---- patterns ---- */

static struct node *regex(struct lower *l, struct node *left, struct node *right, bool nocase,
                          bool negated, bool whole)
{
    struct node *args[] = {left, right, nocase ? lower_string(l, "i", right) : NULL};
    struct node *call = lower_call_of(l, whole ? "regexp_full_match" : "regexp_matches", args,
                                      nocase ? 3 : 2, left);
    return negated ? negate(l, call) : call;
}

static struct node *like_node(struct lower *l, const char *op, struct node *left,
                              struct node *right, bool negated)
{
    struct node *node = lower_node(l, N_LIKE, op, 3, left);
    if (l->status != STATUS_OK)
        return node;
    node->kids[0] = left;
    node->kids[1] = right;
    if (negated)
        node->flags |= NODE_NOT;
    bool escapes = l->id != LANG_DUCKDB && l->id != LANG_SQLITE && l->id != LANG_TSQL &&
                   l->id != LANG_ORACLE && l->id != LANG_SNOWFLAKE && l->id != LANG_PRESTO &&
                   l->id != LANG_TRINO;
    if (escapes && right->kind == N_STRING && memchr(right->text.data, '\\', right->text.len) &&
        op[0] != 'G')
        node->kids[2] = lower_string(l, "\\", right);
    return finish(l, node);
}

static struct node *lower_like(struct lower *l, const struct node *node)
{
    struct node *left = lower_tree(l, kid(node, 0)), *right = lower_tree(l, kid(node, 1)),
                *escape = lower_tree(l, kid(node, 2));
    if (l->status != STATUS_OK)
        return left;
    bool negated = node->flags & NODE_NOT;
    if (str_is(node->text, "RLIKE"))
        return regex(l, left, right, false, negated, l->id == LANG_SNOWFLAKE);
    const char *op =
        str_is(node->text, "LIKE") && lower_has(l, D_LIKE_NOCASE) ? "ILIKE" : node->text.data;
    struct node *like = like_node(l, op, left, right, negated);
    if (escape && l->status == STATUS_OK)
        like->kids[2] = escape;
    return like;
}

/* ---- binary ---- */

static struct node *exclusive_or(struct lower *l, struct node *a, struct node *b)
{
    struct node *left = lower_binary(l, "AND", a, negate(l, b));
    struct node *right = lower_binary(l, "AND", negate(l, a), b);
    return lower_binary(l, "OR", left, right);
}

static struct node *distinct_from(struct lower *l, struct node *left, struct node *right,
                                  bool negated)
{
    struct node *node = lower_node(l, N_IS, "DISTINCT FROM", 2, left);
    if (l->status != STATUS_OK)
        return node;
    node->kids[0] = left;
    node->kids[1] = right;
    if (negated)
        node->flags |= NODE_NOT;
    return finish(l, node);
}

static struct node *regex_operator(struct lower *l, struct str op, struct node *left,
                                   struct node *right)
{
    if (l->id == LANG_DUCKDB && !str_ends(op, STR("*")))
        return NULL;
    bool negated = op.data[0] == '!';
    return regex(l, left, right, op.data[op.len - 1] == '*', negated, false);
}

/* Containment: on lists DuckDB has the operator; on JSON there is a function. */
static struct node *contains(struct lower *l, struct node *outer, struct node *inner)
{
    bool lists = outer->type == TY_LIST || inner->type == TY_LIST;
    if (lists || l->id == LANG_DUCKDB)
        return lower_binary(l, "@>", outer, inner);
    return call2(l, "json_contains", outer, inner);
}

static struct node *special_binary(struct lower *l, struct str op, struct node *left,
                                   struct node *right)
{
    if (str_is(op, "XOR"))
        return exclusive_or(l, left, right);
    if (str_is(op, "<=>"))
        return distinct_from(l, left, right, true);
    if (str_is(op, "DIV")) {
        struct node *args[] = {left, right};
        return lower_template(l, "CAST(trunc($1 / nullif($2, 0)) AS BIGINT)", args, 2, NULL);
    }
    if (str_is(op, "#") || (str_is(op, "^") && !lower_has(l, D_CARET_POWER)))
        return call2(l, "xor", left, right);
    if (str_is(op, "^"))
        return lower_binary(l, "**", left, right);
    if (str_is(op, "~") || str_is(op, "~*") || str_is(op, "!~") || str_is(op, "!~*"))
        return regex_operator(l, op, left, right);
    if (str_is(op, "~~"))
        return like_node(l, "LIKE", left, right, false);
    if (str_is(op, "!~~"))
        return like_node(l, "LIKE", left, right, true);
    if (str_is(op, "~~*"))
        return like_node(l, "ILIKE", left, right, false);
    if (str_is(op, "!~~*"))
        return like_node(l, "ILIKE", left, right, true);
    if (str_is(op, "->") || str_is(op, "->>"))
        return l->id == LANG_DUCKDB ? NULL : json_arrow(l, op.len == 2 ? "->" : "->>", left, right);
    if (str_is(op, ":"))
        return json_arrow(l, "->", left, right);
    if (str_is(op, "#>") || str_is(op, "#>>"))
        return json_deep(l, op.len == 2 ? "#>" : "#>>", left, right);
    if (str_is(op, "@>"))
        return contains(l, left, right);
    if (str_is(op, "<@"))
        return l->id == LANG_DUCKDB || left->type == TY_LIST || right->type == TY_LIST
                   ? NULL
                   : contains(l, right, left);
    if (str_is(op, "||") && left->type == TY_LIST &&
        (type_is_number(right->type) || right->type == TY_BOOL))
        return call2(l, "list_append", left, right);
    if (str_is(op, "||") && right->type == TY_LIST &&
        (type_is_number(left->type) || left->type == TY_BOOL))
        return call2(l, "list_prepend", left, right);
    if (str_is(op, "?"))
        return call2(l, "json_exists", left, json_step(l, right));
    if (str_is(op, "?|") || str_is(op, "?&") || str_is(op, "#-")) {
        lower_unsupported(l, left, op, "no translation of the operator");
        return left;
    }
    return NULL;
}

static struct node *lower_operator(struct lower *l, const struct node *node)
{
    struct node *left = lower_tree(l, node->kids[0]), *right = lower_tree(l, node->kids[1]);
    if (l->status != STATUS_OK)
        return left;
    struct str op = node->text;
    struct node *special = special_binary(l, op, left, right);
    if (special || l->status != STATUS_OK)
        return special ? special : left;
    if ((op.len == 1 && strchr("+-*/%", op.data[0])) || str_is(op, "//"))
        return arithmetic(l, op, left, right);
    struct node *copy = lower_node(l, N_BINARY, "", 2, node);
    if (l->status != STATUS_OK)
        return copy;
    copy->text = op;
    copy->kids[0] = left;
    copy->kids[1] = right;
    return finish(l, copy);
}

/* ---- the rest ---- */

static struct node *lower_unary(struct lower *l, const struct node *node)
{
    struct node *operand = lower_tree(l, node->kids[0]);
    if (l->status != STATUS_OK)
        return operand;
    if (str_is(node->text, "|/"))
        return lower_call_of(l, "sqrt", &operand, 1, node);
    if (str_is(node->text, "||/"))
        return lower_call_of(l, "cbrt", &operand, 1, node);
    if (str_is(node->text, "@"))
        return lower_call_of(l, "abs", &operand, 1, node);
    struct node *copy = lower_shallow(l, node);
    if (l->status == STATUS_OK)
        copy->kids[0] = operand;
    return finish(l, copy);
}

/* x BETWEEN SYMMETRIC a AND b */
static struct node *lower_between(struct lower *l, const struct node *node)
{
    struct node *copy = lower_copy(l, node);
    if (l->status != STATUS_OK || !(node->flags & NODE_SYMMETRIC))
        return finish(l, copy);
    copy->flags &= ~(uint32_t)(NODE_SYMMETRIC | NODE_NOT);
    struct node *other = lower_shallow(l, copy);
    if (l->status != STATUS_OK)
        return copy;
    other->kids[1] = copy->kids[2];
    other->kids[2] = copy->kids[1];
    struct node *both = lower_binary(l, "OR", finish(l, copy), finish(l, other));
    return node->flags & NODE_NOT ? negate(l, both) : both;
}

/* x LIKE ANY (a, b): OR of them; x = ANY (list) stays. */
static struct node *lower_quantified(struct lower *l, const struct node *node)
{
    struct node *left = lower_tree(l, node->kids[0]), *right = lower_tree(l, node->kids[1]);
    if (l->status != STATUS_OK)
        return left;
    bool all = str_ends(node->text, STR("ALL"));
    struct str op = str_make(node->text.data, node->text.len - 4);
    bool like = str_starts(op, STR("LIKE")) || str_starts(op, STR("ILIKE"));
    const struct node *list = right;
    if (list->kind == N_LIST && list->count == 1 && list->kids[0]->kind == N_ARRAY)
        list = list->kids[0];
    if (!like && list->kind == N_LIST && list->count == 1 && right->kind == N_LIST) {
        struct node *copy = lower_shallow(l, node);
        if (l->status == STATUS_OK) {
            copy->kids[0] = left;
            copy->kids[1] = right;
        }
        return finish(l, copy);
    }
    if (!like || (list->kind != N_LIST && list->kind != N_ARRAY)) {
        if (like) {
            lower_unsupported(l, node, node->text, "no translation of the operator");
            return left;
        }
        struct node *copy = lower_shallow(l, node);
        if (l->status == STATUS_OK) {
            copy->kids[0] = left;
            copy->kids[1] = right;
        }
        return finish(l, copy);
    }
    struct node *sum = NULL;
    for (size_t i = 0; i < list->count && l->status == STATUS_OK; i++) {
        struct node *one =
            like_node(l, op.data[0] == 'I' ? "ILIKE" : "LIKE", left, list->kids[i], false);
        if (node->kids[2] && l->status == STATUS_OK)
            one->kids[2] = lower_tree(l, node->kids[2]);
        sum = sum ? lower_binary(l, all ? "AND" : "OR", sum, one) : one;
    }
    return sum ? sum : left;
}

static struct node *lower_cast_node(struct lower *l, const struct node *node)
{
    struct node *value = lower_tree(l, node->kids[0]), *format = lower_tree(l, kid(node, 2));
    struct node *type = node->kids[1] ? lower_type(l, node->kids[1]) : NULL;
    if (l->status != STATUS_OK)
        return value;
    if (format) { /* CAST(x AS t FORMAT 'f'), CONVERT(t, x, style) */
        struct node *args[] = {value, format, type};
        lower_hook *hook = lower_hook_find("cast_format");
        struct node *result = hook ? hook(l, (struct node *)node, args, 3) : NULL;
        if (result)
            return result;
    }
    struct node *copy = lower_shallow(l, node);
    if (l->status != STATUS_OK)
        return copy;
    copy->kids[0] = value;
    copy->kids[1] = type;
    copy->kids[2] = NULL;
    if (lower_has(l, D_TRY_CAST) && !(node->flags & NODE_NO_PARENS))
        copy->flags |= NODE_TRY;
    if (type && str_is(type->text, "JSON") && value->kind == N_STRING && l->id == LANG_BIGQUERY)
        return lower_call_of(l, "json", &value, 1, node);
    return finish(l, copy);
}

static struct node *lower_index(struct lower *l, const struct node *node)
{
    struct node *base = lower_tree(l, node->kids[0]), *index = NULL;
    const struct node *at = node->kids[1];
    bool from_0 = lower_has(l, D_INDEX_FROM_0);
    bool named =
        at && at->kind == N_CALL &&
        (str_eq_nocase(at->text, STR("offset")) || str_eq_nocase(at->text, STR("safe_offset")) ||
         str_eq_nocase(at->text, STR("ordinal")) || str_eq_nocase(at->text, STR("safe_ordinal")));
    if (named && l->id == LANG_BIGQUERY) {
        from_0 = str_eq_nocase(str_make(at->text.data + at->text.len - 6, 6), STR("offset"));
        at = kid(kid(at, CALL_ARGS), 0);
    }
    index = lower_tree(l, at);
    if (l->status != STATUS_OK)
        return base;
    if (base->type == TY_JSON && index->kind != N_STRING)
        return lower_binary(l, "->", base, json_step(l, index));
    if (index->kind == N_STRING && (l->id == LANG_SNOWFLAKE || l->id == LANG_DATABRICKS))
        return lower_binary(l, "->", base, json_step(l, index));
    if (from_0 && index->type != TY_TEXT) {
        struct node *args[] = {index};
        index = lower_template(l, "_index($1)", args, 1, NULL);
    }
    struct node *copy = lower_node(l, N_INDEX, "", 2, node);
    if (l->status == STATUS_OK) {
        copy->kids[0] = base;
        copy->kids[1] = index;
    }
    return copy;
}

/* STRUCT-like rows with names: (1 AS a) */
static struct node *lower_row(struct lower *l, const struct node *node)
{
    struct node *copy = lower_copy(l, node);
    bool named = copy->count > 0;
    for (size_t i = 0; i < copy->count && l->status == STATUS_OK; i++)
        named = named && copy->kids[i] && copy->kids[i]->kind == N_NAMED;
    if (!named || l->status != STATUS_OK)
        return finish(l, copy);
    copy->kind = N_STRUCT;
    for (size_t i = 0; i < copy->count && l->status == STATUS_OK; i++) {
        struct node *pair = lower_node(l, N_PAIR, "", 2, node);
        if (l->status != STATUS_OK)
            break;
        pair->kids[0] = lower_text(l, N_STRING, copy->kids[i]->text, node);
        pair->kids[1] = copy->kids[i]->kids[0];
        copy->kids[i] = pair;
    }
    return finish(l, copy);
}

static struct node *lower_in(struct lower *l, const struct node *node)
{
    struct node *copy = lower_copy(l, node);
    if (l->status != STATUS_OK)
        return copy;
    const struct node *set = copy->kids[1];
    if (node_is(set, N_CALL) && str_eq_nocase(set->text, STR("unnest"))) { /* x IN UNNEST(list) */
        struct node *args[] = {copy->kids[0], kid(kid(set, CALL_ARGS), 0)};
        struct node *has =
            lower_template(l,
                           "CASE WHEN $2 IS NULL OR array_length($2) = 0 THEN FALSE WHEN "
                           "array_contains($2, $1) THEN TRUE WHEN $1 IS NULL OR array_length($2) "
                           "<> list_count($2) THEN NULL ELSE FALSE END",
                           args, 2, NULL);
        return node->flags & NODE_NOT ? negate(l, has) : has;
    }
    if (list_count(set) == 0 && node_is(set, N_LIST)) { /* IN (): nothing is in it */
        struct node *none =
            lower_node(l, N_BOOL, node->flags & NODE_NOT ? "TRUE" : "FALSE", 0, node);
        return finish(l, none);
    }
    return finish(l, copy);
}

struct node *lower_expr(struct lower *l, const struct node *node)
{
    if (node->flags & NODE_LOWERED)
        return (struct node *)node;
    switch (node->kind) {
    case N_BINARY:
        return lower_operator(l, node);
    case N_UNARY:
        return lower_unary(l, node);
    case N_LIKE:
        return lower_like(l, node);
    case N_BETWEEN:
        return lower_between(l, node);
    case N_QUANTIFIED:
        return lower_quantified(l, node);
    case N_CAST:
        return lower_cast_node(l, node);
    case N_INDEX:
        return lower_index(l, node);
    case N_IN:
        return lower_in(l, node);
    case N_ROW:
        return lower_row(l, node);
    case N_WINDOW: {
        struct node *window = lower_copy(l, node);
        if (l->status == STATUS_OK && node->kids[WINDOW_ORDER])
            window->kids[WINDOW_ORDER] = lower_order(l, node->kids[WINDOW_ORDER]);
        return window;
    }
    case N_COLLATE:
        return lower_tree(l, node->kids[0]);
    case N_REF:
        for (const struct lower_binding *b = l->bindings; b; b = b->outer) {
            if (node->count == 1 && str_eq(node->kids[0]->text, b->name))
                return b->value;
        }
        return finish(l, lower_copy(l, node));
    case N_PARAM:
        if (node->text.data && node->text.data[0] == '@')
            lower_unsupported(l, node, node->text, "no value for the variable");
        return lower_shallow(l, node);
    default:
        return finish(l, lower_copy(l, node));
    }
}

/* declare.c: types and defaults of declared columns, as a source can have them. */
#include <stdio.h>

#include "query/lang/change.h"
#include "query/lang/lower_int.h"
#include "query/lang/token.h"
#include "query/lang/write_int.h"

/* "DECIMAL(18,2)": whole numbers of at most 18 digits fit into int64. */
static bool is_whole_decimal(struct str name)
{
    const char *paren = memchr(name.data, '(', name.len);
    if (!paren)
        return false;
    struct str rest = str_make(paren + 1, name.len - (size_t)(paren + 1 - name.data)), width;
    int64_t digits = 0, scale = 0;
    rest.len -= rest.len && rest.data[rest.len - 1] == ')';
    if (!str_split(&rest, ',', &width) || !str_to_int64(str_trim(width), &digits))
        return false;
    rest = str_trim(rest);
    return digits <= 18 && (rest.len == 0 || (str_to_int64(rest, &scale) && scale == 0));
}

static bool starts(struct str name, const char *word)
{
    size_t len = strlen(word);
    return name.len >= len && str_eq_nocase(str_make(name.data, len), str_of(word));
}

bool lang_named_type(struct str name, enum type *ret, bool *ret_loses)
{
    *ret_loses = false;
    if (str_ends(name, STR("]")) || starts(name, "STRUCT") || starts(name, "MAP")) {
        *ret = TYPE_JSON;
        return true;
    }
    switch (lower_type_of(name)) {
    case TY_BOOL:
        *ret = TYPE_BOOL;
        return true;
    case TY_INT:
        *ret = TYPE_INT64;
        return true;
    case TY_DECIMAL:
        *ret = is_whole_decimal(name) ? TYPE_INT64 : TYPE_DOUBLE;
        *ret_loses = *ret == TYPE_DOUBLE;
        return true;
    case TY_DOUBLE:
        *ret = TYPE_DOUBLE;
        return true;
    case TY_TEXT:
        *ret = TYPE_STRING;
        return true;
    case TY_DATE:
        *ret = TYPE_DATE;
        return true;
    case TY_TIMESTAMP:
    case TY_TIMESTAMPTZ:
        *ret = TYPE_TIMESTAMP;
        return true;
    case TY_JSON:
    case TY_LIST:
    case TY_STRUCT:
    case TY_MAP:
        *ret = TYPE_JSON;
        return true;
    default:
        *ret = TYPE_STRING;
        return str_eq_nocase(name, STR("UUID")) || starts(name, "ENUM");
    }
}

static enum status unsupported(const struct lang_query *query, const struct node *at,
                               struct str what, const char *why, struct lang_problem *problem)
{
    *problem = (struct lang_problem){.code = LANG_UNSUPPORTED, .offset = at ? at->offset : 0};
    snprintf(problem->found, sizeof problem->found, "%.*s",
             what.len < LANG_NAME_MAX ? (int)what.len : LANG_NAME_MAX - 1, what.data);
    snprintf(problem->message, sizeof problem->message, "%s '%s'", why, problem->found);
    problem_place(problem, query->text);
    return STATUS_INVALID_SQL;
}

enum status lang_declared_type(struct arena *arena, const struct lang_query *query,
                               const struct node *type, enum type *ret, bool *ret_loses,
                               struct lang_problem *problem)
{
    struct lower l = {.arena = arena,
                      .dialect = dialect_of(query->dialect),
                      .id = query->dialect,
                      .text = query->text,
                      .problem = problem};
    struct buf name;
    struct node *lowered = lower_type(&l, type);
    if (l.status != STATUS_OK) {
        problem_place(problem, query->text);
        return l.status;
    }
    buf_init(&name, 4096);
    struct writer w = {.arena = arena,
                       .out = &name,
                       .target = &target_duckdb,
                       .id = LANG_DUCKDB,
                       .problem = problem};
    emit_type(&w, lowered);
    bool known = w.status == STATUS_OK && !buf_failed(&name) &&
                 lang_named_type(buf_str(&name), ret, ret_loses);
    enum status status =
        known ? STATUS_OK
              : unsupported(query, type, type->text, "a source has no columns of type", problem);
    buf_release(&name);
    return status;
}

enum status lang_literal_json(const struct lang_query *query, const struct node *node,
                              struct buf *out, struct lang_problem *problem)
{
    struct json_writer w;
    const struct node *value = node;
    bool minus = node_is(node, N_UNARY) && str_is(node->text, "-");
    if (minus || node_is(node, N_CAST))
        value = node->kids[0];
    json_writer_init(&w, out);
    if (node_is(value, N_NULL_))
        json_null(&w);
    else if (node_is(value, N_BOOL))
        json_bool(&w, str_eq_nocase(value->text, STR("TRUE")));
    else if (node_is(value, N_STRING) && !minus)
        json_string(&w, value->text);
    else if (node_is(value, N_NUMBER))
        buf_printf(out, "%s%.*s", minus ? "-" : "", STR_ARG(value->text));
    else
        return unsupported(query, node, node_is(node, N_CALL) ? node->text : STR("expression"),
                           "a default is a literal, not this", problem);
    return buf_failed(out) ? STATUS_NO_MEMORY : STATUS_OK;
}

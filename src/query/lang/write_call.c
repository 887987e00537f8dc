/* write_call.c: functions, windows and types for a target. */
#include <stdlib.h>

#include "query/lang/dialect.h"
#include "query/lang/token.h"
#include "query/lang/write_int.h"

/* ---- types ---- */

static void write_type_parameters(struct writer *w, const struct node *type, const char *open,
                                  const char *close)
{
    if (type->count == 0)
        return;
    emit_text(w, open);
    for (size_t i = 0; i < type->count; i++) {
        const struct node *item = type->kids[i];
        if (i)
            emit_text(w, ", ");
        if (item->kind == N_TYPE_FIELD) {
            emit_name(w, item->text, item->flags & NODE_QUOTED);
            emit_text(w, " ");
            emit_type(w, item->kids[0]);
        } else {
            emit_node(w, item, 0);
        }
    }
    emit_text(w, close);
}

static const char *target_type(const struct writer *w, struct str name)
{
    for (const struct type_row *row = w->target->types; row && row->name; row++) {
        if (str_is(name, row->name))
            return row->to;
    }
    return "+";
}

void emit_type(struct writer *w, const struct node *type)
{
    if (!type)
        return;
    if (str_is(type->text, "[]")) {
        if (emit_is(w, LANG_TRINO) || emit_is(w, LANG_CLICKHOUSE)) {
            emit_text(w, "Array(");
            emit_type(w, type->kids[0]);
            emit_text(w, ")");
            return;
        }
        emit_type(w, type->kids[0]);
        emit_text(w, "[");
        if (type->count > 1)
            emit_node(w, type->kids[1], 0);
        emit_text(w, "]");
        return;
    }
    const char *to = w->target->canonical ? "+" : target_type(w, type->text);
    if (!to) {
        emit_unsupported(w, type, type->text);
        return;
    }
    if (to[0] == '+') {
        emit_str(w, type->text);
        write_type_parameters(w, type, "(", ")");
        return;
    }
    size_t len = strlen(to);
    if (len > 3 && strcmp(to + len - 3, "(+)") == 0) {
        emit_str(w, str_make(to, len - 3));
        write_type_parameters(w, type, "(", ")");
        return;
    }
    emit_text(w, to);
}

/* ---- windows ---- */

void emit_order(struct writer *w, const struct node *list)
{
    for (size_t i = 0; i < list_count(list); i++) {
        const struct node *order = list->kids[i];
        if (i)
            emit_text(w, ", ");
        if (order->flags & NODE_ALL)
            emit_text(w, "ALL");
        else
            emit_node(w, order->kids[0], 0);
        if (order->flags & NODE_DESC)
            emit_text(w, " DESC");
        if (emit_is(w, LANG_MYSQL)) { /* it has no NULLS FIRST; its own order is small */
            bool first = order->flags & NODE_NULLS_FIRST;
            if (first == ((order->flags & NODE_DESC) != 0))
                emit_unsupported(w, order, STR("this order of nulls"));
            continue;
        }
        if (order->flags & NODE_NULLS_FIRST)
            emit_text(w, " NULLS FIRST");
        else if ((order->flags & NODE_NULLS_LAST) && !(emit_is(w, LANG_DUCKDB)))
            emit_text(w, " NULLS LAST");
    }
}

static void write_bound(struct writer *w, const struct node *bound)
{
    if (bound->kids[0]) {
        emit_node(w, bound->kids[0], 60);
        emit_text(w, " ");
    }
    emit_str(w, bound->text);
}

void emit_window(struct writer *w, const struct node *window)
{
    if (window->flags & NODE_NO_PARENS) {
        emit_node(w, window->kids[WINDOW_BASE], 0);
        return;
    }
    const char *gap = "";
    emit_text(w, "(");
    if (window->kids[WINDOW_BASE]) {
        emit_node(w, window->kids[WINDOW_BASE], 0);
        gap = " ";
    }
    if (window->kids[WINDOW_PARTITION]) {
        emit_text(w, gap);
        emit_text(w, "PARTITION BY ");
        emit_list(w, window->kids[WINDOW_PARTITION]);
        gap = " ";
    }
    if (window->kids[WINDOW_ORDER]) {
        emit_text(w, gap);
        emit_text(w, "ORDER BY ");
        emit_order(w, window->kids[WINDOW_ORDER]);
        gap = " ";
    }
    if (window->kids[WINDOW_START]) {
        emit_text(w, gap);
        emit_str(w, window->text);
        emit_text(w, window->kids[WINDOW_END] ? " BETWEEN " : " ");
        write_bound(w, window->kids[WINDOW_START]);
        if (window->kids[WINDOW_END]) {
            emit_text(w, " AND ");
            write_bound(w, window->kids[WINDOW_END]);
        }
    }
    emit_text(w, ")");
}

/* ---- calls ---- */

static void write_upper(struct writer *w, struct str name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.data[i];
        buf_append_char(w->out, (char)(c >= 'a' && c <= 'z' ? c - 32 : c));
    }
}

static void write_arguments(struct writer *w, const struct node *call)
{
    const struct node *args = call->kids[CALL_ARGS];
    emit_text(w, "(");
    if (call->flags & NODE_DISTINCT)
        emit_text(w, "DISTINCT ");
    emit_list(w, args);
    if (call->kids[CALL_ORDER]) {
        emit_text(w, list_count(args) ? " ORDER BY " : "ORDER BY ");
        emit_order(w, call->kids[CALL_ORDER]);
    }
    if (call->kids[CALL_SEPARATOR]) {
        emit_text(w, " SEPARATOR ");
        emit_node(w, call->kids[CALL_SEPARATOR], 0);
    }
    if (call->kids[CALL_LIMIT]) {
        emit_text(w, " LIMIT ");
        emit_node(w, call->kids[CALL_LIMIT], 0);
    }
    if (call->flags & NODE_IGNORE_NULLS)
        emit_text(w, " IGNORE NULLS");
    if (call->flags & NODE_RESPECT_NULLS)
        emit_text(w, " RESPECT NULLS");
    emit_text(w, ")");
}

static int compare_name(const void *key, const void *item)
{
    return strcmp(key, *(const char *const *)item);
}

static bool is_same(const struct writer *w, struct str name)
{
    char folded[64];
    if (name.len >= sizeof folded)
        return false;
    for (size_t i = 0; i < name.len; i++)
        folded[i] =
            (char)(name.data[i] >= 'A' && name.data[i] <= 'Z' ? name.data[i] + 32 : name.data[i]);
    folded[name.len] = 0;
    return bsearch(folded, w->target->same, w->target->same_count, sizeof *w->target->same,
                   compare_name) != NULL;
}

/* A row's template is text of the target with $1.. for arguments and $* for all. */
static void write_template(struct writer *w, const char *text, const struct node *args)
{
    for (const char *c = text; *c; c++) {
        if (*c != '$') {
            buf_append_char(w->out, *c);
        } else if (c[1] == '*') {
            emit_list(w, args);
            c++;
        } else {
            size_t i = (size_t)(c[1] - '1');
            emit_node(w, kid(args, i), 60);
            c++;
        }
    }
}

static bool write_by_row(struct writer *w, const struct node *call)
{
    const struct node *args = call->kids[CALL_ARGS];
    int count = (int)list_count(args);
    for (const struct fn_row *row = w->target->functions; row && row->name; row++) {
        if (!str_eq_nocase(call->text, str_of(row->name)) || count < row->min ||
            (row->max >= 0 && count > row->max))
            continue;
        if (!row->to)
            return false;
        bool modified = (call->flags & NODE_DISTINCT) || call->kids[CALL_ORDER] ||
                        call->kids[CALL_FILTER] || call->kids[CALL_OVER];
        bool name_only = !strchr(row->to, '$') && !strchr(row->to, '(') && !strchr(row->to, ' ');
        if (name_only) {
            emit_text(w, row->to);
            write_arguments(w, call);
            return true;
        }
        if (modified)
            return false;
        write_template(w, row->to, args);
        return true;
    }
    return false;
}

static void write_suffixes(struct writer *w, const struct node *call)
{
    if (call->kids[CALL_WITHIN]) {
        emit_text(w, " WITHIN GROUP (ORDER BY ");
        emit_order(w, call->kids[CALL_WITHIN]);
        emit_text(w, ")");
    }
    if (call->kids[CALL_FILTER]) {
        emit_text(w, " FILTER (WHERE ");
        emit_node(w, call->kids[CALL_FILTER], 0);
        emit_text(w, ")");
    }
    if (call->kids[CALL_OVER]) {
        emit_text(w, " OVER ");
        emit_window(w, call->kids[CALL_OVER]);
    }
}

/* Functions that are written without parentheses. */
static bool is_bare(struct str name)
{
    static const char *const names[] = {"current_date", "current_time", "current_timestamp",
                                        "localtime", "localtimestamp"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (str_eq_nocase(name, str_of(names[i])))
            return true;
    }
    return false;
}

void emit_call(struct writer *w, const struct node *call)
{
    bool checked = !w->target->canonical && w->target != &target_duckdb;
    if (checked && write_by_row(w, call)) {
        write_suffixes(w, call);
        return;
    }
    if (checked && !is_same(w, call->text)) {
        emit_unsupported(w, call, call->text);
        return;
    }
    write_upper(w, call->text);
    if (call->kids[CALL_PARAMETERS]) {
        emit_text(w, "(");
        emit_list(w, call->kids[CALL_PARAMETERS]);
        emit_text(w, ")");
    }
    if (list_count(call->kids[CALL_ARGS]) == 0 &&
        ((call->flags & NODE_NO_PARENS) || is_bare(call->text)))
        return;
    write_arguments(w, call);
    write_suffixes(w, call);
}

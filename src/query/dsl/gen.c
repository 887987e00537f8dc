/* gen.c: the pieces of SQL: quoting, parameters, paths, expressions.
 *
 * Failures (memory, length) are kept in the buffer and in `failed`, and looked at once at the end.
 */
#include "query/dsl/dsl_int.h"

void dsl_gen_text(struct dsl_gen *g, const char *text)
{
    buf_append_str(&g->sql, str_of(text));
}

static void dsl_gen_quoted(struct dsl_gen *g, struct str text, char quote)
{
    buf_append_char(&g->sql, quote);
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == quote)
            buf_append_char(&g->sql, quote);
        buf_append_char(&g->sql, text.data[i]);
    }
    buf_append_char(&g->sql, quote);
}

void dsl_gen_identifier(struct dsl_gen *g, struct str name)
{
    dsl_gen_quoted(g, name, '"');
}

void dsl_gen_literal(struct dsl_gen *g, struct str text)
{
    dsl_gen_quoted(g, text, '\'');
}

/* --- lists of what was used --- */

static void *grow(struct dsl_gen *g, void *items, uint32_t len, uint32_t *cap, size_t size)
{
    if (len < *cap)
        return items;
    uint32_t more = *cap ? *cap * 2 : 16;
    void *larger = arena_array(g->arena, more, size);
    if (!larger) {
        g->failed = true;
        return NULL;
    }
    if (len)
        memcpy(larger, items, len * size);
    *cap = more;
    return larger;
}

static void note(struct dsl_gen *g, struct str **list, uint32_t *len, uint32_t *cap,
                 struct str name)
{
    for (uint32_t i = 0; i < *len; i++)
        if (str_eq((*list)[i], name))
            return;
    struct str *items = grow(g, *list, *len, cap, sizeof *items);
    if (!items)
        return;
    *list = items;
    items[(*len)++] = name;
}

void dsl_gen_note_function(struct dsl_gen *g, struct str name)
{
    note(g, &g->functions, &g->functions_len, &g->functions_cap, name);
}

static void note_column(struct dsl_gen *g, const struct dsl_path *path)
{
    struct str name = path->column;
    if (path->table && g->qualify)
        name = str_of(arena_printf(g->arena, "%.*s.%.*s", STR_ARG(path->table->alias),
                                   STR_ARG(path->column)));
    if (name.data)
        note(g, &g->columns, &g->columns_len, &g->columns_cap, name);
}

/* --- parameters --- */

uint32_t dsl_gen_parameter(struct dsl_gen *g, const struct dsl_expr *expr, struct str json)
{
    struct dsl_parameter *items =
        grow(g, g->parameters, g->parameters_len, &g->parameters_cap, sizeof *items);
    if (!items)
        return 0;
    g->parameters = items;
    items[g->parameters_len] = (struct dsl_parameter){.name = expr ? expr->param : STR_NONE,
                                                      .open = expr && expr->kind == EXPR_OPEN,
                                                      .json = json};
    return ++g->parameters_len;
}

void dsl_gen_parameter_ref(struct dsl_gen *g, uint32_t number, enum dsl_type cast)
{
    if (cast == DSL_ANY)
        buf_printf(&g->sql, "$%u", number);
    else
        buf_printf(&g->sql, "CAST($%u AS %s)", number, dsl_type_sql(cast));
}

/* The literal as JSON text, in the arena. */
struct str dsl_gen_json_of(struct dsl_gen *g, const struct dsl_expr *expr)
{
    struct buf buf;
    struct json_writer w;
    buf_init(&buf, 8 << 20);
    json_writer_init(&w, &buf);
    if (expr->kind == EXPR_BOOL)
        json_bool(&w, expr->boolean);
    else if (expr->kind == EXPR_INT && !expr->text.data)
        json_int(&w, expr->integer);
    else if (expr->kind == EXPR_REAL)
        json_double(&w, expr->real);
    else if (expr->kind == EXPR_TEXT || expr->kind == EXPR_INT)
        json_string(&w, expr->text);
    else
        json_null(&w);
    struct str json = arena_str(g->arena, buf_str(&buf));
    g->failed = g->failed || buf_failed(&buf) || !json.data;
    buf_release(&buf);
    return json;
}

/* Reals that happen to be whole are bound as whole numbers, dates as text: then a cast says what is
 * meant. */
static enum dsl_type needed_cast(const struct dsl_expr *expr, enum dsl_type type)
{
    if (expr->kind == EXPR_NULL || expr->kind == EXPR_OPEN)
        return DSL_ANY;
    if (type == DSL_DOUBLE || type == DSL_DATE || type == DSL_TIMESTAMP)
        return type;
    return DSL_ANY;
}

void dsl_gen_value(struct dsl_gen *g, const struct dsl_expr *expr, enum dsl_type type)
{
    uint32_t number = dsl_gen_parameter(g, expr, dsl_gen_json_of(g, expr));
    if (expr->kind == EXPR_INT && expr->text.data) /* wider than the wire's integers */
        buf_printf(&g->sql, "CAST($%u AS HUGEINT)", number);
    else
        dsl_gen_parameter_ref(g, number, needed_cast(expr, type));
}

/* --- paths --- */

bool dsl_path_is_json(const struct dsl_path *path)
{
    return !path->output && (path->type == DSL_JSON || path->json_from < path->len);
}

bool dsl_path_has_all(const struct dsl_path *path)
{
    for (uint32_t i = path->json_from; i < path->len; i++)
        if (path->steps[i].kind == STEP_ALL)
            return true;
    return false;
}

void dsl_gen_column(struct dsl_gen *g, const struct dsl_path *path)
{
    if (g->qualify && path->table) {
        dsl_gen_identifier(g, path->table->alias);
        dsl_gen_text(g, ".");
    }
    dsl_gen_identifier(g, path->column);
    note_column(g, path);
}

/* RFC 6901; a whole number indexes an array. */
static void append_pointer(struct buf *buf, const struct dsl_path *path)
{
    for (uint32_t i = path->json_from; i < path->len; i++) {
        const struct dsl_step *step = &path->steps[i];
        buf_append_char(buf, '/');
        if (step->kind == STEP_INDEX)
            buf_printf(buf, "%lld", (long long)step->index);
        for (size_t k = 0; step->kind == STEP_NAME && k < step->name.len; k++) {
            char c = step->name.data[k];
            if (c == '~' || c == '/')
                buf_append_str(buf, c == '~' ? STR("~0") : STR("~1"));
            else
                buf_append_char(buf, c);
        }
    }
}

/* The engine's own notation, which alone knows [*]. */
static void append_wildcards(struct buf *buf, const struct dsl_path *path)
{
    buf_append_char(buf, '$');
    for (uint32_t i = path->json_from; i < path->len; i++) {
        const struct dsl_step *step = &path->steps[i];
        if (step->kind == STEP_ALL) {
            buf_append_str(buf, STR("[*]"));
        } else if (step->kind == STEP_INDEX) {
            buf_printf(buf, "[%lld]", (long long)step->index);
        } else {
            buf_append_str(buf, STR(".\""));
            for (size_t k = 0; k < step->name.len; k++) {
                if (step->name.data[k] == '"' || step->name.data[k] == '\\')
                    buf_append_char(buf, '\\');
                buf_append_char(buf, step->name.data[k]);
            }
            buf_append_char(buf, '"');
        }
    }
}

void dsl_gen_json_path(struct dsl_gen *g, const struct dsl_path *path, bool elements)
{
    struct buf buf;
    buf_init(&buf, 64 << 10);
    if (elements || dsl_path_has_all(path))
        append_wildcards(&buf, path);
    else
        append_pointer(&buf, path);
    if (elements)
        buf_append_str(&buf, STR("[*]"));
    if (buf.len == 0)
        dsl_gen_literal(g, STR("$"));
    else
        dsl_gen_literal(g, buf_str(&buf));
    g->failed = g->failed || buf_failed(&buf);
    buf_release(&buf);
}

void dsl_gen_json_call(struct dsl_gen *g, const char *function, const struct dsl_path *path)
{
    dsl_gen_text(g, function);
    dsl_gen_text(g, "(");
    dsl_gen_column(g, path);
    dsl_gen_text(g, ", ");
    dsl_gen_json_path(g, path, false);
    dsl_gen_text(g, ")");
}

/* A document's value as it is; JSON null is NULL. */
void dsl_gen_path(struct dsl_gen *g, const struct dsl_path *path)
{
    if (path->output) {
        dsl_gen_output(g, path->output);
    } else if (!dsl_path_is_json(path)) {
        dsl_gen_column(g, path);
    } else if (dsl_path_has_all(path)) {
        dsl_gen_json_call(g, "json_extract", path);
    } else if (path->json_from == path->len) {
        dsl_gen_column(g, path);
    } else {
        dsl_gen_text(g, "CASE WHEN ");
        dsl_gen_json_call(g, "json_type", path);
        dsl_gen_text(g, " <> 'NULL' THEN ");
        dsl_gen_json_call(g, "json_extract", path);
        dsl_gen_text(g, " END");
    }
}

/* A document's value when it is of this type, else NULL. */
void dsl_gen_path_as(struct dsl_gen *g, const struct dsl_path *path, enum dsl_type type)
{
    if (!dsl_path_is_json(path)) {
        dsl_gen_path(g, path);
        return;
    }
    dsl_gen_text(g, "CASE WHEN ");
    dsl_gen_json_call(g, "json_type", path);
    switch (type) {
    case DSL_INT:
    case DSL_DOUBLE:
        dsl_gen_text(g, " IN ('BIGINT', 'UBIGINT', 'HUGEINT', 'DOUBLE') THEN CAST(");
        dsl_gen_json_call(g, "json_extract_string", path);
        dsl_gen_text(g, " AS DOUBLE) END");
        return;
    case DSL_BOOL:
        dsl_gen_text(g, " = 'BOOLEAN' THEN CAST(");
        dsl_gen_json_call(g, "json_extract_string", path);
        dsl_gen_text(g, " AS BOOLEAN) END");
        return;
    case DSL_DATE:
    case DSL_TIMESTAMP:
        dsl_gen_text(g, " = 'VARCHAR' THEN TRY_CAST(");
        dsl_gen_json_call(g, "json_extract_string", path);
        buf_printf(&g->sql, " AS %s) END", dsl_type_sql(type));
        return;
    default:
        dsl_gen_text(g, " = 'VARCHAR' THEN ");
        dsl_gen_json_call(g, "json_extract_string", path);
        dsl_gen_text(g, " END");
    }
}

/* --- expressions --- */

static enum dsl_type arg_type(const struct function_info *f)
{
    static const enum dsl_type types[] = {[ARGS_ANY] = DSL_ANY,
                                          [ARGS_NUMBER] = DSL_DOUBLE,
                                          [ARGS_TEXT] = DSL_STRING,
                                          [ARGS_BOOL] = DSL_BOOL,
                                          [ARGS_TIME] = DSL_TIMESTAMP};
    return f ? types[f->takes] : DSL_ANY;
}

static void dsl_gen_arg(struct dsl_gen *g, const struct function_info *f,
                        const struct dsl_expr *arg)
{
    bool document =
        arg->kind == EXPR_PATH && dsl_path_is_json(arg->path) && !dsl_path_has_all(arg->path);
    if (document && arg_type(f) != DSL_ANY)
        dsl_gen_path_as(g, arg->path, arg_type(f));
    else if (document && arg->path->json_from < arg->path->len)
        dsl_gen_json_call(g, "json_extract_string", arg->path);
    else
        dsl_gen_expr(g, arg, DSL_ANY);
}

/* @ in the template is all arguments, a digit one of them; the rest is SQL of our own. */
static void dsl_gen_call(struct dsl_gen *g, const struct dsl_expr *call)
{
    const struct function_info *f = call->function;
    dsl_gen_note_function(g, call->function_name);
    if (!f)
        dsl_gen_identifier(g, call->function_name);
    for (const char *c = f ? f->sql : "(@)"; *c; c++) {
        if (*c == '@') {
            for (uint32_t i = 0; i < call->args_len; i++) {
                dsl_gen_text(g, i ? ", " : "");
                dsl_gen_arg(g, f, &call->args[i]);
            }
        } else if (*c >= '1' && *c <= '9') {
            dsl_gen_arg(g, f, &call->args[*c - '1']);
        } else {
            buf_append_char(&g->sql, *c);
        }
    }
}

void dsl_gen_expr(struct dsl_gen *g, const struct dsl_expr *expr, enum dsl_type type)
{
    if (expr->kind == EXPR_PATH && type != DSL_ANY && type != DSL_JSON)
        dsl_gen_path_as(g, expr->path, type);
    else if (expr->kind == EXPR_PATH)
        dsl_gen_path(g, expr->path);
    else if (expr->kind == EXPR_CALL)
        dsl_gen_call(g, expr);
    else
        dsl_gen_value(g, expr, type == DSL_ANY ? expr->type : type);
}

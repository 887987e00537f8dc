/* value.c: values and the expressions of select. */
#include "query/dsl/dsl_int.h"

bool dsl_function_named(struct dsl_query *q, const struct dsl_at *at, struct str name,
                        enum function_kind kind, const struct function_info **ret,
                        struct str *ret_name)
{
    struct str rest = str_of(q->options->settings.functions), one;
    *ret = dsl_function_find(kind, name);
    *ret_name = *ret ? str_of((*ret)->name) : name;
    bool listed = !q->options->settings.strict;
    while (!listed && str_split(&rest, ',', &one))
        listed = str_eq_nocase(str_trim(one), name);
    if (listed && (*ret || q->options->settings.custom_functions))
        return true;
    dsl_fail(q, DSL_UNKNOWN_FUNCTION, at, name, dsl_function_words(kind),
             *ret ? "function \"%.*s\" is not among the supported functions"
                  : "there is no function \"%.*s\" here",
             SHOWN(name));
    return false;
}

bool dsl_function_read(struct dsl_query *q, const struct dsl_member *member,
                       enum function_kind kind, const struct function_info **ret,
                       struct str *ret_name)
{
    struct str name = dsl_read_name(q, member);
    return name.data && dsl_function_named(q, member->at, name, kind, ret, ret_name);
}

static bool read_args(struct dsl_query *q, const struct dsl_member *member, uint32_t depth,
                      struct dsl_expr *call)
{
    size_t n = yyjson_arr_size(member->value), i, max;
    yyjson_val *item;
    bool ok = true;
    if (member->value && !yyjson_is_arr(member->value)) {
        dsl_bad(q, member->at, "args is an array");
        return false;
    }
    if (n > DSL_ARGS_MAX) {
        dsl_fail(q, DSL_TOO_MANY_VALUES, member->at, STR_NONE, no_words,
                 "a function takes at most %d arguments", DSL_ARGS_MAX);
        return false;
    }
    call->args = dsl_alloc(q, n, sizeof *call->args);
    if (!call->args)
        return false;
    yyjson_arr_foreach(member->value, i, max, item)
    {
        ok =
            dsl_expr_read(q, dsl_at_index(q, member->at, i), item, depth + 1, &call->args[i]) && ok;
    }
    call->args_len = (uint32_t)n;
    return ok;
}

bool dsl_call_read(struct dsl_query *q, const struct dsl_member *function,
                   const struct dsl_member *args, uint32_t depth, struct dsl_expr *ret)
{
    ret->kind = EXPR_CALL;
    bool ok = dsl_function_read(q, function, FUNCTION_SCALAR, &ret->function, &ret->function_name);
    if (!read_args(q, args, depth, ret) || !ok)
        return false;
    const struct function_info *f = ret->function;
    if (!f || (ret->args_len >= f->min && ret->args_len <= f->max))
        return true;
    dsl_bad(q, args->at, "%s takes %d to %d arguments, not %u", f->name, f->min, f->max,
            ret->args_len);
    return false;
}

static bool read_call(struct dsl_query *q, const struct dsl_at *at, yyjson_val *value,
                      uint32_t depth, struct dsl_expr *ret)
{
    enum { NONE, FUNCTION, ARGS, SLOTS };
    static const struct dsl_key keys[] = {{"function", FUNCTION}, {"args", ARGS}, {NULL, 0}};
    struct dsl_member m[SLOTS];
    if (!dsl_read_object(q, at, value, keys, m, SLOTS))
        return false;
    if (m[FUNCTION].value)
        return dsl_call_read(q, &m[FUNCTION], &m[ARGS], depth, ret);
    dsl_missing(q, at, "function", "or \"field\"");
    return false;
}

static bool read_object_value(struct dsl_query *q, const struct dsl_at *at, yyjson_val *value,
                              uint32_t depth, struct dsl_expr *ret)
{
    uint32_t limit =
        q->options->settings.max_depth ? q->options->settings.max_depth : DSL_DEPTH_DEFAULT;
    yyjson_val *field = json_get(value, "field");
    if (depth > limit) {
        dsl_fail(q, DSL_DEPTH_EXCEEDED, at, STR_NONE, no_words,
                 "functions are nested deeper than %u", limit);
        return false;
    }
    if (!field)
        return read_call(q, at, value, depth, ret);
    if (yyjson_obj_size(value) != 1) {
        dsl_bad(q, at, "a column as value is {\"field\": path} and nothing else");
        return false;
    }
    ret->kind = EXPR_PATH;
    ret->path = dsl_path_read(q, dsl_at_key(q, at, "field"), field);
    if (ret->path && ret->path->star) {
        dsl_bad(q, at, "\"*\" is no value");
        return false;
    }
    return ret->path != NULL;
}

static bool read_scalar(struct dsl_query *q, yyjson_val *value, struct dsl_expr *ret)
{
    if (yyjson_is_null(value)) {
        ret->kind = EXPR_NULL;
    } else if (yyjson_is_bool(value)) {
        ret->kind = EXPR_BOOL;
        ret->boolean = yyjson_get_bool(value);
    } else if (yyjson_is_uint(value) && yyjson_get_uint(value) > INT64_MAX) {
        ret->kind = EXPR_INT;
        ret->text =
            str_of(arena_printf(q->arena, "%llu", (unsigned long long)yyjson_get_uint(value)));
    } else if (yyjson_is_int(value)) {
        ret->kind = EXPR_INT;
        ret->integer = yyjson_get_sint(value);
    } else if (yyjson_is_real(value)) {
        ret->kind = EXPR_REAL;
        ret->real = yyjson_get_real(value);
    } else if (yyjson_is_str(value)) {
        ret->kind = EXPR_TEXT;
        ret->text = json_str_of(value);
    } else {
        return false;
    }
    return true;
}

bool dsl_expr_read(struct dsl_query *q, const struct dsl_at *at, yyjson_val *value, uint32_t depth,
                   struct dsl_expr *ret)
{
    struct str name;
    bool open;
    *ret = (struct dsl_expr){.at = at, .json = value};
    value = dsl_read_param(q, at, value, &name, &open);
    if (!value)
        return false;
    ret->param = name;
    if (open) {
        ret->kind = EXPR_OPEN;
        return true;
    }
    if (read_scalar(q, value, ret))
        return true;
    if (yyjson_is_obj(value) && !name.data)
        return read_object_value(q, at, value, depth, ret);
    dsl_bad(q, at,
            name.data ? "the parameter's value is %s where one scalar is wanted"
                      : "%s stands where one value is wanted",
            json_kind_name(value));
    return false;
}

bool dsl_exprs_read(struct dsl_query *q, const struct dsl_at *at, yyjson_val *value,
                    struct dsl_expr **ret, uint32_t *ret_len)
{
    struct str name;
    bool open, ok = true;
    value = dsl_read_param(q, at, value, &name, &open);
    if (!value)
        return false;
    if (!yyjson_is_arr(value) && !open) {
        dsl_bad(q, at, "a list is wanted, not %s", json_kind_name(value));
        return false;
    }
    size_t n = yyjson_arr_size(value), i, max;
    yyjson_val *item;
    if (n > DSL_VALUES_MAX) {
        dsl_fail(q, DSL_TOO_MANY_VALUES, at, STR_NONE, no_words,
                 "the list has %zu values, the limit is %d", n, DSL_VALUES_MAX);
        return false;
    }
    *ret = dsl_alloc(q, open ? 1 : n, sizeof **ret);
    *ret_len = (uint32_t)(open ? 1 : n);
    if (!*ret)
        return false;
    if (open)
        (*ret)[0] = (struct dsl_expr){.at = at, .kind = EXPR_OPEN, .param = name, .json = value};
    yyjson_arr_foreach(value, i, max, item)
    {
        ok = dsl_expr_read(q, dsl_at_index(q, at, i), item, 1, &(*ret)[i]) && ok;
    }
    return ok;
}

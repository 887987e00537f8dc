/* path.c: paths. name ("." name | "[" int "]" | "[*]")*; a name with dots stands in backticks. */
#include "query/dsl/dsl_int.h"

struct scan {
    struct dsl_query *q;
    const struct dsl_at *at;
    struct str text;
    size_t pos;
    struct dsl_path *path;
};

static bool fail(struct scan *s, const char *what)
{
    dsl_bad(s->q, s->at, "path \"%.*s\": %s", SHOWN(s->text), what);
    return false;
}

static bool add_step(struct scan *s, struct dsl_step step)
{
    if (s->path->len == DSL_STEPS_MAX)
        return fail(s, "more than 32 steps");
    s->path->steps[s->path->len++] = step;
    return true;
}

static bool scan_quoted(struct scan *s, struct str *ret)
{
    size_t start = ++s->pos;
    const char *end = memchr(s->text.data + start, '`', s->text.len - start);
    if (!end)
        return fail(s, "a backtick is not closed");
    *ret = str_make(s->text.data + start, (size_t)(end - s->text.data) - start);
    s->pos = start + ret->len + 1;
    return true;
}

static bool scan_name(struct scan *s)
{
    struct str name;
    if (s->pos < s->text.len && s->text.data[s->pos] == '`') {
        if (!scan_quoted(s, &name))
            return false;
    } else {
        size_t start = s->pos;
        while (s->pos < s->text.len && s->text.data[s->pos] != '.' && s->text.data[s->pos] != '[')
            s->pos++;
        name = str_make(s->text.data + start, s->pos - start);
    }
    if (name.len == 0)
        return fail(s, "a name is dsl_missing");
    if (name.len > DSL_NAME_MAX)
        return fail(s, "a name is too long");
    return add_step(s, (struct dsl_step){STEP_NAME, name, 0});
}

static bool scan_index(struct scan *s)
{
    size_t start = ++s->pos;
    const char *end = memchr(s->text.data + start, ']', s->text.len - start);
    struct dsl_step step = {.kind = STEP_INDEX};
    if (!end)
        return fail(s, "a bracket is not closed");
    struct str inside = str_make(s->text.data + start, (size_t)(end - s->text.data) - start);
    s->pos = start + inside.len + 1;
    if (str_is(inside, "*"))
        step.kind = STEP_ALL;
    else if (inside.len > 9 || !str_to_int64(inside, &step.index) || step.index < 0)
        return fail(s, "brackets hold an index from 0, or *");
    return add_step(s, step);
}

static bool scan_path(struct scan *s)
{
    if (!scan_name(s))
        return false;
    while (s->pos < s->text.len) {
        if (s->text.data[s->pos] == '[') {
            if (!scan_index(s))
                return false;
        } else if (s->text.data[s->pos] == '.') {
            s->pos++;
            if (!scan_name(s))
                return false;
        } else {
            return fail(s, "a dot or a bracket is wanted between names");
        }
    }
    return true;
}

struct dsl_path *dsl_path_parse(struct dsl_query *q, const struct dsl_at *at, struct str text)
{
    struct dsl_path *path = dsl_alloc(q, 1, sizeof *path);
    struct dsl_step *steps = dsl_alloc(q, DSL_STEPS_MAX, sizeof *steps);
    struct scan s = {q, at, text, 0, path};
    if (!path || !steps)
        return NULL;
    *path = (struct dsl_path){.at = at, .text = text, .steps = steps};
    if (memchr(text.data, 0, text.len)) {
        dsl_bad(q, at, "a path holds no NUL");
        return NULL;
    }
    if (text.len == 1 && text.data[0] == '*') {
        path->star = true;
        return path;
    }
    return scan_path(&s) ? path : NULL;
}

struct dsl_path *dsl_path_read(struct dsl_query *q, const struct dsl_at *at, yyjson_val *value)
{
    if (yyjson_is_str(value))
        return dsl_path_parse(q, at, json_str_of(value));
    dsl_bad(q, at, "a column or path is wanted, not %s", json_kind_name(value));
    return NULL;
}

/* text.c: words and symbols to the JSON form. Recursive descent; the first mistake ends it. */
#include "query/dsl/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/utf8.h"

enum kind { END, WORD, QUOTED, NUMBER, TEXT, PARAM, SYMBOL, BROKEN };

struct token {
    enum kind kind;
    size_t start, end;
    struct str text; /* of a text: without quotes, still with doubled ones */
};

struct text {
    struct str in;
    size_t pos;
    struct token now;
    yyjson_mut_doc *doc;
    unsigned depth;
    enum dsl_code code;
    bool failed;
    char message[256];
};

static yyjson_mut_val *fail(struct text *t, enum dsl_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static yyjson_mut_val *fail(struct text *t, enum dsl_code code, const char *format, ...)
{
    va_list args;
    if (t->failed)
        return NULL;
    t->failed = true;
    t->code = code;
    int n = snprintf(t->message, sizeof t->message, "at byte %zu: ", t->now.start);
    va_start(args, format);
    (void)vsnprintf(t->message + n, sizeof t->message - (size_t)n, format, args);
    va_end(args);
    return NULL;
}

static yyjson_mut_val *expected(struct text *t, const char *what)
{
    struct str found = str_make(t->in.data + t->now.start, t->now.end - t->now.start);
    if (t->now.kind == END)
        return fail(t, DSL_INVALID_TEXT, "%s is wanted, the text ends", what);
    return fail(t, DSL_INVALID_TEXT, "%s is wanted, not \"%.*s\"", what,
                found.len < 40 ? (int)found.len : 40, found.data);
}

/* --- tokens --- */

static bool starts_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '`' ||
           (unsigned char)c >= 0x80;
}

static bool goes_on(char c)
{
    return starts_word(c) || (c >= '0' && c <= '9') || c == '.' || c == '[' || c == '$';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Past the closing quote; SIZE_MAX when there is none. */
static size_t skip_quoted(struct str in, size_t pos, char quote)
{
    for (pos++; pos < in.len; pos++) {
        if (in.data[pos] != quote)
            continue;
        if (pos + 1 < in.len && in.data[pos + 1] == quote)
            pos++;
        else
            return pos + 1;
    }
    return SIZE_MAX;
}

static size_t skip_word(struct str in, size_t pos)
{
    while (pos < in.len && goes_on(in.data[pos])) {
        const char *close = NULL;
        char c = in.data[pos];
        if (c == '`' || c == '[')
            close = memchr(in.data + pos + 1, c == '[' ? ']' : '`', in.len - pos - 1);
        if ((c == '`' || c == '[') && !close)
            return in.len;
        pos = close ? (size_t)(close - in.data) + 1 : pos + 1;
    }
    return pos;
}

static size_t skip_number(struct str in, size_t pos)
{
    pos += in.data[pos] == '-';
    while (pos < in.len &&
           (is_digit(in.data[pos]) || in.data[pos] == '.' || (in.data[pos] | 32) == 'e' ||
            ((in.data[pos] == '-' || in.data[pos] == '+') && (in.data[pos - 1] | 32) == 'e')))
        pos++;
    return pos;
}

static size_t skip_symbol(struct str in, size_t pos)
{
    static const char *const two[] = {"<=", ">=", "<>", "!=", "=="};
    for (size_t i = 0; i < sizeof two / sizeof *two; i++)
        if (pos + 1 < in.len && memcmp(in.data + pos, two[i], 2) == 0)
            return pos + 2;
    return pos + 1;
}

static void next(struct text *t)
{
    struct str in = t->in;
    while (t->pos < in.len && memchr(" \t\r\n", in.data[t->pos], 4))
        t->pos++;
    size_t start = t->pos, end;
    t->now = (struct token){.kind = END, .start = start, .end = start};
    if (start == in.len)
        return;
    char c = in.data[start];
    if (c == '\'' || c == '"') {
        end = skip_quoted(in, start, c);
        t->now.kind = end == SIZE_MAX ? BROKEN : c == '"' ? QUOTED : TEXT;
        end = end == SIZE_MAX ? in.len : end;
    } else if (is_digit(c) || (c == '-' && start + 1 < in.len && is_digit(in.data[start + 1]))) {
        t->now.kind = NUMBER;
        end = skip_number(in, start);
    } else if (starts_word(c)) {
        t->now.kind = WORD;
        end = skip_word(in, start);
    } else if (c == ':' && start + 1 < in.len && starts_word(in.data[start + 1])) {
        t->now.kind = PARAM;
        end = skip_word(in, start + 1);
    } else {
        t->now.kind = SYMBOL;
        end = skip_symbol(in, start);
    }
    t->now.end = t->pos = end;
    bool quoted = t->now.kind == QUOTED || t->now.kind == TEXT;
    size_t from = start + (quoted || t->now.kind == PARAM);
    t->now.text = str_make(in.data + from, end - from - quoted);
}

static bool is_word(const struct text *t, const char *word)
{
    return t->now.kind == WORD && str_eq_nocase(t->now.text, str_of(word));
}

static bool take_word(struct text *t, const char *word)
{
    if (!is_word(t, word))
        return false;
    next(t);
    return true;
}

static bool take_symbol(struct text *t, const char *symbol)
{
    if (t->now.kind != SYMBOL || !str_is(t->now.text, symbol))
        return false;
    next(t);
    return true;
}

/* --- pieces --- */

static yyjson_mut_val *json_text(struct text *t, struct str s)
{
    return yyjson_mut_strncpy(t->doc, s.data, s.len);
}

/* The token's text with doubled quotes made single. */
static yyjson_mut_val *unquoted(struct text *t, char quote)
{
    struct str s = t->now.text;
    char *copy = malloc(s.len + 1);
    size_t n = 0;
    if (!copy)
        return NULL;
    for (size_t i = 0; i < s.len; i++) {
        copy[n++] = s.data[i];
        if (s.data[i] == quote && i + 1 < s.len && s.data[i + 1] == quote)
            i++;
    }
    yyjson_mut_val *value = yyjson_mut_strncpy(t->doc, copy, n);
    free(copy);
    next(t);
    return value;
}

/* A path; "quoted names" stand for one name whatever is in it. */
static yyjson_mut_val *read_path(struct text *t)
{
    if (t->now.kind == QUOTED) {
        char quoted[DSL_NAME_MAX + 3];
        struct str s = t->now.text;
        int n = snprintf(quoted, sizeof quoted, "`%.*s`",
                         s.len < DSL_NAME_MAX ? (int)s.len : DSL_NAME_MAX, s.data);
        next(t);
        return yyjson_mut_strncpy(t->doc, quoted, (size_t)n);
    }
    if (t->now.kind != WORD)
        return expected(t, "a column");
    yyjson_mut_val *path = json_text(t, t->now.text);
    next(t);
    return path;
}

static yyjson_mut_val *read_name(struct text *t, const char *what)
{
    if (t->now.kind == QUOTED)
        return unquoted(t, '"');
    if (t->now.kind != WORD)
        return expected(t, what);
    yyjson_mut_val *name = json_text(t, t->now.text);
    next(t);
    return name;
}

static yyjson_mut_val *read_number(struct text *t)
{
    struct str s = t->now.text;
    int64_t whole;
    double real;
    next(t);
    if (str_to_int64(s, &whole))
        return yyjson_mut_sint(t->doc, whole);
    bool digits = true;
    for (size_t i = s.data[0] == '-'; i < s.len; i++)
        digits = digits && is_digit(s.data[i]);
    if (digits) /* beyond 64 bits: as text, which keeps all digits */
        return json_text(t, s);
    if (str_to_double(s, &real))
        return yyjson_mut_real(t->doc, real);
    return fail(t, DSL_INVALID_TEXT, "\"%.*s\" is no number", (int)(s.len < 40 ? s.len : 40),
                s.data);
}

static yyjson_mut_val *read_value(struct text *t)
{
    yyjson_mut_val *object = yyjson_mut_obj(t->doc);
    if (t->now.kind == TEXT)
        return unquoted(t, '\'');
    if (t->now.kind == NUMBER)
        return read_number(t);
    if (take_word(t, "true"))
        return yyjson_mut_true(t->doc);
    if (take_word(t, "false"))
        return yyjson_mut_false(t->doc);
    if (take_word(t, "null"))
        return yyjson_mut_null(t->doc);
    if (t->now.kind == PARAM) {
        yyjson_mut_obj_add_val(t->doc, object, "param", json_text(t, t->now.text));
        next(t);
        return object;
    }
    if (t->now.kind != WORD && t->now.kind != QUOTED)
        return expected(t, "a value");
    yyjson_mut_obj_add_val(t->doc, object, "field", read_path(t));
    return object;
}

static yyjson_mut_val *read_values(struct text *t)
{
    yyjson_mut_val *list = yyjson_mut_arr(t->doc);
    if (t->now.kind == PARAM)
        return read_value(t);
    if (!take_symbol(t, "("))
        return expected(t, "a list in parentheses");
    if (take_symbol(t, ")"))
        return list;
    do {
        yyjson_mut_arr_append(list, read_value(t));
    } while (!t->failed && take_symbol(t, ","));
    return take_symbol(t, ")") ? list : expected(t, "a closing parenthesis");
}

/* --- conditions --- */

static yyjson_mut_val *test(struct text *t, yyjson_mut_val *field, const char *op,
                            yyjson_mut_val *value)
{
    yyjson_mut_val *object = yyjson_mut_obj(t->doc);
    yyjson_mut_obj_add_val(t->doc, object, "field", field);
    yyjson_mut_obj_add_str(t->doc, object, "operator", op);
    if (value)
        yyjson_mut_obj_add_val(t->doc, object, "value", value);
    return t->failed ? NULL : object;
}

static yyjson_mut_val *read_between(struct text *t, yyjson_mut_val *field, bool negated)
{
    yyjson_mut_val *pair = yyjson_mut_arr(t->doc);
    yyjson_mut_arr_append(pair, read_value(t));
    if (!take_word(t, "and"))
        return expected(t, "AND");
    yyjson_mut_arr_append(pair, read_value(t));
    return test(t, field, negated ? "not_between" : "between", pair);
}

static yyjson_mut_val *read_is(struct text *t, yyjson_mut_val *field)
{
    bool negated = take_word(t, "not");
    if (take_word(t, "null"))
        return test(t, field, negated ? "is_not_null" : "is_null", NULL);
    if (!take_word(t, "distinct"))
        return expected(t, "NULL or DISTINCT FROM");
    if (!take_word(t, "from"))
        return expected(t, "FROM");
    return test(t, field, negated ? "is_not_distinct" : "is_distinct", read_value(t));
}

static yyjson_mut_val *read_word_test(struct text *t, yyjson_mut_val *field)
{
    bool negated = take_word(t, "not");
    if (take_word(t, "in"))
        return test(t, field, negated ? "not_in" : "in", read_values(t));
    if (take_word(t, "between"))
        return read_between(t, field, negated);
    if (take_word(t, "like"))
        return test(t, field, negated ? "not_like" : "like", read_value(t));
    if (take_word(t, "contains"))
        return test(t, field, negated ? "not_contains" : "contains", read_value(t));
    if (take_word(t, "exists"))
        return test(t, field, negated ? "not_exists" : "exists", NULL);
    if (negated)
        return expected(t, "IN, BETWEEN, LIKE, CONTAINS or EXISTS");
    if (take_word(t, "ilike"))
        return test(t, field, "ilike", read_value(t));
    if (take_word(t, "regex") || take_word(t, "matches"))
        return test(t, field, "regex", read_value(t));
    bool starts = take_word(t, "starts");
    if (starts || take_word(t, "ends"))
        return take_word(t, "with")
                   ? test(t, field, starts ? "starts_with" : "ends_with", read_value(t))
                   : expected(t, "WITH");
    if (take_word(t, "has_any"))
        return test(t, field, "has_any", read_values(t));
    if (take_word(t, "has_all"))
        return test(t, field, "has_all", read_values(t));
    if (take_word(t, "is"))
        return read_is(t, field);
    return expected(t, "an operator");
}

static yyjson_mut_val *read_test(struct text *t)
{
    static const struct {
        const char *symbol, *op;
    } symbols[] = {{"=", "eq"}, {"==", "eq"},  {"!=", "ne"}, {"<>", "ne"},
                   {"<", "lt"}, {"<=", "lte"}, {">", "gt"},  {">=", "gte"}};
    yyjson_mut_val *field = read_path(t);
    for (size_t i = 0; field && i < sizeof symbols / sizeof *symbols; i++)
        if (take_symbol(t, symbols[i].symbol))
            return test(t, field, symbols[i].op, read_value(t));
    return field ? read_word_test(t, field) : NULL;
}

static yyjson_mut_val *read_or(struct text *t);

static yyjson_mut_val *wrap(struct text *t, const char *word, yyjson_mut_val *inside)
{
    yyjson_mut_val *object = yyjson_mut_obj(t->doc);
    yyjson_mut_obj_add_val(t->doc, object, word, inside);
    return t->failed ? NULL : object;
}

static yyjson_mut_val *read_not(struct text *t)
{
    yyjson_mut_val *cond = NULL;
    if (++t->depth > DSL_TEXT_DEPTH_MAX)
        return fail(t, DSL_DEPTH_EXCEEDED, "the text is nested too deeply");
    if (take_word(t, "not")) {
        cond = wrap(t, "not", read_not(t));
    } else if (take_symbol(t, "(")) {
        cond = read_or(t);
        if (!take_symbol(t, ")"))
            cond = expected(t, "a closing parenthesis");
    } else {
        cond = read_test(t);
    }
    t->depth--;
    return cond;
}

static yyjson_mut_val *read_chain(struct text *t, const char *word,
                                  yyjson_mut_val *(*part)(struct text *))
{
    yyjson_mut_val *first = part(t);
    if (!first || !is_word(t, word))
        return first;
    yyjson_mut_val *list = yyjson_mut_arr(t->doc);
    yyjson_mut_arr_append(list, first);
    while (!t->failed && take_word(t, word))
        yyjson_mut_arr_append(list, part(t));
    return wrap(t, word, list);
}

static yyjson_mut_val *read_and(struct text *t)
{
    return read_chain(t, "and", read_not);
}

static yyjson_mut_val *read_or(struct text *t)
{
    return read_chain(t, "or", read_and);
}

/* A list of conditions is an array, as people write it in JSON. */
static yyjson_mut_val *read_conditions(struct text *t)
{
    yyjson_mut_val *cond = read_or(t);
    yyjson_mut_val *list = cond ? yyjson_mut_obj_get(cond, "and") : NULL;
    return list ? list : cond;
}

/* --- clauses --- */

struct clauses {
    bool aggregate;
    yyjson_mut_val *query, *select, *groups, *aggregations;
};

/* FUNCTION(column) [AS name] or column [AS name] */
static bool read_item(struct text *t, struct clauses *c)
{
    yyjson_mut_val *name = read_path(t), *item = name;
    bool call = name && take_symbol(t, "(");
    if (call) {
        item = yyjson_mut_obj(t->doc);
        yyjson_mut_obj_add_val(t->doc, item, "function", name);
        if (take_word(t, "distinct"))
            yyjson_mut_obj_add_bool(t->doc, item, "distinct", true);
        if (take_symbol(t, "*"))
            yyjson_mut_obj_add_str(t->doc, item, "field", "*");
        else
            yyjson_mut_obj_add_val(t->doc, item, "field", read_path(t));
        if (!take_symbol(t, ")"))
            expected(t, "a closing parenthesis");
    }
    if (!t->failed && take_word(t, "as")) {
        yyjson_mut_val *object = call ? item : wrap(t, "field", item);
        if (object)
            yyjson_mut_obj_add_val(t->doc, object, "alias", read_name(t, "a name"));
        item = object;
    }
    if (t->failed || !item)
        return false;
    return yyjson_mut_arr_append(call ? c->aggregations : c->select, item);
}

static bool read_items(struct text *t, struct clauses *c)
{
    if (take_symbol(t, "*"))
        return yyjson_mut_arr_add_str(t->doc, c->select, "*");
    do {
        if (!read_item(t, c))
            return false;
    } while (take_symbol(t, ","));
    return true;
}

static yyjson_mut_val *read_order(struct text *t)
{
    yyjson_mut_val *object = wrap(t, "field", read_path(t));
    if (!object)
        return NULL;
    if (take_word(t, "desc"))
        yyjson_mut_obj_add_str(t->doc, object, "direction", "desc");
    else
        (void)take_word(t, "asc");
    if (!take_word(t, "nulls"))
        return object;
    bool first = take_word(t, "first");
    if (!first && !take_word(t, "last"))
        return expected(t, "FIRST or LAST");
    yyjson_mut_obj_add_str(t->doc, object, "nulls", first ? "first" : "last");
    return object;
}

static yyjson_mut_val *read_list(struct text *t, yyjson_mut_val *(*part)(struct text *))
{
    yyjson_mut_val *list = yyjson_mut_arr(t->doc);
    do {
        yyjson_mut_arr_append(list, part(t));
    } while (!t->failed && take_symbol(t, ","));
    return t->failed ? NULL : list;
}

static bool add(struct text *t, struct clauses *c, const char *key, yyjson_mut_val *value)
{
    if (!t->failed && yyjson_mut_obj_get(c->query, key))
        (void)fail(t, DSL_INVALID_TEXT, "%s stands twice", key);
    return !t->failed && yyjson_mut_obj_add_val(t->doc, c->query, key, value);
}

static bool take_by(struct text *t, const char *word)
{
    if (!take_word(t, word))
        return false;
    if (!take_word(t, "by"))
        (void)expected(t, "BY");
    return true;
}

static yyjson_mut_val *read_count(struct text *t)
{
    return t->now.kind == NUMBER ? read_number(t) : expected(t, "a number");
}

static bool read_clause(struct text *t, struct clauses *c)
{
    if (take_word(t, "where"))
        return add(t, c, "conditions", read_conditions(t));
    if (take_word(t, "having"))
        return add(t, c, "having", read_conditions(t));
    if (take_word(t, "qualify"))
        return add(t, c, "qualify", read_conditions(t));
    if (take_word(t, "select"))
        return read_items(t, c);
    if (take_by(t, "group"))
        return add(t, c, "group_by", read_list(t, read_path));
    if (take_by(t, "order"))
        return add(t, c, "order_by", read_list(t, read_order));
    if (take_word(t, "limit"))
        return add(t, c, "limit", read_count(t));
    if (take_word(t, "offset"))
        return add(t, c, "offset", read_count(t));
    expected(t, "WHERE, SELECT, GROUP BY, HAVING, ORDER BY, LIMIT or OFFSET");
    return false;
}

static bool read_verb(struct text *t, struct clauses *c)
{
    c->aggregate = is_word(t, "aggregate");
    if (c->aggregate || is_word(t, "search") || is_word(t, "filter")) {
        next(t);
        return true;
    }
    if (is_word(t, "insert") || is_word(t, "update") || is_word(t, "delete"))
        (void)fail(t, DSL_UNKNOWN_QUERY_TYPE, "the DSL reads; write with /data/write");
    else
        expected(t, "SEARCH or AGGREGATE");
    return false;
}

static bool read_from(struct text *t, struct clauses *c)
{
    bool quoted = t->now.kind == QUOTED || t->now.kind == TEXT;
    yyjson_mut_val *name = NULL;
    if (quoted) {
        name = unquoted(t, t->now.kind == QUOTED ? '"' : '\'');
    } else if (t->now.kind == WORD) { /* a pattern's star may follow */
        size_t start = t->now.start, end = t->now.end;
        while (end < t->in.len &&
               (goes_on(t->in.data[end]) || t->in.data[end] == '*' || t->in.data[end] == '-'))
            end++;
        name = json_text(t, str_make(t->in.data + start, end - start));
        t->pos = end;
        next(t);
    } else {
        expected(t, "a source");
    }
    if (name && take_word(t, "as")) {
        yyjson_mut_val *object = wrap(t, "name", name);
        if (object)
            yyjson_mut_obj_add_val(t->doc, object, "alias", read_name(t, "a name"));
        name = object;
    }
    return name && add(t, c, "source", name);
}

/* What SELECT listed: columns of a search; in an aggregate its plain columns are groups. */
static bool place_items(struct text *t, struct clauses *c)
{
    bool selects = yyjson_mut_arr_size(c->select) > 0;
    bool calls = yyjson_mut_arr_size(c->aggregations) > 0;
    if (calls && !c->aggregate)
        return fail(t, DSL_INVALID_TEXT, "functions over rows go with AGGREGATE") != NULL;
    if (calls && !add(t, c, "aggregations", c->aggregations))
        return false;
    if (!selects)
        return !t->failed;
    if (!c->aggregate)
        return add(t, c, "select", c->select);
    yyjson_mut_obj_remove_key(c->query, "group_by");
    return add(t, c, "group_by", c->select);
}

static bool read_text(struct text *t)
{
    struct clauses c = {.query = yyjson_mut_obj(t->doc),
                        .select = yyjson_mut_arr(t->doc),
                        .aggregations = yyjson_mut_arr(t->doc)};
    yyjson_mut_doc_set_root(t->doc, c.query);
    next(t);
    if (!read_verb(t, &c))
        return false;
    yyjson_mut_obj_add_str(t->doc, c.query, "query_type", c.aggregate ? "aggregate" : "filter");
    if (!is_word(t, "from") && !read_items(t, &c))
        return false;
    if (!take_word(t, "from"))
        return expected(t, "FROM") != NULL;
    if (!read_from(t, &c))
        return false;
    while (!t->failed && t->now.kind != END)
        if (!read_clause(t, &c))
            return false;
    return place_items(t, &c);
}

static enum status parse_json(struct arena *arena, struct str text,
                              const struct dsl_options *options, struct dsl_query **ret_query,
                              yyjson_doc **ret_doc, struct error *err)
{
    struct error why = ERROR_INIT;
    if (json_parse(text, ret_doc, &why) == STATUS_OK)
        return dsl_parse(arena, yyjson_doc_get_root(*ret_doc), options, ret_query, err);
    *ret_query = dsl_query_of_error(arena, DSL_INVALID_JSON, "", why.message);
    return *ret_query ? STATUS_OK : error_no_memory(err);
}

enum status dsl_parse_text(struct arena *arena, struct str text, const struct dsl_options *options,
                           struct dsl_query **ret_query, yyjson_doc **ret_doc, struct error *err)
{
    struct text t = {.in = text};
    struct str trimmed = str_trim(text);
    enum status status = STATUS_OK;
    *ret_doc = NULL;
    if (!utf8_is_valid(text.data, text.len)) {
        *ret_query = dsl_query_of_error(arena, DSL_INVALID_TEXT, "", "the text is not UTF-8");
        return *ret_query ? STATUS_OK : error_no_memory(err);
    }
    if (trimmed.len && trimmed.data[0] == '{')
        return parse_json(arena, text, options, ret_query, ret_doc, err);
    t.doc = yyjson_mut_doc_new(NULL);
    if (!t.doc)
        return error_no_memory(err);
    if (read_text(&t)) {
        *ret_doc = yyjson_mut_doc_imut_copy(t.doc, NULL);
        status = *ret_doc ? dsl_parse(arena, yyjson_doc_get_root(*ret_doc), options, ret_query, err)
                          : error_no_memory(err);
    } else {
        *ret_query = dsl_query_of_error(arena, t.failed ? t.code : DSL_INVALID_TEXT, "",
                                        t.failed ? t.message : "memory ran out");
        status = *ret_query ? STATUS_OK : error_no_memory(err);
    }
    yyjson_mut_doc_free(t.doc);
    return status;
}

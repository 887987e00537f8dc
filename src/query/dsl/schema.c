/* schema.c: the JSON Schema (draft 2020-12) of the language, from the same words as the parser.
 *
 * It says what the grammar says, without the catalog, the depth of nesting and the rules that span
 * clauses (equal aliases, an order_by that must be in the answer). docs/dsl.schema.json is this
 * text; a test compares the two, another lets both judge the same bodies. */
#include "query/dsl/dsl_int.h"

static const char name_pattern[] = "(?:`[^`]+`|[^`.\\[*][^.\\[]*)";

/* --- pieces --- */

static void ref(struct json_writer *w, const char *name)
{
    struct buf buf;
    buf_init(&buf, 100);
    buf_printf(&buf, "#/$defs/%s", name);
    json_begin_object(w);
    json_kv_str(w, "$ref", buf_str(&buf));
    json_end_object(w);
    buf_release(&buf);
}

static void type(struct json_writer *w, const char *name)
{
    json_begin_object(w);
    json_kv_strz(w, "type", name);
    json_end_object(w);
}

static void prop(struct json_writer *w, const char *key, const char *def)
{
    json_keyz(w, key);
    ref(w, def);
}

static void words(struct json_writer *w, struct dsl_words list)
{
    for (uint32_t i = 0; i < list.len; i++)
        json_stringz(w, list.items[i]);
}

/* {"enum": [...]} */
static void choice(struct json_writer *w, struct dsl_words list)
{
    json_begin_object(w);
    json_keyz(w, "enum");
    json_begin_array(w);
    words(w, list);
    json_end_array(w);
    json_end_object(w);
}

static void begin(struct json_writer *w, const char *def)
{
    json_keyz(w, def);
    json_begin_object(w);
}

static void begin_object(struct json_writer *w)
{
    json_kv_strz(w, "type", "object");
    json_kv_bool(w, "additionalProperties", false);
}

static void required(struct json_writer *w, const char *a, const char *b)
{
    json_keyz(w, "required");
    json_begin_array(w);
    json_stringz(w, a);
    if (b)
        json_stringz(w, b);
    json_end_array(w);
}

/* Exactly one of two spellings. */
static void either(struct json_writer *w, const char *a, const char *b)
{
    json_begin_object(w);
    json_keyz(w, "oneOf");
    json_begin_array(w);
    json_begin_object(w);
    required(w, a, NULL);
    json_end_object(w);
    json_begin_object(w);
    required(w, b, NULL);
    json_end_object(w);
    json_end_array(w);
    json_end_object(w);
}

static void one_of(struct json_writer *w, const char *kind, const char *const *defs)
{
    json_keyz(w, kind);
    json_begin_array(w);
    for (; *defs; defs++)
        ref(w, *defs);
    json_end_array(w);
}

static void range(struct json_writer *w, const char *key, int64_t min, int64_t max)
{
    begin(w, key);
    json_kv_strz(w, "type", "integer");
    json_kv_int(w, "minimum", min);
    json_kv_int(w, "maximum", max);
    json_end_object(w);
}

/* An array of items, or one of them by itself. */
static void list_or_one(struct json_writer *w, const char *key, const char *def, int64_t min,
                        int64_t max)
{
    begin(w, key);
    json_keyz(w, "anyOf");
    json_begin_array(w);
    ref(w, def);
    json_begin_object(w);
    json_kv_strz(w, "type", "array");
    json_keyz(w, "items");
    ref(w, def);
    json_kv_int(w, "minItems", min);
    json_kv_int(w, "maxItems", max);
    json_end_object(w);
    json_end_array(w);
    json_end_object(w);
}

/* --- names and values --- */

static void define_names(struct json_writer *w)
{
    struct buf buf;
    buf_init(&buf, 1000);
    buf_printf(&buf, "^%s(?:\\.%s|\\[(?:[0-9]{1,9}|\\*)\\])*$", name_pattern,
               "(?:`[^`]+`|[^`.\\[][^.\\[]*)");
    begin(w, "path");
    json_kv_strz(w, "type", "string");
    json_kv_str(w, "pattern", buf_str(&buf));
    json_kv_strz(w, "description",
                 "column, then .name, [index] or [*] into a JSON column; `a.b` is one name");
    json_end_object(w);
    buf_release(&buf);
    begin(w, "name");
    json_kv_strz(w, "type", "string");
    json_kv_int(w, "minLength", 1);
    json_kv_int(w, "maxLength", DSL_NAME_MAX);
    json_end_object(w);
}

static void define_param(struct json_writer *w)
{
    begin(w, "param");
    begin_object(w);
    begin(w, "properties");
    prop(w, "param", "name");
    json_end_object(w);
    required(w, "param", NULL);
    json_end_object(w);
    begin(w, "field");
    begin_object(w);
    begin(w, "properties");
    prop(w, "field", "path");
    json_end_object(w);
    required(w, "field", NULL);
    json_end_object(w);
}

static void define_call(struct json_writer *w)
{
    begin(w, "call");
    begin_object(w);
    begin(w, "properties");
    prop(w, "function", "name");
    begin(w, "args");
    json_kv_strz(w, "type", "array");
    prop(w, "items", "value");
    json_kv_int(w, "maxItems", DSL_ARGS_MAX);
    json_end_object(w);
    json_end_object(w);
    required(w, "function", NULL);
    json_end_object(w);
}

static void define_scalars(struct json_writer *w)
{
    static const char *const comparable[] = {"scalar", "param", "field", "call", NULL};
    static const char *const any[] = {"comparable", "null", NULL};
    static const char *const text[] = {"text", "param", "field", "call", NULL};
    begin(w, "scalar");
    json_keyz(w, "type");
    json_begin_array(w);
    words(w, (struct dsl_words){(const char *const[]){"string", "number", "boolean"}, 3});
    json_end_array(w);
    json_end_object(w);
    json_keyz(w, "null");
    type(w, "null");
    json_keyz(w, "text");
    type(w, "string");
    begin(w, "comparable");
    one_of(w, "anyOf", comparable);
    json_end_object(w);
    begin(w, "value");
    one_of(w, "anyOf", any);
    json_end_object(w);
    begin(w, "text_value");
    one_of(w, "anyOf", text);
    json_end_object(w);
}

static void define_list(struct json_writer *w, const char *def, int64_t min, int64_t max)
{
    begin(w, def);
    json_keyz(w, "anyOf");
    json_begin_array(w);
    ref(w, "param");
    json_begin_object(w);
    json_kv_strz(w, "type", "array");
    prop(w, "items", "comparable");
    json_kv_int(w, "minItems", min);
    json_kv_int(w, "maxItems", max);
    json_end_object(w);
    json_end_array(w);
    json_end_object(w);
}

/* --- conditions: what a value may be depends on the operator --- */

struct value_class {
    const char *test, *value; /* names of definitions */
    bool optional;
};

static const struct value_class classes[] = {
    {"test_none", "switch", true},      {"test_one", "comparable", false},
    {"test_text", "text_value", false}, {"test_pair", "pair", false},
    {"test_list", "list", false},       {"test_contains", "one_or_list", false},
    {"test_distinct", "value", false},
};
enum { CLASSES = sizeof classes / sizeof *classes };

static int class_of(enum dsl_op op)
{
    if (op == OP_CONTAINS || op == OP_NOT_CONTAINS)
        return 5;
    if (op == OP_IS_DISTINCT || op == OP_IS_NOT_DISTINCT)
        return 6;
    return (int)dsl_op_info(op)->shape;
}

static bool next_op(struct dsl_words list, uint32_t *i, int class)
{
    enum dsl_op op;
    for (; *i < list.len; (*i)++)
        if (dsl_op_find(str_of(list.items[*i]), &op) && class_of(op) == class)
            return true;
    return false;
}

static void class_ops(struct json_writer *w, int class)
{
    struct dsl_words lists[] = {dsl_op_words(), dsl_op_aliases()};
    json_begin_object(w);
    json_keyz(w, "enum");
    json_begin_array(w);
    for (int k = 0; k < 2; k++)
        for (uint32_t i = 0; next_op(lists[k], &i, class); i++)
            json_stringz(w, lists[k].items[i]);
    json_end_array(w);
    json_end_object(w);
}

static void define_test(struct json_writer *w, int class)
{
    begin(w, classes[class].test);
    begin_object(w);
    begin(w, "properties");
    prop(w, "field", "path");
    prop(w, "column", "path");
    json_keyz(w, "operator");
    class_ops(w, class);
    json_keyz(w, "op");
    class_ops(w, class);
    prop(w, "value", classes[class].value);
    json_keyz(w, "case_sensitive");
    type(w, "boolean");
    json_end_object(w);
    json_keyz(w, "allOf");
    json_begin_array(w);
    either(w, "field", "column");
    either(w, "operator", "op");
    json_end_array(w);
    if (!classes[class].optional)
        required(w, "value", NULL);
    json_end_object(w);
}

static void define_logic(struct json_writer *w, const char *def, const char *word, bool list)
{
    begin(w, def);
    begin_object(w);
    begin(w, "properties");
    if (list) {
        begin(w, word);
        json_kv_strz(w, "type", "array");
        prop(w, "items", "condition");
        json_kv_int(w, "minItems", 1);
        json_end_object(w);
    } else {
        prop(w, word, "condition");
    }
    json_end_object(w);
    required(w, word, NULL);
    json_end_object(w);
}

static void define_short_form(struct json_writer *w)
{
    static const char *const forms[] = {"scalar", "param", "operators", NULL};
    struct dsl_words lists[] = {dsl_op_words(), dsl_op_aliases()};
    enum dsl_op op = OP_EQ;
    begin(w, "operators");
    begin_object(w);
    json_kv_int(w, "minProperties", 1);
    begin(w, "properties");
    for (int k = 0; k < 2; k++)
        for (uint32_t i = 0; i < lists[k].len; i++)
            if (dsl_op_find(str_of(lists[k].items[i]), &op))
                prop(w, lists[k].items[i], classes[class_of(op)].value);
    json_end_object(w);
    json_end_object(w);
    begin(w, "filters");
    json_kv_strz(w, "type", "object");
    prop(w, "propertyNames", "path");
    begin(w, "additionalProperties");
    one_of(w, "anyOf", forms);
    json_end_object(w);
    json_end_object(w);
}

static void define_conditions(struct json_writer *w)
{
    static const char *const one_or_list[] = {"comparable", "list", NULL};
    static const char *const filters[] = {"filters", "condition_list", NULL};
    const char *all[CLASSES + 4] = {"and", "or", "not"};
    begin(w, "switch");
    json_keyz(w, "type");
    json_begin_array(w);
    words(w, (struct dsl_words){(const char *const[]){"boolean", "null"}, 2});
    json_end_array(w);
    json_end_object(w);
    define_list(w, "pair", 2, 2);
    define_list(w, "list", 0, DSL_VALUES_MAX);
    begin(w, "one_or_list");
    one_of(w, "anyOf", one_or_list);
    json_end_object(w);
    define_logic(w, "and", "and", true);
    define_logic(w, "or", "or", true);
    define_logic(w, "not", "not", false);
    for (int i = 0; i < CLASSES; i++) {
        define_test(w, i);
        all[i + 3] = classes[i].test;
    }
    begin(w, "condition");
    one_of(w, "anyOf", all);
    json_end_object(w);
    begin(w, "condition_list");
    json_kv_strz(w, "type", "array");
    prop(w, "items", "condition");
    json_end_object(w);
    list_or_one(w, "conditions", "condition", 0, DSL_CONDITIONS_MAX);
    define_short_form(w);
    begin(w, "where");
    one_of(w, "anyOf", filters);
    json_end_object(w);
}

/* --- outputs --- */

static void define_order(struct json_writer *w)
{
    static const char *const directions[] = {"asc", "desc"}, *const places[] = {"first", "last"};
    begin(w, "order_object");
    begin_object(w);
    begin(w, "properties");
    prop(w, "field", "path");
    prop(w, "column", "path");
    json_keyz(w, "direction");
    choice(w, (struct dsl_words){directions, 2});
    json_keyz(w, "nulls");
    choice(w, (struct dsl_words){places, 2});
    json_end_object(w);
    json_keyz(w, "allOf");
    json_begin_array(w);
    either(w, "field", "column");
    json_end_array(w);
    json_end_object(w);
    begin(w, "order");
    json_keyz(w, "anyOf");
    json_begin_array(w);
    ref(w, "path"); /* "amount desc" is a path with a word behind it: the pattern lets it through */
    ref(w, "order_object");
    json_end_array(w);
    json_end_object(w);
    list_or_one(w, "orders", "order", 0, DSL_ORDER_MAX);
}

static void define_select(struct json_writer *w)
{
    static const char *const forms[] = {"path", "star", "selected_field", "selected_call", NULL};
    begin(w, "star");
    json_kv_strz(w, "const", "*");
    json_end_object(w);
    begin(w, "selected_field");
    begin_object(w);
    begin(w, "properties");
    prop(w, "field", "path");
    prop(w, "column", "path");
    prop(w, "alias", "name");
    json_end_object(w);
    json_keyz(w, "allOf");
    json_begin_array(w);
    either(w, "field", "column");
    json_end_array(w);
    json_end_object(w);
    begin(w, "selected_call");
    begin_object(w);
    begin(w, "properties");
    prop(w, "function", "name");
    begin(w, "args");
    json_kv_strz(w, "type", "array");
    prop(w, "items", "value");
    json_kv_int(w, "maxItems", DSL_ARGS_MAX);
    json_end_object(w);
    prop(w, "alias", "name");
    json_end_object(w);
    required(w, "function", "alias");
    json_end_object(w);
    begin(w, "selected");
    one_of(w, "anyOf", forms);
    json_end_object(w);
    list_or_one(w, "select", "selected", 1, DSL_OUTPUTS_MAX - DSL_WINDOWS_MAX);
}

static void define_groups(struct json_writer *w)
{
    static const char *const forms[] = {"path", "group_object", NULL};
    begin(w, "bucket");
    json_keyz(w, "anyOf");
    json_begin_array(w);
    choice(w, dsl_bucket_words());
    json_begin_object(w);
    begin_object(w);
    begin(w, "properties");
    begin(w, "width");
    json_kv_strz(w, "type", "number");
    json_kv_int(w, "exclusiveMinimum", 0);
    json_end_object(w);
    json_end_object(w);
    required(w, "width", NULL);
    json_end_object(w);
    json_end_array(w);
    json_end_object(w);
    begin(w, "group_object");
    begin_object(w);
    begin(w, "properties");
    prop(w, "field", "path");
    prop(w, "column", "path");
    prop(w, "alias", "name");
    prop(w, "bucket", "bucket");
    json_end_object(w);
    json_keyz(w, "allOf");
    json_begin_array(w);
    either(w, "field", "column");
    json_end_array(w);
    json_end_object(w);
    begin(w, "group");
    one_of(w, "anyOf", forms);
    json_end_object(w);
    list_or_one(w, "group_by", "group", 0, DSL_GROUPS_MAX);
}

static void define_params(struct json_writer *w)
{
    begin(w, "params");
    begin_object(w);
    begin(w, "properties");
    begin(w, "p");
    json_kv_strz(w, "type", "number");
    json_kv_int(w, "minimum", 0);
    json_kv_int(w, "maximum", 1);
    json_end_object(w);
    json_keyz(w, "separator");
    type(w, "string");
    prop(w, "order_by", "orders");
    json_end_object(w);
    json_end_object(w);
}

static void define_aggregations(struct json_writer *w)
{
    static const char *const columns[] = {"path", "star", NULL};
    static const char *const forms[] = {"call_text", "aggregation_object", NULL};
    begin(w, "path_or_star");
    one_of(w, "anyOf", columns);
    json_end_object(w);
    begin(w, "call_text");
    json_kv_strz(w, "type", "string");
    json_kv_strz(w, "pattern", "^\\s*[A-Za-z_]+\\s*\\(.*\\)\\s*([Aa][Ss] .+)?$");
    json_end_object(w);
    define_params(w);
    begin(w, "aggregation_object");
    begin_object(w);
    begin(w, "properties");
    json_keyz(w, "function");
    choice(w, dsl_function_words(FUNCTION_AGGREGATE));
    json_keyz(w, "type");
    choice(w, dsl_function_words(FUNCTION_AGGREGATE));
    prop(w, "field", "path_or_star");
    prop(w, "column", "path_or_star");
    prop(w, "alias", "name");
    json_keyz(w, "distinct");
    type(w, "boolean");
    prop(w, "where", "conditions");
    prop(w, "params", "params");
    json_end_object(w);
    json_keyz(w, "allOf");
    json_begin_array(w);
    either(w, "function", "type");
    json_end_array(w);
    json_end_object(w);
    begin(w, "aggregation");
    one_of(w, "anyOf", forms);
    json_end_object(w);
    list_or_one(w, "aggregations", "aggregation", 0, DSL_AGGREGATIONS_MAX);
}

static void define_frame(struct json_writer *w)
{
    static const char *const bounds[] = {"unbounded", "current"}, *const modes[] = {"rows",
                                                                                    "range"};
    begin(w, "bound");
    json_keyz(w, "anyOf");
    json_begin_array(w);
    choice(w, (struct dsl_words){bounds, 2});
    type(w, "integer");
    json_end_array(w);
    json_end_object(w);
    begin(w, "frame");
    begin_object(w);
    begin(w, "properties");
    json_keyz(w, "mode");
    choice(w, (struct dsl_words){modes, 2});
    prop(w, "start", "bound");
    prop(w, "end", "bound");
    json_end_object(w);
    required(w, "start", "end");
    json_end_object(w);
}

static void define_windows(struct json_writer *w)
{
    define_frame(w);
    list_or_one(w, "paths", "path", 0, DSL_GROUPS_MAX);
    begin(w, "window");
    begin_object(w);
    begin(w, "properties");
    json_keyz(w, "function");
    choice(w, dsl_function_words(FUNCTION_WINDOW));
    prop(w, "field", "path_or_star");
    prop(w, "column", "path_or_star");
    begin(w, "params");
    begin_object(w);
    begin(w, "properties");
    range(w, "n", 1, 1000000000);
    range(w, "offset", 0, 1000000000);
    prop(w, "default", "value");
    json_end_object(w);
    json_end_object(w);
    prop(w, "partition_by", "paths");
    prop(w, "order_by", "orders");
    prop(w, "frame", "frame");
    prop(w, "alias", "name");
    json_end_object(w);
    required(w, "function", "alias");
    json_end_object(w);
    list_or_one(w, "windows", "window", 0, DSL_WINDOWS_MAX);
}

/* --- sources and the query --- */

static void define_sources(struct json_writer *w)
{
    static const char *const forms[] = {"name", "named_source", NULL};
    static const char *const ons[] = {"pairs", "conditions", NULL};
    begin(w, "named_source");
    begin_object(w);
    begin(w, "properties");
    prop(w, "name", "name");
    prop(w, "alias", "name");
    json_end_object(w);
    required(w, "name", NULL);
    json_end_object(w);
    begin(w, "source");
    one_of(w, "anyOf", forms);
    json_end_object(w);
    begin(w, "pairs");
    json_kv_strz(w, "type", "array");
    begin(w, "items");
    begin_object(w);
    begin(w, "properties");
    prop(w, "left", "path");
    prop(w, "right", "path");
    json_keyz(w, "operator");
    type(w, "string");
    json_end_object(w);
    required(w, "left", "right");
    json_end_object(w);
    json_end_object(w);
    begin(w, "join");
    begin_object(w);
    begin(w, "properties");
    prop(w, "source", "source");
    prop(w, "alias", "name");
    json_keyz(w, "type");
    choice(w, dsl_join_words());
    begin(w, "on");
    one_of(w, "anyOf", ons);
    json_end_object(w);
    json_end_object(w);
    required(w, "source", NULL);
    json_end_object(w);
    list_or_one(w, "joins", "join", 0, DSL_JOINS_MAX);
}

static void common_props(struct json_writer *w)
{
    prop(w, "source", "source");
    prop(w, "from", "source");
    prop(w, "conditions", "conditions");
    prop(w, "filters", "where");
    prop(w, "where", "where");
    prop(w, "joins", "joins");
    prop(w, "order_by", "orders");
    prop(w, "sort", "orders");
    range(w, "limit", 0, DSL_LIMIT_MAX);
    range(w, "offset", 0, DSL_OFFSET_MAX);
    json_keyz(w, "parameters");
    type(w, "object");
}

static void define_filter(struct json_writer *w)
{
    static const char *const types[] = {"filter", "search"};
    begin(w, "filter");
    begin_object(w);
    begin(w, "properties");
    json_keyz(w, "query_type");
    choice(w, (struct dsl_words){types, 2});
    common_props(w);
    prop(w, "select", "select");
    json_keyz(w, "distinct");
    type(w, "boolean");
    prop(w, "windows", "windows");
    prop(w, "qualify", "conditions");
    prop(w, "cursor", "name");
    json_end_object(w);
    json_keyz(w, "allOf");
    json_begin_array(w);
    either(w, "source", "from");
    json_end_array(w);
    json_end_object(w);
}

static void define_aggregate(struct json_writer *w)
{
    static const char *const types[] = {"aggregate"};
    static const char *const some[] = {"group_by", "aggregations", "aggregate"};
    begin(w, "aggregate");
    begin_object(w);
    begin(w, "properties");
    json_keyz(w, "query_type");
    choice(w, (struct dsl_words){types, 1});
    common_props(w);
    prop(w, "group_by", "group_by");
    prop(w, "aggregations", "aggregations");
    prop(w, "aggregate", "aggregations");
    prop(w, "having", "conditions");
    json_end_object(w);
    json_keyz(w, "allOf");
    json_begin_array(w);
    either(w, "source", "from");
    json_begin_object(w);
    json_keyz(w, "anyOf");
    json_begin_array(w);
    for (int i = 0; i < 3; i++) {
        json_begin_object(w);
        required(w, some[i], NULL);
        json_end_object(w);
    }
    json_end_array(w);
    json_end_object(w);
    json_end_array(w);
    json_end_object(w);
}

void dsl_write_schema(struct json_writer *w)
{
    static const char *const queries[] = {"filter", "aggregate", NULL};
    json_begin_object(w);
    json_kv_strz(w, "$schema", "https://json-schema.org/draft/2020-12/schema");
    json_kv_strz(w, "title", "Quarry DSL");
    json_kv_strz(w, "description",
                 "A query of POST /query/dsl and POST /parse/dsl; null is the same as absent.");
    one_of(w, "anyOf", queries);
    begin(w, "$defs");
    define_names(w);
    define_param(w);
    define_call(w);
    define_scalars(w);
    define_conditions(w);
    define_order(w);
    define_select(w);
    define_groups(w);
    define_aggregations(w);
    define_windows(w);
    define_sources(w);
    define_filter(w);
    define_aggregate(w);
    json_end_object(w);
    json_end_object(w);
}

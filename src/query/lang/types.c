/* types.c: types of dialects to DuckDB's, and light inference over lowered trees. */
#include <stdio.h>

#include "query/lang/lower_int.h"

bool type_is_number(uint8_t type)
{
    return type == TY_INT || type == TY_DECIMAL || type == TY_DOUBLE;
}

enum lang_type lower_type_of(struct str name)
{
    static const struct {
        const char *name;
        enum lang_type type;
    } types[] = {
        {"BOOLEAN", TY_BOOL},
        {"BOOL", TY_BOOL},
        {"TINYINT", TY_INT},
        {"SMALLINT", TY_INT},
        {"INT", TY_INT},
        {"INTEGER", TY_INT},
        {"BIGINT", TY_INT},
        {"HUGEINT", TY_INT},
        {"UTINYINT", TY_INT},
        {"USMALLINT", TY_INT},
        {"UINTEGER", TY_INT},
        {"UBIGINT", TY_INT},
        {"UHUGEINT", TY_INT},
        {"INT128", TY_INT},
        {"INT8", TY_INT},
        {"INT4", TY_INT},
        {"INT2", TY_INT},
        {"LONG", TY_INT},
        {"DECIMAL", TY_DECIMAL},
        {"NUMERIC", TY_DECIMAL},
        {"REAL", TY_DOUBLE},
        {"FLOAT", TY_DOUBLE},
        {"DOUBLE", TY_DOUBLE},
        {"FLOAT4", TY_DOUBLE},
        {"FLOAT8", TY_DOUBLE},
        {"DOUBLE PRECISION", TY_DOUBLE},
        {"TEXT", TY_TEXT},
        {"VARCHAR", TY_TEXT},
        {"CHAR", TY_TEXT},
        {"STRING", TY_TEXT},
        {"BPCHAR", TY_TEXT},
        {"BLOB", TY_BLOB},
        {"BYTEA", TY_BLOB},
        {"DATE", TY_DATE},
        {"TIME", TY_TIME},
        {"TIMETZ", TY_TIME},
        {"TIMESTAMP", TY_TIMESTAMP},
        {"DATETIME", TY_TIMESTAMP},
        {"TIMESTAMP_S", TY_TIMESTAMP},
        {"TIMESTAMP_MS", TY_TIMESTAMP},
        {"TIMESTAMP_NS", TY_TIMESTAMP},
        {"TIMESTAMPTZ", TY_TIMESTAMPTZ},
        {"TIMESTAMP WITH TIME ZONE", TY_TIMESTAMPTZ},
        {"INTERVAL", TY_INTERVAL},
        {"JSON", TY_JSON},
        {"[]", TY_LIST},
        {"STRUCT", TY_STRUCT},
        {"ROW", TY_STRUCT},
        {"MAP", TY_MAP},
    };
    const char *paren = memchr(name.data, '(', name.len);
    if (paren) /* DECIMAL(38, 0) */
        name.len = (size_t)(paren - name.data);
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (str_eq_nocase(name, str_of(types[i].name)))
            return types[i].type;
    }
    return TY_OTHER;
}

/* ---- from a dialect ---- */

static const struct type_row *find_type(const struct dialect *dialect, struct str name)
{
    for (; dialect; dialect = dialect->parent) {
        for (const struct type_row *row = dialect->types; row && row->name; row++) {
            if (str_is(name, row->name))
                return row;
        }
    }
    for (const struct type_row *row = dialect_common.types; row && row->name; row++) {
        if (str_is(name, row->name))
            return row;
    }
    return NULL;
}

static struct node *type_named(struct lower *l, const struct node *node, const char *name,
                               bool keep)
{
    struct node *type = keep ? lower_copy(l, node) : lower_node(l, N_TYPE, "", 0, node);
    if (l->status == STATUS_OK) {
        type->text = str_of(name);
        type->type = (uint8_t)lower_type_of(type->text);
    }
    return type;
}

/* Array(T), ARRAY<T>, LIST(T): T[] */
static struct node *array_type(struct lower *l, const struct node *node)
{
    struct node *type = lower_copy(l, node);
    if (l->status == STATUS_OK) {
        type->text = STR("[]");
        type->type = TY_LIST;
    }
    return type;
}

static struct node *struct_type(struct lower *l, const struct node *node)
{
    struct node *type = lower_copy(l, node);
    if (l->status == STATUS_OK) {
        type->text = STR("STRUCT");
        type->type = TY_STRUCT;
    }
    for (size_t i = 0; i < type->count && l->status == STATUS_OK; i++) {
        if (type->kids[i]->kind == N_TYPE_FIELD)
            continue;
        const char *name = arena_printf(l->arena, "v%zu", i + 1);
        struct node *field = lower_node(l, N_TYPE_FIELD, name ? name : "v", 1, node);
        if (l->status == STATUS_OK) {
            field->kids[0] = type->kids[i];
            type->kids[i] = field;
        }
    }
    return type;
}

struct node *lower_type(struct lower *l, const struct node *node)
{
    if (l->status != STATUS_OK || (node->flags & NODE_LOWERED))
        return (struct node *)node;
    const struct type_row *row = find_type(l->dialect, node->text);
    if (!row) {
        lower_unsupported(l, node, node->text, "no translation of the type");
        return lower_shallow(l, node);
    }
    const char *to = row->to;
    if (!to) {
        lower_unsupported(l, node, node->text, "no translation of the type");
        return lower_shallow(l, node);
    }
    if (str_is(str_of(to), "@array"))
        return node->count ? array_type(l, node) : type_named(l, node, "JSON[]", false);
    if (str_is(str_of(to), "@struct"))
        return node->count ? struct_type(l, node) : type_named(l, node, "JSON", false);
    if (str_is(str_of(to), "@inner"))
        return node->count ? lower_type(l, node->kids[0]) : type_named(l, node, "TEXT", false);
    if (str_is(str_of(to), "@sized")) /* VARCHAR(MAX), VARCHAR(10) */
        return type_named(l, node, "TEXT", node->count == 1 && node->kids[0]->kind == N_NUMBER);
    if (str_is(str_of(to), "@number")) { /* no scale means whole numbers */
        if (node->count == 2)
            return type_named(l, node, "DECIMAL", true);
        const char *name =
            node->count ? arena_printf(l->arena, "DECIMAL(%.*s, 0)", STR_ARG(node->kids[0]->text))
                        : "DECIMAL(38, 0)";
        return type_named(l, node, name ? name : "DECIMAL", false);
    }
    if (str_is(str_of(to), "@object"))
        return node->count ? struct_type(l, node) : type_named(l, node, "JSON", false);
    if (str_is(str_of(to), "@map"))
        return node->count ? type_named(l, node, "MAP", true) : type_named(l, node, "JSON", false);
    if (str_is(str_of(to), "+"))
        return type_named(l, node, row->name, true);
    size_t len = strlen(to);
    if (len > 3 && strcmp(to + len - 3, "(+)") == 0) { /* another name, the same parameters */
        const char *name = arena_printf(l->arena, "%.*s", (int)(len - 3), to);
        return type_named(l, node, name ? name : "", true);
    }
    return type_named(l, node, to, false);
}

/* ---- inference ---- */

static uint8_t arithmetic_type(const struct node *node)
{
    uint8_t a = node->kids[0]->type, b = node->kids[1]->type;
    char op = node->text.data[0];
    if (a == TY_UNKNOWN || b == TY_UNKNOWN)
        return TY_UNKNOWN;
    if (type_is_number(a) && type_is_number(b)) {
        if (op == '/' && node->text.len == 1)
            return TY_DOUBLE;
        return a > b ? a : b;
    }
    if (a == TY_DATE && b == TY_INTERVAL)
        return TY_TIMESTAMP;
    if (a == TY_DATE && b == TY_INT)
        return TY_DATE;
    if (a == TY_DATE && b == TY_DATE)
        return op == '-' ? TY_INT : TY_UNKNOWN;
    if ((a == TY_TIMESTAMP || a == TY_TIMESTAMPTZ) && b == TY_INTERVAL)
        return a;
    if ((a == TY_TIMESTAMP || a == TY_TIMESTAMPTZ) && a == b)
        return TY_INTERVAL;
    return TY_UNKNOWN;
}

static uint8_t binary_type(const struct node *node)
{
    struct str op = node->text;
    if (str_is(op, "AND") || str_is(op, "OR") || str_is(op, "XOR") || str_is(op, "=") ||
        str_is(op, "<>") || op.data[0] == '<' || (op.data[0] == '>' && op.len < 3))
        return str_is(op, "<<") ? TY_INT : TY_BOOL;
    if (str_is(op, "->"))
        return TY_JSON;
    if (str_is(op, "->>"))
        return TY_TEXT;
    if (str_is(op, "||"))
        return node->kids[0]->type == TY_LIST || node->kids[1]->type == TY_LIST   ? TY_LIST
               : node->kids[0]->type == TY_TEXT || node->kids[1]->type == TY_TEXT ? TY_TEXT
                                                                                  : TY_UNKNOWN;
    if (str_is(op, "AT TIME ZONE"))
        return node->kids[0]->type == TY_TIMESTAMPTZ ? TY_TIMESTAMP
               : node->kids[0]->type == TY_TIMESTAMP ? TY_TIMESTAMPTZ
                                                     : TY_UNKNOWN;
    if (op.len == 1 && strchr("+-*/%", op.data[0]))
        return arithmetic_type(node);
    if (str_is(op, "//") || str_is(op, "&") || str_is(op, "|") || str_is(op, ">>"))
        return TY_INT;
    return TY_UNKNOWN;
}

/* What a value that may be either of two has. */
static uint8_t common_type(uint8_t a, uint8_t b)
{
    if (a == b)
        return a;
    return type_is_number(a) && type_is_number(b) ? (a > b ? a : b) : (uint8_t)TY_UNKNOWN;
}

static uint8_t common_argument(const struct node *args)
{
    uint8_t type = args->kids[0] ? args->kids[0]->type : (uint8_t)TY_UNKNOWN;
    for (size_t i = 1; i < args->count; i++) {
        if (args->kids[i] && args->kids[i]->kind != N_NULL_)
            type = common_type(type, args->kids[i]->type);
    }
    return type;
}

/* The sum of bigint is numeric in PostgreSQL, and sum(x) / 2 no whole number. */
static uint8_t sum_type(const struct lower *l, uint8_t type)
{
    bool numeric = l->id == LANG_POSTGRES || l->id == LANG_REDSHIFT;
    return type == TY_INT && numeric ? (uint8_t)TY_DECIMAL : type;
}

static uint8_t call_type(const struct lower *l, const struct node *call)
{
    static const struct {
        const char *names;
        enum lang_type type;
    } rows[] = {
        {" current_date make_date last_day today ", TY_DATE},
        {" current_timestamp now get_current_timestamp to_timestamp ", TY_TIMESTAMPTZ},
        {" strptime try_strptime make_timestamp localtimestamp time_bucket ", TY_TIMESTAMP},
        {" current_time localtime make_time ", TY_TIME},
        {" concat concat_ws substring substr left right lower upper trim ltrim rtrim replace "
         "strftime repeat lpad rpad reverse "
         "md5 sha256 to_base64 string_agg listagg group_concat format printf chr hex split_part "
         "regexp_replace regexp_extract "
         "json_extract_string dayname monthname translate initcap ",
         TY_TEXT},
        {" length len char_length count count_star count_if row_number rank dense_rank ntile "
         "strpos ascii year month day hour minute "
         "second quarter week dayofweek dayofyear isodow weekday weekofyear date_diff datediff "
         "date_part bit_length octet_length "
         "array_length list_position instr unicode sign bit_count epoch_ms epoch_us epoch_ns ",
         TY_INT},
        {" random sqrt power pow exp ln log log2 log10 avg stddev stddev_samp stddev_pop variance "
         "var_pop var_samp pi "
         "radians degrees sin cos tan asin acos atan atan2 cot median quantile_cont corr covar_pop "
         "covar_samp epoch cbrt ",
         TY_DOUBLE},
        {" regexp_matches regexp_full_match starts_with ends_with contains list_contains "
         "array_contains json_contains "
         "json_exists json_valid bool_and bool_or isnan isinf list_has_any list_has_all ",
         TY_BOOL},
        {" json json_object json_array json_extract json_group_array json_group_object to_json "
         "json_merge_patch array_to_json ",
         TY_JSON},
        {" array_agg list list_value list_concat array_slice list_slice list_sort list_distinct "
         "list_reverse string_split str_split "
         "string_to_array split list_transform list_filter generate_series range "
         "regexp_extract_all json_keys flatten map_keys map_values ",
         TY_LIST},
        {" map map_from_entries ", TY_MAP},
        {" struct_pack row ", TY_STRUCT},
        {" encode unhex from_hex from_base64 ", TY_BLOB},
        {" to_days to_months to_years to_hours to_minutes to_seconds age ", TY_INTERVAL},
    };
    char key[40];
    if (call->text.len > 36)
        return TY_UNKNOWN;
    key[0] = ' ';
    for (size_t i = 0; i < call->text.len; i++)
        key[i + 1] =
            (char)(call->text.data[i] >= 'A' && call->text.data[i] <= 'Z' ? call->text.data[i] + 32
                                                                          : call->text.data[i]);
    key[call->text.len + 1] = ' ';
    key[call->text.len + 2] = 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (strstr(rows[i].names, key))
            return (uint8_t)rows[i].type;
    }
    const struct node *args = call->kids[CALL_ARGS];
    static const char same[] = " min max sum any_value first last first_value last_value lag lead "
                               "nth_value abs nullif mode ";
    static const char either[] = " coalesce ifnull greatest least ";
    if (strstr(either, key) && list_count(args) > 0)
        return common_argument(args);
    if (strstr(same, key) && list_count(args) > 0 && args->kids[0])
        return str_eq_nocase(call->text, STR("sum")) ? sum_type(l, args->kids[0]->type)
                                                     : args->kids[0]->type;
    static const char whole[] = " round floor ceil ceiling trunc ";
    bool stays = l->id != LANG_POSTGRES && l->id != LANG_REDSHIFT && l->id != LANG_SQLITE;
    if (strstr(whole, key) && list_count(args) == 1 && args->kids[0])
        return args->kids[0]->type == TY_INT && stays ? TY_INT : TY_DOUBLE;
    return TY_UNKNOWN;
}

static uint8_t case_type(const struct node *node)
{
    const struct node *whens = node->kids[1], *other = node->kids[2];
    uint8_t type = TY_UNKNOWN;
    bool any = false;
    for (size_t i = 0; i < list_count(whens); i++) {
        const struct node *then = kid(whens->kids[i], 1);
        if (!then || then->kind == N_NULL_)
            continue;
        type = any ? common_type(type, then->type) : then->type;
        any = true;
    }
    if (!other || other->kind == N_NULL_)
        return type;
    return any ? common_type(type, other->type) : other->type;
}

void lower_infer(struct lower *l, struct node *node)
{
    if (l->status != STATUS_OK)
        return;
    switch (node->kind) {
    case N_NUMBER:
        node->type = memchr(node->text.data, 'e', node->text.len) ||
                             memchr(node->text.data, 'E', node->text.len)
                         ? TY_DOUBLE
                     : memchr(node->text.data, '.', node->text.len) ? TY_DECIMAL
                                                                    : TY_INT;
        if (node->text.len > 1 && (node->text.data[1] | 32) == 'x')
            node->type = TY_INT;
        break;
    case N_STRING:
        node->type = TY_TEXT;
        break;
    case N_BOOL:
    case N_NOT:
    case N_BETWEEN:
    case N_IN:
    case N_LIKE:
    case N_IS:
    case N_EXISTS:
    case N_QUANTIFIED:
        node->type = TY_BOOL;
        break;
    case N_BINARY:
        node->type = binary_type(node);
        break;
    case N_UNARY:
        node->type = node->kids[0] ? node->kids[0]->type : 0;
        break;
    case N_CAST:
        node->type = node->kids[1] ? (uint8_t)lower_type_of(node->kids[1]->text) : 0;
        break;
    case N_CALL:
        node->type = call_type(l, node);
        break;
    case N_CASE:
        node->type = case_type(node);
        break;
    case N_EXTRACT:
        node->type = l->id == LANG_POSTGRES ? TY_DECIMAL : TY_INT;
        break;
    case N_INTERVAL:
        node->type = TY_INTERVAL;
        break;
    case N_ARRAY:
    case N_ARRAY_QUERY:
    case N_COMPREHENSION:
        node->type = TY_LIST;
        break;
    case N_STRUCT:
    case N_ROW:
        node->type = TY_STRUCT;
        break;
    case N_MAP:
        node->type = TY_MAP;
        break;
    case N_COLLATE:
        node->type = TY_TEXT;
        break;
    case N_BLOB:
        node->type = TY_BLOB;
        break;
    case N_ALIAS:
        node->type = node->kids[0] ? node->kids[0]->type : 0;
        break;
    case N_SUBQUERY: {
        const struct node *query = node->kids[0];
        const struct node *items = node_is(query, N_SELECT) ? query->kids[SELECT_ITEMS] : NULL;
        node->type = list_count(items) == 1 && items->kids[0] ? items->kids[0]->type : TY_UNKNOWN;
        break;
    }
    default:
        break;
    }
}

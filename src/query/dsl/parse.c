/* parse.c: the query object. Steps: read every clause (grammar), check what spans clauses
 * (aliases), then bind names and types (bind.c). Each goes on after mistakes, so that all are seen
 * at once. */
#include "query/dsl/dsl_int.h"

enum slot {
    NONE,
    TYPE,
    SOURCE,
    CONDITIONS,
    FILTERS,
    SELECT,
    DISTINCT,
    JOINS,
    GROUPS,
    AGGREGATIONS,
    HAVING,
    WINDOWS,
    QUALIFY,
    ORDER,
    LIMIT,
    OFFSET,
    CURSOR,
    PARAMETERS,
    SLOTS
};

static const struct dsl_key keys[] = {{"query_type", TYPE},
                                      {"source", SOURCE},
                                      {"conditions", CONDITIONS},
                                      {"filters", FILTERS},
                                      {"select", SELECT},
                                      {"distinct", DISTINCT},
                                      {"joins", JOINS},
                                      {"group_by", GROUPS},
                                      {"aggregations", AGGREGATIONS},
                                      {"having", HAVING},
                                      {"windows", WINDOWS},
                                      {"qualify", QUALIFY},
                                      {"order_by", ORDER},
                                      {"limit", LIMIT},
                                      {"offset", OFFSET},
                                      {"cursor", CURSOR},
                                      {"parameters", PARAMETERS},
                                      /* the origin's spelling */
                                      {"from", SOURCE},
                                      {"where", FILTERS},
                                      {"aggregate", AGGREGATIONS},
                                      {"sort", ORDER},
                                      {NULL, 0}};

static void refuse_writes(struct dsl_query *q, const struct dsl_member *member, struct str word)
{
    static const char *const types[] = {"filter", "aggregate"};
    dsl_fail(q, DSL_UNKNOWN_QUERY_TYPE, member->at, word, (struct dsl_words){types, 2},
             "there is no query_type \"%.*s\"", SHOWN(word));
    if (str_is(word, "insert") || str_is(word, "update") || str_is(word, "delete"))
        dsl_hint(q, "the DSL reads; write with /data/write");
}

/* Said, or known by what is there. */
static void read_type(struct dsl_query *q, const struct dsl_member *m)
{
    struct str word = json_str_of(m[TYPE].value);
    q->aggregate = m[AGGREGATIONS].value || m[GROUPS].value;
    if (!m[TYPE].value)
        return;
    if (!yyjson_is_str(m[TYPE].value) ||
        (!str_is(word, "filter") && !str_is(word, "aggregate") && !str_is(word, "search"))) {
        refuse_writes(q, &m[TYPE], word);
        return;
    }
    q->aggregate = str_is(word, "aggregate");
}

/* Clauses of the other kind of query. */
static void refuse_foreign(struct dsl_query *q, const struct dsl_member *m)
{
    static const enum slot of_filter[] = {SELECT, DISTINCT, WINDOWS, QUALIFY, CURSOR};
    static const enum slot of_aggregate[] = {GROUPS, AGGREGATIONS, HAVING};
    const enum slot *slots = q->aggregate ? of_filter : of_aggregate;
    size_t n = q->aggregate ? sizeof of_filter / sizeof *of_filter
                            : sizeof of_aggregate / sizeof *of_aggregate;
    for (size_t i = 0; i < n; i++) {
        if (!m[slots[i]].value)
            continue;
        struct str key = m[slots[i]].at->key;
        dsl_fail(q, DSL_UNKNOWN_KEY, m[slots[i]].at, STR_NONE, no_words,
                 "\"%.*s\" does not go with query_type \"%s\"", SHOWN(key),
                 q->aggregate ? "aggregate" : "filter");
    }
}

static void read_tables(struct dsl_query *q, const struct dsl_member *m)
{
    q->tables = dsl_alloc(q, DSL_JOINS_MAX + 1, sizeof *q->tables);
    if (!q->tables)
        return;
    q->tables_len = 1;
    q->tables[0] = (struct dsl_table){.at = q->root};
    if (m[SOURCE].value)
        dsl_source_read(q, &m[SOURCE], &q->tables[0]);
    else
        dsl_missing(q, q->root, "source", NULL);
    dsl_joins_read(q, &m[JOINS]);
}

static void read_where(struct dsl_query *q, const struct dsl_member *m)
{
    if (m[CONDITIONS].value)
        q->where = dsl_conds_read(q, m[CONDITIONS].at, m[CONDITIONS].value);
    if (m[FILTERS].value)
        q->where = dsl_cond_and(q, q->where, dsl_filters_read(q, m[FILTERS].at, m[FILTERS].value));
}

static void read_outputs(struct dsl_query *q, const struct dsl_member *m)
{
    q->outputs = dsl_alloc(q, DSL_OUTPUTS_MAX, sizeof *q->outputs);
    if (!q->outputs)
        return;
    if (q->aggregate) {
        dsl_groups_read(q, &m[GROUPS]);
        dsl_aggregations_read(q, &m[AGGREGATIONS]);
        if (!m[AGGREGATIONS].value && !m[GROUPS].value)
            dsl_missing(q, q->root, "aggregations", "what is computed?");
        else if (q->outputs_len == 0 && q->errors.total == 0)
            dsl_missing(q, q->root, "aggregations", "what is computed?");
        if (m[HAVING].value)
            q->having = dsl_conds_read(q, m[HAVING].at, m[HAVING].value);
        return;
    }
    q->distinct = dsl_read_bool(q, &m[DISTINCT], false);
    q->star = !m[SELECT].value;
    dsl_selects_read(q, &m[SELECT]);
    dsl_windows_read(q, &m[WINDOWS]);
    if (m[QUALIFY].value)
        q->qualify = dsl_conds_read(q, m[QUALIFY].at, m[QUALIFY].value);
}

static void check_aliases(struct dsl_query *q)
{
    for (uint32_t i = 0; i < q->outputs_len; i++) {
        struct str alias = q->outputs[i].alias;
        for (uint32_t k = 0; k < i; k++) {
            /* the engine folds case */
            if (!str_eq_nocase(q->outputs[k].alias, alias) || str_is(alias, "?"))
                continue;
            dsl_fail(q, DSL_DUPLICATE_ALIAS, q->outputs[i].at, STR_NONE, no_words,
                     "two columns would have the name \"%.*s\"", SHOWN(alias));
            dsl_hint(q, "give it another alias");
            break;
        }
    }
    for (uint32_t i = 1; i < q->tables_len; i++) {
        struct str alias = q->tables[i].alias;
        for (uint32_t k = 0; k < i && alias.data; k++) {
            if (!q->tables[k].alias.data || !str_eq_nocase(q->tables[k].alias, alias))
                continue;
            dsl_fail(q, DSL_DUPLICATE_ALIAS, q->tables[i].at, STR_NONE, no_words,
                     "two sources would have the name \"%.*s\"", SHOWN(alias));
            dsl_hint(q, "give it another alias");
            break;
        }
    }
}

static void read_paging(struct dsl_query *q, const struct dsl_member *m)
{
    q->limit = dsl_read_int(q, &m[LIMIT], 0, DSL_LIMIT_MAX, DSL_LIMIT_DEFAULT);
    q->offset = dsl_read_int(q, &m[OFFSET], 0, DSL_OFFSET_MAX, 0);
    if (!m[CURSOR].value)
        return;
    q->cursor = json_str_of(m[CURSOR].value);
    if (!yyjson_is_str(m[CURSOR].value) || q->cursor.len == 0)
        dsl_fail(q, DSL_BAD_CURSOR, m[CURSOR].at, STR_NONE, no_words,
                 "a cursor is \"*\" or the text of an earlier answer");
    if (m[OFFSET].value)
        dsl_bad(q, m[OFFSET].at, "a cursor knows where it stands: leave out the offset");
    if (q->limit == 0)
        dsl_bad(q, m[LIMIT].at, "a cursor needs a limit above 0");
}

static void read_query(struct dsl_query *q, yyjson_val *json)
{
    struct dsl_member m[SLOTS];
    if (!dsl_read_object(q, q->root, json, keys, m, SLOTS))
        return;
    if (yyjson_is_obj(m[PARAMETERS].value))
        q->parameters = m[PARAMETERS].value;
    else if (m[PARAMETERS].value)
        dsl_bad(q, m[PARAMETERS].at, "parameters is an object of name: value");
    read_type(q, m);
    refuse_foreign(q, m);
    read_tables(q, m);
    read_where(q, m);
    read_outputs(q, m);
    if (m[ORDER].value)
        dsl_orders_read(q, m[ORDER].at, m[ORDER].value, &q->order, &q->order_len);
    read_paging(q, m);
    check_aliases(q);
}

static struct dsl_query *new_query(struct arena *arena, const struct dsl_options *options)
{
    static const struct dsl_options none;
    struct dsl_query *q = ARENA_NEW(arena, struct dsl_query);
    struct dsl_at *root = ARENA_NEW(arena, struct dsl_at);
    if (!q || !root)
        return NULL;
    *q = (struct dsl_query){.arena = arena, .options = options ? options : &none, .root = root};
    return q;
}

enum status dsl_parse(struct arena *arena, yyjson_val *json, const struct dsl_options *options,
                      struct dsl_query **ret_query, struct error *err)
{
    struct dsl_query *q = new_query(arena, options);
    if (!q)
        return error_no_memory(err);
    read_query(q, json);
    if (!q->failed)
        dsl_query_bind(q);
    if (q->failed)
        return error_no_memory(err);
    *ret_query = q;
    return STATUS_OK;
}

struct dsl_query *dsl_query_of_error(struct arena *arena, enum dsl_code code, const char *pointer,
                                     const char *message)
{
    struct dsl_query *q = new_query(arena, NULL);
    if (!q)
        return NULL;
    const struct dsl_at *at = pointer[0] ? dsl_at_key(q, q->root, pointer) : q->root;
    dsl_fail(q, code, at, STR_NONE, no_words, "%s", message);
    return q;
}

const struct dsl_errors *dsl_query_errors(const struct dsl_query *query)
{
    return &query->errors;
}

bool dsl_query_is_aggregate(const struct dsl_query *query)
{
    return query->aggregate;
}

int64_t dsl_query_limit(const struct dsl_query *query)
{
    return query->limit;
}

struct str dsl_query_cursor(const struct dsl_query *query)
{
    return query->cursor;
}

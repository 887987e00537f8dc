/* statement.c: the frame of a statement: its table, its WHERE, its LIMIT. */
#include "query/optimize/statement.h"

#include "query/optimize/typed.h"

bool reader_column(const struct reader *reader, const struct node *ref, uint32_t *ret)
{
    if (!node_is(ref, N_REF) || ref->count == 0 || ref->count > 2)
        return false;
    const struct node *qualifier = ref->count == 2 ? kid(ref, 0) : NULL;
    struct str name = kid(ref, ref->count - 1u)->text;
    if (!node_is(kid(ref, ref->count - 1u), N_IDENT))
        return false;
    if (qualifier && !str_eq(qualifier->text, reader->alias))
        return false;
    int32_t at = schema_find(reader->schema, name);
    for (uint32_t i = 0; at >= 0 && i < reader->schema->fields_len; i++) {
        struct str other = reader->schema->fields[i].name;
        if (i != (uint32_t)at && other.len == name.len && str_eq_nocase(other, name))
            return false; /* the engine knows them by other names */
    }
    *ret = at < 0 ? 0 : (uint32_t)at;
    return at >= 0;
}

bool is_plain_call(const struct node *call)
{
    for (size_t i = CALL_ARGS + 1; i < call->count; i++)
        if (kid(call, i))
            return false;
    return node_is(call, N_CALL) && !node_has_other(call, NODE_DISTINCT);
}

static bool take_field(void *context, const struct node *node, struct typed *ret)
{
    const struct reader *reader = context;
    uint32_t field;
    enum sql_kind kind;
    if (!node_is(node, N_REF))
        return false;
    if (reader_column(reader, node, &field) &&
        sql_kind_of(reader->schema->fields[field].type, &kind))
        typed_input(reader, field, reader->schema->fields[field].name, kind, ret);
    return true;
}

struct scope field_scope(struct reader *reader)
{
    return (struct scope){reader, reader, take_field};
}

/* Nothing else than these parts. */
static bool has_only_known_parts(const struct node *select)
{
    static const int strange[] = {SLOT_WITH,     SELECT_DISTINCT_ON, SELECT_QUALIFY, SELECT_WINDOWS,
                                  SELECT_SAMPLE, SELECT_LIMIT_BY,    SELECT_INTO};
    for (size_t i = 0; i < sizeof strange / sizeof *strange; i++)
        if (kid(select, (size_t)strange[i]))
            return false;
    return (select->flags & ~(uint32_t)NODE_DISTINCT) == 0;
}

static bool read_table(struct reader *reader, const struct node *from,
                       const struct sql_table *tables, uint32_t tables_len)
{
    if (list_count(from) != 1 || !node_is(kid(from, 0), N_TABLE))
        return false;
    const struct node *table = kid(from, 0), *name = kid(table, 0), *alias = kid(table, 1);
    if (kid(table, 2) || kid(table, 3) || !node_is(name, N_REF) || name->count == 0)
        return false;
    if (name->count > 2 || (name->count == 2 && !str_is(kid(name, 0)->text, "main")))
        return false;
    if (alias && alias->count && (kid(alias, 0) || kid(alias, 1)))
        return false; /* names of columns */
    reader->table = kid(name, name->count - 1u)->text;
    reader->alias = alias ? alias->text : reader->table;
    for (uint32_t i = 0; i < tables_len; i++) {
        const struct view *view = tables[i].view;
        if (!view || !str_eq(source_config(view->source)->source_id, reader->table))
            continue;
        reader->schema = view->schema;
        reader->out->table = i;
        reader->out->shape.source_id = source_config(view->source)->source_id;
        return view->schema->fields_len > 0;
    }
    return false;
}

static bool read_limit(const struct reader *reader, const struct node *select)
{
    struct own_statement *out = reader->out;
    const struct node *limit = kid(select, SLOT_LIMIT), *offset = kid(select, SLOT_OFFSET);
    int64_t skip = 0;
    out->limit = -1;
    if (limit && (limit->flags || !constant_whole(reader, limit, &out->limit) || out->limit < 0))
        return false;
    if (offset && (!constant_whole(reader, offset, &skip) || skip < 0))
        return false;
    out->offset = (uint64_t)skip;
    return true;
}

static bool read_select(struct reader *reader, const struct node *select,
                        const struct sql_table *tables, uint32_t tables_len)
{
    return node_is(select, N_SELECT) && has_only_known_parts(select) &&
           read_table(reader, kid(select, SELECT_FROM), tables, tables_len) &&
           read_limit(reader, select) && statement_read_where(reader, kid(select, SELECT_WHERE)) &&
           statement_read_outputs(reader);
}

bool own_statement_read(struct arena *arena, const struct node *root, yyjson_val *parameters,
                        const struct sql_table *tables, uint32_t tables_len,
                        struct own_statement *ret)
{
    *ret = (struct own_statement){.limit = -1, .shape.limit = -1};
    struct reader reader = {.arena = arena, .root = root, .parameters = parameters, .out = ret};
    return read_select(&reader, root, tables, tables_len);
}

void own_statement_release(struct own_statement *statement)
{
    filter_free(statement->filter);
    yyjson_doc_free(statement->filters);
    statement->filter = NULL;
    statement->filters = NULL;
}

/* sql_define.c: CREATE TABLE, ALTER TABLE, DROP TABLE on POST /query/sql: sources are added,
 * changed and removed as through /sources, with the same rights. */
#include <stdio.h>

#include "query/lang/change.h"
#include "query/lang/node.h"
#include "services/tenant/matview.h"
#include "services/tenant/sql_write.h"

static const char decimal_warning[] =
    "DECIMAL columns are kept as float64: values of more than 15 digits lose some";

static struct tenant_node *node_of(const struct statement *statement)
{
    return statement->request->context;
}

static enum status refuse(const struct statement *statement, const char *what, struct error *err)
{
    (void)statement;
    return error_set(err, STATUS_UNSUPPORTED_SQL, "%s", what);
}

/* t or main.t */
enum status sql_plain_name(const struct node *ref, struct str *ret, struct error *err)
{
    *ret = ref->kids[ref->count - 1]->text;
    if (ref->count == 1 || (ref->count == 2 && str_eq_nocase(ref->kids[0]->text, STR("main"))))
        return STATUS_OK;
    return error_set(err, STATUS_SQL_REFUSED,
                     "only the tenant's own sources can be defined, by "
                     "their plain names");
}

/* ---- CREATE TABLE ---- */

static enum status take_names(struct statement *statement, const struct node *list,
                              const struct str **ret, uint32_t *ret_len, struct error *err)
{
    struct str *names = arena_array(statement->request->arena, list_count(list) + 1, sizeof *names);
    if (list_count(list) > SOURCE_COLUMNS_LISTED_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT, "a key or partition has at most %d columns",
                         SOURCE_COLUMNS_LISTED_MAX);
    for (size_t i = 0; names && i < list_count(list); i++)
        names[i] = list->kids[i]->text;
    *ret = names;
    *ret_len = (uint32_t)list_count(list);
    return names ? STATUS_OK : error_no_memory(err);
}

/* Columns as declared. */
static enum status declare(struct statement *statement, const struct node *columns,
                           struct source_config *config, bool *ret_loses, struct error *err)
{
    size_t len = list_count(columns);
    struct field *fields = arena_array(statement->request->arena, len + 1, sizeof *fields);
    struct lang_problem problem;
    if (!fields)
        return error_no_memory(err);
    if (len > SCHEMA_FIELDS_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT, "a table has at most %d columns",
                         SCHEMA_FIELDS_MAX);
    for (size_t i = 0; i < len; i++) {
        bool loses = false;
        fields[i].name = columns->kids[i]->text;
        if (lang_declared_type(statement->request->arena, &statement->query,
                               columns->kids[i]->kids[0], &fields[i].type, &loses,
                               &problem) != STATUS_OK)
            return statement_fail(&problem, err);
        *ret_loses = *ret_loses || loses;
        for (size_t k = 0; k < i; k++) {
            if (str_eq_nocase(fields[k].name, fields[i].name))
                return error_set(err, STATUS_INVALID_SQL, "column '%.*s' is declared twice",
                                 STR_ARG(fields[i].name));
        }
    }
    config->fields = fields;
    config->fields_len = (uint32_t)len;
    return STATUS_OK;
}

/* Columns of the query of CREATE TABLE AS. */
static enum status declare_query(struct statement *statement, struct source_config *config,
                                 bool *ret_loses, struct error *err)
{
    const struct str *names, *types;
    uint32_t len;
    TRY(sql_describe_query(statement, &names, &types, &len, err));
    struct field *fields = arena_array(statement->request->arena, len + 1u, sizeof *fields);
    if (!fields)
        return error_no_memory(err);
    for (uint32_t i = 0; i < len; i++) {
        bool loses = false;
        fields[i].name = names[i];
        if (!lang_named_type(types[i], &fields[i].type, &loses))
            return error_set(err, STATUS_UNSUPPORTED_SQL,
                             "column '%.*s' has type %.*s, which no source has: add a CAST",
                             names[i].len < 60 ? (int)names[i].len : 60, names[i].data,
                             types[i].len < 60 ? (int)types[i].len : 60, types[i].data);
        *ret_loses = *ret_loses || loses;
    }
    config->fields = fields;
    config->fields_len = len;
    return STATUS_OK;
}

struct traits {
    struct schema_change *changes;
    uint32_t len;
    yyjson_doc **docs; /* of default values */
    uint32_t docs_len;
};

static enum status read_default(struct statement *statement, const struct node *value,
                                struct traits *traits, yyjson_val **ret, struct error *err)
{
    struct lang_problem problem;
    struct buf json;
    buf_init(&json, DEFAULT_MAX + 64);
    enum status status = lang_literal_json(&statement->query, value, &json, &problem);
    if (status != STATUS_OK)
        status = statement_fail(&problem, err);
    else
        status = json_parse(buf_str(&json), &traits->docs[traits->docs_len], err);
    buf_release(&json);
    TRY(status);
    *ret = yyjson_doc_get_root(traits->docs[traits->docs_len++]);
    return STATUS_OK;
}

static enum status traits_init(struct statement *statement, size_t columns, struct traits *ret,
                               struct error *err)
{
    struct arena *arena = statement->request->arena;
    *ret = (struct traits){.changes = arena_array(arena, 3 * columns + 1, sizeof *ret->changes),
                           .docs = arena_array(arena, columns + 1, sizeof *ret->docs)};
    return ret->changes && ret->docs ? STATUS_OK : error_no_memory(err);
}

static void traits_release(struct traits *traits)
{
    for (uint32_t i = 0; i < traits->docs_len; i++)
        yyjson_doc_free(traits->docs[i]);
}

static enum status alter(struct source *source, const struct traits *traits, struct error *err)
{
    struct schema *schema = NULL;
    if (traits->len == 0)
        return STATUS_OK;
    TRY(source_alter(source, traits->changes, traits->len, -1, &schema, err));
    schema_unref(schema);
    return STATUS_OK;
}

/* NOT NULL, DEFAULT and COMMENT of a column that is there. */
static enum status add_traits(struct statement *statement, const struct node *column,
                              struct traits *traits, struct error *err)
{
    struct schema_change change = {.column = column->text};
    if (column->kids[1]) {
        change.kind = SCHEMA_DEFAULT;
        TRY(read_default(statement, column->kids[1], traits, &change.value, err));
        traits->changes[traits->len++] = change;
    }
    if (column->flags & NODE_NOT)
        traits->changes[traits->len++] = (struct schema_change){
            .kind = SCHEMA_REQUIRED, .column = column->text, .required = true};
    if (column->kids[2])
        traits->changes[traits->len++] = (struct schema_change){
            .kind = SCHEMA_COMMENT, .column = column->text, .to = column->kids[2]->text};
    return STATUS_OK;
}

static enum status add_all_traits(struct statement *statement, const struct node *columns,
                                  struct source *source, struct error *err)
{
    struct traits traits;
    enum status status = STATUS_OK;
    TRY(traits_init(statement, list_count(columns), &traits, err));
    for (size_t i = 0; i < list_count(columns) && status == STATUS_OK; i++)
        status = add_traits(statement, columns->kids[i], &traits, err);
    if (status == STATUS_OK)
        status = alter(source, &traits, err);
    traits_release(&traits);
    return status;
}

/* What stands in the statement besides the bare columns; the source is new. */
static enum status complete(struct statement *statement, struct str name,
                            struct sql_affected *affected, struct error *err)
{
    const struct node *root = statement->query.root;
    struct source *source;
    TRY(store_get_source(node_of(statement)->store, name, &source, err));
    enum status status = add_all_traits(statement, root->kids[1], source, err);
    if (status == STATUS_OK && root->kids[2])
        status = sql_change_source(statement, source, affected, err);
    source_unref(source);
    return status;
}

bool sql_source_exists(struct statement *statement, struct str name)
{
    struct source *source;
    if (store_get_source(node_of(statement)->store, name, &source, NULL) != STATUS_OK)
        return false;
    source_unref(source);
    return true;
}

static enum status make_config(struct statement *statement, struct source_config *config,
                               bool *ret_loses, struct error *err)
{
    const struct node *root = statement->query.root;
    if (root->kids[2] && root->kids[1])
        return refuse(statement, "columns or a query, not both", err);
    TRY(root->kids[2] ? declare_query(statement, config, ret_loses, err)
                      : declare(statement, root->kids[1], config, ret_loses, err));
    if (config->fields_len == 0)
        return error_set(err, STATUS_INVALID_SQL, "a table without columns");
    TRY(take_names(statement, kid(root, 3), &config->key_columns, &config->key_columns_len, err));
    config->index_columns = config->key_columns;
    config->index_columns_len = config->key_columns_len;
    return take_names(statement, kid(root, 4), &config->partition_columns,
                      &config->partition_columns_len, err);
}

static enum status create(struct statement *statement, struct sql_affected *affected,
                          struct error *err)
{
    const struct node *root = statement->query.root;
    bool loses = false;
    struct source_config config = {.wal_enabled = true};
    TRY(sql_admit(statement->request, "sources_add"));
    if (root->flags & (NODE_REPLACE | NODE_TEMPORARY))
        return refuse(statement, "CREATE OR REPLACE and temporary tables are not available", err);
    TRY(sql_plain_name(root->kids[0], &config.source_id, err));
    config.name = config.source_id;
    if (sql_source_exists(statement, config.source_id)) {
        if (root->flags & NODE_TRY)
            return STATUS_OK;
        return error_set(err, STATUS_CONFLICT, "there is a source %.*s already",
                         STR_ARG(config.source_id));
    }
    TRY(sql_view_check_free(node_of(statement), config.source_id, err));
    if (!parquet_codec_parse(STR("snappy"), &config.codec))
        return error_set(err, STATUS_INTERNAL, "the usual compression is not known");
    TRY(make_config(statement, &config, &loses, err));
    TRY(store_add_source(node_of(statement)->store, &config, err));
    enum status status = complete(statement, config.source_id, affected, err);
    if (status != STATUS_OK) /* nothing is left of a statement that failed */
        (void)tenant_remove_source(node_of(statement), config.source_id, NULL);
    affected->warning = loses ? decimal_warning : NULL;
    return status;
}

/* ---- ALTER TABLE ---- */

static enum status change_type(struct statement *statement, const struct node *type,
                               struct schema_change *change, bool *ret_loses, struct error *err)
{
    struct lang_problem problem;
    if (lang_declared_type(statement->request->arena, &statement->query, type, &change->type,
                           ret_loses, &problem) != STATUS_OK)
        return statement_fail(&problem, err);
    return STATUS_OK;
}

static enum status add_column(struct statement *statement, const struct node *column,
                              struct traits *traits, bool *ret_loses, struct error *err)
{
    struct schema_change change = {.kind = SCHEMA_ADD,
                                   .column = column->text,
                                   .required = (column->flags & NODE_NOT) != 0,
                                   .to = column->kids[2] ? column->kids[2]->text : STR_NONE};
    TRY(change_type(statement, column->kids[0], &change, ret_loses, err));
    if (column->kids[1])
        TRY(read_default(statement, column->kids[1], traits, &change.value, err));
    traits->changes[traits->len++] = change;
    return STATUS_OK;
}

static enum status take_action(struct statement *statement, const struct node *action,
                               struct traits *traits, bool *ret_loses, struct error *err)
{
    struct str what = action->text;
    if (str_is(what, "ADD"))
        return add_column(statement, action->kids[0], traits, ret_loses, err);
    if (str_is(what, "RENAME TO"))
        return refuse(statement, "a source cannot be renamed", err);
    struct schema_change change = {.column = action->kids[0]->text};
    if (str_is(what, "DROP")) {
        change.kind = SCHEMA_DROP;
    } else if (str_is(what, "RENAME")) {
        change.kind = SCHEMA_RENAME;
        change.to = action->kids[1]->text;
    } else if (str_is(what, "COMMENT")) {
        change.kind = SCHEMA_COMMENT;
        change.to = action->kids[1] ? action->kids[1]->text : STR_NONE;
    } else if (str_is(what, "DEFAULT")) {
        change.kind = SCHEMA_DEFAULT;
        if (action->kids[1])
            TRY(read_default(statement, action->kids[1], traits, &change.value, err));
    } else if (str_is(what, "TYPE")) {
        change.kind = SCHEMA_WIDEN;
        TRY(change_type(statement, action->kids[1], &change, ret_loses, err));
    } else {
        change.kind = SCHEMA_REQUIRED;
        change.required = str_is(what, "REQUIRED");
    }
    traits->changes[traits->len++] = change;
    return STATUS_OK;
}

static enum status alter_table(struct statement *statement, struct sql_affected *affected,
                               struct error *err)
{
    const struct node *root = statement->query.root, *actions = root->kids[1];
    struct traits traits;
    struct source *source;
    struct str name;
    bool loses = false;
    enum status status = STATUS_OK;
    TRY(sql_admit(statement->request, "source_schema_change"));
    TRY(sql_plain_name(root->kids[0], &name, err));
    TRY(matview_check_writable(node_of(statement), name, err));
    TRY(traits_init(statement, list_count(actions), &traits, err));
    for (size_t i = 0; i < list_count(actions) && status == STATUS_OK; i++)
        status = take_action(statement, actions->kids[i], &traits, &loses, err);
    if (status == STATUS_OK)
        status = store_get_source(node_of(statement)->store, name, &source, err);
    if (status == STATUS_OK) {
        status = alter(source, &traits, err);
        source_unref(source);
    }
    traits_release(&traits);
    affected->warning = loses ? decimal_warning : NULL;
    return status;
}

/* ---- DROP TABLE ---- */

static enum status drop_table(struct statement *statement, struct error *err)
{
    const struct node *root = statement->query.root;
    struct str name;
    TRY(sql_admit(statement->request, "sources_remove"));
    if (!str_is(root->text, "TABLE"))
        return error_set(err, STATUS_SQL_REFUSED, "DROP %.*s is not available",
                         STR_ARG(root->text));
    TRY(sql_plain_name(root->kids[0], &name, err));
    TRY(matview_check_writable(node_of(statement), name, err));
    if (sql_source_exists(statement, name))
        return tenant_remove_source(node_of(statement), name, err);
    TRY(sql_view_check_free(node_of(statement), name, err));
    if (root->flags & NODE_TRY)
        return STATUS_OK;
    return tenant_remove_source(node_of(statement), name, err);
}

enum status handle_sql_define(struct statement *statement, struct error *err)
{
    struct sql_affected affected = {0};
    switch (statement->query.statement) {
    case LANG_CREATE_TABLE:
        TRY(create(statement, &affected, err));
        break;
    case LANG_ALTER:
        TRY(alter_table(statement, &affected, err));
        break;
    default:
        TRY(drop_table(statement, err));
        break;
    }
    return sql_answer_affected(statement, &affected, err);
}

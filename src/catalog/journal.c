/* journal.c: see journal.h.
 *
 * A restore reads the journal, then every record, putting what the journal knows in its place, then
 * the journal again: what changed meanwhile is put right at the end. */
#include "catalog/journal.h"

#include <stdlib.h>

#include "base/datetime.h"
#include "catalog/hybrid/hybrid_backend.h"
#include "catalog/postgres/postgres_backend.h"
#include "catalog/sqlite/sqlite_backend.h"

/* --- rows of a journal --- */

static enum status read_list(yyjson_val *value, struct arena *arena, struct str_list *ret,
                             struct error *err)
{
    size_t at, max;
    yyjson_val *item;
    yyjson_doc *doc = NULL;
    if (yyjson_is_str(value)) { /* a list as text, as SQLite has it */
        TRY(json_parse(json_str_of(value), &doc, err));
        value = yyjson_doc_get_root(doc);
    }
    ret->items = arena_array(arena, yyjson_arr_size(value) + 1, sizeof *ret->items);
    bool fits = ret->items != NULL;
    yyjson_arr_foreach(value, at, max, item)
    {
        if (fits)
            fits = (ret->items[ret->len++] = arena_str(arena, json_str_of(item))).data != NULL;
    }
    yyjson_doc_free(doc);
    return fits ? STATUS_OK : error_no_memory(err);
}

static enum status read_column(yyjson_val *value, struct record *record, enum record_field field,
                               struct arena *arena, struct error *err)
{
    switch (record_field_info[field].type) {
    case RECORD_TEXT:
    case RECORD_JSON: {
        struct str text = json_str_of(value);
        *record_text_at(record, field) = text.len ? arena_str(arena, text) : STR_NONE;
        return text.len && !record_get_text(record, field).data ? error_no_memory(err) : STATUS_OK;
    }
    case RECORD_LIST:
        return read_list(value, arena, record_list_at(record, field), err);
    case RECORD_BOOL:
        *record_bool_at(record, field) =
            yyjson_is_bool(value) ? yyjson_get_bool(value) : yyjson_get_sint(value) != 0;
        return STATUS_OK;
    case RECORD_INT:
    case RECORD_TIME:
        break;
    }
    *record_int_at(record, field) = yyjson_get_sint(value);
    return STATUS_OK;
}

static enum status read_row(struct str old, struct record *record, struct arena *arena,
                            struct error *err)
{
    yyjson_doc *doc = NULL;
    TRY(json_parse(old, &doc, err));
    yyjson_val *row = yyjson_doc_get_root(doc);
    enum status status = STATUS_OK;
    for (int i = 0; i < RECORD_FIELD_COUNT && status == STATUS_OK; i++)
        if (record_has_field(record->domain, (enum record_field)i))
            status = read_column(json_get(row, record_field_info[i].member), record,
                                 (enum record_field)i, arena, err);
    yyjson_doc_free(doc);
    return status;
}

enum status journal_visit(struct str domain, struct str id, struct str old, journal_fn visit,
                          void *context, struct error *err)
{
    struct arena arena;
    struct journal_entry entry = {.existed = old.data != NULL};
    if (!domain_parse(domain, &entry.record.domain))
        return error_set(err, STATUS_CORRUPT, "the journal tells of '%.*s'", STR_ARG(domain));
    arena_init(&arena, 0);
    entry.record.id = id;
    enum status status = entry.existed ? read_row(old, &entry.record, &arena, err) : STATUS_OK;
    if (status == STATUS_OK)
        status = visit(context, &entry, err);
    arena_release(&arena);
    return status;
}

enum status journal_too_short(int64_t start_us, struct error *err)
{
    char text[TIMESTAMP_TEXT_MAX];
    timestamp_format(start_us, text);
    return error_set(err, STATUS_INVALID_ARGUMENT,
                     "the catalog's journal reaches back to %sZ only: restore a backup", text);
}

static bool is_backend(const struct backend *backend, const char *name)
{
    return strcmp(backend->ops->name, name) == 0;
}

enum status journal_read(struct backend *backend, int64_t at_us, journal_fn visit, void *context,
                         struct error *err)
{
    backend = hybrid_primary(backend);
    if (is_backend(backend, "sqlite"))
        return sqlite_journal_read(backend, at_us, visit, context, err);
    if (is_backend(backend, "postgres"))
        return postgres_journal_read(backend, at_us, visit, context, err);
    return error_set(err, STATUS_INVALID_ARGUMENT,
                     "a %s catalog keeps no journal: only SQLite and PostgreSQL do",
                     backend->ops->name);
}

enum status journal_trim(struct backend *backend, int64_t before_us, struct error *err)
{
    backend = hybrid_primary(backend);
    if (is_backend(backend, "sqlite"))
        return sqlite_journal_trim(backend, before_us, err);
    if (is_backend(backend, "postgres"))
        return postgres_journal_trim(backend, before_us, err);
    return STATUS_OK;
}

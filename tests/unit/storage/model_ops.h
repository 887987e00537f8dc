/* model_ops.h: operations on a source and on its model, chosen by chance.
 *
 * Each changes the model first and then asks the store, so that after a failure the model is as the
 * operation would have left it; who expects failures keeps a copy from before. What a call returns
 * is checked when it succeeds. */
#ifndef QUARRY_TESTS_STORAGE_MODEL_OPS_H
#define QUARRY_TESTS_STORAGE_MODEL_OPS_H

#include "model_view.h"
#include "sys/fault/fault.h"
#include "sys/sim/sim.h"

enum { MEMBERS = 3, BATCH_ROWS = 20, ROWS_MAX = 200, RECORDS = 12, WRITES = 32, VIEWS = 4 };

/* A committed state, and what was in it. */
struct record {
    uint64_t snapshot_id; /* 0: none */
    uint32_t tag;         /* 0: none */
    struct model model;
};

struct written {
    uint32_t id; /* 0: none */
    uint32_t rows;
};

/* One source. */
enum { MODEL_COMPOSITES = 3, MODEL_COMPOSITE_LEN = 3 };

/* An index over several columns, by their slots; number 0: none. */
struct model_composite {
    uint32_t number;
    enum index_kind kind;
    uint32_t len;
    int slots[MODEL_COMPOSITE_LEN];
};

struct member {
    const char *name;
    bool keyed, partitioned;
    struct source *source;
    struct model model;
    uint64_t snapshot_id; /* as last seen */
    struct record records[RECORDS];
    struct written writes[WRITES];
    struct model_composite composites[MODEL_COMPOSITES];
    uint32_t composite_last; /* number */
};

struct kept_view {
    bool open;
    struct view view;
    struct model model;
};

struct world {
    uint64_t seed, chance;
    uint32_t step;
    bool trace;
    char what[160]; /* the operation under way */
    struct sim *sim;
    struct fault *fault;
    struct store *store;
    struct member members[MEMBERS];
    struct kept_view views[VIEWS];
    int64_t next_id;
    uint32_t next_write, next_serial, next_tag;
    struct written write; /* of the operation under way */
    bool unrecorded;      /* its commit holds less than the model */
};

static uint64_t chance(struct world *w)
{
    uint64_t x = w->chance += UINT64_C(0x9e3779b97f4a7c15); /* splitmix64 */
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

static uint32_t below(struct world *w, uint32_t bound)
{
    return (uint32_t)(chance(w) % bound);
}

static void say(struct world *w, const struct member *m, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void say(struct world *w, const struct member *m, const char *format, ...)
{
    va_list args;
    int at = snprintf(w->what, sizeof w->what, "%s: ", m->name);
    va_start(args, format);
    vsnprintf(w->what + at, sizeof w->what - (size_t)at, format, args);
    va_end(args);
    if (w->trace)
        print_message("step %u: %s\n", w->step, w->what);
}

/* --- rows --- */

static double random_cell(struct world *w, enum type type)
{
    if (below(w, 10) == 0)
        return NAN;
    double cell = below(w, 40);
    return type == TYPE_DOUBLE && below(w, 2) ? cell + 0.5 : cell;
}

/* Columns that a batch has; the others are filled. */
static uint32_t random_mask(struct world *w, const struct model *model)
{
    uint32_t mask = 1u << SLOT_ID;
    for (int slot = SLOT_ID + 1; slot < SLOTS; slot++)
        mask |= (uint32_t)(model->columns[slot].live && below(w, 8)) << slot;
    return mask;
}

static struct model_row random_row(struct world *w, const struct model *model, uint32_t mask,
                                   int64_t id)
{
    struct model_row row = {.id = id};
    for (int slot = SLOT_ID + 1; slot < SLOTS; slot++) {
        const struct model_column *column = &model->columns[slot];
        if (!column->live)
            continue;
        row.cells[slot] = mask >> slot & 1 ? random_cell(w, column->type) : column->fill;
        if (slot == SLOT_KIND && mask >> slot & 1)
            row.cells[slot] = below(w, 3);
    }
    return row;
}

static void free_name(struct world *w, const struct model *model, char name[8])
{
    do {
        snprintf(name, 8, "c%u", below(w, COLUMN_NAMES));
    } while (model_slot(model, str_of(name)) >= 0);
}

/* A slot without a column, or -1. */
static int free_slot(const struct model *model)
{
    for (int slot = SLOT_KIND + 1; slot < SLOTS; slot++) {
        if (!model->columns[slot].live)
            return slot;
    }
    return -1;
}

static enum type random_type(struct world *w)
{
    static const enum type types[] = {TYPE_INT64, TYPE_DOUBLE, TYPE_STRING, TYPE_DATE,
                                      TYPE_TIMESTAMP};
    return types[below(w, 5)];
}

/* Records bring a column that there is not, or a number that is wider than its column. */
static uint32_t grow(struct world *w, struct model *model, uint32_t *mask)
{
    int slot = free_slot(model);
    char name[8];
    if (below(w, 60) == 0 && slot >= 0) {
        free_name(w, model, name);
        model_add_column(model, slot, name, random_type(w), NAN, false, ++w->next_serial);
        *mask |= 1u << slot;
        return 1u << slot;
    }
    for (slot = SLOT_KIND + 1; slot < SLOTS; slot++) {
        struct model_column *column = &model->columns[slot];
        if (column->live && !column->declared && column->type == TYPE_INT64 &&
            (*mask >> slot & 1) && below(w, 200) == 0) {
            column->type = TYPE_DOUBLE;
            return 1u << slot;
        }
    }
    return 0;
}

static struct batch *random_batch(struct world *w, struct model *model, struct model_row *rows,
                                  const int64_t *ids, uint32_t len)
{
    uint32_t mask = random_mask(w, model), grown = grow(w, model, &mask);
    for (uint32_t i = 0; i < len; i++) {
        rows[i] = random_row(w, model, mask, ids[i]);
        for (int slot = 0; slot < SLOTS && i == 0; slot++) {
            if (grown >> slot & 1) /* of nulls alone a column gets no type */
                rows[i].cells[slot] = 1;
        }
    }
    return model_batch(model, rows, len, mask);
}

/* A write id in one of three; "" for none. */
static struct str new_write_id(struct world *w, char text[16])
{
    w->write = (struct written){0};
    if (below(w, 3))
        return STR_NONE;
    w->write.id = ++w->next_write;
    snprintf(text, 16, "w%u", w->write.id);
    return str_of(text);
}

/* --- writes --- */

static enum status do_append(struct world *w, struct member *m)
{
    struct write_result result = {0};
    struct model_row rows[BATCH_ROWS];
    int64_t ids[BATCH_ROWS];
    char text[16];
    uint32_t len = 1 + below(w, BATCH_ROWS);
    if (m->model.len + len > ROWS_MAX)
        len = 1;
    for (uint32_t i = 0; i < len; i++)
        ids[i] = w->next_id++;
    struct batch *batch = random_batch(w, &m->model, rows, ids, len);
    struct str write_id = new_write_id(w, text);
    w->write.rows = len;
    say(w, m, "append %u rows from id %lld, write id %u", len, (long long)ids[0], w->write.id);
    for (uint32_t i = 0; i < len; i++)
        model_add(&m->model, &rows[i]);
    enum status status = source_write(m->source, batch, write_id, &result, &test_err);
    batch_unref(batch);
    if (status == STATUS_OK) {
        assert_int_equal(result.rows, len);
        assert_false(result.duplicate);
    }
    return status;
}

/* Ids of rows that are there and of new ones, some twice. */
static enum status do_upsert(struct world *w, struct member *m)
{
    struct write_result result = {0};
    struct model_row rows[BATCH_ROWS];
    int64_t ids[BATCH_ROWS];
    char text[16];
    uint32_t len = 1 + below(w, BATCH_ROWS), deleted = 0;
    uint32_t fresh = m->model.len + BATCH_ROWS > ROWS_MAX ? 0 : 3;
    if (!m->keyed)
        return do_append(w, m);
    for (uint32_t i = 0; i < len; i++) {
        bool old = m->model.len && (below(w, 10) >= fresh);
        ids[i] = old                     ? m->model.rows[below(w, m->model.len)].id
                 : i && below(w, 4) == 0 ? ids[i - 1]
                                         : w->next_id++;
    }
    uint32_t before = m->model.len, unique = 0;
    struct batch *batch = random_batch(w, &m->model, rows, ids, len);
    struct str write_id = new_write_id(w, text);
    for (uint32_t i = 0; i < len; i++) {
        bool last = true;
        for (uint32_t k = i + 1; k < len; k++)
            last = last && ids[k] != ids[i];
        int32_t at = model_find(&m->model, ids[i]);
        if (!last)
            continue;
        unique++;
        if (at >= 0)
            m->model.rows[at] = rows[i];
        else
            model_add(&m->model, &rows[i]);
    }
    deleted = unique - (m->model.len - before);
    w->write.rows = unique;
    say(w, m, "upsert %u rows, %u keys, %u there, write id %u", len, unique, deleted, w->write.id);
    enum status status = source_upsert(m->source, batch, write_id, &result, &test_err);
    batch_unref(batch);
    if (status == STATUS_OK) {
        assert_int_equal(result.rows, unique);
        assert_int_equal(result.deleted, deleted);
        assert_false(result.duplicate);
    }
    return status;
}

/* Which rows a delete or an update is for. */
struct filter {
    int64_t first, end, divisor;
};

static bool filter_has(const struct filter *filter, int64_t id)
{
    return id >= filter->first && id < filter->end && id % filter->divisor == 0;
}

static struct filter random_filter(struct world *w, const struct model *model)
{
    struct filter filter = {.first = 0, .end = INT64_MAX, .divisor = 1 + below(w, 12)};
    if (below(w, 4) && model->len) {
        filter.first = model->rows[below(w, model->len)].id;
        filter.end = filter.first + 1 + below(w, 60);
        filter.divisor = 1 + below(w, 2);
    }
    return filter;
}

static enum status mark(struct mutation *mutation, const struct filter *filter)
{
    const struct view *view = mutation_view(mutation);
    int32_t field = schema_find(view->schema, STR("id"));
    enum status status = STATUS_OK;
    for (uint32_t unit = 0; unit < view->segments_len + view->chunks_len && status == STATUS_OK;
         unit++) {
        struct column ids;
        status = try_read_unit(view, unit, (uint32_t)field, &ids);
        for (uint32_t row = 0; row < ids.rows && status == STATUS_OK; row++) {
            if (filter_has(filter, column_int64(&ids, row)))
                status = mutation_delete(mutation, unit, row, &test_err);
        }
        column_release(&ids);
    }
    return status;
}

static enum status mutate(struct member *m, const struct filter *filter, struct batch *batch,
                          struct str write_id, uint32_t rows)
{
    struct mutation *mutation = NULL;
    struct write_result result = {0};
    enum status status = mutation_begin(m->source, write_id, &mutation, &result, &test_err);
    if (status == STATUS_OK) {
        assert_non_null(mutation);
        status = mark(mutation, filter);
    }
    if (status == STATUS_OK)
        status = mutation_commit(mutation, batch, &result, &test_err);
    mutation_end(mutation);
    if (status == STATUS_OK) {
        assert_int_equal(result.deleted, rows);
        assert_int_equal(result.rows, rows);
    }
    return status;
}

static enum status do_delete(struct world *w, struct member *m)
{
    struct filter filter = random_filter(w, &m->model);
    char text[16];
    uint32_t before = m->model.len;
    struct str write_id = new_write_id(w, text);
    for (uint32_t i = m->model.len; i-- > 0;) {
        if (filter_has(&filter, m->model.rows[i].id))
            model_remove(&m->model, i);
    }
    w->write.rows = before - m->model.len;
    say(w, m, "delete %u rows from id %lld, write id %u", w->write.rows, (long long)filter.first,
        w->write.id);
    return mutate(m, &filter, NULL, write_id, w->write.rows);
}

/* The rows go and come again with one value changed. */
static enum status do_update(struct world *w, struct member *m)
{
    struct filter filter = random_filter(w, &m->model);
    char text[16];
    int slot = 1 + (int)below(w, SLOTS - 1);
    struct model changed = {0};
    if (!m->model.columns[slot].live)
        slot = SLOT_KIND;
    double cell = slot == SLOT_KIND ? below(w, 3) : random_cell(w, m->model.columns[slot].type);
    for (uint32_t i = 0; i < m->model.len; i++) {
        if (filter_has(&filter, m->model.rows[i].id)) {
            m->model.rows[i].cells[slot] = cell;
            model_add(&changed, &m->model.rows[i]);
        }
    }
    struct str write_id = new_write_id(w, text);
    w->write.rows = changed.len;
    say(w, m, "update %u rows from id %lld, write id %u", changed.len, (long long)filter.first,
        w->write.id);
    struct batch *batch =
        changed.len ? model_batch(&m->model, changed.rows, changed.len, UINT32_MAX) : NULL;
    enum status status = mutate(m, &filter, batch, write_id, changed.len);
    batch_unref(batch);
    model_release(&changed);
    return status;
}

/* A write id that was acknowledged comes again, by one of the ways. */
static enum status do_duplicate(struct world *w, struct member *m)
{
    const struct written *written = &m->writes[below(w, WRITES)];
    struct write_result result = {0};
    struct mutation *mutation = NULL;
    char text[16];
    uint32_t way = below(w, m->keyed ? 3 : 2);
    if (!written->id)
        return STATUS_OK;
    snprintf(text, sizeof text, "w%u", written->id);
    say(w, m, "write id %u again, way %u", written->id, way);
    if (way == 1) {
        TRY(mutation_begin(m->source, str_of(text), &mutation, &result, &test_err));
        assert_null(mutation);
    } else {
        struct model_row row = random_row(w, &m->model, UINT32_MAX, w->next_id++);
        struct batch *batch = model_batch(&m->model, &row, 1, UINT32_MAX);
        enum status status = way ? source_upsert(m->source, batch, str_of(text), &result, &test_err)
                                 : source_write(m->source, batch, str_of(text), &result, &test_err);
        batch_unref(batch);
        TRY(status);
    }
    assert_true(result.duplicate);
    assert_int_equal(result.rows, written->rows);
    return STATUS_OK;
}

/* --- files and history --- */

static enum status do_flush(struct world *w, struct member *m)
{
    say(w, m, "flush");
    return source_flush(m->source, &test_err);
}

static enum status do_compact(struct world *w, struct member *m)
{
    struct compact_policy policy = {.io_bytes_per_s = UINT64_MAX};
    say(w, m, "compact");
    if (below(w, 2))
        TRY(source_flush(m->source, &test_err));
    else
        w->unrecorded = true;
    return source_compact(m->source, &policy, NULL, &test_err);
}

static enum status do_expire(struct world *w, struct member *m)
{
    sim_advance(w->sim, (int64_t)below(w, 30) * 1000000);
    say(w, m, "expire");
    return source_expire(m->source, &test_err);
}

static struct record *random_record(struct world *w, struct member *m)
{
    struct record *record = &m->records[below(w, RECORDS)];
    return record->snapshot_id ? record : NULL;
}

static enum status do_tag(struct world *w, struct member *m)
{
    struct record *record = random_record(w, m);
    char name[16];
    if (!record)
        return STATUS_OK;
    uint32_t tag = record->tag ? record->tag : w->next_tag + 1;
    snprintf(name, sizeof name, "t%u", tag);
    say(w, m, "%s %s of snapshot %llu", record->tag ? "untag" : "tag", name,
        (unsigned long long)record->snapshot_id);
    enum status status = record->tag
                             ? source_untag(m->source, str_of(name), &test_err)
                             : source_tag(m->source, record->snapshot_id, str_of(name), &test_err);
    if (status == STATUS_NOT_FOUND && !record->tag) { /* expired */
        assert_true(record->snapshot_id != m->snapshot_id);
        return STATUS_OK;
    }
    if (status == STATUS_OK) {
        record->tag = record->tag ? 0 : tag;
        w->next_tag += record->tag != 0;
    }
    return status;
}

static struct as_of record_as_of(const struct record *record, char name[16])
{
    struct as_of as_of = {.kind = AS_OF_ID, .id = record->snapshot_id};
    snprintf(name, 16, "t%u", record->tag);
    if (record->tag) {
        as_of.kind = AS_OF_TAG;
        as_of.tag = str_of(name);
    }
    return as_of;
}

static bool is_kept_for_sure(const struct member *m, const struct record *record)
{
    return record->tag || record->snapshot_id == m->snapshot_id;
}

/* An earlier state, if it is kept, is what it was. */
static enum status do_as_of(struct world *w, struct member *m)
{
    struct record *record = random_record(w, m);
    char name[16], why[256];
    struct view view;
    if (!record)
        return STATUS_OK;
    struct as_of as_of = record_as_of(record, name);
    say(w, m, "as of snapshot %llu", (unsigned long long)record->snapshot_id);
    enum status status = view_open_as_of(m->source, &as_of, &view, &test_err);
    if (status == STATUS_NOT_FOUND && !is_kept_for_sure(m, record)) {
        model_release(&record->model);
        record->snapshot_id = 0;
        return STATUS_OK;
    }
    if (status == STATUS_OK) {
        if (!view_matches(&view, &record->model, why))
            fail_msg("as of snapshot %llu: %s", (unsigned long long)record->snapshot_id, why);
        view_close(&view);
    }
    return status;
}

/* The rows of then in the columns of now. */
static void roll_model_back(struct model *model, const struct model *then)
{
    model->len = 0;
    for (uint32_t i = 0; i < then->len; i++) {
        struct model_row row = {.id = then->rows[i].id};
        for (int slot = SLOT_ID + 1; slot < SLOTS; slot++) {
            const struct model_column *column = &model->columns[slot];
            bool same = then->columns[slot].live && then->columns[slot].serial == column->serial;
            row.cells[slot] = same ? then->rows[i].cells[slot] : column->initial;
        }
        model_add(model, &row);
    }
}

static enum status do_rollback(struct world *w, struct member *m)
{
    struct record *record = random_record(w, m);
    struct model before;
    char name[16];
    uint64_t id = 0;
    if (!record)
        return STATUS_OK;
    struct as_of as_of = record_as_of(record, name);
    say(w, m, "roll back to snapshot %llu", (unsigned long long)record->snapshot_id);
    model_copy(&m->model, &before);
    roll_model_back(&m->model, &record->model);
    enum status status = source_rollback(m->source, &as_of, &id, &test_err);
    if (status == STATUS_NOT_FOUND && !record->tag) { /* expired, at the latest by its flush */
        model_release(&m->model);
        m->model = before;
        return STATUS_OK;
    }
    model_release(&before);
    return status;
}

/* --- columns --- */

static enum status alter(struct member *m, const struct schema_change *changes, uint32_t len)
{
    struct schema *schema = NULL;
    enum status status = source_alter(m->source, changes, len, -1, &schema, &test_err);
    if (status == STATUS_OK)
        schema_unref(schema);
    return status;
}

/* A default, or none; the text is for yyjson_read. */
static double random_default(struct world *w, enum type type, char text[40])
{
    uint32_t number = below(w, 20);
    const char *format = type == TYPE_STRING      ? "\"v%u\""
                         : type == TYPE_DATE      ? "\"1970-01-%02u\""
                         : type == TYPE_TIMESTAMP ? "\"1970-01-%02uT00:00:00Z\""
                                                  : "%u";
    bool is_day = type == TYPE_DATE || type == TYPE_TIMESTAMP;
    if (below(w, 3) == 0) {
        snprintf(text, 40, "null");
        return NAN;
    }
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(text, 40, format, number + is_day);
#pragma GCC diagnostic pop
    return number;
}

static enum status add_column(struct world *w, struct member *m, int slot, const char *dropped)
{
    enum type type = random_type(w);
    char name[8], text[40];
    struct schema_change changes[2] = {{.kind = SCHEMA_DROP, .column = str_of(dropped)}};
    double initial = random_default(w, type, text);
    if (dropped)
        snprintf(name, sizeof name, "%s", dropped);
    else
        free_name(w, &m->model, name);
    yyjson_doc *doc = yyjson_read(text, strlen(text), 0);
    assert_non_null(doc);
    changes[1] = (struct schema_change){.kind = SCHEMA_ADD,
                                        .column = str_of(name),
                                        .type = type,
                                        .value = yyjson_doc_get_root(doc),
                                        .place = below(w, 2) ? PLACE_FIRST : PLACE_LAST};
    say(w, m, "%s column %s of type %s, default %s", dropped ? "drop and add" : "add", name,
        type_name(type), text);
    model_add_column(&m->model, slot, name, type, initial, true, ++w->next_serial);
    enum status status = alter(m, dropped ? changes : changes + 1, dropped ? 2 : 1);
    yyjson_doc_free(doc);
    return status;
}

static enum status set_default(struct world *w, struct member *m, struct model_column *column)
{
    char text[40];
    column->fill = random_default(w, column->type, text);
    yyjson_doc *doc = yyjson_read(text, strlen(text), 0);
    assert_non_null(doc);
    say(w, m, "default of %s: %s", column->name, text);
    enum status status = alter(m,
                               &(struct schema_change){.kind = SCHEMA_DEFAULT,
                                                       .column = str_of(column->name),
                                                       .value = yyjson_doc_get_root(doc)},
                               1);
    yyjson_doc_free(doc);
    return status;
}

static enum status rename_column(struct world *w, struct member *m, struct model_column *column)
{
    char before[8], after[8];
    memcpy(before, column->name, sizeof before);
    free_name(w, &m->model, after);
    memcpy(column->name, after, sizeof after);
    say(w, m, "rename %s to %s", before, column->name);
    return alter(m,
                 &(struct schema_change){
                     .kind = SCHEMA_RENAME, .column = str_of(before), .to = str_of(column->name)},
                 1);
}

static enum status widen_column(struct world *w, struct member *m, struct model_column *column)
{
    if (column->type != TYPE_INT64 && column->type != TYPE_DATE)
        return STATUS_OK;
    column->type = column->type == TYPE_INT64 ? TYPE_DOUBLE : TYPE_TIMESTAMP;
    column->declared = true;
    say(w, m, "widen %s to %s", column->name, type_name(column->type));
    return alter(m,
                 &(struct schema_change){
                     .kind = SCHEMA_WIDEN, .column = str_of(column->name), .type = column->type},
                 1);
}

static bool in_composite(const struct member *m, int slot)
{
    for (int i = 0; i < MODEL_COMPOSITES; i++)
        for (uint32_t k = 0; m->composites[i].number && k < m->composites[i].len; k++)
            if (m->composites[i].slots[k] == slot)
                return true;
    return false;
}

static enum status drop_column(struct world *w, struct member *m, int slot)
{
    struct model_column *column = &m->model.columns[slot];
    char name[8];
    if (column->indexes || slot == SLOT_KIND || in_composite(m, slot))
        return STATUS_OK;
    memcpy(name, column->name, sizeof name);
    if (below(w, 3) == 0)
        return add_column(w, m, slot, name);
    say(w, m, "drop column %s", name);
    column->live = false;
    return alter(m, &(struct schema_change){.kind = SCHEMA_DROP, .column = str_of(name)}, 1);
}

static enum status do_alter(struct world *w, struct member *m)
{
    int slot = 1 + (int)below(w, SLOTS - 1);
    struct model_column *column = &m->model.columns[slot];
    if (!column->live)
        return add_column(w, m, slot, NULL);
    switch (below(w, 4)) {
    case 0:
        return drop_column(w, m, slot);
    case 1:
        return rename_column(w, m, column);
    case 2:
        return widen_column(w, m, column);
    default:
        return set_default(w, m, column);
    }
}

/* --- indexes --- */

static enum status do_index(struct world *w, struct member *m)
{
    struct model_column *column = &m->model.columns[below(w, SLOTS)];
    uint32_t kind = 1u << below(w, 2); /* INDEX_KIND_HASH, INDEX_KIND_SORTED */
    struct str name = str_of(column->name);
    if (!column->live)
        return STATUS_OK;
    bool there = column->indexes & kind;
    say(w, m, "%s the %s index of %s", there ? "drop" : "add",
        kind == INDEX_KIND_HASH ? "hash" : "sorted", column->name);
    column->indexes ^= kind;
    return there ? source_drop_index(m->source, name, kind, &test_err)
                 : source_add_indexes(m->source, &name, 1, kind, &test_err);
}

static enum status do_lookup(struct world *w, struct member *m)
{
    int slot = (int)below(w, SLOTS);
    struct view view;
    if (!m->model.columns[slot].live || m->model.len == 0)
        return STATUS_OK;
    const struct model_row *row = &m->model.rows[below(w, m->model.len)];
    double cell = slot == SLOT_ID ? (double)row->id : row->cells[slot];
    if (isnan(cell))
        return STATUS_OK;
    say(w, m, "look up %g in %s", cell, m->model.columns[slot].name);
    TRY(view_open(m->source, &view, &test_err));
    check_lookup(&view, str_of(m->model.columns[slot].name), cell);
    view_close(&view);
    return STATUS_OK;
}

#endif

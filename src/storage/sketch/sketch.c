/* sketch.c: columns and the sample.
 *
 * Each row draws a priority; those below the bar are appended. When SAMPLE_ROOM rows are there, the
 * `keep` of least priority stay and the greatest of these is the new bar, so later rows are mostly
 * passed over at the cost of one random number. */
#include <stdlib.h>

#include "storage/sketch/sketch_int.h"

struct sketch *sketch_new(uint64_t seed)
{
    struct sketch *sketch = calloc(1, sizeof *sketch);
    if (!sketch)
        return NULL;
    atomic_init(&sketch->refs, 1);
    arena_init(&sketch->arena, 0);
    sketch->random = seed ? seed : 1;
    sketch->keep = SKETCH_SAMPLE_ROWS;
    sketch->bar = UINT64_MAX;
    sketch->columns = arena_array(&sketch->arena, SKETCH_COLUMNS_MAX, sizeof *sketch->columns);
    sketch->sample = batch_new();
    sketch->priorities = malloc(SAMPLE_ROOM * sizeof *sketch->priorities);
    if (sketch->columns && sketch->sample && sketch->priorities)
        return sketch;
    sketch_unref(sketch);
    return NULL;
}

struct sketch *sketch_ref(struct sketch *sketch)
{
    atomic_fetch_add_explicit(&sketch->refs, 1, memory_order_relaxed);
    return sketch;
}

void sketch_unref(struct sketch *sketch)
{
    if (!sketch || atomic_fetch_sub_explicit(&sketch->refs, 1, memory_order_acq_rel) != 1)
        return;
    batch_unref(sketch->sample);
    free(sketch->priorities);
    arena_release(&sketch->arena);
    free(sketch);
}

/* --- distinct counts --- */

static struct sketch_column *find(const struct sketch *sketch, struct str name)
{
    for (uint32_t i = 0; i < sketch->columns_len; i++)
        if (str_eq(sketch->columns[i].name, name))
            return &sketch->columns[i];
    return NULL;
}

struct sketch_column *sketch_column_of(struct sketch *sketch, struct str name, int32_t field_id)
{
    struct sketch_column *column = find(sketch, name);
    if (column || sketch->columns_len == SKETCH_COLUMNS_MAX)
        return column;
    column = &sketch->columns[sketch->columns_len];
    column->name = arena_str(&sketch->arena, name);
    column->field_id = field_id;
    column->registers = arena_array(&sketch->arena, HLL_REGISTERS, 1);
    if (!column->name.data || !column->registers)
        return NULL;
    sketch->columns_len++;
    return column;
}

/* Murmur3's finalizer. */
static uint64_t mix(uint64_t x)
{
    x ^= x >> 33;
    x *= 0xff51afd7ed558ccdu;
    x ^= x >> 33;
    x *= 0xc4ceb9fe1a85ec53u;
    return x ^ x >> 33;
}

/* A double that is whole counts as the integer, a date as its midnight: columns widen. */
static uint64_t hash_double(double value)
{
    uint64_t bits;
    if (value > -9e15 && value < 9e15 && (double)(int64_t)value == value)
        return mix((uint64_t)(int64_t)value);
    memcpy(&bits, &value, sizeof bits);
    return mix(bits ^ 0x9E3779B97F4A7C15u);
}

static uint64_t hash_row(const struct column *column, uint32_t row)
{
    switch (column->type) {
    case TYPE_BOOL:
        return mix(column_bool(column, row));
    case TYPE_DOUBLE:
        return hash_double(column_double(column, row));
    case TYPE_DATE:
        return mix((uint64_t)column_date(column, row) * 86400 * 1000000);
    case TYPE_STRING:
    case TYPE_JSON:
        return str_hash(column_str(column, row));
    default:
        return mix((uint64_t)column_int64(column, row));
    }
}

static void count_distinct(uint8_t *registers, const struct column *column)
{
    uint64_t before = 0;
    for (uint32_t row = 0; row < column->rows; row++) {
        if (column_is_null(column, row))
            continue;
        uint64_t hash = hash_row(column, row);
        if (hash != before) /* sorted and constant columns */
            hll_add(registers, hash);
        before = hash;
    }
}

/* --- the sample --- */

static uint64_t next_random(struct sketch *sketch)
{
    sketch->random += 0x9E3779B97F4A7C15u; /* splitmix64 */
    return mix(sketch->random);
}

struct ranked {
    uint64_t priority;
    uint32_t row;
};

static int by_priority(const void *a, const void *b)
{
    const struct ranked *x = a;
    const struct ranked *y = b;
    return x->priority != y->priority ? (x->priority < y->priority ? -1 : 1)
                                      : (x->row > y->row) - (x->row < y->row);
}

static int by_row(const void *a, const void *b)
{
    const struct ranked *x = a;
    const struct ranked *y = b;
    return (x->row > y->row) - (x->row < y->row);
}

/* Rows `order` of the sample become the sample. */
static enum status pick(struct sketch *sketch, const struct ranked *order, uint32_t len,
                        struct error *err)
{
    struct batch *picked = batch_new();
    enum status status = picked ? STATUS_OK : error_no_memory(err);
    for (uint32_t i = 0; i < len && status == STATUS_OK; i++)
        status = batch_append(picked, sketch->sample, order[i].row, 1, err);
    if (status != STATUS_OK) {
        batch_unref(picked);
        return status;
    }
    for (uint32_t i = 0; i < len; i++)
        sketch->priorities[i] = order[i].priority;
    batch_unref(sketch->sample);
    sketch->sample = picked;
    return STATUS_OK;
}

/* Keeps the best; fewer when they are too large. */
static enum status cut(struct sketch *sketch, struct error *err)
{
    uint32_t rows = sketch->sample->rows;
    uint64_t bytes = batch_memory(sketch->sample);
    if (rows && bytes / rows * sketch->keep > SKETCH_SAMPLE_BYTES)
        sketch->keep = (uint32_t)(SKETCH_SAMPLE_BYTES / (bytes / rows)) + 1;
    if (rows <= sketch->keep)
        return STATUS_OK;
    struct ranked *order = malloc(rows * sizeof *order);
    if (!order)
        return error_no_memory(err);
    for (uint32_t i = 0; i < rows; i++)
        order[i] = (struct ranked){sketch->priorities[i], i};
    qsort(order, rows, sizeof *order, by_priority);
    sketch->bar = order[sketch->keep - 1].priority;
    qsort(order, sketch->keep, sizeof *order,
          by_row); /* for the look of it: the order of arrival */
    enum status status = pick(sketch, order, sketch->keep, err);
    free(order);
    return status;
}

static enum status sample_row(struct sketch *sketch, const struct batch *rows, uint32_t row,
                              uint64_t priority, struct error *err)
{
    TRY(batch_append(sketch->sample, rows, row, 1, err));
    sketch->priorities[sketch->sample->rows - 1] = priority;
    bool large = sketch->sample->rows % 256 == 0 && sketch->sample->rows > sketch->keep / 2 &&
                 batch_memory(sketch->sample) > 2 * (size_t)SKETCH_SAMPLE_BYTES;
    return large || sketch->sample->rows == SAMPLE_ROOM ? cut(sketch, err) : STATUS_OK;
}

enum status sketch_add(struct sketch *sketch, const struct batch *rows, const struct field *fields,
                       uint32_t fields_len, struct error *err)
{
    for (uint32_t i = 0; i < rows->columns_len; i++) {
        struct str name = rows->columns[i].name;
        int32_t id = 0;
        for (uint32_t k = 0; k < fields_len && !id; k++)
            id = str_eq(fields[k].name, name) ? field_id_base(fields[k].id) : 0;
        struct sketch_column *column = sketch_column_of(sketch, name, id);
        if (column)
            count_distinct(column->registers, &rows->columns[i].column);
    }
    for (uint32_t row = 0; row < rows->rows; row++) {
        uint64_t priority = next_random(sketch);
        if (priority <= sketch->bar)
            TRY(sample_row(sketch, rows, row, priority, err));
    }
    sketch->rows += rows->rows;
    return STATUS_OK;
}

static enum status add_sketch(struct sketch *into, const struct sketch *from, struct error *err)
{
    for (uint32_t i = 0; i < from->columns_len; i++) {
        const struct sketch_column *column = &from->columns[i];
        struct sketch_column *own = sketch_column_of(into, column->name, column->field_id);
        if (own)
            hll_merge(own->registers, column->registers);
    }
    if (from->keep < into->keep)
        into->keep = from->keep;
    for (uint32_t row = 0; row < from->sample->rows; row++)
        if (from->priorities[row] <= into->bar)
            TRY(sample_row(into, from->sample, row, from->priorities[row], err));
    into->bar = from->bar < into->bar ? from->bar : into->bar;
    into->rows += from->rows;
    return STATUS_OK;
}

enum status sketch_merged(const struct sketch *a, const struct sketch *b, struct sketch **ret,
                          struct error *err)
{
    struct sketch *both = sketch_new(a ? a->random ^ b->random : b->random);
    if (!both)
        return error_no_memory(err);
    enum status status = a ? add_sketch(both, a, err) : STATUS_OK;
    if (status == STATUS_OK)
        status = add_sketch(both, b, err);
    if (status == STATUS_OK)
        status = cut(both, err);
    if (status != STATUS_OK) {
        sketch_unref(both);
        return status;
    }
    *ret = both;
    return STATUS_OK;
}

/* --- looking --- */

static bool is_field(const struct sketch_column *column, const struct field *field)
{
    return field_id_base(field->id) == column->field_id && str_eq(field->name, column->name);
}

bool sketch_fits(const struct sketch *sketch, const struct field *fields, uint32_t fields_len)
{
    for (uint32_t i = 0; i < sketch->columns_len; i++) {
        bool found = i < fields_len && is_field(&sketch->columns[i], &fields[i]); /* mostly */
        for (uint32_t k = 0; k < fields_len && !found; k++)
            found = is_field(&sketch->columns[i], &fields[k]);
        if (!found)
            return false;
    }
    return true;
}

uint64_t sketch_rows(const struct sketch *sketch)
{
    return sketch->rows;
}

struct batch *sketch_sample(const struct sketch *sketch)
{
    return sketch->sample;
}

double sketch_distinct(const struct sketch *sketch, struct str column)
{
    const struct sketch_column *found = find(sketch, column);
    return found ? hll_estimate(found->registers) : -1;
}

size_t sketch_memory(const struct sketch *sketch)
{
    return sizeof *sketch + (size_t)sketch->columns_len * HLL_REGISTERS +
           SAMPLE_ROOM * sizeof *sketch->priorities + batch_memory(sketch->sample);
}

uint32_t sketch_columns(const struct sketch *sketch)
{
    return sketch->columns_len;
}

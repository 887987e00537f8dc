/* compact_merge.c: k sorted segments into few large ones.
 *
 *   1. the fields of the outputs: those that any input has, in the schema's present types (readers
 *      widen what is narrower; what an input lacks is null)
 *   2. each input is read in blocks of rows; all blocks together hold COMPACT_MEMORY_BYTES at the
 *      most, as the rows read so far let expect
 *   3. a heap of the inputs by their next row's key (nulls first; equal: the older input) gives the
 *      input to take from, and the next best one how far: whole runs are copied, not single rows
 *   4. the rows go to an output stream, which is closed at the target size
 * Deleted rows are left out of the blocks. Where each row has come from is noted as runs, for rows
 * that are deleted while the merge is under way (compact.c).
 *
 * Without an index column the inputs follow each other. An input that is not sorted (its source was
 * indexed otherwise once) loses nothing: only the output is not sorted then. */
#include <stdlib.h>

#include "data/value.h"
#include "storage/compact_int.h"

enum { FIRST_BLOCK_ROWS = 512, BLOCK_ROWS_MIN = 16, BLOCK_ROWS_MAX = 65536 };

struct input {
    struct segment *segment;
    const struct deletion *deleted; /* loaded; NULL: none */
    struct parquet_reader *reader;
    uint32_t group;
    uint64_t at_row;     /* in the group, of the next block */
    uint64_t next_row;   /* the same in the segment */
    struct batch *block; /* its columns are the merge's fields */
    uint32_t at;         /* in the block */
    uint64_t origin;     /* row of the segment that is at `at`, or a deleted one before it */
    uint64_t rows_read;
    uint64_t row_bytes; /* of the last block, in memory */
};

struct merge {
    struct source *source;
    const struct compact_policy *policy;
    struct compact_pace *pace;
    struct segment_batch *out;
    struct field *fields;          /* borrow names from the schema */
    const struct value **initials; /* as fields; of rows of inputs that lack one */
    uint32_t fields_len;
    int32_t key; /* field that the rows are sorted by; -1: none */
    const struct str *partition;
    struct input *inputs;
    uint32_t inputs_len;
    uint32_t *heap; /* inputs that have rows; the first is the next */
    uint32_t heap_len;
    struct batch *rows;  /* on their way to the stream */
    struct batch *whole; /* a block with its deleted rows; NULL: no input has any */
    struct segment_stream *stream;
    struct compact_origin *origin;
    uint64_t spent; /* bytes of the stream that the pace knows of */
    uint32_t group_rows;
};

/* --- 1 --- */

static enum status choose_fields(struct merge *merge, const struct compact_plan *plan,
                                 struct error *err)
{
    const struct schema *schema = plan->snapshot->schema;
    const struct source_config *config = merge->out->config;
    merge->fields = calloc(schema->fields_len + 1u, sizeof *merge->fields);
    merge->initials = calloc(schema->fields_len + 1u, sizeof *merge->initials);
    if (!merge->fields || !merge->initials)
        return error_no_memory(err);
    merge->key = -1;
    for (uint32_t f = 0; f < schema->fields_len; f++) {
        bool any = schema->traits[f].initial != NULL; /* rows without it have that value for good */
        for (uint32_t i = 0; i < plan->inputs_len && !any; i++)
            any = segment_column(plan->inputs[i], schema->fields[f].id) >= 0;
        if (!any)
            continue;
        if (config->index_columns_len && str_eq(schema->fields[f].name, config->index_columns[0]))
            merge->key = (int32_t)merge->fields_len;
        merge->initials[merge->fields_len] = schema->traits[f].initial;
        merge->fields[merge->fields_len++] = schema->fields[f];
    }
    if (merge->fields_len == 0) /* rows without values still count, see segment_write.c */
        merge->fields[merge->fields_len++] = (struct field){STR("_"), TYPE_BOOL, FIELD_ID_NONE};
    return STATUS_OK;
}

static enum status new_block(const struct merge *merge, struct batch **ret, struct error *err)
{
    struct batch *block = batch_new();
    enum status status = block ? STATUS_OK : STATUS_NO_MEMORY;
    for (uint32_t f = 0; f < merge->fields_len && status == STATUS_OK; f++) {
        uint32_t index;
        status = batch_add_column(block, merge->fields[f].name, merge->fields[f].type, &index);
    }
    *ret = block;
    return status == STATUS_OK ? status : error_no_memory(err);
}

static void clear_block(struct batch *block)
{
    for (uint32_t i = 0; i < block->columns_len; i++)
        column_truncate(&block->columns[i].column, 0);
    block->rows = 0;
}

/* --- 2 --- */

static uint32_t block_rows(const struct merge *merge, const struct input *input)
{
    if (!input->row_bytes)
        return FIRST_BLOCK_ROWS;
    uint64_t rows = COMPACT_MEMORY_BYTES / merge->inputs_len / input->row_bytes;
    return rows < BLOCK_ROWS_MIN   ? BLOCK_ROWS_MIN
           : rows > BLOCK_ROWS_MAX ? BLOCK_ROWS_MAX
                                   : (uint32_t)rows;
}

static enum status append_initial(const struct merge *merge, uint32_t field, uint32_t rows,
                                  struct column *into, struct error *err)
{
    const struct value *value = merge->initials[field];
    enum status status = value ? STATUS_OK : column_append_nulls(into, rows);
    for (uint32_t i = 0; value && i < rows && status == STATUS_OK; i++)
        status = column_append_value(into, value);
    return status == STATUS_OK ? status : error_no_memory(err);
}

static enum status read_field(const struct merge *merge, struct input *input, uint32_t index,
                              uint32_t rows, struct column *into, struct error *err)
{
    const struct field *field = &merge->fields[index];
    int32_t column = segment_column(input->segment, field->id);
    if (column >= 0)
        return parquet_read_column(input->reader, input->group, (uint32_t)column, input->at_row,
                                   rows, into, err);
    return append_initial(merge, index, rows, into, err);
}

static enum status read_block(struct merge *merge, struct input *input, uint32_t rows,
                              struct batch *into, struct error *err)
{
    for (uint32_t f = 0; f < merge->fields_len; f++) {
        enum status status = read_field(merge, input, f, rows, &into->columns[f].column, err);
        if (status != STATUS_OK)
            return error_wrap(err, "%s cannot be read", segment_info(input->segment).path);
    }
    into->rows = rows;
    parquet_group_done(input->reader, input->group); /* what all inputs would keep is too much */
    parquet_reader_trim(input->reader);
    return STATUS_OK;
}

/* The rows of `whole` that are not deleted. */
static enum status take_live(struct merge *merge, struct input *input, struct error *err)
{
    const struct batch *whole = merge->whole;
    for (uint32_t at = 0; at < whole->rows;) {
        uint64_t next = deletion_next(input->deleted, input->next_row + at) - input->next_row;
        uint32_t end = next < whole->rows ? (uint32_t)next : whole->rows;
        for (uint32_t f = 0; f < merge->fields_len && end > at; f++) {
            if (column_append_range(&input->block->columns[f].column, &whole->columns[f].column, at,
                                    end - at) != STATUS_OK)
                return error_no_memory(err);
        }
        input->block->rows += end - at;
        at = end + 1;
    }
    return STATUS_OK;
}

static bool has_deleted(const struct input *input, uint32_t rows)
{
    return deletion_next(input->deleted, input->next_row) < input->next_row + rows;
}

static enum status load_rows(struct merge *merge, struct input *input, uint32_t rows,
                             struct error *err)
{
    if (!has_deleted(input, rows))
        return read_block(merge, input, rows, input->block, err);
    clear_block(merge->whole);
    TRY(read_block(merge, input, rows, merge->whole, err));
    return take_live(merge, input, err);
}

/* The next rows of an input into its block; `*ret_end`: there are none. */
static enum status load_some(struct merge *merge, struct input *input, bool *ret_end,
                             struct error *err)
{
    while (input->group < parquet_reader_row_groups(input->reader) &&
           input->at_row == parquet_row_group_rows(input->reader, input->group)) {
        input->group++;
        input->at_row = 0;
    }
    *ret_end = input->group == parquet_reader_row_groups(input->reader);
    if (*ret_end)
        return STATUS_OK;
    uint64_t left = parquet_row_group_rows(input->reader, input->group) - input->at_row;
    uint32_t rows = block_rows(merge, input);
    rows = left < rows ? (uint32_t)left : rows;
    input->origin = input->next_row;
    TRY(load_rows(merge, input, rows, err));
    input->at_row += rows;
    input->next_row += rows;
    if (input->block->rows)
        input->row_bytes = batch_memory(input->block) / input->block->rows + 1;
    const struct segment_meta *meta = segment_meta(input->segment);
    uint64_t before = meta->bytes * input->rows_read / meta->rows;
    input->rows_read += rows;
    return compact_pace_spend(merge->pace, meta->bytes * input->rows_read / meta->rows - before,
                              err);
}

/* The next rows of an input that are not deleted into its block, which stays empty at the end. */
static enum status load_block(struct merge *merge, struct input *input, struct error *err)
{
    bool end = false;
    clear_block(input->block);
    input->at = 0;
    while (!end && input->block->rows == 0)
        TRY(load_some(merge, input, &end, err));
    return STATUS_OK;
}

/* --- 3 --- */

static int compare_keys(const struct merge *merge, const struct input *a, uint32_t a_row,
                        const struct input *b, uint32_t b_row)
{
    if (merge->key < 0)
        return 0;
    struct value x = value_of_column(&a->block->columns[merge->key].column, a_row);
    struct value y = value_of_column(&b->block->columns[merge->key].column, b_row);
    return value_compare(&x, &y);
}

/* Inputs are numbered by age. */
static bool is_before(const struct merge *merge, uint32_t a, uint32_t b)
{
    const struct input *x = &merge->inputs[a], *y = &merge->inputs[b];
    int order = compare_keys(merge, x, x->at, y, y->at);
    return order ? order < 0 : a < b;
}

static void sift_down(struct merge *merge, uint32_t at)
{
    for (;;) {
        uint32_t child = 2 * at + 1, first = at;
        for (uint32_t i = child; i < child + 2 && i < merge->heap_len; i++) {
            if (is_before(merge, merge->heap[i], merge->heap[first]))
                first = i;
        }
        if (first == at)
            return;
        uint32_t swap = merge->heap[at];
        merge->heap[at] = merge->heap[first];
        merge->heap[first] = swap;
        at = first;
    }
}

/* How many rows of the first input come before the next best one: doubling steps, then halving. */
static uint32_t run_length(const struct merge *merge)
{
    const struct input *input = &merge->inputs[merge->heap[0]];
    uint32_t left = input->block->rows - input->at;
    if (merge->heap_len == 1 || merge->key < 0)
        return left;
    uint32_t next = merge->heap[1];
    if (merge->heap_len > 2 && is_before(merge, merge->heap[2], next))
        next = merge->heap[2];
    const struct input *other = &merge->inputs[next];
    int most = merge->heap[0] < next ? 0 : -1; /* equal keys: the older input first */
    uint32_t low = 1, step = 1;                /* `low` rows are known to come first */
    while (low < left) {
        uint32_t probe = low + step <= left ? low + step : left;
        if (compare_keys(merge, input, input->at + probe - 1, other, other->at) <= most) {
            low = probe;
            step *= 2;
        } else if (step == 1) {
            return low;
        } else {
            left = probe - 1;
            step = 1;
        }
    }
    return low;
}

/* --- 4 --- */

static enum status open_stream(struct merge *merge, struct error *err)
{
    struct segment_stream_options options = {.partition = merge->partition,
                                             .fields = merge->fields,
                                             .fields_len = merge->fields_len,
                                             .row_group_rows = merge->group_rows};
    pthread_mutex_lock(&merge->source->flush_lock); /* the number, and the directory */
    enum status status = merge->source->removed
                             ? error_set(err, STATUS_CANCELLED, "the source has been removed")
                             : segment_stream_open(merge->out, &options, &merge->stream, err);
    pthread_mutex_unlock(&merge->source->flush_lock);
    merge->spent = 0;
    return status;
}

static enum status close_stream(struct merge *merge, struct error *err)
{
    struct segment_stream *stream = merge->stream;
    merge->stream = NULL;
    return stream ? segment_stream_finish(stream, err) : STATUS_OK;
}

/* Rows of a group, so that the writer's memory is bounded for long rows too. */
static uint32_t rows_of_group(const struct batch *rows)
{
    uint64_t row = batch_memory(rows) / rows->rows + 1, fit = COMPACT_GROUP_BYTES / row;
    return fit > 131072 ? 131072 : fit < 1024 ? 1024 : (uint32_t)fit;
}

static enum status write_out(struct merge *merge, struct error *err)
{
    const struct source_config *config = merge->out->config;
    if (merge->rows->rows == 0)
        return STATUS_OK;
    if (!merge->stream) {
        merge->group_rows = rows_of_group(merge->rows);
        TRY(open_stream(merge, err));
    }
    TRY(segment_stream_append(merge->stream, merge->rows, err));
    clear_block(merge->rows);
    uint64_t bytes = segment_stream_bytes(merge->stream);
    TRY(compact_pace_spend(merge->pace, bytes - merge->spent, err));
    merge->spent = bytes;
    if (bytes >= compact_target_bytes(config, merge->policy) ||
        segment_stream_rows(merge->stream) >= compact_target_rows(config))
        return close_stream(merge, err);
    return STATUS_OK;
}

static enum status add_run(struct compact_origin *origin, struct compact_run_of_rows run,
                           struct error *err)
{
    struct compact_run_of_rows *last = origin->len ? &origin->runs[origin->len - 1] : NULL;
    if (last && last->input == run.input && last->first + last->count == run.first &&
        last->count <= UINT32_MAX - run.count) {
        last->count += run.count;
        return STATUS_OK;
    }
    if (origin->len == origin->cap) {
        uint64_t cap = origin->cap ? origin->cap * 2 : 1024;
        struct compact_run_of_rows *grown = realloc(origin->runs, cap * sizeof *grown);
        if (!grown)
            return error_no_memory(err);
        origin->runs = grown;
        origin->cap = cap;
    }
    origin->runs[origin->len++] = run;
    return STATUS_OK;
}

/* Notes where the next `count` rows of an input's block have come from. */
static enum status note_origin(struct merge *merge, struct input *input, uint32_t count,
                               struct error *err)
{
    while (count) {
        uint64_t next = deletion_next(input->deleted, input->origin);
        if (next == input->origin) {
            input->origin++;
            continue;
        }
        uint32_t part = next - input->origin < count ? (uint32_t)(next - input->origin) : count;
        struct compact_run_of_rows run = {(uint32_t)(input - merge->inputs), part, input->origin};
        TRY(add_run(merge->origin, run, err));
        input->origin += part;
        count -= part;
    }
    return STATUS_OK;
}

static enum status take_run(struct merge *merge, struct input *input, uint32_t count,
                            struct error *err)
{
    TRY(note_origin(merge, input, count, err));
    struct batch *rows = merge->rows;
    for (uint32_t f = 0; f < merge->fields_len; f++) {
        if (column_append_range(&rows->columns[f].column, &input->block->columns[f].column,
                                input->at, count) != STATUS_OK)
            return error_no_memory(err);
    }
    rows->rows += count;
    input->at += count;
    return STATUS_OK;
}

static uint64_t used_bytes(const struct batch *rows)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < rows->columns_len; i++)
        bytes += rows->columns[i].column.bytes_len + UINT64_C(8) * rows->rows;
    return bytes;
}

static enum status merge_rows(struct merge *merge, struct error *err)
{
    while (merge->heap_len) {
        struct input *input = &merge->inputs[merge->heap[0]];
        uint32_t count = run_length(merge), room = COMPACT_OUT_ROWS - merge->rows->rows;
        TRY(take_run(merge, input, count < room ? count : room, err));
        if (merge->rows->rows == COMPACT_OUT_ROWS || used_bytes(merge->rows) >= COMPACT_OUT_BYTES)
            TRY(write_out(merge, err));
        if (input->at == input->block->rows)
            TRY(load_block(merge, input, err));
        if (input->block->rows == 0) {
            parquet_reader_free(input->reader); /* its caches are not worth keeping */
            input->reader = NULL;
            merge->heap[0] = merge->heap[--merge->heap_len];
        }
        sift_down(merge, 0);
    }
    TRY(write_out(merge, err));
    return close_stream(merge, err);
}

static enum status open_inputs(struct merge *merge, const struct compact_plan *plan,
                               struct error *err)
{
    merge->inputs = calloc(plan->inputs_len, sizeof *merge->inputs);
    merge->heap = calloc(plan->inputs_len, sizeof *merge->heap);
    if (!merge->inputs || !merge->heap)
        return error_no_memory(err);
    merge->inputs_len = plan->inputs_len;
    for (uint32_t i = 0; i < plan->inputs_len; i++) {
        struct input *input = &merge->inputs[i];
        input->segment = plan->inputs[i];
        struct deletion *deleted =
            snapshot_find_deletion(plan->snapshot, segment_meta(input->segment)->id);
        TRY(deletion_load(deleted, err));
        input->deleted = deleted;
        if (deleted && !merge->whole)
            TRY(new_block(merge, &merge->whole, err));
        TRY(segment_reader(input->segment, &input->reader, err));
        TRY(new_block(merge, &input->block, err));
        TRY(load_block(merge, input, err));
        if (input->block->rows)
            merge->heap[merge->heap_len++] = i;
    }
    for (uint32_t i = merge->heap_len; i-- > 0;)
        sift_down(merge, i);
    return new_block(merge, &merge->rows, err);
}

static void release(struct merge *merge)
{
    segment_stream_abort(merge->stream);
    for (uint32_t i = 0; i < merge->inputs_len; i++) {
        if (merge->inputs[i].reader)
            parquet_reader_free(merge->inputs[i].reader);
        batch_unref(merge->inputs[i].block);
    }
    batch_unref(merge->rows);
    batch_unref(merge->whole);
    free(merge->inputs);
    free(merge->heap);
    free(merge->initials);
    free(merge->fields);
}

enum status compact_merge(struct source *source, const struct compact_plan *plan,
                          const struct compact_policy *policy, struct compact_pace *pace,
                          struct segment_batch *out, struct compact_origin *origin,
                          struct error *err)
{
    struct merge merge = {.source = source,
                          .origin = origin,
                          .policy = policy,
                          .pace = pace,
                          .out = out,
                          .partition = segment_meta(plan->inputs[0])->partition};
    enum status status = choose_fields(&merge, plan, err);
    if (status == STATUS_OK)
        status = open_inputs(&merge, plan, err);
    if (status == STATUS_OK)
        status = merge_rows(&merge, err);
    release(&merge);
    return status;
}

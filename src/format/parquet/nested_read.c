/* nested_read.c: rows of a nested column, assembled as JSON.
 *
 * A node is written when the current entries of all leaves below it belong to it. What stands there
 * follows from the definition level of the first leaf; the other leaves must agree. A list goes on
 * as long as the next entry's repetition level is the list's own; again all leaves must agree. So
 * each entry of each leaf is checked where it is passed, and a row is over when all leaves stand
 * before a repetition level of 0.
 *
 * The streams keep their place: reading on from where the last call ended costs nothing; going back
 * starts the row group again. */
#include <math.h>
#include <stdlib.h>

#include "format/parquet/nested_int.h"

/* One read: what the recursion needs everywhere. */
struct assembly {
    struct parquet_reader *reader;
    struct pq_nested *nested;
    uint32_t first_leaf; /* of the column */
    struct json_writer w;
    struct error *err;
};

static enum status write_there(struct assembly *a, const struct pq_node *node);
static enum status write_node(struct assembly *a, const struct pq_node *node);

static struct pq_stream *stream_of(const struct assembly *a, uint32_t leaf)
{
    return &a->nested->streams[leaf - a->first_leaf];
}

static enum status levels_disagree(const struct assembly *a, const struct pq_node *node)
{
    return pq_corrupt(a->err, "the levels of column %.*s contradict each other",
                      STR_ARG(a->reader->leaves[node->first_leaf].field.name));
}

/* Definition level of the node's current entry. */
static enum status def_of(struct assembly *a, const struct pq_node *node, uint8_t *ret)
{
    bool end;
    struct pq_stream *s = stream_of(a, node->first_leaf);
    TRY(pq_stream_peek(a->reader, a->nested, s, &end, a->err));
    if (end)
        return levels_disagree(a, node);
    *ret = pq_stream_def(s);
    return STATUS_OK;
}

/* Repetition level of what comes next; 0 at the end. All leaves of the node must be before the same
 * continuation: `rep` or something less. */
static enum status goes_on(struct assembly *a, const struct pq_node *node, uint8_t rep, bool *ret)
{
    for (uint32_t i = 0; i < node->leaves; i++) {
        bool end;
        struct pq_stream *s = stream_of(a, node->first_leaf + i);
        TRY(pq_stream_peek(a->reader, a->nested, s, &end, a->err));
        uint8_t next = end ? 0 : pq_stream_rep(s);
        if (next > rep || (i && (next == rep) != *ret))
            return levels_disagree(a, node);
        *ret = next == rep;
    }
    return STATUS_OK;
}

/* The node is not there, what is around it is: each leaf has one entry that says exactly so. */
static enum status pass_absent(struct assembly *a, const struct pq_node *node)
{
    for (uint32_t i = 0; i < node->leaves; i++) {
        bool end;
        struct pq_stream *s = stream_of(a, node->first_leaf + i);
        TRY(pq_stream_peek(a->reader, a->nested, s, &end, a->err));
        if (end || pq_stream_def(s) != node->def - 1)
            return levels_disagree(a, node);
        pq_stream_pass(s);
    }
    return STATUS_OK;
}

/* The current entry's value and on. */
static enum status take_value(struct assembly *a, const struct pq_node *node,
                              const struct column **ret_column, uint32_t *ret_row)
{
    bool end;
    struct pq_stream *s = stream_of(a, node->first_leaf);
    TRY(pq_stream_peek(a->reader, a->nested, s, &end, a->err));
    if (end || pq_stream_def(s) != s->leaf->max_def || s->value >= s->values_len)
        return levels_disagree(a, node);
    *ret_row = pq_stream_value(s, ret_column);
    pq_stream_pass(s);
    const struct column *column = *ret_column;
    if (column->type == TYPE_DOUBLE && isinf(column_double(column, *ret_row)))
        return error_set(a->err, STATUS_SCHEMA, "column %.*s: a double is infinite",
                         STR_ARG(s->leaf->field.name));
    return STATUS_OK;
}

static enum status write_leaf(struct assembly *a, const struct pq_node *node)
{
    const struct column *column;
    uint32_t row;
    TRY(take_value(a, node, &column, &row));
    column_write_json(&a->w, column, row); /* NaN as null */
    return STATUS_OK;
}

/* A map's key: text as it is, else the JSON text of the value. */
static enum status write_key(struct assembly *a, const struct pq_node *node)
{
    const struct column *column;
    uint32_t row;
    uint8_t def;
    TRY(def_of(a, node, &def));
    if (def < node->def)
        return error_set(a->err, STATUS_SCHEMA, "column %.*s: a map's key is null",
                         STR_ARG(a->reader->leaves[node->first_leaf].field.name));
    TRY(take_value(a, node, &column, &row));
    if (column->type == TYPE_STRING) {
        json_key(&a->w, column_str(column, row));
        return STATUS_OK;
    }
    struct buf text;
    struct json_writer inner;
    buf_init(&text, COLUMN_BYTES_MAX);
    json_writer_init(&inner, &text);
    column_write_json(&inner, column, row);
    enum status status = buf_check(&text, "a map's key", a->err);
    if (status == STATUS_OK) { /* without the quotes of dates and times */
        struct str key = buf_str(&text);
        if (column->type != TYPE_JSON && key.len >= 2 && key.data[0] == '"')
            key = str_make(key.data + 1, key.len - 2);
        json_key(&a->w, key);
    }
    buf_release(&text);
    return status;
}

/* Elements of a repeated node, which has `owner`'s kind; the brackets too. */
static enum status write_repeated(struct assembly *a, const struct pq_node *node,
                                  const struct pq_node *owner)
{
    uint8_t def;
    bool more = true;
    bool map = owner && owner->kind == PQ_NODE_MAP;
    bool inside = owner && owner->element_inside;
    map ? json_begin_object(&a->w) : json_begin_array(&a->w);
    TRY(def_of(a, node, &def));
    if (def < node->def) {
        TRY(pass_absent(a, node));
        more = false;
    }
    while (more) {
        if (map) {
            TRY(write_key(a, &node->children[0]));
            TRY(write_node(a, &node->children[1]));
        } else {
            TRY(inside ? write_node(a, &node->children[0]) : write_there(a, node));
        }
        TRY(goes_on(a, node, node->rep, &more));
        TRY(buf_check(&a->nested->text, "a nested value", a->err));
        if (more) {
            TRY(def_of(a, node, &def));
            if (def < node->def)
                return levels_disagree(a, node);
        }
    }
    map ? json_end_object(&a->w) : json_end_array(&a->w);
    return STATUS_OK;
}

/* One instance of the node, which is there. */
static enum status write_there(struct assembly *a, const struct pq_node *node)
{
    if (node->kind == PQ_NODE_LEAF)
        return write_leaf(a, node);
    if (node->kind != PQ_NODE_STRUCT)
        return write_repeated(a, &node->children[0], node);
    json_begin_object(&a->w);
    for (uint32_t i = 0; i < node->children_len; i++) {
        json_key(&a->w, node->children[i].name);
        TRY(write_node(a, &node->children[i]));
    }
    json_end_object(&a->w);
    return STATUS_OK;
}

static enum status write_node(struct assembly *a, const struct pq_node *node)
{
    uint8_t def;
    if (node->repetition == PQ_REPEATED)
        return write_repeated(a, node, NULL);
    TRY(def_of(a, node, &def));
    if (def >= node->def)
        return write_there(a, node);
    json_null(&a->w);
    return pass_absent(a, node);
}

/* Passes a row without looking into it. */
static enum status skip_row(struct assembly *a, const struct pq_node *node)
{
    for (uint32_t i = 0; i < node->leaves; i++) {
        bool end;
        struct pq_stream *s = stream_of(a, node->first_leaf + i);
        TRY(pq_stream_peek(a->reader, a->nested, s, &end, a->err));
        if (end || pq_stream_rep(s) != 0)
            return levels_disagree(a, node);
        do {
            pq_stream_pass(s);
            TRY(pq_stream_peek(a->reader, a->nested, s, &end, a->err));
        } while (!end && pq_stream_rep(s) != 0);
    }
    return STATUS_OK;
}

/* Every leaf stands before the first entry of a row. */
static enum status check_row_start(struct assembly *a, const struct pq_node *node)
{
    bool start = false;
    TRY(goes_on(a, node, 0, &start));
    return start ? STATUS_OK : levels_disagree(a, node);
}

static enum status read_row(struct assembly *a, const struct pq_node *node, struct column *into)
{
    uint8_t def;
    TRY(check_row_start(a, node));
    TRY(def_of(a, node, &def));
    enum status status;
    if (node->repetition == PQ_OPTIONAL && def < node->def) {
        TRY(pass_absent(a, node));
        status = column_append_null(into);
    } else {
        buf_clear(&a->nested->text);
        json_writer_init(&a->w, &a->nested->text);
        TRY(write_node(a, node));
        TRY(buf_check(&a->nested->text, "a nested value", a->err));
        status = column_append_bytes(into, buf_str(&a->nested->text));
    }
    if (status == STATUS_NO_MEMORY)
        return error_no_memory(a->err);
    if (status != STATUS_OK)
        return error_set(a->err, status, "the values do not fit into one column of a batch");
    return check_row_start(a, node); /* nothing of the row may be left */
}

/* Behind the last row no leaf may have an entry. */
static enum status check_group_end(struct assembly *a, const struct pq_node *node)
{
    for (uint32_t i = 0; i < node->leaves; i++) {
        bool end;
        struct pq_stream *s = stream_of(a, node->first_leaf + i);
        TRY(pq_stream_peek(a->reader, a->nested, s, &end, a->err));
        if (!end)
            return levels_disagree(a, node);
    }
    return STATUS_OK;
}

static enum status nested_of(struct pq_column *column, struct pq_nested **ret, struct error *err)
{
    if (!column->nested) {
        uint32_t n = column->node->leaves;
        column->nested = calloc(1, sizeof *column->nested + n * sizeof(struct pq_stream));
        if (!column->nested)
            return error_no_memory(err);
        column->nested->streams_len = n;
        buf_init(&column->nested->text, COLUMN_BYTES_MAX);
    }
    *ret = column->nested;
    return STATUS_OK;
}

void pq_nested_free(struct pq_nested *nested)
{
    if (!nested)
        return;
    for (uint32_t i = 0; i < nested->streams_len; i++)
        pq_stream_close(&nested->streams[i]);
    buf_release(&nested->text);
    free(nested);
}

/* Brings the streams to row `first`. */
static enum status seek(struct assembly *a, const struct pq_node *node, uint32_t group,
                        uint64_t first)
{
    struct pq_nested *nested = a->nested;
    if (!nested->valid || nested->group != group || nested->row > first) {
        nested->valid = false;
        for (uint32_t i = 0; i < nested->streams_len; i++)
            TRY(pq_stream_open(a->reader, nested, group, node->first_leaf + i, &nested->streams[i],
                               a->err));
        nested->group = group;
        nested->row = 0;
    }
    nested->valid = false; /* until the read has ended well */
    for (; nested->row < first; nested->row++)
        TRY(skip_row(a, node));
    return STATUS_OK;
}

enum status pq_nested_read(struct parquet_reader *reader, uint32_t group, uint32_t column,
                           uint64_t first, uint64_t count, struct column *into, struct error *err)
{
    const struct pq_node *node = reader->columns[column].node;
    struct assembly a = {.reader = reader, .first_leaf = node->first_leaf, .err = err};
    TRY(nested_of(&reader->columns[column], &a.nested, err));
    TRY(seek(&a, node, group, first));
    for (uint64_t i = 0; i < count; i++, a.nested->row++)
        TRY(read_row(&a, node, into));
    if (a.nested->row == reader->groups[group].rows)
        TRY(check_group_end(&a, node));
    a.nested->valid = true;
    return STATUS_OK;
}

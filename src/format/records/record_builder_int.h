/* record_builder_int.h: shared by the JSON and CSV halves of the builder. */
#ifndef QUARRY_FORMAT_RECORD_BUILDER_INT_H
#define QUARRY_FORMAT_RECORD_BUILDER_INT_H

#include "format/records/record_builder.h"

struct slot {
    struct str name; /* in the batch's arena */
    uint64_t hash;
    uint32_t seen_row; /* row + 1 that set it last: finds duplicate keys */
    uint32_t index;    /* column of the batch */
    bool typed;        /* false: new and only null so far */
    bool declared;
    bool required;
    uint32_t typed_row;   /* row + 1 that gave it its type, to be undone with that row; 0: none */
    uint32_t widened_row; /* the same for its wider type */
    const struct value *fill; /* in the batch's arena */
};

struct record_builder {
    struct batch *batch;
    struct slot *slots;
    uint32_t slots_len;
    uint32_t slots_cap;
    uint32_t *table; /* open addressing, slot + 1; power of two, at least twice slots_cap */
    uint32_t table_cap;
    uint32_t row;  /* rows so far */
    uint32_t next; /* the slot expected next: records mostly repeat their order */
    bool any_required;
    record_bad_fn on_bad; /* NULL: the first one ends the batch */
    void *bad_context;
    uint32_t bad;          /* records left out */
    uint32_t slots_before; /* slots_len before the present row */
    struct buf scratch;
};

/* The slot of a field name, made when new. STATUS_SCHEMA for empty or overlong names and too many.
 */
enum status builder_slot(struct record_builder *b, struct str name, uint32_t *ret_slot,
                         struct error *err);
static inline struct column *builder_column(struct record_builder *b, const struct slot *slot)
{
    return &b->batch->columns[slot->index].column;
}
/* Fixes the type of a slot that had none. */
void builder_set_type(struct record_builder *b, struct slot *slot, enum type type);
/* Makes the column as long as the rows before this one, then claims the row. */
enum status builder_claim(struct record_builder *b, struct slot *slot, struct error *err);
/* STATUS_SCHEMA: `value` does not fit. */
enum status builder_misfit(struct record_builder *b, const struct slot *slot, struct str value,
                           const char *why, struct error *err);
enum status builder_text(struct record_builder *b, struct slot *slot, struct str text,
                         struct error *err);
enum status builder_number(struct record_builder *b, struct slot *slot, struct str text,
                           bool integer, struct error *err);
enum status builder_bool(struct record_builder *b, struct slot *slot, bool value,
                         struct error *err);
enum status builder_json(struct record_builder *b, struct slot *slot, struct str text, bool spaced,
                         struct error *err);
/* An explicit null: it stays one where a default would be filled in. */
enum status builder_null(struct record_builder *b, struct slot *slot, struct error *err);
/* The place of the present record. */
static inline uint32_t builder_record(const struct record_builder *b)
{
    return b->row + b->bad;
}
/* record_undo.c: the present row has failed with `why`: leaves it out and tells so, or (when that
 * is not asked for) hands the failure on. */
enum status builder_leave_out(struct record_builder *b, struct str raw, int64_t line,
                              const struct error *why, struct error *err);
/* That a failure of this kind concerns one record only. */
bool builder_can_leave_out(const struct record_builder *b, enum status status);
enum status builder_end_row(struct record_builder *b, struct error *err);

#endif

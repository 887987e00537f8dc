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
enum status builder_end_row(struct record_builder *b, struct error *err);

#endif

/* partition.c: splitting rows by the values of the partition columns (see partition.h).
 *
 * One pass for each column refines the group numbers: (group so far, value) -> group, by a hash
 * table of representative rows; a run of equal rows needs one look-up. Then a counting sort by
 * group. */
#include "storage/table/partition.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/datetime.h"
#include "data/value.h"

#define DAY_US INT64_C(86400000000)

struct slot {
    uint64_t hash;
    uint32_t row; /* first row of the group */
    uint32_t group;
    bool used;
};

struct pass {
    const struct column *column; /* NULL: all null */
    uint32_t *groups;            /* of each row; before and after */
    uint32_t *refined;
    struct slot *slots;
    uint32_t mask, len;
};

static int64_t day_of(int64_t us)
{
    return us >= 0 ? us / DAY_US : -((-us + DAY_US - 1) / DAY_US);
}

/* The value that decides the partition. */
static struct value key_of(const struct column *column, uint32_t row)
{
    if (!column || column_is_null(column, row))
        return (struct value){.type = TYPE_INT64, .is_null = true};
    struct value value = value_of_column(column, row);
    if (column->type == TYPE_TIMESTAMP)
        return (struct value){.type = TYPE_DATE, .int64 = day_of(value.int64)};
    return value;
}

static bool keys_equal(const struct value *a, const struct value *b)
{
    if (a->is_null || b->is_null)
        return a->is_null && b->is_null;
    return value_compare(a, b) == 0;
}

static enum status grow_slots(struct pass *pass)
{
    uint32_t cap = pass->slots ? (pass->mask + 1) * 2 : 256;
    struct slot *slots = calloc(cap, sizeof *slots);
    if (!slots)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; pass->slots && i <= pass->mask; i++) {
        if (!pass->slots[i].used)
            continue;
        uint32_t at = (uint32_t)pass->slots[i].hash & (cap - 1);
        while (slots[at].used)
            at = (at + 1) & (cap - 1);
        slots[at] = pass->slots[i];
    }
    free(pass->slots);
    pass->slots = slots;
    pass->mask = cap - 1;
    return STATUS_OK;
}

static enum status refine_row(struct pass *pass, uint32_t row, const struct value *key)
{
    uint64_t hash = value_hash(key) ^ (pass->groups[row] * UINT64_C(0x9e3779b97f4a7c15));
    uint32_t at = (uint32_t)hash & pass->mask;
    for (; pass->slots[at].used; at = (at + 1) & pass->mask) {
        const struct slot *slot = &pass->slots[at];
        if (slot->hash != hash || pass->groups[slot->row] != pass->groups[row])
            continue;
        struct value other = key_of(pass->column, slot->row);
        if (keys_equal(&other, key)) {
            pass->refined[row] = slot->group;
            return STATUS_OK;
        }
    }
    pass->slots[at] = (struct slot){hash, row, pass->len, true};
    pass->refined[row] = pass->len++;
    return pass->len * 2 > pass->mask ? grow_slots(pass) : STATUS_OK;
}

static enum status refine(struct pass *pass, uint32_t rows)
{
    struct value last = {0};
    TRY(grow_slots(pass));
    for (uint32_t row = 0; row < rows; row++) {
        struct value key = key_of(pass->column, row);
        if (row && pass->groups[row] == pass->groups[row - 1] && keys_equal(&key, &last))
            pass->refined[row] = pass->refined[row - 1];
        else
            TRY(refine_row(pass, row, &key));
        last = key;
    }
    return STATUS_OK;
}

/* Group numbers of all rows, malloc'ed, and their count. */
static enum status number_rows(const struct batch *batch, const struct str *columns, uint32_t len,
                               uint32_t **ret, uint32_t *ret_groups)
{
    size_t size = (batch->rows + 1u) * sizeof(uint32_t);
    uint32_t *groups = calloc(1, size), *refined = malloc(size);
    enum status status = groups && refined ? STATUS_OK : STATUS_NO_MEMORY;
    *ret_groups = batch->rows ? 1 : 0;
    for (uint32_t i = 0; i < len && status == STATUS_OK; i++) {
        int32_t at = batch_find(batch, columns[i]);
        struct pass pass = {.column = at < 0 ? NULL : &batch->columns[at].column,
                            .groups = groups,
                            .refined = refined};
        status = refine(&pass, batch->rows);
        free(pass.slots);
        *ret_groups = pass.len;
        uint32_t *swap = groups;
        groups = refined;
        refined = swap;
    }
    free(refined);
    if (status != STATUS_OK)
        free(groups);
    else
        *ret = groups;
    return status;
}

static enum status sort_rows(const uint32_t *groups, uint32_t rows, struct partition_split *split)
{
    split->starts = calloc(split->groups + 2u, sizeof *split->starts);
    split->order = malloc((rows + 1u) * sizeof *split->order);
    if (!split->starts || !split->order)
        return STATUS_NO_MEMORY;
    for (uint32_t row = 0; row < rows; row++)
        split->starts[groups[row] + 2]++;
    for (uint32_t g = 1; g <= split->groups; g++)
        split->starts[g + 1] += split->starts[g];
    for (uint32_t row = 0; row < rows; row++)
        split->order[split->starts[groups[row] + 1]++] = row;
    return STATUS_OK;
}

struct str partition_text(struct arena *arena, const struct value *value)
{
    char text[64];
    size_t len;
    switch (value->type) {
    case TYPE_BOOL:
        return arena_str(arena, value->boolean ? STR("true") : STR("false"));
    case TYPE_DATE:
        len = date_format((int32_t)value->int64, text);
        return arena_str(arena, str_make(text, len));
    case TYPE_DOUBLE:
        len = json_double_text(value->real, text);
        return arena_str(arena, str_make(text, len));
    case TYPE_STRING:
    case TYPE_JSON:
        return arena_str(arena, value->bytes.len ? value->bytes : STR(""));
    default:
        len = (size_t)snprintf(text, sizeof text, "%lld", (long long)value->int64);
        return arena_str(arena, str_make(text, len));
    }
}

static enum status name_groups(const struct batch *batch, const struct str *columns,
                               struct partition_split *split)
{
    uint32_t len = split->columns_len;
    split->values =
        arena_array(&split->arena, (size_t)split->groups * len + 1, sizeof *split->values);
    if (!split->values)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < len; i++) {
        int32_t at = batch_find(batch, columns[i]);
        for (uint32_t g = 0; g < split->groups; g++) {
            struct value key =
                key_of(at < 0 ? NULL : &batch->columns[at].column, split->order[split->starts[g]]);
            if (key.is_null)
                continue;
            struct str *text = &split->values[(size_t)g * len + i];
            *text = partition_text(&split->arena, &key);
            if (!text->data)
                return STATUS_NO_MEMORY;
        }
    }
    return STATUS_OK;
}

enum status partition_split(const struct batch *batch, const struct str *columns,
                            uint32_t columns_len, struct partition_split *ret, struct error *err)
{
    uint32_t *groups = NULL;
    *ret = (struct partition_split){.columns_len = columns_len};
    arena_init(&ret->arena, 0);
    enum status status = number_rows(batch, columns, columns_len, &groups, &ret->groups);
    if (status == STATUS_OK)
        status = sort_rows(groups, batch->rows, ret);
    if (status == STATUS_OK)
        status = name_groups(batch, columns, ret);
    free(groups);
    if (status != STATUS_OK) {
        partition_split_release(ret);
        return error_no_memory(err);
    }
    return STATUS_OK;
}

void partition_split_release(struct partition_split *split)
{
    free(split->starts);
    free(split->order);
    arena_release(&split->arena);
    *split = (struct partition_split){0};
}

/* --- names --- */

static bool append_encoded(struct buf *buf, struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.data[i];
        bool plain = c > 0x20 && c < 0x7f && c != '/' && c != '%' && c != '=' && c != '\\' &&
                     c != '~' && !(c == '.' && i == 0);
        if (plain ? !buf_append_char(buf, (char)c) : !buf_printf(buf, "~%02X", c))
            return false;
    }
    return true;
}

static bool append_limited(struct buf *buf, struct str s)
{
    size_t start = buf->len;
    if (!append_encoded(buf, s))
        return false;
    if (buf->len - start <= PARTITION_NAME_MAX)
        return true;
    size_t cut = start + PARTITION_NAME_MAX - 20;
    while (buf->data[cut - 1] == '~' || buf->data[cut - 2] == '~')
        cut--; /* not within ~XX */
    buf->len = cut;
    return buf_printf(buf, "~%016llx", (unsigned long long)str_hash(s));
}

bool partition_append_name(struct buf *buf, struct str column, struct str value)
{
    if (!append_limited(buf, column) || !buf_append_char(buf, '='))
        return false;
    if (!value.data)
        return buf_append_str(buf, STR("__HIVE_DEFAULT_PARTITION__"));
    return append_limited(buf, value);
}

/* csv_records.c: RFC 4180 text into the builder, in two passes: the first cuts the text into cells
 * and learns what every new column could be, the second appends the values.
 *
 * Cells are kept as offsets into the text (quotes are undone when the value is appended), so the
 * first pass copies nothing. */
#include "format/records/record_builder_int.h"

#include <stdlib.h>

#include "base/utf8.h"

struct csv {
    const char *at;
    const char *end;
    const char *start;
    int64_t line;
};

struct cell {
    struct str text; /* between the quotes when quoted */
    bool quoted;
    bool doubled; /* holds "" */
};

static enum status csv_fail(const struct csv *csv, struct error *err, const char *what)
{
    enum status status =
        error_set(err, STATUS_INVALID_CSV, "line %lld: %s", (long long)csv->line, what);
    if (err) {
        err->line = csv->line;
        err->offset = csv->at - csv->start;
    }
    return status;
}

/* For faults found when the cell that shows them was taken, perhaps with its line end. */
static enum status csv_fail_at(struct csv *csv, int64_t line, struct error *err, const char *what)
{
    csv->line = line;
    return csv_fail(csv, err, what);
}

static enum status quoted_cell(struct csv *csv, struct cell *ret, struct error *err)
{
    const char *begin = ++csv->at;
    *ret = (struct cell){.quoted = true};
    for (; csv->at < csv->end; csv->at++) {
        if (*csv->at == '\n')
            csv->line++;
        if (*csv->at != '"')
            continue;
        if (csv->at + 1 < csv->end && csv->at[1] == '"') {
            ret->doubled = true;
            csv->at++;
            continue;
        }
        ret->text = str_make(begin, (size_t)(csv->at - begin));
        csv->at++;
        return STATUS_OK;
    }
    return csv_fail(csv, err, "a quoted field does not end");
}

static enum status plain_cell(struct csv *csv, struct cell *ret, struct error *err)
{
    const char *begin = csv->at;
    while (csv->at < csv->end && *csv->at != ',' && *csv->at != '\n' && *csv->at != '\r') {
        if (*csv->at == '"')
            return csv_fail(csv, err, "a quote inside a field that does not begin with one");
        csv->at++;
    }
    *ret = (struct cell){.text = str_make(begin, (size_t)(csv->at - begin))};
    return STATUS_OK;
}

/* The next cell; *ret_last when the line ends behind it. */
static enum status next_cell(struct csv *csv, struct cell *ret, bool *ret_last, struct error *err)
{
    TRY(csv->at < csv->end && *csv->at == '"' ? quoted_cell(csv, ret, err)
                                              : plain_cell(csv, ret, err));
    *ret_last = true;
    if (csv->at >= csv->end)
        return STATUS_OK;
    if (*csv->at == ',') {
        csv->at++;
        *ret_last = false;
        return STATUS_OK;
    }
    if (*csv->at == '\r' && csv->at + 1 < csv->end && csv->at[1] == '\n')
        csv->at++;
    if (*csv->at != '\n')
        return csv_fail(csv, err, "a field is followed by neither comma nor line end");
    csv->at++;
    csv->line++;
    return STATUS_OK;
}

static struct str cell_text(struct record_builder *b, const struct cell *cell)
{
    if (!cell->doubled)
        return cell->text;
    buf_clear(&b->scratch);
    for (size_t i = 0; i < cell->text.len; i++) {
        buf_append_char(&b->scratch, cell->text.data[i]);
        if (cell->text.data[i] == '"')
            i++;
    }
    return buf_str(&b->scratch);
}

/* What all values of a new column can still be. */
struct guess {
    bool int64, real, boolean;
};

static bool is_number(struct str text, bool *ret_integer)
{
    struct json_scan scan = json_scan_of(text);
    struct str number;
    return text.len && json_scan_number(&scan, &number, ret_integer, NULL) == STATUS_OK &&
           scan.at == scan.end;
}

static void narrow(struct guess *guess, struct str text)
{
    bool integer = false;
    int64_t value;
    double real;
    bool number = is_number(text, &integer);
    guess->int64 = guess->int64 && number && integer && json_text_to_int64(text, &value);
    guess->real = guess->real && number && json_text_to_double(text, &real);
    guess->boolean = guess->boolean && (str_is(text, "true") || str_is(text, "false"));
}

struct table {
    uint32_t *slots;
    struct guess *guesses;
    uint32_t columns;
};

enum { CSV_COLUMNS_MAX = SCHEMA_FIELDS_MAX };

static enum status read_header(struct record_builder *b, struct csv *csv, struct table *table,
                               struct error *err)
{
    int64_t line = csv->line;
    bool last = csv->at >= csv->end;
    if (last)
        return csv_fail(csv, err, "the header line with the column names is missing");
    b->next = 0;
    while (!last) {
        struct cell cell;
        TRY(next_cell(csv, &cell, &last, err));
        if (table->columns == CSV_COLUMNS_MAX)
            return csv_fail(csv, err, "more than 2,000 columns");
        uint32_t *slot = &table->slots[table->columns];
        struct str name = cell_text(b, &cell);
        TRY(builder_slot(b, name, slot, err));
        for (uint32_t i = 0; i < table->columns; i++)
            if (table->slots[i] == *slot)
                return csv_fail_at(csv, line, err, "a column name stands twice in the header");
        table->guesses[table->columns++] = (struct guess){true, true, true};
    }
    return STATUS_OK;
}

/* Calls `fn` for each cell of the data lines. A line without any byte is passed over. */
typedef enum status (*cell_fn)(struct record_builder *b, struct table *table, uint32_t column,
                               const struct cell *cell, struct error *err);

/* One data line. */
static enum status each_of_row(struct record_builder *b, struct csv *csv, struct table *table,
                               cell_fn fn, bool ends_row, struct error *err)
{
    int64_t line = csv->line;
    uint32_t column = 0;
    bool last = false;
    while (!last) {
        struct cell cell;
        TRY(next_cell(csv, &cell, &last, err));
        if (column == table->columns)
            return csv_fail_at(csv, line, err, "more fields than the header has names");
        enum status status = fn(b, table, column++, &cell, err);
        if (status != STATUS_OK) {
            if (err)
                err->line = line;
            return status;
        }
    }
    if (column != table->columns)
        return csv_fail_at(csv, line, err, "fewer fields than the header has names");
    return ends_row ? builder_end_row(b, err) : STATUS_OK;
}

/* Behind a line that is left out: where its last field ends, or at the next line end when its
 * quotes are wrong. Gives the line. */
static struct str pass_over(struct csv *csv, const struct csv *start)
{
    struct cell cell;
    bool last = false;
    *csv = *start;
    while (!last && next_cell(csv, &cell, &last, NULL) == STATUS_OK)
        ;
    if (!last) {
        const char *newline = memchr(start->at, '\n', (size_t)(csv->end - start->at));
        *csv = *start;
        csv->at = newline ? newline + 1 : csv->end;
        csv->line++;
    }
    struct str raw = {start->at, (size_t)(csv->at - start->at)};
    while (raw.len && (raw.data[raw.len - 1] == '\n' || raw.data[raw.len - 1] == '\r'))
        raw.len--;
    return raw;
}

static bool at_empty_line(const struct csv *csv)
{
    return *csv->at == '\n' || (*csv->at == '\r' && csv->at + 1 < csv->end && csv->at[1] == '\n');
}

static enum status each_cell(struct record_builder *b, struct csv csv, struct table *table,
                             cell_fn fn, bool ends_row, struct error *err)
{
    while (csv.at < csv.end) {
        struct csv start = csv;
        struct error why = ERROR_INIT;
        if (at_empty_line(&csv)) {
            struct cell empty;
            bool last;
            TRY(next_cell(&csv, &empty, &last, err));
            continue;
        }
        enum status status = each_of_row(b, &csv, table, fn, ends_row, &why);
        if (status == STATUS_OK)
            continue;
        struct str raw = builder_can_leave_out(b, status) ? pass_over(&csv, &start) : STR_NONE;
        if (ends_row || !builder_can_leave_out(b, status))
            TRY(builder_leave_out(b, raw, start.line, &why, err));
    }
    return STATUS_OK;
}

static enum status guess_cell(struct record_builder *b, struct table *table, uint32_t column,
                              const struct cell *cell, struct error *err)
{
    (void)b;
    (void)err;
    if (cell->quoted)
        table->guesses[column] = (struct guess){0};
    else if (cell->text.len)
        narrow(&table->guesses[column], cell->text);
    return STATUS_OK;
}

static enum status add_cell(struct record_builder *b, struct table *table, uint32_t column,
                            const struct cell *cell, struct error *err)
{
    struct slot *slot = &b->slots[table->slots[column]];
    TRY(builder_claim(b, slot, err));
    if (!cell->quoted && cell->text.len == 0)
        return builder_null(b, slot, err);
    struct str text = cell_text(b, cell);
    bool integer;
    switch (builder_column(b, slot)->type) {
    case TYPE_INT64:
    case TYPE_DOUBLE:
        if (!is_number(text, &integer))
            return builder_misfit(b, slot, text, "is not a number", err);
        return builder_number(b, slot, text, integer, err);
    case TYPE_BOOL:
        if (!str_eq_nocase(text, STR("true")) && !str_eq_nocase(text, STR("false")))
            return builder_misfit(b, slot, text, "is not a boolean", err);
        return builder_bool(b, slot, str_eq_nocase(text, STR("true")), err);
    case TYPE_JSON: {
        struct json_scan scan = json_scan_of(text);
        struct str json;
        bool spaced;
        if (json_scan_skip(&scan, &json, &spaced, err) != STATUS_OK ||
            json_scan_end(&scan, err) != STATUS_OK)
            return builder_misfit(b, slot, text, "is not JSON", err);
        return builder_json(b, slot, json, spaced, err);
    }
    default:
        return builder_text(b, slot, text, err);
    }
}

static void settle_types(struct record_builder *b, const struct table *table)
{
    for (uint32_t i = 0; i < table->columns; i++) {
        struct slot *slot = &b->slots[table->slots[i]];
        const struct guess *guess = &table->guesses[i];
        if (slot->typed)
            continue;
        builder_set_type(b, slot,
                         guess->int64     ? TYPE_INT64
                         : guess->real    ? TYPE_DOUBLE
                         : guess->boolean ? TYPE_BOOL
                                          : TYPE_STRING);
    }
}

enum status record_builder_csv(struct record_builder *b, struct str text, struct error *err)
{
    if (str_starts(text, STR("\xEF\xBB\xBF")))
        text = str_make(text.data + 3, text.len - 3);
    struct csv csv = {text.data, text.data + text.len, text.data, 1};
    size_t valid = utf8_valid_prefix(text.data, text.len);
    if (valid != text.len) {
        csv.at += valid;
        for (size_t i = 0; i < valid; i++)
            csv.line += text.data[i] == '\n';
        return csv_fail(&csv, err, "not valid UTF-8");
    }
    struct table table = {.slots = malloc(CSV_COLUMNS_MAX * sizeof *table.slots),
                          .guesses = malloc(CSV_COLUMNS_MAX * sizeof *table.guesses)};
    enum status status = STATUS_NO_MEMORY;
    if (table.slots && table.guesses)
        status = read_header(b, &csv, &table, err);
    else
        error_no_memory(err);
    b->slots_before = b->slots_len; /* a bad line does not take the header's names away */
    if (status == STATUS_OK)
        status = each_cell(b, csv, &table, guess_cell, false, err);
    if (status == STATUS_OK) {
        settle_types(b, &table);
        status = each_cell(b, csv, &table, add_cell, true, err);
    }
    free(table.slots);
    free(table.guesses);
    return status;
}

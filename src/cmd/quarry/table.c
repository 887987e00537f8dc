/* table.c: see table.h. Widths are counted in terminal cells (wcwidth), so the locale must be
 * UTF-8. */
#include "cmd/quarry/table.h"

#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

void table_init(struct table *table)
{
    *table = (struct table){0};
    arena_init(&table->arena, 0);
}

void table_release(struct table *table)
{
    arena_release(&table->arena);
    free(table->cells);
}

uint32_t table_column(struct table *table, struct str name)
{
    for (uint32_t i = 0; i < table->columns; i++)
        if (str_eq(table->names[i], name))
            return i;
    struct str copy = arena_str(&table->arena, name);
    if (table->columns == TABLE_COLUMNS_MAX || !copy.data) {
        table->failed = true;
        return 0;
    }
    table->names[table->columns] = copy;
    return table->columns++;
}

/* Control characters would break the lines. */
static struct str printable(struct table *table, struct str text)
{
    struct str copy = arena_str(&table->arena, text);
    for (size_t i = 0; copy.data && i < copy.len; i++)
        if ((unsigned char)copy.data[i] < 0x20 || copy.data[i] == 0x7f)
            ((char *)copy.data)[i] = ' ';
    return copy;
}

static void add_cell(struct table *table, struct str text, bool right)
{
    if (table->cells_len == table->cells_cap) {
        size_t cap = table->cells_cap ? table->cells_cap * 2 : 256;
        struct table_cell *cells = realloc(table->cells, cap * sizeof *cells);
        if (!cells) {
            table->failed = true;
            return;
        }
        table->cells = cells;
        table->cells_cap = cap;
    }
    table->cells[table->cells_len++] = (struct table_cell){printable(table, text), right};
}

void table_text(struct table *table, struct str text)
{
    add_cell(table, text, false);
}

void table_count(struct table *table, uint64_t count)
{
    char text[COUNT_TEXT_MAX];
    add_cell(table, str_of(cli_count_text(count, text)), true);
}

void table_value(struct table *table, yyjson_val *value)
{
    if (!value || yyjson_is_null(value)) {
        add_cell(table, STR(""), false);
        return;
    }
    if (yyjson_is_str(value)) {
        add_cell(table, json_str_of(value), false);
        return;
    }
    size_t len = 0;
    char *text = yyjson_val_write(value, 0, &len);
    if (text)
        add_cell(table, str_make(text, len), yyjson_is_num(value));
    else
        table->failed = true;
    free(text);
}

size_t table_rows(const struct table *table)
{
    return table->columns ? table->cells_len / table->columns : 0;
}

/* Next character and its width; a byte that is no UTF-8 counts as one. */
static size_t next_char(struct str text, size_t at, uint32_t *ret_width)
{
    wchar_t wide;
    mbstate_t state = {0};
    size_t len = mbrtowc(&wide, text.data + at, text.len - at, &state);
    if (len == (size_t)-1 || len == (size_t)-2 || len == 0) {
        *ret_width = 1;
        return 1;
    }
    int width = wcwidth(wide);
    *ret_width = width < 0 ? 1 : (uint32_t)width;
    return len;
}

static uint32_t width_of(struct str text)
{
    uint32_t sum = 0, width;
    for (size_t at = 0; at < text.len; sum += width)
        at += next_char(text, at, &width);
    return sum;
}

/* Longest start of the text that is not wider than `limit`. */
static struct str cut_to(struct str text, uint32_t limit)
{
    uint32_t sum = 0, width;
    size_t at = 0;
    while (at < text.len) {
        size_t len = next_char(text, at, &width);
        if (sum + width > limit)
            break;
        sum += width;
        at += len;
    }
    return str_make(text.data, at);
}

static void print_spaces(uint32_t count)
{
    printf("%*s", (int)count, "");
}

static void print_cell(struct str text, uint32_t width, bool right, bool last)
{
    struct str shown = text;
    uint32_t has = width_of(text);
    bool cut = has > width;
    if (cut) {
        shown = cut_to(text, width - 1);
        has = width_of(shown) + 1;
    }
    if (right)
        print_spaces(width - has);
    printf("%.*s%s", STR_ARG(shown), cut ? "\u2026" : "");
    if (!right && !last)
        print_spaces(width - has);
}

static uint32_t measure(const struct table *table, const struct cli *cli,
                        uint32_t widths[TABLE_COLUMNS_MAX])
{
    uint32_t sum = 0;
    for (uint32_t c = 0; c < table->columns; c++) {
        widths[c] = width_of(table->names[c]);
        for (size_t i = c; i < table->cells_len; i += table->columns) {
            uint32_t width = width_of(table->cells[i].text);
            widths[c] = width > widths[c] ? width : widths[c];
        }
        if (!cli->wide && widths[c] > TABLE_CELL_WIDTH)
            widths[c] = TABLE_CELL_WIDTH;
        sum += widths[c] + 3;
    }
    return sum;
}

static uint32_t terminal_width(void)
{
    struct winsize size;
    if (isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col)
        return size.ws_col < 40 ? 40 : size.ws_col;
    return 200;
}

static void print_rule(const uint32_t *widths, uint32_t columns)
{
    for (uint32_t c = 0; c < columns; c++) {
        for (uint32_t i = 0; i < widths[c] + 2; i++)
            putchar('-');
        if (c + 1 < columns)
            putchar('+');
    }
    putchar('\n');
}

static void print_rows(const struct table *table, const uint32_t *widths)
{
    uint32_t columns = table->columns;
    for (uint32_t c = 0; c < columns; c++) {
        putchar(' ');
        print_cell(table->names[c], widths[c], c < table->cells_len && table->cells[c].right,
                   c + 1 == columns);
        fputs(c + 1 < columns ? " |" : "\n", stdout);
    }
    print_rule(widths, columns);
    for (size_t i = 0; i < table->cells_len; i++) {
        uint32_t c = (uint32_t)(i % columns);
        putchar(' ');
        print_cell(table->cells[i].text, widths[c], table->cells[i].right, c + 1 == columns);
        fputs(c + 1 < columns ? " |" : "\n", stdout);
    }
}

/* One block a row, for tables wider than the terminal. */
static void print_blocks(const struct table *table, const uint32_t *widths, const struct cli *cli)
{
    uint32_t left = 0;
    for (uint32_t c = 0; c < table->columns; c++) {
        uint32_t width = width_of(table->names[c]);
        left = width > left ? width : left;
    }
    for (size_t i = 0; i < table->cells_len; i++) {
        uint32_t c = (uint32_t)(i % table->columns);
        if (c == 0)
            printf("- row %zu\n", i / table->columns + 1);
        if (!table->cells[i].text.len)
            continue;
        putchar(' ');
        print_cell(table->names[c], left, false, false);
        fputs(" | ", stdout);
        uint32_t width = width_of(table->cells[i].text);
        print_cell(table->cells[i].text, cli->wide || width < widths[c] ? width : widths[c], false,
                   true);
        putchar('\n');
    }
}

void table_print(struct table *table, const struct cli *cli)
{
    uint32_t widths[TABLE_COLUMNS_MAX];
    if (table->failed) {
        cli_complain("the table is too large to be shown; use --json");
        return;
    }
    if (!table->columns)
        return;
    if (measure(table, cli, widths) > terminal_width() && !cli->wide)
        print_blocks(table, widths, cli);
    else
        print_rows(table, widths);
}

void table_of_objects(struct table *table, yyjson_val *objects, const struct texts *only)
{
    size_t row, rows, at, max;
    yyjson_val *object, *key, *value;
    for (size_t i = 0; only && i < only->len; i++)
        (void)table_column(table, str_of(only->items[i]));
    if (!table->columns) {
        yyjson_arr_foreach(objects, row, rows, object)
        {
            yyjson_obj_foreach(object, at, max, key, value)
            {
                (void)table_column(table, json_str_of(key));
            }
        }
    }
    yyjson_arr_foreach(objects, row, rows, object)
    {
        for (uint32_t c = 0; c < table->columns; c++)
            table_value(table, yyjson_obj_getn(object, table->names[c].data, table->names[c].len));
    }
}

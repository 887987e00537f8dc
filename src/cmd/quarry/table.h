/* table.h: aligned tables on standard output. Cells are copied; numbers stand right. */
#ifndef QUARRY_CMD_TABLE_H
#define QUARRY_CMD_TABLE_H

#include "base/arena.h"
#include "cmd/quarry/cli.h"

enum { TABLE_COLUMNS_MAX = 256, TABLE_CELL_WIDTH = 72 };

struct table_cell {
    struct str text;
    bool right;
};

struct table {
    struct arena arena;
    struct str names[TABLE_COLUMNS_MAX];
    uint32_t columns;
    struct table_cell *cells; /* rows * TABLE columns, row by row */
    size_t cells_len, cells_cap;
    bool failed; /* memory ran out, or too many columns */
};

void table_init(struct table *table);
void table_release(struct table *table);
/* Before the first cell. Gives the column's index; the same for a name that is there already. */
uint32_t table_column(struct table *table, struct str name);
/* Cells in the order of the columns, row after row. */
void table_text(struct table *table, struct str text);
void table_count(struct table *table, uint64_t count);    /* with thousands separators */
void table_value(struct table *table, yyjson_val *value); /* NULL: empty */
size_t table_rows(const struct table *table);
/* Cells wider than TABLE_CELL_WIDTH are cut unless cli->wide; a table wider than the terminal is
 * printed as one block a row. */
void table_print(struct table *table, const struct cli *cli);

/* Columns: the union of the objects' members (or `only`, when it has some); a row an object. */
void table_of_objects(struct table *table, yyjson_val *objects, const struct texts *only);

#endif

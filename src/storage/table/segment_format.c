/* segment_format.c: how segments are written as Parquet files.
 *
 * Small pages, so that one row costs the decoding of few others (2,048 rows instead of 8,192: 1.8 %
 * of size, a third of the time of a cold point read). Bloom filters on index columns, for engines
 * that do not know our sidecars and for segments whose sidecar is missing; not on the first index
 * column, by which the rows are sorted: its page index finds them (a filter costs some 1.6 bytes a
 * key, 8 % of a file of texts). */
#include "storage/table/segment_write_int.h"

enum { SEGMENT_PAGE_ROWS = 2048 };

static int32_t find_field(const struct piece *piece, struct str column)
{
    for (uint32_t f = 0; f < piece->fields_len; f++)
        if (str_eq(piece->fields[f].name, column))
            return (int32_t)f;
    return -1;
}

enum status segment_write_options(struct piece *piece, bool sorted,
                                  struct parquet_write_options *ret, struct error *err)
{
    const struct source_config *config = piece->batch->config;
    uint32_t *blooms = arena_array(&piece->arena, config->index_columns_len + 1u, sizeof *blooms);
    struct parquet_sorting *sorting = ARENA_NEW(&piece->arena, struct parquet_sorting);
    if (!blooms || !sorting)
        return error_no_memory(err);
    *ret = (struct parquet_write_options){.codec = config->codec,
                                          .page_rows = SEGMENT_PAGE_ROWS,
                                          .created_by = STR("Quarry"),
                                          .bloom_fields = blooms,
                                          .allow_delta = true,
                                          .sorting = sorting};
    for (uint32_t i = 0; i < config->index_columns_len; i++) {
        int32_t field = find_field(piece, config->index_columns[i]);
        if (i > 0 && field >= 0 && piece->fields[field].type != TYPE_BOOL)
            blooms[ret->bloom_fields_len++] = (uint32_t)field;
        if (i == 0 && field >= 0 && sorted) {
            *sorting = (struct parquet_sorting){.field = (uint32_t)field, .nulls_first = true};
            ret->sorting_len = 1;
        }
    }
    return STATUS_OK;
}

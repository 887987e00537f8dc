/* Any bytes as a statement of any dialect: the front neither crashes nor runs away; what it
 * translates it reads again in the target. The first byte chooses dialect and target. */
#include <stdint.h>
#include <stdlib.h>

#include "query/lang/lang.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum lang_dialect targets[] = {LANG_DUCKDB, LANG_CLICKHOUSE, LANG_TRINO,
                                                LANG_POSTGRES, LANG_MYSQL};
    struct arena arena;
    struct lang_query query;
    struct lang_analysis facts;
    struct lang_problem problem;
    struct buf out;
    if (size < 1)
        return 0;
    enum lang_dialect dialect = (enum lang_dialect)(data[0] % LANG_DIALECTS);
    struct str text = str_make((const char *)data + 1, size - 1);
    arena_init(&arena, 256 << 20);
    buf_init(&out, 4 << 20);
    if (lang_parse(&arena, text, dialect, NULL, &query, &problem) == STATUS_OK) {
        struct json_writer w;
        if (lang_analyze(&arena, &query, &facts, &problem) == STATUS_OK)
            (void)lang_check_tables(&facts, &query, &problem);
        (void)lang_canonical(&arena, &query, &out, &problem);
        buf_clear(&out);
        json_writer_init(&w, &out);
        lang_tree_json(&query, &w);
        for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
            buf_clear(&out);
            (void)lang_generate(&arena, &query, targets[i], &out, &problem);
        }
    }
    (void)lang_fingerprint(&arena, text, dialect, NULL);
    buf_release(&out);
    arena_release(&arena);
    return 0;
}

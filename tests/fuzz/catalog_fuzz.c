/* catalog_fuzz.c: any bytes as a stored record and as a cursor: no crash, no leak; a record that
 * was taken is written and read back as the same one, copied as the same one, and a cursor behind
 * it says so. */
#include <stdlib.h>

#include "catalog/query.h"
#include "catalog/record_set.h"

enum { ARENA_MAX = 64 << 20 };

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void check_cursors(const struct record *record, struct arena *arena)
{
    for (int i = 0; i < RECORD_FIELD_COUNT; i++) {
        struct record_query query = {.domain = record->domain,
                                     .tenant = STR("t"),
                                     .order = (enum record_field)i,
                                     .limit = 1};
        struct cursor cursor;
        if (query_check(&query, NULL) != STATUS_OK || !record->id.len)
            continue;
        must(cursor_write(&query, record, arena, &query.cursor, NULL) == STATUS_OK);
        must(cursor_read(&query, arena, &cursor, NULL) == STATUS_OK);
        must(!cursor_before(&query, &cursor, record));
        must(query_compare(&query, record, record) == 0);
    }
}

static void check_record(yyjson_val *root, struct arena *arena)
{
    struct record record, again;
    struct buf out;
    struct json_writer w;
    yyjson_doc *doc = NULL;
    if (record_read(root, arena, &record, NULL) != STATUS_OK ||
        record_check(&record, NULL) != STATUS_OK)
        return;
    buf_init(&out, ARENA_MAX);
    json_writer_init(&w, &out);
    record_write(&w, &record, true);
    must(json_parse(buf_str(&out), &doc, NULL) == STATUS_OK);
    must(record_read(yyjson_doc_get_root(doc), arena, &again, NULL) == STATUS_OK);
    must(record_equal(&record, &again) && record_hash(&record) == record_hash(&again));
    struct record *clone = record_clone(&record);
    must(clone && record_equal(&record, clone));
    free(clone);
    check_cursors(&record, arena);
    yyjson_doc_free(doc);
    buf_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = str_make((const char *)data, size);
    struct arena arena;
    yyjson_doc *doc = NULL;
    arena_init(&arena, ARENA_MAX);
    if (json_parse(text, &doc, NULL) == STATUS_OK) {
        check_record(yyjson_doc_get_root(doc), &arena);
        yyjson_doc_free(doc);
    } else {
        struct record_query query = {.order = size % 2 ? RECORD_name : RECORD_created_us,
                                     .cursor = text};
        struct cursor cursor;
        (void)cursor_read(&query, &arena, &cursor, NULL);
        struct str rest = text, pattern = STR_NONE;
        if (str_split(&rest, '\n', &pattern))
            (void)glob_matches(pattern, rest);
    }
    arena_release(&arena);
    return 0;
}

/* chunk_list_test.c: lists are shared until the table changes, and name the chunks of a value. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "storage/memtable/chunk_list.h"

enum { CHUNKS = 70, ROWS = CHUNK_INDEX_ROWS_MIN + 5 };

static struct chunk *make_chunk(uint32_t number, uint32_t rows)
{
    struct batch *batch = batch_new();
    uint32_t at;
    assert_int_equal(batch_add_column(batch, STR("key"), TYPE_INT64, &at), STATUS_OK);
    assert_int_equal(batch_add_column(batch, STR("text"), TYPE_STRING, &at), STATUS_OK);
    for (uint32_t row = 0; row < rows; row++) {
        struct column *key = &batch->columns[0].column, *text = &batch->columns[1].column;
        assert_int_equal(column_append_int64(key, (int64_t)number * 1000000 + row), STATUS_OK);
        assert_int_equal(row % 3 ? column_append_null(text) : column_append_bytes(text, STR("t")),
                         STATUS_OK);
    }
    assert_int_equal(batch_set_rows(batch, rows), STATUS_OK);
    struct chunk *chunk = chunk_new(NULL, batch, number + 1, number + 1);
    assert_non_null(chunk);
    batch_unref(batch);
    return chunk;
}

static void build_index(struct chunk *chunk)
{
    struct str column = STR("key");
    struct value value = {.type = TYPE_INT64};
    bool used;
    uint32_t *rows, len;
    assert_int_equal(chunk_lookup(chunk, &column, &value, 1, &used, &rows, &len, NULL), STATUS_OK);
    free(rows);
}

static uint32_t bits(const uint64_t *words, uint32_t len)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < len; i++)
        count += (uint32_t)(words[i / 64] >> (i % 64) & 1);
    return count;
}

static bool narrow(struct chunk_list *list, struct value value, uint64_t words[2])
{
    memset(words, 0xFF, 2 * sizeof *words);
    return chunk_list_narrow(list, STR("key"), &value, 1, words);
}

static void names_the_chunks_of_a_value(void **state)
{
    (void)state;
    struct memtable table = {0}, none = {0};
    uint64_t words[2];
    for (uint32_t i = 0; i < CHUNKS; i++)
        memtable_append(&table, make_chunk(i, ROWS));
    memtable_append(&table, make_chunk(CHUNKS, 3)); /* too small for an index */
    struct chunk_list *list = chunk_list_of(&none, &table);
    assert_int_equal(list->len, CHUNKS + 1);
    assert_int_equal(list->rows, CHUNKS * ROWS + 3);
    struct value key = {.type = TYPE_INT64, .int64 = 65000007};
    assert_true(narrow(list, key, words)); /* no index yet: all may have it */
    assert_int_equal(bits(words, list->len), CHUNKS + 1);
    for (uint32_t i = 0; i < CHUNKS; i++)
        build_index(list->chunks[i]);
    uint32_t others = 0;
    for (uint32_t i = 0; i < CHUNKS; i++) {
        key.int64 = (int64_t)i * 1000000 + i;
        assert_true(narrow(list, key, words));
        assert_true(words[i / 64] >> (i % 64) & 1);
        assert_true(words[CHUNKS / 64] >> (CHUNKS % 64) & 1);
        others += bits(words, list->len) - 2;
    }
    assert_true(others < CHUNKS * CHUNKS / 10);
    key = (struct value){.type = TYPE_DOUBLE, .real = 1.0}; /* of a type that no chunk has */
    assert_true(narrow(list, key, words));
    assert_int_equal(bits(words, list->len), 1);
    memset(words, 0xFF, sizeof words);
    assert_false(chunk_list_narrow(list, STR("absent"), &key, 1, words));
    chunk_list_unref(list);
    memtable_clear(&table);
}

static void is_shared_until_the_table_changes(void **state)
{
    (void)state;
    struct memtable active = {0}, frozen = {0};
    memtable_append(&active, make_chunk(0, 5));
    struct chunk_list *first = chunk_list_of(&frozen, &active);
    struct chunk_list *again = chunk_list_of(&frozen, &active);
    assert_ptr_equal(first, again);
    memtable_append(&active, make_chunk(1, 6));
    struct chunk_list *second = chunk_list_of(&frozen, &active);
    assert_ptr_not_equal(first, second);
    assert_int_equal(first->len, 1);
    assert_int_equal(second->len, 2);
    assert_int_equal(second->rows, 11);
    memtable_move(&frozen, &active);
    memtable_append(&active, make_chunk(2, 7));
    struct chunk_list *both = chunk_list_of(&frozen, &active);
    assert_int_equal(both->len, 3);
    assert_int_equal(both->batches[2]->rows, 7);
    memtable_clear(&frozen);
    memtable_clear(&active);
    assert_int_equal(second->batches[1]->rows, 6); /* the list keeps them */
    chunk_list_unref(first);
    chunk_list_unref(again);
    chunk_list_unref(second);
    chunk_list_unref(both);
}

static void leaves_deleted_rows_out(void **state)
{
    (void)state;
    struct memtable active = {0}, frozen = {0};
    struct deletion_builder builder;
    struct deletion *deleted = NULL;
    memtable_append(&active, make_chunk(0, 10));
    struct chunk_list *before = chunk_list_of(&frozen, &active);
    deletion_builder_init(&builder, 10);
    assert_int_equal(deletion_builder_add(&builder, 4, NULL), STATUS_OK);
    assert_int_equal(deletion_builder_finish(&builder, &deleted, NULL), STATUS_OK);
    deletion_builder_release(&builder);
    deletion_unref(memtable_set_deleted(&active, active.head, deleted));
    struct chunk_list *after = chunk_list_of(&frozen, &active);
    assert_int_equal(before->rows, 10);
    assert_null(before->deletions[0]);
    assert_int_equal(after->rows, 9);
    assert_true(deletion_has(after->deletions[0], 4));
    chunk_list_unref(before);
    chunk_list_unref(after);
    memtable_clear(&active);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_the_chunks_of_a_value),
        cmocka_unit_test(is_shared_until_the_table_changes),
        cmocka_unit_test(leaves_deleted_rows_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

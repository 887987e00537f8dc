/* write_ids_test.c: the table of write ids: found until dropped, bounded by age and number, saved
 * once. */
#include "fixture.h"

#include "storage/write_ids.h"

static struct str id_of(uint32_t number, char out[16])
{
    snprintf(out, 16, "id%u", number);
    return str_of(out);
}

static void add_done(struct write_ids *ids, uint32_t number, int64_t now_us)
{
    uint64_t at;
    char text[16];
    assert_ok(write_ids_add(ids, id_of(number, text), now_us, &at, &test_err));
    write_ids_done(ids, at, number + 1, 3);
}

static void test_find_and_drop(void **state)
{
    (void)state;
    struct write_ids ids;
    char text[16];
    write_ids_init(&ids);
    assert_null(write_ids_find(&ids, STR("x")));
    uint64_t numbers[2000];
    for (uint32_t i = 0; i < 2000; i++)
        assert_ok(write_ids_add(&ids, id_of(i, text), 5, &numbers[i], &test_err));
    for (uint32_t i = 0; i < 2000; i++) {
        if (i % 3 == 0)
            write_ids_drop(&ids, numbers[i]);
        else
            write_ids_done(&ids, numbers[i], i, 7);
    }
    for (uint32_t i = 0; i < 2000; i++) {
        struct write_id *found = write_ids_find(&ids, id_of(i, text));
        assert_int_equal(found != NULL, i % 3 != 0);
        if (found) {
            assert_int_equal(found->lsn, i);
            assert_int_equal(found->rows, 7);
            assert_int_equal(found->state, WRITE_ID_DONE);
        }
    }
    write_ids_release(&ids);
}

static void test_age_and_number(void **state)
{
    (void)state;
    struct write_ids ids;
    char text[16];
    write_ids_init(&ids);
    for (uint32_t i = 0; i < 100; i++)
        add_done(&ids, i, 1000);
    add_done(&ids, 100, 1000 + WRITE_IDS_KEEP_US); /* not a day older yet */
    assert_non_null(write_ids_find(&ids, id_of(0, text)));
    add_done(&ids, 101, 1001 + WRITE_IDS_KEEP_US);
    assert_null(write_ids_find(&ids, id_of(0, text)));
    assert_non_null(write_ids_find(&ids, id_of(100, text)));
    assert_int_equal(ids.end - ids.first, 2);
    for (uint32_t i = 0; i < WRITE_IDS_MAX + 50; i++)
        add_done(&ids, 1000 + i, 2000 + WRITE_IDS_KEEP_US);
    assert_int_equal(ids.end - ids.first, WRITE_IDS_MAX);
    assert_null(write_ids_find(&ids, id_of(1000 + 49, text)));
    assert_non_null(write_ids_find(&ids, id_of(1000 + 50, text)));
    write_ids_release(&ids);
}

static void test_copy_stops_at_pending(void **state)
{
    (void)state;
    struct write_ids ids;
    struct write_id *copy;
    uint32_t len;
    uint64_t next, pending;
    write_ids_init(&ids);
    add_done(&ids, 0, 1);
    add_done(&ids, 1, 1);
    assert_ok(write_ids_add(&ids, STR("pending"), 1, &pending, &test_err));
    assert_ok(write_ids_copy(&ids, 0, &copy, &len, &next, &test_err));
    assert_int_equal(len, 2);
    assert_int_equal(next, 2);
    assert_int_equal(copy[1].lsn, 2);
    free(copy);
    write_ids_drop(&ids, pending);
    add_done(&ids, 3, 1);
    assert_ok(write_ids_copy(&ids, next, &copy, &len, &next, &test_err));
    assert_int_equal(len, 1);
    assert_int_equal(copy[0].lsn, 4);
    free(copy);
    assert_ok(write_ids_copy(&ids, next, &copy, &len, &next, &test_err));
    assert_int_equal(len, 0);
    write_ids_release(&ids);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_find_and_drop),
        cmocka_unit_test(test_age_and_number),
        cmocka_unit_test(test_copy_stops_at_pending),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

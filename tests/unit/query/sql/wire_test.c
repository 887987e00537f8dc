/* Frames over a socket pair: whole frames, bad headers, ends, deadlines. */
#include <sys/socket.h>

#include "unit/query/sql/fixture.h"

static int ends[2];
static struct buf payload;

static int setup(void **state)
{
    (void)state;
    buf_init(&payload, SQL_FRAME_MAX);
    return socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
}

static int teardown(void **state)
{
    (void)state;
    buf_release(&payload);
    close(ends[0]);
    if (ends[1] >= 0)
        close(ends[1]);
    return 0;
}

static enum status receive(enum sql_frame *kind, int64_t wait_us)
{
    struct sys *sys = sys_posix();
    return sql_wire_receive(sys, ends[0], &payload, kind, sys_mono_us(sys) + wait_us, NULL);
}

static void frames_pass(void **state)
{
    (void)state;
    enum sql_frame kind;
    struct sys *sys = sys_posix();
    assert_int_equal(sql_wire_send(sys, ends[1], SQL_FRAME_QUERY, STR("{}"), 0, NULL), STATUS_OK);
    assert_int_equal(sql_wire_send(sys, ends[1], SQL_FRAME_DONE, STR_NONE, 0, NULL), STATUS_OK);
    assert_int_equal(receive(&kind, 1000000), STATUS_OK);
    assert_int_equal(kind, SQL_FRAME_QUERY);
    assert_true(str_is(buf_str(&payload), "{}"));
    assert_int_equal(receive(&kind, 1000000), STATUS_OK);
    assert_int_equal(kind, SQL_FRAME_DONE);
    assert_int_equal(payload.len, 0);
}

static void bad_headers(void **state)
{
    (void)state;
    static const unsigned char headers[][8] = {
        {0, 0, 0, 0, 0, 0, 0, 0},              /* kind 0 */
        {0, 0, 0, 0, SQL_FRAME_END, 0, 0, 0},  /* kind too high */
        {0, 0, 0, 0, 1, 1, 0, 0},              /* padding */
        {1, 0, 0, 4, SQL_FRAME_ROWS, 0, 0, 0}, /* 64 MiB + 1 */
        {255, 255, 255, 255, SQL_FRAME_ROWS, 0, 0, 0},
    };
    enum sql_frame kind;
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        assert_int_equal(write(ends[1], headers[i], 8), 8);
        assert_int_equal(receive(&kind, 1000000), STATUS_CORRUPT);
    }
}

static void deadlines_and_ends(void **state)
{
    (void)state;
    enum sql_frame kind;
    struct sys *sys = sys_posix();
    assert_int_equal(receive(&kind, 20000), STATUS_TIMEOUT);
    static const unsigned char half[] = {4, 0, 0, 0, SQL_FRAME_ROWS, 0, 0, 0, 'a'};
    assert_int_equal(write(ends[1], half, sizeof half), (ssize_t)sizeof half);
    assert_int_equal(receive(&kind, 20000), STATUS_TIMEOUT);
    /* Nobody reads: the sender stops at its deadline. */
    char *large = calloc(1, 8 << 20);
    assert_non_null(large);
    assert_int_equal(sql_wire_send(sys, ends[1], SQL_FRAME_ROWS, str_make(large, 8 << 20),
                                   sys_mono_us(sys) + 20000, NULL),
                     STATUS_TIMEOUT);
    assert_int_equal(sql_wire_send(sys, ends[1], SQL_FRAME_ROWS,
                                   str_make(large, (size_t)SQL_FRAME_MAX + 1), 0, NULL),
                     STATUS_RESOURCE_LIMIT);
    free(large);
}

static void end_of_file(void **state)
{
    (void)state;
    enum sql_frame kind;
    struct sys *sys = sys_posix();
    assert_int_equal(write(ends[1], "\4\0\0", 3), 3);
    close(ends[1]);
    ends[1] = -1;
    assert_int_equal(receive(&kind, 1000000), STATUS_UNAVAILABLE);
    assert_int_equal(sql_wire_send(sys, ends[0], SQL_FRAME_QUERY, STR("{}"), 0, NULL),
                     STATUS_UNAVAILABLE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(frames_pass, setup, teardown),
        cmocka_unit_test_setup_teardown(bad_headers, setup, teardown),
        cmocka_unit_test_setup_teardown(deadlines_and_ends, setup, teardown),
        cmocka_unit_test_setup_teardown(end_of_file, setup, teardown)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* wal_test.c: the log by itself: what was acknowledged reads back, in order; a torn tail of any
 * length is passed over; damage before the tail is named; a refused frame never comes back. */
#include "unit/storage/fixture.h"

#include "storage/wal/wal_int.h"
#include "sys/fault/fault.h"
#include "sys/sim/sim.h"

enum { FRAMES = 12, SEGMENT = 4096 };

/* What a replay has seen. */
struct seen {
    uint32_t len;
    uint64_t lsns[256];
    uint32_t rows[256];
};

static enum status on_record(void *context, const struct wal_record *record, struct error *err)
{
    (void)err;
    struct seen *seen = context;
    assert_true(seen->len < 256);
    assert_int_equal(record->kind, WAL_BATCH);
    /* The payload says its own number. */
    assert_int_equal(record->payload.len, 40 + record->rows * 7);
    for (size_t i = 0; i < record->payload.len; i++)
        assert_int_equal(((const uint8_t *)record->payload.data)[i], (uint8_t)record->rows);
    char key[16];
    snprintf(key, sizeof key, "key%u", record->rows);
    assert_true(str_is(record->key, key));
    seen->lsns[seen->len] = record->lsn;
    seen->rows[seen->len++] = record->rows;
    return STATUS_OK;
}

static enum status try_open(struct sys *sys, struct seen *seen, struct wal **ret)
{
    struct wal_options options = {.dir = "w", .segment_bytes = SEGMENT};
    *seen = (struct seen){0};
    *ret = NULL;
    test_err = ERROR_INIT;
    return wal_open(sys, &options, on_record, seen, ret, &test_err);
}

static uint32_t published;

static void on_publish(struct wal_frame *frame, enum status status)
{
    (void)frame;
    published += status == STATUS_OK;
}

static struct wal_frame *make_frame(struct wal *wal, uint32_t number)
{
    struct wal_frame *frame;
    size_t len = 40 + number * 7;
    assert_ok(wal_frame_new(wal, len, true, &frame, &test_err));
    frame->kind = WAL_BATCH;
    frame->rows = number;
    frame->key_len = (uint16_t)snprintf(frame->key, sizeof frame->key, "key%u", number);
    frame->publish = on_publish;
    assert_true(buf_reserve(&frame->payload, len));
    memset(frame->payload.data, (int)number, len);
    frame->payload.len = len;
    return frame;
}

static enum status append(struct wal *wal, uint32_t number, uint64_t *ret_lsn)
{
    struct wal_frame *frame = make_frame(wal, number);
    wal_submit(wal, frame);
    enum status status = wal_wait(wal, frame, &test_err);
    *ret_lsn = frame->lsn;
    wal_frame_unref(wal, frame);
    return status;
}

static struct sim *new_sim(void)
{
    struct sim *sim;
    assert_ok(sim_new(7, &sim, &test_err));
    assert_ok(sys_mkdir(sim_sys(sim), "w", &test_err));
    assert_ok(sys_sync_dir(sim_sys(sim), ".", &test_err));
    return sim;
}

static bool pairs; /* write_frames links each odd frame to the next one */

static enum status append_pair(struct wal *wal, uint32_t number);

static void write_frames(struct sys *sys, uint32_t count)
{
    struct seen seen;
    struct wal *wal;
    assert_ok(try_open(sys, &seen, &wal));
    for (uint32_t i = 1; i <= count; i++) {
        uint64_t lsn;
        if (pairs) {
            assert_ok(append_pair(wal, i++));
            continue;
        }
        assert_ok(append(wal, i, &lsn));
        assert_int_equal(lsn, i);
    }
    wal_close(wal);
}

static void test_roundtrip(void **state)
{
    (void)state;
    struct sim *sim = new_sim();
    struct seen seen;
    struct wal *wal;
    write_frames(sim_sys(sim), 100); /* several segments */
    for (int round = 0; round < 3; round++) {
        assert_ok(try_open(sim_sys(sim), &seen, &wal));
        assert_int_equal(seen.len, 100);
        for (uint32_t i = 0; i < 100; i++) {
            assert_int_equal(seen.lsns[i], i + 1);
            assert_int_equal(seen.rows[i], i + 1);
        }
        assert_int_equal(wal_completed_lsn(wal), 100);
        wal_close(wal);
    }
    sim_free(sim);
}

static void test_release(void **state)
{
    (void)state;
    struct sim *sim = new_sim();
    struct seen seen;
    struct wal *wal;
    struct wal_stats before, after;
    write_frames(sim_sys(sim), 100);
    assert_ok(try_open(sim_sys(sim), &seen, &wal));
    wal_get_stats(wal, &before);
    assert_true(before.files > 5);
    assert_ok(wal_release_below(wal, 60, &test_err));
    wal_get_stats(wal, &after);
    assert_true(after.files < before.files);
    wal_close(wal);
    assert_ok(try_open(sim_sys(sim), &seen, &wal));
    assert_int_equal(seen.lsns[seen.len - 1], 100);
    assert_in_range(seen.lsns[0], 1, 60); /* whole segments go */
    assert_int_equal(seen.len, 101 - seen.lsns[0]);
    assert_ok(wal_release_below(wal, 101, &test_err));
    wal_get_stats(wal, &after);
    assert_int_equal(after.files, 1);
    wal_close(wal);
    assert_ok(try_open(sim_sys(sim), &seen, &wal));
    assert_int_equal(seen.len, 0);
    uint64_t lsn;
    assert_ok(append(wal, 1, &lsn));
    assert_int_equal(lsn, 101); /* never used again */
    wal_close(wal);
    sim_free(sim);
}

/* `number` and `number` + 1, both or neither. */
static enum status append_pair(struct wal *wal, uint32_t number)
{
    struct wal_frame *first = make_frame(wal, number), *second = make_frame(wal, number + 1);
    second->before = first;
    wal_submit(wal, second);
    enum status status = wal_wait(wal, second, &test_err);
    if (status == STATUS_OK)
        assert_int_equal(first->lsn + 1, second->lsn);
    wal_frame_unref(wal, first);
    wal_frame_unref(wal, second);
    return status;
}

/* Segments that are used again, with power cuts between: nothing of their former life is seen. */
static void test_recycled(void **state)
{
    (void)state;
    struct sim *sim = new_sim();
    struct seen seen;
    struct wal *wal;
    uint64_t lsn = 0, released = 0;
    uint32_t recycled = 0;
    for (uint32_t round = 0; round < 40; round++) {
        assert_ok(try_open(sim_sys(sim), &seen, &wal));
        assert_int_equal(wal_completed_lsn(wal), lsn);
        for (uint32_t i = 0; i < seen.len; i++)
            assert_int_equal(seen.lsns[i], lsn - seen.len + 1 + i);
        assert_true(seen.len >= lsn - released);
        for (uint32_t i = 0; i < 25; i++) {
            assert_ok(append(wal, (uint32_t)(lsn % 100), &lsn));
            if (i % 8 == 7) {
                released = lsn - 3;
                assert_ok(wal_release_below(wal, released, &test_err));
                assert_true(wal->spares_len <= WAL_SPARES_MAX);
            }
        }
        struct buf bytes;
        struct wal_header header;
        char path[SYS_PATH_MAX];
        buf_init(&bytes, 1 << 20);
        assert_ok(
            wal_segment_path(wal, wal->segments[wal->segments_len - 1].first_lsn, path, &test_err));
        assert_ok(sys_read_file(sim_sys(sim), path, &bytes, &test_err));
        assert_true(wal_header_decode((const uint8_t *)bytes.data, &header));
        recycled += header.flags & WAL_HEADER_RECYCLED;
        buf_release(&bytes);
        wal_close(wal);
        if (round % 3 == 0)
            sim_power_cut(sim, round + 1);
    }
    assert_true(recycled > 10);
    sim_free(sim);
}

/* Every call fails or the power goes: of a pair both frames are there or none. */
static void test_pairs_under_faults(void **state)
{
    (void)state;
    uint64_t calls = UINT64_MAX;
    for (uint64_t at = 0; at <= 2 * calls; at++) {
        struct sim *sim = new_sim();
        struct fault *fault;
        struct seen seen;
        struct wal *wal = NULL;
        struct fault_plan plan = {.op = FAULT_ANY,
                                  .at = at / 2 + 1,
                                  .crash = at % 2,
                                  .write = FAULT_WRITE_TORN,
                                  .bytes = 300};
        bool stored[40] = {false};
        assert_ok(fault_new(sim_sys(sim), &fault, &test_err));
        fault_plan(fault, calls == UINT64_MAX ? NULL : &plan);
        if (try_open(fault_sys(fault), &seen, &wal) == STATUS_OK) {
            for (uint32_t i = 0; i < 40; i += 2)
                stored[i] = append_pair(wal, i) == STATUS_OK;
        }
        wal_close(wal);
        if (calls == UINT64_MAX) {
            calls = fault_calls(fault, FAULT_ANY);
            assert_true(stored[38]);
        }
        fault_plan(fault, NULL);
        fault_free(fault);
        sim_power_cut(sim, at + 1);
        if (try_open(sim_sys(sim), &seen, &wal) != STATUS_OK)
            fail_msg("call %llu: %s", (unsigned long long)at, test_err.message);
        bool there[41] = {false};
        for (uint32_t i = 0; i < seen.len; i++)
            there[seen.rows[i]] = true;
        for (uint32_t i = 0; i < 40; i += 2) {
            assert_int_equal(there[i], there[i + 1]);
            assert_true(there[i] || !stored[i]);
        }
        wal_close(wal);
        sim_free(sim);
    }
}

/* --- damage: on a copy of the bytes, through the kernel's files --- */

struct image {
    char dir[256];
    char path[300];
    struct buf bytes;
    uint64_t ends[FRAMES + 1]; /* offset behind frame n */
};

static void image_init(struct image *image)
{
    fixture_dir(image->dir);
    char wal_dir[300];
    snprintf(wal_dir, sizeof wal_dir, "%s/w", image->dir);
    assert_ok(sys_mkdir(sys_posix(), wal_dir, &test_err));
    char here[1024];
    assert_non_null(getcwd(here, sizeof here));
    assert_int_equal(chdir(image->dir), 0);
    write_frames(sys_posix(), FRAMES);
    assert_int_equal(chdir(here), 0);
    snprintf(image->path, sizeof image->path, "%s/w/%016x.wal", image->dir, 1);
    buf_init(&image->bytes, 1 << 20);
    assert_ok(sys_read_file(sys_posix(), image->path, &image->bytes, &test_err));
    assert_int_equal(image->bytes.len, SEGMENT);
    uint64_t at = WAL_HEADER_BYTES;
    for (int i = 0; i < FRAMES; i++) {
        uint32_t length;
        image->ends[i] = at;
        memcpy(&length, image->bytes.data + at, 4);
        at += wal_frame_size(length);
    }
    image->ends[FRAMES] = at;
    assert_true(at < SEGMENT);
}

static void image_release(struct image *image)
{
    buf_release(&image->bytes);
    fixture_remove(image->dir);
}

/* Opens the log of these bytes alone (read only); the frames seen. */
static enum status read_image(struct image *image, const void *bytes, size_t len, struct seen *seen)
{
    char dir[300];
    struct wal *wal = NULL;
    snprintf(dir, sizeof dir, "%s/w", image->dir);
    struct wal_options options = {.dir = dir, .segment_bytes = SEGMENT, .read_only = true};
    FILE *file = fopen(image->path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, len, file), len);
    fclose(file);
    *seen = (struct seen){0};
    test_err = ERROR_INIT;
    enum status status = wal_open(sys_posix(), &options, on_record, seen, &wal, &test_err);
    wal_close(wal);
    return status;
}

static void test_torn_at_every_byte(void **state)
{
    (void)state;
    struct image image;
    struct seen seen;
    char bytes[SEGMENT];
    image_init(&image);
    uint32_t whole = 0;
    for (uint64_t cut = WAL_HEADER_BYTES; cut <= image.ends[FRAMES]; cut++) {
        while (whole < FRAMES && image.ends[whole + 1] <= cut)
            whole++;
        /* A frame's last padding bytes are zero: it is whole without them. */
        uint32_t least = whole, most = whole;
        if (whole < FRAMES && image.ends[whole + 1] - cut < 8)
            most++;
        assert_ok(read_image(&image, image.bytes.data, cut, &seen)); /* the file is shorter */
        assert_in_range(seen.len, least, most);
        memcpy(bytes, image.bytes.data, SEGMENT);
        memset(bytes + cut, 0, SEGMENT - cut); /* the tail never came */
        assert_ok(read_image(&image, bytes, SEGMENT, &seen));
        assert_in_range(seen.len, least, most);
        for (uint32_t i = 0; i < seen.len; i++)
            assert_int_equal(seen.lsns[i], i + 1);
    }
    image_release(&image);
}

static void test_torn_pairs(void **state)
{
    (void)state;
    struct image image;
    struct seen seen;
    pairs = true;
    image_init(&image);
    pairs = false;
    for (uint64_t cut = WAL_HEADER_BYTES; cut <= image.ends[FRAMES]; cut++) {
        assert_ok(read_image(&image, image.bytes.data, cut, &seen));
        assert_int_equal(seen.len % 2, 0);
        assert_true(seen.len == FRAMES || image.ends[seen.len + 2] > cut);
    }
    image_release(&image);
}

static void test_flip_every_bit(void **state)
{
    (void)state;
    struct image image;
    struct seen seen;
    char bytes[SEGMENT];
    image_init(&image);
    for (uint64_t bit = 0; bit < image.ends[FRAMES] * 8; bit += 7) {
        memcpy(bytes, image.bytes.data, SEGMENT);
        bytes[bit / 8] ^= (char)(1 << bit % 8);
        enum status status = read_image(&image, bytes, SEGMENT, &seen);
        uint32_t frame = 0;
        while (frame < FRAMES && image.ends[frame + 1] <= bit / 8)
            frame++;
        if (bit / 8 < WAL_HEADER_BYTES) {
            assert_int_equal(status, STATUS_CORRUPT);
            continue;
        }
        uint32_t length;
        memcpy(&length, image.bytes.data + image.ends[frame], 4);
        if (bit / 8 >= image.ends[frame] + length) { /* padding, of no meaning */
            assert_int_equal(status, STATUS_OK);
            assert_int_equal(seen.len, FRAMES);
        } else if (frame == FRAMES - 1) { /* looks like a torn tail */
            assert_int_equal(status, STATUS_OK);
            assert_int_equal(seen.len, FRAMES - 1);
        } else { /* a later frame says that it was durable */
            assert_int_equal(status, STATUS_CORRUPT);
            assert_int_equal(test_err.offset, image.ends[frame]);
            assert_non_null(strstr(test_err.message, image.path));
        }
    }
    image_release(&image);
}

/* --- failures --- */

/* A failed sync refuses its frames for good; the next write goes to a fresh segment. */
static void test_failed_sync(void **state)
{
    (void)state;
    struct sim *sim = new_sim();
    struct fault *fault;
    struct seen seen;
    struct wal *wal;
    uint64_t lsn;
    assert_ok(fault_new(sim_sys(sim), &fault, &test_err));
    assert_ok(try_open(fault_sys(fault), &seen, &wal));
    published = 0;
    assert_ok(append(wal, 1, &lsn));
    for (uint32_t i = 0; i < 3; i++) {
        fault_plan(fault, &(struct fault_plan){.op = i == 1 ? FAULT_PWRITE : FAULT_SYNC, .at = 1});
        assert_int_equal(append(wal, 10 + i, &lsn), STATUS_UNAVAILABLE);
        fault_plan(fault, NULL);
        assert_ok(append(wal, 2 + i, &lsn));
    }
    assert_int_equal(published, 4);
    wal_close(wal);
    fault_free(fault);
    sim_power_cut_as(sim, SIM_CUT_NAMES, 1);
    assert_ok(try_open(sim_sys(sim), &seen, &wal));
    assert_int_equal(seen.len, 4);
    for (uint32_t i = 0; i < 4; i++)
        assert_int_equal(seen.rows[i], i + 1); /* none of the refused ones */
    wal_close(wal);
    sim_free(sim);
}

static void test_full_disk(void **state)
{
    (void)state;
    struct sim *sim = new_sim();
    struct seen seen;
    struct wal *wal;
    uint64_t lsn;
    uint32_t stored = 0;
    sim_set_capacity(sim, 4 * SEGMENT);
    assert_ok(try_open(sim_sys(sim), &seen, &wal));
    enum status status;
    while ((status = append(wal, stored + 1, &lsn)) == STATUS_OK)
        stored++;
    assert_int_equal(status, STATUS_STORAGE_FULL);
    assert_int_equal(append(wal, stored + 1, &lsn), STATUS_STORAGE_FULL);
    sim_set_capacity(sim, 0);
    assert_ok(append(wal, stored + 1, &lsn)); /* by itself */
    assert_int_equal(lsn, stored + 1);
    wal_close(wal);
    assert_ok(try_open(sim_sys(sim), &seen, &wal));
    assert_int_equal(seen.len, stored + 1);
    wal_close(wal);
    sim_free(sim);
}

/* A lost segment in the middle, and one from a newer release, are not passed over. */
static void test_missing_segment(void **state)
{
    (void)state;
    struct sim *sim = new_sim();
    struct seen seen;
    struct wal *wal;
    write_frames(sim_sys(sim), 100);
    assert_ok(try_open(sim_sys(sim), &seen, &wal));
    char path[SYS_PATH_MAX];
    assert_ok(wal_segment_path(wal, wal->segments[2].first_lsn, path, &test_err));
    wal_close(wal);
    assert_ok(sys_unlink(sim_sys(sim), path, &test_err));
    assert_int_equal(try_open(sim_sys(sim), &seen, &wal), STATUS_CORRUPT);
    assert_non_null(strstr(test_err.message, ".wal"));
    sim_free(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_roundtrip),          cmocka_unit_test(test_release),
        cmocka_unit_test(test_torn_at_every_byte), cmocka_unit_test(test_flip_every_bit),
        cmocka_unit_test(test_failed_sync),        cmocka_unit_test(test_full_disk),
        cmocka_unit_test(test_missing_segment),    cmocka_unit_test(test_recycled),
        cmocka_unit_test(test_torn_pairs),         cmocka_unit_test(test_pairs_under_faults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

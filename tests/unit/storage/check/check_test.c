/* check_test.c: every flipped bit, lost, cut or foreign file is found and named; repair mends what
 * it may and leaves the rest. */
#include "../fixture.h"

#include "storage/backup/backup.h"
#include "storage/check/check.h"

struct seen {
    uint32_t len;
    enum check_kind kinds[64];
    char files[64][300];
};

static enum status see(void *context, const struct check_finding *finding, struct error *err)
{
    struct seen *seen = context;
    (void)err;
    assert_non_null(finding->file);
    assert_true(finding->what[0] != 0);
    if (seen->len < 64) {
        seen->kinds[seen->len] = finding->kind;
        snprintf(seen->files[seen->len++], 300, "%s", finding->file);
    }
    return STATUS_OK;
}

static struct check_summary check(const char *dir, struct seen *seen)
{
    struct check_summary summary;
    *seen = (struct seen){0};
    assert_ok(store_check(sys_posix(), dir, see, seen, &summary, &test_err));
    return summary;
}

static struct repair_summary repair(const char *dir, bool drop)
{
    struct repair_options options = {.path = dir, .drop_damaged = drop};
    struct repair_summary summary;
    assert_ok(store_repair(sys_posix(), &options, &summary, &test_err));
    return summary;
}

/* Flushed rows 0 to 299 with write ids, and rows 300 to 599 in the log only. */
static void fill(char dir[256])
{
    struct write_result result;
    fixture_dir(dir);
    struct store *store = fixture_open(sys_posix(), dir);
    struct source *source = fixture_source(store, "s");
    for (int i = 0; i < 3; i++) {
        char id[16];
        snprintf(id, sizeof id, "w%d", i);
        assert_ok(fixture_try_write(source, i * 100, 100, id, &result));
    }
    assert_ok(source_flush(source, &test_err));
    for (int i = 3; i < 6; i++)
        fixture_write(source, i * 100, 100);
    source_unref(source);
    store_close(store, false);
}

static void check_store(const char *dir, uint32_t rows)
{
    struct store *store = fixture_open(sys_posix(), dir);
    struct source *source = fixture_source(store, "s");
    fixture_check(source, rows);
    source_unref(source);
    store_close(store, false);
}

static void flip(const char *path, uint64_t bit)
{
    struct sys_file *file;
    uint8_t byte;
    size_t n;
    assert_ok(sys_open(sys_posix(), path, SYS_READ | SYS_WRITE, &file, &test_err));
    assert_ok(sys_pread(sys_posix(), file, &byte, 1, bit / 8, &n, &test_err));
    byte ^= (uint8_t)(1u << (bit % 8));
    assert_ok(sys_pwrite(sys_posix(), file, &byte, 1, bit / 8, &test_err));
    sys_close(sys_posix(), file);
}

static uint64_t size_of(const char *path)
{
    struct sys_stat stat;
    assert_ok(sys_stat(sys_posix(), path, &stat, &test_err));
    return stat.size;
}

static void test_clean(void **state)
{
    (void)state;
    char dir[256];
    struct seen seen;
    fill(dir);
    struct check_summary sum = check(dir, &seen);
    assert_int_equal(seen.len, 0);
    assert_int_equal(sum.sources, 1);
    assert_int_equal(sum.segments, 3);
    assert_int_equal(sum.rows, 600);
    assert_int_equal(sum.indexes, 6);
    assert_int_equal(sum.index_entries, 600);
    assert_int_equal(sum.write_ids, 3);
    assert_int_equal(sum.log_frames, 6);
    assert_int_equal(sum.damage + sum.repairable + sum.notes, 0);
    check_store(dir, 600); /* it has changed nothing */
    assert_int_equal(repair(dir, true).mended, 0);
    check_store(dir, 600);
    fixture_remove(dir);
}

static enum status delete_rows(struct source *source, uint64_t rows)
{
    struct mutation *mutation = NULL;
    struct write_result result;
    TRY(mutation_begin(source, STR_NONE, &mutation, &result, &test_err));
    for (uint64_t row = 0; row < rows; row++) /* of the first file, or of memory */
        TRY(mutation_delete(mutation, 0, row, &test_err));
    enum status status = mutation_commit(mutation, NULL, &result, &test_err);
    mutation_end(mutation);
    return status;
}

static enum status find_deletes(void *context, const struct sys_dir_entry *entry, struct error *err)
{
    (void)err;
    if (str_ends(str_of(entry->name), STR(".deletes.parquet")))
        snprintf(context, 300, "%s", entry->name);
    return STATUS_OK;
}

static void test_deleted_rows(void **state)
{
    (void)state;
    char dir[256], folder[300], name[300] = "", path[700];
    struct seen seen;
    fill(dir);
    struct store *store = fixture_open(sys_posix(), dir);
    struct source *source = fixture_source(store, "s");
    assert_ok(delete_rows(source, 10));
    assert_ok(source_flush(source, &test_err));
    assert_ok(delete_rows(source, 15)); /* 5 more: in the log */
    source_unref(source);
    store_close(store, false);
    struct check_summary sum = check(dir, &seen);
    assert_int_equal(seen.len, 0);
    assert_int_equal(sum.rows, 585);
    snprintf(folder, sizeof folder, "%s/sources/s/data/kind=k0", dir);
    assert_ok(sys_list_dir(sys_posix(), folder, find_deletes, name, &test_err));
    snprintf(path, sizeof path, "%s/%s", folder, name);
    for (uint64_t bit = 0; bit < size_of(path) * 8; bit += 97) {
        flip(path, bit);
        check(dir, &seen);
        if (seen.len) {
            assert_int_equal(seen.kinds[0], CHECK_DELETES);
            assert_string_equal(seen.files[0], path);
            assert_int_equal(repair(dir, false).mended, 0); /* nothing unasked */
        }
        flip(path, bit);
    }
    check(dir, &seen);
    assert_int_equal(seen.len, 0);
    fixture_remove(dir);
}

/* Rows 0 to 599 of which 10 of the first file are deleted, all flushed; the path of the file of
 * deleted rows. */
static void fill_deleted(char dir[256], char path[700])
{
    char folder[300], name[300] = "";
    fill(dir);
    struct store *store = fixture_open(sys_posix(), dir);
    struct source *source = fixture_source(store, "s");
    assert_ok(delete_rows(source, 10));
    source_unref(source);
    store_close(store, true);
    snprintf(folder, sizeof folder, "%s/sources/s/data/kind=k0", dir);
    assert_ok(sys_list_dir(sys_posix(), folder, find_deletes, name, &test_err));
    snprintf(path, 700, "%s/%s", folder, name);
}

/* Without the file no row of its segment is read; others are. */
static void test_lost_deletes(void **state)
{
    (void)state;
    char dir[256], path[700], segment[512], aside[512];
    struct seen seen;
    struct sys_stat stat;
    struct view view;
    fill_deleted(dir, path);
    assert_ok(sys_unlink(sys_posix(), path, &test_err));
    assert_int_equal(check(dir, &seen).damage, 1);
    assert_int_equal(seen.kinds[0], CHECK_DELETES);
    struct store *store = fixture_open(sys_posix(), dir);
    struct source *source = fixture_source(store, "s");
    assert_ok(view_open(source, &view, &test_err));
    uint32_t refused = 0;
    for (uint32_t i = 0; i < view.segments_len; i++) {
        enum status status = deletion_load(view.deletions[i], &test_err);
        assert_true(status == STATUS_OK || status == STATUS_CORRUPT);
        refused += status != STATUS_OK;
        if (status != STATUS_OK)
            assert_non_null(strstr(test_err.message, ".deletes.parquet"));
    }
    assert_int_equal(refused, 1);
    view_close(&view);
    source_unref(source);
    store_close(store, false);
    struct repair_summary repaired = repair(dir, false);
    assert_int_equal(repaired.left, 1);
    assert_int_equal(repair(dir, true).mended, 1);
    snprintf(segment, sizeof segment, "%s/sources/s/data/kind=k0/00000001.parquet", dir);
    snprintf(aside, sizeof aside, "%s/damaged/s/00000001.parquet", dir);
    assert_int_equal(sys_stat(sys_posix(), segment, &stat, NULL), STATUS_NOT_FOUND);
    assert_ok(sys_stat(sys_posix(), aside, &stat, &test_err));
    assert_int_equal(check(dir, &seen).damage, 0);
    store = fixture_open(sys_posix(), dir);
    source = fixture_source(store, "s");
    assert_ok(view_open(source, &view, &test_err));
    assert_int_equal(view.rows, 500); /* all rows of its segment are gone, none came back */
    view_close(&view);
    source_unref(source);
    store_close(store, true);
    fixture_remove(dir);
}

/* Damaged data files are taken from a backup: exactly, and only from the same life of the source.
 */
static void test_from_backup(void **state)
{
    (void)state;
    char dir[256], other[256], path[700], segment[512], backup[300];
    struct seen seen;
    struct backup_result made;
    struct backup_progress progress = {0};
    fill_deleted(dir, path);
    snprintf(backup, sizeof backup, "%s.backup", dir);
    assert_ok(backup_cold(sys_posix(), dir, backup, &progress, &made, &test_err));
    snprintf(segment, sizeof segment, "%s/sources/s/data/kind=k1/00000002.parquet", dir);
    for (int lost = 0; lost < 2; lost++) {
        if (lost)
            assert_ok(sys_unlink(sys_posix(), path, &test_err));
        else
            flip(path, (size_of(path) - 20) * 8);
        flip(segment, 1000);
        assert_int_equal(check(dir, &seen).damage, 2);
        struct repair_options options = {.path = dir, .backup = backup};
        struct repair_summary summary;
        assert_ok(store_repair(sys_posix(), &options, &summary, &test_err));
        assert_int_equal(summary.mended, 2);
        assert_int_equal(summary.left, 0);
        assert_int_equal(check(dir, &seen).damage, 0);
        assert_int_equal(seen.len, 0);
    }
    fill_deleted(other, path); /* files of the same names, of another life */
    flip(path, (size_of(path) - 20) * 8);
    struct repair_options options = {.path = other, .backup = backup};
    struct repair_summary summary;
    assert_ok(store_repair(sys_posix(), &options, &summary, &test_err));
    assert_int_equal(summary.mended, 0);
    assert_int_equal(summary.left, 1);
    fixture_remove(dir);
    fixture_remove(other);
    fixture_remove(backup);
}

static void test_refuses(void **state)
{
    (void)state;
    char dir[256], other[300];
    struct check_summary sum;
    struct sys_stat stat;
    fixture_dir(dir);
    assert_int_equal(store_check(sys_posix(), dir, NULL, NULL, &sum, &test_err), STATUS_NOT_FOUND);
    snprintf(other, sizeof other, "%s/lock", dir);
    assert_int_equal(sys_stat(sys_posix(), other, &stat, NULL), STATUS_NOT_FOUND); /* untouched */
    struct store *store = fixture_open(sys_posix(), dir);
    assert_int_equal(store_check(sys_posix(), dir, NULL, NULL, &sum, &test_err), STATUS_CONFLICT);
    struct repair_options options = {.path = dir};
    struct repair_summary repaired;
    assert_int_equal(store_repair(sys_posix(), &options, &repaired, &test_err), STATUS_CONFLICT);
    store_close(store, true);
    fixture_remove(dir);
}

/* Bits all over every kind of file: found, with the file's name and of the right kind. */
static void test_every_file_kind(void **state)
{
    (void)state;
    static const struct {
        const char *file;
        enum check_kind kind;
        enum check_severity severity;
    } cases[] = {
        {"source.json", CHECK_METADATA, CHECK_DAMAGE},
        {"metadata/CURRENT", CHECK_METADATA, CHECK_DAMAGE},
        {"", CHECK_METADATA, CHECK_DAMAGE}, /* the metadata file */
        {"snap-1-", CHECK_METADATA, CHECK_DAMAGE},
        {"-m0.avro", CHECK_METADATA, CHECK_DAMAGE},
        {"metadata/version-hint.text", CHECK_OTHERS, CHECK_NOTE},
        {"metadata/00000001.writeids", CHECK_WRITE_IDS, CHECK_DAMAGE},
        {"data/kind=k1/00000002.parquet", CHECK_SEGMENT, CHECK_DAMAGE},
        {"index/00000002.1.hash", CHECK_INDEX, CHECK_REPAIRABLE},
    };
    char dir[256], path[SYS_PATH_MAX];
    struct seen seen;
    fill(dir);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(path, sizeof path, "%s/sources/s/%s", dir, cases[i].file);
        if (cases[i].file[0] == 0)
            fixture_metadata(sys_posix(), dir, "s", "", ".metadata.json", path);
        else if (cases[i].file[0] == '-')
            fixture_metadata(sys_posix(), dir, "s", "", cases[i].file, path);
        else if (strncmp(cases[i].file, "snap-", 5) == 0)
            fixture_metadata(sys_posix(), dir, "s", cases[i].file, ".avro", path);
        uint64_t bits = size_of(path) * 8, step = bits / 23 + 1;
        for (uint64_t bit = i; bit < bits; bit += step) {
            flip(path, bit);
            struct check_summary sum = check(dir, &seen);
            if (seen.len == 0 || seen.kinds[0] != cases[i].kind)
                fail_msg("%s, bit %llu: %u findings", path, (unsigned long long)bit, seen.len);
            if (cases[i].kind != CHECK_METADATA)
                assert_string_equal(seen.files[0], path);
            assert_int_equal(sum.damage > 0, cases[i].severity == CHECK_DAMAGE);
            flip(path, bit);
        }
    }
    assert_int_equal(check(dir, &seen).damage, 0);
    fixture_remove(dir);
}

static void test_log(void **state)
{
    (void)state;
    char dir[256], path[512];
    struct seen seen;
    fill(dir);
    snprintf(path, sizeof path, "%s/wal/0000000000000001.wal", dir);
    flip(path, 64 * 8 + 999); /* the first frame: later ones call it durable */
    assert_int_equal(check(dir, &seen).damage, 1);
    assert_int_equal(seen.kinds[0], CHECK_LOG);
    assert_string_equal(seen.files[0], path);
    struct repair_summary repaired = repair(dir, true);
    assert_int_equal(repaired.mended, 0);
    assert_int_equal(repaired.left, 1);
    flip(path, 64 * 8 + 999);
    flip(path, 5); /* the header */
    assert_int_equal(check(dir, &seen).damage, 1);
    flip(path, 5);
    flip(path, (size_of(path) - 1) * 8); /* behind the last frame */
    struct check_summary sum = check(dir, &seen);
    assert_int_equal(sum.damage, 0);
    assert_int_equal(sum.notes, 1);
    assert_int_equal(seen.kinds[0], CHECK_TORN_TAIL);
    assert_int_equal(repair(dir, false).mended, 1);
    check(dir, &seen);
    assert_int_equal(seen.len, 0);
    check_store(dir, 600);
    fixture_remove(dir);
}

static void test_repair_indexes_and_leftovers(void **state)
{
    (void)state;
    static const char *const leftovers[] = {
        "wal/next.tmp", "run/00000000.parquet", "sources/s/data/kind=k1/00000099.parquet",
        "sources/s/index/00000099.1.hash", "sources/s/metadata/00099-0.metadata.json"};
    char dir[256], path[512];
    struct seen seen;
    struct sys_stat stat;
    fill(dir);
    for (size_t i = 0; i < 5; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, leftovers[i]);
        assert_ok(sys_replace_file(sys_posix(), path, (struct slice){"x", 1}, &test_err));
    }
    snprintf(path, sizeof path, "%s/sources/s/index/00000001.1.hash", dir);
    assert_ok(sys_unlink(sys_posix(), path, &test_err));
    snprintf(path, sizeof path, "%s/sources/s/index/00000003.2.hash", dir);
    flip(path, 1000);
    struct check_summary sum = check(dir, &seen);
    assert_int_equal(sum.notes, 5);
    assert_int_equal(sum.repairable, 2);
    assert_int_equal(sum.damage, 0);
    struct repair_summary repaired = repair(dir, false);
    assert_int_equal(repaired.mended, 7);
    assert_int_equal(repaired.left, 0);
    sum = check(dir, &seen);
    assert_int_equal(seen.len, 0);
    assert_int_equal(sum.indexes, 6);
    assert_int_equal(sys_stat(sys_posix(), path, &stat, &test_err), STATUS_OK);
    check_store(dir, 600);
    fixture_remove(dir);
}

static void test_drop_damaged(void **state)
{
    (void)state;
    char dir[256], bad[512], ids[512], aside[512];
    struct seen seen;
    struct sys_stat stat;
    struct view view;
    fill(dir);
    snprintf(bad, sizeof bad, "%s/sources/s/data/kind=k1/00000002.parquet", dir);
    snprintf(ids, sizeof ids, "%s/sources/s/metadata/00000001.writeids", dir);
    snprintf(aside, sizeof aside, "%s/damaged/s/00000002.parquet", dir);
    flip(bad, 1000);
    flip(ids, 300);
    assert_int_equal(check(dir, &seen).damage, 2);
    struct repair_summary repaired = repair(dir, false);
    assert_int_equal(repaired.left, 2);
    assert_int_equal(check(dir, &seen).damage, 2); /* nothing was given up unasked */
    repaired = repair(dir, true);
    assert_int_equal(repaired.mended, 2);
    assert_int_equal(repaired.left, 0);
    assert_ok(sys_stat(sys_posix(), aside, &stat, &test_err));
    assert_int_equal(sys_stat(sys_posix(), bad, &stat, NULL), STATUS_NOT_FOUND);
    assert_int_equal(check(dir, &seen).damage, 0);
    struct store *store = fixture_open(sys_posix(), dir);
    struct source *source = fixture_source(store, "s");
    assert_ok(view_open(source, &view, &test_err));
    assert_int_equal(view.rows, 500); /* 100 of the flushed rows are gone, the log's are there */
    view_close(&view);
    fixture_write(source, 600, 100);
    assert_ok(source_flush(source, &test_err));
    source_unref(source);
    store_close(store, true);
    assert_int_equal(check(dir, &seen).damage, 0);
    fixture_remove(dir);
}

static void test_missing_segment(void **state)
{
    (void)state;
    char dir[256], path[512];
    struct seen seen;
    fill(dir);
    snprintf(path, sizeof path, "%s/sources/s/data/kind=k0/00000001.parquet", dir);
    assert_ok(sys_unlink(sys_posix(), path, &test_err));
    struct check_summary sum = check(dir, &seen);
    assert_int_equal(sum.damage, 1);
    assert_int_equal(seen.kinds[0], CHECK_SEGMENT);
    assert_string_equal(seen.files[0], path);
    assert_int_equal(sum.segments, 3);
    assert_int_equal(repair(dir, true).mended, 1);
    assert_int_equal(check(dir, &seen).damage, 0);
    fixture_remove(dir);
}

/* Four flushes (snapshots 1 to 4, the second tagged), joined by 5 to 7 (one a partition), indexed
 * by value too.
 */
static void fill_history(char dir[256])
{
    struct compact_policy policy = {.io_bytes_per_s = UINT64_MAX};
    struct index_info *indexes;
    struct arena arena;
    uint32_t len = 0;
    fixture_dir(dir);
    struct store *store = fixture_open(sys_posix(), dir);
    struct source *source = fixture_source(store, "s");
    for (int i = 0; i < 4; i++) {
        fixture_write(source, i * 100, 100);
        assert_ok(source_flush(source, &test_err));
    }
    assert_ok(source_tag(source, 2, STR("before"), &test_err));
    assert_ok(source_compact(source, &policy, NULL, &test_err));
    assert_ok(source_add_indexes(source, &(struct str){"value", 5}, 1, INDEX_KIND_HASH, &test_err));
    arena_init(&arena, 0);
    for (int i = 0;; i++) {
        assert_ok(source_list_indexes(source, &arena, &indexes, &len, &test_err));
        assert_int_equal(len, 3);
        assert_int_equal(indexes[2].files, 3);
        if (indexes[2].ready == 3)
            break;
        assert_true(i < 2000);
        usleep(5000);
    }
    arena_release(&arena);
    source_unref(source);
    store_close(store, false);
}

static void check_history(const char *dir, const uint64_t *ids, uint32_t len)
{
    struct snapshot_list list;
    struct store *store = fixture_open(sys_posix(), dir);
    struct source *source = fixture_source(store, "s");
    assert_ok(source_list_snapshots(source, &list, &test_err));
    assert_int_equal(list.len, len);
    for (uint32_t i = 0; i < len; i++) {
        assert_int_equal(list.items[i].id, ids[i]);
        assert_false(list.items[i].is_damaged);
        assert_int_equal(list.items[i].tags_len, ids[i] == 2 ? 1 : 0);
    }
    snapshot_list_release(&list);
    fixture_check(source, 400);
    source_unref(source);
    store_close(store, false);
}

static void test_kept_states(void **state)
{
    (void)state;
    char dir[256], bad[512], description[SYS_PATH_MAX];
    struct seen seen;
    fill_history(dir);
    struct check_summary sum = check(dir, &seen);
    assert_int_equal(sum.segments, 3 + 12);
    assert_int_equal(sum.rows, 400); /* of the current state */
    assert_int_equal(sum.indexes, 3 * 3 + 12 * 2);
    assert_int_equal(sum.notes, 12); /* the new index is not made for older states */
    assert_int_equal(sum.damage + sum.repairable, 0);
    assert_int_equal(repair(dir, false).mended, 12); /* but it can be */
    sum = check(dir, &seen);
    assert_int_equal(seen.len, 0);
    assert_int_equal(sum.indexes, 15 * 3);
    check_history(dir, (uint64_t[]){7, 6, 5, 4, 3, 2, 1}, 7);

    /* A file of the third flush: the states that need it go, the others stay. */
    snprintf(bad, sizeof bad, "%s/sources/s/data/kind=k0/00000008.parquet", dir);
    flip(bad, 1000);
    assert_int_equal(check(dir, &seen).damage, 1);
    assert_int_equal(seen.kinds[0], CHECK_SEGMENT);
    assert_string_equal(seen.files[0], bad);
    assert_int_equal(repair(dir, false).left, 1);
    assert_int_equal(repair(dir, true).left, 0);
    assert_int_equal(check(dir, &seen).damage, 0);
    check_history(dir, (uint64_t[]){8, 7, 6, 5, 2, 1}, 6);
    assert_int_equal(check(dir, &seen).damage, 0);
    assert_int_equal(seen.len, 0); /* the start has removed what nobody needs */

    /* The description of a kept state. */
    fixture_metadata(sys_posix(), dir, "s", "snap-1-", ".avro", description);
    flip(description, 1000);
    assert_int_equal(check(dir, &seen).damage, 1);
    assert_int_equal(seen.kinds[0], CHECK_HISTORY);
    assert_string_equal(seen.files[0], description);
    assert_int_equal(repair(dir, false).left, 1);
    struct repair_summary repaired = repair(dir, true);
    assert_int_equal(repaired.mended, 1);
    assert_int_equal(repaired.left, 0);
    check_history(dir, (uint64_t[]){9, 8, 7, 6, 5, 2}, 6);
    fixture_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clean),        cmocka_unit_test(test_deleted_rows),
        cmocka_unit_test(test_refuses),      cmocka_unit_test(test_every_file_kind),
        cmocka_unit_test(test_log),          cmocka_unit_test(test_repair_indexes_and_leftovers),
        cmocka_unit_test(test_drop_damaged), cmocka_unit_test(test_lost_deletes),
        cmocka_unit_test(test_from_backup),  cmocka_unit_test(test_missing_segment),
        cmocka_unit_test(test_kept_states),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

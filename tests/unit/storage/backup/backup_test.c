/* backup_test.c: hot and cold, again and again, damaged, restored: what was acknowledged is there.
 */
#include "../fixture.h"

#include "storage/backup/backup.h"
#include "storage/check/check.h"

struct places {
    char root[256], data[300], backup[300], restored[300];
};

static void make(struct places *p)
{
    fixture_dir(p->root);
    snprintf(p->data, sizeof p->data, "%s/data", p->root);
    snprintf(p->backup, sizeof p->backup, "%s/backup", p->root);
    snprintf(p->restored, sizeof p->restored, "%s/restored", p->root);
}

static void check_restored(const struct places *p, uint64_t generation, uint32_t rows)
{
    struct backup_verdict verdict;
    struct check_summary sum;
    assert_ok(backup_restore(sys_posix(), p->backup, generation, p->restored, &verdict, &test_err));
    assert_ok(store_check(sys_posix(), p->restored, NULL, NULL, &sum, &test_err));
    assert_int_equal(sum.damage + sum.repairable, 0);
    struct store *store = fixture_open(sys_posix(), p->restored);
    struct source *source = fixture_source(store, "s"); /* the same declaration */
    fixture_check(source, rows);
    struct write_result result;
    assert_ok(fixture_try_write(source, 0, 100, "first", &result));
    assert_true(result.duplicate); /* write ids come along */
    fixture_write(source, rows, 10);
    assert_ok(source_flush(source, &test_err));
    fixture_check(source, rows + 10);
    source_unref(source);
    store_close(store, true);
    fixture_remove(p->restored);
}

static void test_hot(void **state)
{
    (void)state;
    struct places p;
    struct backup_result one, two, three;
    struct write_result result;
    make(&p);
    struct store *store = fixture_open(sys_posix(), p.data);
    struct source *source = fixture_source(store, "s");
    source_unref(fixture_source(store, "empty"));
    assert_ok(fixture_try_write(source, 0, 100, "first", &result));
    assert_ok(backup_hot(store, p.backup, NULL, &one, &test_err));
    assert_int_equal(one.generation, 1);
    assert_int_equal(one.sources, 2);
    assert_int_equal(one.files, one.copied_files);
    fixture_write(source, 100, 100);
    assert_ok(backup_hot(store, p.backup, NULL, &two, &test_err));
    assert_int_equal(two.generation, 2);
    assert_true(two.files > one.files);
    assert_true(two.copied_files <=
                two.files - 3 * 3); /* old segments and sidecars are not copied */
    assert_ok(backup_hot(store, p.backup, NULL, &three, &test_err));
    assert_int_equal(three.copied_files, 0);
    source_unref(source);
    store_close(store, true);
    check_restored(&p, 1, 100);
    check_restored(&p, 2, 200);
    check_restored(&p, 0, 200);
    fixture_remove(p.root);
}

static void test_cold(void **state)
{
    (void)state;
    struct places p;
    struct backup_result done;
    struct write_result result;
    make(&p);
    struct store *store = fixture_open(sys_posix(), p.data);
    struct source *source = fixture_source(store, "s");
    assert_ok(fixture_try_write(source, 0, 100, "first", &result));
    assert_ok(source_flush(source, &test_err));
    fixture_write(source, 100, 50); /* in the log only */
    assert_int_equal(backup_cold(sys_posix(), p.data, p.backup, NULL, &done, &test_err),
                     STATUS_CONFLICT);
    source_unref(source);
    store_close(store, false);
    assert_ok(backup_cold(sys_posix(), p.data, p.backup, NULL, &done, &test_err));
    assert_int_equal(done.sources, 1);
    check_restored(&p, 0, 150);
    assert_int_equal(backup_cold(sys_posix(), p.root, p.backup, NULL, &done, &test_err),
                     STATUS_NOT_FOUND);
    fixture_remove(p.root);
}

static void filled_backup(struct places *p)
{
    struct backup_result done;
    struct write_result result;
    make(p);
    struct store *store = fixture_open(sys_posix(), p->data);
    struct source *source = fixture_source(store, "s");
    assert_ok(fixture_try_write(source, 0, 100, "first", &result));
    assert_ok(backup_hot(store, p->backup, NULL, &done, &test_err));
    source_unref(source);
    store_close(store, true);
}

struct bad {
    uint32_t len;
    char object[SYS_PATH_MAX];
};

static void take_bad(void *context, const char *path, const char *object, const char *what)
{
    struct bad *bad = context;
    (void)path;
    (void)what;
    bad->len++;
    snprintf(bad->object, sizeof bad->object, "%s", object);
}

struct objects {
    char paths[64][400];
    uint32_t len;
    const char *dir;
};

static enum status take_object(void *context, const struct sys_dir_entry *entry, struct error *err)
{
    struct objects *all = context;
    (void)err;
    assert_true(all->len < 64);
    snprintf(all->paths[all->len++], 400, "%s/%s", all->dir, entry->name);
    return STATUS_OK;
}

static void flip(const char *path, uint64_t at)
{
    struct sys_file *file;
    uint8_t byte;
    size_t n;
    assert_ok(sys_open(sys_posix(), path, SYS_READ | SYS_WRITE, &file, &test_err));
    assert_ok(sys_pread(sys_posix(), file, &byte, 1, at, &n, &test_err));
    byte ^= 4;
    assert_ok(sys_pwrite(sys_posix(), file, &byte, 1, at, &test_err));
    sys_close(sys_posix(), file);
}

/* Every object: verify and restore name it, the next backup replaces it. */
static void test_damage(void **state)
{
    (void)state;
    struct places p;
    struct objects dirs = {0}, objects = {0};
    struct backup_verdict verdict;
    struct sys_stat stat;
    char path[400], manifest[400];
    filled_backup(&p);
    snprintf(path, sizeof path, "%s/objects", p.backup);
    dirs.dir = path;
    assert_ok(sys_list_dir(sys_posix(), path, take_object, &dirs, &test_err));
    for (uint32_t i = 0; i < dirs.len; i++) {
        objects.dir = dirs.paths[i];
        assert_ok(sys_list_dir(sys_posix(), dirs.paths[i], take_object, &objects, &test_err));
    }
    assert_true(objects.len >= 10);
    for (uint32_t i = 0; i < objects.len; i++) {
        struct bad bad = {0};
        assert_ok(sys_stat(sys_posix(), objects.paths[i], &stat, &test_err));
        uint64_t middle = stat.size / 2;
        flip(objects.paths[i], middle);
        assert_ok(backup_verify(sys_posix(), p.backup, 0, take_bad, &bad, &verdict, &test_err));
        assert_int_equal(verdict.bad, 1);
        assert_int_equal(bad.len, 1);
        assert_string_equal(bad.object, objects.paths[i]);
        assert_int_equal(backup_restore(sys_posix(), p.backup, 0, p.restored, &verdict, &test_err),
                         STATUS_CORRUPT);
        assert_non_null(strstr(test_err.message, objects.paths[i]));
        assert_int_equal(sys_stat(sys_posix(), p.restored, &stat, NULL), STATUS_NOT_FOUND);
        flip(objects.paths[i], middle);
    }
    assert_ok(backup_verify(sys_posix(), p.backup, 0, NULL, NULL, &verdict, &test_err));
    assert_int_equal(verdict.bad, 0);
    snprintf(manifest, sizeof manifest, "%s/manifests/00000001.json", p.backup);
    flip(manifest, 100);
    assert_int_equal(backup_verify(sys_posix(), p.backup, 0, NULL, NULL, &verdict, &test_err),
                     STATUS_CORRUPT);
    assert_int_equal(backup_restore(sys_posix(), p.backup, 0, p.restored, &verdict, &test_err),
                     STATUS_CORRUPT);
    fixture_remove(p.root);
}

static void test_a_damaged_object_is_replaced(void **state)
{
    (void)state;
    struct places p;
    struct backup_result done;
    struct backup_verdict verdict;
    struct bad bad = {0};
    struct objects dirs = {0}, objects = {0};
    char path[400];
    filled_backup(&p);
    snprintf(path, sizeof path, "%s/objects", p.backup);
    dirs.dir = path;
    assert_ok(sys_list_dir(sys_posix(), path, take_object, &dirs, &test_err));
    for (uint32_t i = 0; i < dirs.len; i++) {
        objects.dir = dirs.paths[i];
        assert_ok(sys_list_dir(sys_posix(), dirs.paths[i], take_object, &objects, &test_err));
    }
    flip(objects.paths[0], 0);
    assert_ok(sys_unlink(sys_posix(), objects.paths[1], &test_err));
    assert_ok(backup_verify(sys_posix(), p.backup, 0, take_bad, &bad, &verdict, &test_err));
    assert_int_equal(bad.len, 2);
    struct store *store = fixture_open(sys_posix(), p.data);
    assert_ok(backup_hot(store, p.backup, NULL, &done, &test_err));
    store_close(store, true);
    assert_int_equal(done.copied_files, 2);
    assert_ok(backup_verify(sys_posix(), p.backup, 1, NULL, NULL, &verdict, &test_err));
    assert_int_equal(verdict.bad, 0); /* the older generation is whole again, too */
    fixture_remove(p.root);
}

static void test_refuses(void **state)
{
    (void)state;
    struct places p;
    struct backup_result done;
    struct backup_verdict verdict;
    filled_backup(&p);
    assert_int_equal(backup_restore(sys_posix(), p.backup, 0, p.data, &verdict, &test_err),
                     STATUS_CONFLICT); /* not empty */
    assert_int_equal(backup_restore(sys_posix(), p.backup, 9, p.restored, &verdict, &test_err),
                     STATUS_NOT_FOUND);
    assert_int_equal(backup_restore(sys_posix(), p.data, 0, p.restored, &verdict, &test_err),
                     STATUS_NOT_FOUND);
    assert_int_equal(backup_cold(sys_posix(), p.data, p.data, NULL, &done, &test_err),
                     STATUS_CONFLICT); /* neither empty nor a backup */
    assert_ok(sys_mkdirs(sys_posix(), p.restored, &test_err));
    struct store *store = fixture_open(sys_posix(), p.data);
    struct backup_progress progress = {.cancel = true};
    assert_int_equal(backup_hot(store, p.backup, &progress, &done, &test_err), STATUS_CANCELLED);
    store_close(store, true);
    check_restored(&p, 0, 100); /* into an empty folder is fine */
    fixture_remove(p.root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hot),     cmocka_unit_test(test_cold),
        cmocka_unit_test(test_damage),  cmocka_unit_test(test_a_damaged_object_is_replaced),
        cmocka_unit_test(test_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

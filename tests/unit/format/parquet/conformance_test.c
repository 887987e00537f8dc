/* conformance_test.c: every file of the conformance set (apache/parquet-testing) opens and gives
 * all of its rows, or is refused for the reason stated in the table. A file that is not in the
 * table must open, and every column of it must be read. The files of bad_data are refused.
 *
 * With QUARRY_EXPORT_DIR the rows are written there as <file>.ndjson, for
 * tests/system/test_parquet_foreign.py, which compares them with DuckDB's; QUARRY_PARQUET_DIR names
 * a further folder of files that must all be read. */
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "format/parquet/parquet.h"

static const struct expectation {
    const char *file;
    uint64_t rows;     /* 0: not checked */
    const char *fails; /* part of the first message; NULL: everything is read */
} table[] = {
    {"datapage_v1-corrupt-checksum.parquet", 5120, "does not match its checksum"},
    {"rle-dict-uncompressed-corrupt-checksum.parquet", 1000, "does not match its checksum"},
    {"large_string_map.brotli.parquet", 2, "codec BROTLI"},
    /* bytes without annotation are text or nothing */
    {"binary_truncated_min_max.parquet", 12, "a value is not UTF-8"},
    /* Spark let the last timestamp's day wrap around 32 bits */
    {"int96_from_spark.parquet", 6, "beyond the range of timestamp"},
    {"uniform_encryption.parquet.encrypted", 0, "encrypted"},
    {"encrypt_columns_and_footer.parquet.encrypted", 0, "encrypted"},
    {"encrypt_columns_and_footer_aad.parquet.encrypted", 0, "encrypted"},
    {"encrypt_columns_and_footer_bloom_filter.parquet.encrypted", 0, "encrypted"},
    {"encrypt_columns_and_footer_ctr.parquet.encrypted", 0, "encrypted"},
    {"encrypt_columns_and_footer_disable_aad_storage.parquet.encrypted", 0, "encrypted"},
    {"encrypt_columns_plaintext_footer.parquet.encrypted", 0, "encrypted"},
    {"external_key_material_java.parquet.encrypted", 0, "encrypted"},
    {"alltypes_plain.parquet", 8, NULL},
    {"alltypes_tiny_pages.parquet", 7300, NULL},
    {"binary.parquet", 12, NULL},
    {"byte_stream_split_extended.gzip.parquet", 200, NULL},
    {"delta_binary_packed.parquet", 200, NULL},
    {"delta_byte_array.parquet", 1000, NULL},
    {"hadoop_lz4_compressed_larger.parquet", 10000, NULL},
    {"nation.dict-malformed.parquet", 25, NULL},
    {"nested_maps.snappy.parquet", 6, NULL},
    {"nullable.impala.parquet", 7, NULL},
    {"overflow_i16_page_cnt.parquet", 40000, NULL},
    /* Codes of width 0 for a dictionary of one value: legal, though one reader crashed on it. */
    {"ARROW-GH-43605.parquet", 21186, "opens"},
};

static const struct expectation *find(const char *file)
{
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (strcmp(table[i].file, file) == 0)
            return &table[i];
    return NULL;
}

static struct slice map_file(const char *path)
{
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return (struct slice){NULL, 0};
    assert_int_equal(fstat(fd, &info), 0);
    /* A copy of the exact size, so that ASan sees a read beyond it. */
    char *bytes = malloc((size_t)info.st_size + 1);
    bytes = realloc(bytes, (size_t)info.st_size);
    assert_int_equal(read(fd, bytes, (size_t)info.st_size), info.st_size);
    (void)close(fd);
    return (struct slice){bytes, (size_t)info.st_size};
}

static enum status read_all(struct parquet_reader *reader, uint32_t c, enum type type,
                            struct column *column, struct error *err)
{
    column_init(column, type);
    TRY(parquet_reader_column_check(reader, c, err));
    for (uint32_t g = 0; g < parquet_reader_row_groups(reader); g++) {
        uint64_t rows = parquet_row_group_rows(reader, g), half = rows / 3;
        TRY(parquet_read_column(reader, g, c, 0, half, column, err));
        TRY(parquet_read_column(reader, g, c, half, rows - half, column, err));
    }
    return STATUS_OK;
}

/* A few rows by number give the same as all rows in a run. */
static void check_points(struct parquet_reader *reader, uint32_t c, const struct column *all)
{
    struct column some;
    uint64_t rows[4] = {0, all->rows / 3, all->rows / 2, all->rows ? all->rows - 1 : 0};
    if (all->rows == 0)
        return;
    column_init(&some, all->type);
    assert_int_equal(parquet_read_rows(reader, c, rows, 4, &some, NULL), 0);
    for (uint32_t i = 0; i < 4; i++) {
        struct value a = value_of_column(&some, i), b = value_of_column(all, (uint32_t)rows[i]);
        assert_int_equal(a.is_null, b.is_null);
        assert_true(a.is_null || value_compare(&a, &b) == 0);
    }
    column_release(&some);
}

static void export_rows(const char *name, const struct field *fields, const struct column *columns,
                        uint32_t len, uint64_t rows)
{
    const char *folder = getenv("QUARRY_EXPORT_DIR");
    if (!folder)
        return;
    char path[600];
    struct buf buf;
    struct json_writer w;
    buf_init(&buf, (size_t)1 << 30);
    for (uint32_t row = 0; row < rows; row++) {
        json_writer_init(&w, &buf);
        json_begin_object(&w);
        for (uint32_t c = 0; c < len; c++) {
            json_key(&w, fields[c].name);
            column_write_json(&w, &columns[c], row);
        }
        json_end_object(&w);
        buf_append_char(&buf, '\n');
    }
    assert_int_equal(buf_check(&buf, "rows", NULL), 0);
    (void)snprintf(path, sizeof path, "%s/%s.ndjson", folder, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_true(buf.len == 0 || fwrite(buf.data, 1, buf.len, file) == buf.len);
    assert_int_equal(fclose(file), 0);
    buf_release(&buf);
}

static enum status read_file(const char *name, struct slice bytes, uint64_t *ret_rows,
                             struct error *err)
{
    struct parquet_reader *reader;
    TRY(parquet_reader_open(bytes, &reader, err));
    uint32_t len;
    const struct field *fields = parquet_reader_fields(reader, &len);
    struct column *columns = calloc(len + 1, sizeof *columns);
    enum status status = STATUS_OK;
    *ret_rows = parquet_reader_rows(reader);
    for (uint32_t c = 0; c < len; c++) {
        struct error *first = status == STATUS_OK ? err : NULL;
        enum status one = read_all(reader, c, fields[c].type, &columns[c], first);
        if (one == STATUS_OK) {
            assert_int_equal(columns[c].rows, *ret_rows);
            check_points(reader, c, &columns[c]);
        } else if (status == STATUS_OK) {
            status = one;
        }
    }
    if (status == STATUS_OK)
        export_rows(name, fields, columns, len, *ret_rows);
    for (uint32_t c = 0; c < len; c++)
        column_release(&columns[c]);
    free(columns);
    parquet_reader_free(reader);
    return status;
}

/* Runs all files of a folder; the number of them, 0 when it is not there. */
static uint32_t run_folder(const char *path, bool bad)
{
    uint32_t count = 0, wrong = 0;
    DIR *dir = opendir(path);
    if (!dir)
        return 0;
    for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
        char file[900];
        if (!strstr(entry->d_name, ".parquet") || strstr(entry->d_name, ".json"))
            continue;
        (void)snprintf(file, sizeof file, "%s/%s", path, entry->d_name);
        struct slice bytes = map_file(file);
        struct error err = ERROR_INIT;
        uint64_t rows = 0;
        enum status status = read_file(entry->d_name, bytes, &rows, &err);
        const struct expectation *expected = find(entry->d_name);
        const char *fails = expected ? expected->fails : NULL;
        bool opens = bad && fails && strcmp(fails, "opens") == 0;
        bool good = opens   ? status == STATUS_OK
                    : fails ? status != STATUS_OK && strstr(err.message, fails)
                            : (status == STATUS_OK) != bad;
        if (expected && expected->rows && expected->rows != rows)
            good = false;
        if (!good) {
            print_error("%s: %s, %llu rows: %s (%s)\n", entry->d_name, status_info(status)->name,
                        (unsigned long long)rows, err.message, err.cause);
            wrong++;
        }
        count++;
        free((void *)(uintptr_t)bytes.data);
    }
    (void)closedir(dir);
    assert_int_equal(wrong, 0);
    return count;
}

static uint32_t run_shared(const char *folder, bool bad)
{
    const char *shared = getenv("QUARRY_SHARED");
    char path[600];
    (void)snprintf(path, sizeof path, "%s/conformance/parquet/%s", shared ? shared : "../shared",
                   folder);
    return run_folder(path, bad);
}

/* Files that somebody else has made for this run. */
static void test_given(void **state)
{
    (void)state;
    const char *folder = getenv("QUARRY_PARQUET_DIR");
    if (!folder) /* nothing given */
        return;
    assert_true(run_folder(folder, false) > 0);
}

static void test_data(void **state)
{
    (void)state;
    uint32_t files = run_shared("data", false);
    if (files == 0)
        skip(); /* the shared data is not there */
    assert_true(files > 60);
    assert_true(run_shared("data/geospatial", false) > 0);
    assert_true(run_shared("data/aes256", false) > 0);
}

static void test_bad_data(void **state)
{
    (void)state;
    if (run_shared("bad_data", true) == 0)
        skip();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_data),
        cmocka_unit_test(test_bad_data),
        cmocka_unit_test(test_given),
    };
    return cmocka_run_group_tests_name("parquet conformance", tests, NULL, NULL);
}

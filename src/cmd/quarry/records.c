/* records.c: see records.h.
 *
 * Text formats: input -> window (grows up to one record's bound) -> splitter -> converter -> body.
 * Every record becomes one line of NDJSON, except for CSV, whose rows are sent as they are behind
 * the header line. */
#include "cmd/quarry/records.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "cmd/quarry/input.h"
#include "cmd/quarry/records_int.h"
#include "cmd/quarry/split.h"
#include "format/deb/contents.h"
#include "format/deb/packages.h"

enum { WINDOW_STEP = 1 << 20 };

struct record_source {
    struct record_options options;
    struct parquet_source *parquet; /* else NULL */
    struct input *input;
    struct splitter splitter;
    struct buf window; /* unread text begins at window_at */
    size_t window_at;
    bool input_ended, ended;
    struct buf header; /* CSV */
    uint64_t batches;
};

static const char *const NAMES[] = {"ndjson",  "json",         "csv",
                                    "parquet", "apt-contents", "apt-packages"};

bool record_format_parse(const char *name, enum record_format *ret)
{
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        if (strcmp(name, NAMES[i]) == 0) {
            *ret = (enum record_format)i;
            return true;
        }
    }
    return false;
}

const char *record_format_name(enum record_format format)
{
    return NAMES[format];
}

static struct str without_packing(struct str name)
{
    static const char *const suffixes[] = {".gz", ".zst", ".lz4", ".xz"};
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++)
        if (str_ends(name, str_of(suffixes[i])))
            name.len -= strlen(suffixes[i]);
    return name;
}

static enum status first_byte(const char *path, char *ret, struct error *err)
{
    struct input *input;
    char text[256];
    size_t len;
    *ret = 0;
    TRY(input_open(path, 0, &input, err));
    enum status status = input_read(input, text, sizeof text, &len, err);
    for (size_t i = 0; status == STATUS_OK && i < len && !*ret; i++)
        if (!strchr(" \t\r\n", text[i]))
            *ret = text[i];
    input_close(input);
    return status;
}

enum status record_format_guess(const char *path, enum record_format *ret, struct error *err)
{
    const char *slash = strrchr(path, '/');
    struct str name = without_packing(str_of(slash ? slash + 1 : path));
    char byte;
    if (str_ends(name, STR(".ndjson")) || str_ends(name, STR(".jsonl"))) {
        *ret = RECORD_NDJSON;
    } else if (str_ends(name, STR(".json"))) {
        TRY(first_byte(path, &byte, err));
        *ret = byte == '[' ? RECORD_JSON : RECORD_NDJSON;
    } else if (str_ends(name, STR(".csv"))) {
        *ret = RECORD_CSV;
    } else if (str_ends(name, STR(".parquet"))) {
        *ret = RECORD_PARQUET;
    } else if (deb_contents_architecture(name).data) {
        *ret = RECORD_APT_CONTENTS;
    } else if (str_ends(name, STR("Packages"))) {
        *ret = RECORD_APT_PACKAGES;
    } else {
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "the name of %s does not tell its format; use --format", path);
    }
    return STATUS_OK;
}

struct record_batch *record_batch_new(uint64_t number, const char *content_type)
{
    struct record_batch *batch = calloc(1, sizeof *batch);
    if (!batch)
        return NULL;
    buf_init(&batch->body, BATCH_BODY_MAX);
    batch->number = number;
    batch->content_type = content_type;
    return batch;
}

bool record_batch_add(struct record_batch *batch, int64_t line)
{
    if (batch->records == batch->lines_cap) {
        uint32_t cap = batch->lines_cap ? batch->lines_cap * 2 : 1024;
        int64_t *lines = realloc(batch->lines, cap * sizeof *lines);
        if (!lines)
            return false;
        batch->lines = lines;
        batch->lines_cap = cap;
    }
    batch->lines[batch->records++] = line;
    return true;
}

void record_batch_free(struct record_batch *batch)
{
    if (!batch)
        return;
    buf_release(&batch->body);
    free(batch->lines);
    free(batch);
}

static enum split_kind split_kind_of(enum record_format format)
{
    switch (format) {
    case RECORD_JSON:
        return SPLIT_ARRAY;
    case RECORD_CSV:
        return SPLIT_CSV;
    case RECORD_APT_PACKAGES:
        return SPLIT_PARAGRAPHS;
    default:
        return SPLIT_LINES;
    }
}

static bool is_apt(enum record_format format)
{
    return format == RECORD_APT_CONTENTS || format == RECORD_APT_PACKAGES;
}

enum status record_source_open(const struct record_options *options, struct record_source **ret,
                               struct error *err)
{
    struct record_source *source = calloc(1, sizeof *source);
    if (!source)
        return error_no_memory(err);
    source->options = *options;
    if (!options->architecture.data && options->format == RECORD_APT_CONTENTS)
        source->options.architecture = deb_contents_architecture(str_of(options->path));
    buf_init(&source->window, RECORD_BYTES_MAX + 2 * WINDOW_STEP);
    buf_init(&source->header, RECORD_BYTES_MAX);
    split_init(&source->splitter, split_kind_of(options->format));
    enum status status = options->format == RECORD_PARQUET
                             ? parquet_source_open(options, &source->parquet, err)
                             : input_open(options->path, is_apt(options->format) ? INPUT_APT : 0,
                                          &source->input, err);
    if (status != STATUS_OK) {
        record_source_close(source);
        return status;
    }
    *ret = source;
    return STATUS_OK;
}

/* More text behind the unread part of the window. */
static enum status grow_window(struct record_source *source, struct error *err)
{
    struct buf *window = &source->window;
    size_t left = window->len - source->window_at, got;
    if (source->window_at && window->data) {
        memmove(window->data, window->data + source->window_at, left);
        window->len = left;
        source->window_at = 0;
    }
    if (left > RECORD_BYTES_MAX) {
        enum status status = error_set(err, STATUS_RESOURCE_LIMIT, "a record is longer than %d MiB",
                                       RECORD_BYTES_MAX >> 20);
        if (err)
            err->line = source->splitter.line;
        return status;
    }
    if (!buf_reserve(window, WINDOW_STEP))
        return buf_check(window, "the window", err);
    TRY(input_read(source->input, window->data + window->len, WINDOW_STEP, &got, err));
    window->len += got;
    source->input_ended = got == 0;
    return STATUS_OK;
}

/* data NULL in *ret_record at the end. The record is valid until the next call. */
static enum status next_record(struct record_source *source, struct str *ret_record,
                               int64_t *ret_line, struct error *err)
{
    for (;;) {
        size_t used = 0;
        struct str window = str_make(source->window.data + source->window_at,
                                     source->window.len - source->window_at);
        if (!source->window.data) {
            TRY(grow_window(source, err));
            continue;
        }
        switch (split_next(&source->splitter, window, source->input_ended, ret_record, ret_line,
                           &used, err)) {
        case SPLIT_RECORD:
            source->window_at += used;
            return STATUS_OK;
        case SPLIT_MORE:
            TRY(grow_window(source, err));
            break;
        case SPLIT_END:
            *ret_record = STR_NONE;
            return STATUS_OK;
        case SPLIT_BAD:
            return err ? err->status : STATUS_INVALID_JSON;
        }
    }
}

/* NDJSON lines hold no line break; between the tokens of JSON any other blank is as good. */
static void append_json(struct buf *body, struct str record)
{
    size_t at = body->len;
    buf_append_str(body, record);
    buf_append_char(body, '\n');
    if (buf_failed(body))
        return;
    for (size_t i = at; i + 1 < body->len; i++)
        if (body->data[i] == '\n' || body->data[i] == '\r')
            body->data[i] = ' ';
}

static enum status convert(struct record_source *source, struct record_batch *batch,
                           struct str record, uint32_t *ret_records, struct error *err)
{
    *ret_records = 1;
    switch (source->options.format) {
    case RECORD_APT_CONTENTS:
        return deb_contents_line(record, source->options.architecture, &batch->body, ret_records,
                                 err);
    case RECORD_APT_PACKAGES:
        return deb_package_record(record, &batch->body, err);
    case RECORD_JSON:
        append_json(&batch->body, record);
        break;
    default:
        buf_append_str(&batch->body, record);
        buf_append_char(&batch->body, '\n');
    }
    return buf_check(&batch->body, "the batch", err);
}

static enum status add_record(struct record_source *source, struct record_batch *batch,
                              struct str record, int64_t line, struct error *err)
{
    uint32_t records;
    enum status status = convert(source, batch, record, &records, err);
    if (status != STATUS_OK) {
        if (err)
            err->line = line + (err->line > 0 ? err->line - 1 : 0);
        return status;
    }
    for (uint32_t i = 0; i < records; i++)
        if (!record_batch_add(batch, line))
            return error_no_memory(err);
    return STATUS_OK;
}

/* The CSV header is taken once and put before the rows of every batch. */
static enum status begin_csv(struct record_source *source, struct record_batch *batch,
                             struct error *err)
{
    struct str record;
    int64_t line;
    if (source->options.format != RECORD_CSV)
        return STATUS_OK;
    if (!source->header.len) {
        TRY(next_record(source, &record, &line, err));
        if (!record.data)
            return STATUS_OK;
        buf_append_str(&source->header, record);
        buf_append_char(&source->header, '\n');
    }
    buf_append_str(&batch->body, buf_str(&source->header));
    return buf_check(&batch->body, "the batch", err);
}

static enum status fill_batch(struct record_source *source, struct record_batch *batch,
                              struct error *err)
{
    struct str record;
    int64_t line;
    if (source->parquet)
        return parquet_source_next(source->parquet, batch, &source->options, err);
    TRY(begin_csv(source, batch, err));
    while (batch->records < source->options.records_max &&
           batch->body.len < source->options.bytes_max) {
        TRY(next_record(source, &record, &line, err));
        if (!record.data) {
            source->ended = true;
            break;
        }
        TRY(add_record(source, batch, record, line, err));
    }
    return STATUS_OK;
}

enum status record_source_next(struct record_source *source, struct record_batch **ret_batch,
                               struct error *err)
{
    *ret_batch = NULL;
    if (source->ended)
        return STATUS_OK;
    bool csv = source->options.format == RECORD_CSV;
    struct record_batch *batch =
        record_batch_new(source->batches, csv ? "text/csv" : "application/x-ndjson");
    if (!batch)
        return error_no_memory(err);
    enum status status = fill_batch(source, batch, err);
    if (status != STATUS_OK || !batch->records) {
        source->ended = true;
        record_batch_free(batch);
        return status;
    }
    source->batches++;
    *ret_batch = batch;
    return STATUS_OK;
}

void record_source_progress(const struct record_source *source, uint64_t *ret_done,
                            uint64_t *ret_total)
{
    if (source->parquet)
        parquet_source_progress(source->parquet, ret_done, ret_total);
    else
        input_progress(source->input, ret_done, ret_total);
}

void record_source_close(struct record_source *source)
{
    if (!source)
        return;
    parquet_source_close(source->parquet);
    input_close(source->input);
    buf_release(&source->window);
    buf_release(&source->header);
    free(source);
}

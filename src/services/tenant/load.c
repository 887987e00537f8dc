/* load.c: POST /data/load: a file of any size, stored in batches while it arrives.
 *
 * The text is cut into batches at record boundaries by a rule that depends on the bytes alone (the
 * last boundary within LOAD_BATCH_BYTES), so the same file gives the same batches again. With a
 * load_id each batch is stored under the write id "load:<load_id>:<number>": a load that was
 * interrupted is sent once more and goes on where it ended, without duplicates. Memory: one batch.
 */
#include <stdio.h>
#include <stdlib.h>

#include "format/codec/codec.h"
#include "format/records/record_builder.h"
#include "services/tenant/load_int.h"
#include "services/tenant/matview.h"

enum { READ_PIECE = 1 << 18, LOAD_ID_MAX = 120 };

/* --- bytes --- */

static enum status open_codec(struct loader *l, struct error *err)
{
    struct str encoding = str_trim(http_request_header(l->request->http, "Content-Encoding"));
    bool gzip = str_eq_nocase(encoding, STR("gzip")) || str_eq_nocase(encoding, STR("x-gzip"));
    if (encoding.len == 0 || str_eq_nocase(encoding, STR("identity")))
        return STATUS_OK;
    if (!gzip && !str_eq_nocase(encoding, STR("zstd")))
        return error_set(err, STATUS_UNSUPPORTED_MEDIA,
                         "this Content-Encoding is not read here: send gzip, zstd or none");
    l->packed = true;
    return codec_stream_init(&l->codec, gzip ? CODEC_GZIP : CODEC_ZSTD, UINT64_MAX / 2, err);
}

/* Broken packing is the sender's fault here, not the disk's. */
static enum status as_bad_input(enum status status, struct error *err)
{
    if (status != STATUS_CORRUPT)
        return status;
    struct error cause = err ? *err : ERROR_INIT;
    return error_set(err, STATUS_INVALID_ARGUMENT, "%s (Content-Encoding)", cause.message);
}

static enum status unpack(struct loader *l, struct slice in, struct error *err)
{
    size_t n;
    do {
        if (!buf_reserve(&l->pending, READ_PIECE))
            return buf_check(&l->pending, "a record", err);
        TRY(as_bad_input(codec_stream_feed(&l->codec, &in, l->pending.data + l->pending.len,
                                           READ_PIECE, &n, err),
                         err));
        l->pending.len += n;
    } while (in.len || n == READ_PIECE);
    return STATUS_OK;
}

static enum status read_piece(struct loader *l, struct error *err)
{
    size_t n;
    if (!l->packed) {
        if (!buf_reserve(&l->pending, READ_PIECE))
            return buf_check(&l->pending, "a record", err);
        TRY(http_read(l->request->http, l->pending.data + l->pending.len, READ_PIECE, &n, err));
        l->pending.len += n;
    } else {
        TRY(http_read(l->request->http, l->piece, READ_PIECE, &n, err));
        TRY(unpack(l, (struct slice){l->piece, n}, err));
        if (n == 0)
            TRY(as_bad_input(codec_stream_finish(&l->codec, err), err));
    }
    l->ended = n == 0;
    return STATUS_OK;
}

enum status loader_fill(struct loader *l, size_t want, struct error *err)
{
    while (!l->ended && l->pending.len < want)
        TRY(read_piece(l, err));
    return STATUS_OK;
}

static void drop_front(struct loader *l, size_t len)
{
    memmove(l->pending.data, l->pending.data + len, l->pending.len - len);
    l->pending.len -= len;
}

/* --- where to cut; 0: no boundary in these bytes --- */

static size_t cut_lines(struct str text)
{
    const char *last = text.len ? memrchr(text.data, '\n', text.len) : NULL;
    return last ? (size_t)(last - text.data) + 1 : 0;
}

static size_t cut_csv(struct str text)
{
    size_t cut = 0;
    bool quoted = false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '"')
            quoted = !quoted;
        else if (text.data[i] == '\n' && !quoted)
            cut = i + 1;
    }
    return cut;
}

/* Behind the last whole object of an array's items. */
static size_t cut_items(struct str text, bool started)
{
    size_t cut = 0;
    int depth = started ? 1 : 0;
    char c;
    for (size_t at = 0; json_next_outside(text, &at, &c);) {
        if (c == '{' || c == '[')
            depth++;
        else if ((c == '}' || c == ']') && --depth == 1)
            cut = at;
    }
    return cut;
}

static size_t find_cut(const struct loader *l, struct str text)
{
    if (l->form == FORM_CSV)
        return cut_csv(text);
    return l->form == FORM_JSON ? cut_items(text, l->started) : cut_lines(text);
}

/* The next batch's text: the front of `pending`. Length 0 at the end. */
static enum status next_text(struct loader *l, struct str *ret, struct error *err)
{
    size_t want = LOAD_BATCH_BYTES;
    for (;;) {
        TRY(loader_fill(l, want, err));
        size_t len = l->pending.len < want ? l->pending.len : want;
        size_t cut = find_cut(l, str_make(l->pending.data, len));
        if (l->ended && l->pending.len <= want)
            cut = l->pending.len;
        if (cut || l->ended) {
            *ret = str_make(l->pending.data, cut);
            return STATUS_OK;
        }
        if (want >= LOAD_RECORD_MAX)
            return error_set(err, STATUS_TOO_LARGE, "a record is longer than %d bytes",
                             LOAD_RECORD_MAX);
        want *= 2;
    }
}

/* --- batches --- */

static enum status read_items(struct loader *l, struct record_builder *builder, struct str text,
                              struct error *err)
{
    struct json_scan scan = json_scan_of(text);
    if (!l->started)
        TRY(json_scan_expect(&scan, '[', err));
    bool first = !l->started;
    l->started = true;
    while (!l->closed && (json_scan_peek(&scan), scan.at < scan.end)) {
        if (*scan.at == ']') {
            scan.at++;
            l->closed = true;
            break;
        }
        if (!first)
            TRY(json_scan_expect(&scan, ',', err));
        first = false;
        TRY(record_builder_object(builder, &scan, err));
    }
    if (l->closed)
        return json_scan_end(&scan, err);
    return l->ended && text.len == l->pending.len ? json_scan_fail(&scan, err, "',' or ']'")
                                                  : STATUS_OK;
}

/* The header line goes before every batch but the first, which has it. */
static enum status read_csv(struct loader *l, struct record_builder *builder, struct str text,
                            struct error *err)
{
    if (l->batches == 0) {
        const char *newline = memchr(text.data, '\n', text.len);
        buf_append(&l->header, text.data, newline ? (size_t)(newline - text.data) + 1 : text.len);
        TRY(buf_check(&l->header, "the header line", err));
        return record_builder_csv(builder, text, err);
    }
    struct buf joined;
    buf_init(&joined, (size_t)LOAD_RECORD_MAX * 2);
    buf_append_str(&joined, buf_str(&l->header));
    buf_append_str(&joined, text);
    enum status status = buf_check(&joined, "a batch", err);
    if (status == STATUS_OK)
        status = record_builder_csv(builder, buf_str(&joined), err);
    if (status != STATUS_OK && err && err->line > 1)
        err->line--;
    buf_release(&joined);
    return status;
}

static enum status read_text(struct loader *l, struct record_builder *builder, struct str text,
                             struct error *err)
{
    if (l->form == FORM_CSV)
        return read_csv(l, builder, text, err);
    if (l->form == FORM_JSON)
        return read_items(l, builder, text, err);
    return record_builder_ndjson(builder, text, err);
}

struct str loader_write_id(struct loader *l)
{
    if (!l->load_id.data)
        return STR_NONE;
    int n = snprintf(l->write_id, sizeof l->write_id, "load:%.*s:%llu", STR_ARG(l->load_id),
                     (unsigned long long)l->batches);
    return str_make(l->write_id, (size_t)n);
}

void loader_count(struct loader *l, const struct write_result *result)
{
    l->batches++;
    l->rows += result->rows;
    if (result->duplicate)
        l->rows_before += result->rows;
}

static int64_t count_lines(struct str text)
{
    int64_t lines = 0;
    for (size_t i = 0; i < text.len; i++)
        lines += text.data[i] == '\n';
    return lines;
}

/* "... <word> <number> ..." counts from the batch: makes it count from the file. */
static void shift_number(char message[ERROR_MESSAGE_MAX], const char *word, int64_t by)
{
    char rest[ERROR_MESSAGE_MAX];
    char *at = strstr(message, word), *end;
    if (!at)
        return;
    at += strlen(word);
    long long number = strtoll(at, &end, 10);
    if (end == at)
        return;
    memcpy(rest, end, strlen(end) + 1);
    snprintf(at, ERROR_MESSAGE_MAX - (size_t)(at - message), "%lld%s", number + (long long)by,
             rest);
}

static void place_in_file(const struct loader *l, struct error *err)
{
    if (err->line > 0)
        err->line += l->lines;
    if (err->offset >= 0)
        err->offset += (int64_t)l->bytes;
    if (err->record >= 0)
        err->record += (int64_t)(l->rows + l->quarantine.total);
    if (l->batches == 0)
        return;
    if (err->status == STATUS_SCHEMA)
        shift_number(err->message, "record ", (int64_t)(l->rows + l->quarantine.total));
    if (err->status == STATUS_INVALID_JSON)
        shift_number(err->message, " at byte ", (int64_t)l->bytes);
    if (err->status == STATUS_INVALID_CSV)
        shift_number(err->message, "line ", l->lines - 1); /* the header stood before them */
}

static enum status store_once(struct loader *l, struct str text, struct error *err)
{
    struct record_builder *builder;
    struct write_result result;
    TRY(tenant_builder(l->source, &builder, err));
    quarantine_begin(&l->quarantine, builder, loader_write_id(l));
    enum status status = read_text(l, builder, text, err);
    if (status != STATUS_OK || record_builder_rows(builder) + l->quarantine.bad == 0) {
        record_builder_free(builder);
        if (status != STATUS_OK && err)
            place_in_file(l, err);
        return status;
    }
    TRY(tenant_store(&l->quarantine, builder, l->upsert, &result, err));
    quarantine_count(&l->quarantine);
    loader_count(l, &result);
    return STATUS_OK;
}

/* Once more when the source's columns were changed meanwhile. */
static enum status store_text(struct loader *l, struct str text, struct error *err)
{
    bool started = l->started, closed = l->closed;
    size_t header = l->header.len;
    enum status status = STATUS_SCHEMA_CHANGED;
    TRY(quota_check_bytes(l->node, err));
    for (int i = 0; i < TENANT_SCHEMA_TRIES && status == STATUS_SCHEMA_CHANGED; i++) {
        l->started = started;
        l->closed = closed;
        l->header.len = header;
        l->quarantine.records_before = (int64_t)(l->rows + l->quarantine.total);
        l->quarantine.lines_before = l->lines - (l->form == FORM_CSV && l->batches > 0);
        status = store_once(l, text, err);
    }
    return status;
}

static enum status load_text(struct loader *l, struct error *err)
{
    for (;;) {
        struct str text = STR_NONE;
        TRY(next_text(l, &text, err));
        if (text.len == 0)
            break;
        TRY(store_text(l, text, err));
        l->lines += count_lines(text);
        l->bytes += text.len;
        drop_front(l, text.len);
    }
    if (l->form == FORM_JSON && !l->closed)
        return error_set(err, STATUS_INVALID_JSON, "the array does not end");
    return STATUS_OK;
}

/* --- the request --- */

static enum status decode(struct loader *l, struct error *err)
{
    static const struct {
        const char *name;
        enum body_form form;
    } forms[] = {
        {"ndjson", FORM_NDJSON}, {"json", FORM_JSON}, {"csv", FORM_CSV}, {"parquet", FORM_PARQUET}};
    struct str format = request_str(l->request, "format");
    l->upsert = str_is(request_str(l->request, "mode"), "upsert");
    l->load_id = request_str(l->request, "load_id");
    if (l->load_id.data && (l->load_id.len == 0 || l->load_id.len > LOAD_ID_MAX))
        return error_set(err, STATUS_INVALID_ARGUMENT, "a load_id has 1 to %d bytes", LOAD_ID_MAX);
    if (!format.data)
        TRY(tenant_body_form(l->request, &l->form, err));
    for (size_t i = 0; format.data && i < sizeof forms / sizeof *forms; i++)
        if (str_is(format, forms[i].name))
            l->form = forms[i].form;
    l->piece = malloc(READ_PIECE);
    if (!l->piece)
        return error_no_memory(err);
    return open_codec(l, err);
}

/* {"a":1}\n{"a":2} sent as application/json is taken as NDJSON. */
static enum status look_at_form(struct loader *l, struct error *err)
{
    TRY(loader_fill(l, 1, err));
    while (l->form == FORM_JSON && l->pending.len && strchr(" \t\r\n", l->pending.data[0]) &&
           l->pending.data[0]) {
        l->lines += l->pending.data[0] == '\n';
        l->bytes++;
        drop_front(l, 1);
        TRY(loader_fill(l, 1, err));
    }
    if (l->form == FORM_JSON && l->pending.len && l->pending.data[0] == '{')
        l->form = FORM_NDJSON;
    return STATUS_OK;
}

static enum status run(struct loader *l, struct error *err)
{
    TRY(decode(l, err));
    TRY(matview_check_writable(l->node, request_str(l->request, "source_id"), err));
    TRY(store_get_source(l->node->store, request_str(l->request, "source_id"), &l->source, err));
    if (l->form == FORM_PARQUET)
        return load_parquet(l, err);
    TRY(quarantine_init(&l->quarantine, l->request, l->source));
    l->quarantine.shown_id = STR("load");
    TRY(look_at_form(l, err));
    return load_text(l, err);
}

static enum status answer_load(struct loader *l, struct error *err)
{
    struct answer answer;
    answer_init(&answer, l->request, STR("application/json"));
    json_begin_object(&answer.w);
    json_kv_bool(&answer.w, "success", true);
    json_kv_str(&answer.w, "load_id", l->load_id);
    json_kv_int(&answer.w, "rows_loaded", (int64_t)l->rows);
    json_kv_int(&answer.w, "rows_stored_before", (int64_t)l->rows_before);
    json_kv_int(&answer.w, "batches", (int64_t)l->batches);
    quarantine_write(&l->quarantine, &answer.w);
    json_kv_null(&answer.w, "error_message");
    json_end_object(&answer.w);
    enum status status = answer_end(&answer, err);
    answer_release(&answer);
    return status;
}

enum status handle_load(struct request *request)
{
    struct loader l = {.node = request->context, .request = request};
    struct error *err = &request->error;
    buf_init(&l.pending, (size_t)LOAD_RECORD_MAX * 2);
    buf_init(&l.header, 1 << 20);
    enum status status = run(&l, err);
    if (status == STATUS_OK)
        status = answer_load(&l, err);
    else if (l.batches && status != STATUS_CANCELLED)
        error_wrap(err, "%.300s (after %llu rows in %llu batches were stored)", err->message,
                   (unsigned long long)l.rows, (unsigned long long)l.batches);
    if (l.packed)
        codec_stream_release(&l.codec);
    quarantine_release(&l.quarantine);
    if (l.source)
        source_unref(l.source);
    buf_release(&l.pending);
    buf_release(&l.header);
    free(l.piece);
    return status;
}

/* body.c: what came in: its form and its encoding. */
#include "format/codec/codec.h"
#include "services/tenant/tenant_int.h"

/* "text/csv; charset=utf-8" -> "text/csv" */
static struct str media_type(struct str header)
{
    struct str type = header;
    str_split(&header, ';', &type);
    return str_trim(type);
}

enum status tenant_body_form(const struct request *request, enum body_form *ret, struct error *err)
{
    static const struct {
        const char *type;
        enum body_form form;
    } known[] = {
        {"application/json", FORM_JSON},
        {"text/json", FORM_JSON},
        {"application/x-ndjson", FORM_NDJSON},
        {"application/ndjson", FORM_NDJSON},
        {"application/jsonl", FORM_NDJSON},
        {"application/x-jsonlines", FORM_NDJSON},
        {"text/csv", FORM_CSV},
        {"application/csv", FORM_CSV},
        {"application/vnd.apache.parquet", FORM_PARQUET},
        {"application/x-parquet", FORM_PARQUET},
    };
    struct str type = media_type(http_request_header(request->http, "Content-Type"));
    *ret = FORM_JSON;
    if (type.len == 0)
        return STATUS_OK;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (str_eq_nocase(type, str_of(known[i].type))) {
            *ret = known[i].form;
            return STATUS_OK;
        }
    }
    return error_set(err, STATUS_UNSUPPORTED_MEDIA,
                     "Content-Type '%.*s' is not read here: send application/json, "
                     "application/x-ndjson, text/csv or application/vnd.apache.parquet",
                     type.len < 80 ? (int)type.len : 80, type.data);
}

static enum status inflate(struct request *request, enum codec codec, struct str body,
                           struct str *ret_text, struct error *err)
{
    enum { PIECE = 1 << 18 };
    struct codec_stream stream;
    struct buf plain;
    struct slice in = {body.data, body.len};
    size_t n = 0;
    buf_init(&plain, TENANT_BODY_MAX);
    TRY(codec_stream_init(&stream, codec, TENANT_BODY_MAX, err));
    enum status status = STATUS_OK;
    do {
        if (!buf_reserve(&plain, PIECE)) {
            status = error_set(err, STATUS_TOO_LARGE, "the body unpacks to more than %d bytes",
                               TENANT_BODY_MAX);
            break;
        }
        status = codec_stream_feed(&stream, &in, plain.data + plain.len, PIECE, &n, err);
        plain.len += n;
    } while (status == STATUS_OK && (in.len || n == PIECE));
    if (status == STATUS_OK)
        status = codec_stream_finish(&stream, err);
    codec_stream_release(&stream);
    if (status == STATUS_CORRUPT) {
        status = error_set(err, STATUS_INVALID_ARGUMENT,
                           "the body is not what Content-Encoding says: %s", codec_name(codec));
    }
    if (status == STATUS_OK) {
        *ret_text = arena_str(request->arena, buf_str(&plain));
        if (plain.len && !ret_text->data)
            status = error_no_memory(err);
    }
    buf_release(&plain);
    return status;
}

enum status tenant_body(struct request *request, struct str *ret_text, struct error *err)
{
    struct str encoding = str_trim(http_request_header(request->http, "Content-Encoding"));
    *ret_text = http_request_body(request->http);
    if (encoding.len == 0 || str_eq_nocase(encoding, STR("identity")))
        return STATUS_OK;
    if (str_eq_nocase(encoding, STR("gzip")) || str_eq_nocase(encoding, STR("x-gzip")))
        return inflate(request, CODEC_GZIP, *ret_text, ret_text, err);
    if (str_eq_nocase(encoding, STR("zstd")))
        return inflate(request, CODEC_ZSTD, *ret_text, ret_text, err);
    return error_set(err, STATUS_UNSUPPORTED_MEDIA,
                     "Content-Encoding '%.*s' is not read here: send gzip, zstd or none",
                     encoding.len < 80 ? (int)encoding.len : 80, encoding.data);
}

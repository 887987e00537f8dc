/* json.h: JSON documents in (yyjson) and out (a writer that cannot produce wrong JSON).
 *
 * Reading is for request bodies, settings and metadata; records are read by format/json without a
 * tree. RFC 8259, strictly: no comments, no trailing commas, no NaN, valid UTF-8, unpaired
 * surrogates refused, numbers beyond double range refused. Duplicate keys in one object are JSON,
 * but ambiguous: they are refused with STATUS_INVALID_ARGUMENT. */
#ifndef QUARRY_BASE_JSON_H
#define QUARRY_BASE_JSON_H

#include <yyjson.h>

#include "base/buf.h"
#include "base/status.h"
#include "base/str.h"

enum { JSON_DEPTH_MAX = 64 };

/* Parses a document that the caller frees with yyjson_doc_free. Does not keep `text`. On failure:
 * STATUS_INVALID_JSON with offset, line and column. Deeper than JSON_DEPTH_MAX is refused. */
enum status json_parse(struct str text, yyjson_doc **ret_doc, struct error *err);

static inline struct str json_str_of(yyjson_val *value)
{
    return (struct str){yyjson_get_str(value), yyjson_get_len(value)};
}

/* Member of an object by name, NULL when absent or `object` is not one. */
static inline yyjson_val *json_get(yyjson_val *object, const char *name)
{
    return yyjson_obj_get(object, name);
}

/* The next byte of a JSON text that is not inside a string, and moves *at behind it; false at the
 * end. For looking at the shape of a text (depth, white space, boundaries) without parsing it;
 * begin outside of a string. A malformed text may be misread, not overrun. */
bool json_next_outside(struct str text, size_t *at, char *ret);

/* "null", "a boolean", "a number", "a string", "an array", "an object": for messages. */
const char *json_kind_name(yyjson_val *value);

/* Compact writer into a buffer. Commas and colons are its business. Depth is bounded by
 * JSON_WRITER_DEPTH_MAX (a programming error beyond: asserts). Check buf_check() at the end. */
enum { JSON_WRITER_DEPTH_MAX = 96 };

struct json_writer {
    struct buf *buf;
    int depth;
    bool need_comma;
};

void json_writer_init(struct json_writer *w, struct buf *buf);
void json_begin_object(struct json_writer *w);
void json_end_object(struct json_writer *w);
void json_begin_array(struct json_writer *w);
void json_end_array(struct json_writer *w);
void json_key(struct json_writer *w, struct str key);
/* A key as json_key writes it, its colon included: for keys that come again and again. */
void json_key_raw(struct json_writer *w, struct str text);
void json_keyz(struct json_writer *w, const char *key);
/* Invalid UTF-8 is written as U+FFFD, one a byte. A str with data NULL is written as null. */
void json_string(struct json_writer *w, struct str value);
void json_stringz(struct json_writer *w, const char *value);
void json_int(struct json_writer *w, int64_t value);
void json_uint(struct json_writer *w, uint64_t value);
/* Shortest text that reads back as the same double; NaN and infinities become null. */
void json_double(struct json_writer *w, double value);
void json_bool(struct json_writer *w, bool value);
void json_null(struct json_writer *w);
/* A text that is JSON already (checked when it came in). */
void json_raw(struct json_writer *w, struct str json);
void json_value(struct json_writer *w, yyjson_val *value);

/* key + value in one call */
void json_kv_str(struct json_writer *w, const char *key, struct str value);
void json_kv_strz(struct json_writer *w, const char *key, const char *value);
void json_kv_int(struct json_writer *w, const char *key, int64_t value);
void json_kv_double(struct json_writer *w, const char *key, double value);
void json_kv_bool(struct json_writer *w, const char *key, bool value);
void json_kv_null(struct json_writer *w, const char *key);

/* Text of a double as json_double writes it (finite only), NUL-ended; returns its length. */
enum { JSON_DOUBLE_TEXT_MAX = 40 };
size_t json_double_text(double value, char out[JSON_DOUBLE_TEXT_MAX]);

#endif

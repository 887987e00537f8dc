/* json_scan.h: a strict RFC 8259 reader without a tree: the caller walks the text and takes each
 * value as it wants it. Used where records become columns; documents are base/json.h's business.
 *
 * Strict: valid UTF-8 only, surrogate escapes in pairs, no control characters in strings, numbers
 * as the grammar says, at most JSON_SCAN_DEPTH_MAX levels. Does not copy or own the text; one
 * thread. Every failure is STATUS_INVALID_JSON with the byte offset. */
#ifndef QUARRY_FORMAT_JSON_SCAN_H
#define QUARRY_FORMAT_JSON_SCAN_H

#include "base/status.h"
#include "base/str.h"

enum { JSON_SCAN_DEPTH_MAX = 64 };

struct json_scan {
    const char *at;
    const char *end;
    const char *start; /* offsets are counted from here */
};

static inline struct json_scan json_scan_of(struct str text)
{
    return (struct json_scan){text.data, text.data + text.len, text.data};
}

/* Skips white space; the next byte, or 0 at the end. */
static inline char json_scan_peek(struct json_scan *s)
{
    while (s->at < s->end) {
        char c = *s->at;
        if (c != ' ' && c != '\n' && c != '\r' && c != '\t')
            return c;
        s->at++;
    }
    return 0;
}

enum status json_scan_fail(const struct json_scan *s, struct error *err, const char *expected);

/* Skips white space and then this byte. */
enum status json_scan_expect(struct json_scan *s, char c, struct error *err);

/* A string between its quotes, checked. `*ret_raw` is what stands between the quotes; escapes are
 * in it when *ret_escaped. */
enum status json_scan_string(struct json_scan *s, struct str *ret_raw, bool *ret_escaped,
                             struct error *err);
/* Resolves the escapes of a checked raw string; the text is never longer than the raw form. */
size_t json_unescape(struct str raw, char *out);

/* The text of a number, checked; *ret_integer: no fraction and no exponent. */
enum status json_scan_number(struct json_scan *s, struct str *ret_text, bool *ret_integer,
                             struct error *err);
/* "true", "false" or "null" */
enum status json_scan_word(struct json_scan *s, const char *word, struct error *err);

/* Any value, checked and passed over. *ret_text is the value as it stands; *ret_spaced: there is
 * white space in it outside of strings. */
enum status json_scan_skip(struct json_scan *s, struct str *ret_text, bool *ret_spaced,
                           struct error *err);
/* Checked JSON without white space outside of strings; returns the length. */
size_t json_compact(struct str text, char *out);

/* After a value inside an object or array: takes ',' (true in *ret_more) or `close` (false). */
enum status json_scan_next(struct json_scan *s, char close, bool *ret_more, struct error *err);
/* Takes `open`; *ret_any is false (and the close taken) when nothing is inside. */
enum status json_scan_open(struct json_scan *s, char open, char close, bool *ret_any,
                           struct error *err);
/* "key" and ':' */
enum status json_scan_key(struct json_scan *s, struct str *ret_raw, bool *ret_escaped,
                          struct error *err);
/* Only white space may be left. */
enum status json_scan_end(struct json_scan *s, struct error *err);

/* A number's text as a value: exact, or false when it does not fit (int64) or overflows (double).
 */
bool json_text_to_int64(struct str text, int64_t *ret);
bool json_text_to_double(struct str text, double *ret);

#endif

#include "format/json/json_scan.h"

#include <math.h>
#include <stdlib.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "base/utf8.h"

enum status json_scan_fail(const struct json_scan *s, struct error *err, const char *expected)
{
    long long offset = s->at - s->start;
    enum status status;
    if (s->at >= s->end)
        status = error_set(err, STATUS_INVALID_JSON,
                           "the text ends at byte %lld where %s should be", offset, expected);
    else
        status = error_set(err, STATUS_INVALID_JSON, "found '%c' at byte %lld where %s should be",
                           *s->at, offset, expected);
    if (err)
        err->offset = offset;
    return status;
}

enum status json_scan_expect(struct json_scan *s, char c, struct error *err)
{
    char what[] = {'\'', c, '\'', 0};
    if (json_scan_peek(s) != c || s->at >= s->end)
        return json_scan_fail(s, err, what);
    s->at++;
    return STATUS_OK;
}

/* To the first byte that is '"', '\\', a control character or not ASCII. */
static const char *plain_run(const char *p, const char *end)
{
#ifdef __SSE2__
    const __m128i quote = _mm_set1_epi8('"');
    const __m128i backslash = _mm_set1_epi8('\\');
    const __m128i space = _mm_set1_epi8(0x20);
    while (end - p >= 16) {
        __m128i chunk = _mm_loadu_si128((const __m128i *)(const void *)p);
        /* signed comparison: bytes from 0x80 on are negative, so they count as below ' ' too */
        __m128i special = _mm_or_si128(
            _mm_cmplt_epi8(chunk, space),
            _mm_or_si128(_mm_cmpeq_epi8(chunk, quote), _mm_cmpeq_epi8(chunk, backslash)));
        int mask = _mm_movemask_epi8(special);
        if (mask)
            return p + __builtin_ctz((unsigned)mask);
        p += 16;
    }
#endif
    while (p < end && (unsigned char)*p >= 0x20 && (unsigned char)*p < 0x80 && *p != '"' &&
           *p != '\\')
        p++;
    return p;
}

static bool hex4(const char *p, const char *end, uint32_t *ret)
{
    if (end - p < 4)
        return false;
    uint32_t value = 0;
    for (int i = 0; i < 4; i++) {
        char c = p[i];
        char low = (char)(c | 0x20);
        if (c >= '0' && c <= '9')
            value = value << 4 | (uint32_t)(c - '0');
        else if (low >= 'a' && low <= 'f')
            value = value << 4 | (uint32_t)(low - 'a' + 10);
        else
            return false;
    }
    *ret = value;
    return true;
}

static bool is_high(uint32_t code)
{
    return code >= 0xD800 && code < 0xDC00;
}

static bool is_low(uint32_t code)
{
    return code >= 0xDC00 && code < 0xE000;
}

/* s->at stands on the backslash; moves past the escape. */
static enum status check_escape(struct json_scan *s, struct error *err)
{
    uint32_t code, low;
    if (s->end - s->at < 2)
        return json_scan_fail(s, err, "an escape");
    char c = s->at[1];
    if (c && strchr("\"\\/bfnrt", c)) {
        s->at += 2;
        return STATUS_OK;
    }
    if (c != 'u' || !hex4(s->at + 2, s->end, &code) || is_low(code))
        return json_scan_fail(s, err, "a valid escape");
    if (!is_high(code)) {
        s->at += 6;
        return STATUS_OK;
    }
    if (s->end - s->at < 12 || s->at[6] != '\\' || s->at[7] != 'u' ||
        !hex4(s->at + 8, s->end, &low) || !is_low(low))
        return json_scan_fail(s, err, "a pair of surrogates");
    s->at += 12;
    return STATUS_OK;
}

static enum status check_multibyte(struct json_scan *s, struct error *err)
{
    const char *p = s->at;
    while (p < s->end && (unsigned char)*p >= 0x80)
        p++;
    size_t len = (size_t)(p - s->at);
    size_t valid = utf8_valid_prefix(s->at, len);
    s->at += valid;
    return valid == len ? STATUS_OK : json_scan_fail(s, err, "valid UTF-8");
}

enum status json_scan_string(struct json_scan *s, struct str *ret_raw, bool *ret_escaped,
                             struct error *err)
{
    if (json_scan_peek(s) != '"')
        return json_scan_fail(s, err, "a string");
    const char *begin = ++s->at;
    bool escaped = false;
    for (;;) {
        s->at = plain_run(s->at, s->end);
        if (s->at >= s->end)
            return json_scan_fail(s, err, "the end of a string");
        unsigned char c = (unsigned char)*s->at;
        if (c == '"')
            break;
        if (c == '\\') {
            escaped = true;
            TRY(check_escape(s, err));
        } else if (c >= 0x80) {
            TRY(check_multibyte(s, err));
        } else {
            return json_scan_fail(s, err, "an escaped control character");
        }
    }
    *ret_raw = str_make(begin, (size_t)(s->at - begin));
    *ret_escaped = escaped;
    s->at++;
    return STATUS_OK;
}

static size_t unescape_one(const char **p, const char *end, char *out)
{
    static const char from[] = "\"\\/bfnrt";
    static const char to[] = "\"\\/\b\f\n\r\t";
    char c = (*p)[1];
    uint32_t code = 0, low = 0; /* the text was checked, so hex4 sets them */
    if (c != 'u') {
        *out = to[strchr(from, c) - from];
        *p += 2;
        return 1;
    }
    hex4(*p + 2, end, &code);
    *p += 6;
    if (is_high(code)) {
        hex4(*p + 2, end, &low);
        *p += 6;
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    }
    return utf8_encode(code, out);
}

size_t json_unescape(struct str raw, char *out)
{
    const char *p = raw.data;
    const char *end = raw.data + raw.len;
    char *to = out;
    while (p < end) {
        const char *next = memchr(p, '\\', (size_t)(end - p));
        size_t run = (size_t)((next ? next : end) - p);
        memcpy(to, p, run);
        to += run;
        p += run;
        if (next)
            to += unescape_one(&p, end, to);
    }
    return (size_t)(to - out);
}

static const char *skip_digits(const char *p, const char *end)
{
    while (p < end && *p >= '0' && *p <= '9')
        p++;
    return p;
}

enum status json_scan_number(struct json_scan *s, struct str *ret_text, bool *ret_integer,
                             struct error *err)
{
    const char *begin = s->at;
    const char *p = begin;
    bool integer = true;
    if (p < s->end && *p == '-')
        p++;
    const char *digits = p;
    p = skip_digits(p, s->end);
    if (p == digits || (*digits == '0' && p - digits > 1)) {
        s->at = digits;
        return json_scan_fail(s, err, "a number");
    }
    if (p < s->end && *p == '.') {
        integer = false;
        const char *fraction = ++p;
        p = skip_digits(p, s->end);
        if (p == fraction) {
            s->at = p;
            return json_scan_fail(s, err, "a digit");
        }
    }
    if (p < s->end && (*p | 0x20) == 'e') {
        integer = false;
        p++;
        if (p < s->end && (*p == '+' || *p == '-'))
            p++;
        const char *exponent = p;
        p = skip_digits(p, s->end);
        if (p == exponent) {
            s->at = p;
            return json_scan_fail(s, err, "a digit");
        }
    }
    s->at = p;
    *ret_text = str_make(begin, (size_t)(p - begin));
    *ret_integer = integer;
    return STATUS_OK;
}

enum status json_scan_word(struct json_scan *s, const char *word, struct error *err)
{
    size_t len = strlen(word);
    if ((size_t)(s->end - s->at) < len || memcmp(s->at, word, len) != 0)
        return json_scan_fail(s, err, "a value");
    s->at += len;
    return STATUS_OK;
}

static enum status skip_scalar(struct json_scan *s, char c, struct error *err)
{
    struct str text;
    bool flag;
    switch (c) {
    case '"':
        return json_scan_string(s, &text, &flag, err);
    case 't':
        return json_scan_word(s, "true", err);
    case 'f':
        return json_scan_word(s, "false", err);
    case 'n':
        return json_scan_word(s, "null", err);
    default:
        if (c == '-' || (c >= '0' && c <= '9'))
            return json_scan_number(s, &text, &flag, err);
        return json_scan_fail(s, err, "a value");
    }
}

/* The state of json_scan_skip: which brackets are open, as bits (1: object). */
struct nest {
    uint64_t objects;
    int depth;
};

static enum status nest_open(struct nest *nest, struct json_scan *s, char c, bool *ret_empty,
                             struct error *err)
{
    if (nest->depth == JSON_SCAN_DEPTH_MAX) {
        enum status status =
            error_set(err, STATUS_INVALID_JSON, "nested deeper than %d levels at byte %lld",
                      JSON_SCAN_DEPTH_MAX, (long long)(s->at - s->start));
        if (err)
            err->offset = s->at - s->start;
        return status;
    }
    bool object = c == '{';
    s->at++;
    if (json_scan_peek(s) == (object ? '}' : ']') && s->at < s->end) {
        s->at++;
        *ret_empty = true;
        return STATUS_OK;
    }
    nest->objects = nest->objects << 1 | object;
    nest->depth++;
    *ret_empty = false;
    return STATUS_OK;
}

/* After a value: closes what ends here; a ',' leads to the next value. */
static enum status nest_after(struct nest *nest, struct json_scan *s, struct error *err)
{
    bool more = false;
    while (nest->depth && !more) {
        TRY(json_scan_next(s, nest->objects & 1 ? '}' : ']', &more, err));
        if (!more) {
            nest->objects >>= 1;
            nest->depth--;
        }
    }
    return STATUS_OK;
}

static bool has_space(struct str text)
{
    bool in_string = false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == ' ' || c == '\n' || c == '\r' || c == '\t') {
            return true;
        }
    }
    return false;
}

enum status json_scan_skip(struct json_scan *s, struct str *ret_text, bool *ret_spaced,
                           struct error *err)
{
    struct nest nest = {0};
    struct str key;
    bool escaped, empty;
    json_scan_peek(s);
    const char *begin = s->at;
    do {
        if (nest.depth && nest.objects & 1)
            TRY(json_scan_key(s, &key, &escaped, err));
        char c = json_scan_peek(s);
        if (c == '{' || c == '[') {
            TRY(nest_open(&nest, s, c, &empty, err));
            if (!empty)
                continue;
        } else {
            TRY(skip_scalar(s, c, err));
        }
        TRY(nest_after(&nest, s, err));
    } while (nest.depth);
    *ret_text = str_make(begin, (size_t)(s->at - begin));
    if (ret_spaced)
        *ret_spaced = has_space(*ret_text);
    return STATUS_OK;
}

size_t json_compact(struct str text, char *out)
{
    bool in_string = false;
    char *to = out;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        if (in_string) {
            if (c == '\\')
                *to++ = text.data[i++], c = text.data[i];
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == ' ' || c == '\n' || c == '\r' || c == '\t') {
            continue;
        }
        *to++ = c;
    }
    return (size_t)(to - out);
}

enum status json_scan_next(struct json_scan *s, char close, bool *ret_more, struct error *err)
{
    char c = json_scan_peek(s);
    if (s->at < s->end && (c == ',' || c == close)) {
        s->at++;
        *ret_more = c == ',';
        return STATUS_OK;
    }
    return json_scan_fail(s, err, close == '}' ? "',' or '}'" : "',' or ']'");
}

enum status json_scan_open(struct json_scan *s, char open, char close, bool *ret_any,
                           struct error *err)
{
    TRY(json_scan_expect(s, open, err));
    *ret_any = true;
    if (json_scan_peek(s) == close && s->at < s->end) {
        s->at++;
        *ret_any = false;
    }
    return STATUS_OK;
}

enum status json_scan_key(struct json_scan *s, struct str *ret_raw, bool *ret_escaped,
                          struct error *err)
{
    TRY(json_scan_string(s, ret_raw, ret_escaped, err));
    return json_scan_expect(s, ':', err);
}

enum status json_scan_end(struct json_scan *s, struct error *err)
{
    json_scan_peek(s);
    return s->at == s->end ? STATUS_OK : json_scan_fail(s, err, "the end of the text");
}

bool json_text_to_int64(struct str text, int64_t *ret)
{
    bool negative = text.data[0] == '-';
    uint64_t value = 0;
    if (text.len - negative > 19)
        return false;
    for (size_t i = negative; i < text.len; i++)
        value = value * 10 + (uint64_t)(text.data[i] - '0');
    if (value > (uint64_t)INT64_MAX + negative)
        return false;
    *ret = (int64_t)(negative ? 0 - value : value);
    return true;
}

/* Exact without strtod when mantissa and power of ten are exact doubles (Clinger 1990). */
static bool fast_double(struct str text, double *ret)
{
    static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                    1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                    1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    bool negative = text.data[0] == '-';
    uint64_t mantissa = 0;
    size_t i = negative;
    size_t digits = 0, fraction = 0;
    bool point = false;
    for (; i < text.len; i++) {
        char c = text.data[i];
        if (c == '.') {
            point = true;
            continue;
        }
        if (c < '0' || c > '9')
            return false; /* exponents are rare: strtod */
        mantissa = mantissa * 10 + (uint64_t)(c - '0');
        digits++;
        fraction += point;
    }
    if (digits > 18 || mantissa > (uint64_t)1 << 53 || fraction > 22)
        return false;
    double value = (double)mantissa / powers[fraction];
    *ret = negative ? -value : value;
    return true;
}

bool json_text_to_double(struct str text, double *ret)
{
    enum { ON_STACK = 128 };
    char stack[ON_STACK];
    if (fast_double(text, ret))
        return true;
    char *copy = stack;
    if (text.len >= ON_STACK) {
        copy = str_dup(text);
        if (!copy)
            return false;
    } else {
        memcpy(stack, text.data, text.len);
        stack[text.len] = 0;
    }
    *ret = strtod(copy, NULL);
    if (copy != stack)
        free(copy);
    return isfinite(*ret);
}

/* utf8.h: validation of UTF-8 (RFC 3629: no surrogates, no overlong forms, at most U+10FFFF). */
#ifndef QUARRY_BASE_UTF8_H
#define QUARRY_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Length of the valid prefix of `text`; equals `len` when all of it is valid. */
size_t utf8_valid_prefix(const char *text, size_t len);

static inline bool utf8_is_valid(const char *text, size_t len)
{
    return utf8_valid_prefix(text, len) == len;
}

/* Writes the bytes of a code point (at most 4) and returns their number. */
size_t utf8_encode(uint32_t cp, char out[4]);

/* Replaces control characters and bytes that are not UTF-8 in a NUL-ended string by '?'. */
void utf8_make_printable(char *text);

#endif

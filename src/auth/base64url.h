/* base64url.h: RFC 4648 section 5 without padding, as JOSE uses it.
 *
 * Decoding is strict: no padding, no white space, no foreign character, and the unused bits of the
 * last character are zero, so that every byte string has exactly one text. */
#ifndef QUARRY_AUTH_BASE64URL_H
#define QUARRY_AUTH_BASE64URL_H

#include "base/buf.h"

#define BASE64URL_TEXT(bytes)     (((bytes)*4 + 2) / 3)
#define BASE64URL_BYTES_MAX(text) ((text) / 4 * 3 + 2)

bool base64url_encode(struct buf *out, struct slice bytes);
/* Into `out`, which has room for BASE64URL_BYTES_MAX(text.len); false when it is not base64url. */
bool base64url_decode(struct str text, uint8_t *out, size_t *ret_len);

#endif

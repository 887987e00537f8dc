#include "auth/base64url.h"

static const char ALPHABET[64] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

bool base64url_encode(struct buf *out, struct slice bytes)
{
    const uint8_t *at = bytes.data;
    size_t left = bytes.len;
    if (!buf_reserve(out, BASE64URL_TEXT(bytes.len)))
        return false;
    while (left > 0) {
        size_t n = left < 3 ? left : 3;
        uint32_t group = (uint32_t)at[0] << 16;
        group |= n > 1 ? (uint32_t)at[1] << 8 : 0;
        group |= n > 2 ? at[2] : 0;
        for (size_t i = 0; i <= n; i++)
            out->data[out->len++] = ALPHABET[group >> (18 - 6 * i) & 63];
        at += n;
        left -= n;
    }
    return true;
}

/* 64 and more: not a digit. */
static uint32_t digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return (uint32_t)(c - 'A');
    if (c >= 'a' && c <= 'z')
        return (uint32_t)(c - 'a') + 26;
    if (c >= '0' && c <= '9')
        return (uint32_t)(c - '0') + 52;
    return c == '-' ? 62 : c == '_' ? 63 : 64;
}

bool base64url_decode(struct str text, uint8_t *out, size_t *ret_len)
{
    uint32_t bits = 0;
    unsigned held = 0;
    size_t len = 0;
    if (text.len % 4 == 1)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        uint32_t value = digit(text.data[i]);
        if (value > 63)
            return false;
        bits = bits << 6 | value;
        held += 6;
        if (held >= 8) {
            held -= 8;
            out[len++] = (uint8_t)(bits >> held);
            bits &= (1U << held) - 1;
        }
    }
    *ret_len = len;
    return bits == 0;
}

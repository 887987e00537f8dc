#include "base/str.h"

#include <errno.h>
#include <stdlib.h>
#include <xxhash.h>

static unsigned char fold(unsigned char c)
{
    return c >= 'A' && c <= 'Z' ? (unsigned char)(c | 0x20) : c;
}

bool str_eq_nocase(struct str a, struct str b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (fold((unsigned char)a.data[i]) != fold((unsigned char)b.data[i]))
            return false;
    return true;
}

int str_cmp(struct str a, struct str b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    int c = n ? memcmp(a.data, b.data, n) : 0;
    if (c)
        return c;
    return a.len < b.len ? -1 : a.len > b.len;
}

bool str_starts(struct str s, struct str prefix)
{
    return s.len >= prefix.len && (prefix.len == 0 || !memcmp(s.data, prefix.data, prefix.len));
}

bool str_ends(struct str s, struct str suffix)
{
    return s.len >= suffix.len &&
           (suffix.len == 0 || !memcmp(s.data + s.len - suffix.len, suffix.data, suffix.len));
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

struct str str_trim(struct str s)
{
    while (s.len && is_space(s.data[0])) {
        s.data++;
        s.len--;
    }
    while (s.len && is_space(s.data[s.len - 1]))
        s.len--;
    return s;
}

bool str_split(struct str *rest, char separator, struct str *ret_part)
{
    if (!rest->data)
        return false;
    const char *end = memchr(rest->data, separator, rest->len);
    if (!end) {
        *ret_part = *rest;
        *rest = STR_NONE;
        return true;
    }
    *ret_part = str_make(rest->data, (size_t)(end - rest->data));
    *rest = str_make(end + 1, rest->len - ret_part->len - 1);
    return true;
}

bool str_to_int64(struct str s, int64_t *ret)
{
    char text[32];
    if (s.len == 0 || s.len >= sizeof text || is_space(s.data[0]) || s.data[0] == '+')
        return false;
    memcpy(text, s.data, s.len);
    text[s.len] = 0;
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno || end != text + s.len)
        return false;
    *ret = value;
    return true;
}

bool str_to_double(struct str s, double *ret)
{
    char text[512];
    if (s.len == 0 || s.len >= sizeof text || is_space(s.data[0]))
        return false;
    memcpy(text, s.data, s.len);
    text[s.len] = 0;
    char *end;
    double value = strtod(text, &end);
    if (end != text + s.len)
        return false;
    *ret = value;
    return true;
}

char *str_dup(struct str s)
{
    char *copy = malloc(s.len + 1);
    if (!copy)
        return NULL;
    if (s.len)
        memcpy(copy, s.data, s.len);
    copy[s.len] = 0;
    return copy;
}

uint64_t str_hash(struct str s)
{
    return XXH3_64bits(s.data ? s.data : "", s.len);
}

/* str.h: a borrowed run of bytes with its length. Owns nothing; not NUL-ended unless said. */
#ifndef QUARRY_BASE_STR_H
#define QUARRY_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct str {
    const char *data;
    size_t len;
};

#define STR(literal) ((struct str){(literal), sizeof(literal) - 1})
#define STR_NONE     ((struct str){NULL, 0})
/* For printf("%.*s", STR_ARG(s)). */
#define STR_ARG(s) (int)(s).len, (s).data

static inline struct str str_of(const char *text)
{
    return (struct str){text, text ? strlen(text) : 0};
}

static inline struct str str_make(const char *data, size_t len)
{
    return (struct str){data, len};
}

static inline bool str_eq(struct str a, struct str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static inline bool str_is(struct str a, const char *text)
{
    return str_eq(a, str_of(text));
}

/* ASCII letters fold, other bytes compare as they are. */
bool str_eq_nocase(struct str a, struct str b);

/* Byte order; a prefix sorts first. */
int str_cmp(struct str a, struct str b);

bool str_starts(struct str s, struct str prefix);
bool str_ends(struct str s, struct str suffix);
/* Without ASCII white space at both ends. */
struct str str_trim(struct str s);
/* Cuts off and returns what stands before `separator` (all of it when there is none); `*rest` goes
 * on after it. Returns false when *rest is used up (data NULL). */
bool str_split(struct str *rest, char separator, struct str *ret_part);

/* Whole decimal number in range, nothing else. */
bool str_to_int64(struct str s, int64_t *ret);
bool str_to_double(struct str s, double *ret);

/* NUL-ended heap copy, to be freed by the caller; NULL when memory is out. */
char *str_dup(struct str s);

/* XXH3 of the bytes, 64 bits. */
uint64_t str_hash(struct str s);

/* Bytes to be written or stored: same thing as str, other meaning. */
struct slice {
    const void *data;
    size_t len;
};

#endif

/* like.h: SQL LIKE patterns. `%` any run, `_` one code point, backslash takes the next
 * character as it is; the whole text must match; bytes compare as they are. */
#ifndef QUARRY_QUERY_LIKE_H
#define QUARRY_QUERY_LIKE_H

#include "base/arena.h"

enum like_shape {
    LIKE_EQUAL,    /* no wildcard */
    LIKE_PREFIX,   /* x% */
    LIKE_SUFFIX,   /* %x */
    LIKE_CONTAINS, /* %x% */
    LIKE_ANY,      /* % */
    LIKE_GENERAL,
};

struct like {
    enum like_shape shape;
    struct str text;        /* x of the shapes above; of a general one: the literal start */
    const uint16_t *tokens; /* general: a byte, or one of the two below */
    uint32_t tokens_len;
};
enum { LIKE_ONE = 256, LIKE_RUN = 257 };

/* NULL, or what is wrong with the pattern. Memory comes from the arena. */
const char *like_compile(struct like *like, struct str pattern, struct arena *arena);
bool like_match(const struct like *like, struct str text);

#endif

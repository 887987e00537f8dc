/* arena.h: memory freed all at once, one arena a lifetime (process, tenant, request, query).
 *
 * Not thread-safe. Blocks grow geometrically from `first_block`; `limit` bounds the sum of all
 * blocks: past it arena_alloc returns NULL, which callers report as STATUS_NO_MEMORY. */
#ifndef QUARRY_BASE_ARENA_H
#define QUARRY_BASE_ARENA_H

#include <stddef.h>

#include "base/str.h"

struct arena_block;

struct arena {
    struct arena_block *head;
    size_t used;      /* in the head block */
    size_t total;     /* bytes of all blocks */
    size_t limit;     /* bound of total */
    size_t next_size; /* of the next block */
};

enum { ARENA_FIRST_BLOCK = 4096 };

/* Allocates nothing yet. limit 0 means 1 GiB. */
void arena_init(struct arena *arena, size_t limit);
/* Frees everything; the arena may be used again. */
void arena_release(struct arena *arena);
/* Zeroed, aligned to 16 bytes; NULL when memory or the limit is out. size 0 gives a valid pointer.
 */
void *arena_alloc(struct arena *arena, size_t size);
/* count * size with overflow check. */
void *arena_array(struct arena *arena, size_t count, size_t size);
/* NUL-ended copies; data is NULL on failure. */
struct str arena_str(struct arena *arena, struct str s);
char *arena_printf(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#define ARENA_NEW(arena, type) ((type *)arena_alloc((arena), sizeof(type)))

#endif

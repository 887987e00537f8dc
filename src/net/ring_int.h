/* ring_int.h: a bounded queue of bytes between one writer and one reader. Not thread-safe: the
 * request's mutex guards it. Its memory is allocated at the first put. */
#ifndef QUARRY_NET_RING_INT_H
#define QUARRY_NET_RING_INT_H

#include <stdbool.h>
#include <stddef.h>

struct ring {
    char *data;
    size_t cap; /* set at creation */
    size_t start, len;
};

void ring_init(struct ring *ring, size_t cap);
void ring_release(struct ring *ring);
/* False when memory is out. */
bool ring_ready(struct ring *ring);
/* As many bytes as fit; returns their number. ring_ready must have succeeded. */
size_t ring_put(struct ring *ring, const void *data, size_t len);
size_t ring_get(struct ring *ring, void *data, size_t cap);

static inline size_t ring_free(const struct ring *ring)
{
    return ring->cap - ring->len;
}

#endif

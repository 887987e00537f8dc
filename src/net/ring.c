#include <stdlib.h>
#include <string.h>

#include "net/ring_int.h"

void ring_init(struct ring *ring, size_t cap)
{
    *ring = (struct ring){.cap = cap};
}

void ring_release(struct ring *ring)
{
    free(ring->data);
    ring_init(ring, ring->cap);
}

bool ring_ready(struct ring *ring)
{
    if (!ring->data)
        ring->data = malloc(ring->cap);
    return ring->data != NULL;
}

size_t ring_put(struct ring *ring, const void *data, size_t len)
{
    size_t n = len < ring_free(ring) ? len : ring_free(ring);
    size_t end = (ring->start + ring->len) % ring->cap;
    size_t first = n < ring->cap - end ? n : ring->cap - end;
    if (n == 0)
        return 0;
    memcpy(ring->data + end, data, first);
    memcpy(ring->data, (const char *)data + first, n - first);
    ring->len += n;
    return n;
}

size_t ring_get(struct ring *ring, void *data, size_t cap)
{
    size_t n = cap < ring->len ? cap : ring->len;
    size_t first = n < ring->cap - ring->start ? n : ring->cap - ring->start;
    if (n == 0)
        return 0;
    memcpy(data, ring->data + ring->start, first);
    memcpy((char *)data + first, ring->data, n - first);
    ring->len -= n;
    ring->start = ring->len ? (ring->start + n) % ring->cap : 0;
    return n;
}

/* pool.h: connections that are lent: at most so many at a time, kept between uses.
 *
 *   struct pool_item *item = pool_take(&pool);   waits while all places are taken
 *   if (!item) ... open a connection: the place is ours; when that fails pool_give(&pool, NULL)
 *   pool_give(&pool, item);                      NULL: it was closed, only its place goes back
 *
 * A connection's own struct starts with a struct pool_item. Threads: any. */
#ifndef QUARRY_CATALOG_POOL_H
#define QUARRY_CATALOG_POOL_H

#include <pthread.h>
#include <stdint.h>

struct pool_item {
    struct pool_item *next;
};

struct pool {
    pthread_mutex_t lock;
    pthread_cond_t freed;
    struct pool_item *idle;
    uint32_t open, open_max; /* places taken: idle ones too */
};

void pool_init(struct pool *pool, uint32_t open_max);
/* `close` gets every idle one; none may be lent. */
void pool_release(struct pool *pool, void (*close)(struct pool_item *item));
/* An idle one, or NULL: a place for a new one. */
struct pool_item *pool_take(struct pool *pool);
/* An idle one, or NULL: none is idle now. */
struct pool_item *pool_take_idle(struct pool *pool);
void pool_give(struct pool *pool, struct pool_item *item);

struct pool_state {
    uint32_t used, idle, max;
};
struct pool_state pool_look(struct pool *pool);

#endif

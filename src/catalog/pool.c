#include "catalog/pool.h"

#include "sys/thread.h"

void pool_init(struct pool *pool, uint32_t open_max)
{
    *pool = (struct pool){.open_max = open_max};
    pthread_mutex_init(&pool->lock, NULL);
    thread_cond_init(&pool->freed);
}

void pool_release(struct pool *pool, void (*close)(struct pool_item *item))
{
    while (pool->idle) {
        struct pool_item *item = pool->idle;
        pool->idle = item->next;
        close(item);
    }
    pthread_mutex_destroy(&pool->lock);
    pthread_cond_destroy(&pool->freed);
}

struct pool_item *pool_take(struct pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    while (!pool->idle && pool->open == pool->open_max)
        pthread_cond_wait(&pool->freed, &pool->lock);
    struct pool_item *item = pool->idle;
    if (item)
        pool->idle = item->next;
    else
        pool->open++;
    pthread_mutex_unlock(&pool->lock);
    return item;
}

struct pool_item *pool_take_idle(struct pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    struct pool_item *item = pool->idle;
    if (item)
        pool->idle = item->next;
    pthread_mutex_unlock(&pool->lock);
    return item;
}

void pool_give(struct pool *pool, struct pool_item *item)
{
    pthread_mutex_lock(&pool->lock);
    if (item) {
        item->next = pool->idle;
        pool->idle = item;
    } else {
        pool->open--;
    }
    pthread_cond_signal(&pool->freed);
    pthread_mutex_unlock(&pool->lock);
}

struct pool_state pool_look(struct pool *pool)
{
    struct pool_state state = {.max = pool->open_max};
    pthread_mutex_lock(&pool->lock);
    for (struct pool_item *item = pool->idle; item; item = item->next)
        state.idle++;
    state.used = pool->open - state.idle;
    pthread_mutex_unlock(&pool->lock);
    return state;
}

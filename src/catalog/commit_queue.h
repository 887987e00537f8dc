/* commit_queue.h: commits of many threads, written together by one of them at a time.
 *
 *   struct my_commit commit = {.queued.changes = len, ...};   begins with a struct queued_commit
 *   commit_queue_run(&queue, &commit.queued);
 *
 * A commit that finds nobody writing writes; else it waits. Whoever has written hands over to the
 * first that waits, which takes all others that wait along as its group, and only then wakes those
 * whose commits are done: the next group does not wait for them. Threads: any. */
#ifndef QUARRY_CATALOG_COMMIT_QUEUE_H
#define QUARRY_CATALOG_COMMIT_QUEUE_H

#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdint.h>

struct queued_commit {
    struct queued_commit *next; /* in a group: the one behind it; NULL at its end */
    uint32_t changes;
    /* the queue's own */
    sem_t wake;
    bool done, alone;
};

/* Writes the group and leaves each commit's outcome in it. */
typedef void (*commit_group_fn)(void *context, struct queued_commit *first);

struct commit_queue {
    pthread_mutex_t lock; /* guards what follows */
    struct queued_commit *first, **end;
    bool writing;
    uint32_t changes_max; /* of a group with more than one commit */
    commit_group_fn write;
    void *context;
};

void commit_queue_init(struct commit_queue *queue, uint32_t changes_max, commit_group_fn write,
                       void *context);
void commit_queue_release(struct commit_queue *queue); /* nobody waits any more */

/* Returns when the commit is written. */
void commit_queue_run(struct commit_queue *queue, struct queued_commit *commit);

/* For another purpose than a commit: waits its turn; nobody writes until it is given back. */
void commit_queue_take(struct commit_queue *queue, struct queued_commit *turn);
void commit_queue_give(struct commit_queue *queue, struct queued_commit *turn);

#endif

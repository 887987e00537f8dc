#include "catalog/commit_queue.h"

#include <errno.h>
#include <stddef.h>

void commit_queue_init(struct commit_queue *queue, uint32_t changes_max, commit_group_fn write,
                       void *context)
{
    *queue = (struct commit_queue){
        .end = &queue->first, .changes_max = changes_max, .write = write, .context = context};
    pthread_mutex_init(&queue->lock, NULL);
}

void commit_queue_release(struct commit_queue *queue)
{
    pthread_mutex_destroy(&queue->lock);
}

/* Returns when it has the lead, or is done. */
static void enqueue(struct commit_queue *queue, struct queued_commit *commit)
{
    sem_init(&commit->wake, 0, 0);
    commit->next = NULL;
    commit->done = false;
    pthread_mutex_lock(&queue->lock);
    *queue->end = commit;
    queue->end = &commit->next;
    bool leads = !queue->writing;
    queue->writing = true;
    pthread_mutex_unlock(&queue->lock);
    while (!leads && sem_wait(&commit->wake) != 0 && errno == EINTR) {
    }
}

/* Takes the first, which is the caller's, and those behind it that fit, off the queue. */
static struct queued_commit *take_group(struct commit_queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    struct queued_commit *first = queue->first, *last = first;
    uint32_t changes = first->changes;
    while (!first->alone && last->next && !last->next->alone &&
           changes + last->next->changes <= queue->changes_max) {
        last = last->next;
        changes += last->changes;
    }
    queue->first = last->next;
    if (!queue->first)
        queue->end = &queue->first;
    last->next = NULL;
    pthread_mutex_unlock(&queue->lock);
    return first;
}

static void hand_over(struct commit_queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    struct queued_commit *next = queue->first;
    queue->writing = next != NULL;
    pthread_mutex_unlock(&queue->lock);
    if (next)
        sem_post(&next->wake);
}

void commit_queue_run(struct commit_queue *queue, struct queued_commit *commit)
{
    commit->alone = false;
    enqueue(queue, commit);
    if (!commit->done) {
        struct queued_commit *first = take_group(queue);
        queue->write(queue->context, first);
        hand_over(queue);
        for (struct queued_commit *next; first; first = next) {
            next = first->next; /* one that is done may be gone at once */
            if (first == commit)
                continue;
            first->done = true;
            sem_post(&first->wake);
        }
    }
    sem_destroy(&commit->wake);
}

void commit_queue_take(struct commit_queue *queue, struct queued_commit *turn)
{
    turn->alone = true;
    turn->changes = 0;
    enqueue(queue, turn);
    (void)take_group(queue); /* itself */
}

void commit_queue_give(struct commit_queue *queue, struct queued_commit *turn)
{
    hand_over(queue);
    sem_destroy(&turn->wake);
}

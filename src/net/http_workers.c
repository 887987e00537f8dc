/* http_workers.c: the bounded queue and the threads that run handlers.
 *
 * A thread is started when a request comes, nobody is idle and the maximum is not reached; it stays
 * until the server stops (so a child process bound to a worker thread's life is safe). */
#include <stdlib.h>

#include "net/http_int.h"

enum status http_queue_init(struct http_queue *queue, uint32_t threads, uint32_t length_max,
                            struct error *err)
{
    *queue = (struct http_queue){.length_max = length_max, .thread_max = threads};
    queue->threads = calloc(threads, sizeof *queue->threads);
    if (!queue->threads)
        return error_no_memory(err);
    pthread_mutex_init(&queue->mutex, NULL);
    pthread_cond_init(&queue->filled, NULL);
    return STATUS_OK;
}

/* Under the mutex: true when a sleeping worker is to be woken for what waits. One at a time: who
 * wakes up wakes the next if there is still work, and a busy worker often takes that before. */
static bool wants_wake(struct http_queue *queue)
{
    if (!queue->first || queue->waking || !queue->idle)
        return false;
    queue->waking = true;
    return true;
}

/* The next request, or NULL when the queue is closed. */
static struct http_request *take(struct http_queue *queue)
{
    pthread_mutex_lock(&queue->mutex);
    while (!queue->first && !queue->closed) {
        queue->idle++;
        pthread_cond_wait(&queue->filled, &queue->mutex);
        queue->idle--;
        queue->waking = false;
    }
    struct http_request *request = queue->closed ? NULL : queue->first;
    if (request) {
        queue->first = request->queue_next;
        queue->length--;
    }
    bool wake = wants_wake(queue);
    pthread_mutex_unlock(&queue->mutex);
    if (wake)
        pthread_cond_signal(&queue->filled);
    return request;
}

static void *worker_run(void *argument)
{
    struct http_server *server = argument;
    struct http_request *request;
    while ((request = take(&server->queue))) {
        server->options.on_request(server->options.context, request);
        http_answer_unanswered(request);
        http_request_drop(request);
    }
    return NULL;
}

/* Under the mutex. Failing to start one is fine as long as there is another. */
static bool start_worker(struct http_server *server)
{
    struct http_queue *queue = &server->queue;
    if (queue->thread_count == queue->thread_max)
        return true;
    struct thread *thread = &queue->threads[queue->thread_count];
    if (thread_start(thread, "http-worker", HTTP_STACK_BYTES, worker_run, server, NULL) ==
        STATUS_OK)
        queue->thread_count++;
    return queue->thread_count > 0;
}

bool http_queue_put(struct http_server *server, struct http_request *request)
{
    struct http_queue *queue = &server->queue;
    bool wake = false;
    pthread_mutex_lock(&queue->mutex);
    bool fits = !queue->closed && queue->length < queue->length_max;
    /* Those waiting already have the idle ones; a new one needs a thread of its own. */
    if (fits && queue->idle <= queue->length)
        fits = start_worker(server);
    if (fits) {
        request->queue_next = NULL;
        if (queue->first)
            queue->last->queue_next = request;
        else
            queue->first = request;
        queue->last = request;
        queue->length++;
        wake = wants_wake(queue);
    }
    pthread_mutex_unlock(&queue->mutex);
    if (wake)
        pthread_cond_signal(&queue->filled);
    return fits;
}

void http_queue_close(struct http_queue *queue)
{
    pthread_mutex_lock(&queue->mutex);
    queue->closed = true;
    struct http_request *left = queue->first;
    queue->first = NULL;
    queue->length = 0;
    pthread_cond_broadcast(&queue->filled);
    pthread_mutex_unlock(&queue->mutex);
    while (left) {
        struct http_request *next = left->queue_next;
        http_abort(left);
        http_request_drop(left);
        left = next;
    }
    for (uint32_t i = 0; i < queue->thread_count; i++)
        thread_join(&queue->threads[i]);
}

void http_queue_release(struct http_queue *queue)
{
    free(queue->threads);
    pthread_mutex_destroy(&queue->mutex);
    pthread_cond_destroy(&queue->filled);
}

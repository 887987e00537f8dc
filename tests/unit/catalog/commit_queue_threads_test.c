/* Commits of many threads: each is written once, in the order in which it came, never two groups at
 * a time; groups keep their limit; whoever takes the turn is alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <cmocka.h>

#include "catalog/commit_queue.h"

enum { THREADS = 6, COMMITS = 300, CHANGES_MAX = 5 };

struct commit {
    struct queued_commit queued;
    int writes;
};

static atomic_int writers;
static int written, groups, taken; /* guarded by the turn */
static bool too_large;

static void write_group(void *context, struct queued_commit *first)
{
    uint32_t changes = 0, commits = 0;
    (void)context;
    assert_int_equal(atomic_fetch_add(&writers, 1), 0);
    for (; first; first = first->next) {
        ((struct commit *)first)->writes++;
        changes += first->changes;
        commits++;
        written++;
    }
    groups++;
    too_large = too_large || (commits > 1 && changes > CHANGES_MAX);
    atomic_fetch_sub(&writers, 1);
}

static void take_turn(struct commit_queue *queue)
{
    struct queued_commit turn;
    commit_queue_take(queue, &turn);
    assert_int_equal(atomic_fetch_add(&writers, 1), 0);
    taken++;
    atomic_fetch_sub(&writers, 1);
    commit_queue_give(queue, &turn);
}

static void *commit_many(void *context)
{
    struct commit_queue *queue = context;
    for (int i = 0; i < COMMITS; i++) {
        /* some are larger than any group may be */
        struct commit commit = {.queued.changes = (uint32_t)(i % 10 ? 1 + i % 3 : CHANGES_MAX + 1)};
        commit_queue_run(queue, &commit.queued);
        assert_int_equal(commit.writes, 1);
        if (i % 50 == 0)
            take_turn(queue);
    }
    return NULL;
}

static void test_each_is_written_once(void **state)
{
    (void)state;
    struct commit_queue queue;
    pthread_t threads[THREADS];
    commit_queue_init(&queue, CHANGES_MAX, write_group, NULL);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, commit_many, &queue), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    commit_queue_release(&queue);
    assert_int_equal(written, THREADS * COMMITS);
    assert_int_equal(taken, THREADS * COMMITS / 50);
    assert_true(groups <= written);
    assert_false(too_large);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_each_is_written_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Readers search while one writes and commits: each answer is one that was true at some moment, and
 * nothing races (this test also runs under TSan). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>

#include "catalog/search/text_index.h"

enum { DOCUMENTS = 200, COMMIT_EVERY = 10, READERS = 3 };

struct shared {
    struct text_index *index;
    _Atomic bool done;
    _Atomic int faults;
};

static void *search(void *argument)
{
    struct shared *shared = argument;
    uint32_t seen = 0;
    while (!shared->done) {
        struct arena arena;
        struct text_answer answer;
        struct text_query query = {
            .tenant = STR("t"), .text = STR("word"), .limit = 5, .facets = true, .snippets = true};
        arena_init(&arena, 0);
        /* Documents are only added, in commits of COMMIT_EVERY. */
        if (text_index_query(shared->index, &query, &arena, &answer, NULL) != STATUS_OK ||
            answer.total < seen || answer.total % COMMIT_EVERY != 0)
            shared->faults++;
        else
            seen = answer.total;
        arena_release(&arena);
    }
    return NULL;
}

static void readers_and_a_writer(void **state)
{
    (void)state;
    char folder[] = "/tmp/quarry-text-XXXXXX", command[64];
    struct shared shared = {0};
    pthread_t readers[READERS];
    assert_non_null(mkdtemp(folder));
    assert_int_equal(text_index_open(folder, &shared.index, NULL), STATUS_OK);
    assert_int_equal(text_index_commit(shared.index, NULL), STATUS_OK);
    for (int i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&readers[i], NULL, search, &shared), 0);
    for (int i = 1; i <= DOCUMENTS; i++) {
        char id[16];
        snprintf(id, sizeof id, "%d", i);
        struct text_document document = {.tenant = STR("t"),
                                         .id = str_of(id),
                                         .kind = STR("node"),
                                         .name = str_of(id),
                                         .description = STR("a word")};
        assert_int_equal(text_index_put(shared.index, &document, NULL), STATUS_OK);
        if (i % COMMIT_EVERY == 0)
            assert_int_equal(text_index_commit(shared.index, NULL), STATUS_OK);
    }
    shared.done = true;
    for (int i = 0; i < READERS; i++)
        assert_int_equal(pthread_join(readers[i], NULL), 0);
    assert_int_equal(shared.faults, 0);
    assert_int_equal(text_index_size(shared.index), DOCUMENTS);
    text_index_close(shared.index);
    snprintf(command, sizeof command, "rm -r %s", folder);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(readers_and_a_writer)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

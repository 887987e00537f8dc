/* cursor.c: the pages of a search or a DSL query. A cursor is an open search, or the views of a
 * query: they stay pinned, so the pages together hold each row exactly once, whatever is written
 * meanwhile.
 *
 * The text is "<slot>-<random>"; it serves once: the next page brings a new one. Idle cursors are
 * closed after CURSOR_IDLE_US, and the longest idle one when the table is full. */
#include <stdio.h>
#include <stdlib.h>

#include "services/tenant/tenant_int.h"

static const int64_t cursor_idle_us = 120 * 1000000;

struct cursor_entry {
    void *open; /* NULL: free */
    cursor_close close;
    uint64_t secret;
    int64_t used_us;
};

void open_search_close(void *search)
{
    struct open_search *open = search;
    if (!open)
        return;
    search_close(open->search);
    view_close(&open->view);
    filter_free(open->filter);
    free(open);
}

enum status cursor_table_init(struct cursor_table *table, struct sys *sys, struct error *err)
{
    pthread_mutex_init(&table->lock, NULL);
    table->sys = sys;
    table->entries = calloc(CURSORS_MAX, sizeof *table->entries);
    return table->entries ? STATUS_OK : error_no_memory(err);
}

void cursor_table_release(struct cursor_table *table)
{
    for (uint32_t i = 0; table->entries && i < CURSORS_MAX; i++)
        if (table->entries[i].open)
            table->entries[i].close(table->entries[i].open);
    free(table->entries);
    table->entries = NULL;
    pthread_mutex_destroy(&table->lock);
}

/* A free slot, else the longest idle one. */
static uint32_t choose_slot(const struct cursor_table *table)
{
    uint32_t oldest = 0;
    for (uint32_t i = 0; i < CURSORS_MAX; i++) {
        if (!table->entries[i].open)
            return i;
        if (table->entries[i].used_us < table->entries[oldest].used_us)
            oldest = i;
    }
    return oldest;
}

void cursor_put(struct cursor_table *table, void *open, cursor_close close,
                char ret[CURSOR_TEXT_MAX])
{
    struct cursor_entry entry = {.open = open, .close = close, .used_us = sys_mono_us(table->sys)};
    sys_random(table->sys, &entry.secret, sizeof entry.secret);
    pthread_mutex_lock(&table->lock);
    uint32_t slot = choose_slot(table);
    struct cursor_entry evicted = table->entries[slot];
    table->entries[slot] = entry;
    pthread_mutex_unlock(&table->lock);
    if (evicted.open)
        evicted.close(evicted.open);
    snprintf(ret, CURSOR_TEXT_MAX, "%u-%016llx", slot, (unsigned long long)entry.secret);
}

enum status cursor_take(struct cursor_table *table, struct str text, cursor_close close,
                        void **ret_open, struct error *err)
{
    char copy[CURSOR_TEXT_MAX];
    unsigned slot;
    unsigned long long secret;
    void *open = NULL;
    snprintf(copy, sizeof copy, "%.*s", text.len < CURSOR_TEXT_MAX ? (int)text.len : 0,
             text.data ? text.data : "");
    cursor_sweep(table);
    if (sscanf(copy, "%u-%16llx", &slot, &secret) == 2 && slot < CURSORS_MAX) {
        pthread_mutex_lock(&table->lock);
        if (table->entries[slot].open && table->entries[slot].secret == secret &&
            table->entries[slot].close == close) {
            open = table->entries[slot].open;
            table->entries[slot].open = NULL;
        }
        pthread_mutex_unlock(&table->lock);
    }
    if (!open)
        return error_set(err, STATUS_NOT_FOUND,
                         "the cursor is unknown, was used already or has been idle for too long: "
                         "start again with cursor \"*\"");
    *ret_open = open;
    return STATUS_OK;
}

void cursor_sweep(struct cursor_table *table)
{
    int64_t before = sys_mono_us(table->sys) - cursor_idle_us;
    for (uint32_t i = 0; i < CURSORS_MAX; i++) {
        struct cursor_entry old = {0};
        pthread_mutex_lock(&table->lock);
        if (table->entries[i].open && table->entries[i].used_us < before) {
            old = table->entries[i];
            table->entries[i].open = NULL;
        }
        pthread_mutex_unlock(&table->lock);
        if (old.open)
            old.close(old.open);
    }
}

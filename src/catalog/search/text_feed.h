/* text_feed.h: keeps the text index in step with the catalog.
 *
 * At open the feed's thread compares the index with all assets (ids and revisions) and mends what
 * differs, so a crash, a lost index or changes by other programs cost time, never answers. From
 * then on it hears of every commit of this process (text_feed_changed, from a backend_watch), reads
 * the assets named and commits the index a moment later: searches are late by at most about a
 * quarter of a second; text_feed_settle waits until what was changed before is searchable. */
#ifndef QUARRY_CATALOG_SEARCH_TEXT_FEED_H
#define QUARRY_CATALOG_SEARCH_TEXT_FEED_H

#include "catalog/backend.h"
#include "catalog/search/text_index.h"
#include "sys/sys.h"

struct text_feed;

enum { TEXT_FEED_QUEUE_MAX = 8192 }; /* changes that wait; beyond, everything is compared again */

/* `folder` of the index; what is damaged there is removed and made anew. The backend is borrowed
 * and must outlive the feed. */
enum status text_feed_open(struct sys *sys, struct backend *backend, const char *folder,
                           struct text_feed **ret, struct error *err);
/* Ends the thread; changes may still be told, and are found at the next open. Before the backend is
 * closed, which may commit once more. NULL is fine. */
void text_feed_stop(struct text_feed *feed);
void text_feed_close(struct text_feed *feed); /* NULL is fine */

/* Any thread, never blocks for long; len 0: another process may have changed anything; everything
 * is compared again within some seconds. */
void text_feed_changed(struct text_feed *feed, const struct change *changes, uint32_t len);
/* Waits until the changes heard of so far can be found, timeout_ms at the most; false: not yet. */
bool text_feed_settle(struct text_feed *feed, uint32_t timeout_ms);

struct text_feed_state {
    uint64_t documents;
    uint64_t waiting;
    bool comparing;    /* the whole index is being compared: answers may lack old assets */
    char problem[160]; /* of the last failure, "" when the last round went well */
};
void text_feed_get_state(struct text_feed *feed, struct text_feed_state *ret);
struct text_index *text_feed_index(struct text_feed *feed);

#endif

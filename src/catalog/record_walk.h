/* record_walk.h: all records of a domain of one back end in the order of their ids, a page at a
 * time; two of them side by side compare or merge two back ends. One thread at a time. */
#ifndef QUARRY_CATALOG_RECORD_WALK_H
#define QUARRY_CATALOG_RECORD_WALK_H

#include "catalog/backend.h"

enum { RECORD_WALK_PAGE = 200, RECORD_WALK_ID_MAX = 63 };

struct record_walk {
    struct backend *backend; /* borrowed */
    enum domain domain;
    struct arena arena; /* of the page at hand */
    struct record_page page;
    uint32_t at;
    char after[RECORD_WALK_ID_MAX + 1];
    bool ended;
};

void record_walk_init(struct record_walk *walk, struct backend *backend, enum domain domain);
void record_walk_release(struct record_walk *walk);
/* Reads the next page when the one at hand is used up: then records of it are gone. */
enum status record_walk_fill(struct record_walk *walk, struct error *err);
/* The record at hand; NULL: the page is used up, after a fill all are. */
const struct record *record_walk_record(const struct record_walk *walk);
/* Only with a record at hand. */
void record_walk_next(struct record_walk *walk);

#endif

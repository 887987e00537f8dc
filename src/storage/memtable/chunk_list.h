/* chunk_list.h: the unflushed rows of a source at one moment: what all views opened between two
 * changes share, so that a view takes one reference and not one a chunk.
 *
 * Asked for a value it names at once the chunks that may have it: the filters of their indexes
 * stand side by side in a probe, which is made at the first question and kept once every chunk has
 * its index. Lists are immutable but for their probes, which have their own lock. */
#ifndef QUARRY_STORAGE_CHUNK_LIST_H
#define QUARRY_STORAGE_CHUNK_LIST_H

#include "storage/memtable/memtable.h"

struct chunk_probe;

struct chunk_list {
    _Atomic uint32_t refs;
    uint32_t len;
    uint64_t rows;               /* without the deleted ones */
    struct chunk **chunks;       /* referenced; the arrays are one allocation */
    struct batch **batches;      /* of the chunks */
    struct deletion **deletions; /* referenced; NULL: none */
    pthread_mutex_t lock;        /* guards probes */
    struct chunk_probe *probes;  /* one a column */
};

/* The chunks of both tables, `first`'s before; the source's lock is held. A reference, NULL when
 * memory is out. */
struct chunk_list *chunk_list_of(struct memtable *first, struct memtable *second);
void chunk_list_unref(struct chunk_list *list);
/* Clears the bits of chunks that certainly have none of the values in the column; `values` are of
 * the types that the column has or had. False when nothing is known. */
bool chunk_list_narrow(struct chunk_list *list, struct str column, const struct value *values,
                       uint32_t len, uint64_t *candidates);

#endif

/* nearest.h: the known name that a misspelt one was probably meant to be, for error texts.
 *
 * Optimal string alignment distance (insert, delete, change, swap of neighbours), ASCII case
 * folded. A name is near when the distance is at most a third of its length, and at most 3. */
#ifndef QUARRY_SERVICE_NEAREST_H
#define QUARRY_SERVICE_NEAREST_H

#include "base/str.h"

enum { NEAREST_NAME_MAX = 64 }; /* longer names are near to nothing */

struct nearest {
    struct str wanted;
    const char *best;
    size_t distance;
};

/* begin, offer each known name, then `best` is the nearest or NULL. */
struct nearest nearest_begin(struct str wanted);
void nearest_offer(struct nearest *nearest, const char *name);

#endif

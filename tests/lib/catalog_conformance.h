/* catalog_conformance.h: the suite that every back end of the catalog passes, with exact results.
 *
 * A test program gives a target and calls catalog_conformance_run from main. The model beside the
 * back end is an array of records with query_matches and query_compare of catalog/query.h. */
#ifndef QUARRY_TESTS_CATALOG_CONFORMANCE_H
#define QUARRY_TESTS_CATALOG_CONFORMANCE_H

#include "catalog/backend.h"

struct conformance_target {
    const char *name;
    /* Opens the store; called again after close, it must find what was committed. */
    enum status (*open)(void *context, struct backend **ret, struct error *err);
    /* Empties the store, which is closed. */
    void (*wipe)(void *context);
    void *context;
};

/* Number of failed tests: main's exit code. */
int catalog_conformance_run(const struct conformance_target *target);

/* Made-up records, for these and other tests: every field of the domain filled from `number`;
 * texts live in the arena. */
struct record conformance_record(enum domain domain, const char *tenant, int number,
                                 struct arena *arena);

#endif

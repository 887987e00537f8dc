/* journal.h: what records were before they changed, and from it a catalog as it was at a time.
 *
 *   TRY(catalog_restore_at(from, to, at_us, &result, err));
 *
 * SQLite and PostgreSQL keep a journal by triggers: for each change of an asset, relation,
 * principal, grant, setting or location the record that was there before. The state at a time is
 * what is there now, but for records that changed since: these are as their first change since
 * found them. Events are history already and stay all; services and access counts are not kept.
 * The journal reaches back to the migration that began it, or as far as journal_trim has left. */
#ifndef QUARRY_CATALOG_JOURNAL_H
#define QUARRY_CATALOG_JOURNAL_H

#include "catalog/backend.h"

/* One record that changed since: as it was then, or with `existed` false only domain and id. */
struct journal_entry {
    struct record record;
    bool existed;
};
typedef enum status (*journal_fn)(void *context, const struct journal_entry *entry,
                                  struct error *err);

/* Each record that changed after `at_us`, once, in no order. STATUS_INVALID_ARGUMENT: the journal
 * does not reach so far, or the back end has none. */
enum status journal_read(struct backend *backend, int64_t at_us, journal_fn visit, void *context,
                         struct error *err);
/* Forgets what is older; nothing to do where there is no journal. */
enum status journal_trim(struct backend *backend, int64_t before_us, struct error *err);

enum { RESTORE_RECORDS_MAX = 1000000 }; /* that changed since */
struct restore_result {
    uint64_t records;  /* in `to` */
    uint64_t undone;   /* of them: other than now */
    uint64_t left_out; /* that were not there then */
};
/* Fills `to`, which is empty, with `from` as it was. `from` may be in use. */
enum status catalog_restore_at(struct backend *from, struct backend *to, int64_t at_us,
                               struct restore_result *ret, struct error *err);

/* --- for back ends --- */

/* A row of a journal: `old` is an object by columns, or has no data. */
enum status journal_visit(struct str domain, struct str id, struct str old, journal_fn visit,
                          void *context, struct error *err);
enum status journal_too_short(int64_t start_us, struct error *err);

#endif

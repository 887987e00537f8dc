/* source_files.h: a source as files, for those who check and copy them (check/, backup/). Not for
 * other folders: the face of storage is store.h. */
#ifndef QUARRY_STORAGE_SOURCE_FILES_H
#define QUARRY_STORAGE_SOURCE_FILES_H

#include "base/uuid.h"
#include "storage/index/index_id.h"
#include "storage/store.h"
#include "storage/table/table.h"

/* --- source_config.c --- */

enum status source_config_check(const struct source_config *config, struct error *err);
/* Deep copy. */
enum status source_config_copy(struct arena *arena, const struct source_config *from,
                               struct source_config *to, struct error *err);
/* All indexes in force whose columns the schema has; returns their number. */
enum { SOURCE_INDEXES_MAX = 2 * SOURCE_COLUMNS_LISTED_MAX + SOURCE_COMPOSITES_MAX };
uint32_t source_indexes(const struct source_config *config, const struct schema *schema,
                        struct index_def ret[SOURCE_INDEXES_MAX]);
/* False when the schema lacks one of its columns. `ret_places` (may be NULL): they in the schema.
 */
bool composite_def(const struct composite_config *composite, const struct schema *schema,
                   struct index_def *ret, uint32_t *ret_places);
bool source_config_equal(const struct source_config *a, const struct source_config *b);
/* composite_config.c: the composite indexes of a configuration. */
enum status composites_check(const struct source_config *config, struct error *err);
bool composites_copy(struct arena *arena, const struct source_config *from,
                     struct source_config *to);
/* As declared. */
bool composites_equal(const struct source_config *a, const struct source_config *b);
bool composite_same(const struct composite_config *a, const struct composite_config *b);
/* Numbers those that have none yet. */
void composites_number(struct composite_config *list, uint32_t len, uint32_t *last);
void composites_write(struct json_writer *w, const struct source_config *config);
bool composites_read(yyjson_val *root, struct arena *arena, struct source_config *config);

/* The file source.json. */
enum status source_config_write(struct sys *sys, const char *path,
                                const struct source_config *config, struct uuid incarnation,
                                int64_t created_us, struct error *err);
enum status source_config_read(struct sys *sys, const char *path, struct arena *arena,
                               struct source_config *ret, struct uuid *ret_incarnation,
                               int64_t *ret_created_us, struct error *err);

/* --- recover.c, source_files.c: files that nothing refers to --- */

/* Called for each file below data/, index/ and metadata/ of a source that nothing refers to. */
typedef enum status (*orphan_fn)(void *context, const char *path, struct error *err);
/* The source in `dir`, loaded as the store would load it; nothing is changed. */
enum status source_find_orphans(struct sys *sys, const char *dir, orphan_fn visit, void *context,
                                struct error *err);

/* --- mutation.c --- */

/* What a frame of kind WAL_MUTATION holds: how many rows it deletes, and its own (NULL: none). */
enum status mutation_decode(struct slice payload, uint64_t *ret_deleted, struct batch **ret_batch,
                            struct error *err);

/* --- source_files.c: a state of a source that stays while it is copied --- */

struct source_pin {
    struct source *source; /* borrowed */
    struct snapshot *snapshot;
    struct table *table; /* while `fn` runs */
    const struct source_config *config;
    char dir[SYS_PATH_MAX];
};
/* Pins the present snapshot: its segments' files stay until source_unpin. `fn` (may be NULL) runs
 * while nothing is flushed or removed, so that the metadata files are those of the snapshot. With a
 * failure of `fn` nothing stays pinned. */
enum status source_pin(struct source *source,
                       enum status (*fn)(void *context, const struct source_pin *pin,
                                         struct error *err),
                       void *context, struct source_pin *ret, struct error *err);
void source_unpin(struct source_pin *pin);
bool source_is_removed(struct source *source);
struct sys *store_sys(const struct store *store);
const char *store_path(const struct store *store);

#endif

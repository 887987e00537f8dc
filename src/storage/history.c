/* history.c: the older states of a source: loading, finding, listing, tags, rollback.
 *
 * Each kept snapshot is in memory whole; snapshots share their segments, so one costs a pointer a
 * segment. A kept snapshot whose description is damaged does not stop the store: it is listed as
 * damaged, cannot be read, and no file is removed while it is kept. */
#include "storage/store_int.h"

#include <stdlib.h>

#include "base/datetime.h"

/* --- loading --- */

/* Newest first: a state shares the segments of those read before it. */
static enum status load_entries(struct source *source, struct table_reader *reader,
                                const struct snapshot_refs *refs, struct error *err)
{
    struct history *history = &source->history;
    for (uint32_t i = history->len; i-- > 0;) {
        struct history_entry *entry = &history->entries[i];
        entry->id = refs->ids[i];
        enum status status = table_read(reader, entry->id, &entry->snapshot, err);
        if (status != STATUS_OK && status != STATUS_CORRUPT)
            return status;
    }
    return STATUS_OK;
}

enum status history_load(struct source *source, struct table_reader *reader, struct error *err)
{
    struct history *history = &source->history;
    struct snapshot_refs refs;
    TRY(table_refs(source->table, &refs, err));
    history->entries = calloc(refs.ids_len + 1u, sizeof *history->entries);
    enum status status = history->entries ? STATUS_OK : error_no_memory(err);
    if (status == STATUS_OK) {
        history->len = refs.ids_len;
        history->tags = refs.tags;
        history->tags_len = refs.tags_len;
        refs.tags = NULL;
        status = load_entries(source, reader, &refs, err);
    }
    snapshot_refs_release(&refs);
    return status;
}

void history_release(struct history *history)
{
    for (uint32_t i = 0; i < history->len; i++)
        snapshot_unref(history->entries[i].snapshot);
    for (uint32_t i = 0; i < history->doomed_len; i++) {
        segment_unref(history->doomed[i].segment);
        deletion_unref(history->doomed[i].deletion);
    }
    free(history->entries);
    free(history->tags);
    free(history->doomed);
}

bool history_is_damaged(const struct history *history)
{
    for (uint32_t i = 0; i < history->len; i++) {
        if (!history->entries[i].snapshot)
            return true;
    }
    return false;
}

void history_pin(const struct history *history)
{
    for (uint32_t i = 0; i < history->len; i++) {
        if (history->entries[i].snapshot)
            snapshot_pin(history->entries[i].snapshot);
    }
    for (uint32_t i = 0; i < history->doomed_len; i++) {
        if (history->doomed[i].segment)
            segment_pin(history->doomed[i].segment);
        (void)deletion_load(history->doomed[i].deletion, NULL);
    }
}

/* Sidecars that were made later are in no description: those in force are looked for. */
static void unlink_segment(struct source *source, struct segment *segment)
{
    struct index_def indexes[SOURCE_INDEXES_MAX];
    uint32_t len = source_indexes(source_config(source), source->snapshot->schema, indexes);
    for (uint32_t i = 0; i < len; i++)
        (void)segment_index_look(segment, &indexes[i]);
    segment_unlink(segment);
}

void history_collect(struct source *source)
{
    struct history *history = &source->history;
    uint32_t left = 0;
    if (source->removed || history->unsure)
        return;
    for (uint32_t i = 0; i < history->doomed_len; i++) {
        struct doomed *doomed = &history->doomed[i];
        if (doomed->segment && segment_is_last(doomed->segment)) {
            unlink_segment(source, doomed->segment);
            segment_unref(doomed->segment);
        } else if (doomed->deletion && deletion_is_last(doomed->deletion)) {
            deletion_unlink(doomed->deletion);
            deletion_unref(doomed->deletion);
        } else {
            history->doomed[left++] = *doomed;
        }
    }
    atomic_store(&history->doomed_len, left);
}

/* --- finding --- */

static bool is_digits(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
    }
    return text.len > 0;
}

static enum status check_tag(struct str name, struct error *err)
{
    bool good = name.len > 0 && name.len <= TAG_NAME_MAX && !is_digits(name) &&
                !str_is(name, "main"); /* the table's branch */
    for (size_t i = 0; i < name.len && good; i++) {
        char c = name.data[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        good = letter || c == '_' || (i && (c == '.' || c == '-'));
    }
    return good ? STATUS_OK
                : error_set(err, STATUS_INVALID_ARGUMENT,
                            "a tag has 1 to %d letters, digits, '_', '.', '-', does not begin with "
                            "'.' or '-', and is neither a number nor \"main\"",
                            TAG_NAME_MAX);
}

enum status as_of_parse(struct str text, struct as_of *ret, struct error *err)
{
    *ret = (struct as_of){.kind = AS_OF_TAG, .tag = text};
    if (is_digits(text)) {
        ret->kind = AS_OF_ID;
        for (size_t i = 0; i < text.len; i++) {
            if (ret->id > (UINT64_MAX - 9) / 10)
                return error_set(err, STATUS_INVALID_ARGUMENT, "as_of: the number is too large");
            ret->id = ret->id * 10 + (uint64_t)(text.data[i] - '0');
        }
        return STATUS_OK;
    }
    if (timestamp_parse(text, &ret->time_us)) {
        ret->kind = AS_OF_TIME;
        return STATUS_OK;
    }
    return check_tag(text, err);
}

/* Number of the entry with that id; history->len: the current one; or -1. */
static int64_t find_id(const struct source *source, uint64_t id)
{
    const struct history *history = &source->history;
    if (source->snapshot->id == id && id)
        return history->len;
    for (uint32_t i = 0; i < history->len; i++) {
        if (history->entries[i].id == id)
            return i;
    }
    return -1;
}

static int64_t find_time(const struct source *source, int64_t time_us)
{
    const struct history *history = &source->history;
    if (source->snapshot->id && source->snapshot->time_us <= time_us)
        return history->len;
    for (uint32_t i = history->len; i-- > 0;) {
        const struct snapshot *snapshot = history->entries[i].snapshot;
        if (snapshot && snapshot->time_us <= time_us)
            return i;
    }
    return -1;
}

static const struct snapshot_tag *find_tag(const struct history *history, struct str name)
{
    for (uint32_t i = 0; i < history->tags_len; i++) {
        if (str_is(name, history->tags[i].name))
            return &history->tags[i];
    }
    return NULL;
}

enum status history_find(struct source *source, const struct as_of *as_of, struct snapshot **ret,
                         struct error *err)
{
    const struct history *history = &source->history;
    struct str name = source->config.source_id;
    int64_t at =
        as_of->kind == AS_OF_TIME ? find_time(source, as_of->time_us) : find_id(source, as_of->id);
    if (as_of->kind == AS_OF_TAG) {
        const struct snapshot_tag *tag = find_tag(history, as_of->tag);
        if (!tag)
            return error_set(err, STATUS_NOT_FOUND, "source \"%.*s\" has no tag \"%.*s\"",
                             STR_ARG(name), STR_ARG(as_of->tag));
        at = find_id(source, tag->id);
    }
    if (at < 0 && as_of->kind == AS_OF_TIME)
        return error_set(err, STATUS_NOT_FOUND,
                         "source \"%.*s\": no state of that time is kept any more, or there was "
                         "none yet",
                         STR_ARG(name));
    if (at < 0)
        return error_set(err, STATUS_NOT_FOUND, "source \"%.*s\" has no snapshot %llu",
                         STR_ARG(name), (unsigned long long)as_of->id);
    *ret = at == history->len ? source->snapshot : history->entries[at].snapshot;
    if (!*ret)
        return error_set(err, STATUS_CORRUPT,
                         "%s/metadata: the files of snapshot %llu are damaged (fsck names them)",
                         source->dir, (unsigned long long)history->entries[at].id);
    return STATUS_OK;
}

/* --- listing --- */

static enum status fill_tags(const struct history *history, struct snapshot_list *list,
                             struct snapshot_info *info)
{
    info->tags = arena_array(&list->arena, history->tags_len + 1u, sizeof *info->tags);
    if (!info->tags)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < history->tags_len; i++) {
        if (history->tags[i].id != info->id)
            continue;
        const char *copy = arena_str(&list->arena, str_of(history->tags[i].name)).data;
        if (!copy)
            return STATUS_NO_MEMORY;
        info->tags[info->tags_len++] = copy;
    }
    return STATUS_OK;
}

static enum status fill_info(const struct source *source, const struct snapshot *snapshot,
                             uint64_t id, struct snapshot_list *list)
{
    struct snapshot_info *info = &list->items[list->len++];
    *info = (struct snapshot_info){.id = id, .is_damaged = !snapshot};
    if (snapshot) {
        info->parent = snapshot->parent;
        info->time_us = snapshot->time_us;
        info->operation = snapshot->operation;
        info->lsn = snapshot->lsn;
        info->rows = snapshot->rows;
        info->bytes = snapshot->bytes;
        info->files = snapshot->segments_len;
        info->added = snapshot->added;
        info->removed = snapshot->removed;
        info->is_current = snapshot == source->snapshot;
    }
    return fill_tags(&source->history, list, info);
}

enum status source_list_snapshots(struct source *source, struct snapshot_list *ret,
                                  struct error *err)
{
    *ret = (struct snapshot_list){0};
    arena_init(&ret->arena, 0);
    pthread_mutex_lock(&source->lock);
    const struct history *history = &source->history;
    ret->items = arena_array(&ret->arena, history->len + 1u, sizeof *ret->items);
    enum status status = ret->items ? STATUS_OK : STATUS_NO_MEMORY;
    if (status == STATUS_OK && source->snapshot->id)
        status = fill_info(source, source->snapshot, source->snapshot->id, ret);
    for (uint32_t i = history->len; i-- > 0 && status == STATUS_OK;)
        status = fill_info(source, history->entries[i].snapshot, history->entries[i].id, ret);
    pthread_mutex_unlock(&source->lock);
    if (status == STATUS_OK)
        return STATUS_OK;
    snapshot_list_release(ret);
    return error_no_memory(err);
}

void snapshot_list_release(struct snapshot_list *list)
{
    arena_release(&list->arena);
    *list = (struct snapshot_list){0};
}

/* --- tags --- */

static enum status refuse_read_only(const struct source *source, struct error *err)
{
    if (source->store->options.read_only)
        return error_set(err, STATUS_UNAVAILABLE, "the store is open for reading only");
    return STATUS_OK;
}

/* flush_lock is held. Puts `name` -> `id` in place of what is at `skip` (tags_len: nothing). */
static enum status change_tags(struct source *source, struct str name, uint64_t id, uint32_t skip,
                               struct error *err)
{
    const struct history *history = &source->history;
    struct snapshot_tag *tags = calloc(history->tags_len + 2u, sizeof *tags);
    uint32_t len = 0;
    if (!tags)
        return error_no_memory(err);
    for (uint32_t i = 0; i < history->tags_len; i++) {
        if (i != skip)
            tags[len++] = history->tags[i];
    }
    if (name.data) {
        memcpy(tags[len].name, name.data, name.len);
        tags[len++].id = id;
    }
    enum status status = history_set_tags(source, tags, len, err);
    if (status != STATUS_OK)
        free(tags);
    return status;
}

static enum status tag_locked(struct source *source, uint64_t id, struct str name,
                              struct error *err)
{
    const struct history *history = &source->history;
    const struct snapshot_tag *same = find_tag(history, name);
    if (find_id(source, id) < 0)
        return error_set(err, STATUS_NOT_FOUND, "source \"%.*s\" has no snapshot %llu",
                         STR_ARG(source->config.source_id), (unsigned long long)id);
    if (same && same->id == id)
        return STATUS_OK;
    if (same)
        return error_set(err, STATUS_CONFLICT, "the tag \"%.*s\" names snapshot %llu",
                         STR_ARG(name), (unsigned long long)same->id);
    if (history->tags_len >= SNAPSHOT_TAGS_MAX)
        return error_set(err, STATUS_RESOURCE_LIMIT, "a source has at most %d tags",
                         SNAPSHOT_TAGS_MAX);
    return change_tags(source, name, id, history->tags_len, err);
}

enum status source_tag(struct source *source, uint64_t snapshot_id, struct str name,
                       struct error *err)
{
    TRY(refuse_read_only(source, err));
    TRY(check_tag(name, err));
    pthread_mutex_lock(&source->flush_lock);
    enum status status = tag_locked(source, snapshot_id, name, err);
    pthread_mutex_unlock(&source->flush_lock);
    return status;
}

enum status source_untag(struct source *source, struct str name, struct error *err)
{
    TRY(refuse_read_only(source, err));
    TRY(check_tag(name, err));
    pthread_mutex_lock(&source->flush_lock);
    const struct snapshot_tag *tag = find_tag(&source->history, name);
    enum status status =
        tag ? change_tags(source, STR_NONE, 0, (uint32_t)(tag - source->history.tags), err)
            : error_set(err, STATUS_NOT_FOUND, "source \"%.*s\" has no tag \"%.*s\"",
                        STR_ARG(source->config.source_id), STR_ARG(name));
    pthread_mutex_unlock(&source->flush_lock);
    return status;
}

/* --- rollback and expiry --- */

static enum status commit_old(struct source *source, struct snapshot *old, struct error *err)
{
    struct commit commit = {0};
    struct snapshot *new =
        snapshot_new(source->snapshot->schema, old->segments, old->segments_len, err);
    if (!new)
        return STATUS_NO_MEMORY;
    new->restored = old->id;
    enum status status = snapshot_keep_deletions(new, old, err);
    if (status == STATUS_OK)
        status = commit_begin(&commit, source, new, SNAPSHOT_ROLLBACK, err);
    if (status == STATUS_OK)
        status = commit_keep_write_ids(source, new, err);
    if (status == STATUS_OK)
        status = commit_write(&commit, err);
    if (status == STATUS_OK) {
        pthread_mutex_lock(&source->lock);
        struct snapshot *former = commit_publish(&commit);
        source->last_updated_us = new->time_us;
        pthread_mutex_unlock(&source->lock);
        snapshot_unref(former);
        commit_finish(&commit);
    }
    commit_release(&commit);
    snapshot_unref(new);
    return status;
}

/* flush_lock is held. */
static enum status commit_held(struct source *source, struct snapshot *old, struct error *err)
{
    struct snapshot *found;
    TRY(source_flush_locked(source, err));
    if (old == source->snapshot)
        return STATUS_OK;
    /* The flush may have let it expire: then its files are no longer safe. */
    TRY(history_find(source, &(struct as_of){.kind = AS_OF_ID, .id = old->id}, &found, err));
    return commit_old(source, old, err);
}

/* flush_lock is held. */
static enum status rollback_locked(struct source *source, const struct as_of *as_of,
                                   struct error *err)
{
    struct snapshot *old = NULL;
    if (source->removed)
        return error_set(err, STATUS_UNKNOWN_SOURCE, "the source has been removed");
    TRY(history_find(source, as_of, &old, err));
    snapshot_ref(old);
    enum status status = commit_held(source, old, err);
    snapshot_unref(old);
    return status;
}

enum status source_rollback(struct source *source, const struct as_of *as_of,
                            uint64_t *ret_snapshot_id, struct error *err)
{
    TRY(refuse_read_only(source, err));
    pthread_mutex_lock(&source->flush_lock);
    enum status status = rollback_locked(source, as_of, err);
    *ret_snapshot_id = source->snapshot->id;
    pthread_mutex_unlock(&source->flush_lock);
    return status;
}

enum status source_expire(struct source *source, struct error *err)
{
    TRY(refuse_read_only(source, err));
    pthread_mutex_lock(&source->flush_lock);
    enum status status = source->removed ? STATUS_OK : history_expire(source, err);
    pthread_mutex_unlock(&source->flush_lock);
    return status;
}

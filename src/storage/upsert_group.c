/* upsert_group.c: small upserts of a source that come at the same time become one mutation with one
 * sync.
 *
 *   1. who comes joins the queue; when nobody leads he does, else he waits
 *   2. the leader begins a mutation (so he waits for flushes and other mutations), and only then
 *      takes who has queued up by now, in their order
 *   3. their batches become one, the last row of a key wins; each one's counts are those it would
 *      have had alone, after those before it (upsert_replace)
 *   4. all are told; somebody who has come meanwhile leads the next group
 * A group that cannot be stored for the sake of one of them (a row that does not fit) stores
 * nothing: then each goes on alone, for an error of his own. So do large ones, those with a write
 * id (a frame has one) and those with rows of another source beside them. */
#include <stdlib.h>

#include "storage/store_int.h"

enum {
    GROUP_MEMBERS_MAX = 64,
    GROUP_MEMBER_ROWS_MAX = 1000, /* of one that joins */
    GROUP_ROWS_MAX = 16000,
};

/* One upsert that waits; on its thread's stack. */
struct upsert_member {
    struct upsert_member *next;
    struct batch *batch;
    bool done, alone;
    enum status status;
    struct error error;
    struct write_result result;
};

struct group {
    struct source *source;
    struct upsert_member *members[GROUP_MEMBERS_MAX];
    struct upsert_part parts[GROUP_MEMBERS_MAX];
    uint32_t len, rows;
};

static void take_members(struct group *group)
{
    struct source *source = group->source;
    pthread_mutex_lock(&source->upsert_lock);
    while (source->upserts && group->len < GROUP_MEMBERS_MAX &&
           group->rows + source->upserts->batch->rows <= GROUP_ROWS_MAX) {
        struct upsert_member *member = source->upserts;
        source->upserts = member->next;
        source->upserts_len--;
        group->rows += member->batch->rows;
        group->members[group->len++] = member;
    }
    pthread_mutex_unlock(&source->upsert_lock);
}

/* --- 3 --- */

static enum status join_batches(struct group *group, struct batch *all, struct error *err)
{
    for (uint32_t i = 0; i < group->len; i++) {
        struct upsert_member *member = group->members[i];
        struct schema *schema = NULL;
        TRY(source_fit_batch(group->source, member->batch, &schema, err));
        schema_unref(schema);
        TRY(batch_append(all, member->batch, 0, member->batch->rows, err));
        all->epoch = member->batch->epoch;
        group->parts[i] = (struct upsert_part){all->rows, &member->result};
    }
    return STATUS_OK;
}

static enum status store_group(struct group *group, struct mutation *mutation,
                               struct write_result *result, struct error *err)
{
    if (group->len == 1) {
        group->parts[0] =
            (struct upsert_part){group->members[0]->batch->rows, &group->members[0]->result};
        return upsert_replace(mutation, group->source, group->members[0]->batch, group->parts, 1,
                              result, err);
    }
    struct batch *all = batch_new();
    if (!all)
        return error_no_memory(err);
    enum status status = join_batches(group, all, err);
    if (status == STATUS_OK)
        status =
            upsert_replace(mutation, group->source, all, group->parts, group->len, result, err);
    batch_unref(all);
    return status;
}

/* Of the log or the machine, whoever's rows they were. */
static bool is_everybodys(enum status status)
{
    return status == STATUS_OK || status == STATUS_STORAGE_FULL || status == STATUS_UNAVAILABLE ||
           status == STATUS_TOO_MANY_REQUESTS;
}

/* --- 4 --- */

static void tell(struct group *group, enum status status, const struct error *error, uint64_t lsn)
{
    bool alone = group->len > 1 && !is_everybodys(status);
    pthread_mutex_lock(&group->source->upsert_lock);
    for (uint32_t i = 0; i < group->len; i++) {
        struct upsert_member *member = group->members[i];
        member->result.lsn = lsn;
        member->alone = alone;
        member->status = status;
        member->error = *error;
        member->done = true;
    }
    pthread_mutex_unlock(&group->source->upsert_lock);
}

static void lead_group(struct source *source)
{
    struct group group = {.source = source};
    struct mutation *mutation = NULL;
    struct write_result result = {0};
    struct error error = ERROR_INIT;
    enum status status = mutation_begin(source, STR_NONE, &mutation, &result, &error);
    take_members(&group);
    if (status == STATUS_OK)
        status = store_group(&group, mutation, &result, &error);
    mutation_end(mutation);
    if (status == STATUS_OK)
        atomic_fetch_add(&source->store->writes, group.len - 1); /* one is counted already */
    tell(&group, status, &error, result.lsn);
}

/* --- 1 --- */

static void join(struct source *source, struct upsert_member *member)
{
    pthread_mutex_lock(&source->upsert_lock);
    struct upsert_member **end = &source->upserts;
    while (*end)
        end = &(*end)->next;
    *end = member;
    source->upserts_len++;
    while (!member->done) {
        if (source->upserts_led) {
            pthread_cond_wait(&source->upserts_over, &source->upsert_lock);
            continue;
        }
        source->upserts_led = true;
        pthread_mutex_unlock(&source->upsert_lock);
        lead_group(source);
        pthread_mutex_lock(&source->upsert_lock);
        source->upserts_led = false;
        pthread_cond_broadcast(&source->upserts_over);
    }
    pthread_mutex_unlock(&source->upsert_lock);
}

static enum status upsert_alone(struct source *source, struct batch *batch, struct str write_id,
                                const struct write_side *side, struct write_result *ret_result,
                                struct error *err)
{
    struct mutation *mutation = NULL;
    TRY(mutation_begin(source, write_id, &mutation, ret_result, err));
    if (!mutation)
        return STATUS_OK;
    mutation_set_side(mutation, side);
    enum status status = upsert_replace(mutation, source, batch, NULL, 0, ret_result, err);
    mutation_end(mutation);
    return status;
}

enum status source_upsert_with(struct source *source, struct batch *batch, struct str write_id,
                               const struct write_side *side, struct write_result *ret_result,
                               struct error *err)
{
    const struct source_config *config = source_config(source);
    *ret_result = (struct write_result){0};
    if (config->key_columns_len == 0)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "the source \"%.*s\" has no key_columns to upsert by",
                         STR_ARG(config->source_id));
    if (batch->rows == 0)
        return error_set(err, STATUS_INVALID_ARGUMENT, "a write holds at least one record");
    struct upsert_member member = {.batch = batch, .error = ERROR_INIT, .alone = true};
    if (!write_id.data && !side && batch->rows <= GROUP_MEMBER_ROWS_MAX)
        join(source, &member);
    if (member.alone)
        return upsert_alone(source, batch, write_id, side, ret_result, err);
    *ret_result = member.result;
    if (member.status != STATUS_OK && err)
        *err = member.error;
    return member.status;
}

enum status source_upsert(struct source *source, struct batch *batch, struct str write_id,
                          struct write_result *ret_result, struct error *err)
{
    return source_upsert_with(source, batch, write_id, NULL, ret_result, err);
}

/* commit_plan.c: the rules of a commit over a record_set. */
#include <stdlib.h>

#include "catalog/record_set.h"

/* What the changes before made of the id; *ret_planned false when none touched it. */
static const struct record *planned_get(const struct commit_plan *plan, enum domain domain,
                                        struct str id, bool *ret_planned)
{
    for (uint32_t i = plan->len; i-- > 0;) {
        const struct planned *item = &plan->items[i];
        if (item->domain != domain || !str_eq(item->id, id))
            continue;
        *ret_planned = true;
        return item->after;
    }
    *ret_planned = false;
    return NULL;
}

static const struct record *current(const struct record_set *set, const struct commit_plan *plan,
                                    enum domain domain, struct str id)
{
    bool planned = false;
    const struct record *record = planned_get(plan, domain, id, &planned);
    return planned ? record : record_set_get(set, domain, id);
}

/* Whether a live record other than `record` has its key. */
static bool key_taken(const struct record_set *set, const struct commit_plan *plan,
                      const struct record *record)
{
    if (!record->key.len || record->deleted_us)
        return false;
    for (uint32_t i = 0; i < plan->len; i++) {
        const struct record *after = plan->items[i].after;
        if (!after || after->domain != record->domain || after->deleted_us ||
            str_eq(after->id, record->id) || !str_eq(after->key, record->key) ||
            !str_eq(after->tenant, record->tenant))
            continue;
        if (current(set, plan, after->domain, after->id) == after)
            return true;
    }
    const struct record *stored = record_set_find(set, record->domain, record->tenant, record->key);
    return stored && !str_eq(stored->id, record->id) &&
           current(set, plan, stored->domain, stored->id) == stored;
}

static enum status plan_put(struct commit_plan *plan, const struct record *record,
                            const struct record *old, struct error *err)
{
    struct record wanted = *record;
    if (old) {
        wanted.access_count = old->access_count;
        if (old->accessed_us > wanted.accessed_us)
            wanted.accessed_us = old->accessed_us;
        wanted.created_us = old->created_us;
    }
    struct record *after = record_clone(&wanted);
    if (!after)
        return error_no_memory(err);
    plan->items[plan->len++] =
        (struct planned){.domain = record->domain, .id = record->id, .after = after};
    return STATUS_OK;
}

static enum status plan_touch(struct commit_plan *plan, const struct record *record,
                              const struct record *old, struct error *err)
{
    if (!old || !str_eq(old->tenant, record->tenant) ||
        !record_has_field(record->domain, RECORD_accessed_us))
        return STATUS_OK;
    struct record *after = record_clone(old);
    if (!after)
        return error_no_memory(err);
    if (record_has_field(record->domain, RECORD_access_count))
        after->access_count += record->access_count;
    if (record->accessed_us > after->accessed_us)
        after->accessed_us = record->accessed_us;
    plan->items[plan->len++] =
        (struct planned){.domain = record->domain, .id = record->id, .after = after};
    return STATUS_OK;
}

static enum status plan_change(const struct record_set *set, struct commit_plan *plan,
                               const struct change *change, uint32_t at, struct commit_result *ret,
                               struct error *err)
{
    const struct record *record = change->record;
    const struct record *old = current(set, plan, record->domain, record->id);
    if (change->kind == CHANGE_TOUCH)
        return plan_touch(plan, record, old, err);
    if (change->kind == CHANGE_INSERT) {
        if (old)
            return commit_refused(ret, CONFLICT_ID, at, 0, err);
        if (key_taken(set, plan, record))
            return commit_refused(ret, CONFLICT_KEY, at, 0, err);
        return plan_put(plan, record, NULL, err);
    }
    if (!old || !str_eq(old->tenant, record->tenant))
        return commit_refused(ret, CONFLICT_MISSING, at, 0, err);
    bool any = change->kind == CHANGE_REMOVE && !change->expected;
    if (!any && old->revision != change->expected)
        return commit_refused(ret, CONFLICT_REVISION, at, old->revision, err);
    if (change->kind == CHANGE_REMOVE) {
        plan->items[plan->len++] = (struct planned){.domain = record->domain, .id = record->id};
        return STATUS_OK;
    }
    if (key_taken(set, plan, record))
        return commit_refused(ret, CONFLICT_KEY, at, 0, err);
    return plan_put(plan, record, old, err);
}

enum status commit_plan_make(const struct record_set *set, const struct change *changes,
                             uint32_t len, struct commit_plan *plan, struct commit_result *ret,
                             struct error *err)
{
    *plan = (struct commit_plan){.items = calloc(len, sizeof(struct planned))};
    if (!plan->items)
        return error_no_memory(err);
    for (uint32_t i = 0; i < len; i++)
        TRY(plan_change(set, plan, &changes[i], i, ret, err));
    return STATUS_OK;
}

enum status commit_plan_apply(struct record_set *set, struct commit_plan *plan, struct error *err)
{
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < plan->len; i++) {
        struct planned *item = &plan->items[i];
        if (!item->after) {
            record_set_remove(set, item->domain, item->id);
        } else {
            enum status put = record_set_put(set, item->after, err);
            status = put == STATUS_OK ? status : put;
        }
        item->after = NULL;
    }
    return status;
}

void commit_plan_release(struct commit_plan *plan)
{
    for (uint32_t i = 0; i < plan->len; i++)
        free(plan->items[i].after);
    free(plan->items);
    *plan = (struct commit_plan){0};
}

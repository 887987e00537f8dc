/* restore.c: a catalog as it was at a time (journal.h).
 *
 * 1. The journal tells what changed since (pass 1).
 * 2. Every record is copied; what changed since is copied as it was, or left out; what is gone by
 *    now is added. All that together is the state at that time, which has no conflicts.
 * 3. The journal again (pass 2): records that changed only while they were copied. They are taken
 *    out of the copy and put in as they were. */
#include <stdlib.h>

#include "catalog/journal.h"
#include "catalog/transfer.h"

enum { PAGE = 200, SLOTS = 1 << 21 };

struct entry {
    struct journal_entry then;
    int pass;
    bool seen; /* met while copying */
    struct entry *next;
};

struct restore {
    struct backend *from, *to;
    struct arena arena;
    struct entry **slots; /* by domain and id: open addressing */
    struct entry *entries;
    uint32_t len;
    int pass;
    struct entry *waiting; /* had no place while copying */
    bool last_chance;
    struct restore_result *result;
};

static struct entry **slot_of(const struct restore *restore, enum domain domain, struct str id)
{
    for (uint64_t at = str_hash(id) + (uint64_t)domain;; at++) {
        struct entry **slot = &restore->slots[at % SLOTS];
        if (!*slot ||
            ((*slot)->then.record.domain == domain && str_eq((*slot)->then.record.id, id)))
            return slot;
    }
}

static enum status remember(void *context, const struct journal_entry *then, struct error *err)
{
    struct restore *restore = context;
    struct entry **slot = slot_of(restore, then->record.domain, then->record.id);
    if (*slot)
        return STATUS_OK; /* known from pass 1: the first change counts */
    if (restore->len == RESTORE_RECORDS_MAX)
        return error_set(err, STATUS_RESOURCE_LIMIT,
                         "more than %d records changed since then: restore a backup",
                         RESTORE_RECORDS_MAX);
    struct entry *entry = ARENA_NEW(&restore->arena, struct entry);
    if (!entry)
        return error_no_memory(err);
    *entry = (struct entry){.pass = restore->pass, .next = restore->entries};
    entry->then.existed = then->existed;
    TRY(record_copy(&then->record, &restore->arena, &entry->then.record, err));
    restore->entries = *slot = entry;
    restore->len++;
    return STATUS_OK;
}

/* --- copying --- */

static enum status insert_one(struct restore *restore, const struct record *record,
                              struct error *err)
{
    struct change change = {.kind = CHANGE_INSERT, .record = record};
    enum status status = backend_commit(restore->to, &change, 1, NULL, err);
    if (status != STATUS_CONFLICT || restore->last_chance)
        return status;
    /* Another has its name: one of them changed in this moment. */
    struct entry *entry = ARENA_NEW(&restore->arena, struct entry);
    if (!entry)
        return error_no_memory(err);
    *entry = (struct entry){.next = restore->waiting};
    restore->waiting = entry;
    return record_copy(record, &restore->arena, &entry->then.record, err);
}

static enum status insert_all(struct restore *restore, const struct change *changes, uint32_t len,
                              struct error *err)
{
    enum status status = len ? backend_commit(restore->to, changes, len, NULL, err) : STATUS_OK;
    if (status != STATUS_CONFLICT)
        return status;
    for (uint32_t i = 0; i < len; i++)
        TRY(insert_one(restore, changes[i].record, err));
    return STATUS_OK;
}

/* One page, each record as it was. */
static enum status copy_page(struct restore *restore, enum domain domain,
                             const struct record_page *page, struct error *err)
{
    struct change changes[PAGE];
    uint32_t len = 0;
    for (uint32_t i = 0; i < page->len; i++) {
        struct entry *entry = *slot_of(restore, domain, page->records[i].id);
        const struct record *record = entry ? &entry->then.record : &page->records[i];
        if (entry)
            entry->seen = true;
        restore->result->left_out += entry && !entry->then.existed;
        restore->result->undone += entry && entry->then.existed;
        if (!entry || entry->then.existed)
            changes[len++] = (struct change){.kind = CHANGE_INSERT, .record = record};
    }
    return insert_all(restore, changes, len, err);
}

typedef enum status (*page_fn)(struct restore *restore, enum domain domain,
                               const struct record_page *page, struct error *err);

static enum status each_page(struct restore *restore, struct backend *backend, enum domain domain,
                             page_fn visit, struct error *err)
{
    char after[64] = "";
    for (;;) {
        struct arena arena;
        struct record_page page = {0};
        arena_init(&arena, 0);
        enum status status = backend_scan(backend, domain, str_of(after), PAGE, &arena, &page, err);
        if (status == STATUS_OK && page.len) {
            struct str last = page.records[page.len - 1].id;
            memcpy(after, last.data, last.len);
            after[last.len] = 0;
            status = visit(restore, domain, &page, err);
        }
        arena_release(&arena);
        if (status != STATUS_OK || page.len < PAGE)
            return status;
    }
}

/* What is gone by now. */
static enum status add_gone(struct restore *restore, struct error *err)
{
    for (struct entry *entry = restore->entries; entry; entry = entry->next) {
        if (entry->seen || !entry->then.existed)
            continue;
        TRY(insert_one(restore, &entry->then.record, err));
        restore->result->undone++;
    }
    return STATUS_OK;
}

/* --- what changed meanwhile --- */

static enum status take_out(struct restore *restore, enum domain domain,
                            const struct record_page *page, struct error *err)
{
    struct change changes[PAGE];
    uint32_t len = 0;
    for (uint32_t i = 0; i < page->len; i++) {
        const struct entry *entry = *slot_of(restore, domain, page->records[i].id);
        if (entry && entry->pass == 2)
            changes[len++] = (struct change){.kind = CHANGE_REMOVE, .record = &page->records[i]};
    }
    return len ? backend_commit(restore->to, changes, len, NULL, err) : STATUS_OK;
}

static enum status mend(struct restore *restore, struct error *err)
{
    for (int domain = 0; domain < DOMAIN_COUNT; domain++)
        TRY(each_page(restore, restore->to, (enum domain)domain, take_out, err));
    restore->last_chance = true;
    for (struct entry *entry = restore->entries; entry && entry->pass == 2; entry = entry->next)
        if (entry->then.existed)
            TRY(insert_one(restore, &entry->then.record, err));
    for (const struct entry *entry = restore->waiting; entry; entry = entry->next) {
        const struct entry *known =
            *slot_of(restore, entry->then.record.domain, entry->then.record.id);
        if (!known || known->pass == 1)
            TRY(insert_one(restore, &entry->then.record, err));
    }
    return STATUS_OK;
}

static enum status run(struct restore *restore, int64_t at_us, struct error *err)
{
    struct catalog_digest digest;
    restore->pass = 1;
    TRY(journal_read(restore->from, at_us, remember, restore, err));
    for (int domain = 0; domain < DOMAIN_COUNT; domain++)
        TRY(each_page(restore, restore->from, (enum domain)domain, copy_page, err));
    TRY(add_gone(restore, err));
    uint32_t known = restore->len;
    restore->pass = 2;
    TRY(journal_read(restore->from, at_us, remember, restore, err));
    if (restore->len > known || restore->waiting)
        TRY(mend(restore, err));
    TRY(catalog_digest(restore->to, &digest, err));
    for (int domain = 0; domain < DOMAIN_COUNT; domain++)
        restore->result->records += digest.count[domain];
    return STATUS_OK;
}

enum status catalog_restore_at(struct backend *from, struct backend *to, int64_t at_us,
                               struct restore_result *ret, struct error *err)
{
    struct restore restore = {.from = from, .to = to, .result = ret};
    *ret = (struct restore_result){0};
    restore.slots = calloc(SLOTS, sizeof *restore.slots);
    if (!restore.slots)
        return error_no_memory(err);
    arena_init(&restore.arena, 0);
    enum status status = run(&restore, at_us, err);
    arena_release(&restore.arena);
    free(restore.slots);
    return status;
}

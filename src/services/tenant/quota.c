/* quota.c: what the tenant may store (service/tenant_book.h). Bytes are those of its files, counted
 * at most every QUOTA_COUNT_US: a tenant may go over its quota by what it writes in between and by
 * what is not flushed yet. */
#include <stdatomic.h>

#include "service/tenant_book.h"
#include "services/tenant/tenant_int.h"

enum { QUOTA_COUNT_US = 1000000 };

static enum status count_bytes(struct tenant_node *node, uint64_t *ret, struct error *err)
{
    struct source_set set;
    struct source_stats stats;
    *ret = 0;
    TRY(source_set_open(node, NULL, &set, err));
    for (uint32_t i = 0; i < set.len; i++) {
        source_get_stats(set.sources[i], &stats);
        *ret += stats.bytes;
    }
    source_set_close(&set);
    return STATUS_OK;
}

/* Two threads may count at the same time: both come to the same. */
static enum status used_bytes(struct tenant_node *node, uint64_t *ret, struct error *err)
{
    int64_t now_us = sys_mono_us(node->sys), counted_us = atomic_load(&node->quota_counted_us);
    if (!counted_us || now_us - counted_us >= QUOTA_COUNT_US) {
        TRY(count_bytes(node, ret, err));
        atomic_store(&node->quota_bytes, *ret);
        atomic_store(&node->quota_counted_us, now_us ? now_us : 1);
        return STATUS_OK;
    }
    *ret = atomic_load(&node->quota_bytes);
    return STATUS_OK;
}

enum status quota_check_bytes(struct tenant_node *node, struct error *err)
{
    struct tenant_rule rule;
    uint64_t used = 0;
    if (!node->options.gate)
        return STATUS_OK;
    gate_own_rule(node->options.gate, &rule);
    if (rule.max_bytes <= 0)
        return STATUS_OK;
    TRY(used_bytes(node, &used, err));
    return used < (uint64_t)rule.max_bytes
               ? STATUS_OK
               : error_set(err, STATUS_QUOTA_EXCEEDED,
                           "The tenant's files have %llu bytes, and it may have %lld; delete "
                           "something, or ask the operator for more.",
                           (unsigned long long)used, (long long)rule.max_bytes);
}

enum status quota_check_source(struct tenant_node *node, struct str source_id, struct error *err)
{
    struct tenant_rule rule;
    struct source_set set;
    uint32_t count = 0;
    bool known = false;
    if (!node->options.gate)
        return STATUS_OK;
    gate_own_rule(node->options.gate, &rule);
    if (rule.max_sources <= 0)
        return STATUS_OK;
    TRY(source_set_open(node, NULL, &set, err));
    for (uint32_t i = 0; i < set.len; i++) {
        struct str id = source_config(set.sources[i])->source_id;
        known = known || str_eq(id, source_id);
        count += !str_ends(id, STR(".quarantine"));
    }
    source_set_close(&set);
    return known || count < (uint64_t)rule.max_sources
               ? STATUS_OK
               : error_set(
                     err, STATUS_QUOTA_EXCEEDED,
                     "The tenant has %u sources, and it may have %lld; remove one, or ask the "
                     "operator for more.",
                     count, (long long)rule.max_sources);
}

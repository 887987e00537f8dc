/* sim_journal.c: operations on names that are not durable yet, and power cuts. */
#include <stdlib.h>

#include "sys/sim/sim_int.h"

static void op_release(struct sim *sim, struct sim_op *op)
{
    for (int i = 0; i < op->count; i++) {
        free(op->changes[i].name);
        sim_node_drop(sim, op->changes[i].node);
        sim_node_drop(sim, op->changes[i].dir);
    }
    op->count = 0;
}

void sim_journal_clear(struct sim *sim)
{
    for (size_t i = 0; i < sim->op_count; i++)
        op_release(sim, &sim->ops[i]);
    sim->op_count = 0;
}

static bool note(struct sim *sim, const struct sim_change *changes, int count)
{
    if (sim->op_count == sim->op_cap) {
        size_t cap = sim->op_cap ? sim->op_cap * 2 : 16;
        struct sim_op *ops = realloc(sim->ops, cap * sizeof *ops);
        if (!ops)
            return false;
        sim->ops = ops;
        sim->op_cap = cap;
    }
    struct sim_op *op = &sim->ops[sim->op_count];
    op->count = 0;
    for (int i = 0; i < count; i++) {
        char *name = strdup(changes[i].name);
        if (!name) {
            op_release(sim, op);
            return false;
        }
        op->changes[op->count++] = (struct sim_change){sim_node_hold(changes[i].dir), name,
                                                       sim_node_hold(changes[i].node)};
    }
    sim->op_count++;
    return true;
}

enum status sim_journal_do(struct sim *sim, const struct sim_change *changes, int count,
                           struct error *err)
{
    if (!note(sim, changes, count))
        return error_no_memory(err);
    /* Additions last in `changes`, done first: only they can fail. */
    for (int i = count - 1; i >= 0; i--) {
        struct sim_node *dir = changes[i].dir;
        if (!sim_names_set(sim, &dir->names, changes[i].name, changes[i].node)) {
            op_release(sim, &sim->ops[--sim->op_count]);
            return error_no_memory(err);
        }
        dir->modified_us = sim->now_us;
    }
    return STATUS_OK;
}

static bool touches(const struct sim_op *op, struct sim_node *const *dirs, size_t count)
{
    for (int i = 0; i < op->count; i++)
        for (size_t k = 0; k < count; k++)
            if (op->changes[i].dir == dirs[k])
                return true;
    return false;
}

/* Adds a directory to the set; false when it is in it. */
static bool add_dir(struct sim_node **dirs, size_t *count, struct sim_node *dir)
{
    for (size_t k = 0; k < *count; k++)
        if (dirs[k] == dir)
            return false;
    dirs[(*count)++] = dir;
    return true;
}

/* All directories that renames bind to the first one; `dirs` has room for them. */
static size_t bound_dirs(const struct sim *sim, struct sim_node **dirs)
{
    size_t count = 1;
    for (bool more = true; more;) {
        more = false;
        for (size_t i = 0; i < sim->op_count; i++) {
            const struct sim_op *op = &sim->ops[i];
            if (!touches(op, dirs, count))
                continue;
            for (int k = 0; k < op->count; k++)
                more |= add_dir(dirs, &count, op->changes[k].dir);
        }
    }
    return count;
}

enum status sim_journal_sync_dir(struct sim *sim, struct sim_node *dir, struct error *err)
{
    struct sim_node **dirs = malloc((2 * sim->op_count + 1) * sizeof(struct sim_node *));
    if (!dirs)
        return error_no_memory(err);
    dirs[0] = dir;
    size_t count = bound_dirs(sim, dirs);
    bool good = true;
    for (size_t i = 0; i < count && good; i++)
        good = sim_names_copy(sim, &dirs[i]->durable_names, &dirs[i]->names);
    size_t kept = 0;
    for (size_t i = 0; i < sim->op_count && good; i++) {
        if (!touches(&sim->ops[i], dirs, count))
            sim->ops[kept++] = sim->ops[i];
        else
            op_release(sim, &sim->ops[i]);
    }
    if (good)
        sim->op_count = kept;
    free(dirs);
    return good ? STATUS_OK : error_no_memory(err);
}

/* --- power cuts --- */

static void make_names_durable(struct sim *sim, size_t first_ops)
{
    for (size_t i = 0; i < first_ops; i++)
        for (int k = 0; k < sim->ops[i].count; k++) {
            struct sim_change *c = &sim->ops[i].changes[k];
            if (!sim_names_set(sim, &c->dir->durable_names, c->name, c->node))
                abort(); /* a test machine without memory for a name */
        }
}

/* Sectors that differ are old or new by chance, and so is the size. */
static void tear_file(struct sim_node *file, enum sim_cut cut, uint64_t *random)
{
    uint64_t size = file->durable.size;
    uint64_t old_size = size, new_size = file->current.size;
    if (cut == SIM_CUT_RANDOM && new_size != old_size) {
        uint64_t low = old_size < new_size ? old_size : new_size;
        uint64_t span = old_size < new_size ? new_size - old_size : old_size - new_size;
        uint64_t choice = sim_next_random(random) % 4;
        size = choice == 0   ? old_size
               : choice == 1 ? new_size
                             : low + sim_next_random(random) % (span + 1);
    }
    if (!sim_image_resize(&file->durable, size))
        abort();
    uint64_t from = file->dirty_from / SIM_SECTOR * SIM_SECTOR;
    for (uint64_t at = from; at < file->dirty_to && cut == SIM_CUT_RANDOM; at += SIM_SECTOR) {
        if (at >= size || at >= new_size || sim_next_random(random) % 2)
            continue;
        uint64_t end = at + SIM_SECTOR;
        end = end < size ? end : size;
        end = end < new_size ? end : new_size;
        memcpy(file->durable.data + at, file->current.data + at, end - at);
    }
}

static void restore_node(struct sim *sim, struct sim_node *node, enum sim_cut cut, uint64_t *random)
{
    node->locked_by = NULL;
    if (!node->is_dir) {
        tear_file(node, cut, random);
        sim->used -= node->current.size;
        if (!sim_image_resize(&node->current, node->durable.size))
            abort();
        if (node->durable.size)
            memcpy(node->current.data, node->durable.data, node->durable.size);
        node->dirty_from = node->dirty_to = 0;
        sim->used += node->current.size;
        return;
    }
    if (!sim_names_copy(sim, &node->names, &node->durable_names))
        abort();
    for (size_t i = 0; i < node->names.count; i++)
        restore_node(sim, node->names.entries[i].node, cut, random);
}

void sim_power_cut_as(struct sim *sim, enum sim_cut cut, uint64_t seed)
{
    pthread_mutex_lock(&sim->mutex);
    uint64_t random = seed;
    size_t survive = 0;
    if (cut == SIM_CUT_NAMES)
        survive = sim->op_count;
    else if (cut == SIM_CUT_RANDOM)
        survive = (size_t)(sim_next_random(&random) % (sim->op_count + 1));
    make_names_durable(sim, survive);
    sim_journal_clear(sim);
    restore_node(sim, sim->root, cut, &random);
    sim->epoch++;
    pthread_mutex_unlock(&sim->mutex);
}

void sim_power_cut(struct sim *sim, uint64_t seed)
{
    uint64_t random = seed;
    uint64_t choice = sim_next_random(&random) % 8;
    sim_power_cut_as(sim,
                     choice == 0   ? SIM_CUT_STRICT
                     : choice == 1 ? SIM_CUT_NAMES
                                   : SIM_CUT_RANDOM,
                     random);
}

#include <stdlib.h>

#include "sys/sim/sim_int.h"

struct sim_node *sim_node_new(bool is_dir)
{
    struct sim_node *node = calloc(1, sizeof *node);
    if (node)
        *node = (struct sim_node){.holders = 1, .is_dir = is_dir};
    return node;
}

struct sim_node *sim_node_hold(struct sim_node *node)
{
    if (node)
        node->holders++;
    return node;
}

void sim_node_drop(struct sim *sim, struct sim_node *node)
{
    if (!node || --node->holders)
        return;
    sim->used -= node->current.size;
    sim_names_clear(sim, &node->names);
    sim_names_clear(sim, &node->durable_names);
    free(node->current.data);
    free(node->durable.data);
    free(node);
}

bool sim_image_resize(struct sim_image *image, uint64_t size)
{
    if (size > image->cap) {
        uint64_t cap = size + size / 2 + 4096;
        unsigned char *data = realloc(image->data, cap);
        if (!data)
            return false;
        memset(data + image->cap, 0, cap - image->cap);
        image->data = data;
        image->cap = cap;
    }
    if (size < image->size)
        memset(image->data + size, 0, image->size - size);
    image->size = size;
    return true;
}

void sim_node_dirty(struct sim_node *node, uint64_t from, uint64_t to)
{
    if (from >= to)
        return;
    bool clean = node->dirty_from == node->dirty_to;
    if (clean || from < node->dirty_from)
        node->dirty_from = from;
    if (clean || to > node->dirty_to)
        node->dirty_to = to;
}

bool sim_node_sync(struct sim_node *node)
{
    if (!sim_image_resize(&node->durable, node->current.size))
        return false;
    uint64_t to = node->dirty_to < node->current.size ? node->dirty_to : node->current.size;
    if (node->dirty_from < to)
        memcpy(node->durable.data + node->dirty_from, node->current.data + node->dirty_from,
               to - node->dirty_from);
    node->dirty_from = node->dirty_to = 0;
    return true;
}

/* Place of the name, or where it would be. */
static size_t names_place(const struct sim_names *names, const char *name, bool *ret_found)
{
    size_t low = 0, high = names->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int c = strcmp(names->entries[middle].name, name);
        if (c == 0) {
            *ret_found = true;
            return middle;
        }
        if (c < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *ret_found = false;
    return low;
}

struct sim_node *sim_names_find(const struct sim_names *names, const char *name)
{
    bool found;
    size_t i = names_place(names, name, &found);
    return found ? names->entries[i].node : NULL;
}

static bool names_insert(struct sim_names *names, size_t i, const char *name, struct sim_node *node)
{
    if (names->count == names->cap) {
        size_t cap = names->cap ? names->cap * 2 : 8;
        struct sim_entry *entries = realloc(names->entries, cap * sizeof *entries);
        if (!entries)
            return false;
        names->entries = entries;
        names->cap = cap;
    }
    char *copy = strdup(name);
    if (!copy)
        return false;
    memmove(names->entries + i + 1, names->entries + i,
            (names->count - i) * sizeof *names->entries);
    names->entries[i] = (struct sim_entry){copy, sim_node_hold(node)};
    names->count++;
    return true;
}

bool sim_names_set(struct sim *sim, struct sim_names *names, const char *name,
                   struct sim_node *node)
{
    bool found;
    size_t i = names_place(names, name, &found);
    if (!found)
        return !node || names_insert(names, i, name, node);
    struct sim_node *before = names->entries[i].node;
    if (node) {
        names->entries[i].node = sim_node_hold(node);
    } else {
        free(names->entries[i].name);
        names->count--;
        memmove(names->entries + i, names->entries + i + 1,
                (names->count - i) * sizeof *names->entries);
    }
    sim_node_drop(sim, before);
    return true;
}

void sim_names_clear(struct sim *sim, struct sim_names *names)
{
    struct sim_names old = *names;
    *names = (struct sim_names){0};
    for (size_t i = 0; i < old.count; i++) {
        free(old.entries[i].name);
        sim_node_drop(sim, old.entries[i].node);
    }
    free(old.entries);
}

bool sim_names_copy(struct sim *sim, struct sim_names *to, const struct sim_names *from)
{
    struct sim_names copy = {0};
    for (size_t i = 0; i < from->count; i++) {
        if (!names_insert(&copy, i, from->entries[i].name, from->entries[i].node)) {
            sim_names_clear(sim, &copy);
            return false;
        }
    }
    sim_names_clear(sim, to);
    *to = copy;
    return true;
}

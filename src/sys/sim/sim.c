/* sim.c: the sys calls over the simulated disk. One mutex over all. */
#include "sys/sim/sim.h"

#include <stdlib.h>

#include "base/buf.h"
#include "sys/sim/sim_int.h"

#define START_US 1767225600000000 /* 2026-01-01T00:00:00Z */

uint64_t sim_next_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static struct sim *of(struct sys *sys)
{
    return (struct sim *)sys;
}

static enum status missing(struct error *err, const char *path)
{
    return error_set(err, STATUS_NOT_FOUND, "%s does not exist", path);
}

/* --- paths --- */

/* Next part of *path into name; false at the end. A part that is too long comes out as "". */
static bool next_part(const char **path, char name[SIM_NAME_MAX + 1])
{
    for (;;) {
        while (**path == '/')
            ++*path;
        if (!**path)
            return false;
        size_t len = strcspn(*path, "/");
        bool dot = len == 1 && **path == '.';
        size_t kept = len <= SIM_NAME_MAX ? len : 0;
        memcpy(name, *path, kept);
        name[kept] = 0;
        *path += len;
        if (!dot)
            return true;
    }
}

/* Walks to the directory that holds the last part. STATUS_IO where a part on the way is a file. */
static enum status walk(struct sim *sim, const char *path, struct sim_node **ret_dir,
                        char name[SIM_NAME_MAX + 1], struct error *err)
{
    const char *rest = path;
    struct sim_node *dir = sim->root;
    char next[SIM_NAME_MAX + 1];
    name[0] = 0;
    if (!next_part(&rest, name)) {
        *ret_dir = NULL; /* the root itself */
        return STATUS_OK;
    }
    while (next_part(&rest, next)) {
        dir = sim_names_find(&dir->names, name);
        if (!dir)
            return missing(err, path);
        if (!dir->is_dir)
            return error_set(err, STATUS_IO, "%s goes through a file", path);
        memcpy(name, next, sizeof next);
    }
    if (!name[0] || !strcmp(name, ".."))
        return error_set(err, STATUS_IO, "%s is no path of the simulated disk", path);
    *ret_dir = dir;
    return STATUS_OK;
}

static enum status find(struct sim *sim, const char *path, struct sim_node **ret, struct error *err)
{
    char name[SIM_NAME_MAX + 1];
    struct sim_node *dir;
    TRY(walk(sim, path, &dir, name, err));
    *ret = dir ? sim_names_find(&dir->names, name) : sim->root;
    return *ret ? STATUS_OK : missing(err, path);
}

static enum status find_dir(struct sim *sim, const char *path, struct sim_node **ret,
                            struct error *err)
{
    TRY(find(sim, path, ret, err));
    return (*ret)->is_dir ? STATUS_OK : error_set(err, STATUS_IO, "%s is no directory", path);
}

/* --- files --- */

static enum status alive(struct sim *sim, const struct sys_file *file, struct error *err)
{
    if (file->epoch != sim->epoch)
        return error_set(err, STATUS_IO, "the file was open when the power went");
    return STATUS_OK;
}

static enum status may(struct sim *sim, const struct sys_file *file, unsigned flag,
                       struct error *err)
{
    TRY(alive(sim, file, err));
    if (!(file->flags & flag))
        return error_set(err, STATUS_IO, "the file is not open for that");
    return STATUS_OK;
}

static enum status resize(struct sim *sim, struct sim_node *node, uint64_t size, struct error *err)
{
    uint64_t before = node->current.size;
    if (size > before && sim->capacity && sim->used + (size - before) > sim->capacity)
        return error_set(err, STATUS_STORAGE_FULL, "the simulated disk is full");
    if (!sim_image_resize(&node->current, size))
        return error_no_memory(err);
    sim->used += size - before;
    if (size < before)
        sim_node_dirty(node, size, before);
    else
        sim_node_dirty(node, before, size);
    node->modified_us = sim->now_us;
    return STATUS_OK;
}

static enum status find_or_create(struct sim *sim, const char *path, unsigned flags,
                                  struct sim_node **ret, struct error *err)
{
    char name[SIM_NAME_MAX + 1];
    struct sim_node *dir;
    TRY(walk(sim, path, &dir, name, err));
    struct sim_node *node = dir ? sim_names_find(&dir->names, name) : sim->root;
    if (node && flags & SYS_EXCLUSIVE)
        return error_set(err, STATUS_CONFLICT, "%s exists", path);
    if (!node && !(flags & SYS_CREATE))
        return missing(err, path);
    if (node && node->is_dir && flags & SYS_WRITE)
        return error_set(err, STATUS_IO, "%s is a directory", path);
    if (node) {
        *ret = sim_node_hold(node);
        return STATUS_OK;
    }
    node = sim_node_new(false);
    if (!node)
        return error_no_memory(err);
    node->modified_us = sim->now_us;
    enum status status = sim_journal_do(sim, &(struct sim_change){dir, name, node}, 1, err);
    if (status != STATUS_OK)
        sim_node_drop(sim, node);
    else
        *ret = node;
    return status;
}

static enum status open_locked(struct sim *sim, const char *path, unsigned flags,
                               struct sys_file **ret_file, struct error *err)
{
    struct sys_file *file = calloc(1, sizeof *file);
    if (!file)
        return error_no_memory(err);
    enum status status = find_or_create(sim, path, flags, &file->node, err);
    if (status == STATUS_OK && flags & SYS_TRUNCATE)
        status = resize(sim, file->node, 0, err);
    if (status != STATUS_OK) {
        sim_node_drop(sim, file->node);
        free(file);
        return status;
    }
    file->flags = flags;
    file->epoch = sim->epoch;
    *ret_file = file;
    return STATUS_OK;
}

static enum status sim_open(struct sys *sys, const char *path, unsigned flags,
                            struct sys_file **ret_file, struct error *err)
{
    struct sim *sim = of(sys);
    pthread_mutex_lock(&sim->mutex);
    enum status status = open_locked(sim, path, flags, ret_file, err);
    pthread_mutex_unlock(&sim->mutex);
    return status;
}

static void sim_close(struct sys *sys, struct sys_file *file)
{
    struct sim *sim = of(sys);
    pthread_mutex_lock(&sim->mutex);
    if (file->node->locked_by == file)
        file->node->locked_by = NULL;
    sim_node_drop(sim, file->node);
    free(file);
    pthread_mutex_unlock(&sim->mutex);
}

static enum status sim_pread(struct sys *sys, struct sys_file *file, void *data, size_t len,
                             uint64_t offset, size_t *ret_len, struct error *err)
{
    struct sim *sim = of(sys);
    pthread_mutex_lock(&sim->mutex);
    enum status status = may(sim, file, SYS_READ, err);
    const struct sim_image *image = &file->node->current;
    if (status == STATUS_OK && offset < image->size && len) {
        uint64_t left = image->size - offset;
        *ret_len = left < len ? (size_t)left : len;
        memcpy(data, image->data + offset, *ret_len);
    }
    pthread_mutex_unlock(&sim->mutex);
    return status;
}

static enum status write_locked(struct sim *sim, struct sys_file *file, const void *data,
                                size_t len, uint64_t offset, struct error *err)
{
    TRY(may(sim, file, SYS_WRITE, err));
    struct sim_node *node = file->node;
    if (len == 0)
        return STATUS_OK;
    if (offset + len > node->current.size)
        TRY(resize(sim, node, offset + len, err));
    memcpy(node->current.data + offset, data, len);
    sim_node_dirty(node, offset, offset + len);
    node->modified_us = sim->now_us;
    return STATUS_OK;
}

static enum status sim_pwrite(struct sys *sys, struct sys_file *file, const void *data, size_t len,
                              uint64_t offset, struct error *err)
{
    struct sim *sim = of(sys);
    pthread_mutex_lock(&sim->mutex);
    enum status status = write_locked(sim, file, data, len, offset, err);
    pthread_mutex_unlock(&sim->mutex);
    return status;
}

static enum status sim_sync(struct sys *sys, struct sys_file *file, struct error *err)
{
    struct sim *sim = of(sys);
    pthread_mutex_lock(&sim->mutex);
    enum status status = alive(sim, file, err);
    if (status == STATUS_OK && !sim_node_sync(file->node))
        status = error_no_memory(err);
    pthread_mutex_unlock(&sim->mutex);
    return status;
}

static enum status set_size(struct sys *sys, struct sys_file *file, uint64_t size, bool only_grow,
                            struct error *err)
{
    struct sim *sim = of(sys);
    pthread_mutex_lock(&sim->mutex);
    enum status status = may(sim, file, SYS_WRITE, err);
    if (status == STATUS_OK && (!only_grow || size > file->node->current.size))
        status = resize(sim, file->node, size, err);
    pthread_mutex_unlock(&sim->mutex);
    return status;
}

static enum status sim_truncate(struct sys *sys, struct sys_file *file, uint64_t size,
                                struct error *err)
{
    return set_size(sys, file, size, false, err);
}

static enum status sim_allocate(struct sys *sys, struct sys_file *file, uint64_t size,
                                struct error *err)
{
    return set_size(sys, file, size, true, err);
}

static enum status sim_size(struct sys *sys, struct sys_file *file, uint64_t *ret_size,
                            struct error *err)
{
    struct sim *sim = of(sys);
    pthread_mutex_lock(&sim->mutex);
    enum status status = alive(sim, file, err);
    *ret_size = file->node->current.size;
    pthread_mutex_unlock(&sim->mutex);
    return status;
}

static enum status sim_lock(struct sys *sys, struct sys_file *file, struct error *err)
{
    struct sim *sim = of(sys);
    pthread_mutex_lock(&sim->mutex);
    enum status status = may(sim, file, SYS_WRITE, err);
    if (status == STATUS_OK && file->node->locked_by && file->node->locked_by != file)
        status = error_set(err, STATUS_CONFLICT, "the file is locked by another");
    if (status == STATUS_OK)
        file->node->locked_by = file;
    pthread_mutex_unlock(&sim->mutex);
    return status;
}

static enum status map_locked(struct sim *sim, struct sys_file *file, struct sys_map *ret_map,
                              struct error *err)
{
    TRY(may(sim, file, SYS_READ, err));
    const struct sim_image *image = &file->node->current;
    if (image->size == 0)
        return STATUS_OK;
    void *copy = malloc(image->size);
    if (!copy)
        return error_no_memory(err);
    memcpy(copy, image->data, image->size);
    *ret_map = (struct sys_map){copy, image->size, copy};
    return STATUS_OK;
}

static enum status sim_map(struct sys *sys, struct sys_file *file, struct sys_map *ret_map,
                           struct error *err)
{
    struct sim *sim = of(sys);
    pthread_mutex_lock(&sim->mutex);
    enum status status = map_locked(sim, file, ret_map, err);
    pthread_mutex_unlock(&sim->mutex);
    return status;
}

static void sim_unmap(struct sys *sys, struct sys_map *map)
{
    (void)sys;
    free(map->impl);
}

/* --- names --- */

static enum status sim_stat(struct sys *sys, const char *path, struct sys_stat *ret_stat,
                            struct error *err)
{
    struct sim *sim = of(sys);
    struct sim_node *node;
    pthread_mutex_lock(&sim->mutex);
    enum status status = find(sim, path, &node, err);
    if (status == STATUS_OK)
        *ret_stat = (struct sys_stat){node->current.size, node->modified_us, node->is_dir};
    pthread_mutex_unlock(&sim->mutex);
    return status;
}

static enum status mkdir_locked(struct sim *sim, const char *path, struct error *err)
{
    char name[SIM_NAME_MAX + 1];
    struct sim_node *dir;
    TRY(walk(sim, path, &dir, name, err));
    if (!dir || sim_names_find(&dir->names, name))
        return error_set(err, STATUS_CONFLICT, "%s exists", path);
    struct sim_node *node = sim_node_new(true);
    if (!node)
        return error_no_memory(err);
    node->modified_us = sim->now_us;
    enum status status = sim_journal_do(sim, &(struct sim_change){dir, name, node}, 1, err);
    sim_node_drop(sim, node);
    return status;
}

static enum status sim_mkdir(struct sys *sys, const char *path, struct error *err)
{
    struct sim *sim = of(sys);
    pthread_mutex_lock(&sim->mutex);
    enum status status = mkdir_locked(sim, path, err);
    pthread_mutex_unlock(&sim->mutex);
    return status;
}

static enum status remove_locked(struct sim *sim, const char *path, bool want_dir,
                                 struct error *err)
{
    char name[SIM_NAME_MAX + 1];
    struct sim_node *dir;
    TRY(walk(sim, path, &dir, name, err));
    struct sim_node *node = dir ? sim_names_find(&dir->names, name) : sim->root;
    if (!node)
        return missing(err, path);
    if (!dir || node->is_dir != want_dir)
        return error_set(err, STATUS_IO, "%s is %s directory", path, want_dir ? "no" : "a");
    if (node->names.count)
        return error_set(err, STATUS_CONFLICT, "%s is not empty", path);
    return sim_journal_do(sim, &(struct sim_change){dir, name, NULL}, 1, err);
}

static enum status sim_rmdir(struct sys *sys, const char *path, struct error *err)
{
    struct sim *sim = of(sys);
    pthread_mutex_lock(&sim->mutex);
    enum status status = remove_locked(sim, path, true, err);
    pthread_mutex_unlock(&sim->mutex);
    return status;
}

static enum status sim_unlink(struct sys *sys, const char *path, struct error *err)
{
    struct sim *sim = of(sys);
    pthread_mutex_lock(&sim->mutex);
    enum status status = remove_locked(sim, path, false, err);
    pthread_mutex_unlock(&sim->mutex);
    return status;
}

static bool is_inside(const struct sim_node *dir, const struct sim_node *wanted)
{
    if (dir == wanted)
        return true;
    for (size_t i = 0; i < dir->names.count; i++)
        if (dir->names.entries[i].node->is_dir && is_inside(dir->names.entries[i].node, wanted))
            return true;
    return false;
}

static enum status rename_locked(struct sim *sim, const char *from, const char *to,
                                 struct error *err)
{
    char from_name[SIM_NAME_MAX + 1], to_name[SIM_NAME_MAX + 1];
    struct sim_node *from_dir, *to_dir;
    TRY(walk(sim, from, &from_dir, from_name, err));
    TRY(walk(sim, to, &to_dir, to_name, err));
    struct sim_node *node = from_dir ? sim_names_find(&from_dir->names, from_name) : NULL;
    if (!node || !to_dir)
        return missing(err, from);
    struct sim_node *target = sim_names_find(&to_dir->names, to_name);
    if (target == node)
        return STATUS_OK;
    if (target && target->is_dir != node->is_dir)
        return error_set(err, STATUS_IO, "%s and %s are of two kinds", from, to);
    if (target && target->names.count)
        return error_set(err, STATUS_CONFLICT, "%s is not empty", to);
    if (node->is_dir && is_inside(node, to_dir))
        return error_set(err, STATUS_IO, "%s cannot be moved into itself", from);
    struct sim_change changes[2] = {{from_dir, from_name, NULL}, {to_dir, to_name, node}};
    return sim_journal_do(sim, changes, 2, err);
}

static enum status sim_rename(struct sys *sys, const char *from, const char *to, struct error *err)
{
    struct sim *sim = of(sys);
    pthread_mutex_lock(&sim->mutex);
    enum status status = rename_locked(sim, from, to, err);
    pthread_mutex_unlock(&sim->mutex);
    return status;
}

static enum status sim_sync_dir(struct sys *sys, const char *path, struct error *err)
{
    struct sim *sim = of(sys);
    struct sim_node *dir;
    pthread_mutex_lock(&sim->mutex);
    enum status status = find_dir(sim, path, &dir, err);
    if (status == STATUS_OK)
        status = sim_journal_sync_dir(sim, dir, err);
    pthread_mutex_unlock(&sim->mutex);
    return status;
}

/* Kind and name of each entry, NUL-ended, as the directory is now. */
static enum status copy_listing(struct sim *sim, const char *path, struct buf *ret,
                                struct error *err)
{
    struct sim_node *dir;
    TRY(find_dir(sim, path, &dir, err));
    for (size_t i = 0; i < dir->names.count; i++) {
        const struct sim_entry *e = &dir->names.entries[i];
        buf_append_char(ret, e->node->is_dir ? 'd' : 'f');
        buf_append(ret, e->name, strlen(e->name) + 1);
    }
    return buf_check(ret, "the listing", err);
}

static enum status sim_list_dir(struct sys *sys, const char *path, sys_dir_fn fn, void *context,
                                struct error *err)
{
    struct sim *sim = of(sys);
    struct buf listing;
    buf_init(&listing, (size_t)1 << 30);
    pthread_mutex_lock(&sim->mutex);
    enum status status = copy_listing(sim, path, &listing, err);
    pthread_mutex_unlock(&sim->mutex);
    /* Without the lock: the call back may use the disk. */
    for (size_t i = 0; i < listing.len && status == STATUS_OK; i += strlen(listing.data + i) + 1) {
        struct sys_dir_entry entry = {listing.data + i + 1, listing.data[i] == 'd'};
        status = fn(context, &entry, err);
    }
    buf_release(&listing);
    return status;
}

/* --- clock and chance --- */

static int64_t sim_now_us(struct sys *sys)
{
    struct sim *sim = of(sys);
    pthread_mutex_lock(&sim->mutex);
    int64_t now = ++sim->now_us;
    pthread_mutex_unlock(&sim->mutex);
    return now;
}

static int64_t sim_mono_us(struct sys *sys)
{
    return sim_now_us(sys) - START_US;
}

static void sim_sleep_us(struct sys *sys, int64_t us)
{
    sim_advance(of(sys), us);
}

static void sim_random(struct sys *sys, void *data, size_t len)
{
    struct sim *sim = of(sys);
    pthread_mutex_lock(&sim->mutex);
    for (size_t i = 0; i < len; i++)
        ((unsigned char *)data)[i] = (unsigned char)sim_next_random(&sim->random);
    pthread_mutex_unlock(&sim->mutex);
}

static const struct sys_ops sim_ops = {
    .name = "sim",
    .open = sim_open,
    .close = sim_close,
    .pread = sim_pread,
    .pwrite = sim_pwrite,
    .sync = sim_sync,
    .truncate = sim_truncate,
    .allocate = sim_allocate,
    .size = sim_size,
    .lock = sim_lock,
    .map = sim_map,
    .unmap = sim_unmap,
    .stat = sim_stat,
    .mkdir = sim_mkdir,
    .rmdir = sim_rmdir,
    .rename = sim_rename,
    .unlink = sim_unlink,
    .sync_dir = sim_sync_dir,
    .list_dir = sim_list_dir,
    .now_us = sim_now_us,
    .mono_us = sim_mono_us,
    .sleep_us = sim_sleep_us,
    .random = sim_random,
};

enum status sim_new(uint64_t seed, struct sim **ret, struct error *err)
{
    struct sim *sim = calloc(1, sizeof *sim);
    struct sim_node *root = sim_node_new(true);
    if (!sim || !root) {
        free(sim);
        free(root);
        return error_no_memory(err);
    }
    *sim =
        (struct sim){.sys = {&sim_ops}, .root = root, .now_us = START_US, .random = seed ^ 0x5eed};
    pthread_mutex_init(&sim->mutex, NULL);
    *ret = sim;
    return STATUS_OK;
}

void sim_free(struct sim *sim)
{
    if (!sim)
        return;
    sim_journal_clear(sim);
    free(sim->ops);
    sim_node_drop(sim, sim->root);
    pthread_mutex_destroy(&sim->mutex);
    free(sim);
}

struct sys *sim_sys(struct sim *sim)
{
    return &sim->sys;
}

void sim_set_capacity(struct sim *sim, uint64_t bytes)
{
    pthread_mutex_lock(&sim->mutex);
    sim->capacity = bytes;
    pthread_mutex_unlock(&sim->mutex);
}

void sim_advance(struct sim *sim, int64_t us)
{
    pthread_mutex_lock(&sim->mutex);
    sim->now_us += us > 0 ? us : 0;
    pthread_mutex_unlock(&sim->mutex);
}

enum status sim_flip_bit(struct sim *sim, const char *path, uint64_t bit, struct error *err)
{
    struct sim_node *node;
    pthread_mutex_lock(&sim->mutex);
    enum status status = find(sim, path, &node, err);
    if (status == STATUS_OK && bit / 8 >= node->current.size)
        status = error_set(err, STATUS_INVALID_ARGUMENT, "%s has no bit %llu", path,
                           (unsigned long long)bit);
    if (status == STATUS_OK) {
        node->current.data[bit / 8] ^= (unsigned char)(1u << bit % 8);
        if (bit / 8 < node->durable.size)
            node->durable.data[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
    pthread_mutex_unlock(&sim->mutex);
    return status;
}

/* sys.c: the wrappers that callers use; each one call to the back end, with its arguments checked.
 */
#include "sys/sys.h"

#include <assert.h>

enum status sys_open(struct sys *sys, const char *path, unsigned flags, struct sys_file **ret_file,
                     struct error *err)
{
    assert(flags & (SYS_READ | SYS_WRITE));
    assert(!(flags & (SYS_CREATE | SYS_TRUNCATE)) || flags & SYS_WRITE);
    assert(!(flags & SYS_EXCLUSIVE) || flags & SYS_CREATE);
    *ret_file = NULL;
    return sys->ops->open(sys, path, flags, ret_file, err);
}

void sys_close(struct sys *sys, struct sys_file *file)
{
    if (file)
        sys->ops->close(sys, file);
}

enum status sys_pread(struct sys *sys, struct sys_file *file, void *data, size_t len,
                      uint64_t offset, size_t *ret_len, struct error *err)
{
    *ret_len = 0;
    return sys->ops->pread(sys, file, data, len, offset, ret_len, err);
}

enum status sys_pwrite(struct sys *sys, struct sys_file *file, const void *data, size_t len,
                       uint64_t offset, struct error *err)
{
    return sys->ops->pwrite(sys, file, data, len, offset, err);
}

enum status sys_sync(struct sys *sys, struct sys_file *file, struct error *err)
{
    return sys->ops->sync(sys, file, err);
}

enum status sys_truncate(struct sys *sys, struct sys_file *file, uint64_t size, struct error *err)
{
    return sys->ops->truncate(sys, file, size, err);
}

enum status sys_allocate(struct sys *sys, struct sys_file *file, uint64_t size, struct error *err)
{
    return sys->ops->allocate(sys, file, size, err);
}

enum status sys_size(struct sys *sys, struct sys_file *file, uint64_t *ret_size, struct error *err)
{
    return sys->ops->size(sys, file, ret_size, err);
}

enum status sys_lock(struct sys *sys, struct sys_file *file, struct error *err)
{
    return sys->ops->lock(sys, file, err);
}

enum status sys_map(struct sys *sys, struct sys_file *file, struct sys_map *ret_map,
                    struct error *err)
{
    *ret_map = (struct sys_map){0};
    return sys->ops->map(sys, file, ret_map, err);
}

void sys_unmap(struct sys *sys, struct sys_map *map)
{
    if (map->data || map->impl)
        sys->ops->unmap(sys, map);
    *map = (struct sys_map){0};
}

enum status sys_stat(struct sys *sys, const char *path, struct sys_stat *ret_stat,
                     struct error *err)
{
    return sys->ops->stat(sys, path, ret_stat, err);
}

enum status sys_mkdir(struct sys *sys, const char *path, struct error *err)
{
    return sys->ops->mkdir(sys, path, err);
}

enum status sys_rmdir(struct sys *sys, const char *path, struct error *err)
{
    return sys->ops->rmdir(sys, path, err);
}

enum status sys_rename(struct sys *sys, const char *from, const char *to, struct error *err)
{
    return sys->ops->rename(sys, from, to, err);
}

enum status sys_unlink(struct sys *sys, const char *path, struct error *err)
{
    return sys->ops->unlink(sys, path, err);
}

enum status sys_sync_dir(struct sys *sys, const char *path, struct error *err)
{
    return sys->ops->sync_dir(sys, path, err);
}

enum status sys_list_dir(struct sys *sys, const char *path, sys_dir_fn fn, void *context,
                         struct error *err)
{
    return sys->ops->list_dir(sys, path, fn, context, err);
}

int64_t sys_now_us(struct sys *sys)
{
    return sys->ops->now_us(sys);
}

int64_t sys_mono_us(struct sys *sys)
{
    return sys->ops->mono_us(sys);
}

void sys_sleep_us(struct sys *sys, int64_t us)
{
    if (us > 0)
        sys->ops->sleep_us(sys, us);
}

void sys_random(struct sys *sys, void *data, size_t len)
{
    sys->ops->random(sys, data, len);
}

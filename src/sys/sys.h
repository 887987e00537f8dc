/* sys.h: the outside world as an argument: files, clock, random numbers, threads, local sockets.
 *
 * Back ends: sys/posix (the kernel), sys/fault (a decorator: fails call N once or for ever, tears
 * and shortens writes), sys/sim (a disk in memory that forgets what was not synced, a clock and
 * random numbers from a seed). All calls are thread-safe unless said otherwise; all may block.
 * Paths are NUL-ended, relative ones start at the process's working directory. */
#ifndef QUARRY_SYS_SYS_H
#define QUARRY_SYS_SYS_H

#include "base/status.h"
#include "base/str.h"

struct sys;

struct sys_file; /* an open file */

enum sys_open_flags {
    SYS_READ = 1,
    SYS_WRITE = 2,
    SYS_CREATE = 4,    /* create when missing, mode 0640 */
    SYS_EXCLUSIVE = 8, /* with CREATE: STATUS_CONFLICT when it exists */
    SYS_TRUNCATE = 16,
    SYS_PRIVATE = 32, /* with CREATE: mode 0600, for secrets */
};

struct sys_stat {
    uint64_t size;
    int64_t modified_us; /* since 1970 */
    bool is_dir;
};

struct sys_dir_entry {
    const char *name; /* valid during the call back only */
    bool is_dir;
};

typedef enum status (*sys_dir_fn)(void *context, const struct sys_dir_entry *entry,
                                  struct error *err);

/* A read-only view of a file's bytes as they were when mapped. */
struct sys_map {
    const void *data; /* NULL when len is 0 */
    size_t len;
    void *impl;
};

/* The contract of a back end; callers use the wrappers below. */
struct sys_ops {
    const char *name;
    enum status (*open)(struct sys *sys, const char *path, unsigned flags,
                        struct sys_file **ret_file, struct error *err);
    void (*close)(struct sys *sys, struct sys_file *file);
    enum status (*pread)(struct sys *sys, struct sys_file *file, void *data, size_t len,
                         uint64_t offset, size_t *ret_len, struct error *err);
    enum status (*pwrite)(struct sys *sys, struct sys_file *file, const void *data, size_t len,
                          uint64_t offset, struct error *err);
    enum status (*sync)(struct sys *sys, struct sys_file *file, struct error *err);
    enum status (*truncate)(struct sys *sys, struct sys_file *file, uint64_t size,
                            struct error *err);
    enum status (*allocate)(struct sys *sys, struct sys_file *file, uint64_t size,
                            struct error *err);
    enum status (*size)(struct sys *sys, struct sys_file *file, uint64_t *ret_size,
                        struct error *err);
    enum status (*lock)(struct sys *sys, struct sys_file *file, struct error *err);
    enum status (*map)(struct sys *sys, struct sys_file *file, struct sys_map *ret_map,
                       struct error *err);
    void (*unmap)(struct sys *sys, struct sys_map *map);
    enum status (*stat)(struct sys *sys, const char *path, struct sys_stat *ret_stat,
                        struct error *err);
    enum status (*mkdir)(struct sys *sys, const char *path, struct error *err);
    enum status (*rmdir)(struct sys *sys, const char *path, struct error *err);
    enum status (*rename)(struct sys *sys, const char *from, const char *to, struct error *err);
    enum status (*unlink)(struct sys *sys, const char *path, struct error *err);
    enum status (*sync_dir)(struct sys *sys, const char *path, struct error *err);
    enum status (*list_dir)(struct sys *sys, const char *path, sys_dir_fn fn, void *context,
                            struct error *err);
    int64_t (*now_us)(struct sys *sys);
    int64_t (*mono_us)(struct sys *sys);
    void (*sleep_us)(struct sys *sys, int64_t us);
    void (*random)(struct sys *sys, void *data, size_t len);
};

/* A back end's own struct starts with this. */
struct sys {
    const struct sys_ops *ops;
};

/* Files. Failures: STATUS_NOT_FOUND (open, stat, unlink, rename), STATUS_CONFLICT (exclusive
 * create, mkdir of what exists, a lock that another holds), STATUS_STORAGE_FULL, STATUS_IO. */
enum status sys_open(struct sys *sys, const char *path, unsigned flags, struct sys_file **ret_file,
                     struct error *err);
void sys_close(struct sys *sys, struct sys_file *file); /* NULL is fine; syncs nothing */
/* Up to len bytes; fewer only at the end of the file. */
enum status sys_pread(struct sys *sys, struct sys_file *file, void *data, size_t len,
                      uint64_t offset, size_t *ret_len, struct error *err);
/* All of it or a failure (then any part may have been written). */
enum status sys_pwrite(struct sys *sys, struct sys_file *file, const void *data, size_t len,
                       uint64_t offset, struct error *err);
/* fdatasync. After a failure nothing written since the last success may be believed to be on disk,
 * and a second try proves nothing (see "fsyncgate", PostgreSQL 2018). */
enum status sys_sync(struct sys *sys, struct sys_file *file, struct error *err);
enum status sys_truncate(struct sys *sys, struct sys_file *file, uint64_t size, struct error *err);
/* Reserves blocks and extends the file with zeros. */
enum status sys_allocate(struct sys *sys, struct sys_file *file, uint64_t size, struct error *err);
enum status sys_size(struct sys *sys, struct sys_file *file, uint64_t *ret_size, struct error *err);
/* Exclusive advisory lock until the file is closed; STATUS_CONFLICT when another process has it. */
enum status sys_lock(struct sys *sys, struct sys_file *file, struct error *err);
enum status sys_map(struct sys *sys, struct sys_file *file, struct sys_map *ret_map,
                    struct error *err);
void sys_unmap(struct sys *sys, struct sys_map *map);
enum status sys_stat(struct sys *sys, const char *path, struct sys_stat *ret_stat,
                     struct error *err);
enum status sys_mkdir(struct sys *sys, const char *path, struct error *err);
enum status sys_rmdir(struct sys *sys, const char *path, struct error *err);
/* Atomic; durable after sys_sync_dir of the directory. Replaces `to`. */
enum status sys_rename(struct sys *sys, const char *from, const char *to, struct error *err);
enum status sys_unlink(struct sys *sys, const char *path, struct error *err);
enum status sys_sync_dir(struct sys *sys, const char *path, struct error *err);
/* Without "." and "..", in no order; a failure of `fn` ends the listing and is returned. */
enum status sys_list_dir(struct sys *sys, const char *path, sys_dir_fn fn, void *context,
                         struct error *err);

/* Clock and chance */
int64_t sys_now_us(struct sys *sys);  /* since 1970, may jump */
int64_t sys_mono_us(struct sys *sys); /* never goes back */
void sys_sleep_us(struct sys *sys, int64_t us);
void sys_random(struct sys *sys, void *data, size_t len);

/* Made of the above (sys/sys_util.c) */
enum { SYS_PATH_MAX = 1024 };
/* Missing directories on the way too; what exists is fine. */
enum status sys_mkdirs(struct sys *sys, const char *path, struct error *err);
/* Whole file into `ret` (bounded by its max; STATUS_RESOURCE_LIMIT beyond). */
struct buf;
enum status sys_read_file(struct sys *sys, const char *path, struct buf *ret, struct error *err);
/* Temp file beside it, sync, rename, sync of the directory: afterwards the file is the old or the
 * new one, whole. */
enum status sys_replace_file(struct sys *sys, const char *path, struct slice bytes,
                             struct error *err);
/* Directory with all that is in it; what is not there is fine. */
enum status sys_remove_tree(struct sys *sys, const char *path, struct error *err);
/* "a/b" into out[SYS_PATH_MAX]; STATUS_INVALID_ARGUMENT when too long. */
enum status sys_path(char out[SYS_PATH_MAX], struct error *err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The kernel. One for the whole process; never freed. */
struct sys *sys_posix(void);

#endif

/* posix.c: the back end over the kernel, and the only one that meets it.
 *
 * - EINTR is tried again, short reads and writes are completed.
 * - sync is fdatasync: data and the size reach the disk, access times need not.
 * - lock is an OFD lock (fcntl(2)): it belongs to the open file, so a second open in the same
 *   process conflicts as well, and closing some other handle of the file does not drop it.
 * - Every descriptor is close-on-exec. Files get mode 0640, directories 0750 (less the umask). */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "sys/sys.h"

struct sys_file {
    int fd;
};

/* One read(2) or write(2) moves at most 2 GiB - 4 KiB (Linux). */
enum { MOVE_MAX = 1 << 30 };

static enum status fail(struct error *err, int errnum, const char *verb, const char *path)
{
    if (errnum == EEXIST || errnum == ENOTEMPTY)
        return error_set(err, STATUS_CONFLICT, "cannot %s %s: %s", verb, path,
                         errnum == EEXIST ? "it exists" : "it is not empty");
    return error_errno(err, errnum, "cannot %s %s", verb, path);
}

static int open_flags(unsigned flags)
{
    int mode = flags & SYS_WRITE ? (flags & SYS_READ ? O_RDWR : O_WRONLY) : O_RDONLY;
    return mode | O_CLOEXEC | (flags & SYS_CREATE ? O_CREAT : 0) |
           (flags & SYS_EXCLUSIVE ? O_EXCL : 0) | (flags & SYS_TRUNCATE ? O_TRUNC : 0);
}

static enum status posix_open(struct sys *sys, const char *path, unsigned flags,
                              struct sys_file **ret_file, struct error *err)
{
    (void)sys;
    struct sys_file *file = malloc(sizeof *file);
    if (!file)
        return error_no_memory(err);
    do
        file->fd = open(path, open_flags(flags), flags & SYS_PRIVATE ? 0600 : 0640);
    while (file->fd < 0 && errno == EINTR);
    if (file->fd < 0) {
        int errnum = errno;
        free(file);
        return fail(err, errnum, "open", path);
    }
    *ret_file = file;
    return STATUS_OK;
}

static void posix_close(struct sys *sys, struct sys_file *file)
{
    (void)sys;
    (void)close(file->fd); /* data was synced or is not believed; EINTR still closes on Linux */
    free(file);
}

static enum status posix_pread(struct sys *sys, struct sys_file *file, void *data, size_t len,
                               uint64_t offset, size_t *ret_len, struct error *err)
{
    (void)sys;
    size_t done = 0;
    while (done < len) {
        size_t want = len - done < MOVE_MAX ? len - done : MOVE_MAX;
        ssize_t n = pread(file->fd, (char *)data + done, want, (off_t)(offset + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_errno(err, errno, "cannot read %zu bytes at %llu", len,
                               (unsigned long long)offset);
        if (n == 0)
            break;
        done += (size_t)n;
    }
    *ret_len = done;
    return STATUS_OK;
}

static enum status posix_pwrite(struct sys *sys, struct sys_file *file, const void *data,
                                size_t len, uint64_t offset, struct error *err)
{
    (void)sys;
    size_t done = 0;
    while (done < len) {
        size_t want = len - done < MOVE_MAX ? len - done : MOVE_MAX;
        ssize_t n = pwrite(file->fd, (const char *)data + done, want, (off_t)(offset + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return error_errno(err, n < 0 ? errno : EIO, "cannot write %zu bytes at %llu", len,
                               (unsigned long long)offset);
        done += (size_t)n;
    }
    return STATUS_OK;
}

static enum status posix_sync(struct sys *sys, struct sys_file *file, struct error *err)
{
    (void)sys;
    /* EINTR is not tried again: after it the state of the pages is as unknown as after EIO. */
    if (fdatasync(file->fd) < 0)
        return error_errno(err, errno, "cannot sync a file");
    return STATUS_OK;
}

static enum status posix_truncate(struct sys *sys, struct sys_file *file, uint64_t size,
                                  struct error *err)
{
    (void)sys;
    int r;
    do
        r = ftruncate(file->fd, (off_t)size);
    while (r < 0 && errno == EINTR);
    return r < 0 ? error_errno(err, errno, "cannot set a file's size to %llu",
                               (unsigned long long)size)
                 : STATUS_OK;
}

static enum status posix_allocate(struct sys *sys, struct sys_file *file, uint64_t size,
                                  struct error *err)
{
    (void)sys;
    if (size == 0)
        return STATUS_OK;
    int r;
    do
        r = fallocate(file->fd, 0, 0, (off_t)size);
    while (r < 0 && errno == EINTR);
    if (r < 0 && errno == EOPNOTSUPP) { /* e.g. some network file systems */
        errno = posix_fallocate(file->fd, 0, (off_t)size);
        r = errno ? -1 : 0;
    }
    return r < 0 ? error_errno(err, errno, "cannot reserve %llu bytes", (unsigned long long)size)
                 : STATUS_OK;
}

static enum status posix_size(struct sys *sys, struct sys_file *file, uint64_t *ret_size,
                              struct error *err)
{
    (void)sys;
    struct stat st;
    if (fstat(file->fd, &st) < 0)
        return error_errno(err, errno, "cannot ask for a file's size");
    *ret_size = (uint64_t)st.st_size;
    return STATUS_OK;
}

static enum status posix_lock(struct sys *sys, struct sys_file *file, struct error *err)
{
    (void)sys;
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(file->fd, F_OFD_SETLK, &lock) == 0)
        return STATUS_OK;
    if (errno == EAGAIN || errno == EACCES)
        return error_set(err, STATUS_CONFLICT, "the file is locked by another");
    return error_errno(err, errno, "cannot lock a file");
}

static enum status posix_map(struct sys *sys, struct sys_file *file, struct sys_map *ret_map,
                             struct error *err)
{
    uint64_t size;
    TRY(posix_size(sys, file, &size, err));
    if (size == 0)
        return STATUS_OK;
    void *data = mmap(NULL, (size_t)size, PROT_READ, MAP_SHARED, file->fd, 0);
    if (data == MAP_FAILED)
        return error_errno(err, errno, "cannot map %llu bytes", (unsigned long long)size);
    *ret_map = (struct sys_map){.data = data, .len = (size_t)size};
    return STATUS_OK;
}

static void posix_unmap(struct sys *sys, struct sys_map *map)
{
    (void)sys;
    (void)munmap((void *)(uintptr_t)map->data, map->len);
}

static enum status posix_stat(struct sys *sys, const char *path, struct sys_stat *ret_stat,
                              struct error *err)
{
    (void)sys;
    struct stat st;
    if (stat(path, &st) < 0)
        return fail(err, errno, "stat", path);
    *ret_stat = (struct sys_stat){.size = S_ISDIR(st.st_mode) ? 0 : (uint64_t)st.st_size,
                                  .modified_us = (int64_t)st.st_mtim.tv_sec * 1000000 +
                                                 st.st_mtim.tv_nsec / 1000,
                                  .is_dir = S_ISDIR(st.st_mode)};
    return STATUS_OK;
}

static enum status posix_mkdir(struct sys *sys, const char *path, struct error *err)
{
    (void)sys;
    return mkdir(path, 0750) < 0 ? fail(err, errno, "create directory", path) : STATUS_OK;
}

static enum status posix_rmdir(struct sys *sys, const char *path, struct error *err)
{
    (void)sys;
    return rmdir(path) < 0 ? fail(err, errno, "remove directory", path) : STATUS_OK;
}

static enum status posix_rename(struct sys *sys, const char *from, const char *to,
                                struct error *err)
{
    (void)sys;
    return rename(from, to) < 0 ? fail(err, errno, "rename", from) : STATUS_OK;
}

static enum status posix_unlink(struct sys *sys, const char *path, struct error *err)
{
    (void)sys;
    return unlink(path) < 0 ? fail(err, errno, "remove", path) : STATUS_OK;
}

static enum status posix_sync_dir(struct sys *sys, const char *path, struct error *err)
{
    (void)sys;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return fail(err, errno, "open directory", path);
    int errnum = fsync(fd) < 0 ? errno : 0;
    close(fd);
    return errnum ? fail(err, errnum, "sync directory", path) : STATUS_OK;
}

static bool entry_is_dir(DIR *dir, const struct dirent *entry)
{
    if (entry->d_type != DT_UNKNOWN && entry->d_type != DT_LNK)
        return entry->d_type == DT_DIR;
    /* A link is never followed: removing a tree must not leave it. */
    struct stat st;
    return fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

static enum status posix_list_dir(struct sys *sys, const char *path, sys_dir_fn fn, void *context,
                                  struct error *err)
{
    (void)sys;
    DIR *dir = opendir(path);
    if (!dir)
        return fail(err, errno, "list", path);
    enum status status = STATUS_OK;
    while (status == STATUS_OK) {
        errno = 0;
        const struct dirent *entry = readdir(dir);
        if (!entry) {
            status = errno ? fail(err, errno, "list", path) : STATUS_OK;
            break;
        }
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
            continue;
        struct sys_dir_entry found = {.name = entry->d_name, .is_dir = entry_is_dir(dir, entry)};
        status = fn(context, &found, err);
    }
    closedir(dir);
    return status;
}

static int64_t clock_us(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int64_t posix_now_us(struct sys *sys)
{
    (void)sys;
    return clock_us(CLOCK_REALTIME);
}

static int64_t posix_mono_us(struct sys *sys)
{
    (void)sys;
    return clock_us(CLOCK_MONOTONIC);
}

static void posix_sleep_us(struct sys *sys, int64_t us)
{
    (void)sys;
    struct timespec left = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};
    while (clock_nanosleep(CLOCK_MONOTONIC, 0, &left, &left) == EINTR)
        ;
}

static void posix_random(struct sys *sys, void *data, size_t len)
{
    (void)sys;
    for (size_t done = 0; done < len;) {
        ssize_t n = getrandom((char *)data + done, len - done, 0);
        if (n > 0)
            done += (size_t)n;
        else if (errno != EINTR)
            abort(); /* Linux 3.17 and later have it; going on with weak bytes is no choice */
    }
}

static const struct sys_ops posix_ops = {
    .name = "posix",
    .open = posix_open,
    .close = posix_close,
    .pread = posix_pread,
    .pwrite = posix_pwrite,
    .sync = posix_sync,
    .truncate = posix_truncate,
    .allocate = posix_allocate,
    .size = posix_size,
    .lock = posix_lock,
    .map = posix_map,
    .unmap = posix_unmap,
    .stat = posix_stat,
    .mkdir = posix_mkdir,
    .rmdir = posix_rmdir,
    .rename = posix_rename,
    .unlink = posix_unlink,
    .sync_dir = posix_sync_dir,
    .list_dir = posix_list_dir,
    .now_us = posix_now_us,
    .mono_us = posix_mono_us,
    .sleep_us = posix_sleep_us,
    .random = posix_random,
};

struct sys *sys_posix(void)
{
    static struct sys posix = {&posix_ops};
    return &posix;
}

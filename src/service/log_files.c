/* Lines wait in one buffer a service; the thread swaps it for an empty one under the lock and
 * writes without it. Appending by O_APPEND is what lets processes share a file; struct sys has no
 * such call, so this is POSIX itself: a log that cannot be written stops nothing. */
#include "service/log_files.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/datetime.h"
#include "sys/thread.h"

enum { SERVICES_MAX = 16 };

/* One service's lines. */
struct log_file {
    char service[LOG_NAME_MAX];
    struct buf pending;     /* under the lock */
    uint64_t pending_lines; /* under the lock */
    _Atomic int64_t second; /* of the count below */
    _Atomic uint32_t count; /* lines that were wanted in it */
    /* the thread's own: */
    struct buf writing;
    struct log_file_name name;
    int fd; /* -1: none */
    uint64_t size;
};

struct log_files {
    struct sys *sys;
    struct log_files_options options;
    char folder[SYS_PATH_MAX];
    struct log_sink sink;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool dirty, ends; /* under the lock */
    struct log_file files[SERVICES_MAX];
    uint32_t len; /* under the lock; grows only */
    _Atomic uint32_t retention_days;
    _Atomic uint64_t written, dropped;
    struct thread thread;
};

/* --- taking lines --- */

static struct log_file *find(struct log_files *files, const char *service)
{
    for (uint32_t i = 0; i < files->len; i++)
        if (strcmp(files->files[i].service, service) == 0)
            return &files->files[i];
    if (files->len == SERVICES_MAX || strlen(service) >= LOG_NAME_MAX)
        return NULL;
    struct log_file *file = &files->files[files->len++];
    snprintf(file->service, sizeof file->service, "%s", service);
    buf_init(&file->pending, LOG_PENDING_MAX);
    buf_init(&file->writing, LOG_PENDING_MAX);
    file->fd = -1;
    return file;
}

/* At most so many lines a second; errors and warnings always. */
static bool is_within_rate(struct log_files *files, struct log_file *file)
{
    int64_t second = sys_mono_us(files->sys) / 1000000;
    uint32_t most = files->options.lines_per_second;
    if (!most)
        return true;
    if (atomic_exchange(&file->second, second) != second)
        atomic_store(&file->count, 0);
    if (atomic_fetch_add(&file->count, 1) < most)
        return true;
    atomic_fetch_add(&files->dropped, 1);
    return false;
}

static bool wants(void *context, const char *service, enum log_level level)
{
    struct log_files *files = context;
    if (level < files->options.level)
        return false;
    if (level >= LOG_WARN)
        return true;
    pthread_mutex_lock(&files->lock);
    struct log_file *file = find(files, service);
    pthread_mutex_unlock(&files->lock);
    return file && is_within_rate(files, file);
}

static void take(void *context, const char *service, enum log_level level, struct str line)
{
    struct log_files *files = context;
    (void)level;
    pthread_mutex_lock(&files->lock);
    struct log_file *file = find(files, service);
    bool taken = file && !files->ends && buf_append_str(&file->pending, line);
    if (taken) {
        file->pending_lines++;
        if (!files->dirty)
            pthread_cond_signal(&files->wake);
        files->dirty = true;
    } else if (file) {
        file->pending.failed = false;
    }
    pthread_mutex_unlock(&files->lock);
    if (!taken)
        atomic_fetch_add(&files->dropped, 1);
}

static void count(void *context, uint64_t *ret_taken, uint64_t *ret_dropped)
{
    struct log_files *files = context;
    *ret_taken = atomic_load(&files->written);
    *ret_dropped = atomic_load(&files->dropped);
}

/* --- files: the thread's alone --- */

static int today(struct sys *sys)
{
    int year, month, day;
    date_to_civil((int32_t)(sys_now_us(sys) / 86400 / 1000000), &year, &month, &day);
    return year * 10000 + month * 100 + day;
}

/* The newest part of the day that others have begun, or the first. */
static int newest_part(struct log_files *files, const char *service, int day)
{
    struct log_file_name *names = NULL;
    size_t len = 0;
    int part = 0;
    if (log_folder_list(files->sys, files->folder, str_of(service), &names, &len, NULL) ==
        STATUS_OK)
        for (size_t i = 0; i < len; i++)
            if (names[i].day == day && names[i].part > part)
                part = names[i].part;
    free(names);
    return part;
}

static void open_file(struct log_files *files, struct log_file *file, int day, int part)
{
    char path[SYS_PATH_MAX];
    struct stat stat;
    if (file->fd >= 0)
        close(file->fd);
    file->fd = -1;
    memcpy(file->name.service, file->service, sizeof file->service);
    file->name.day = day;
    file->name.part = part;
    if (log_file_path(path, files->folder, &file->name, NULL) != STATUS_OK)
        return;
    file->fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
    file->size = file->fd >= 0 && fstat(file->fd, &stat) == 0 ? (uint64_t)stat.st_size : 0;
}

static void choose_file(struct log_files *files, struct log_file *file)
{
    int day = today(files->sys);
    struct stat stat = {0};
    bool gone = file->fd >= 0 && (fstat(file->fd, &stat) != 0 || stat.st_nlink == 0);
    bool fresh = file->fd < 0 || gone || file->name.day != day;
    if (fresh)
        open_file(files, file, day, newest_part(files, file->service, day));
    else
        file->size = (uint64_t)stat.st_size; /* others may append, too */
    while (file->fd >= 0 && file->size >= files->options.file_bytes &&
           file->name.part + 1 < LOG_PARTS_MAX) {
        open_file(files, file, day, file->name.part + 1);
        fresh = true;
    }
    if (fresh)
        (void)log_folder_prune(files->sys, files->folder, atomic_load(&files->retention_days),
                               files->options.total_bytes, NULL); /* the next file tries again */
}

/* One write, so that lines of two processes do not mix; a full disk loses the lines. */
static void write_out(struct log_files *files, struct log_file *file, uint64_t lines)
{
    choose_file(files, file);
    ssize_t written = file->fd < 0 ? -1 : write(file->fd, file->writing.data, file->writing.len);
    bool whole = written == (ssize_t)file->writing.len;
    if (written > 0 && !whole)
        (void)!write(file->fd, "\n", 1); /* what follows begins on a line of its own */
    atomic_fetch_add(whole ? &files->written : &files->dropped, lines);
    buf_clear(&file->writing);
}

static void flush(struct log_files *files)
{
    for (uint32_t i = 0;; i++) {
        pthread_mutex_lock(&files->lock);
        struct log_file *file = i < files->len ? &files->files[i] : NULL;
        uint64_t lines = 0;
        if (file) {
            struct buf empty = file->writing;
            file->writing = file->pending;
            file->pending = empty;
            lines = file->pending_lines;
            file->pending_lines = 0;
        }
        pthread_mutex_unlock(&files->lock);
        if (!file)
            return;
        if (lines)
            write_out(files, file, lines);
    }
}

static void *run(void *context)
{
    struct log_files *files = context;
    bool ends = false;
    while (!ends) {
        pthread_mutex_lock(&files->lock);
        while (!files->dirty && !files->ends)
            pthread_cond_wait(&files->wake, &files->lock);
        int64_t until_us = sys_mono_us(files->sys) + LOG_FLUSH_US;
        while (!files->ends && thread_cond_wait_until(&files->wake, &files->lock, until_us))
            ;
        files->dirty = false;
        ends = files->ends;
        pthread_mutex_unlock(&files->lock);
        flush(files);
    }
    return NULL;
}

/* --- life --- */

enum status log_files_open(struct sys *sys, const struct log_files_options *options,
                           struct log_files **ret, struct error *err)
{
    struct log_files *files = calloc(1, sizeof *files);
    if (!files)
        return error_no_memory(err);
    files->sys = sys;
    files->options = *options;
    files->options.folder = files->folder;
    files->sink = (struct log_sink){wants, take, count, files};
    atomic_init(&files->retention_days, options->retention_days);
    pthread_mutex_init(&files->lock, NULL);
    thread_cond_init(&files->wake);
    enum status status = sys_path(files->folder, err, "%s", options->folder);
    if (status == STATUS_OK)
        status = sys_mkdirs(sys, files->folder, err);
    if (status == STATUS_OK)
        status = thread_start(&files->thread, "log-files", 0, run, files, err);
    if (status != STATUS_OK) {
        log_files_close(files);
        return error_wrap(err, "the log folder %s cannot be used", options->folder);
    }
    *ret = files;
    return STATUS_OK;
}

void log_files_close(struct log_files *files)
{
    if (!files)
        return;
    pthread_mutex_lock(&files->lock);
    files->ends = true;
    pthread_cond_signal(&files->wake);
    pthread_mutex_unlock(&files->lock);
    thread_join(&files->thread);
    for (uint32_t i = 0; i < files->len; i++) {
        buf_release(&files->files[i].pending);
        buf_release(&files->files[i].writing);
        if (files->files[i].fd >= 0)
            close(files->files[i].fd);
    }
    pthread_cond_destroy(&files->wake);
    pthread_mutex_destroy(&files->lock);
    free(files);
}

const struct log_sink *log_files_sink(struct log_files *files)
{
    return &files->sink;
}

void log_files_set_retention(struct log_files *files, uint32_t days)
{
    atomic_store(&files->retention_days, days);
}

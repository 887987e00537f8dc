/* sys_util.c: deeds made of several sys calls, the same over every back end.
 *
 * sys_replace_file, in steps: (1) write `<path>.tmp` anew, (2) sync it, (3) rename it over `path`,
 * (4) sync the directory. A fault before (3) leaves the old file; after (3) the new one is seen,
 * but a failed (4) is reported because a power cut may still bring the old one back. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "sys/sys.h"

enum { TREE_DEPTH_MAX = 32, READ_CHUNK_MAX = 1 << 20 };

enum status sys_path(char out[SYS_PATH_MAX], struct error *err, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(out, SYS_PATH_MAX, format, args);
    va_end(args);
    if (n < 0 || n >= SYS_PATH_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT, "a path is longer than %d bytes: %.100s",
                         SYS_PATH_MAX - 1, out);
    return STATUS_OK;
}

/* "a/b" of "a/b/c"; "." of "c"; "/" of "/c". */
static enum status parent_of(const char *path, char out[SYS_PATH_MAX], struct error *err)
{
    TRY(sys_path(out, err, "%s", path));
    char *slash = strrchr(out, '/');
    if (!slash)
        return sys_path(out, err, ".");
    slash[slash == out] = 0;
    return STATUS_OK;
}

static enum status make_one(struct sys *sys, const char *path, struct error *err)
{
    enum status status = sys_mkdir(sys, path, err);
    if (status != STATUS_CONFLICT)
        return status;
    struct sys_stat st;
    TRY(sys_stat(sys, path, &st, err));
    if (!st.is_dir)
        return error_set(err, STATUS_CONFLICT, "%s exists and is no directory", path);
    return STATUS_OK;
}

enum status sys_mkdirs(struct sys *sys, const char *path, struct error *err)
{
    char part[SYS_PATH_MAX];
    TRY(sys_path(part, err, "%s", path));
    struct sys_stat st;
    if (sys_stat(sys, part, &st, NULL) == STATUS_OK && st.is_dir)
        return STATUS_OK;
    for (char *p = part + 1; part[0] && *p; p++) {
        if (*p != '/' || p[-1] == '/')
            continue;
        *p = 0;
        enum status status = make_one(sys, part, err);
        *p = '/';
        if (status != STATUS_OK)
            return status;
    }
    size_t len = strlen(part);
    return len == 0 || part[len - 1] == '/' ? STATUS_OK : make_one(sys, part, err);
}

static enum status read_open_file(struct sys *sys, struct sys_file *file, struct buf *ret,
                                  struct error *err)
{
    uint64_t size;
    TRY(sys_size(sys, file, &size, err));
    if (size > ret->max - ret->len)
        return error_set(err, STATUS_RESOURCE_LIMIT, "the file has %llu bytes, the limit is %zu",
                         (unsigned long long)size, ret->max - ret->len);
    for (uint64_t offset = 0; offset < size;) {
        uint64_t left = size - offset;
        size_t want = left < READ_CHUNK_MAX ? (size_t)left : READ_CHUNK_MAX;
        size_t n;
        if (!buf_reserve(ret, want))
            return buf_check(ret, "the file", err);
        TRY(sys_pread(sys, file, ret->data + ret->len, want, offset, &n, err));
        ret->len += n;
        offset += n;
        if (n < want)
            break; /* cut short meanwhile: what is there is the file */
    }
    return STATUS_OK;
}

enum status sys_read_file(struct sys *sys, const char *path, struct buf *ret, struct error *err)
{
    struct sys_file *file;
    TRY(sys_open(sys, path, SYS_READ, &file, err));
    enum status status = read_open_file(sys, file, ret, err);
    sys_close(sys, file);
    if (status != STATUS_OK)
        error_wrap(err, "cannot read %s", path);
    return status;
}

static enum status write_new_file(struct sys *sys, const char *path, struct slice bytes,
                                  struct error *err)
{
    struct sys_file *file;
    TRY(sys_open(sys, path, SYS_WRITE | SYS_CREATE | SYS_TRUNCATE, &file, err));
    enum status status = STATUS_OK;
    if (bytes.len)
        status = sys_pwrite(sys, file, bytes.data, bytes.len, 0, err);
    if (status == STATUS_OK)
        status = sys_sync(sys, file, err);
    sys_close(sys, file);
    return status;
}

enum status sys_replace_file(struct sys *sys, const char *path, struct slice bytes,
                             struct error *err)
{
    char temp[SYS_PATH_MAX], parent[SYS_PATH_MAX];
    TRY(sys_path(temp, err, "%s.tmp", path));
    TRY(parent_of(path, parent, err));
    enum status status = write_new_file(sys, temp, bytes, err);
    if (status == STATUS_OK)
        status = sys_rename(sys, temp, path, err);
    if (status != STATUS_OK) {
        (void)sys_unlink(sys, temp, NULL); /* a left-over is overwritten by the next try */
        return status;
    }
    return sys_sync_dir(sys, parent, err);
}

/* Names are gathered before anything is removed: a listing need not bear changes under it. */
struct names {
    struct buf text; /* 'd' or 'f', name, NUL */
};

static enum status gather_name(void *context, const struct sys_dir_entry *entry, struct error *err)
{
    struct names *names = context;
    buf_append_char(&names->text, entry->is_dir ? 'd' : 'f');
    buf_append(&names->text, entry->name, strlen(entry->name) + 1);
    return buf_check(&names->text, "the list of files", err);
}

static enum status remove_dir(struct sys *sys, const char *path, int depth, struct error *err);

static enum status remove_names(struct sys *sys, const char *path, const struct names *names,
                                int depth, struct error *err)
{
    const char *end = names->text.data + names->text.len;
    for (const char *p = names->text.data; p < end; p += strlen(p) + 1) {
        char child[SYS_PATH_MAX];
        TRY(sys_path(child, err, "%s/%s", path, p + 1));
        enum status status =
            *p == 'd' ? remove_dir(sys, child, depth + 1, err) : sys_unlink(sys, child, err);
        if (status != STATUS_OK && status != STATUS_NOT_FOUND)
            return status;
    }
    return STATUS_OK;
}

static enum status remove_dir(struct sys *sys, const char *path, int depth, struct error *err)
{
    if (depth > TREE_DEPTH_MAX)
        return error_set(err, STATUS_RESOURCE_LIMIT, "directories are nested deeper than %d: %s",
                         TREE_DEPTH_MAX, path);
    struct names names;
    buf_init(&names.text, 64u << 20);
    enum status status = sys_list_dir(sys, path, gather_name, &names, err);
    if (status == STATUS_OK)
        status = remove_names(sys, path, &names, depth, err);
    buf_release(&names.text);
    return status == STATUS_OK ? sys_rmdir(sys, path, err) : status;
}

enum status sys_remove_tree(struct sys *sys, const char *path, struct error *err)
{
    struct sys_stat st;
    enum status status = sys_stat(sys, path, &st, err);
    if (status == STATUS_OK)
        status = st.is_dir ? remove_dir(sys, path, 0, err) : sys_unlink(sys, path, err);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

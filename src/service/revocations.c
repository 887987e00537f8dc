#include "service/revocations.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/uuid.h"

struct revocations {
    struct sys *sys;
    struct verifier *verifier;
    char path[SYS_PATH_MAX];
    pthread_mutex_t lock;
    struct sys_file *file;      /* of the writer */
    char id[UUID_TEXT_LEN + 1]; /* of the file that `offset` is in */
    uint64_t offset;            /* behind the last line that was read */
    _Atomic int64_t looked_us;  /* monotonic; 0: never */
};

/* --- reading; the lock is held --- */

static enum status take_line(struct revocations *r, struct str line, struct error *err)
{
    struct str id, rest = line;
    int64_t until_s;
    if (!str_split(&rest, ' ', &id) || id.len == 0 || !str_to_int64(rest, &until_s))
        return error_set(err, STATUS_CORRUPT, "%s: the line '%.*s' is no revocation.", r->path,
                         STR_ARG(line));
    if (until_s + 3600 < sys_now_us(r->sys) / 1000000)
        return STATUS_OK;
    return verifier_revoke(r->verifier, id, until_s, err);
}

/* Whole lines only: the last one may still be on its way. */
static enum status take_text(struct revocations *r, struct str text, struct error *err)
{
    size_t head = UUID_TEXT_LEN + 1;
    if (text.len < head)
        return STATUS_OK;
    if (memcmp(text.data, r->id, UUID_TEXT_LEN) != 0) {
        memcpy(r->id, text.data, UUID_TEXT_LEN);
        r->offset = head;
    }
    while (r->offset < text.len) {
        const char *start = text.data + r->offset;
        const char *end = memchr(start, '\n', text.len - r->offset);
        if (!end)
            break;
        TRY(take_line(r, str_make(start, (size_t)(end - start)), err));
        r->offset += (size_t)(end - start) + 1;
    }
    return STATUS_OK;
}

static enum status read_all(struct revocations *r, struct error *err)
{
    struct buf text;
    buf_init(&text, REVOCATIONS_FILE_MAX);
    enum status status = sys_read_file(r->sys, r->path, &text, err);
    if (status == STATUS_OK)
        status = take_text(r, buf_str(&text), err);
    else if (status == STATUS_NOT_FOUND)
        status = STATUS_OK; /* nobody was shut out yet */
    buf_release(&text);
    return status;
}

enum status revocations_refresh(struct revocations *r, struct error *err)
{
    int64_t now = sys_mono_us(r->sys);
    int64_t looked = atomic_load_explicit(&r->looked_us, memory_order_relaxed);
    if (r->file || (looked && now - looked < REVOCATIONS_LOOK_US))
        return STATUS_OK;
    pthread_mutex_lock(&r->lock);
    struct sys_stat stat;
    enum status status = sys_stat(r->sys, r->path, &stat, err);
    if (status == STATUS_NOT_FOUND)
        status = STATUS_OK;
    else if (status == STATUS_OK && stat.size != r->offset)
        status = read_all(r, err);
    if (status == STATUS_OK)
        atomic_store_explicit(&r->looked_us, now ? now : 1, memory_order_relaxed);
    pthread_mutex_unlock(&r->lock);
    return status;
}

/* --- writing --- */

/* The same file, without what has expired. */
static enum status rewrite(struct revocations *r, struct error *err)
{
    struct buf old, new;
    unsigned char random[10];
    buf_init(&old, REVOCATIONS_FILE_MAX);
    buf_init(&new, REVOCATIONS_FILE_MAX);
    sys_random(r->sys, random, sizeof random);
    uuid_format(uuid_v7((uint64_t)sys_now_us(r->sys) / 1000, random), r->id);
    buf_printf(&new, "%s\n", r->id);
    enum status status = sys_read_file(r->sys, r->path, &old, err);
    struct str rest = buf_str(&old), line;
    if (status == STATUS_OK && str_split(&rest, '\n', &line)) {
        while (str_split(&rest, '\n', &line) && rest.data) {
            struct str id, until = line;
            int64_t until_s;
            if (str_split(&until, ' ', &id) && str_to_int64(until, &until_s) &&
                until_s >= sys_now_us(r->sys) / 1000000)
                buf_printf(&new, "%.*s\n", STR_ARG(line));
        }
    } else if (status == STATUS_NOT_FOUND) {
        status = STATUS_OK;
    }
    if (status == STATUS_OK)
        status = buf_check(&new, "The list of revoked tokens", err);
    if (status == STATUS_OK)
        status = sys_replace_file(r->sys, r->path, (struct slice){new.data, new.len}, err);
    buf_release(&old);
    buf_release(&new);
    return status;
}

enum status revocations_add(struct revocations *r, struct str id, int64_t until_s,
                            struct error *err)
{
    struct buf line;
    buf_init(&line, 1024);
    buf_printf(&line, "%.*s %lld\n", STR_ARG(id), (long long)until_s);
    enum status status = buf_check(&line, "A token's id", err);
    pthread_mutex_lock(&r->lock);
    if (status == STATUS_OK)
        status = sys_pwrite(r->sys, r->file, line.data, line.len, r->offset, err);
    if (status == STATUS_OK)
        status = sys_sync(r->sys, r->file, err);
    if (status == STATUS_OK) {
        r->offset += line.len;
        status = verifier_revoke(r->verifier, id, until_s, err);
    } else {
        (void)sys_truncate(r->sys, r->file, r->offset, NULL); /* half a line must not stay */
    }
    pthread_mutex_unlock(&r->lock);
    buf_release(&line);
    return status;
}

/* --- life --- */

static enum status open_writer(struct revocations *r, struct error *err)
{
    TRY(rewrite(r, err));
    r->id[0] = '\0';
    TRY(read_all(r, err));
    return sys_open(r->sys, r->path, SYS_READ | SYS_WRITE, &r->file, err);
}

enum status revocations_open(struct sys *sys, const char *path, bool writer,
                             struct verifier *verifier, struct revocations **ret, struct error *err)
{
    struct revocations *r = calloc(1, sizeof *r);
    if (!r)
        return error_no_memory(err);
    r->sys = sys;
    r->verifier = verifier;
    pthread_mutex_init(&r->lock, NULL);
    enum status status = sys_path(r->path, err, "%s", path);
    if (status == STATUS_OK)
        status = writer ? open_writer(r, err) : revocations_refresh(r, err);
    if (status != STATUS_OK) {
        revocations_close(r);
        return status;
    }
    *ret = r;
    return STATUS_OK;
}

void revocations_close(struct revocations *r)
{
    if (!r)
        return;
    sys_close(r->sys, r->file);
    pthread_mutex_destroy(&r->lock);
    free(r);
}

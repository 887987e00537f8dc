#include "sys/fault/fault.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

struct fault {
    struct sys sys; /* first */
    struct sys *inner;
    pthread_mutex_t mutex; /* guards what follows; never held over a call to `inner` */
    struct fault_plan plan;
    uint64_t calls[FAULT_OP_COUNT]; /* [FAULT_ANY]: their sum */
    uint64_t hits;
    bool crashed;
};

static const char *const op_names[FAULT_OP_COUNT] = {
    "any", "open", "pread", "pwrite", "sync",   "truncate", "allocate", "size",     "lock",
    "map", "stat", "mkdir", "rmdir",  "rename", "unlink",   "sync_dir", "list_dir",
};

const char *fault_op_name(enum fault_op op)
{
    return op_names[op];
}

static struct fault *of(struct sys *sys)
{
    return (struct fault *)sys;
}

/* Counts a call; true when it is to fail, by the plan copied to *ret_plan. */
static bool hit(struct fault *fault, enum fault_op op, struct fault_plan *ret_plan)
{
    pthread_mutex_lock(&fault->mutex);
    fault->calls[FAULT_ANY]++;
    fault->calls[op]++;
    const struct fault_plan *plan = &fault->plan;
    bool matches = plan->op == FAULT_ANY || plan->op == op;
    uint64_t n = fault->calls[plan->op];
    bool fails = plan->at && matches && (n == plan->at || (plan->for_ever && n > plan->at));
    *ret_plan = *plan;
    if (fault->crashed) {
        fails = true;
        ret_plan->errnum = EIO;
        ret_plan->write = FAULT_WRITE_NONE;
    } else if (fails && plan->crash) {
        fault->crashed = true;
        ret_plan->errnum = EIO;
    }
    fault->hits += fails;
    pthread_mutex_unlock(&fault->mutex);
    return fails;
}

static enum status fail(const struct fault_plan *plan, enum fault_op op, struct error *err)
{
    return error_errno(err, plan->errnum ? plan->errnum : EIO, "planned fault in %s", op_names[op]);
}

#define FAULT_POINT(sys, op, err)                                                                  \
    do {                                                                                           \
        struct fault_plan plan_;                                                                   \
        if (hit(of(sys), (op), &plan_))                                                            \
            return fail(&plan_, (op), (err));                                                      \
    } while (0)

static enum status fault_open(struct sys *sys, const char *path, unsigned flags,
                              struct sys_file **ret_file, struct error *err)
{
    FAULT_POINT(sys, FAULT_OPEN, err);
    return sys_open(of(sys)->inner, path, flags, ret_file, err);
}

static void fault_close(struct sys *sys, struct sys_file *file)
{
    sys_close(of(sys)->inner, file);
}

static enum status fault_pread(struct sys *sys, struct sys_file *file, void *data, size_t len,
                               uint64_t offset, size_t *ret_len, struct error *err)
{
    FAULT_POINT(sys, FAULT_PREAD, err);
    return sys_pread(of(sys)->inner, file, data, len, offset, ret_len, err);
}

static enum status write_flipped(struct sys *inner, struct sys_file *file, const void *data,
                                 size_t len, uint64_t offset, size_t at, struct error *err)
{
    unsigned char *copy = malloc(len ? len : 1);
    if (!copy)
        return error_no_memory(err);
    memcpy(copy, data, len);
    if (len)
        copy[at % len] ^= 1;
    enum status status = sys_pwrite(inner, file, copy, len, offset, err);
    free(copy);
    return status;
}

static enum status fault_pwrite(struct sys *sys, struct sys_file *file, const void *data,
                                size_t len, uint64_t offset, struct error *err)
{
    struct sys *inner = of(sys)->inner;
    struct fault_plan plan;
    if (!hit(of(sys), FAULT_PWRITE, &plan))
        return sys_pwrite(inner, file, data, len, offset, err);
    size_t part = plan.bytes < len ? plan.bytes : len;
    switch (plan.write) {
    case FAULT_WRITE_FLIP:
        return write_flipped(inner, file, data, len, offset, plan.bytes, err);
    case FAULT_WRITE_SHORT:
        return sys_pwrite(inner, file, data, part, offset, err);
    case FAULT_WRITE_TORN:
        TRY(sys_pwrite(inner, file, data, part, offset, err));
        return fail(&plan, FAULT_PWRITE, err);
    case FAULT_WRITE_NONE:
        break;
    }
    return fail(&plan, FAULT_PWRITE, err);
}

static enum status fault_sync(struct sys *sys, struct sys_file *file, struct error *err)
{
    FAULT_POINT(sys, FAULT_SYNC, err);
    return sys_sync(of(sys)->inner, file, err);
}

static enum status fault_truncate(struct sys *sys, struct sys_file *file, uint64_t size,
                                  struct error *err)
{
    FAULT_POINT(sys, FAULT_TRUNCATE, err);
    return sys_truncate(of(sys)->inner, file, size, err);
}

static enum status fault_allocate(struct sys *sys, struct sys_file *file, uint64_t size,
                                  struct error *err)
{
    FAULT_POINT(sys, FAULT_ALLOCATE, err);
    return sys_allocate(of(sys)->inner, file, size, err);
}

static enum status fault_size(struct sys *sys, struct sys_file *file, uint64_t *ret_size,
                              struct error *err)
{
    FAULT_POINT(sys, FAULT_SIZE, err);
    return sys_size(of(sys)->inner, file, ret_size, err);
}

static enum status fault_lock(struct sys *sys, struct sys_file *file, struct error *err)
{
    FAULT_POINT(sys, FAULT_LOCK, err);
    return sys_lock(of(sys)->inner, file, err);
}

static enum status fault_map(struct sys *sys, struct sys_file *file, struct sys_map *ret_map,
                             struct error *err)
{
    FAULT_POINT(sys, FAULT_MAP, err);
    return sys_map(of(sys)->inner, file, ret_map, err);
}

static void fault_unmap(struct sys *sys, struct sys_map *map)
{
    sys_unmap(of(sys)->inner, map);
}

static enum status fault_stat(struct sys *sys, const char *path, struct sys_stat *ret_stat,
                              struct error *err)
{
    FAULT_POINT(sys, FAULT_STAT, err);
    return sys_stat(of(sys)->inner, path, ret_stat, err);
}

static enum status fault_mkdir(struct sys *sys, const char *path, struct error *err)
{
    FAULT_POINT(sys, FAULT_MKDIR, err);
    return sys_mkdir(of(sys)->inner, path, err);
}

static enum status fault_rmdir(struct sys *sys, const char *path, struct error *err)
{
    FAULT_POINT(sys, FAULT_RMDIR, err);
    return sys_rmdir(of(sys)->inner, path, err);
}

static enum status fault_rename(struct sys *sys, const char *from, const char *to,
                                struct error *err)
{
    FAULT_POINT(sys, FAULT_RENAME, err);
    return sys_rename(of(sys)->inner, from, to, err);
}

static enum status fault_unlink(struct sys *sys, const char *path, struct error *err)
{
    FAULT_POINT(sys, FAULT_UNLINK, err);
    return sys_unlink(of(sys)->inner, path, err);
}

static enum status fault_sync_dir(struct sys *sys, const char *path, struct error *err)
{
    FAULT_POINT(sys, FAULT_SYNC_DIR, err);
    return sys_sync_dir(of(sys)->inner, path, err);
}

static enum status fault_list_dir(struct sys *sys, const char *path, sys_dir_fn fn, void *context,
                                  struct error *err)
{
    FAULT_POINT(sys, FAULT_LIST_DIR, err);
    return sys_list_dir(of(sys)->inner, path, fn, context, err);
}

static int64_t fault_now_us(struct sys *sys)
{
    return sys_now_us(of(sys)->inner);
}

static int64_t fault_mono_us(struct sys *sys)
{
    return sys_mono_us(of(sys)->inner);
}

static void fault_sleep_us(struct sys *sys, int64_t us)
{
    sys_sleep_us(of(sys)->inner, us);
}

static void fault_random(struct sys *sys, void *data, size_t len)
{
    sys_random(of(sys)->inner, data, len);
}

static const struct sys_ops fault_ops = {
    .name = "fault",
    .open = fault_open,
    .close = fault_close,
    .pread = fault_pread,
    .pwrite = fault_pwrite,
    .sync = fault_sync,
    .truncate = fault_truncate,
    .allocate = fault_allocate,
    .size = fault_size,
    .lock = fault_lock,
    .map = fault_map,
    .unmap = fault_unmap,
    .stat = fault_stat,
    .mkdir = fault_mkdir,
    .rmdir = fault_rmdir,
    .rename = fault_rename,
    .unlink = fault_unlink,
    .sync_dir = fault_sync_dir,
    .list_dir = fault_list_dir,
    .now_us = fault_now_us,
    .mono_us = fault_mono_us,
    .sleep_us = fault_sleep_us,
    .random = fault_random,
};

enum status fault_new(struct sys *inner, struct fault **ret, struct error *err)
{
    struct fault *fault = calloc(1, sizeof *fault);
    if (!fault)
        return error_no_memory(err);
    fault->sys.ops = &fault_ops;
    fault->inner = inner;
    pthread_mutex_init(&fault->mutex, NULL);
    *ret = fault;
    return STATUS_OK;
}

void fault_free(struct fault *fault)
{
    if (!fault)
        return;
    pthread_mutex_destroy(&fault->mutex);
    free(fault);
}

struct sys *fault_sys(struct fault *fault)
{
    return &fault->sys;
}

void fault_plan(struct fault *fault, const struct fault_plan *plan)
{
    pthread_mutex_lock(&fault->mutex);
    fault->plan = plan ? *plan : (struct fault_plan){0};
    memset(fault->calls, 0, sizeof fault->calls);
    fault->hits = 0;
    fault->crashed = false;
    pthread_mutex_unlock(&fault->mutex);
}

uint64_t fault_calls(struct fault *fault, enum fault_op op)
{
    assert(op < FAULT_OP_COUNT);
    pthread_mutex_lock(&fault->mutex);
    uint64_t n = fault->calls[op];
    pthread_mutex_unlock(&fault->mutex);
    return n;
}

uint64_t fault_hits(struct fault *fault)
{
    pthread_mutex_lock(&fault->mutex);
    uint64_t n = fault->hits;
    pthread_mutex_unlock(&fault->mutex);
    return n;
}

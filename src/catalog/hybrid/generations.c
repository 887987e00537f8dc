/* generations.c: numbers in memory that say which cached records still count.
 *
 * Records are spread over stripes. A commit counts its stripes' writers up, moves their generations
 * on, changes the primary, and counts the writers down. Whoever reads looks at the generation
 * first and at the writers afterwards; with no writer there,
 *   - what is cached under that generation is what the primary held at that look, and
 *   - what is read from the primary now may be cached under it: a commit that this read does not
 *     see has yet to move the generation on.
 *
 * The numbers lie in a file that all processes of the machine map, each with a shared lock. The
 * first one (who gets the exclusive lock) begins anew with a random instance, so that nothing
 * cached earlier counts. A process that dies in a commit leaves a writer behind: the records of
 * that stripe are read from the primary until all processes have closed the file.
 *
 * The file is mapped directly, not through sys: what is needed is shared memory, not storage. */
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "catalog/hybrid/hybrid_int.h"

/* A commit whose fate is unknown is over by then, however it ended. */
enum { UNCERTAIN_US = 60000000 };

struct generation {
    atomic_uint_least64_t number;
    atomic_int_least64_t writers;
    atomic_int_least64_t hold_until_us; /* monotonic */
};

struct generations_shared {
    atomic_uint_least64_t instance;
    atomic_uint_least64_t foreign; /* commits that only the primary told of */
    struct generation all;
    struct generation stripes[GENERATION_STRIPES];
};

/* --- the file --- */

static void begin_anew(struct generations *generations)
{
    uint64_t instance = 0;
    memset(generations->shared, 0, sizeof *generations->shared);
    sys_random(generations->sys, &instance, sizeof instance);
    atomic_store(&generations->shared->instance, instance | 1);
}

static enum status map_file(struct generations *generations, const char *path, struct error *err)
{
    struct stat about;
    if (fstat(generations->fd, &about) < 0)
        return error_errno(err, errno, "'%s' cannot be looked at", path);
    if (!S_ISREG(about.st_mode) || about.st_uid != geteuid())
        return error_set(err, STATUS_CONFLICT,
                         "'%s' is not this user's file; the hybrid catalog cannot use it", path);
    bool first = flock(generations->fd, LOCK_EX | LOCK_NB) == 0;
    if (!first && flock(generations->fd, LOCK_SH) < 0)
        return error_errno(err, errno, "'%s' cannot be locked", path);
    if (first && ftruncate(generations->fd, sizeof *generations->shared) < 0)
        return error_errno(err, errno, "'%s' cannot be given its size", path);
    void *data = mmap(NULL, sizeof *generations->shared, PROT_READ | PROT_WRITE, MAP_SHARED,
                      generations->fd, 0);
    if (data == MAP_FAILED)
        return error_errno(err, errno, "'%s' cannot be mapped", path);
    generations->shared = data;
    if (!first)
        return STATUS_OK;
    begin_anew(generations);
    /* Another first one may come between the two locks: it begins anew once more. */
    if (flock(generations->fd, LOCK_SH) < 0)
        return error_errno(err, errno, "'%s' cannot be locked", path);
    return STATUS_OK;
}

enum status generations_open(struct sys *sys, const char *path, struct generations *ret,
                             struct error *err)
{
    *ret = (struct generations){.sys = sys};
    ret->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (ret->fd < 0)
        return error_errno(err, errno, "'%s' cannot be opened", path);
    enum status status = map_file(ret, path, err);
    if (status != STATUS_OK)
        generations_close(ret);
    return status;
}

void generations_close(struct generations *generations)
{
    if (generations->shared)
        munmap(generations->shared, sizeof *generations->shared);
    if (generations->fd >= 0)
        close(generations->fd);
    *generations = (struct generations){.fd = -1};
}

/* --- the numbers --- */

static struct generation *stripe_of(const struct generations *generations, enum domain domain,
                                    struct str id)
{
    uint64_t hash = str_hash(id) + (uint64_t)domain;
    return &generations->shared->stripes[hash % GENERATION_STRIPES];
}

/* The order of the loads matters: see above. */
static struct stamp look(const struct generations *generations, const struct generation *generation)
{
    struct stamp stamp = {
        .instance = atomic_load(&generations->shared->instance),
        .foreign = atomic_load(&generations->shared->foreign),
        .stripe = atomic_load(&generation->number),
    };
    stamp.trusted = atomic_load(&generation->writers) == 0 &&
                    atomic_load(&generation->hold_until_us) <= sys_mono_us(generations->sys);
    return stamp;
}

struct stamp generations_look(const struct generations *generations, enum domain domain,
                              struct str id)
{
    return look(generations, stripe_of(generations, domain, id));
}

struct stamp generations_look_all(const struct generations *generations)
{
    return look(generations, &generations->shared->all);
}

static void begin_one(struct generation *generation)
{
    atomic_fetch_add(&generation->writers, 1);
    atomic_fetch_add(&generation->number, 1);
}

static void end_one(struct generation *generation, int64_t hold_until_us)
{
    if (hold_until_us)
        atomic_store(&generation->hold_until_us, hold_until_us);
    atomic_fetch_sub(&generation->writers, 1);
}

void generations_begin(struct generations *generations, const struct change *changes, uint32_t len)
{
    begin_one(&generations->shared->all);
    for (uint32_t i = 0; i < len; i++)
        begin_one(stripe_of(generations, changes[i].record->domain, changes[i].record->id));
}

void generations_end(struct generations *generations, const struct change *changes, uint32_t len,
                     bool uncertain)
{
    int64_t hold = uncertain ? sys_mono_us(generations->sys) + UNCERTAIN_US : 0;
    for (uint32_t i = 0; i < len; i++)
        end_one(stripe_of(generations, changes[i].record->domain, changes[i].record->id), hold);
    end_one(&generations->shared->all, hold);
}

void generations_void(struct generations *generations)
{
    atomic_fetch_add(&generations->shared->foreign, 1);
}

/* sim.h: a machine in memory: a disk that forgets what was not synced, a clock and chance from a
 * seed.
 *
 * What the disk promises is what a careful reading of POSIX promises and no more:
 *   - a file's bytes and size are safe after sys_sync of the file; its name is safe only after
 *     sys_sync_dir of its directory;
 *   - a create, unlink, rename, mkdir or rmdir happens wholly or not at all, in the order given
 *     within one directory, and may be undone by a power cut until that directory is synced (a
 * rename between two directories: until either is, and with it all that they did before);
 *   - of unsynced bytes each 512-byte sector may be old or new, independent of order.
 *
 * sim_power_cut picks one of the states allowed. All open files then fail with STATUS_IO until they
 * are closed and opened anew. Thread-safe, but a power cut must not run beside other calls.
 *
 * The clock moves by sys_sleep_us and sim_advance, and 1 us with each look at it, so that a loop
 * that waits for a time ends. Paths: relative and absolute ones mean the same; no "..". */
#ifndef QUARRY_SYS_SIM_SIM_H
#define QUARRY_SYS_SIM_SIM_H

#include "sys/sys.h"

enum { SIM_SECTOR = 512 };

struct sim;

enum status sim_new(uint64_t seed, struct sim **ret, struct error *err);
/* All files must be closed and all maps unmapped. NULL is fine. */
void sim_free(struct sim *sim);
struct sys *sim_sys(struct sim *sim);

/* Bytes of all files together; beyond, writes fail with STATUS_STORAGE_FULL. 0: no bound. */
void sim_set_capacity(struct sim *sim, uint64_t bytes);
void sim_advance(struct sim *sim, int64_t us);

enum sim_cut {
    SIM_CUT_STRICT, /* nothing that was not synced survives */
    SIM_CUT_NAMES,  /* all names survive, no unsynced bytes: files that are there but empty */
    SIM_CUT_RANDOM, /* by the seed: some first names, each sector old or new */
};
void sim_power_cut_as(struct sim *sim, enum sim_cut cut, uint64_t seed);
/* Chooses the kind of cut by the seed, too (of 8 seeds: 1 strict, 1 names, 6 random). */
void sim_power_cut(struct sim *sim, uint64_t seed);

/* Flips one bit of a file's bytes, synced or not; STATUS_NOT_FOUND, STATUS_INVALID_ARGUMENT past
 * the end. */
enum status sim_flip_bit(struct sim *sim, const char *path, uint64_t bit, struct error *err);

#endif

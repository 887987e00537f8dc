/* cage.h: what a SQL worker gives up before it opens the engine. One way: there is no undoing.
 *
 * Must be called from the only thread of the process: Landlock and seccomp bind the calling thread
 * and the threads it starts later. Layers, each of which holds without the others:
 *   rlimits   address space, CPU, file size, open files, no core
 *   uid       no capabilities, no_new_privs
 *   Landlock  reads only of the folders given, writes only in the temp folder; no TCP, no signals
 *             and no abstract sockets to outside (as far as the kernel's ABI has it)
 *   seccomp   a list of allowed system calls; all others fail with EPERM */
#ifndef QUARRY_QUERY_SQLWORKER_CAGE_H
#define QUARRY_QUERY_SQLWORKER_CAGE_H

#include "base/status.h"

enum { CAGE_READ_FOLDERS_MAX = 4 };

struct cage_options {
    const char *read_folders[CAGE_READ_FOLDERS_MAX]; /* NULL: no more; must exist */
    const char *temp_folder;                         /* read and write; must exist */
    uint64_t memory_bytes;                           /* RLIMIT_AS */
    uint64_t file_bytes;                             /* RLIMIT_FSIZE */
    uint64_t cpu_seconds;                            /* hard RLIMIT_CPU of the whole life */
};

struct cage_report {
    int landlock_abi; /* 0: the kernel has no Landlock; the other layers stand */
    bool seccomp;
    bool address_limit; /* false in builds with a sanitizer, which need the address space */
};

/* STATUS_UNAVAILABLE when a layer that the kernel has could not be put in place: then the process
 * must not open the engine. */
enum status cage_enter(const struct cage_options *options, struct cage_report *ret_report,
                       struct error *err);

/* Soft limit of CPU seconds from now on, at most the hard one: SIGXCPU beyond. */
void cage_limit_cpu(uint64_t seconds_more);

/* The layers on their own (cage_landlock.c, cage_seccomp.c). */
enum status cage_landlock(const struct cage_options *options, int *ret_abi, struct error *err);
enum status cage_seccomp(bool *ret_active, struct error *err);

#endif

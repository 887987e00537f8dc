/* process.h: child programs with a channel to them.
 *
 *   struct process child;
 *   TRY(process_spawn(&(struct process_options){.executable = path, .argv = argv,
 *                                               .channel = true}, &child, err));
 *   ... talk over child.channel: the child has the other end as descriptor 3 ...
 *   process_kill(&child, SIGKILL);
 *   process_wait(&child, -1, &ended, err);
 *   process_release(&child);
 *
 * The child has descriptors 0 (/dev/null), 1, 2 (ours, or those given) and 3 (the channel) and no
 * other; all signals at their defaults and unblocked. A `struct process` belongs to one thread at a
 * time. It is the parent's to wait for: until process_wait reports the end, the pid is not reused,
 * so process_kill cannot hit a stranger. */
#ifndef QUARRY_SYS_PROCESS_H
#define QUARRY_SYS_PROCESS_H

#include <sys/types.h>

#include "base/status.h"

enum { PROCESS_CHANNEL_FD = 3 };

struct process_options {
    const char *executable; /* path; not searched in PATH */
    char *const *argv;      /* NULL-ended, argv[0] included */
    char *const *envp;      /* NULL-ended; NULL: ours */
    bool channel;           /* a Unix stream socket pair */
    /* SIGKILL for the child when the THREAD that spawned it ends (prctl(2), PR_SET_PDEATHSIG): so
     * only for threads that live as long as the child may. */
    bool die_with_parent;
    int stdout_fd; /* 0: ours */
    int stderr_fd; /* 0: ours */
};

struct process {
    pid_t pid;   /* 0: none, or its end was reported */
    int pidfd;   /* becomes readable at its end: fit for poll */
    int channel; /* our end, close-on-exec; -1: none */
};

#define PROCESS_NONE ((struct process){.pidfd = -1, .channel = -1})

struct process_end {
    int exit_code; /* -1 when a signal ended it */
    int signal;    /* 0 when it exited */
};

/* Returns when the program runs. STATUS_NOT_FOUND when there is no such file, STATUS_IO,
 * STATUS_NO_MEMORY else. */
enum status process_spawn(const struct process_options *options, struct process *ret,
                          struct error *err);
/* Waits up to timeout_ms (-1: for ever, 0: only looks). STATUS_TIMEOUT when it still runs. */
enum status process_wait(struct process *process, int timeout_ms, struct process_end *ret,
                         struct error *err);
/* Nothing happens when its end was already reported. */
void process_kill(struct process *process, int signal);
/* SIGKILL and wait if it still runs, then closes the descriptors. PROCESS_NONE is fine. */
void process_release(struct process *process);

/* Folder of the running program ("/usr/bin"), to find its sisters. */
enum status process_own_folder(char *out, size_t cap, struct error *err);

#endif

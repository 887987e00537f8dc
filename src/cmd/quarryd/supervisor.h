/* supervisor.h: keeps the process of one tenant's node alive.
 *
 *   stopped --supervisor_run--> starting --READY--> running --end--> backing_off --timer-->
 * starting any --supervisor_halt--> stopping --end--> stopped
 *
 * An end before the first READY is final for the supervisor: the first start must work
 * (STATUS_UNAVAILABLE with the node's own message). Later ends are crashes: the node is started
 * again after 0.1, 0.2, 0.4 ... at most 30 s; after 60 s of running the next wait is 0.1 s again. A
 * node that is started again gets the port that the first one had.
 *
 * Threads: all calls from the thread that made it and that lives as long as the process (the node
 * dies with it), but supervisor_status from any. */
#ifndef QUARRY_CMD_QUARRYD_SUPERVISOR_H
#define QUARRY_CMD_QUARRYD_SUPERVISOR_H

#include <poll.h>

#include "base/log.h"
#include "cmd/quarryd/options.h"
#include "services/operation/operation.h"
#include "services/tenant/tenant.h"

struct supervisor;

enum { SUPERVISOR_FDS = 2 };

struct supervisor_options {
    const struct quarryd_options *options; /* whose arguments the node gets, then: */
    const char *tenant;
    const char *const *arguments; /* NULL-ended, copied; NULL: none */
};

/* Spawns the node and returns without waiting for it. */
enum status supervisor_start(const struct supervisor_options *options, struct sys *sys,
                             const struct log *log, struct supervisor **ret, struct error *err);
/* For poll(2): what to wait for and how long (milliseconds, -1 for ever). */
int supervisor_poll(struct supervisor *supervisor, struct pollfd fds[SUPERVISOR_FDS]);
/* After poll: takes in what happened. A failure is final. */
enum status supervisor_step(struct supervisor *supervisor, const struct pollfd fds[SUPERVISOR_FDS],
                            struct error *err);
void supervisor_status(struct supervisor *supervisor, struct node_status *ret);
void supervisor_signal(struct supervisor *supervisor, int signal);
/* Asks a running node for its load, which supervisor_take_load gives once when it has come. */
void supervisor_ask_load(struct supervisor *supervisor);
bool supervisor_take_load(struct supervisor *supervisor, struct tenant_load *ret);
/* Tells a running node how many SQL workers it may have. */
void supervisor_set_workers(struct supervisor *supervisor, uint32_t workers);
/* Asks the node to stop, with a kill after grace_ms, and returns without waiting for it. */
void supervisor_halt(struct supervisor *supervisor, uint32_t grace_ms);
/* Starts a node that is stopped; does nothing in other states. */
void supervisor_run(struct supervisor *supervisor);
/* Asks the node to stop, waits at most grace_ms, kills it then, frees. NULL is fine. False when it
 * had to be killed or ended badly. */
bool supervisor_stop(struct supervisor *supervisor, uint32_t grace_ms);

#endif

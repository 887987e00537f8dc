/* node.h: the tenant node as a process: `quarryd --node`.
 *
 * Under a supervisor (--supervised) descriptor 3 is a socket to it (node_channel.h): the node says
 * that it is ready or why not, tells its load when asked, and ends at once when the other end is
 * closed (the supervisor is dead; everything acknowledged is in the log, so nothing is lost). */
#ifndef QUARRY_CMD_QUARRYD_NODE_H
#define QUARRY_CMD_QUARRYD_NODE_H

#include "base/log.h"
#include "cmd/quarryd/options.h"

/* Serves until SIGTERM or SIGINT; returns the process's exit status. `signals` is a signalfd. */
int node_main(const struct quarryd_options *options, struct sys *sys, struct log *log, int signals);

#endif

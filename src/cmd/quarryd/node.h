/* node.h: the tenant node as a process: `quarryd --node`.
 *
 * Under a supervisor (--supervised) descriptor 3 is a socket to it: the node writes one line,
 * "READY <port>" or "FAIL <message>", and ends at once when the other end is closed (the
 * supervisor is dead; everything acknowledged is in the log, so nothing is lost). */
#ifndef QUARRY_CMD_QUARRYD_NODE_H
#define QUARRY_CMD_QUARRYD_NODE_H

#include "base/log.h"
#include "cmd/quarryd/options.h"

enum { NODE_LINE_MAX = 1200 };

/* Serves until SIGTERM or SIGINT; returns the process's exit status. `signals` is a signalfd. */
int node_main(const struct quarryd_options *options, struct sys *sys, struct log *log, int signals);

#endif

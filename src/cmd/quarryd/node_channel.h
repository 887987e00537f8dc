/* node_channel.h: what a node and its supervisor say to each other, in lines over the socket that
 * is the node's descriptor 3.
 *
 *   node         READY <port> | FAIL <why> | LOAD <numbers>
 *   supervisor   LOAD (it is asked for) | WORKERS <SQL workers that the node may have>
 *
 * Lines that nobody knows are skipped: after an upgrade one side may be older. */
#ifndef QUARRY_CMD_QUARRYD_NODE_CHANNEL_H
#define QUARRY_CMD_QUARRYD_NODE_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>

#include "services/tenant/tenant.h"

enum { NODE_LINE_MAX = 1200 };

/* Bytes that have come and are not yet taken as lines. Zero it. */
struct node_channel {
    char text[NODE_LINE_MAX];
    size_t len;
};

/* Takes in what is there, without waiting. False: the other end is closed. */
bool node_channel_read(struct node_channel *channel, int fd);
/* The next whole line, without its end; false: there is none yet. One that is too long is cut. */
bool node_channel_next(struct node_channel *channel, char line[NODE_LINE_MAX]);
/* A line with its end; an other end that is gone or does not read is noticed elsewhere. */
void node_channel_write(int fd, const char *line);

void node_load_write(const struct tenant_load *load, char line[NODE_LINE_MAX]);
bool node_load_read(const char *line, struct tenant_load *ret);

#endif

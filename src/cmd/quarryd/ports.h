/* ports.h: the file that tells tests and scripts where the services listen: one JSON object from
 * service key to port, put in place atomically. */
#ifndef QUARRY_CMD_QUARRYD_PORTS_H
#define QUARRY_CMD_QUARRYD_PORTS_H

#include "service/operation.h"
#include "sys/sys.h"

/* Services with port 0 are left out. */
enum status ports_write(struct sys *sys, const char *path, const uint16_t ports[SERVICE_COUNT],
                        struct error *err);

#endif

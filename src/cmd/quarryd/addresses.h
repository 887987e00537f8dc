/* addresses.h: the setting SERVICE_ADDRESSES: where services run that other processes or machines
 * serve: "tenant=node-1:8000,tenant=node-2:8000,catalog=[fd00::3]:8083"; of
 * "tenant=dns:nodes.example:8000" each address of the name is an instance (names.h). */
#ifndef QUARRY_CMD_QUARRYD_ADDRESSES_H
#define QUARRY_CMD_QUARRYD_ADDRESSES_H

#include "base/status.h"
#include "base/str.h"
#include "service/operation.h"

enum { ADDRESS_HOST_MAX = 100 };

struct address {
    enum service_kind kind;
    char host[ADDRESS_HOST_MAX + 1]; /* a name or an address, without brackets */
    uint16_t port;
    bool dns; /* each address of the name, looked up again and again */
};

/* Takes the next entry off the list. *ret_found false: there is none. STATUS_INVALID_ARGUMENT. */
enum status addresses_next(struct str *list, struct address *ret, bool *ret_found,
                           struct error *err);

#endif

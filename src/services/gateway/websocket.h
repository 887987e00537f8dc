/* websocket.h: calls that become WebSockets (RFC 6455), passed on byte for byte. */
#ifndef QUARRY_SERVICES_GATEWAY_WEBSOCKET_H
#define QUARRY_SERVICES_GATEWAY_WEBSOCKET_H

#include "net/http_client.h"
#include "service/service.h"

enum {
    WEBSOCKETS_MAX = 64, /* at a time; each holds a worker */
    WEBSOCKET_IDLE_S = 300,
    WEBSOCKET_HEAD_MAX = 16 * 1024, /* of the service's answer */
    WEBSOCKET_ANSWER_MS = 10000,
};

bool websocket_is_asked(const struct request *request);
/* Sends the request with `fields` to the service at `url` ("http://host:port"). When that agrees
 * (101), moves bytes until one side ends; *ret_done: the request is answered. Otherwise nothing was
 * sent to the client, and the request may go the usual way. */
enum status websocket_pass(struct request *request, const char *url,
                           const struct http_field *fields, uint32_t fields_len, bool *ret_done,
                           struct error *err);

#endif

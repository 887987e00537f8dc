/* http_tunnel.h: a client's connection given over to another protocol (RFC 9110 7.8, "Upgrade").
 *
 * While a worker has a request, libmicrohttpd has suspended its connection and touches neither the
 * socket nor the TLS session: so the worker may move bytes itself. Afterwards the connection is
 * closed; it never comes back to HTTP. */
#ifndef QUARRY_NET_HTTP_TUNNEL_H
#define QUARRY_NET_HTTP_TUNNEL_H

#include "net/http_server.h"

enum { HTTP_TUNNEL_BYTES = 16 * 1024 /* on their way, each direction */ };

/* Sends `head` (a whole answer head, 101, and what the other side sent behind it), then moves bytes
 * both ways between the client and the connected socket `fd`, which stays the caller's, until one
 * side ends, nothing moves for `idle_s`, or the server drains. Blocks its worker; the request is
 * answered by it. Only for a request without a body that was not answered yet. */
void http_tunnel(struct http_request *request, struct str head, int fd, uint32_t idle_s);

#endif

/* client.h: one connection to a server; requests one after the other. One thread at a time. */
#ifndef QUARRY_CMD_CLIENT_H
#define QUARRY_CMD_CLIENT_H

#include "cmd/quarry/cli.h"

enum { REPLY_BYTES_MAX = 1 << 30 };

struct client;

struct call {
    const char *method;
    const char *path;         /* with its query, encoded */
    const char *content_type; /* NULL: no body */
    struct str body;
    const char *accept;          /* NULL: JSON */
    const char *idempotency_key; /* NULL: none */
    const char *encoding;        /* Content-Encoding, NULL: none */
    long timeout_s;              /* 0: 600 */
};

struct reply {
    int status;
    int retry_after_s;
    struct buf body;
    double seconds; /* from the request's first byte to the answer's last */
};

enum status client_open(const char *url, struct client **ret_client, struct error *err);
void client_close(struct client *client);
/* STATUS_OK when any answer came; STATUS_UNAVAILABLE when none did. Release the reply in any case.
 */
enum status client_send(struct client *client, const struct call *call, struct reply *reply,
                        struct error *err);
void reply_init(struct reply *reply);
void reply_release(struct reply *reply);
static inline bool reply_good(const struct reply *reply)
{
    return reply->status >= 200 && reply->status < 300;
}
/* Prints code, message, detail and request id of an error answer. */
void reply_complain(const struct reply *reply);
/* The same into *err: code, message, record and so on as far as they are known. */
enum status reply_error(const struct reply *reply, struct error *err);

/* open, send, close; complains and returns the exit code of a failure. */
int client_once(struct cli *cli, const struct call *call, struct reply *reply);
/* The same with the answer parsed; the caller frees *ret_doc. With --json the answer is printed,
 * and *ret_doc is NULL. */
int client_json(struct cli *cli, const struct call *call, yyjson_doc **ret_doc,
                double *ret_seconds);

/* Appends text with everything but letters, digits and -._~ as %XX. */
void url_append(struct buf *buf, struct str text);

#endif

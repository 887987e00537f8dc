/* session.h: the worker's half of the conversation in query/sql/wire.h. */
#ifndef QUARRY_QUERY_SQLWORKER_SESSION_H
#define QUARRY_QUERY_SQLWORKER_SESSION_H

#include "query/sql/wire.h"
#include "query/sqlworker/engine.h"

struct session {
    struct sys *sys;
    int channel;
    struct engine engine;
    struct buf in, out;
    int64_t prepare_us, execute_us;
};

void session_init(struct session *session, struct sys *sys, int channel);

/* Receives one query and answers it. STATUS_OK also when the query failed: the pool was told. Else
 * the channel is at its end (STATUS_UNAVAILABLE) or out of step (STATUS_CORRUPT). */
enum status session_serve(struct session *session, struct error *err);

/* Sends what session->out holds. */
enum status session_send(struct session *session, enum sql_frame kind, struct error *err);
enum status session_send_error(struct session *session, const struct error *failure, bool replace);

#endif

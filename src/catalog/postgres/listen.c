/* listen.c: a connection that waits for other processes' commits.
 *
 * After it was lost and found again anything may have changed meanwhile: that is told, too. */
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "catalog/postgres/postgres_int.h"

enum { RETRY_MS = 1000 };

/* False: asked to stop. */
static bool wait_for(struct postgres_backend *backend, int fd, int timeout_ms)
{
    struct pollfd fds[2] = {{.fd = backend->stop_pipe[0], .events = POLLIN},
                            {.fd = fd, .events = POLLIN}};
    (void)poll(fds, fd >= 0 ? 2 : 1, timeout_ms);
    return fds[0].revents == 0;
}

static void take_notices(struct postgres_backend *backend, struct pg_connection *connection)
{
    bool foreign = false;
    for (PGnotify *note; (note = PQnotifies(connection->pg));) {
        foreign |= strcmp(note->extra, backend->origin) != 0;
        PQfreemem(note);
    }
    if (foreign)
        backend_notify(&backend->base, NULL, 0);
}

static void *listen_main(void *context)
{
    struct postgres_backend *backend = context;
    struct pg_connection *connection = NULL;
    bool running = true, lost = false;
    while (running) {
        if (!connection && (pg_open(backend, &connection, NULL) != STATUS_OK ||
                            pg_run(connection, "LISTEN " NOTIFY_CHANNEL, NULL) != STATUS_OK)) {
            pg_close(connection);
            connection = NULL;
            lost = true;
            running = wait_for(backend, -1, RETRY_MS);
            continue;
        }
        if (lost)
            backend_notify(&backend->base, NULL, 0);
        lost = false;
        running = wait_for(backend, PQsocket(connection->pg), -1);
        if (running && PQconsumeInput(connection->pg)) {
            take_notices(backend, connection);
        } else {
            pg_close(connection);
            connection = NULL;
            lost = true;
        }
    }
    pg_close(connection);
    return NULL;
}

enum status pg_listen_start(struct postgres_backend *backend, struct error *err)
{
    if (pipe(backend->stop_pipe) < 0)
        return error_set(err, STATUS_IO, "a pipe cannot be made");
    backend->listens = true;
    enum status status =
        thread_start(&backend->listener, "catalog-listen", 0, listen_main, backend, err);
    if (status != STATUS_OK) {
        backend->listens = false;
        close(backend->stop_pipe[0]);
        close(backend->stop_pipe[1]);
    }
    return status;
}

void pg_listen_stop(struct postgres_backend *backend)
{
    if (!backend->listens)
        return;
    close(backend->stop_pipe[1]);
    thread_join(&backend->listener);
    close(backend->stop_pipe[0]);
    backend->listens = false;
}

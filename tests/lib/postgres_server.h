/* postgres_server.h: a real PostgreSQL server of one's own for a test: a fresh cluster in a
 * temporary folder, reached through a socket in it. As root it runs as the user "postgres". */
#ifndef QUARRY_TESTS_POSTGRES_SERVER_H
#define QUARRY_TESTS_POSTGRES_SERVER_H

#include <stdbool.h>
#include <sys/types.h>

struct postgres_server {
    char folder[64];
    char url[256]; /* for libpq */
    pid_t pid;
};

/* False, with the reason printed, when there is no server to be had. */
bool postgres_server_start(struct postgres_server *server);
/* SIGKILL and up again: what was committed is there. */
bool postgres_server_crash(struct postgres_server *server);
void postgres_server_stop(struct postgres_server *server);

#endif

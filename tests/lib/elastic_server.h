/* elastic_server.h: the document index of tests/lib/elastic (a test tool, not Elasticsearch) as a
 * process of its own, and plain requests to it or to a real server. */
#ifndef QUARRY_TESTS_ELASTIC_SERVER_H
#define QUARRY_TESTS_ELASTIC_SERVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct elastic_server {
    pid_t pid;
    int input; /* it ends when this is closed */
    int port;
};

/* False, with the reason printed, when it does not start. `distribution`: "elasticsearch" or
 * "opensearch". */
bool elastic_server_start(struct elastic_server *server, const char *distribution);
void elastic_server_stop(struct elastic_server *server);

/* One request; `body` may be NULL. Returns the HTTP status, 0 when there was none; the answer's
 * body is copied into `out` of `cap` bytes, NUL-ended (out may be NULL). */
int elastic_server_ask(const char *method, const char *url, const char *body, char *out,
                       size_t cap);
/* Deletes the indexes whose names begin with "<prefix>-". `origin`: "http://host:port". */
bool elastic_server_wipe(const char *origin, const char *prefix);
/* Sets the tool's faults: `faults` is the JSON array of them. */
bool elastic_server_faults(const struct elastic_server *server, const char *faults);
/* How many requests there were since, of those whose name ("POST /_bulk") begins so; -1: unknown.
 */
int64_t elastic_server_requests(const struct elastic_server *server, const char *name);

#endif

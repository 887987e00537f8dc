/* worker.h: the life of a SQL worker process, on one end of its channel (see query/sql/wire.h). */
#ifndef QUARRY_QUERY_SQLWORKER_WORKER_H
#define QUARRY_QUERY_SQLWORKER_WORKER_H

/* Exit codes of the process. */
enum {
    SQLWORKER_EXIT_END = 0,    /* the pool closed the channel between two queries */
    SQLWORKER_EXIT_SETUP = 2,  /* no cage or no engine; the pool was told why */
    SQLWORKER_EXIT_ORPHAN = 3, /* the channel closed while a query ran */
    SQLWORKER_EXIT_PROTOCOL = 4,
};

/* Reads the configuration, enters the cage, opens the engine, answers queries until the channel
 * closes. Must be called from the only thread of a process. Returns the exit code. */
int sqlworker_main(int channel);

#endif

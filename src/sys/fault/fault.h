/* fault.h: a sys that hands every call on to another one and fails where a plan says so.
 *
 *   struct fault *fault;
 *   fault_new(inner, &fault, err);
 *   store_open(fault_sys(fault), ...);                    run once, without a plan,
 *   n = fault_calls(fault, FAULT_ANY);                    count the calls,
 *   for (k = 1; k <= n; k++)                              then once for each of them:
 *       fault_plan(fault, &(struct fault_plan){.op = FAULT_ANY, .at = k, .crash = true}) ...
 *
 * Counted are the calls that can fail. close, unmap, clock and random always go through, so that a
 * program under test can clean up. Thread-safe. Files opened through it belong to the inner sys. */
#ifndef QUARRY_SYS_FAULT_FAULT_H
#define QUARRY_SYS_FAULT_FAULT_H

#include "sys/sys.h"

enum fault_op {
    FAULT_ANY, /* whichever of those below */
    FAULT_OPEN,
    FAULT_PREAD,
    FAULT_PWRITE,
    FAULT_SYNC,
    FAULT_TRUNCATE,
    FAULT_ALLOCATE,
    FAULT_SIZE,
    FAULT_LOCK,
    FAULT_MAP,
    FAULT_STAT,
    FAULT_MKDIR,
    FAULT_RMDIR,
    FAULT_RENAME,
    FAULT_UNLINK,
    FAULT_SYNC_DIR,
    FAULT_LIST_DIR,
    FAULT_OP_COUNT
};

enum fault_write {
    FAULT_WRITE_NONE,  /* a failing pwrite writes nothing */
    FAULT_WRITE_TORN,  /* writes the first `bytes` bytes, then fails */
    FAULT_WRITE_SHORT, /* writes the first `bytes` bytes and says that all is well: a lying disk */
    FAULT_WRITE_FLIP,  /* writes all with bit 0 of byte `bytes` turned and says that all is well */
};

struct fault_plan {
    enum fault_op op;
    uint64_t at;   /* the matching call that fails, counted from 1 since fault_plan; 0: no fault */
    bool for_ever; /* and all matching ones after it */
    bool crash;    /* from then on every call fails with STATUS_IO: the process counts as dead */
    int errnum;    /* 0: EIO */
    enum fault_write write; /* where the failing call is a pwrite */
    size_t bytes;
};

struct fault;

/* Does not own `inner`. */
enum status fault_new(struct sys *inner, struct fault **ret, struct error *err);
void fault_free(struct fault *fault); /* NULL is fine */
struct sys *fault_sys(struct fault *fault);
/* Replaces the plan and starts counting anew; NULL: no faults. */
void fault_plan(struct fault *fault, const struct fault_plan *plan);
/* Calls since fault_plan, failed ones included. */
uint64_t fault_calls(struct fault *fault, enum fault_op op);
/* Faults given out since fault_plan. */
uint64_t fault_hits(struct fault *fault);

const char *fault_op_name(enum fault_op op);

#endif

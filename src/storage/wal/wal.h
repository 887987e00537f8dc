/* wal.h: the write-ahead log of one store: acknowledged means on disk.
 *
 *     wal_open(..., replay, ...)        reads what is there, hands every live frame to `replay` in
 *                                       LSN order, then starts a fresh segment and the writer
 * thread frame = wal_frame_new(wal, ...)   waits for room in the queue (bounded in bytes)
 *     ... encode into frame->payload ...
 *     wal_submit(wal, frame)            never blocks: may be called under the caller's locks
 *     wal_wait(wal, frame, &err)        until durable and published, or refused
 *     wal_frame_unref(wal, frame)
 *
 * Who has many frames on their way does not wait for each: `settled` of a frame is called when its
 * outcome is known (wal_outcome), and wal_commit has written what was submitted so far.
 *
 * Group commit: one thread takes all queued frames, writes them with as few calls as possible,
 * syncs once, then calls each frame's `publish` in LSN order, then wakes the waiters.
 *
 * A failed write or sync is final for the segment: its frames are refused, the segment is left, and
 * nothing is acknowledged until a fresh segment, whose header says from which LSN on its
 * predecessor is void, has been synced.
 *
 * Threads: all calls from any thread, except open and close. `publish` runs on the thread that
 * writes the group without any lock of the WAL held. */
#ifndef QUARRY_STORAGE_WAL_H
#define QUARRY_STORAGE_WAL_H

#include <stdatomic.h>

#include "base/buf.h"
#include "base/histogram.h"
#include "base/uuid.h"
#include "sys/sys.h"

enum wal_kind {
#define X(name, number, meaning) WAL_##name = number,
#include "storage/wal/wal_kinds.def"
#undef X
};

enum {
    WAL_SEGMENT_BYTES = 64 << 20,   /* preallocated; larger only for one larger frame */
    WAL_PAYLOAD_MAX = 1 << 30,      /* bytes of one frame's payload */
    WAL_QUEUE_BYTES_MAX = 64 << 20, /* producers wait beyond; one larger frame is let in alone */
    WAL_GROUP_BYTES_MAX = 16 << 20, /* frames of one sync */
    WAL_KEY_MAX = 200,              /* write_id bytes */
};

/* One write on its way. Made by wal_frame_new; the caller fills it until wal_submit. */
struct wal_frame {
    _Atomic uint32_t refs;
    enum wal_kind kind;
    bool async; /* published (and acknowledged) before it is written */
    struct uuid source;
    char key[WAL_KEY_MAX]; /* write id */
    uint16_t key_len;
    uint32_t rows;
    int64_t time_us;
    struct buf payload;
    /* A frame of another source that goes into the log directly before this one: after a crash both
     * are there or neither is. wal_submit of this one submits it too; its waiter is this one's. */
    struct wal_frame *before;
    /* Called once, in LSN order: with STATUS_OK and the LSN set, or with why it was refused. May
     * not fail, may not block on disk. */
    void (*publish)(struct wal_frame *frame, enum status status);
    void *context;
    /* Instead of wal_wait; NULL: not. Called once, when that would return, by the thread that
     * writes the group and without a lock of the WAL held. Short: others wait for it. */
    void (*settled)(struct wal_frame *frame);
    void *settled_context;

    /* The WAL's own: */
    uint64_t lsn;
    uint64_t number; /* in the order of submission, from 1 */
    struct wal_frame *next;
    size_t reserved;
    bool linked; /* to the next one */
    bool published, done;
    void *waiter; /* condition variable of wal_wait */
    enum status status;
    struct error error;
};

/* A frame as read back; everything is borrowed. */
struct wal_record {
    uint64_t lsn;
    enum wal_kind kind;
    struct uuid source;
    struct str key;
    uint32_t rows;
    int64_t time_us;
    struct slice payload;
    const char *file;
    uint64_t offset;
};
typedef enum status (*wal_replay_fn)(void *context, const struct wal_record *record,
                                     struct error *err);

enum { WAL_RETAINED_BYTES_MAX = 256 << 20 };

struct wal_options {
    const char *dir;        /* exists */
    uint64_t segment_bytes; /* 0: WAL_SEGMENT_BYTES */
    uint64_t min_lsn;       /* new frames come after this one whatever the log says */
    bool read_only;         /* replay only; wal_frame_new fails */
    int64_t retention_us;   /* segments that nobody needs stay so long after their last write, at
                             * most WAL_RETAINED_BYTES_MAX of them; 0: they go at once */
    /* When several write at once, the leader of a group waits so long for more of them; 0: not. */
    int64_t commit_delay_us;
    /* Called by whoever wrote it when the waiters of a group have been woken; NULL: not. */
    void (*after_group)(void *context);
    void *after_context;
};

struct wal;

/* STATUS_CORRUPT with file and offset when an acknowledged frame does not read back. A torn tail
 * (never acknowledged) is passed over. Idempotent. */
enum status wal_open(struct sys *sys, const struct wal_options *options, wal_replay_fn replay,
                     void *context, struct wal **ret_wal, struct error *err);
/* Writes what is queued, joins the thread. No other call may be under way. NULL is fine. */
void wal_close(struct wal *wal);

/* Blocks while the queue is full; without `wait` gives no frame then (NULL and STATUS_OK). `size`
 * is the expected payload size. STATUS_NO_MEMORY. */
enum status wal_frame_new(struct wal *wal, size_t size, bool wait, struct wal_frame **ret_frame,
                          struct error *err);
/* For a `before`: takes no room in the queue (so that nobody waits who has some already). NULL when
 * memory is out. */
struct wal_frame *wal_frame_beside(struct error *err);
void wal_frame_unref(struct wal *wal, struct wal_frame *frame);
void wal_submit(struct wal *wal, struct wal_frame *frame);
enum status wal_wait(struct wal *wal, struct wal_frame *frame, struct error *err);
/* Of a frame that is settled. */
enum status wal_outcome(const struct wal_frame *frame, struct error *err);
/* Sees to it that all that was submitted so far is settled: with `wait` when it returns, else by
 * the WAL's thread. */
void wal_commit(struct wal *wal, bool wait);

/* All frames up to and including this LSN have been published (or refused). */
uint64_t wal_completed_lsn(struct wal *wal);
/* Frames below `lsn` are no longer needed: removes the segments that hold nothing else (when their
 * retention is over). */
enum status wal_release_below(struct wal *wal, uint64_t lsn, struct error *err);

struct wal_stats {
    uint64_t files, bytes, lsn;
    struct histogram syncs; /* how long they took */
    char current[64];
};
void wal_get_stats(struct wal *wal, struct wal_stats *ret_stats);

#endif

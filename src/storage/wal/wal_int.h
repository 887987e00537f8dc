/* wal_int.h: bytes of the log, shared by writer and reader. Little-endian throughout.
 *
 * File <first LSN, 16 hex digits>.wal:
 *     header, 64 bytes: 0 magic "QWALSEG1" | 8 version u32 | 12 zero u32 | 16 salt u64 |
 *                       24 first_lsn u64 | 32 void_from u64 | 40 created_us i64 | 48 flags u32 |
 *                       52 zero 8 bytes | 60 crc32c u32 of bytes 0..59
 *     frames, each at a multiple of 8, then zeros (recycled: anything that was there before)
 *     Frame header, 64 bytes, then key, then payload: 0 length u32 (header + key + payload; 0: no
 * frame here) | 4 crc32c u32 | 8 lsn u64 | 16 durable_lsn u64 | 24 kind u8 | 25 flags u8 | 26
 * key_len u16 | 28 rows u32 | 32 source incarnation, 16 bytes | 48 time_us i64 | 56 zero u64 crc32c
 * starts from the low 32 bits of the segment's salt and covers bytes 0..3 and 8..length.
 *
 * Invariants:
 *   1. Frames of a segment have ascending LSNs without gaps, starting at its first_lsn.
 *   2. void_from of segment n+1 is 1 + the last live LSN of segment n: frames of segment n from
 *      there on were refused or never acknowledged, and are not read. Normally void_from equals
 *      first_lsn; after a failed write it is smaller (the LSNs between are used up).
 *   3. durable_lsn of a frame is the last LSN that was synced when the frame was written. A bad
 * frame whose LSN some later frame calls durable is damage; any other bad frame is a torn tail.
 *   4. A linked frame and the one behind it are written by one call and stand in one segment.
 *   5. A recycled segment has a fresh salt: frames of its former life do not pass their checksum,
 * and their LSNs are lower. */
#ifndef QUARRY_STORAGE_WAL_INT_H
#define QUARRY_STORAGE_WAL_INT_H

#include <pthread.h>

#include "storage/wal/wal.h"
#include "sys/thread.h"

enum {
    WAL_HEADER_BYTES = 64,
    WAL_FRAME_BYTES = 64,
    WAL_VERSION = 1,
    WAL_FLAG_ASYNC = 1,
    WAL_FLAG_LINKED = 2,     /* it lives only together with the frame behind it */
    WAL_HEADER_RECYCLED = 1, /* the file was another segment: behind the frames are not zeros */
    WAL_SEGMENTS_MAX = 100000,
    WAL_SPARES_MAX = 2,
};
#define WAL_MAGIC "QWALSEG1"

struct wal_header {
    uint64_t salt, first_lsn, void_from;
    int64_t created_us;
    uint32_t flags;
};

struct wal_frame_header {
    uint32_t length, crc;
    uint64_t lsn, durable_lsn;
    uint8_t kind, flags;
    uint16_t key_len;
    uint32_t rows;
    struct uuid source;
    int64_t time_us;
};

void wal_header_encode(const struct wal_header *header, uint8_t out[WAL_HEADER_BYTES]);
bool wal_header_decode(const uint8_t in[WAL_HEADER_BYTES], struct wal_header *ret);
/* With the checksum over header, key and payload. */
void wal_frame_encode(const struct wal_frame *frame, uint64_t durable_lsn, uint64_t salt,
                      uint8_t out[WAL_FRAME_BYTES]);
/* The frame at the start of `bytes`; false unless it is whole and its checksum is right. */
bool wal_frame_decode(struct slice bytes, uint64_t salt, struct wal_frame_header *ret);
static inline uint64_t wal_frame_size(uint64_t length)
{
    return (length + 7) & ~(uint64_t)7;
}

struct wal_segment {
    uint64_t first_lsn, void_from, bytes;
};

struct wal {
    struct sys *sys;
    char dir[SYS_PATH_MAX];
    uint64_t segment_bytes;
    bool read_only;
    int64_t retention_us, commit_delay_us;
    void (*after_group)(void *context);
    void *after_context;

    pthread_mutex_t lock; /* the queue, `done` of frames, segments, statistics */
    pthread_cond_t work, space;
    pthread_cond_t round;         /* wal_commit waits: a round is over */
    pthread_mutex_t release_lock; /* one remover of segments at a time; taken before `lock` */
    struct wal_frame *head, *tail;
    uint64_t queued_bytes;       /* reserved: queued, being encoded or being written */
    bool writing;                /* somebody leads a round */
    uint64_t submitted, settled; /* frames so far; they are settled in the order of submission */
    uint32_t committers;         /* that wait in wal_commit */
    bool crowded;                /* the last round had more than one frame */
    bool stopping;
    struct thread thread;
    uint64_t spares[WAL_SPARES_MAX]; /* released segments to be used again, by their first LSN */
    uint32_t spares_len;
    struct wal_segment *segments; /* oldest first; the last is the current one */
    uint32_t segments_len, segments_cap;
    uint64_t completed_lsn;
    struct histogram syncs; /* how long they took */

    /* Of whoever leads: */
    struct sys_file *file; /* NULL: no segment may be written to */
    uint64_t salt, offset, capacity;
    uint64_t next_lsn;    /* of the next frame */
    uint64_t void_from;   /* first LSN that the present segment does not hold alive */
    uint64_t durable_lsn; /* last synced */
    uint8_t *gather;      /* WAL_GATHER_BYTES */
};

/* wal_recover.c: replays and fills segments, next_lsn, void_from, durable_lsn. */
enum status wal_recover(struct wal *wal, uint64_t min_lsn, wal_replay_fn replay, void *context,
                        struct error *err);
/* The LSN in the name of a segment file, or of one that waits to be used again. */
bool wal_parse_name(const char *name, const char *suffix, uint64_t *ret_lsn);
#define WAL_SUFFIX ".wal"
#define WAL_SPARE  ".spare"
/* wal_walk.c: see there. `at` and `lsn` are where to begin, and afterwards where it ended. */
struct wal_walk {
    const char *path;
    struct slice file;
    uint64_t salt, at, lsn;
    uint64_t limit; /* first LSN that is void; UINT64_MAX: none */
    wal_replay_fn visit;
    void *context;
};
enum status wal_walk(struct wal_walk *walk, struct error *err);
/* True when some whole frame behind `from` says that `lsn` had been synced. */
bool wal_is_durable_later(struct slice file, uint64_t from, uint64_t salt, uint64_t lsn);
/* wal_segment.c: leaves the present segment (if any) and makes a fresh one that holds at least
 * `need` bytes of frames. On failure there is no segment. */
enum status wal_rotate(struct wal *wal, uint64_t need, struct error *err);
enum status wal_segment_path(const struct wal *wal, uint64_t first_lsn, char out[SYS_PATH_MAX],
                             struct error *err);
enum status wal_spare_path(const struct wal *wal, uint64_t first_lsn, char out[SYS_PATH_MAX],
                           struct error *err);
enum status wal_segments_push(struct wal *wal, struct wal_segment segment, struct error *err);

#endif

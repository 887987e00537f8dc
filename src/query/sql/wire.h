/* wire.h: what the pool (tenant node) and a SQL worker say to each other over their socket pair.
 *
 * Frame: u32 payload length, u8 kind, 3 zero bytes, payload; little-endian. Control payloads are
 * one JSON object, rows are batch_encode. Order of a conversation (P pool, W worker):
 *
 *   P config   {version, data_path, temp_path, memory_bytes, spill_bytes, cpu_seconds, threads}
 *   W hello    {version, engine, landlock (ABI, 0: none), seccomp, address_limit}   or error
 *   then for each query:
 *   P query    {sql, parameters: array | object | null, limit, cpu_seconds}
 *   W wanted   {tables: [{name, offset}]}          passed the gate            or error
 *   P tables   {tables: [{name, columns: [{name, type, id, initial?}], by_name, files: [path],
 *               rows, file_units?: [number], and of files with deleted rows dirty, deletes,
 * dirty_rows, dirty_units?}]}                                            or forget {} W columns
 * {columns: [{name, type}]}                                   or error W rows     a batch, any
 * number of times                                or error W done     {rows, truncated, prepare_us,
 * execute_us, cpu_seconds}      or error W error    {status, message, line, column, offset,
 * replace}
 *
 * The worker believes the pool. The pool believes nothing: every length, kind, name, number and
 * UTF-8 text of an answer is checked before use. End of file ends the worker. */
#ifndef QUARRY_QUERY_SQL_WIRE_H
#define QUARRY_QUERY_SQL_WIRE_H

#include "base/json.h"
#include "sys/sys.h"

enum sql_frame {
    SQL_FRAME_CONFIG = 1,
    SQL_FRAME_HELLO,
    SQL_FRAME_QUERY,
    SQL_FRAME_WANTED,
    SQL_FRAME_TABLES,
    SQL_FRAME_FORGET,
    SQL_FRAME_COLUMNS,
    SQL_FRAME_ROWS,
    SQL_FRAME_DONE,
    SQL_FRAME_ERROR,
    SQL_FRAME_END
};

enum {
    SQL_WIRE_VERSION = 1,
    SQL_FRAME_HEADER = 8,
    SQL_FRAME_MAX = 64 << 20,   /* payload bytes */
    SQL_TEXT_MAX = 1 << 20,     /* bytes of a statement */
    SQL_TABLES_MAX = 256,       /* tables named by one statement */
    SQL_COLUMNS_MAX = 2000,     /* columns of an answer: SCHEMA_FIELDS_MAX of a batch */
    SQL_PARAMETERS_MAX = 10000, /* of one statement */
};

/* Sends one frame. `until_us` is on the clock of sys_mono_us; 0: no deadline. STATUS_TIMEOUT,
 * STATUS_UNAVAILABLE when the other end is gone, STATUS_RESOURCE_LIMIT above SQL_FRAME_MAX. */
enum status sql_wire_send(struct sys *sys, int fd, enum sql_frame kind, struct str payload,
                          int64_t until_us, struct error *err);
/* Receives one frame into `payload` (cleared first; its max should be SQL_FRAME_MAX or less). Also
 * STATUS_CORRUPT for a header that cannot be. */
enum status sql_wire_receive(struct sys *sys, int fd, struct buf *payload, enum sql_frame *ret_kind,
                             int64_t until_us, struct error *err);

/* Offset, line and column (from 1) of a byte of a statement into err, which may be NULL. */
void sql_place(struct str sql, uint64_t offset, struct error *err);

#endif

/* split.h: finds the records of a text that arrives in pieces, without parsing them.
 *
 * The caller keeps a window of the text that begins at the splitter's position; split_next() says
 * where the next record stands in it or asks for more. A record that is cut is never handed out,
 * except that the end of the text ends the last one. One thread. */
#ifndef QUARRY_CMD_SPLIT_H
#define QUARRY_CMD_SPLIT_H

#include "base/status.h"
#include "base/str.h"

enum split_kind {
    SPLIT_LINES,      /* one a line; blank lines are passed over */
    SPLIT_PARAGRAPHS, /* lines up to a blank line */
    SPLIT_CSV,        /* a line break inside of quotes does not end the record */
    SPLIT_ARRAY,      /* elements of one JSON array */
};

enum split_result { SPLIT_RECORD, SPLIT_MORE, SPLIT_END, SPLIT_BAD };

struct splitter {
    enum split_kind kind;
    int64_t line; /* of the window's first byte, from 1 */
    /* How far the window was looked at, to go on there. */
    size_t scanned;
    bool quoted; /* CSV, ARRAY: inside of quotes */
    bool escaped;
    uint32_t depth;
    enum { ARRAY_BEFORE, ARRAY_FIRST, ARRAY_VALUE, ARRAY_INSIDE, ARRAY_BEHIND, ARRAY_DONE } state;
    size_t begin; /* ARRAY: of the value, in the window */
};

void split_init(struct splitter *splitter, enum split_kind kind);

/* `window` is what follows the position; `last`: nothing comes behind it. SPLIT_RECORD: *ret_record
 * without its line end, *ret_line where it begins, and the window must be moved on by *ret_used.
 * SPLIT_MORE: call again with a longer window. SPLIT_END: no record is left. SPLIT_BAD: err says
 * why, with the line. */
enum split_result split_next(struct splitter *splitter, struct str window, bool last,
                             struct str *ret_record, int64_t *ret_line, size_t *ret_used,
                             struct error *err);

#endif

/* input.h: the bytes of a file, standard input or a helper's output, decompressed on the way.
 *
 * gzip and zstd are recognized by their first bytes. Lists of apt (`.lz4`, `.xz` and so on, see
 * INPUT_APT) are read through apt's own helper, `apt-helper cat-file`. One thread. */
#ifndef QUARRY_CMD_INPUT_H
#define QUARRY_CMD_INPUT_H

#include "base/status.h"
#include "base/str.h"

enum input_flags { INPUT_APT = 1 };

struct input;

enum status input_open(const char *path, unsigned flags, struct input **ret_input,
                       struct error *err);
/* Up to `cap` bytes; *ret_len 0 at the end. STATUS_CORRUPT for damaged compressed data. */
enum status input_read(struct input *input, char *data, size_t cap, size_t *ret_len,
                       struct error *err);
/* Bytes of the file taken so far and its size; *ret_total 0 when it is not known. Any thread. */
void input_progress(const struct input *input, uint64_t *ret_done, uint64_t *ret_total);
void input_close(struct input *input); /* NULL is fine */

#endif

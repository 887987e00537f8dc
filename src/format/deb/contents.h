/* contents.h: lines of a Debian Contents index as JSON records.
 *
 * Source: Debian repository format, "Contents indices": `path
 * section/package[,section/package...]`. The path may hold blanks; the list is the last
 * blank-separated word. Bytes that are not UTF-8 become U+FFFD. Stateless: any thread. */
#ifndef QUARRY_FORMAT_DEB_CONTENTS_H
#define QUARRY_FORMAT_DEB_CONTENTS_H

#include "base/buf.h"

enum { DEB_CONTENTS_LINE_MAX = 64 * 1024 };

/* "amd64" of ".../debian_dists_x_main_Contents-amd64.lz4"; data NULL when the name has no such
 * part. */
struct str deb_contents_architecture(struct str file_name);

/* Appends one line {"path","directory","name","extension","section","package","architecture"} for
 * each (path, package) pair. `path` and `directory` start with "/"; `extension` is what follows the
 * last dot of the name (null when there is none, or the dot is its first or last byte); `section`
 * keeps an area before it ("contrib/net"), null when the pair has none. STATUS_INVALID_ARGUMENT for
 * a line of another form (offset set), after which `out` is as before. */
enum status deb_contents_line(struct str line, struct str architecture, struct buf *out,
                              uint32_t *ret_records, struct error *err);

#endif

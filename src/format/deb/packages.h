/* packages.h: paragraphs of a Debian Packages index as nested JSON records.
 *
 * Source: deb-control(5) and Debian Policy chapters 5 (control files) and 7 (relationships).
 * Stateless: any thread. */
#ifndef QUARRY_FORMAT_DEB_PACKAGES_H
#define QUARRY_FORMAT_DEB_PACKAGES_H

#include "base/buf.h"

enum { DEB_PACKAGE_FIELDS_MAX = 128 };

/* Appends the paragraph (lines without the blank line that ends it) as one JSON line:
 *   each field under its name in lower case, "-" as "_", except for
 *   maintainer, original_maintainer   {"name","email"} (email null when there is none)
 *   installed_size (KiB), size        integers
 *   tag                               "tags": array of texts
 *   depends, pre_depends, recommends, suggests, enhances, breaks, conflicts, replaces, provides
 *                                     array of {"name"[,"qualifier"][,"op","version"]
 *                                     [,"architectures"][,"alternatives":[the same...]]}
 * Continuation lines keep their line break, without the first blank.
 * STATUS_INVALID_ARGUMENT (line: within the paragraph, from 1) for a line that is no field, a field
 * that comes twice, no Package field, or a size that is no number; then `out` is as before. */
enum status deb_package_record(struct str paragraph, struct buf *out, struct error *err);

#endif

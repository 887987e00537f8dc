/* file_backend.h: the catalog as a folder of readable JSON files, one a record.
 *
 *   FOLDER/format             "quarry-catalog 1": what this folder is
 *   FOLDER/lock               held by the one process that has it open
 *   FOLDER/<domain>/<id>.json the record, indented, members in a fixed order: fit for git
 *   FOLDER/commit.json        only while a commit of several records is being written
 *
 * All records are also in memory, where queries run by query.h's reference evaluator: for thousands
 * of assets, not for millions. A commit is written as commit.json first (synced), then file by
 * file, then commit.json goes: opening finishes one that was cut off. The indexes are in memory
 * only and are built from the files at each start, so they are never stale, also when files were
 * edited by hand or changed by git while nobody had the folder open. */
#ifndef QUARRY_CATALOG_FILE_BACKEND_H
#define QUARRY_CATALOG_FILE_BACKEND_H

#include "catalog/backend.h"
#include "sys/sys.h"

/* STATUS_CONFLICT when another process has the folder open; STATUS_INVALID_ARGUMENT when it is of a
 * newer release or not a catalog; STATUS_CORRUPT names the file that is not a record. */
enum status file_backend_open(struct sys *sys, const char *path, struct backend **ret,
                              struct error *err);

#endif

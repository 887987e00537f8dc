/* metadata.h: what a node says about itself: the metadata block (contracts 4.2).
 *
 * A block stands at the top of a file, in comments of the file's own kind:
 *
 *   # === OmniNode:Metadata ===        <!-- === OmniNode:Metadata ===      // === OmniNode:...
 *   # name: registry                   name: registry                      // name: registry
 *   # === /OmniNode:Metadata ===       <!-- === /OmniNode:Metadata === --> // === /OmniNode:...
 *
 * Only comment lines, blank lines, "#!" and "---" may stand before it, so that an example of a
 * block further down in a document is never taken for the block itself.
 *
 * The hash is SHA-256 over the canonical block (YAML, sorted keys, empty members left out, without
 * `hash` and `last_modified_at`), a NUL byte, and the body (lines end with LF, no white space at
 * line ends, no blank lines at both ends). So neither stamping nor another editor's line ends
 * change it. */
#ifndef QUARRY_CATALOG_NODE_METADATA_H
#define QUARRY_CATALOG_NODE_METADATA_H

#include "base/arena.h"
#include "base/json.h"

enum { METADATA_FILE_MAX = 16 << 20, METADATA_HASH_LEN = 64 };

enum metadata_form { METADATA_HASH, METADATA_HTML, METADATA_SLASHES, METADATA_FORMS };

struct metadata_block {
    enum metadata_form form;
    struct str before; /* lines above the block; these three borrow from the file */
    struct str lines;  /* the lines between the delimiters, as they stand in the file */
    struct str body;   /* everything below the block */
    struct str json;   /* the block as JSON, in the arena */
};

/* STATUS_NOT_FOUND: MD001, no block. STATUS_INVALID_ARGUMENT: MD002, it cannot be read (line). */
enum status metadata_find(struct str file, struct arena *arena, struct metadata_block *ret,
                          struct error *err);
/* A whole file of YAML without delimiters (*.onex.yaml). */
enum status metadata_parse(struct str yaml, struct arena *arena, struct str *ret_json,
                           struct error *err);

/* Hash of a block and body, NUL-ended. `json` is an object. */
enum status metadata_hash(struct str json, struct str body, char out[METADATA_HASH_LEN + 1],
                          struct error *err);

/* Appends a file with this block: members in their order, one blank line, the body. */
enum status metadata_write(struct str json, enum metadata_form form, struct str body,
                           struct buf *out, struct error *err);
/* Appends the same file with the right hash and, when the hash was not right already, `now` as
 * last_modified_at (ISO 8601). Every other byte stays; a missing line is added at the block's end.
 */
enum status metadata_stamp(struct str file, struct str now, struct buf *out, struct error *err);

/* --- checks (metadata_check.c) --- */

enum severity { SEVERITY_ERROR, SEVERITY_WARNING, SEVERITY_INFO };
const char *severity_name(enum severity severity);

enum { METADATA_ISSUES_MAX = 100 };

struct metadata_issue {
    enum severity severity;
    const char *code; /* "MD004" */
    struct str field; /* "uuid", "inputs[0].name" */
    struct str message;
};

struct metadata_issues {
    struct metadata_issue *list;
    uint32_t len;
    bool errors; /* at least one is an error */
};

/* Everything that is wrong with the members of a block: codes of contracts 4.6. `json` must be an
 * object, else there is one issue, MD002. */
enum status metadata_check(struct str json, struct arena *arena, struct metadata_issues *ret,
                           struct error *err);
void metadata_write_issues(struct json_writer *w, const struct metadata_issues *issues);

#endif

/* node_metadata_fuzz.c: any bytes as a file with a metadata block, as a version and as a range: no
 * crash, no leak; a stamped file keeps its hash and is stamped no further; a block that is written
 * reads back as the same block. */
#include <stdlib.h>

#include "catalog/node/metadata.h"
#include "catalog/node/needs.h"
#include "catalog/node/semver_range.h"

enum { OUT_MAX = 64 << 20 };

static void check_stamp(struct str file, const char *hash)
{
    struct buf once, twice;
    struct arena arena;
    struct metadata_block block;
    char again[METADATA_HASH_LEN + 1];
    buf_init(&once, OUT_MAX);
    buf_init(&twice, OUT_MAX);
    arena_init(&arena, 0);
    if (metadata_stamp(file, STR("2026-01-01T00:00:00"), &once, NULL) == STATUS_OK &&
        (metadata_find(buf_str(&once), &arena, &block, NULL) != STATUS_OK ||
         metadata_hash(block.json, block.body, again, NULL) != STATUS_OK ||
         strcmp(hash, again) != 0 ||
         metadata_stamp(buf_str(&once), STR("2027-01-01"), &twice, NULL) != STATUS_OK ||
         !str_eq(buf_str(&once), buf_str(&twice))))
        abort();
    arena_release(&arena);
    buf_release(&once);
    buf_release(&twice);
}

static void check_write(const struct metadata_block *block, const char *hash)
{
    struct buf out;
    struct arena arena;
    struct metadata_block again;
    char other[METADATA_HASH_LEN + 1];
    buf_init(&out, OUT_MAX);
    arena_init(&arena, 0);
    if (metadata_write(block->json, block->form, block->body, &out, NULL) == STATUS_OK &&
        (metadata_find(buf_str(&out), &arena, &again, NULL) != STATUS_OK ||
         metadata_hash(again.json, again.body, other, NULL) != STATUS_OK ||
         strcmp(hash, other) != 0))
        abort();
    arena_release(&arena);
    buf_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str file = str_make((const char *)data, size);
    struct arena arena;
    struct metadata_block block;
    struct metadata_issues issues;
    struct semver version;
    struct semver_range range;
    char hash[METADATA_HASH_LEN + 1];
    arena_init(&arena, 0);
    if (metadata_find(file, &arena, &block, NULL) == STATUS_OK) {
        (void)metadata_check(block.json, &arena, &issues, NULL);
        if (metadata_hash(block.json, block.body, hash, NULL) == STATUS_OK) {
            check_stamp(file, hash);
            check_write(&block, hash);
        }
    }
    if (semver_parse(file, &version, NULL) == STATUS_OK &&
        semver_range_parse(file, false, &arena, &range, NULL) == STATUS_OK &&
        !semver_range_has(&range, &version, true))
        abort(); /* a version is a range that has it */
    arena_release(&arena);
    return 0;
}

/* object.c: contents of a backup, by their hash. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

#include "storage/backup/backup_int.h"

void object_name(const struct backup_file *file, char out[BACKUP_NAME_BYTES])
{
    snprintf(out, BACKUP_NAME_BYTES, "%02x/%016" PRIx64 "%016" PRIx64 "-%" PRIu64,
             (unsigned)(file->hash[1] >> 56), file->hash[1], file->hash[0], file->bytes);
}

static enum status read_open(struct sys *sys, struct sys_file *from, struct sys_file *to,
                             XXH3_state_t *state, uint8_t *chunk, uint64_t *ret_bytes,
                             struct error *err)
{
    size_t n = 0;
    for (*ret_bytes = 0;; *ret_bytes += n) {
        TRY(sys_pread(sys, from, chunk, BACKUP_CHUNK_BYTES, *ret_bytes, &n, err));
        if (n == 0)
            return STATUS_OK;
        if (XXH3_128bits_update(state, chunk, n) != XXH_OK)
            return error_set(err, STATUS_INTERNAL, "the hash cannot be made");
        if (to)
            TRY(sys_pwrite(sys, to, chunk, n, *ret_bytes, err));
    }
}

enum status object_read(struct sys *sys, const char *path, struct sys_file *to,
                        struct backup_file *ret, struct error *err)
{
    struct sys_file *from = NULL;
    TRY(sys_open(sys, path, SYS_READ, &from, err));
    XXH3_state_t *state = XXH3_createState();
    uint8_t *chunk = malloc(BACKUP_CHUNK_BYTES);
    enum status status = STATUS_NO_MEMORY;
    if (state && chunk && XXH3_128bits_reset(state) == XXH_OK)
        status = read_open(sys, from, to, state, chunk, &ret->bytes, err);
    else
        error_no_memory(err);
    if (status == STATUS_OK) {
        XXH128_hash_t hash = XXH3_128bits_digest(state);
        ret->hash[0] = hash.low64;
        ret->hash[1] = hash.high64;
    } else if (status != STATUS_NO_MEMORY) {
        error_wrap(err, "%s cannot be copied", path);
    }
    free(chunk);
    XXH3_freeState(state);
    sys_close(sys, from);
    return status;
}

bool object_is_whole(struct sys *sys, const char *backup, const struct backup_file *file)
{
    char path[SYS_PATH_MAX], name[BACKUP_NAME_BYTES];
    struct sys_stat stat;
    struct backup_file found;
    object_name(file, name);
    return sys_path(path, NULL, "%s/objects/%s", backup, name) == STATUS_OK &&
           sys_stat(sys, path, &stat, NULL) == STATUS_OK && stat.size == file->bytes &&
           object_read(sys, path, NULL, &found, NULL) == STATUS_OK && found.bytes == file->bytes &&
           found.hash[0] == file->hash[0] && found.hash[1] == file->hash[1];
}

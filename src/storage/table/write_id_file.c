/* write_id_file.c: the sidecar metadata/NNNNNNNN.writeids.
 *
 *     0 magic "QWRITID1" | 8 version u32 | 12 entries u32 | 16 crc32c of the entries u32 |
 *     20 crc32c of bytes 0..19 u32 | 24 entries of 40 bytes (struct write_id), in order of age */
#include <isa-l/crc.h>
#include <stdlib.h>

#include "storage/table/snapshot.h"

enum { WRITE_ID_HEADER_BYTES = 24, WRITE_ID_VERSION = 1 };

_Static_assert(sizeof(struct write_id) == 40, "the struct is the form on disk");

static uint32_t crc_of(const void *data, size_t len)
{
    return crc32_iscsi((unsigned char *)(uintptr_t)data, (int)len, ~0u);
}

static void make_header(uint8_t header[WRITE_ID_HEADER_BYTES], const struct write_id *entries,
                        uint32_t len)
{
    uint32_t fields[3] = {WRITE_ID_VERSION, len, crc_of(entries, len * sizeof *entries)};
    memcpy(header, "QWRITID1", 8);
    memcpy(header + 8, fields, sizeof fields);
    uint32_t crc = crc_of(header, 20);
    memcpy(header + 20, &crc, 4);
}

enum status write_id_file_write(struct sys *sys, const char *path, const struct write_id *entries,
                                uint32_t len, struct error *err)
{
    uint8_t header[WRITE_ID_HEADER_BYTES];
    struct sys_file *file = NULL;
    make_header(header, entries, len);
    TRY(sys_open(sys, path, SYS_WRITE | SYS_CREATE | SYS_TRUNCATE, &file, err));
    enum status status = sys_pwrite(sys, file, header, sizeof header, 0, err);
    if (status == STATUS_OK && len)
        status = sys_pwrite(sys, file, entries, len * sizeof *entries, sizeof header, err);
    if (status == STATUS_OK)
        status = sys_sync(sys, file, err);
    sys_close(sys, file);
    if (status != STATUS_OK)
        (void)sys_unlink(sys, path, NULL); /* what stays is removed at the next start */
    return status;
}

static enum status restore_all(const char *path, struct str file, struct write_ids *into,
                               struct error *err)
{
    uint32_t fields[4];
    if (file.len < WRITE_ID_HEADER_BYTES || memcmp(file.data, "QWRITID1", 8) != 0)
        return error_set(err, STATUS_CORRUPT, "%s: not a file of write ids", path);
    memcpy(fields, file.data + 8, sizeof fields);
    const char *entries = file.data + WRITE_ID_HEADER_BYTES;
    if (fields[3] != crc_of(file.data, 20) || fields[0] != WRITE_ID_VERSION ||
        fields[1] > WRITE_IDS_MAX ||
        file.len != WRITE_ID_HEADER_BYTES + (size_t)fields[1] * sizeof(struct write_id) ||
        fields[2] != crc_of(entries, (size_t)fields[1] * sizeof(struct write_id)))
        return error_set(err, STATUS_CORRUPT, "%s: the checksum does not match", path);
    for (uint32_t i = 0; i < fields[1]; i++) {
        struct write_id entry;
        memcpy(&entry, entries + (size_t)i * sizeof entry, sizeof entry);
        TRY(write_ids_restore(into, &entry, err));
    }
    return STATUS_OK;
}

enum status write_id_file_read(struct sys *sys, const char *path, struct write_ids *into,
                               struct error *err)
{
    struct buf buf;
    buf_init(&buf, WRITE_ID_HEADER_BYTES + (size_t)WRITE_IDS_MAX * sizeof(struct write_id));
    enum status status = sys_read_file(sys, path, &buf, err);
    if (status == STATUS_OK)
        status = restore_all(path, buf_str(&buf), into, err);
    buf_release(&buf);
    return status;
}

/* sealed.c: JSON files that cannot be damaged unseen: {"crc32c":"hhhhhhhh","content":<JSON>}\n with
 * the CRC-32C of the content's bytes. Written whole by rename (sys_replace_file). */
#include <isa-l/crc.h>
#include <stdio.h>

#include "storage/table/snapshot.h"

/* The bytes around the content; the checksum's place is fixed. */
#define SEAL_HEAD "{\"crc32c\":\""
#define SEAL_MID  "\",\"content\":"
enum { SEAL_HEAD_LEN = 11, SEAL_CRC_LEN = 8, SEAL_MID_LEN = 12 };

static uint32_t crc_of(struct str text)
{
    uint32_t crc = ~0u;
    while (text.len) {
        size_t part = text.len < (1u << 30) ? text.len : (1u << 30);
        crc = crc32_iscsi((unsigned char *)(uintptr_t)text.data, (int)part, crc);
        text.data += part;
        text.len -= part;
    }
    return crc;
}

enum status sealed_write(struct sys *sys, const char *path, struct str content, struct error *err)
{
    struct buf buf;
    buf_init(&buf, (size_t)SEALED_BYTES_MAX + 256);
    buf_printf(&buf, SEAL_HEAD "%08x" SEAL_MID, crc_of(content));
    buf_append_str(&buf, content);
    buf_append_str(&buf, STR("}\n"));
    enum status status = buf_check(&buf, "a metadata file", err);
    if (status == STATUS_OK)
        status = sys_replace_file(sys, path, (struct slice){buf.data, buf.len}, err);
    buf_release(&buf);
    return status;
}

static enum status damaged(const char *path, const char *what, struct error *err)
{
    return error_set(err, STATUS_CORRUPT, "%s: %s", path, what);
}

static enum status unseal(const char *path, struct str text, struct str *ret, struct error *err)
{
    const size_t before = SEAL_HEAD_LEN + SEAL_CRC_LEN + SEAL_MID_LEN;
    if (text.len < before + 2 || !str_ends(text, STR("}\n")) ||
        memcmp(text.data, SEAL_HEAD, SEAL_HEAD_LEN) != 0 ||
        memcmp(text.data + SEAL_HEAD_LEN + SEAL_CRC_LEN, SEAL_MID, SEAL_MID_LEN) != 0)
        return damaged(path, "not a sealed JSON file", err);
    char crc[SEAL_CRC_LEN + 1];
    *ret = str_make(text.data + before, text.len - before - 2);
    snprintf(crc, sizeof crc, "%08x", crc_of(*ret));
    if (memcmp(crc, text.data + SEAL_HEAD_LEN, SEAL_CRC_LEN) != 0)
        return damaged(path, "the checksum does not match", err);
    return STATUS_OK;
}

enum status sealed_read(struct sys *sys, const char *path, yyjson_doc **ret_doc,
                        yyjson_val **ret_content, struct error *err)
{
    struct buf buf;
    struct str content = STR_NONE;
    buf_init(&buf, (size_t)SEALED_BYTES_MAX + 256);
    enum status status = sys_read_file(sys, path, &buf, err);
    if (status == STATUS_OK)
        status = unseal(path, buf_str(&buf), &content, err);
    if (status == STATUS_OK && json_parse(content, ret_doc, err) != STATUS_OK)
        status = damaged(path, "the content is not JSON", err);
    buf_release(&buf);
    if (status == STATUS_OK)
        *ret_content = yyjson_doc_get_root(*ret_doc);
    return status;
}

/* names.c: names of metadata files that carry the checksum of what is in them. */
#include <stdio.h>
#include <xxhash.h>

#include "format/iceberg/metadata.h"

#define METADATA_SUFFIX STR(".metadata.json")

struct uuid iceberg_content_uuid(struct str bytes)
{
    struct uuid uuid;
    XXH128_canonical_t hash;
    XXH128_canonicalFromHash(&hash, XXH3_128bits(bytes.data ? bytes.data : "", bytes.len));
    memcpy(uuid.bytes, hash.digest, sizeof uuid.bytes);
    uuid.bytes[6] = (unsigned char)(0x80 | (uuid.bytes[6] & 0x0F));
    uuid.bytes[8] = (unsigned char)(0x80 | (uuid.bytes[8] & 0x3F));
    return uuid;
}

void iceberg_metadata_name(int64_t version, struct str bytes, char out[ICEBERG_NAME_MAX])
{
    char uuid[UUID_TEXT_LEN + 1];
    uuid_format(iceberg_content_uuid(bytes), uuid);
    (void)snprintf(out, ICEBERG_NAME_MAX, "%05lld-%s.metadata.json", (long long)version, uuid);
}

static struct str last_part(struct str path)
{
    for (size_t i = path.len; i > 0; i--)
        if (path.data[i - 1] == '/')
            return str_make(path.data + i, path.len - i);
    return path;
}

bool iceberg_metadata_version(struct str path, int64_t *ret)
{
    struct str name = last_part(path), digits;
    if (!str_ends(name, METADATA_SUFFIX))
        return false;
    name.len -= METADATA_SUFFIX.len;
    if (name.len && name.data[0] == 'v')
        return str_to_int64(str_make(name.data + 1, name.len - 1), ret) && *ret >= 0;
    return str_split(&name, '-', &digits) && name.data && str_to_int64(digits, ret) && *ret >= 0;
}

struct str iceberg_version_hint(struct str metadata_name)
{
    struct str name = last_part(metadata_name);
    if (str_ends(name, METADATA_SUFFIX))
        name.len -= METADATA_SUFFIX.len;
    return name;
}

enum status iceberg_name_check(struct str path, struct str bytes, bool *ret_checked,
                               struct error *err)
{
    struct str name = last_part(path);
    struct uuid found, made = iceberg_content_uuid(bytes);
    *ret_checked = false;
    for (size_t at = 0; at + UUID_TEXT_LEN <= name.len; at++) {
        if (at > 0 && name.data[at - 1] != '-')
            continue;
        if (!uuid_parse(str_make(name.data + at, UUID_TEXT_LEN), &found) ||
            found.bytes[6] >> 4 != 8)
            continue;
        *ret_checked = true;
        if (memcmp(found.bytes, made.bytes, sizeof made.bytes) == 0)
            return STATUS_OK;
        return error_set(err, STATUS_CORRUPT, "the bytes of '%.*s' do not match its name",
                         (int)(name.len < 120 ? name.len : 120), name.data);
    }
    return STATUS_OK;
}

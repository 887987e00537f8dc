/* npm_int.h: the registry protocol of npm on the node registry, below /npm/.
 *
 * A package version is a node of namespace "npm": its manifest is the node's attributes. What
 * belongs to the package as a whole (dist-tags, readme; as categories those who like it) is an
 * asset of kind "npm_package", whose rights the versions follow (npm_people.c, npm_access.c).
 * Tarballs are immutable files named by their SHA-512. An advisory is an asset of kind "advisory"
 * whose namespace is the package.
 *
 * npm shows a failure's member "error" as text, so failures here are {"error": TEXT}. */
#ifndef QUARRY_SERVICES_CATALOG_NPM_INT_H
#define QUARRY_SERVICES_CATALOG_NPM_INT_H

#include "catalog/node/registry.h"
#include "services/catalog/catalog_int.h"

#define NPM_NAMESPACE "npm"
#define NPM_PACKAGE   "npm_package"
#define NPM_ADVISORY  "advisory"

enum {
    NPM_BODY_MAX = 256 << 20,
    NPM_TARBALL_MAX = 128 << 20,
    NPM_HASH_LEN = 128, /* SHA-512 in hexadecimal */
};

/* Answers a failure in npm's shape and gives STATUS_OK; passes STATUS_OK. */
enum status npm_end(struct request *request, enum status status);
/* The body, decompressed and parsed; freed with yyjson_doc_free. */
enum status npm_body(struct request *request, yyjson_doc **ret);

/* Names as npm has them: at most 214 bytes, "@scope/name" or "name", no capital letters needed. */
enum status npm_check_name(struct str name, struct error *err);
/* Versions that may be shown (not archived, not drafts), oldest first. */
enum status npm_versions(struct request *request, struct str name, struct record **ret,
                         uint32_t *ret_len);
/* The package's own asset; STATUS_NOT_FOUND. */
enum status npm_package_asset(struct request *request, struct str name, struct record *ret);
/* Changes dist-tags: sets `tags` (an object of texts; NULL: none) and removes `removed` (empty:
 * none); makes the package's asset when there is none. `readme` empty: as it was. */
enum status npm_set_package(struct request *request, struct str name, yyjson_val *tags,
                            struct str removed, struct str readme);
/* dist-tags as an object of texts, with "latest" whenever there is a version. */
enum status npm_write_tags(struct request *request, struct json_writer *w, struct str name,
                           const struct record *versions, uint32_t len);

/* Which version a tarball's path means; STATUS_NOT_FOUND. */
enum status npm_version_of_file(struct request *request, struct record *ret);
/* The package's own asset, made when there is none; STATUS_FORBIDDEN: it is another's. */
enum status npm_claim_package(struct request *request, struct str name, bool is_public,
                              struct record *ret);

/* --- npm_people.c --- */
struct npm_person {
    struct str id, name, email;
    struct str right; /* of a grant; the owner has "admin" */
};
struct npm_people {
    struct npm_person *list; /* the owner first */
    uint32_t len;
};
/* The owner of an asset and the users with grants on it. */
enum status npm_people_of(struct request *request, const struct record *asset,
                          struct npm_people *ret);
void npm_write_maintainers(struct json_writer *w, const struct npm_people *people);
/* An array of {name}: the owners from now on, of the versions too. */
enum status npm_set_maintainers(struct request *request, const struct record *package,
                                yyjson_val *maintainers);

/* --- npm_access.c --- */
/* Who has a right on the package has it on the new version. */
enum status npm_share_version(struct request *request, const struct record *package,
                              const struct record *version);

/* --- npm_revision.c --- */
/* STATUS_FORBIDDEN: the number belongs to an unpublished version. */
enum status npm_check_number(struct request *request, struct str name, struct str version);
/* `users`: an object with the names of those who like the package; the caller's counts. */
enum status npm_star(struct request *request, struct str name, yyjson_val *users);
void npm_write_stars(struct json_writer *w, const struct record *package);

/* Member of an object as text; empty when it is none. Borrows. */
static inline struct str node_text(yyjson_val *object, const char *name)
{
    yyjson_val *value = json_get(object, name);
    return yyjson_is_str(value) ? json_str_of(value) : STR("");
}

/* --- npm_files.c --- */
/* Durable when it returns; a file that is there already stays. */
enum status npm_store_file(struct request *request, struct str bytes, struct str hash,
                           struct error *err);
enum status npm_send_file(struct request *request, struct str hash, struct error *err);
/* Digests of bytes: SHA-512 in hexadecimal and as "sha512-BASE64", SHA-1 in hexadecimal. */
struct npm_digests {
    char sha512[NPM_HASH_LEN + 1];
    char integrity[128];
    char sha1[41];
};
enum status npm_digest(struct str bytes, struct npm_digests *ret, struct error *err);

#endif

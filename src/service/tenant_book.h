/* tenant_book.h: which tenants there are, which are suspended, and what each may use: told to all
 * processes of a machine through one file, which the gateway writes (AUTH_PATH/tenants).
 *
 *   {"tenants":[{"tenant_id","state","reason","requests_per_second","burst","max_bytes",
 *                "max_sources"}]}           numbers: 0 or absent means no limit
 *
 * The file is put in place whole; readers look at it at most every TENANT_BOOK_LOOK_US. Without a
 * file nobody is suspended and nothing limited: the catalog is where tenants are kept, the file
 * only tells. Threads: any. */
#ifndef QUARRY_SERVICE_TENANT_BOOK_H
#define QUARRY_SERVICE_TENANT_BOOK_H

#include "sys/sys.h"

enum {
    TENANT_BOOK_LOOK_US = 200000,
    TENANT_BOOK_TENANTS_MAX = 65536,
    TENANT_BOOK_FILE_MAX = 64 << 20,
    TENANT_ID_MAX = 64,
    TENANT_REASON_MAX = 200,
};

enum tenant_state { TENANT_ACTIVE, TENANT_SUSPENDED, TENANT_DELETED };
const char *tenant_state_name(enum tenant_state state); /* "active" ... */

/* What a tenant may do; 0: no limit. */
struct tenant_rule {
    enum tenant_state state;
    char reason[TENANT_REASON_MAX + 1]; /* why it is not active */
    double requests_per_second, burst;
    int64_t max_bytes, max_sources;
};

struct tenant_book;

enum status tenant_book_open(struct sys *sys, const char *path, struct tenant_book **ret,
                             struct error *err);
void tenant_book_close(struct tenant_book *book); /* NULL is fine */
/* STATUS_NOT_FOUND: there is a file, and the tenant is not in it. A file that cannot be read is a
 * failure: better nobody comes in than somebody who was shut out. */
enum status tenant_book_find(struct tenant_book *book, struct str tenant, struct tenant_rule *ret,
                             struct error *err);
/* The next call reads the file whatever the time. */
void tenant_book_look_again(struct tenant_book *book);
/* Letters, digits, '_', '-', '.', not '.' first: it also names folders. */
bool tenant_id_is_valid(struct str tenant);

#endif

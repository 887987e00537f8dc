/* xapian_int.h: the index as the C++ shim sees it. */
#ifndef QUARRY_CATALOG_SEARCH_XAPIAN_INT_H
#define QUARRY_CATALOG_SEARCH_XAPIAN_INT_H

#include <xapian.h>

#include <atomic>
#include <mutex>
#include <string>
#include <vector>

extern "C" {
#include "base/arena.h"
#include "base/status.h"
}
#include "catalog/search/text_index.h"

/* Value slots of a document. Their numbers are on disk. */
enum text_slot {
    SLOT_ID = 0,
    SLOT_REVISION = 1,
    SLOT_FULL_NAME = 2, /* namespace/name, for collapsing */
};
/* + enum text_facet; lists are joined by NUL */
static const Xapian::valueno SLOT_FACETS = 10;

struct text_reader {
    Xapian::Database *database;
    uint64_t commits; /* those it has seen for sure */
};

struct text_index {
    std::string folder;
    std::mutex write_lock;
    Xapian::WritableDatabase writer;
    std::atomic<uint64_t> commits{0}; /* of this process, which alone writes */
    std::mutex pool_lock;
    std::vector<struct text_reader> pool; /* readers that nobody uses now */
};

/* Terms are a capital letter or two, then the value; long values are cut and hashed. */
std::string text_term(const char *prefix, struct str value);
std::string text_id_term(struct str tenant, struct str id);
std::string text_string(struct str text);
/* Names with the marks between their words turned to spaces. */
std::string text_spread(struct str name);

/* The status of what is being caught; call inside a catch block. */
enum status text_failure(struct error *err);

#endif

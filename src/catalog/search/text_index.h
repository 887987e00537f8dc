/* text_index.h: ranked full text over assets: a small C face of Xapian.
 *
 * The index is derived data: it may be deleted, and is made again from the catalog (text_feed.h).
 * It holds one document an asset; the fields that are searched, the values that are filtered and
 * counted, and the asset's revision. All tenants share it; no query sees two.
 *
 * Words: runs of letters and digits, lower case, English stems; names also cut at '-', '_', '.',
 * '/', '@'. Rank: BM25, where a word in a name counts five times, in tags and categories three
 * times. A word that the index has never seen is corrected to the nearest one it has (two letters
 * off at the most); both are asked.
 *
 * Threads: all calls from anywhere; one writes at a time, readers never wait for it. */
#ifndef QUARRY_CATALOG_SEARCH_TEXT_INDEX_H
#define QUARRY_CATALOG_SEARCH_TEXT_INDEX_H

#include "base/arena.h"
#include "base/status.h"
#include "base/str.h"

struct text_index;

struct text_document {
    struct str tenant, id;
    int64_t revision;
    struct str kind, namespace_, name, version, title, lifecycle, owner, description;
    const struct str *tags, *categories;
    uint32_t tags_len, categories_len;
    bool is_public;
};

enum {
    TEXT_HITS_MAX = 1000,
    TEXT_OFFSET_MAX = 100000,
    TEXT_QUERY_MAX = 1024,
    TEXT_FACETS_MAX = 100,     /* values of one facet, the most frequent */
    TEXT_FACETS_SAMPLE = 2000, /* of more matches a sample is counted, evenly taken */
    TEXT_SNIPPET_MAX = 300,
};

enum text_facet {
    FACET_KIND,
    FACET_LIFECYCLE,
    FACET_NAMESPACE,
    FACET_OWNER,
    FACET_TAG,
    FACET_CATEGORY,
    FACET_COUNT
};

struct text_query {
    struct str tenant; /* never empty */
    struct str text;   /* words, "phrases", -without; empty: everything, in no order of rank */
    bool all_words;    /* AND; else OR */
    bool prefix;       /* the last word may be the beginning of one */
    bool exact;        /* no corrections */
    struct str kind, namespace_, lifecycle, owner;
    const struct str *tags, *categories; /* all of them */
    uint32_t tags_len, categories_len;
    /* Only what is public, owned by visible_owner, or listed; when `restricted`. */
    bool restricted;
    struct str visible_owner;
    const struct str *visible_ids;
    uint32_t visible_ids_len;
    bool by_name;  /* the best version of each name only */
    bool facets;   /* count values; fills total exactly */
    bool snippets; /* the part of the description that matches, with <b> around the words */
    uint32_t offset, limit;
};

struct text_hit {
    struct str id;
    double score;                       /* of the best: 100 */
    struct str name_html, snippet_html; /* escaped HTML with <b>; empty without snippets */
};

struct text_count {
    struct str value;
    uint32_t count;
};

struct text_answer {
    struct text_hit *hits;
    uint32_t len;
    uint32_t total;        /* of all pages; an estimate when it is large and nothing is counted */
    struct str corrected;  /* the text that was asked too; empty when it was as written */
    uint32_t facets_every; /* each so many matches were counted, as so many */
    struct text_count *facets[FACET_COUNT]; /* most frequent first */
    uint32_t facets_len[FACET_COUNT];
};

#ifdef __cplusplus
extern "C" {
#endif

const char *text_facet_name(enum text_facet facet);

/* A folder that is not there is made; STATUS_CORRUPT when it holds something else or is damaged:
 * delete it and begin anew. STATUS_UNAVAILABLE: another process has it. */
enum status text_index_open(const char *folder, struct text_index **ret, struct error *err);
void text_index_close(struct text_index *index); /* commits; NULL is fine */

/* Not searchable before text_index_commit. Puts replace. */
enum status text_index_put(struct text_index *index, const struct text_document *document,
                           struct error *err);
enum status text_index_remove(struct text_index *index, struct str tenant, struct str id,
                              struct error *err);
enum status text_index_commit(struct text_index *index, struct error *err);
/* Revision of the document; -1: there is none. Sees uncommitted puts. */
enum status text_index_revision(struct text_index *index, struct str tenant, struct str id,
                                int64_t *ret, struct error *err);
/* Calls fn for each document, committed ones; for finding those that should not be there. */
typedef void (*text_document_fn)(void *context, struct str tenant, struct str id);
enum status text_index_each(struct text_index *index, text_document_fn fn, void *context,
                            struct error *err);
uint64_t text_index_size(struct text_index *index);

enum status text_index_query(struct text_index *index, const struct text_query *query,
                             struct arena *arena, struct text_answer *ret, struct error *err);

#ifdef __cplusplus
}
#endif

#endif

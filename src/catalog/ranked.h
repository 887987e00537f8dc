/* ranked.h: ranked full text by the catalog's own search engine, if it has one. */
#ifndef QUARRY_CATALOG_RANKED_H
#define QUARRY_CATALOG_RANKED_H

#include "catalog/backend.h"
#include "catalog/search/text_index.h"

/* False: there is none (only Elasticsearch and OpenSearch are, also as part of a hybrid catalog),
 * it does not answer, or the query is not for it; then ask the text index. Answers of a hybrid
 * catalog's engine may be a moment late. */
bool ranked_query(struct backend *backend, const struct text_query *query, struct arena *arena,
                  struct text_answer *ret);

#endif

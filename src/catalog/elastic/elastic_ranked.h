/* elastic_ranked.h: ranked full text with facets and highlights from Elasticsearch or OpenSearch:
 * the same questions as to src/catalog/search. Words are not corrected by name (`corrected` stays
 * empty) but found with some letters off; `by_name` is not known here. */
#ifndef QUARRY_CATALOG_ELASTIC_RANKED_H
#define QUARRY_CATALOG_ELASTIC_RANKED_H

#include "catalog/backend.h"
#include "catalog/search/text_index.h"

/* `base` is of elastic_backend_open. */
enum status elastic_text_query(struct backend *base, const struct text_query *query,
                               struct arena *arena, struct text_answer *ret, struct error *err);

#endif

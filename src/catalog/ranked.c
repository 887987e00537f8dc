#include "catalog/ranked.h"

#include "catalog/elastic/elastic_ranked.h"
#include "catalog/hybrid/hybrid_backend.h"

enum { WINDOW_MAX = 10000 }; /* hits that such servers page through */

static bool is_elastic(const struct backend *backend)
{
    return strcmp(backend->ops->name, "elasticsearch") == 0;
}

static bool ask_part(struct backend *hybrid, const struct text_query *query, struct arena *arena,
                     struct text_answer *ret)
{
    int64_t begin_us = 0;
    struct backend *engine = hybrid_search_begin(hybrid, &begin_us);
    if (!engine)
        return false;
    enum status status = is_elastic(engine) ? elastic_text_query(engine, query, arena, ret, NULL)
                                            : STATUS_INVALID_ARGUMENT;
    hybrid_search_end(hybrid, begin_us, status);
    return status == STATUS_OK;
}

bool ranked_query(struct backend *backend, const struct text_query *query, struct arena *arena,
                  struct text_answer *ret)
{
    if (query->by_name || query->offset + query->limit > WINDOW_MAX)
        return false;
    if (strcmp(backend->ops->name, "hybrid") == 0)
        return ask_part(backend, query, arena, ret);
    return is_elastic(backend) && elastic_text_query(backend, query, arena, ret, NULL) == STATUS_OK;
}

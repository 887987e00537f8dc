/* search.c: ranked full text over assets. The index answers with ids; what they are is read from
 * the catalog, and rights are checked again there, since the index may be a moment late. */
#include "catalog/ranked.h"
#include "services/catalog/catalog_int.h"

enum { SETTLE_MS = 2000 };

void search_write_state(struct catalog_service *service, struct json_writer *w)
{
    struct text_feed_state state;
    text_feed_get_state(service->options.text, &state);
    json_keyz(w, "search");
    json_begin_object(w);
    json_kv_int(w, "documents", (int64_t)state.documents);
    json_kv_int(w, "waiting", (int64_t)state.waiting);
    json_kv_bool(w, "comparing", state.comparing);
    json_kv_text(w, "problem", str_of(state.problem));
    json_end_object(w);
}

enum status search_run(struct request *request, struct text_query *query, struct text_answer *ret)
{
    struct caller caller = caller_of(request);
    const struct visibility *visible = NULL;
    TRY(permission_visible(catalog_of(request), &caller, request->arena, &visible,
                           &request->error));
    query->tenant = caller.tenant;
    query->restricted = visible != NULL;
    if (visible) {
        query->visible_owner = visible->owner;
        query->visible_ids = visible->ids;
        query->visible_ids_len = visible->ids_len;
    }
    if (ranked_query(catalog_backend(catalog_of(request)), query, request->arena, ret))
        return STATUS_OK;
    (void)text_feed_settle(service_of(request)->options.text, SETTLE_MS);
    return text_index_query(text_feed_index(service_of(request)->options.text), query,
                            request->arena, ret, &request->error);
}

static enum status write_hit(struct request *request, const struct caller *caller,
                             const struct text_hit *hit, struct json_writer *w)
{
    struct record asset;
    enum status status = backend_get(catalog_backend(catalog_of(request)), DOMAIN_ASSET,
                                     caller->tenant, hit->id, request->arena, &asset, NULL);
    if (status == STATUS_OK)
        status = permission_check(catalog_of(request), caller, &asset, RIGHT_READ, NULL);
    if (status == STATUS_NOT_FOUND || (status == STATUS_OK && asset.deleted_us))
        return STATUS_OK;
    if (status != STATUS_OK)
        return error_set(&request->error, status, "the catalog cannot be read");
    json_begin_object(w);
    json_kv_double(w, "score", hit->score);
    json_kv_str(w, "name_html", hit->name_html);
    json_kv_str(w, "snippet_html", hit->snippet_html);
    json_keyz(w, "asset");
    json_record(w, &asset);
    json_end_object(w);
    return STATUS_OK;
}

static void write_facets(const struct text_answer *answer, struct json_writer *w)
{
    json_keyz(w, "facets");
    json_begin_object(w);
    for (int facet = 0; facet < FACET_COUNT; facet++) {
        json_keyz(w, text_facet_name((enum text_facet)facet));
        json_begin_array(w);
        for (uint32_t i = 0; i < answer->facets_len[facet]; i++) {
            json_begin_object(w);
            json_kv_str(w, "value", answer->facets[facet][i].value);
            json_kv_int(w, "count", answer->facets[facet][i].count);
            json_end_object(w);
        }
        json_end_array(w);
    }
    json_end_object(w);
}

static enum status read_query(struct request *request, struct text_query *query)
{
    *query = (struct text_query){.text = request_str(request, "q"),
                                 .all_words = str_is(request_str(request, "match"), "all"),
                                 .prefix = request_bool(request, "prefix"),
                                 .exact = request_bool(request, "exact"),
                                 .kind = request_str(request, "kind"),
                                 .namespace_ = request_str(request, "namespace"),
                                 .lifecycle = request_str(request, "lifecycle"),
                                 .owner = request_str(request, "owner"),
                                 .by_name = request_bool(request, "by_name"),
                                 .facets = request_bool(request, "facets"),
                                 .snippets = true,
                                 .offset = (uint32_t)request_int(request, "offset"),
                                 .limit = (uint32_t)request_int(request, "limit")};
    TRY(strings_of(request, request_str(request, "tags"), &query->tags, &query->tags_len));
    return strings_of(request, request_str(request, "categories"), &query->categories,
                      &query->categories_len);
}

enum status text_search(struct request *request)
{
    struct caller caller = caller_of(request);
    struct text_query query;
    struct text_answer answer;
    struct buf buf;
    struct json_writer w;
    enum status status = STATUS_OK;
    TRY(read_query(request, &query));
    TRY(search_run(request, &query, &answer));
    writer_begin(&buf, &w);
    json_begin_object(&w);
    json_keyz(&w, "hits");
    json_begin_array(&w);
    for (uint32_t i = 0; i < answer.len && status == STATUS_OK; i++)
        status = write_hit(request, &caller, &answer.hits[i], &w);
    json_end_array(&w);
    json_kv_int(&w, "total", answer.total);
    json_kv_text(&w, "corrected", answer.corrected);
    if (query.facets) {
        write_facets(&answer, &w);
        json_kv_int(&w, "facets_every", answer.facets_every);
    }
    json_end_object(&w);
    if (status != STATUS_OK) {
        buf_release(&buf);
        return status;
    }
    return writer_respond(request, 200, &buf);
}

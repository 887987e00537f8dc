/* npm_search.c: npm search: the ranked full text over packages, each by its newest version. */
#include "services/catalog/npm_int.h"

static enum status write_found(struct request *request, struct json_writer *w,
                               const struct record *version, double score)
{
    struct npm_people people;
    TRY(npm_people_of(request, version, &people));
    json_begin_object(w);
    json_keyz(w, "package");
    json_begin_object(w);
    json_kv_str(w, "name", version->name);
    json_kv_str(w, "version", version->version);
    json_kv_str(w, "description", version->description);
    json_list(w, "keywords", &version->tags);
    json_time(w, "date", version->created_us);
    json_keyz(w, "publisher");
    json_begin_object(w);
    json_kv_str(w, "username", people.list[0].name);
    json_kv_str(w, "email", people.list[0].email);
    json_end_object(w);
    npm_write_maintainers(w, &people);
    json_keyz(w, "links");
    json_begin_object(w);
    json_end_object(w);
    json_end_object(w);
    json_keyz(w, "score");
    json_begin_object(w);
    json_kv_double(w, "final", score / 100);
    json_end_object(w);
    json_kv_double(w, "searchScore", score);
    json_end_object(w);
    return STATUS_OK;
}

/* The newest version of the package that a hit belongs to; STATUS_NOT_FOUND: gone meanwhile. */
static enum status newest_of(struct request *request, const struct text_hit *hit,
                             struct record *ret)
{
    struct caller caller = caller_of(request);
    struct record asset;
    TRY(backend_get(catalog_backend(catalog_of(request)), DOMAIN_ASSET, caller.tenant, hit->id,
                    request->arena, &asset, &request->error));
    return node_get(catalog_of(request), &caller, asset.namespace, asset.name, STR("*"), false,
                    request->arena, ret, &request->error);
}

static enum status write_search(struct request *request, struct json_writer *w)
{
    struct text_query query = {.text = request_str(request, "text"),
                               .prefix = true,
                               .kind = STR("node"),
                               .namespace_ = STR(NPM_NAMESPACE),
                               .by_name = true,
                               .offset = (uint32_t)request_int(request, "from"),
                               .limit = (uint32_t)request_int(request, "size")};
    struct text_answer answer;
    TRY(search_run(request, &query, &answer));
    json_begin_object(w);
    json_keyz(w, "objects");
    json_begin_array(w);
    for (uint32_t i = 0; i < answer.len; i++) {
        struct record version;
        enum status status = newest_of(request, &answer.hits[i], &version);
        if (status == STATUS_OK)
            status = write_found(request, w, &version, answer.hits[i].score);
        if (status != STATUS_OK && status != STATUS_NOT_FOUND)
            return status;
    }
    json_end_array(w);
    json_kv_int(w, "total", answer.total);
    json_time(w, "time", sys_now_us(service_of(request)->sys));
    json_end_object(w);
    return STATUS_OK;
}

enum status npm_search(struct request *request)
{
    struct buf buf;
    struct json_writer w;
    writer_begin(&buf, &w);
    enum status status = write_search(request, &w);
    if (status == STATUS_OK)
        return writer_respond(request, 200, &buf);
    buf_release(&buf);
    return npm_end(request, status);
}

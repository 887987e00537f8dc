/* ranked.c: ranked full text by the server: what src/catalog/search answers from Xapian.
 *
 * Each word is looked for in name, display name, description and the record's words, a word or two
 * letters off, too, unless `exact`; quoted texts as phrases; words behind a '-' must not be there.
 * Rank is the server's (BM25), a match in a name counts five times, the best hit is 100. Facets are
 * terms aggregations; names and descriptions come back as escaped HTML with <b> around matches. */
#include "catalog/elastic/elastic_ranked.h"

#include "catalog/elastic/elastic_int.h"

enum { WORDS_MAX = 32, REQUEST_MAX = 16 << 20 };

#define FIELDS "[\"name^5\",\"display_name^5\",\"words^2\",\"description\"]"

/* --- the text --- */

enum piece_kind { PIECE_WORD, PIECE_PHRASE, PIECE_WITHOUT };

struct piece {
    enum piece_kind kind;
    struct str text;
};

/* The next word or phrase; false at the end. */
static bool next_piece(struct str *rest, struct piece *ret)
{
    while (rest->len && (unsigned char)*rest->data <= ' ')
        *rest = str_make(rest->data + 1, rest->len - 1);
    if (!rest->len)
        return false;
    bool without = *rest->data == '-';
    if (without)
        *rest = str_make(rest->data + 1, rest->len - 1);
    bool quoted = rest->len && *rest->data == '"';
    size_t from = quoted, to = quoted;
    while (to < rest->len && (quoted ? rest->data[to] != '"' : (unsigned char)rest->data[to] > ' '))
        to++;
    ret->kind = without ? PIECE_WITHOUT : quoted ? PIECE_PHRASE : PIECE_WORD;
    ret->text = str_make(rest->data + from, to - from);
    to += quoted && to < rest->len;
    *rest = str_make(rest->data + to, rest->len - to);
    return true;
}

/* ASCII letters folded, as the index's words are. */
static void write_folded(struct json_writer *w, struct str text)
{
    struct buf buf;
    buf_init(&buf, TEXT_QUERY_MAX);
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        buf_append_char(&buf, (char)(c >= 'A' && c <= 'Z' ? c + 32 : c));
    }
    json_kv_str(w, "query", buf_str(&buf));
    w->buf->failed |= buf.failed;
    buf_release(&buf);
}

static void write_match(struct json_writer *w, struct str text, const char *type, bool fuzzy)
{
    json_begin_object(w);
    json_keyz(w, "multi_match");
    json_begin_object(w);
    write_folded(w, text);
    if (type)
        json_kv_strz(w, "type", type);
    if (fuzzy)
        json_kv_strz(w, "fuzziness", "AUTO");
    json_keyz(w, "fields");
    json_raw(w, STR(FIELDS));
    json_end_object(w);
    json_end_object(w);
}

/* {"bool":{"should":[the word, the beginning of one]}} */
static void write_beginning(struct json_writer *w, struct str word, bool fuzzy)
{
    json_begin_object(w);
    json_keyz(w, "bool");
    json_begin_object(w);
    json_keyz(w, "should");
    json_begin_array(w);
    write_match(w, word, NULL, fuzzy);
    write_match(w, word, "bool_prefix", false);
    json_end_array(w);
    json_end_object(w);
    json_end_object(w);
}

static void write_piece(struct json_writer *w, const struct text_query *query,
                        const struct piece *piece, bool last)
{
    bool fuzzy = piece->kind == PIECE_WORD && !query->exact;
    if (piece->kind == PIECE_WORD && last && query->prefix)
        write_beginning(w, piece->text, fuzzy);
    else
        write_match(w, piece->text, piece->kind == PIECE_WORD ? NULL : "phrase", fuzzy);
}

static void write_pieces(struct json_writer *w, const struct text_query *query,
                         const struct piece *pieces, uint32_t len, bool without)
{
    json_begin_array(w);
    for (uint32_t i = 0; i < len; i++)
        if ((pieces[i].kind == PIECE_WITHOUT) == without && pieces[i].text.len)
            write_piece(w, query, &pieces[i], i + 1 == len);
    json_end_array(w);
}

/* Phrases are words among others: with OR, one of all is enough. */
static void write_text(struct json_writer *w, const struct text_query *query)
{
    struct piece pieces[WORDS_MAX];
    struct str rest = query->text;
    uint32_t len = 0, wanted = 0;
    while (len < WORDS_MAX && next_piece(&rest, &pieces[len])) {
        wanted += pieces[len].kind != PIECE_WITHOUT && pieces[len].text.len > 0;
        len++;
    }
    if (wanted) {
        json_keyz(w, query->all_words ? "must" : "should");
        write_pieces(w, query, pieces, len, false);
        if (!query->all_words)
            json_kv_int(w, "minimum_should_match", 1);
    }
    json_keyz(w, "must_not");
    write_pieces(w, query, pieces, len, true);
}

/* --- filters, facets, highlights --- */

static void add_match(struct match *matches, uint32_t *len, enum record_field field,
                      enum match_op op, const struct str *values, uint32_t values_len)
{
    if (values_len && values[0].data)
        matches[(*len)++] =
            (struct match){.field = field, .op = op, .values = values, .values_len = values_len};
}

static void write_filter(struct json_writer *w, const struct text_query *query)
{
    struct match matches[6];
    const struct visibility visible = {.owner = query->visible_owner,
                                       .ids = query->visible_ids,
                                       .ids_len = query->visible_ids_len};
    struct record_query records = {.domain = DOMAIN_ASSET,
                                   .tenant = query->tenant,
                                   .matches = matches,
                                   .visible = query->restricted ? &visible : NULL};
    uint32_t len = 0;
    add_match(matches, &len, RECORD_kind, MATCH_EQ, &query->kind, query->kind.len > 0);
    add_match(matches, &len, RECORD_namespace, MATCH_EQ, &query->namespace_,
              query->namespace_.len > 0);
    add_match(matches, &len, RECORD_lifecycle, MATCH_EQ, &query->lifecycle,
              query->lifecycle.len > 0);
    add_match(matches, &len, RECORD_owner, MATCH_EQ, &query->owner, query->owner.len > 0);
    add_match(matches, &len, RECORD_tags, MATCH_HAS, query->tags, query->tags_len);
    add_match(matches, &len, RECORD_categories, MATCH_HAS, query->categories,
              query->categories_len);
    records.matches_len = len;
    json_keyz(w, "filter");
    json_begin_array(w);
    (void)elastic_filter_write(w, &records); /* always exact */
    json_end_array(w);
}

static const char *facet_field(int facet)
{
    static const char *const fields[FACET_COUNT] = {[FACET_KIND] = "kind",
                                                    [FACET_LIFECYCLE] = "lifecycle",
                                                    [FACET_NAMESPACE] = "namespace",
                                                    [FACET_OWNER] = "owner",
                                                    [FACET_TAG] = "tags",
                                                    [FACET_CATEGORY] = "categories"};
    return fields[facet];
}

static void write_facets(struct json_writer *w)
{
    json_keyz(w, "aggs");
    json_begin_object(w);
    for (int i = 0; i < FACET_COUNT; i++) {
        json_keyz(w, facet_field(i));
        json_begin_object(w);
        json_keyz(w, "terms");
        json_begin_object(w);
        json_kv_strz(w, "field", facet_field(i));
        json_kv_int(w, "size", TEXT_FACETS_MAX + 1);
        json_end_object(w);
        json_end_object(w);
    }
    json_end_object(w);
}

static enum status write_request(const struct text_query *query, struct buf *buf, struct error *err)
{
    struct json_writer w;
    json_writer_init(&w, buf);
    json_begin_object(&w);
    json_kv_int(&w, "from", query->offset);
    json_kv_int(&w, "size", query->limit);
    json_kv_bool(&w, "track_total_hits", true);
    json_keyz(&w, "_source");
    json_raw(&w, STR("[\"uuid\",\"name\"]"));
    json_keyz(&w, "query");
    json_begin_object(&w);
    json_keyz(&w, "bool");
    json_begin_object(&w);
    write_text(&w, query);
    write_filter(&w, query);
    json_end_object(&w);
    json_end_object(&w);
    if (query->facets)
        write_facets(&w);
    if (query->snippets) {
        json_keyz(&w, "highlight");
        json_raw(&w, STR("{\"pre_tags\":[\"<b>\"],\"post_tags\":[\"</b>\"],\"encoder\":\"html\","
                         "\"fields\":{\"name\":{\"number_of_fragments\":0},\"description\":{"
                         "\"number_of_fragments\":1,\"fragment_size\":200}}}"));
    }
    json_end_object(&w);
    return buf_check(buf, "a query", err);
}

/* --- the answer --- */

static enum status escape(struct str text, struct arena *arena, struct str *ret, struct error *err)
{
    struct buf buf;
    buf_init(&buf, 8 * (size_t)RECORD_TEXT_MAX);
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        buf_append_str(&buf, c == '<'   ? STR("&lt;")
                             : c == '>' ? STR("&gt;")
                             : c == '&' ? STR("&amp;")
                             : c == '"' ? STR("&quot;")
                                        : str_make(&text.data[i], 1));
    }
    enum status status = buf_check(&buf, "a name", err);
    if (status == STATUS_OK) {
        *ret = arena_str(arena, buf_str(&buf));
        status = ret->data ? STATUS_OK : error_no_memory(err);
    }
    buf_release(&buf);
    return status;
}

static enum status read_html(yyjson_val *hit, const char *field, struct arena *arena,
                             struct str *ret, struct error *err)
{
    yyjson_val *text = yyjson_arr_get_first(json_get(json_get(hit, "highlight"), field));
    if (!yyjson_is_str(text))
        return STATUS_OK;
    *ret = arena_str(arena, json_str_of(text));
    return ret->data ? STATUS_OK : error_no_memory(err);
}

static enum status read_hit(yyjson_val *hit, double best, const struct text_query *query,
                            struct arena *arena, struct text_hit *ret, struct error *err)
{
    yyjson_val *id = elastic_member(hit, "_source.uuid"),
               *name = elastic_member(hit, "_source.name");
    double score = yyjson_get_num(json_get(hit, "_score"));
    if (!yyjson_is_str(id))
        return elastic_strange("_search", err);
    ret->id = arena_str(arena, json_str_of(id));
    ret->score = best > 0 ? 100 * score / best : 100;
    if (!ret->id.data)
        return error_no_memory(err);
    if (!query->snippets)
        return STATUS_OK;
    TRY(read_html(hit, "name", arena, &ret->name_html, err));
    TRY(read_html(hit, "description", arena, &ret->snippet_html, err));
    if (ret->name_html.data || !yyjson_is_str(name))
        return STATUS_OK;
    return escape(json_str_of(name), arena, &ret->name_html, err);
}

static enum status read_hits(yyjson_val *root, const struct text_query *query, struct arena *arena,
                             struct text_answer *ret, struct error *err)
{
    yyjson_val *hits = elastic_member(root, "hits.hits"), *hit;
    double best = yyjson_get_num(elastic_member(root, "hits.max_score"));
    size_t at, max = yyjson_arr_size(hits);
    if (!yyjson_is_arr(hits))
        return elastic_strange("_search", err);
    ret->hits = arena_array(arena, max, sizeof *ret->hits);
    if (!ret->hits)
        return error_no_memory(err);
    yyjson_arr_foreach(hits, at, max, hit)
    {
        TRY(read_hit(hit, best, query, arena, &ret->hits[ret->len++], err));
    }
    ret->total = (uint32_t)yyjson_get_uint(elastic_member(root, "hits.total.value"));
    return STATUS_OK;
}

/* "" is no value. */
static enum status read_facet(yyjson_val *buckets, struct arena *arena, struct text_count **ret,
                              uint32_t *ret_len, struct error *err)
{
    size_t at, max;
    yyjson_val *bucket;
    *ret = arena_array(arena, TEXT_FACETS_MAX, sizeof **ret);
    if (!*ret)
        return error_no_memory(err);
    yyjson_arr_foreach(buckets, at, max, bucket)
    {
        yyjson_val *key = json_get(bucket, "key");
        if (!yyjson_get_len(key) || *ret_len == TEXT_FACETS_MAX)
            continue;
        struct text_count *count = &(*ret)[(*ret_len)++];
        count->value = arena_str(arena, json_str_of(key));
        count->count = (uint32_t)yyjson_get_uint(json_get(bucket, "doc_count"));
        if (!count->value.data)
            return error_no_memory(err);
    }
    return STATUS_OK;
}

static enum status read_answer(yyjson_val *root, const struct text_query *query,
                               struct arena *arena, struct text_answer *ret, struct error *err)
{
    *ret = (struct text_answer){0};
    TRY(read_hits(root, query, arena, ret, err));
    ret->facets_every = 1;
    for (int i = 0; i < FACET_COUNT && query->facets; i++)
        TRY(read_facet(
            json_get(json_get(json_get(root, "aggregations"), facet_field(i)), "buckets"), arena,
            &ret->facets[i], &ret->facets_len[i], err));
    return STATUS_OK;
}

enum status elastic_text_query(struct backend *base, const struct text_query *query,
                               struct arena *arena, struct text_answer *ret, struct error *err)
{
    struct elastic_backend *backend = (struct elastic_backend *)base;
    struct elastic_reply reply;
    struct buf body;
    buf_init(&body, REQUEST_MAX);
    struct elastic_request request = {
        .method = "POST",
        .path = elastic_path(backend, arena, domain_name(DOMAIN_ASSET),
                             "/_search?allow_partial_search_results=false")};
    enum status status = request.path ? write_request(query, &body, err) : error_no_memory(err);
    if (status == STATUS_OK)
        status = head_refresh(backend, DOMAIN_ASSET, err);
    request.body = buf_str(&body);
    if (status == STATUS_OK)
        status = elastic_call(backend, &request, &reply, err);
    buf_release(&body);
    TRY(status);
    status = read_answer(yyjson_doc_get_root(reply.doc), query, arena, ret, err);
    elastic_reply_release(&reply);
    return status;
}

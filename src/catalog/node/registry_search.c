/* registry_search.c: from the dimensions of a search to the catalog's filters.
 *
 * What the catalog cannot filter (ranges of versions, inputs, outputs, the newest of each name) is
 * looked at here, page by page, up to NODE_SCAN_MAX assets. */
#include "catalog/node/registry_int.h"
#include "catalog/node/semver_range.h"

enum { MATCHES = 16 };

struct filter {
    struct match matches[MATCHES];
    uint32_t len;
    struct str values[MATCHES];
    struct arena *arena;
    bool no_memory;
};

static void add(struct filter *f, enum record_field field, enum match_op op, struct str value)
{
    if (!value.len)
        return;
    f->values[f->len] = value;
    f->matches[f->len] =
        (struct match){.field = field, .op = op, .values = &f->values[f->len], .values_len = 1};
    f->len++;
}

static void add_list(struct filter *f, enum record_field field, enum match_op op,
                     const struct str *values, uint32_t len)
{
    if (len)
        f->matches[f->len++] =
            (struct match){.field = field, .op = op, .values = values, .values_len = len};
}

/* A member of the block. */
static void add_member(struct filter *f, const char *name, struct str value)
{
    struct buf buf;
    struct json_writer w;
    if (!value.len)
        return;
    buf_init(&buf, RECORD_TEXT_MAX);
    json_writer_init(&w, &buf);
    json_string(&w, value);
    struct str json = arena_str(f->arena, buf_str(&buf));
    f->no_memory = f->no_memory || buf_failed(&buf) || !json.data;
    buf_release(&buf);
    f->matches[f->len++] = (struct match){
        .field = RECORD_attributes, .op = MATCH_JSON, .path = str_of(name), .json = json};
}

static void fill(struct filter *f, const struct node_search *search)
{
    static const struct str shown[] = {{"active", 6}, {"deprecated", 10}};
    add(f, RECORD_kind, MATCH_EQ, STR(NODE_KIND));
    add(f, RECORD_namespace, MATCH_EQ, search->namespace);
    add(f, RECORD_name, MATCH_EQ, search->name);
    add(f, RECORD_name, MATCH_GLOB, search->name_pattern);
    add(f, RECORD_version, MATCH_GLOB, search->version_pattern);
    add_list(f, RECORD_tags, MATCH_HAS, search->tags, search->tags_len);
    add_list(f, RECORD_categories, MATCH_HAS, search->capabilities, search->capabilities_len);
    if (search->states_len)
        add_list(f, RECORD_lifecycle, MATCH_IN, search->states, search->states_len);
    else if (!search->any_state)
        add_list(f, RECORD_lifecycle, MATCH_IN, shown, 2);
    add_member(f, "uuid", search->uuid);
    add_member(f, "author", search->author);
    add_member(f, "meta_type", search->meta_type);
}

/* --- what is looked at here --- */

struct sieve {
    const struct node_search *search;
    struct semver_range range;
    bool by_range, by_ports;
};

/* Whether one of the ports is called so, or has that schema. */
static bool has_port(yyjson_val *ports, struct str wanted)
{
    size_t at, max;
    yyjson_val *port;
    if (!wanted.len)
        return true;
    if (!yyjson_is_arr(ports))
        return false;
    yyjson_arr_foreach(ports, at, max, port)
    {
        if ((yyjson_is_str(port) && str_eq(json_str_of(port), wanted)) ||
            str_eq(node_member(port, "name"), wanted) ||
            str_eq(node_member(port, "schema_ref"), wanted))
            return true;
    }
    return false;
}

static bool passes(const struct sieve *sieve, const struct record *record)
{
    struct semver version;
    if (sieve->by_range && (semver_parse(record->version, &version, NULL) != STATUS_OK ||
                            !semver_range_has(&sieve->range, &version, false)))
        return false;
    if (!sieve->by_ports)
        return true;
    yyjson_doc *doc = yyjson_read(record->attributes.data, record->attributes.len, 0);
    yyjson_val *block = yyjson_doc_get_root(doc);
    bool fits = has_port(json_get(block, "inputs"), sieve->search->input) &&
                has_port(json_get(block, "outputs"), sieve->search->output);
    yyjson_doc_free(doc);
    return fits;
}

static bool is_newer(const struct record *a, const struct record *b)
{
    struct semver one, two;
    return semver_parse(a->version, &one, NULL) == STATUS_OK &&
           semver_parse(b->version, &two, NULL) == STATUS_OK && semver_compare_all(&one, &two) > 0;
}

/* With latest_only a newer version takes the place of an older one of the same name: they follow
 * each other, since the order is by name. */
static bool merge_latest(struct record_page *ret, const struct record *record)
{
    for (uint32_t i = ret->len; i-- > 0;) {
        struct record *have = &ret->records[i];
        if (!str_eq(have->name, record->name))
            return false;
        if (!str_eq(have->namespace, record->namespace))
            continue;
        if (is_newer(record, have))
            *have = *record;
        return true;
    }
    return false;
}

static enum status sieve_pages(struct catalog *catalog, const struct caller *caller,
                               struct record_query *query, const struct sieve *sieve,
                               struct arena *arena, struct record_page *ret, struct error *err)
{
    const struct node_search *search = sieve->search;
    uint32_t seen = 0;
    ret->records = arena_array(arena, search->limit, sizeof *ret->records);
    if (!ret->records)
        return error_no_memory(err);
    query->limit = QUERY_LIMIT_MAX;
    for (;;) {
        struct record_page page;
        TRY(asset_query(catalog, caller, query, arena, &page, err));
        for (uint32_t i = 0; i < page.len; i++) {
            const struct record *record = &page.records[i];
            if (!passes(sieve, record) || (search->latest_only && merge_latest(ret, record)))
                continue;
            if (ret->len == search->limit) {
                /* Goes on behind the record before this one. */
                const struct record *last = i ? &page.records[i - 1] : NULL;
                if (!last) {
                    ret->next = query->cursor;
                    return STATUS_OK;
                }
                return cursor_write(query, last, arena, &ret->next, err);
            }
            ret->records[ret->len++] = *record;
        }
        seen += page.len;
        if (!page.next.len)
            return STATUS_OK;
        if (seen > NODE_SCAN_MAX)
            return error_set(err, STATUS_RESOURCE_LIMIT,
                             "more than %d nodes would be looked at: name a namespace or a name",
                             NODE_SCAN_MAX);
        query->cursor = page.next;
    }
}

enum status node_search(struct catalog *catalog, const struct caller *caller,
                        const struct node_search *search, struct arena *arena,
                        struct record_page *ret, struct error *err)
{
    struct filter f = {.arena = arena};
    struct sieve sieve = {.search = search,
                          .by_range = search->version_spec.len > 0,
                          .by_ports = search->input.len || search->output.len};
    *ret = (struct record_page){.total = -1};
    fill(&f, search);
    if (f.no_memory)
        return error_no_memory(err);
    if (sieve.by_range)
        TRY(semver_range_parse(search->version_spec, false, arena, &sieve.range, err));
    struct record_query query = {.domain = DOMAIN_ASSET,
                                 .matches = f.matches,
                                 .matches_len = f.len,
                                 .text = search->text,
                                 .order = RECORD_name,
                                 .cursor = search->cursor,
                                 .limit = search->limit};
    if (!sieve.by_range && !sieve.by_ports && !search->latest_only)
        return asset_query(catalog, caller, &query, arena, ret, err);
    return sieve_pages(catalog, caller, &query, &sieve, arena, ret, err);
}

/* xapian_query.cc: one search: words to a query, filters, ranks, facets, highlights. */
#include <algorithm>
#include <memory>
#include <unordered_map>

#include "catalog/search/xapian_int.h"

/* A reader from the pool, at the newest state, for the length of a call. */
class reader
{
  public:
    reader(struct text_index *index, bool reopen) : index_(index), commits_(index->commits)
    {
        bool is_new = !reopen;
        {
            std::lock_guard<std::mutex> guard(index->pool_lock);
            if (!index->pool.empty()) {
                database_.reset(index->pool.back().database);
                is_new = is_new && index->pool.back().commits == commits_;
                index->pool.pop_back();
            }
        }
        if (!database_)
            database_ = std::make_unique<Xapian::Database>(index->folder);
        else if (!is_new)
            database_->reopen();
    }
    ~reader()
    {
        enum { POOL_MAX = 32 };
        std::lock_guard<std::mutex> guard(index_->pool_lock);
        if (!failed && index_->pool.size() < POOL_MAX)
            index_->pool.push_back({database_.release(), commits_});
    }
    reader(const reader &) = delete;
    reader &operator=(const reader &) = delete;
    Xapian::Database &operator*()
    {
        return *database_;
    }
    bool failed = false;

  private:
    struct text_index *index_;
    uint64_t commits_; /* read before the reader is made new: it has seen these at least */
    std::unique_ptr<Xapian::Database> database_; /* freed also when the constructor fails */
};

/* Counts the values of each facet, of every `every`-th match; a value may be several joined by
 * NUL. */
class facet_spy : public Xapian::MatchSpy
{
  public:
    explicit facet_spy(uint32_t every) : every_(every)
    {
    }
    void operator()(const Xapian::Document &document, double) override
    {
        if (seen_++ % every_)
            return;
        for (unsigned i = 0; i < FACET_COUNT; i++)
            add(counts[i], document.get_value(SLOT_FACETS + i));
    }
    std::unordered_map<std::string, uint32_t> counts[FACET_COUNT];

  private:
    void add(std::unordered_map<std::string, uint32_t> &into, const std::string &value) const
    {
        for (size_t begin = 0; begin < value.size();) {
            size_t end = std::min(value.find('\0', begin), value.size());
            into[value.substr(begin, end - begin)] += every_;
            begin = end + 1;
        }
    }
    uint32_t every_, seen_ = 0;
};

/* Words that are in nearly every description: not asked unless nothing else is. */
static const char *const stop_words[] = {"a",   "an",   "and", "are",  "as", "at",  "be",  "by",
                                         "for", "from", "in",  "is",   "it", "its", "of",  "on",
                                         "or",  "that", "the", "this", "to", "was", "with"};

static bool is_known(const Xapian::Database &database, const Xapian::Stem &stemmer,
                     const std::string &word)
{
    return database.term_exists(word) || database.term_exists("Z" + stemmer(word));
}

/* The text with each word that no document has, not even as another form, replaced by the nearest
 * one; empty when nothing was. Only plain ASCII words are looked at. */
static std::string correct(const std::string &text, const Xapian::Database &database)
{
    enum { WORD_LEN_MIN = 4, EDITS_MAX = 2 };
    Xapian::Stem stemmer("en");
    std::string corrected;
    bool changed = false;
    for (size_t at = 0; at < text.size();) {
        size_t end = at;
        std::string word;
        while (end < text.size() && isalnum(static_cast<unsigned char>(text[end])))
            word += static_cast<char>(tolower(static_cast<unsigned char>(text[end++])));
        std::string better;
        if (word.size() >= WORD_LEN_MIN && !is_known(database, stemmer, word))
            better = database.get_spelling_suggestion(word, EDITS_MAX);
        changed = changed || !better.empty();
        corrected += better.empty() ? text.substr(at, end - at) : better;
        if (end < text.size())
            corrected += text[end++];
        at = end;
    }
    return changed ? corrected : std::string();
}

static Xapian::Query parse_words(const struct text_query *query, const Xapian::Database &database,
                                 std::string *ret_corrected)
{
    enum { AS_WRITTEN_WEIGHT = 2, EXPANSIONS_MAX = 100 };
    Xapian::QueryParser parser;
    Xapian::SimpleStopper stopper(std::begin(stop_words), std::end(stop_words));
    parser.set_database(database);
    parser.set_stemmer(Xapian::Stem("en"));
    parser.set_stemming_strategy(Xapian::QueryParser::STEM_SOME);
    parser.set_stopper(&stopper);
    parser.set_default_op(query->all_words ? Xapian::Query::OP_AND : Xapian::Query::OP_OR);
    parser.set_max_expansion(EXPANSIONS_MAX, Xapian::Query::WILDCARD_LIMIT_MOST_FREQUENT,
                             Xapian::QueryParser::FLAG_PARTIAL);
    unsigned flags = Xapian::QueryParser::FLAG_PHRASE | Xapian::QueryParser::FLAG_LOVEHATE;
    if (query->prefix)
        flags |= Xapian::QueryParser::FLAG_PARTIAL;
    std::string text = text_string(query->text);
    Xapian::Query words = parser.parse_query(text, flags);
    if (!query->exact)
        *ret_corrected = correct(text, database);
    if (ret_corrected->empty())
        return words;
    return Xapian::Query(Xapian::Query::OP_OR,
                         Xapian::Query(Xapian::Query::OP_SCALE_WEIGHT, words, AS_WRITTEN_WEIGHT),
                         parser.parse_query(*ret_corrected, flags));
}

static void add_filter(Xapian::Query &filter, const char *prefix, struct str value)
{
    if (value.len)
        filter =
            Xapian::Query(Xapian::Query::OP_AND, filter, Xapian::Query(text_term(prefix, value)));
}

static Xapian::Query filter_of(const struct text_query *query)
{
    Xapian::Query filter(text_term("XT", query->tenant));
    add_filter(filter, "XK", query->kind);
    add_filter(filter, "XN", query->namespace_);
    add_filter(filter, "XL", query->lifecycle);
    add_filter(filter, "XO", query->owner);
    for (uint32_t i = 0; i < query->tags_len; i++)
        add_filter(filter, "XG", query->tags[i]);
    for (uint32_t i = 0; i < query->categories_len; i++)
        add_filter(filter, "XC", query->categories[i]);
    if (!query->restricted)
        return filter;
    std::vector<Xapian::Query> visible{Xapian::Query("XP")};
    if (query->visible_owner.len)
        visible.push_back(Xapian::Query(text_term("XO", query->visible_owner)));
    for (uint32_t i = 0; i < query->visible_ids_len; i++)
        visible.push_back(Xapian::Query(text_id_term(query->tenant, query->visible_ids[i])));
    return Xapian::Query(Xapian::Query::OP_AND, filter,
                         Xapian::Query(Xapian::Query::OP_OR, visible.begin(), visible.end()));
}

static struct str keep(struct arena *arena, const std::string &text)
{
    struct str kept = arena_str(arena, str_make(text.data(), text.size()));
    if (!kept.data)
        throw std::bad_alloc();
    return kept;
}

static void take_hits(const struct text_query *query, const Xapian::MSet &matches,
                      struct arena *arena, struct text_answer *ret)
{
    Xapian::Stem stemmer("en");
    ret->hits =
        static_cast<struct text_hit *>(arena_array(arena, matches.size() + 1, sizeof *ret->hits));
    if (!ret->hits)
        throw std::bad_alloc();
    for (Xapian::MSetIterator at = matches.begin(); at != matches.end(); ++at) {
        struct text_hit *hit = &ret->hits[ret->len];
        Xapian::Document document = at.get_document();
        hit->id = keep(arena, document.get_value(SLOT_ID));
        hit->score = at.get_percent();
        if (query->snippets) {
            std::string data = document.get_data();
            size_t name = data.find('\0', data.find('\0') + 1) + 1;
            size_t text = data.find('\0', name) + 1;
            hit->name_html = keep(arena, matches.snippet(data.substr(name, text - name - 1),
                                                         TEXT_SNIPPET_MAX, stemmer));
            hit->snippet_html =
                keep(arena, matches.snippet(data.substr(text), TEXT_SNIPPET_MAX, stemmer));
        }
        ret->len++;
    }
}

static void take_facet(const std::unordered_map<std::string, uint32_t> &all, uint32_t total,
                       struct arena *arena, struct text_count **ret, uint32_t *ret_len)
{
    std::vector<std::pair<std::string, uint32_t>> counts(all.begin(), all.end());
    std::sort(counts.begin(), counts.end(), [](const auto &a, const auto &b) {
        return a.second != b.second ? a.second > b.second : a.first < b.first;
    });
    size_t len = std::min<size_t>(counts.size(), TEXT_FACETS_MAX);
    *ret = static_cast<struct text_count *>(arena_array(arena, len, sizeof **ret));
    if (!*ret)
        throw std::bad_alloc();
    for (size_t i = 0; i < len; i++)
        (*ret)[i] = {keep(arena, counts[i].first), std::min(counts[i].second, total)};
    *ret_len = static_cast<uint32_t>(len);
}

/* A second pass over all matches, without ranks. */
static void count_facets(const struct text_query *query, const Xapian::Query &wanted,
                         uint32_t matches, Xapian::Database &database, struct arena *arena,
                         struct text_answer *ret)
{
    Xapian::Enquire enquire(database);
    enquire.set_query(wanted);
    enquire.set_weighting_scheme(Xapian::BoolWeight());
    if (query->by_name)
        enquire.set_collapse_key(SLOT_FULL_NAME);
    ret->facets_every = matches / TEXT_FACETS_SAMPLE + 1;
    facet_spy spy(ret->facets_every);
    enquire.add_matchspy(&spy);
    Xapian::MSet all = enquire.get_mset(0, 0, database.get_doccount());
    ret->total = all.get_matches_estimated(); /* exact: all were looked at */
    for (unsigned i = 0; i < FACET_COUNT; i++)
        take_facet(spy.counts[i], ret->total, arena, &ret->facets[i], &ret->facets_len[i]);
}

static void run(const struct text_query *query, Xapian::Database &database, struct arena *arena,
                struct text_answer *ret)
{
    std::string corrected;
    Xapian::Query filter = filter_of(query);
    Xapian::Query words =
        query->text.len ? parse_words(query, database, &corrected) : Xapian::Query();
    Xapian::Query wanted = words.empty() ? Xapian::Query(Xapian::Query::OP_SCALE_WEIGHT, filter, 0)
                                         : Xapian::Query(Xapian::Query::OP_FILTER, words, filter);
    Xapian::Enquire enquire(database);
    enquire.set_query(wanted);
    if (query->by_name)
        enquire.set_collapse_key(SLOT_FULL_NAME);
    Xapian::MSet matches = enquire.get_mset(query->offset, query->limit);
    take_hits(query, matches, arena, ret);
    ret->total = matches.get_matches_estimated();
    ret->corrected = keep(arena, corrected);
    if (query->facets)
        count_facets(query, wanted, ret->total, database, arena, ret);
}

enum status text_index_query(struct text_index *index, const struct text_query *query,
                             struct arena *arena, struct text_answer *ret, struct error *err)
{
    enum { TRIES = 3 };
    if (!query->tenant.len || query->text.len > TEXT_QUERY_MAX || query->limit > TEXT_HITS_MAX ||
        query->offset > TEXT_OFFSET_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "a search has at most %d bytes of text, %d hits, offset %d",
                         TEXT_QUERY_MAX, TEXT_HITS_MAX, TEXT_OFFSET_MAX);
    for (int tries = 1;; tries++) {
        /* at last no commit of this process may go by */
        std::unique_lock<std::mutex> quiet(index->write_lock, std::defer_lock);
        try {
            if (tries == TRIES)
                quiet.lock();
            reader database(index, tries > 1);
            try {
                *ret = {};
                run(query, *database, arena, ret);
                return STATUS_OK;
            } catch (...) {
                database.failed = true;
                throw;
            }
        } catch (const Xapian::DatabaseModifiedError &) {
            /* Two commits went by under a long read: its blocks were used again. */
            if (tries == TRIES)
                return error_set(err, STATUS_UNAVAILABLE, "the search index changes too fast");
        } catch (...) {
            return text_failure(err);
        }
    }
}

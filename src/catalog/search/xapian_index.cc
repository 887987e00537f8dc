/* xapian_index.cc: opening, writing and walking the index. Exceptions end here. */
#include "catalog/search/xapian_int.h"

extern "C" {
#include "base/buf.h"
}

static const char *const facet_names[FACET_COUNT] = {"kind",  "lifecycle", "namespace",
                                                     "owner", "tag",       "category"};

const char *text_facet_name(enum text_facet facet)
{
    return facet_names[facet];
}

std::string text_string(struct str text)
{
    return text.len ? std::string(text.data, text.len) : std::string();
}

std::string text_term(const char *prefix, struct str value)
{
    enum { VALUE_MAX = 180 }; /* of Xapian's 245 bytes, NULs count double */
    std::string term(prefix);
    term += ':';
    if (value.len <= VALUE_MAX)
        return term + text_string(value);
    return term + std::string(value.data, VALUE_MAX) + '#' + std::to_string(str_hash(value));
}

std::string text_id_term(struct str tenant, struct str id)
{
    return text_term("Q", tenant) + ' ' + text_string(id);
}

std::string text_spread(struct str name)
{
    std::string spread = text_string(name);
    for (char &c : spread)
        if (strchr("-_./@:", c))
            c = ' ';
    return spread;
}

enum status text_failure(struct error *err)
{
    try {
        throw;
    } catch (const Xapian::DatabaseCorruptError &e) {
        return error_set(err, STATUS_CORRUPT, "search index: %s", e.get_msg().c_str());
    } catch (const Xapian::DatabaseVersionError &e) {
        return error_set(err, STATUS_CORRUPT, "search index: %s", e.get_msg().c_str());
    } catch (const Xapian::QueryParserError &e) {
        return error_set(err, STATUS_INVALID_ARGUMENT, "search text: %s", e.get_msg().c_str());
    } catch (const Xapian::Error &e) {
        return error_set(err, STATUS_IO, "search index: %s", e.get_msg().c_str());
    } catch (const std::bad_alloc &) {
        return error_no_memory(err);
    } catch (const std::exception &e) {
        return error_set(err, STATUS_INTERNAL, "search index: %s", e.what());
    }
}

enum status text_index_open(const char *folder, struct text_index **ret, struct error *err)
{
    struct text_index *index = nullptr;
    try {
        index = new text_index;
        index->folder = folder;
        index->writer = Xapian::WritableDatabase(index->folder, Xapian::DB_CREATE_OR_OPEN);
        *ret = index;
        return STATUS_OK;
    } catch (const Xapian::DatabaseLockError &) {
        delete index;
        return error_set(err, STATUS_UNAVAILABLE, "search index %s is in use by another process",
                         folder);
    } catch (const Xapian::DatabaseOpeningError &e) {
        delete index;
        return error_set(err, STATUS_CORRUPT, "search index %s: %s", folder, e.get_msg().c_str());
    } catch (...) {
        delete index;
        return text_failure(err);
    }
}

void text_index_close(struct text_index *index)
{
    if (!index)
        return;
    for (const struct text_reader &reader : index->pool)
        delete reader.database;
    try {
        index->writer.close(); /* commits; what cannot be written is made again at the next start */
    } catch (...) {
        (void)text_failure(nullptr);
    }
    delete index;
}

/* --- documents --- */

static std::string join(const struct str *values, uint32_t len)
{
    std::string joined;
    for (uint32_t i = 0; i < len; i++) {
        if (i)
            joined += '\0';
        joined += text_string(values[i]);
    }
    return joined;
}

static void add_words(Xapian::TermGenerator &generator, const struct text_document *d)
{
    enum { NAME_WEIGHT = 5, TAG_WEIGHT = 3 };
    generator.index_text(text_string(d->name), NAME_WEIGHT);
    generator.increase_termpos();
    generator.index_text(text_spread(d->name), NAME_WEIGHT);
    generator.increase_termpos();
    generator.index_text(text_string(d->title), NAME_WEIGHT);
    generator.increase_termpos();
    generator.index_text(text_spread(d->namespace_));
    generator.increase_termpos();
    for (uint32_t i = 0; i < d->tags_len; i++) {
        generator.index_text(text_spread(d->tags[i]), TAG_WEIGHT);
        generator.increase_termpos();
    }
    for (uint32_t i = 0; i < d->categories_len; i++) {
        generator.index_text(text_spread(d->categories[i]), TAG_WEIGHT);
        generator.increase_termpos();
    }
    generator.index_text(text_string(d->description));
}

static void add_filters(Xapian::Document &document, const struct text_document *d)
{
    document.add_boolean_term(text_id_term(d->tenant, d->id));
    document.add_boolean_term(text_term("XT", d->tenant));
    document.add_boolean_term(text_term("XK", d->kind));
    document.add_boolean_term(text_term("XN", d->namespace_));
    document.add_boolean_term(text_term("XL", d->lifecycle));
    document.add_boolean_term(text_term("XO", d->owner));
    for (uint32_t i = 0; i < d->tags_len; i++)
        document.add_boolean_term(text_term("XG", d->tags[i]));
    for (uint32_t i = 0; i < d->categories_len; i++)
        document.add_boolean_term(text_term("XC", d->categories[i]));
    if (d->is_public)
        document.add_boolean_term("XP");
}

static void add_values(Xapian::Document &document, const struct text_document *d)
{
    document.add_value(SLOT_ID, text_string(d->id));
    document.add_value(SLOT_REVISION, std::to_string(d->revision));
    document.add_value(SLOT_FULL_NAME, text_string(d->namespace_) + '/' + text_string(d->name));
    document.add_value(static_cast<unsigned>(SLOT_FACETS) + FACET_KIND, text_string(d->kind));
    document.add_value(static_cast<unsigned>(SLOT_FACETS) + FACET_LIFECYCLE,
                       text_string(d->lifecycle));
    document.add_value(static_cast<unsigned>(SLOT_FACETS) + FACET_NAMESPACE,
                       text_string(d->namespace_));
    document.add_value(static_cast<unsigned>(SLOT_FACETS) + FACET_OWNER, text_string(d->owner));
    document.add_value(static_cast<unsigned>(SLOT_FACETS) + FACET_TAG, join(d->tags, d->tags_len));
    document.add_value(static_cast<unsigned>(SLOT_FACETS) + FACET_CATEGORY,
                       join(d->categories, d->categories_len));
}

/* The data of a document: what is shown with highlights, and how it is found again. */
static std::string data_of(const struct text_document *d)
{
    return text_string(d->tenant) + '\0' + text_string(d->id) + '\0' + text_string(d->name) + '\0' +
           text_string(d->description);
}

enum status text_index_put(struct text_index *index, const struct text_document *d,
                           struct error *err)
{
    try {
        std::lock_guard<std::mutex> guard(index->write_lock);
        Xapian::Document document;
        Xapian::TermGenerator generator;
        generator.set_stemmer(Xapian::Stem("en"));
        generator.set_document(document);
        generator.set_database(index->writer);
        generator.set_flags(Xapian::TermGenerator::FLAG_SPELLING);
        add_words(generator, d);
        add_filters(document, d);
        add_values(document, d);
        document.set_data(data_of(d));
        index->writer.replace_document(text_id_term(d->tenant, d->id), document);
        return STATUS_OK;
    } catch (...) {
        return text_failure(err);
    }
}

enum status text_index_remove(struct text_index *index, struct str tenant, struct str id,
                              struct error *err)
{
    try {
        std::lock_guard<std::mutex> guard(index->write_lock);
        index->writer.delete_document(text_id_term(tenant, id));
        return STATUS_OK;
    } catch (...) {
        return text_failure(err);
    }
}

enum status text_index_commit(struct text_index *index, struct error *err)
{
    try {
        std::lock_guard<std::mutex> guard(index->write_lock);
        index->writer.commit();
        index->commits++;
        return STATUS_OK;
    } catch (...) {
        return text_failure(err);
    }
}

enum status text_index_revision(struct text_index *index, struct str tenant, struct str id,
                                int64_t *ret, struct error *err)
{
    try {
        std::lock_guard<std::mutex> guard(index->write_lock);
        std::string term = text_id_term(tenant, id);
        Xapian::PostingIterator at = index->writer.postlist_begin(term);
        *ret = at == index->writer.postlist_end(term)
                   ? -1
                   : std::stoll(index->writer.get_document(*at).get_value(SLOT_REVISION));
        return STATUS_OK;
    } catch (...) {
        return text_failure(err);
    }
}

enum status text_index_each(struct text_index *index, text_document_fn fn, void *context,
                            struct error *err)
{
    try {
        Xapian::Database reader(index->folder);
        for (Xapian::PostingIterator at = reader.postlist_begin(""); at != reader.postlist_end("");
             ++at) {
            std::string data = reader.get_document(*at).get_data();
            size_t tenant = data.find('\0'), id = data.find('\0', tenant + 1);
            fn(context, str_make(data.data(), tenant),
               str_make(data.data() + tenant + 1, id - tenant - 1));
        }
        return STATUS_OK;
    } catch (...) {
        return text_failure(err);
    }
}

uint64_t text_index_size(struct text_index *index)
{
    try {
        std::lock_guard<std::mutex> guard(index->write_lock);
        return index->writer.get_doccount();
    } catch (...) {
        (void)text_failure(nullptr);
        return 0;
    }
}

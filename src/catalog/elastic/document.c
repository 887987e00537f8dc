/* document.c: a record as a document and back.
 *
 *   {"uuid": ID, "name": ..., every other field that is searched or sorted by,
 *    "created_us": the exact time, "created_at": the same for people, ...,
 *    "words": ["alpha", ...],                     what a text query looks for (assets)
 *    "members": ["properties:4:size:n:3", ...],   scalars of the JSON fields
 *    "metadata": RECORD}                          the record itself, not indexed
 * Texts that are empty are there as "", so that they sort and count like others. */
#include <math.h>
#include <openssl/evp.h>

#include "base/datetime.h"
#include "catalog/elastic/elastic_int.h"

const char *elastic_field(enum record_field field)
{
    const struct record_field_info *info = &record_field_info[field];
    if (info->type == RECORD_JSON || info->access == ACCESS_SECRET)
        return NULL;
    switch (field) {
    case RECORD_id:
        return "uuid";
    case RECORD_name:
        return "name.keyword";
    case RECORD_title:
        return "display_name.keyword";
    case RECORD_description:
        return NULL;
    default:
        return info->type == RECORD_TIME ? info->member : info->json;
    }
}

struct str elastic_cut(struct str text, size_t max)
{
    if (text.len <= max)
        return text;
    while (max < text.len && ((unsigned char)text.data[max] & 0xc0) == 0x80)
        max++;
    return str_make(text.data, max);
}

/* --- fields --- */

static void write_time(struct json_writer *w, const struct record_field_info *info, int64_t us)
{
    char text[TIMESTAMP_TEXT_MAX + 1];
    json_kv_int(w, info->member, us);
    if (!us)
        return;
    size_t len = timestamp_format(us, text);
    text[len++] = 'Z';
    json_kv_str(w, info->json, str_make(text, len));
}

static void write_field(struct json_writer *w, const struct record *record, enum record_field field)
{
    const struct record_field_info *info = &record_field_info[field];
    const char *name = field == RECORD_id ? "uuid" : info->json;
    struct str text;
    switch (info->type) {
    case RECORD_TEXT:
        text = record_get_text(record, field);
        json_kv_str(w, name, text.len ? text : STR(""));
        break;
    case RECORD_LIST:
        json_keyz(w, name);
        json_begin_array(w);
        for (uint32_t i = 0; i < record_get_list(record, field)->len; i++)
            json_string(w, record_get_list(record, field)->items[i]);
        json_end_array(w);
        break;
    case RECORD_INT:
        json_kv_int(w, name, record_get_int(record, field));
        break;
    case RECORD_BOOL:
        json_kv_bool(w, name, record_get_int(record, field) != 0);
        break;
    case RECORD_TIME:
        write_time(w, info, record_get_int(record, field));
        break;
    case RECORD_JSON:
        break;
    }
}

/* --- words --- */

static void write_words_of(struct json_writer *w, struct str text, struct arena *arena)
{
    uint32_t max = (uint32_t)(text.len / 2 + 1);
    struct str *words = arena_array(arena, max, sizeof *words);
    if (!words) {
        w->buf->failed = true;
        return;
    }
    uint32_t len = text_words(text, arena, words, max);
    for (uint32_t i = 0; i < len; i++)
        json_string(w, elastic_cut(words[i], ELASTIC_WORD_MAX));
}

static void write_words(struct json_writer *w, const struct record *record)
{
    const struct str_list *lists[] = {&record->tags, &record->categories};
    struct arena arena;
    arena_init(&arena, 0);
    json_keyz(w, "words");
    json_begin_array(w);
    write_words_of(w, record->name, &arena);
    write_words_of(w, record->namespace, &arena);
    write_words_of(w, record->title, &arena);
    write_words_of(w, record->description, &arena);
    for (int i = 0; i < 2; i++)
        for (uint32_t at = 0; at < lists[i]->len; at++)
            write_words_of(w, lists[i]->items[at], &arena);
    json_end_array(w);
    arena_release(&arena);
}

/* --- members of JSON fields --- */

void elastic_member_term(struct buf *out, enum record_field field, struct str name,
                         yyjson_val *value)
{
    char number[JSON_DOUBLE_TEXT_MAX];
    buf_clear(out);
    buf_printf(out, "%s:%zu:", record_field_info[field].json, name.len);
    buf_append_str(out, name);
    if (yyjson_is_str(value)) {
        buf_append_str(out, STR(":s:"));
        buf_append_str(out, json_str_of(value));
    } else if (yyjson_is_num(value)) {
        (void)json_double_text(yyjson_get_num(value) + 0.0, number); /* -0 is 0 */
        buf_printf(out, ":n:%s", number);
    } else {
        buf_printf(out, ":b:%d", yyjson_get_bool(value));
    }
}

static void write_members_of(struct json_writer *w, const struct record *record,
                             enum record_field field, struct buf *term)
{
    struct str text = record_get_text(record, field);
    yyjson_doc *doc = text.len ? yyjson_read(text.data, text.len, 0) : NULL;
    size_t at, max;
    yyjson_val *name, *value;
    yyjson_obj_foreach(yyjson_doc_get_root(doc), at, max, name, value)
    {
        if (!yyjson_is_str(value) && !yyjson_is_num(value) && !yyjson_is_bool(value))
            continue;
        elastic_member_term(term, field, json_str_of(name), value);
        w->buf->failed |= term->failed;
        json_string(w, elastic_cut(buf_str(term), ELASTIC_MEMBER_MAX));
    }
    yyjson_doc_free(doc);
}

static void write_members(struct json_writer *w, const struct record *record)
{
    struct buf term;
    buf_init(&term, 2 * (size_t)RECORD_JSON_MAX);
    json_keyz(w, "members");
    json_begin_array(w);
    write_members_of(w, record, RECORD_attributes, &term);
    write_members_of(w, record, RECORD_properties, &term);
    json_end_array(w);
    buf_release(&term);
}

void elastic_document_write(struct json_writer *w, const struct record *record)
{
    json_begin_object(w);
    for (int i = 0; i < RECORD_FIELD_COUNT; i++) {
        enum record_field field = (enum record_field)i;
        if (record_has_field(record->domain, field) && record_field_info[i].access != ACCESS_SECRET)
            write_field(w, record, field);
    }
    if (record->domain == DOMAIN_ASSET)
        write_words(w, record);
    write_members(w, record);
    json_keyz(w, "metadata");
    record_write(w, record, true);
    json_end_object(w);
}

enum status elastic_document_read(yyjson_val *source, enum domain domain, struct arena *arena,
                                  struct record *ret, struct error *err)
{
    TRY(record_read(json_get(source, "metadata"), arena, ret, err));
    if (ret->domain != domain)
        return error_set(err, STATUS_CORRUPT, "a document among the %s is none of them",
                         domain_name(domain));
    return STATUS_OK;
}

void elastic_key_id(enum domain domain, struct str tenant, struct str key, char out[ELASTIC_ID_MAX])
{
    static const char DIGITS[] = "0123456789abcdef";
    unsigned char hash[EVP_MAX_MD_SIZE];
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    struct str name = str_of(domain_name(domain));
    bool good = digest && EVP_DigestInit_ex(digest, EVP_sha256(), NULL) == 1 &&
                EVP_DigestUpdate(digest, name.data, name.len + 1) == 1 &&
                EVP_DigestUpdate(digest, &tenant.len, sizeof tenant.len) == 1 &&
                EVP_DigestUpdate(digest, tenant.data, tenant.len) == 1 &&
                EVP_DigestUpdate(digest, key.data, key.len) == 1 &&
                EVP_DigestFinal_ex(digest, hash, NULL) == 1;
    EVP_MD_CTX_free(digest);
    for (int i = 0; i < 32 && good; i++) {
        out[2 * i] = DIGITS[hash[i] >> 4];
        out[2 * i + 1] = DIGITS[hash[i] & 15];
    }
    out[good ? ELASTIC_ID_MAX - 1 : 0] = '\0';
}

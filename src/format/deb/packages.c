/* packages.c: see packages.h.
 *
 * Two steps: the paragraph is cut into fields (name, raw value with its continuation lines), then
 * each field is written by the writer that the table WRITERS names for it. */
#include "format/deb/packages.h"

#include <stdlib.h>

#include "base/json.h"

struct deb_field {
    struct str name;
    struct str value; /* all lines; continuation lines still begin with their blank */
};

struct paragraph {
    struct deb_field fields[DEB_PACKAGE_FIELDS_MAX];
    uint32_t len;
};

static bool name_char(char c)
{
    return c > ' ' && c < 0x7f && c != ':';
}

static enum status bad_line(struct error *err, int64_t line, const char *what)
{
    enum status status =
        error_set(err, STATUS_INVALID_ARGUMENT, "not a paragraph of a Packages index: %s", what);
    if (err)
        err->line = line;
    return status;
}

static enum status add_field(struct paragraph *p, struct str line, int64_t number,
                             struct error *err)
{
    size_t colon = 0;
    while (colon < line.len && name_char(line.data[colon]))
        colon++;
    if (!colon || colon == line.len || line.data[colon] != ':')
        return bad_line(err, number, "expected \"Field: value\"");
    struct str name = str_make(line.data, colon);
    for (uint32_t i = 0; i < p->len; i++)
        if (str_eq_nocase(p->fields[i].name, name))
            return bad_line(err, number, "a field comes twice");
    if (p->len == DEB_PACKAGE_FIELDS_MAX)
        return bad_line(err, number, "more than 128 fields");
    struct str value = str_make(line.data + colon + 1, line.len - colon - 1);
    p->fields[p->len++] = (struct deb_field){name, value};
    return STATUS_OK;
}

static enum status cut_fields(struct str text, struct paragraph *p, struct error *err)
{
    struct str line;
    p->len = 0;
    for (int64_t number = 1; str_split(&text, '\n', &line); number++) {
        if (line.len == 0)
            continue;
        if (line.data[0] != ' ' && line.data[0] != '\t') {
            TRY(add_field(p, line, number, err));
        } else if (p->len) {
            struct str *value = &p->fields[p->len - 1].value;
            value->len = (size_t)(line.data + line.len - value->data);
        } else {
            return bad_line(err, number, "it begins with a continuation line");
        }
    }
    return STATUS_OK;
}

typedef bool (*field_writer)(struct json_writer *w, struct str value);

/* Lines joined by "\n", each trimmed. */
static bool write_text(struct json_writer *w, struct str value)
{
    if (!memchr(value.data, '\n', value.len)) {
        json_string(w, str_trim(value));
        return true;
    }
    struct buf text;
    struct str line;
    buf_init(&text, value.len + 1);
    for (bool first = true; str_split(&value, '\n', &line); first = false) {
        if (!first)
            buf_append_char(&text, '\n');
        buf_append_str(&text, str_trim(line));
    }
    bool good = !buf_failed(&text);
    json_string(w, buf_str(&text));
    buf_release(&text);
    return good;
}

static bool write_number(struct json_writer *w, struct str value)
{
    int64_t number;
    if (!str_to_int64(str_trim(value), &number))
        return false;
    json_int(w, number);
    return true;
}

/* "Name <address>" */
static bool write_person(struct json_writer *w, struct str value)
{
    value = str_trim(value);
    struct str name = value, email = STR_NONE;
    if (value.len && value.data[value.len - 1] == '>') {
        size_t at = value.len - 1;
        while (at && value.data[at] != '<')
            at--;
        if (value.data[at] == '<') {
            name = str_trim(str_make(value.data, at));
            email = str_make(value.data + at + 1, value.len - at - 2);
        }
    }
    json_begin_object(w);
    json_kv_str(w, "name", name);
    json_kv_str(w, "email", email);
    json_end_object(w);
    return true;
}

/* Cuts at `separator`; empty parts (a trailing comma) are left out. */
static bool next_part(struct str *rest, char separator, struct str *ret_part)
{
    while (str_split(rest, separator, ret_part)) {
        *ret_part = str_trim(*ret_part);
        if (ret_part->len)
            return true;
    }
    return false;
}

static bool write_tags(struct json_writer *w, struct str value)
{
    struct str tag;
    json_begin_array(w);
    while (next_part(&value, ',', &tag))
        json_string(w, tag);
    json_end_array(w);
    return true;
}

/* What stands between `open` and `close` in *text, cut out of it; data NULL when there is none. */
static struct str cut_bracketed(struct str *text, char open, char close)
{
    const char *begin = memchr(text->data, open, text->len);
    if (!begin)
        return STR_NONE;
    size_t before = (size_t)(begin - text->data);
    const char *end = memchr(begin, close, text->len - before);
    if (!end)
        return STR_NONE;
    struct str inner = str_trim(str_make(begin + 1, (size_t)(end - begin - 1)));
    text->len = before;
    return inner;
}

/* ">= 1.2" */
static void write_version(struct json_writer *w, struct str relation)
{
    size_t op = 0;
    while (op < relation.len && strchr("<>=", relation.data[op]))
        op++;
    json_kv_str(w, "op", str_make(relation.data, op));
    json_kv_str(w, "version", str_trim(str_make(relation.data + op, relation.len - op)));
}

/* Members of "name[:qualifier] [(op version)] [[architectures]]" into a begun object. */
static bool write_relation(struct json_writer *w, struct str text)
{
    struct str architectures = cut_bracketed(&text, '[', ']');
    struct str version = cut_bracketed(&text, '(', ')');
    struct str qualifier = STR_NONE;
    text = str_trim(text);
    const char *colon = memchr(text.data, ':', text.len);
    if (colon) {
        qualifier = str_make(colon + 1, (size_t)(text.data + text.len - colon - 1));
        text.len = (size_t)(colon - text.data);
    }
    json_kv_str(w, "name", text);
    if (qualifier.data)
        json_kv_str(w, "qualifier", qualifier);
    if (version.data)
        write_version(w, version);
    if (architectures.data)
        json_kv_str(w, "architectures", architectures);
    return text.len > 0;
}

/* One comma-separated entry: the first choice, the others as its alternatives. */
static bool write_choices(struct json_writer *w, struct str entry)
{
    struct str choice;
    bool good = next_part(&entry, '|', &choice);
    json_begin_object(w);
    good = good && write_relation(w, choice);
    if (good && next_part(&entry, '|', &choice)) {
        json_keyz(w, "alternatives");
        json_begin_array(w);
        do {
            json_begin_object(w);
            good = write_relation(w, choice) && good;
            json_end_object(w);
        } while (next_part(&entry, '|', &choice));
        json_end_array(w);
    }
    json_end_object(w);
    return good;
}

static bool write_relations(struct json_writer *w, struct str value)
{
    bool good = true;
    struct str entry;
    json_begin_array(w);
    while (good && next_part(&value, ',', &entry))
        good = write_choices(w, entry);
    json_end_array(w);
    return good;
}

static const struct {
    const char *field;
    const char *key; /* NULL: the field's own name */
    field_writer write;
} WRITERS[] = {
    {"Installed-Size", NULL, write_number},
    {"Size", NULL, write_number},
    {"Maintainer", NULL, write_person},
    {"Original-Maintainer", NULL, write_person},
    {"Tag", "tags", write_tags},
    {"Depends", NULL, write_relations},
    {"Pre-Depends", NULL, write_relations},
    {"Recommends", NULL, write_relations},
    {"Suggests", NULL, write_relations},
    {"Enhances", NULL, write_relations},
    {"Breaks", NULL, write_relations},
    {"Conflicts", NULL, write_relations},
    {"Replaces", NULL, write_relations},
    {"Provides", NULL, write_relations},
};

static void write_key(struct json_writer *w, struct str name)
{
    enum { KEY_MAX = 255 };
    char key[KEY_MAX];
    size_t len = name.len < KEY_MAX ? name.len : KEY_MAX;
    for (size_t i = 0; i < len; i++) {
        char c = name.data[i];
        if (c >= 'A' && c <= 'Z')
            c = (char)(c + 32);
        key[i] = c == '-' ? '_' : c;
    }
    json_key(w, str_make(key, len));
}

static bool write_field(struct json_writer *w, const struct deb_field *field)
{
    for (size_t i = 0; i < sizeof WRITERS / sizeof WRITERS[0]; i++) {
        if (!str_eq_nocase(field->name, str_of(WRITERS[i].field)))
            continue;
        write_key(w, WRITERS[i].key ? str_of(WRITERS[i].key) : field->name);
        return WRITERS[i].write(w, field->value);
    }
    write_key(w, field->name);
    return write_text(w, field->value);
}

static bool has_field(const struct paragraph *p, const char *name)
{
    for (uint32_t i = 0; i < p->len; i++)
        if (str_eq_nocase(p->fields[i].name, str_of(name)))
            return true;
    return false;
}

static enum status write_record(const struct paragraph *p, struct buf *out, struct error *err)
{
    struct json_writer writer;
    json_writer_init(&writer, out);
    json_begin_object(&writer);
    for (uint32_t i = 0; i < p->len; i++) {
        const struct deb_field *field = &p->fields[i];
        if (write_field(&writer, field))
            continue;
        enum status status = error_set(
            err, STATUS_INVALID_ARGUMENT, "not a paragraph of a Packages index: bad value of %.*s",
            (int)(field->name.len < 80 ? field->name.len : 80), field->name.data);
        error_at_field(err, field->name.data, (uint32_t)field->name.len, field->value.data,
                       (uint32_t)field->value.len);
        return status;
    }
    json_end_object(&writer);
    buf_append_char(out, '\n');
    return buf_check(out, "the batch", err);
}

enum status deb_package_record(struct str paragraph, struct buf *out, struct error *err)
{
    struct paragraph p;
    TRY(cut_fields(paragraph, &p, err));
    if (!has_field(&p, "Package"))
        return bad_line(err, 1, "it has no field Package");
    size_t before = out->len;
    enum status status = write_record(&p, out, err);
    if (status != STATUS_OK)
        out->len = before;
    return status;
}

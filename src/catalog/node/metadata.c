#include "catalog/node/metadata.h"

#include <gnutls/crypto.h>
#include <stdlib.h>

#include "catalog/node/yaml_json.h"

struct form {
    const char *open;  /* a line of its own */
    const char *close; /* likewise */
    const char *prefix;
};

static const struct form forms[METADATA_FORMS] = {
    [METADATA_HASH] = {"# === OmniNode:Metadata ===", "# === /OmniNode:Metadata ===", "# "},
    [METADATA_HTML] = {"<!-- === OmniNode:Metadata ===", "<!-- === /OmniNode:Metadata === -->", ""},
    [METADATA_SLASHES] = {"// === OmniNode:Metadata ===", "// === /OmniNode:Metadata ===", "// "},
};

/* --- finding --- */

/* The next line with its end; *ret_text: without white space at its end. */
static bool next_line(struct str file, size_t *at, struct str *ret_text)
{
    if (*at >= file.len)
        return false;
    const char *begin = file.data + *at;
    const char *end = memchr(begin, '\n', file.len - *at);
    size_t len = end ? (size_t)(end - begin) + 1 : file.len - *at;
    *at += len;
    while (len && strchr(" \t\r\n", begin[len - 1]) && begin[len - 1])
        len--;
    *ret_text = str_make(begin, len);
    return true;
}

/* What may stand above a block. */
static bool may_precede(struct str line)
{
    return line.len == 0 || line.data[0] == '#' || str_is(line, "---") || str_is(line, "{") ||
           str_starts(line, STR("//"));
}

static bool find_open(struct str file, struct metadata_block *block, size_t *ret_at)
{
    struct str line;
    size_t at = str_starts(file, STR("\xEF\xBB\xBF")) ? 3 : 0;
    for (size_t begin = at; next_line(file, &at, &line); begin = at) {
        for (int form = 0; form < METADATA_FORMS; form++)
            if (str_is(line, forms[form].open)) {
                block->form = (enum metadata_form)form;
                block->before = str_make(file.data, begin);
                *ret_at = at;
                return true;
            }
        if (!may_precede(line))
            break;
    }
    return false;
}

static enum status bad_block(size_t line, const char *why, struct error *err)
{
    error_set(err, STATUS_INVALID_ARGUMENT, "MD002: metadata block, line %zu: %s", line, why);
    if (err)
        err->line = (int64_t)line;
    return STATUS_INVALID_ARGUMENT;
}

static size_t count_lines(struct str text)
{
    size_t lines = 0;
    for (size_t i = 0; i < text.len; i++)
        lines += text.data[i] == '\n';
    return lines;
}

/* The text of a block's line without its comment mark. */
static bool uncomment(struct str line, const struct form *form, struct str *ret)
{
    struct str prefix = str_of(form->prefix);
    if (str_starts(line, prefix)) {
        *ret = str_make(line.data + prefix.len, line.len - prefix.len);
        return true;
    }
    *ret = STR("");
    return line.len + 1 == prefix.len && str_starts(prefix, line); /* "#" alone */
}

static enum status find_close(struct str file, size_t at, struct metadata_block *block,
                              struct buf *yaml, struct error *err)
{
    const struct form *form = &forms[block->form];
    size_t begin = at, line_begin = at, number = count_lines(block->before) + 1;
    struct str line, text;
    for (; next_line(file, &at, &line); line_begin = at) {
        number++;
        if (str_is(line, form->close)) {
            block->lines = str_make(file.data + begin, line_begin - begin);
            block->body = str_make(file.data + at, file.len - at);
            return buf_check(yaml, "metadata block", err);
        }
        if (!uncomment(line, form, &text))
            return bad_block(number, "not a comment line", err);
        buf_append_str(yaml, text);
        buf_append_char(yaml, '\n');
    }
    return bad_block(number, "the closing line is missing", err);
}

/* The code before the message that is there. */
static enum status unreadable(struct error *err)
{
    struct error inner = err ? *err : ERROR_INIT;
    error_set(err, STATUS_INVALID_ARGUMENT, "MD002: metadata cannot be read: %s", inner.message);
    if (err) {
        err->line = inner.line;
        err->column = inner.column;
    }
    return STATUS_INVALID_ARGUMENT;
}

enum status metadata_parse(struct str yaml, struct arena *arena, struct str *ret_json,
                           struct error *err)
{
    struct buf json;
    yyjson_doc *doc = NULL;
    buf_init(&json, 4 * YAML_TEXT_MAX);
    enum status status = yaml_to_json(yaml, &json, err);
    if (status == STATUS_OK)
        status = json_parse(buf_str(&json), &doc, err); /* doubled keys */
    if (status == STATUS_INVALID_ARGUMENT || status == STATUS_INVALID_JSON)
        status = unreadable(err);
    if (status == STATUS_OK && !yyjson_is_obj(yyjson_doc_get_root(doc)))
        status = error_set(err, STATUS_INVALID_ARGUMENT, "MD002: metadata must be a mapping");
    if (status == STATUS_OK) {
        *ret_json = arena_str(arena, buf_str(&json));
        status = ret_json->data ? STATUS_OK : error_no_memory(err);
    }
    yyjson_doc_free(doc);
    buf_release(&json);
    return status;
}

enum status metadata_find(struct str file, struct arena *arena, struct metadata_block *ret,
                          struct error *err)
{
    struct buf yaml;
    size_t at = 0;
    *ret = (struct metadata_block){0};
    if (file.len > METADATA_FILE_MAX)
        return error_set(err, STATUS_TOO_LARGE, "the file is larger than %d bytes",
                         METADATA_FILE_MAX);
    if (!find_open(file, ret, &at))
        return error_set(err, STATUS_NOT_FOUND,
                         "MD001: there is no metadata block at the top of the file");
    buf_init(&yaml, YAML_TEXT_MAX);
    enum status status = find_close(file, at, ret, &yaml, err);
    if (status == STATUS_OK)
        status = metadata_parse(buf_str(&yaml), arena, &ret->json, err);
    buf_release(&yaml);
    return status;
}

/* --- hash --- */

/* LF ends lines, no white space before it, no blank lines at both ends. */
static void append_normalized(struct buf *out, struct str body)
{
    size_t at = 0, start = out->len, end = out->len;
    struct str line;
    while (next_line(body, &at, &line)) {
        if (line.len == 0 && out->len == start)
            continue;
        buf_append_str(out, line);
        buf_append_char(out, '\n');
        if (line.len)
            end = out->len;
    }
    if (!buf_failed(out))
        out->len = end;
}

/* The block's members but for the volatile ones, canonical. */
static enum status append_canonical(struct buf *out, struct str json, struct error *err)
{
    yyjson_doc *doc = NULL;
    TRY(json_parse(json, &doc, err));
    yyjson_mut_doc *copy = yyjson_doc_mut_copy(doc, NULL);
    yyjson_mut_val *root = yyjson_mut_doc_get_root(copy);
    yyjson_doc *fixed = NULL;
    if (copy) {
        yyjson_mut_obj_remove_key(root, "hash");
        yyjson_mut_obj_remove_key(root, "last_modified_at");
        fixed = yyjson_mut_doc_imut_copy(copy, NULL);
    }
    enum status status =
        fixed ? yaml_write(yyjson_doc_get_root(fixed), &(struct yaml_style){"", true}, out, err)
              : error_no_memory(err);
    yyjson_doc_free(fixed);
    yyjson_mut_doc_free(copy);
    yyjson_doc_free(doc);
    return status;
}

enum status metadata_hash(struct str json, struct str body, char out[METADATA_HASH_LEN + 1],
                          struct error *err)
{
    static const char hex[] = "0123456789abcdef";
    unsigned char digest[METADATA_HASH_LEN / 2];
    struct buf text;
    buf_init(&text, METADATA_FILE_MAX + 8 * YAML_TEXT_MAX);
    enum status status = append_canonical(&text, json, err);
    buf_append_char(&text, 0);
    append_normalized(&text, body);
    if (status == STATUS_OK)
        status = buf_check(&text, "metadata", err);
    if (status == STATUS_OK &&
        gnutls_hash_fast(GNUTLS_DIG_SHA256, text.data, text.len, digest) != 0)
        status = error_set(err, STATUS_INTERNAL, "SHA-256 is not to be had");
    for (size_t i = 0; i < sizeof digest && status == STATUS_OK; i++) {
        out[2 * i] = hex[digest[i] >> 4];
        out[2 * i + 1] = hex[digest[i] & 15];
    }
    out[METADATA_HASH_LEN] = 0;
    buf_release(&text);
    return status;
}

/* --- writing --- */

enum status metadata_write(struct str json, enum metadata_form form, struct str body,
                           struct buf *out, struct error *err)
{
    yyjson_doc *doc = NULL;
    size_t at = 0, begin = 0;
    struct str line;
    TRY(json_parse(json, &doc, err));
    buf_printf(out, "%s\n", forms[form].open);
    enum status status = yaml_write(yyjson_doc_get_root(doc),
                                    &(struct yaml_style){forms[form].prefix, false}, out, err);
    yyjson_doc_free(doc);
    TRY(status);
    buf_printf(out, "%s\n\n", forms[form].close);
    while (next_line(body, &at, &line) && line.len == 0)
        begin = at;
    buf_append_str(out, str_make(body.data + begin, body.len - begin));
    return buf_check(out, "metadata", err);
}

/* Whether the line is the top-level member `name`; *ret_value: where its value begins. */
static bool is_member(struct str line, const struct form *form, const char *name, size_t *ret_value)
{
    struct str text;
    size_t name_len = strlen(name);
    if (!uncomment(line, form, &text) || !str_starts(text, str_of(name)) || text.len <= name_len ||
        text.data[name_len] != ':')
        return false;
    *ret_value = (size_t)(text.data - line.data) + name_len + 1;
    return true;
}

/* The line with its value replaced, in the quotes that it had. */
static void write_line(struct buf *out, struct str whole, struct str line, size_t value,
                       struct str text)
{
    while (value < line.len && line.data[value] == ' ')
        value++;
    char quote = value < line.len ? line.data[value] : 0;
    bool quoted = quote == '\'' || quote == '"';
    buf_append_str(out, str_make(line.data, value));
    if (line.data[value - 1] == ':')
        buf_append_char(out, ' ');
    if (quoted)
        buf_append_char(out, quote);
    buf_append_str(out, text);
    if (quoted)
        buf_append_char(out, quote);
    buf_append_str(out, str_make(line.data + line.len, whole.len - line.len));
}

static void stamp_lines(const struct metadata_block *block, struct str hash, struct str now,
                        struct buf *out)
{
    const struct form *form = &forms[block->form];
    bool hash_done = false, now_done = now.len == 0;
    size_t at = 0, begin = 0, value;
    struct str line;
    for (; next_line(block->lines, &at, &line); begin = at) {
        struct str whole = str_make(block->lines.data + begin, at - begin);
        if (!hash_done && is_member(line, form, "hash", &value)) {
            write_line(out, whole, line, value, hash);
            hash_done = true;
        } else if (!now_done && is_member(line, form, "last_modified_at", &value)) {
            write_line(out, whole, line, value, now);
            now_done = true;
        } else {
            buf_append_str(out, whole);
        }
    }
    if (!now_done)
        buf_printf(out, "%slast_modified_at: %.*s\n", form->prefix, STR_ARG(now));
    if (!hash_done)
        buf_printf(out, "%shash: %.*s\n", form->prefix, STR_ARG(hash));
}

/* The member of the block as text; empty when it is none. */
static struct str text_member(struct str json, const char *name, struct arena *arena)
{
    yyjson_doc *doc = yyjson_read(json.data, json.len, 0);
    yyjson_val *value = json_get(yyjson_doc_get_root(doc), name);
    struct str text = yyjson_is_str(value) ? arena_str(arena, json_str_of(value)) : STR("");
    yyjson_doc_free(doc);
    return text;
}

/* Values that go on over several lines cannot be replaced where they stand. */
static enum status check_stamped(struct str file, const char *hash, struct arena *arena,
                                 struct error *err)
{
    struct metadata_block block;
    char again[METADATA_HASH_LEN + 1] = "";
    if (metadata_find(file, arena, &block, NULL) == STATUS_OK &&
        metadata_hash(block.json, block.body, again, NULL) == STATUS_OK &&
        strcmp(again, hash) == 0 && str_is(text_member(block.json, "hash", arena), hash))
        return STATUS_OK;
    return error_set(err, STATUS_INVALID_ARGUMENT,
                     "MD002: hash and last_modified_at must be texts on one line each");
}

static enum status stamp(struct str file, struct str now, struct arena *arena, struct buf *out,
                         struct error *err)
{
    struct metadata_block block;
    char hash[METADATA_HASH_LEN + 1] = "";
    TRY(metadata_find(file, arena, &block, err));
    TRY(metadata_hash(block.json, block.body, hash, err));
    if (str_is(text_member(block.json, "hash", arena), hash)) {
        buf_append_str(out, file);
        return buf_check(out, "file", err);
    }
    size_t lines = (size_t)(block.lines.data - file.data), before = out->len;
    buf_append_str(out, str_make(file.data, lines));
    stamp_lines(&block, str_of(hash), now, out);
    buf_append_str(
        out, str_make(block.lines.data + block.lines.len, file.len - lines - block.lines.len));
    TRY(buf_check(out, "file", err));
    return check_stamped(str_make(out->data + before, out->len - before), hash, arena, err);
}

enum status metadata_stamp(struct str file, struct str now, struct buf *out, struct error *err)
{
    struct arena arena;
    arena_init(&arena, 0);
    enum status status = stamp(file, now, &arena, out, err);
    arena_release(&arena);
    return status;
}

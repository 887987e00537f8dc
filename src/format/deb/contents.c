/* contents.c: see contents.h.
 *
 * What all pairs of a line share (path, directory, name, extension) is written once and copied for
 * the further ones. */
#include "format/deb/contents.h"

#include "base/json.h"

struct pair {
    struct str section;
    struct str package;
};

struct str deb_contents_architecture(struct str file_name)
{
    static const char mark[] = "Contents-";
    const size_t mark_len = sizeof mark - 1;
    for (size_t at = file_name.len; at-- > 0;) {
        if (file_name.data[at] == '/')
            break;
        if (file_name.len - at < mark_len || memcmp(file_name.data + at, mark, mark_len) != 0)
            continue;
        struct str rest = str_make(file_name.data + at + mark_len, file_name.len - at - mark_len);
        const char *dot = memchr(rest.data, '.', rest.len);
        if (dot)
            rest.len = (size_t)(dot - rest.data);
        return rest.len ? rest : STR_NONE;
    }
    return STR_NONE;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Cuts the line into the path and the list of packages. */
static bool cut_line(struct str line, struct str *ret_path, struct str *ret_list)
{
    size_t end = line.len;
    while (end && (is_blank(line.data[end - 1]) || line.data[end - 1] == '\r'))
        end--;
    size_t list = end;
    while (list && !is_blank(line.data[list - 1]))
        list--;
    size_t path = list;
    while (path && is_blank(line.data[path - 1]))
        path--;
    *ret_path = str_make(line.data, path);
    *ret_list = str_make(line.data + list, end - list);
    return path && list < end;
}

static bool cut_pair(struct str item, struct pair *ret)
{
    size_t at = item.len;
    while (at && item.data[at - 1] != '/')
        at--;
    ret->package = str_make(item.data + at, item.len - at);
    ret->section = at > 1 ? str_make(item.data, at - 1) : STR_NONE;
    return ret->package.len > 0;
}

static struct str extension_of(struct str name)
{
    for (size_t at = name.len; at-- > 1;)
        if (name.data[at] == '.')
            return at + 1 < name.len ? str_make(name.data + at + 1, name.len - at - 1) : STR_NONE;
    return STR_NONE;
}

/* `path` starts with "/". */
static void write_path(struct json_writer *w, struct str path)
{
    size_t slash = path.len - 1;
    while (path.data[slash] != '/')
        slash--;
    struct str name = str_make(path.data + slash + 1, path.len - slash - 1);
    json_kv_str(w, "path", path);
    json_kv_str(w, "directory", str_make(path.data, slash ? slash : 1));
    json_kv_str(w, "name", name);
    json_kv_str(w, "extension", extension_of(name));
}

static void write_pair(struct json_writer *w, const struct pair *pair, struct str architecture)
{
    json_kv_str(w, "section", pair->section);
    json_kv_str(w, "package", pair->package);
    json_kv_str(w, "architecture", architecture);
    json_end_object(w);
    buf_append_char(w->buf, '\n');
}

/* All pairs of one line; the first record's head serves the others. */
static bool write_records(struct str path, struct str list, struct str architecture,
                          struct buf *out, uint32_t *ret_records)
{
    struct json_writer writer;
    json_writer_init(&writer, out);
    size_t head = out->len;
    json_begin_object(&writer);
    write_path(&writer, path);
    size_t head_len = out->len - head;
    const struct json_writer after_head = writer;
    struct str item;
    struct pair pair;
    for (uint32_t records = 0; str_split(&list, ',', &item); records++) {
        if (!cut_pair(item, &pair))
            return false;
        if (records) {
            if (!buf_reserve(out, head_len))
                return true; /* the buffer says why */
            buf_append(out, out->data + head, head_len);
            writer = after_head;
        }
        write_pair(&writer, &pair, architecture);
        *ret_records = records + 1;
    }
    return true;
}

enum status deb_contents_line(struct str line, struct str architecture, struct buf *out,
                              uint32_t *ret_records, struct error *err)
{
    char text[DEB_CONTENTS_LINE_MAX];
    struct str path, list;
    size_t before = out->len;
    *ret_records = 0;
    if (line.len >= sizeof text)
        return error_set(err, STATUS_RESOURCE_LIMIT, "a line of the index is longer than %zu bytes",
                         sizeof text);
    bool good = cut_line(line, &path, &list);
    if (good) {
        text[0] = '/';
        size_t skip = path.data[0] == '/';
        memcpy(text + 1, path.data + skip, path.len - skip);
        good = write_records(str_make(text, path.len + 1 - skip), list, architecture, out,
                             ret_records);
    }
    if (!good) {
        out->len = before;
        *ret_records = 0;
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "not a line of a Contents index: expected \"path section/package\"");
    }
    return buf_check(out, "the batch", err);
}

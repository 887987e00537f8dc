/* A member "key":"value" is found by its bytes: inside of a JSON string a quote is always escaped,
 * so these bytes stand nowhere else. Only lines that match are parsed, to be sure that they are
 * JSON. */
#include "services/monitoring/log_read.h"

#include <stdlib.h>

#include "base/datetime.h"
#include "base/json.h"

enum { ORDER_SLACK_US = 10000000 }; /* lines of several processes may be out of order */

struct log_matcher {
    struct log_filter filter;
    struct str text, request_id, tenant; /* as JSON, without the outer quotes; or as members */
};

/* --- matching --- */

/* `key` NULL: the text escaped; else the whole member. */
static enum status escape(struct arena *arena, const char *key, struct str text, struct str *ret,
                          struct error *err)
{
    struct buf buf;
    struct json_writer w;
    buf_init(&buf, 64 * 1024);
    json_writer_init(&w, &buf);
    if (key)
        buf_printf(&buf, "\"%s\":", key);
    json_string(&w, text);
    enum status status = buf_check(&buf, "a text to search for", err);
    if (status == STATUS_OK) {
        struct str all = buf_str(&buf);
        *ret = arena_str(arena, key ? all : str_make(all.data + 1, all.len - 2));
        status = ret->data ? STATUS_OK : error_no_memory(err);
    }
    buf_release(&buf);
    return status;
}

enum status log_matcher_new(const struct log_filter *filter, struct arena *arena,
                            struct log_matcher **ret, struct error *err)
{
    struct log_matcher *m = ARENA_NEW(arena, struct log_matcher);
    if (!m)
        return error_no_memory(err);
    *m = (struct log_matcher){.filter = *filter};
    if (filter->text.data)
        TRY(escape(arena, NULL, filter->text, &m->text, err));
    if (filter->request_id.data)
        TRY(escape(arena, "request_id", filter->request_id, &m->request_id, err));
    if (filter->tenant.data)
        TRY(escape(arena, "tenant", filter->tenant, &m->tenant, err));
    *ret = m;
    return STATUS_OK;
}

static bool holds(struct str line, struct str part)
{
    return part.len == 0 || memmem(line.data, line.len, part.data, part.len);
}

/* The text of a member whose value needs no escaping. */
static struct str member(struct str line, struct str opening)
{
    const char *at = memmem(line.data, line.len, opening.data, opening.len);
    if (!at)
        return STR_NONE;
    at += opening.len;
    const char *end = memchr(at, '"', (size_t)(line.data + line.len - at));
    return end ? str_make(at, (size_t)(end - at)) : STR_NONE;
}

static bool is_object(struct str line)
{
    yyjson_doc *doc = NULL;
    bool good =
        json_parse(line, &doc, NULL) == STATUS_OK && yyjson_is_obj(yyjson_doc_get_root(doc));
    yyjson_doc_free(doc);
    return good;
}

static bool time_of(struct str line, int64_t *ret)
{
    struct str text = member(line, STR("\"time\":\""));
    return text.data && timestamp_parse(text, ret);
}

static bool matches(const struct log_matcher *m, struct str line, int64_t time_us)
{
    const struct log_filter *filter = &m->filter;
    enum log_level level = LOG_ERROR;
    if (time_us < filter->since_us || time_us > filter->until_us)
        return false;
    if (!log_level_parse(member(line, STR("\"level\":\"")), &level) || level < filter->level)
        return false;
    return holds(line, m->request_id) && holds(line, m->tenant) && holds(line, m->text) &&
           is_object(line);
}

/* --- the newest lines --- */

struct reader {
    const struct log_matcher *matcher;
    struct arena *arena;
    struct log_lines *lines; /* newest first until the end */
    uint32_t limit;
    uint64_t scanned, kept;
    bool done;
};

static enum status take_line(struct reader *r, struct str line, struct error *err)
{
    int64_t time_us = 0;
    if (!time_of(line, &time_us))
        return STATUS_OK;
    if (time_us < r->matcher->filter.since_us - ORDER_SLACK_US)
        r->done = true;
    if (!matches(r->matcher, line, time_us))
        return STATUS_OK;
    if (r->kept + line.len > LOG_LINES_BYTES_MAX) {
        r->lines->truncated = r->done = true;
        return STATUS_OK;
    }
    struct str copy = arena_str(r->arena, line);
    if (!copy.data)
        return error_no_memory(err);
    r->kept += line.len;
    r->lines->items[r->lines->len++] = (struct log_line){time_us, copy};
    r->done = r->done || r->lines->len == r->limit;
    return STATUS_OK;
}

/* From the last whole line to the first. */
static enum status read_text(struct reader *r, struct str text, struct error *err)
{
    const char *end = text.len ? memrchr(text.data, '\n', text.len) : NULL;
    while (end && !r->done) {
        const char *before =
            end > text.data ? memrchr(text.data, '\n', (size_t)(end - text.data)) : NULL;
        const char *start = before ? before + 1 : text.data;
        r->scanned += (uint64_t)(end - start) + 1;
        TRY(take_line(r, str_make(start, (size_t)(end - start)), err));
        end = before;
    }
    if (r->scanned > LOG_SCAN_MAX)
        r->lines->truncated = r->done = true;
    return STATUS_OK;
}

static enum status read_file(struct reader *r, struct sys *sys, const char *folder,
                             const struct log_file_name *name, uint64_t size_max, struct error *err)
{
    char path[SYS_PATH_MAX];
    struct sys_file *file = NULL;
    struct sys_map map;
    TRY(log_file_path(path, folder, name, err));
    if (sys_open(sys, path, SYS_READ, &file, NULL) != STATUS_OK)
        return STATUS_OK; /* its time has come meanwhile */
    enum status status = sys_map(sys, file, &map, err);
    if (status == STATUS_OK) {
        size_t len = map.len < size_max ? map.len : (size_t)size_max;
        status = read_text(r, str_make(map.data, len), err);
        sys_unmap(sys, &map);
    }
    sys_close(sys, file);
    return status;
}

static int compare_names(const struct log_file_name *a, const struct log_file_name *b)
{
    return a->day != b->day ? a->day - b->day : a->part - b->part;
}

static int by_time(const void *a, const void *b)
{
    const struct log_line *x = a, *y = b;
    return x->time_us < y->time_us ? -1 : x->time_us > y->time_us;
}

/* Oldest first; lines of one moment stay in the order in which they were written. */
static void put_in_order(struct log_lines *lines)
{
    bool sorted = true;
    for (size_t i = 0, k = lines->len; i + 1 < k; i++) {
        struct log_line line = lines->items[i];
        lines->items[i] = lines->items[--k];
        lines->items[k] = line;
    }
    for (size_t i = 1; i < lines->len; i++)
        sorted = sorted && lines->items[i - 1].time_us <= lines->items[i].time_us;
    if (!sorted)
        qsort(lines->items, lines->len, sizeof *lines->items, by_time);
}

enum status log_read(struct sys *sys, const char *folder, const char *service,
                     const struct log_matcher *matcher, const struct log_tail *end, uint32_t limit,
                     struct arena *arena, struct log_lines *ret, struct error *err)
{
    struct log_file_name *names = NULL;
    size_t len = 0;
    *ret = (struct log_lines){.items = arena_array(arena, limit, sizeof *ret->items)};
    if (!ret->items)
        return error_no_memory(err);
    struct reader r = {.matcher = matcher, .arena = arena, .lines = ret, .limit = limit};
    if (!end->is_set)
        return STATUS_OK;
    TRY(log_folder_list(sys, folder, str_of(service), &names, &len, err));
    enum status status = STATUS_OK;
    for (size_t i = len; i-- > 0 && !r.done && status == STATUS_OK;) {
        int order = compare_names(&names[i], &end->name);
        if (order <= 0)
            status =
                read_file(&r, sys, folder, &names[i], order == 0 ? end->offset : UINT64_MAX, err);
    }
    free(names);
    put_in_order(ret);
    return status;
}

enum status log_lines_merge(struct log_lines *into, const struct log_lines *more, uint32_t limit,
                            struct arena *arena, struct error *err)
{
    size_t all = into->len + more->len;
    struct log_line *items = arena_array(arena, all ? all : 1, sizeof *items);
    if (!items)
        return error_no_memory(err);
    size_t i = 0, k = 0, n = 0;
    while (i < into->len || k < more->len) {
        bool first =
            k == more->len || (i < into->len && into->items[i].time_us <= more->items[k].time_us);
        items[n++] = first ? into->items[i++] : more->items[k++];
    }
    size_t skipped = n > limit ? n - limit : 0;
    *into = (struct log_lines){items + skipped, n - skipped, into->truncated || more->truncated};
    return STATUS_OK;
}

/* --- what comes after --- */

enum status log_tail_find(struct sys *sys, const char *folder, const char *service,
                          struct log_tail *ret, struct error *err)
{
    struct log_file_name *names = NULL;
    char path[SYS_PATH_MAX];
    struct sys_stat stat = {0};
    size_t len = 0;
    *ret = (struct log_tail){0};
    enum status status = log_folder_list(sys, folder, str_of(service), &names, &len, err);
    if (status == STATUS_OK && len) {
        *ret = (struct log_tail){.name = names[len - 1], .is_set = true};
        status = log_file_path(path, folder, &ret->name, err);
        if (status == STATUS_OK && sys_stat(sys, path, &stat, NULL) == STATUS_OK)
            ret->offset = stat.size;
    }
    free(names);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* The file after the tail's; false when there is none. */
static bool next_file(struct sys *sys, const char *folder, const char *service,
                      const struct log_tail *tail, struct log_file_name *ret)
{
    struct log_file_name *names = NULL;
    size_t len = 0;
    bool found = false;
    if (log_folder_list(sys, folder, str_of(service), &names, &len, NULL) == STATUS_OK)
        for (size_t i = 0; i < len && !found; i++) {
            found = !tail->is_set || compare_names(&names[i], &tail->name) > 0;
            *ret = names[i];
        }
    free(names);
    return found;
}

/* Whole new lines of the tail's own file. */
static enum status read_new(struct sys *sys, const char *folder, struct log_tail *tail,
                            struct buf *text, struct error *err)
{
    char path[SYS_PATH_MAX];
    struct sys_file *file = NULL;
    size_t len = 0;
    TRY(log_file_path(path, folder, &tail->name, err));
    if (sys_open(sys, path, SYS_READ, &file, NULL) != STATUS_OK)
        return STATUS_OK;
    enum status status = sys_pread(sys, file, text->data, text->cap, tail->offset, &len, err);
    sys_close(sys, file);
    TRY(status);
    const char *end = len ? memrchr(text->data, '\n', len) : NULL;
    text->len = end ? (size_t)(end - text->data) + 1 : 0;
    tail->offset += text->len;
    return STATUS_OK;
}

static enum status hand_over(const struct log_matcher *matcher, struct str text,
                             enum status (*take)(void *context, struct str json, struct error *err),
                             void *context, struct error *err)
{
    struct str line;
    int64_t time_us = 0;
    while (text.len && str_split(&text, '\n', &line))
        if (time_of(line, &time_us) && matches(matcher, line, time_us))
            TRY(take(context, line, err));
    return STATUS_OK;
}

enum status log_tail_read(struct sys *sys, const char *folder, const char *service,
                          const struct log_matcher *matcher, struct log_tail *tail,
                          enum status (*take)(void *context, struct str json, struct error *err),
                          void *context, struct error *err)
{
    struct buf text;
    enum status status = STATUS_OK;
    struct log_file_name next;
    buf_init(&text, LOG_TAIL_BYTES_MAX);
    if (!buf_reserve(&text, LOG_TAIL_BYTES_MAX))
        return error_no_memory(err);
    for (;;) {
        bool has_next = next_file(sys, folder, service, tail, &next); /* before the last look */
        text.len = 0;
        if (tail->is_set)
            status = read_new(sys, folder, tail, &text, err);
        if (status == STATUS_OK)
            status = hand_over(matcher, buf_str(&text), take, context, err);
        if (status != STATUS_OK || text.len || !has_next)
            break;
        *tail = (struct log_tail){.name = next, .is_set = true};
    }
    buf_release(&text);
    return status;
}

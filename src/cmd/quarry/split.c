/* split.c: see split.h. Each kind looks only for the bytes that can end a record. */
#include "cmd/quarry/split.h"

void split_init(struct splitter *splitter, enum split_kind kind)
{
    *splitter = (struct splitter){.kind = kind, .line = 1};
}

static int64_t count_lines(const char *text, size_t len)
{
    int64_t lines = 0;
    const char *end = text + len;
    while ((text = memchr(text, '\n', (size_t)(end - text)))) {
        lines++;
        text++;
    }
    return lines;
}

static enum split_result found(struct splitter *s, struct str window, size_t begin, size_t end,
                               size_t used, struct str *ret_record, int64_t *ret_line,
                               size_t *ret_used)
{
    while (end > begin && (window.data[end - 1] == '\n' || window.data[end - 1] == '\r'))
        end--;
    *ret_record = str_make(window.data + begin, end - begin);
    *ret_line = s->line + count_lines(window.data, begin);
    *ret_used = used;
    s->line += count_lines(window.data, used);
    s->scanned = 0;
    return SPLIT_RECORD;
}

/* Length of the blank lines that the window begins with. */
static size_t blank_lines(struct str window, bool last)
{
    size_t blank = 0;
    for (size_t i = 0; i < window.len; i++) {
        char c = window.data[i];
        if (c == '\n')
            blank = i + 1;
        else if (c != ' ' && c != '\t' && c != '\r')
            return blank;
    }
    return last ? window.len : blank;
}

/* Index behind the line break that ends the record, 0 when it is not there. */
static size_t end_of_line(struct splitter *s, struct str window)
{
    const char *end = memchr(window.data + s->scanned, '\n', window.len - s->scanned);
    s->scanned = window.len;
    return end ? (size_t)(end - window.data) + 1 : 0;
}

static bool is_blank_line(struct str window, size_t at)
{
    return window.data[at] == '\n' ||
           (window.data[at] == '\r' && at + 1 < window.len && window.data[at + 1] == '\n');
}

static size_t end_of_paragraph(struct splitter *s, struct str window)
{
    size_t at = s->scanned;
    for (;;) {
        const char *end = memchr(window.data + at, '\n', window.len - at);
        if (!end)
            break;
        at = (size_t)(end - window.data) + 1;
        if (at + 1 >= window.len)
            break;
        if (is_blank_line(window, at))
            return at;
    }
    s->scanned = window.len > 2 ? window.len - 2 : 0; /* the break may be cut by the window's end */
    return 0;
}

static size_t end_of_row(struct splitter *s, struct str window)
{
    for (size_t i = s->scanned; i < window.len; i++) {
        if (window.data[i] == '"')
            s->quoted = !s->quoted;
        else if (window.data[i] == '\n' && !s->quoted)
            return i + 1;
    }
    s->scanned = window.len;
    return 0;
}

static enum split_result bad(struct splitter *s, struct str window, size_t at, const char *what,
                             struct error *err)
{
    (void)error_set(err, STATUS_INVALID_JSON, "%s", what);
    if (err)
        err->line = s->line + count_lines(window.data, at < window.len ? at : window.len);
    return SPLIT_BAD;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Inside of a value at window[i]; true when the value ends before *ret_end. */
static bool array_inside(struct splitter *s, char c, size_t i, size_t *ret_end)
{
    if (s->quoted) {
        if (s->escaped)
            s->escaped = false;
        else if (c == '\\')
            s->escaped = true;
        else if (c == '"')
            s->quoted = false;
        return false;
    }
    if (c == '"') {
        s->quoted = true;
    } else if (c == '{' || c == '[') {
        s->depth++;
    } else if (s->depth == 0 && (c == ',' || c == ']')) {
        *ret_end = i;
        return true;
    } else if ((c == '}' || c == ']') && s->depth) {
        s->depth--;
    }
    return false;
}

/* One byte between values; NULL, or what is wrong. */
static const char *array_between(struct splitter *s, char c, size_t i)
{
    switch (s->state) {
    case ARRAY_BEFORE:
        s->state = ARRAY_FIRST;
        return c == '[' ? NULL : "expected an array of objects: it must begin with \"[\"";
    case ARRAY_FIRST:
    case ARRAY_VALUE:
        if (c == ']' && s->state == ARRAY_FIRST) {
            s->state = ARRAY_DONE;
            return NULL;
        }
        if (c == ',' || c == ']')
            return "expected a value";
        s->state = ARRAY_INSIDE;
        s->begin = i;
        s->depth = c == '{' || c == '[';
        s->quoted = c == '"';
        s->escaped = false;
        return NULL;
    case ARRAY_BEHIND:
        s->state = c == ',' ? ARRAY_VALUE : ARRAY_DONE;
        return c == ',' || c == ']' ? NULL : "expected \",\" or \"]\" after a value";
    default:
        return "something follows the array";
    }
}

static enum split_result next_element(struct splitter *s, struct str window, bool last,
                                      struct str *ret_record, int64_t *ret_line, size_t *ret_used,
                                      struct error *err)
{
    for (size_t i = s->scanned; i < window.len; i++) {
        char c = window.data[i];
        size_t end;
        if (s->state == ARRAY_INSIDE) {
            if (!array_inside(s, c, i, &end))
                continue;
            s->state = ARRAY_BEHIND;
            while (is_space(window.data[end - 1]))
                end--;
            return found(s, window, s->begin, end, i, ret_record, ret_line, ret_used);
        }
        const char *wrong = is_space(c) ? NULL : array_between(s, c, i);
        if (wrong)
            return bad(s, window, i, wrong, err);
    }
    s->scanned = window.len;
    if (!last)
        return SPLIT_MORE;
    if (s->state != ARRAY_DONE)
        return bad(s, window, window.len, "the text ends before its array does", err);
    *ret_used = window.len;
    return SPLIT_END;
}

static enum split_result next_line(struct splitter *s, struct str window, bool last,
                                   struct str *ret_record, int64_t *ret_line, size_t *ret_used)
{
    /* CSV keeps blank lines inside of quotes: there only a record's start is looked at. */
    size_t begin = s->scanned ? 0 : blank_lines(window, last);
    if (begin) {
        if (begin == window.len && last) {
            *ret_used = begin;
            return SPLIT_END;
        }
        struct str rest = str_make(window.data + begin, window.len - begin);
        s->line += count_lines(window.data, begin);
        enum split_result result = next_line(s, rest, last, ret_record, ret_line, ret_used);
        if (result == SPLIT_RECORD) {
            *ret_used += begin;
        } else if (result == SPLIT_MORE) { /* the window stays where it was */
            s->line -= count_lines(window.data, begin);
            s->scanned = 0;
            s->quoted = false;
        }
        return result;
    }
    size_t used = s->kind == SPLIT_CSV          ? end_of_row(s, window)
                  : s->kind == SPLIT_PARAGRAPHS ? end_of_paragraph(s, window)
                                                : end_of_line(s, window);
    if (!used && !last)
        return SPLIT_MORE;
    if (!used)
        used = window.len;
    if (!used)
        return SPLIT_END;
    return found(s, window, 0, used, used, ret_record, ret_line, ret_used);
}

enum split_result split_next(struct splitter *splitter, struct str window, bool last,
                             struct str *ret_record, int64_t *ret_line, size_t *ret_used,
                             struct error *err)
{
    if (splitter->kind == SPLIT_ARRAY)
        return next_element(splitter, window, last, ret_record, ret_line, ret_used, err);
    return next_line(splitter, window, last, ret_record, ret_line, ret_used);
}

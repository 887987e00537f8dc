#include "net/http_head.h"

static const char *const method_names[] = {
    [HTTP_GET] = "GET",         [HTTP_HEAD] = "HEAD",          [HTTP_POST] = "POST",
    [HTTP_PUT] = "PUT",         [HTTP_PATCH] = "PATCH",        [HTTP_DELETE] = "DELETE",
    [HTTP_OPTIONS] = "OPTIONS", [HTTP_METHOD_OTHER] = "OTHER",
};

const char *http_method_name(enum http_method method)
{
    return method_names[method <= HTTP_METHOD_OTHER ? method : HTTP_METHOD_OTHER];
}

void http_head_set_method(struct http_head *head, struct str method)
{
    head->method_text = method;
    head->method = HTTP_METHOD_OTHER;
    for (int m = 0; m < HTTP_METHOD_OTHER; m++)
        if (str_is(method, method_names[m]))
            head->method = (enum http_method)m;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Unescapes into the arena; '+' becomes a space when `plus`. */
static enum status unescape(struct arena *arena, struct str s, bool plus, struct str *ret,
                            struct error *err)
{
    if (!memchr(s.data, '%', s.len) && !(plus && memchr(s.data, '+', s.len))) {
        *ret = s; /* lies in the arena already */
        return STATUS_OK;
    }
    char *out = arena_alloc(arena, s.len + 1);
    if (!out)
        return error_no_memory(err);
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.data[i];
        if (c == '%') {
            int high = i + 2 < s.len ? hex_digit(s.data[i + 1]) : -1;
            int low = i + 2 < s.len ? hex_digit(s.data[i + 2]) : -1;
            if (high < 0 || low < 0)
                return error_set(err, STATUS_INVALID_ARGUMENT, "the URL has a wrong %%-escape");
            c = (char)(high << 4 | low);
            if (!c)
                return error_set(err, STATUS_INVALID_ARGUMENT, "the URL has an escaped NUL");
            i += 2;
        } else if (c == '+' && plus) {
            c = ' ';
        }
        out[n++] = c;
    }
    out[n] = 0;
    *ret = str_make(out, n);
    return STATUS_OK;
}

static enum status check_target_bytes(struct str target, struct error *err)
{
    for (size_t i = 0; i < target.len; i++) {
        unsigned char c = (unsigned char)target.data[i];
        if (c <= ' ' || c >= 0x7f || c == '#' || c == '"' || c == '<' || c == '>' || c == '\\')
            return error_set(err, STATUS_INVALID_ARGUMENT,
                             "the URL has a byte (0x%02x) that must be %%-escaped", c);
    }
    return STATUS_OK;
}

/* "http://host/path" (a request through a proxy) becomes "/path". */
static struct str without_authority(struct str target)
{
    size_t scheme = str_starts(target, STR("http://"))    ? 7
                    : str_starts(target, STR("https://")) ? 8
                                                          : 0;
    if (!scheme)
        return target;
    for (size_t i = scheme; i < target.len; i++)
        if (target.data[i] == '/')
            return str_make(target.data + i, target.len - i);
    return STR("/");
}

static enum status set_parameters(struct http_head *head, struct arena *arena, struct error *err)
{
    uint32_t count = 1;
    for (size_t i = 0; i < head->query.len; i++)
        count += head->query.data[i] == '&';
    if (count > HTTP_PARAMETERS_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT, "the URL has more than %d parameters",
                         HTTP_PARAMETERS_MAX);
    head->parameters = arena_array(arena, count, sizeof *head->parameters);
    if (!head->parameters)
        return error_no_memory(err);
    struct str rest = head->query, part;
    while (str_split(&rest, '&', &part)) {
        struct str name;
        struct http_pair *pair = &head->parameters[head->parameter_count];
        if (part.len == 0)
            continue;
        struct str value = part;
        (void)str_split(&value, '=', &name);
        if (!value.data)
            value = STR("");
        TRY(unescape(arena, name, true, &pair->name, err));
        TRY(unescape(arena, value, true, &pair->value, err));
        head->parameter_count++;
    }
    return STATUS_OK;
}

enum status http_head_set_target(struct http_head *head, struct arena *arena, struct str target,
                                 struct error *err)
{
    if (target.len > HTTP_TARGET_MAX)
        return error_set(err, STATUS_URI_TOO_LONG, "the URL is longer than %d bytes",
                         HTTP_TARGET_MAX);
    TRY(check_target_bytes(target, err));
    target = arena_str(arena, without_authority(target));
    if (!target.data)
        return error_no_memory(err);
    const char *mark = memchr(target.data, '?', target.len);
    head->target = mark ? str_make(target.data, (size_t)(mark - target.data)) : target;
    if (!str_starts(head->target, STR("/")) && !str_is(head->target, "*"))
        return error_set(err, STATUS_INVALID_ARGUMENT, "the URL must start with '/'");
    TRY(unescape(arena, head->target, false, &head->path, err));
    if (!mark)
        return STATUS_OK;
    head->query = str_make(mark + 1, target.len - head->target.len - 1);
    return head->query.len ? set_parameters(head, arena, err) : STATUS_OK;
}

static bool is_token(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.data[i];
        if (c <= ' ' || c >= 0x7f || strchr("\"(),/:;<=>?@[\\]{}", c))
            return false;
    }
    return s.len > 0;
}

static bool is_field_value(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.data[i];
        if ((c < ' ' && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

/* The only header of that name in *ret (data NULL: none). */
static enum status only_header(const struct http_head *head, const char *name, struct str *ret,
                               struct error *err)
{
    *ret = STR_NONE;
    for (uint32_t i = 0; i < head->header_count; i++) {
        if (!str_eq_nocase(head->headers[i].name, str_of(name)))
            continue;
        if (ret->data)
            return error_set(err, STATUS_INVALID_ARGUMENT, "more than one %s header", name);
        *ret = head->headers[i].value;
    }
    return STATUS_OK;
}

static enum status set_length(struct http_head *head, struct str text, struct error *err)
{
    uint64_t n = 0;
    text = str_trim(text);
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        if (c < '0' || c > '9')
            return error_set(err, STATUS_INVALID_ARGUMENT, "Content-Length is not a number");
        if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, c - '0', &n))
            return error_set(err, STATUS_TOO_LARGE, "Content-Length is out of range");
    }
    if (text.len == 0)
        return error_set(err, STATUS_INVALID_ARGUMENT, "Content-Length is empty");
    head->content_length = n;
    head->has_body = n > 0;
    return STATUS_OK;
}

static enum status check_framing(struct http_head *head, struct error *err)
{
    struct str length, coding, host;
    TRY(only_header(head, "Content-Length", &length, err));
    TRY(only_header(head, "Transfer-Encoding", &coding, err));
    TRY(only_header(head, "Host", &host, err));
    if (length.data && coding.data)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "both Content-Length and Transfer-Encoding are given");
    if (coding.data && !str_eq_nocase(str_trim(coding), STR("chunked")))
        return error_set(err, STATUS_INVALID_ARGUMENT, "Transfer-Encoding must be \"chunked\"");
    head->chunked = head->has_body = coding.data != NULL;
    return length.data ? set_length(head, length, err) : STATUS_OK;
}

enum status http_head_check_headers(struct http_head *head, struct error *err)
{
    if (!is_token(head->method_text))
        return error_set(err, STATUS_INVALID_ARGUMENT, "the method is not a token");
    for (uint32_t i = 0; i < head->header_count; i++) {
        struct http_pair *h = &head->headers[i];
        if (!is_token(h->name))
            return error_set(err, STATUS_INVALID_ARGUMENT, "a header's name is not a token: %.*s",
                             (int)(h->name.len < 60 ? h->name.len : 60), h->name.data);
        h->value = str_trim(h->value);
        if (!is_field_value(h->value))
            return error_set(err, STATUS_INVALID_ARGUMENT, "header %.*s has a control character",
                             (int)(h->name.len < 60 ? h->name.len : 60), h->name.data);
    }
    return check_framing(head, err);
}

struct str http_head_header(const struct http_head *head, const char *name)
{
    struct str wanted = str_of(name);
    for (uint32_t i = 0; i < head->header_count; i++)
        if (str_eq_nocase(head->headers[i].name, wanted))
            return head->headers[i].value;
    return STR_NONE;
}

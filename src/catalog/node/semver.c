#include "catalog/node/semver.h"

#include <stdio.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_identifier_char(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-';
}

static struct str skip(struct str text, size_t bytes)
{
    return str_make(text.data + bytes, text.len - bytes);
}

bool semver_take_number(struct str *text, uint64_t *ret)
{
    size_t len = 0;
    uint64_t value = 0;
    while (len < text->len && is_digit(text->data[len])) {
        value = value * 10 + (uint64_t)(text->data[len++] - '0');
        if (value > SEMVER_NUMBER_MAX)
            return false;
    }
    if (len == 0 || (len > 1 && text->data[0] == '0'))
        return false;
    *text = skip(*text, len);
    *ret = value;
    return true;
}

static bool is_number(struct str identifier)
{
    for (size_t i = 0; i < identifier.len; i++)
        if (!is_digit(identifier.data[i]))
            return false;
    return identifier.len > 0;
}

size_t semver_identifiers(struct str text, bool numeric_zeros)
{
    size_t end = 0;
    for (;;) {
        size_t begin = end;
        while (end < text.len && is_identifier_char(text.data[end]))
            end++;
        struct str one = str_make(text.data + begin, end - begin);
        if (one.len == 0)
            return 0;
        if (!numeric_zeros && one.len > 1 && one.data[0] == '0' && is_number(one))
            return 0;
        if (end == text.len || text.data[end] != '.')
            return end;
        end++;
    }
}

static bool take_char(struct str *text, char c)
{
    if (text->len == 0 || text->data[0] != c)
        return false;
    *text = skip(*text, 1);
    return true;
}

static bool take_identifiers(struct str *text, char mark, bool numeric_zeros, struct str *ret)
{
    *ret = STR("");
    if (!take_char(text, mark))
        return true;
    size_t len = semver_identifiers(*text, numeric_zeros);
    *ret = str_make(text->data, len);
    *text = skip(*text, len);
    return len > 0;
}

enum status semver_parse(struct str text, struct semver *ret, struct error *err)
{
    struct str rest = text;
    if (text.len <= SEMVER_TEXT_MAX && semver_take_number(&rest, &ret->major) &&
        take_char(&rest, '.') && semver_take_number(&rest, &ret->minor) && take_char(&rest, '.') &&
        semver_take_number(&rest, &ret->patch) && take_identifiers(&rest, '-', false, &ret->pre) &&
        take_identifiers(&rest, '+', true, &ret->build) && rest.len == 0)
        return STATUS_OK;
    if (text.len > SEMVER_TEXT_MAX)
        text.len = SEMVER_TEXT_MAX;
    error_set(err, STATUS_INVALID_ARGUMENT,
              "\"%.*s\" is not a version: write MAJOR.MINOR.PATCH, optionally -PRERELEASE and "
              "+BUILD (semver 2.0)",
              STR_ARG(text));
    return STATUS_INVALID_ARGUMENT;
}

static int compare_numbers(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

/* Numbers by value, and below words; words by bytes. */
static int compare_identifier(struct str a, struct str b)
{
    bool number_a = is_number(a), number_b = is_number(b);
    if (number_a != number_b)
        return number_a ? -1 : 1;
    if (number_a && a.len != b.len)
        return a.len < b.len ? -1 : 1;
    int order = str_cmp(a, b);
    return order < 0 ? -1 : order > 0;
}

static int compare_pre(struct str a, struct str b)
{
    if (a.len == 0 || b.len == 0)
        return compare_numbers(a.len == 0, b.len == 0);
    for (;;) {
        struct str one = STR_NONE, two = STR_NONE;
        bool more_a = str_split(&a, '.', &one), more_b = str_split(&b, '.', &two);
        if (!more_a || !more_b)
            return more_a ? 1 : more_b ? -1 : 0;
        int order = compare_identifier(one, two);
        if (order)
            return order;
    }
}

int semver_compare(const struct semver *a, const struct semver *b)
{
    int order = compare_numbers(a->major, b->major);
    if (order == 0)
        order = compare_numbers(a->minor, b->minor);
    if (order == 0)
        order = compare_numbers(a->patch, b->patch);
    return order ? order : compare_pre(a->pre, b->pre);
}

int semver_compare_all(const struct semver *a, const struct semver *b)
{
    int order = semver_compare(a, b);
    if (order)
        return order;
    order = str_cmp(a->build, b->build);
    return order < 0 ? -1 : order > 0;
}

bool semver_is_compatible(const struct semver *base, const struct semver *newer)
{
    if (semver_compare(newer, base) < 0 || newer->major != base->major)
        return false;
    if (base->major == 0 && newer->minor != base->minor)
        return false;
    bool same_minor = newer->minor == base->minor;
    if (base->major == 0 && base->minor == 0 && newer->patch != base->patch)
        return false;
    return newer->pre.len == 0 || (base->pre.len > 0 && same_minor && newer->patch == base->patch);
}

size_t semver_format(const struct semver *version, char out[SEMVER_TEXT_MAX + 1])
{
    int len =
        snprintf(out, SEMVER_TEXT_MAX + 1, "%llu.%llu.%llu%s%.*s%s%.*s",
                 (unsigned long long)version->major, (unsigned long long)version->minor,
                 (unsigned long long)version->patch, version->pre.len ? "-" : "",
                 STR_ARG(version->pre), version->build.len ? "+" : "", STR_ARG(version->build));
    return len > SEMVER_TEXT_MAX ? SEMVER_TEXT_MAX : (size_t)len;
}

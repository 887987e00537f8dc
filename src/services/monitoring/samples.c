#include "services/monitoring/samples.h"

#include <math.h>

static bool parse_value(struct str text, double *ret)
{
    if (str_to_double(text, ret))
        return true;
    *ret = str_is(text, "+Inf")   ? (double)INFINITY
           : str_is(text, "-Inf") ? -(double)INFINITY
                                  : (double)NAN;
    return !isnan(*ret) || str_is(text, "NaN");
}

/* Where the braces close: not inside of a quoted value. */
static const char *labels_end(struct str text)
{
    bool quoted = false;
    for (size_t i = 0; i < text.len; i++) {
        if (quoted && text.data[i] == '\\')
            i++;
        else if (text.data[i] == '"')
            quoted = !quoted;
        else if (!quoted && text.data[i] == '}')
            return text.data + i;
    }
    return NULL;
}

static bool parse_line(struct str line, struct sample *ret)
{
    size_t n = 0;
    while (n < line.len && line.data[n] != '{' && line.data[n] != ' ')
        n++;
    if (n == 0 || n == line.len || line.data[0] == '#')
        return false;
    ret->name = str_make(line.data, n);
    ret->labels = STR("");
    struct str rest = str_make(line.data + n, line.len - n);
    if (rest.data[0] == '{') {
        const char *end = labels_end(rest);
        if (!end)
            return false;
        ret->labels = str_make(rest.data + 1, (size_t)(end - rest.data) - 1);
        rest = str_make(end + 1, (size_t)(line.data + line.len - end) - 1);
    }
    return parse_value(str_trim(rest), &ret->value);
}

bool sample_next(struct str *text, struct sample *ret)
{
    struct str line;
    while (text->data && str_split(text, '\n', &line))
        if (parse_line(line, ret))
            return true;
    return false;
}

/* name="value",name="value" */
struct str sample_label(const struct sample *sample, struct str name)
{
    struct str rest = sample->labels;
    while (rest.len) {
        const char *equals = memchr(rest.data, '=', rest.len);
        if (!equals || equals + 1 == rest.data + rest.len || equals[1] != '"')
            break;
        struct str key = str_make(rest.data, (size_t)(equals - rest.data));
        const char *start = equals + 2, *end = start, *stop = rest.data + rest.len;
        while (end < stop && *end != '"')
            end += *end == '\\' ? 2 : 1;
        if (end >= stop)
            break;
        if (str_eq(key, name))
            return str_make(start, (size_t)(end - start));
        end += end + 1 < stop ? 2 : 1; /* the quote, and the comma */
        rest = str_make(end, (size_t)(stop - end));
    }
    return STR_NONE;
}

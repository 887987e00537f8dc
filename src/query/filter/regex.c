/* regex.c: see regex_int.h. The check walks the pattern once with a stack of group sizes; the size
 * of a repeated atom is multiplied by the largest count. */
#include "query/filter/regex_int.h"

#include <stdio.h>
#include <stdlib.h>

struct walk {
    uint64_t size[REGEX_DEPTH_MAX + 1]; /* of what stands in each open group so far */
    uint64_t atom;                      /* size of the last atom, already part of size[depth] */
    int depth;
};

static bool add_atom(struct walk *walk, uint64_t size)
{
    walk->atom = size;
    walk->size[walk->depth] += size;
    return walk->size[walk->depth] <= REGEX_STATES_MAX;
}

static bool repeat_atom(struct walk *walk, uint64_t times)
{
    walk->size[walk->depth] -= walk->atom;
    return add_atom(walk, walk->atom * (times ? times : 1));
}

/* Position behind a bracket expression that starts at `i`. */
static size_t skip_bracket(struct str p, size_t i)
{
    i++;
    if (i < p.len && p.data[i] == '^')
        i++;
    if (i < p.len && p.data[i] == ']')
        i++;
    while (i < p.len && p.data[i] != ']') {
        char kind = i + 1 < p.len && p.data[i] == '[' ? p.data[i + 1] : 0;
        if (kind == ':' || kind == '.' || kind == '=') {
            i += 2;
            while (i + 1 < p.len && !(p.data[i] == kind && p.data[i + 1] == ']'))
                i++;
            i++;
        }
        i++;
    }
    return i < p.len ? i + 1 : p.len;
}

/* {n}, {n,}, {n,m} at `i`: the largest count, and the position behind. Anything else: false. */
static bool read_interval(struct str p, size_t i, uint64_t *ret_times, size_t *ret_end)
{
    uint64_t number[2] = {0, 0};
    int which = 0;
    bool any = false;
    for (i++; i < p.len; i++) {
        char c = p.data[i];
        if (c >= '0' && c <= '9') {
            any = true;
            if (number[which] < 1000000)
                number[which] = number[which] * 10 + (uint64_t)(c - '0');
        } else if (c == ',' && which == 0) {
            which = 1;
        } else if (c == '}' && any) {
            *ret_times = number[1] > number[0] ? number[1] : number[0] + (uint64_t)which;
            *ret_end = i + 1;
            return true;
        } else {
            return false;
        }
    }
    return false;
}

static const char *const too_large = "the regex expands to too many states (nested repetitions)";

static const char *walk_pattern(struct str p)
{
    struct walk walk = {.depth = 0};
    size_t i = 0;
    while (i < p.len) {
        char c = p.data[i];
        uint64_t times;
        size_t end;
        bool fits = true;
        if (c == 0)
            return "a regex cannot hold NUL";
        if (c == '\\') {
            if (i + 1 < p.len && p.data[i + 1] >= '1' && p.data[i + 1] <= '9')
                return "back-references are not allowed in a regex";
            fits = add_atom(&walk, 1);
            i += 2;
        } else if (c == '[') {
            fits = add_atom(&walk, 1);
            i = skip_bracket(p, i);
        } else if (c == '(') {
            if (walk.depth == REGEX_DEPTH_MAX)
                return "the regex nests groups too deeply";
            walk.size[++walk.depth] = 1;
            walk.atom = 0;
            i++;
        } else if (c == ')' && walk.depth > 0) {
            uint64_t size = walk.size[walk.depth--];
            fits = add_atom(&walk, size);
            i++;
        } else if (c == '{' && read_interval(p, i, &times, &end)) {
            fits = repeat_atom(&walk, times);
            i = end;
        } else {
            fits = c == '*' || c == '+' || c == '?' || c == '|' || add_atom(&walk, 1);
            i++;
        }
        if (!fits)
            return too_large;
    }
    return NULL;
}

/* regcomp under the UTF-8 locale. */
static int compile(struct regex *regex, struct str pattern)
{
    char *text = str_dup(pattern);
    if (!text)
        return REG_ESPACE;
    regex->locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    locale_t before = regex_enter(regex);
    int code = regcomp(&regex->compiled, text, REG_EXTENDED | REG_NOSUB);
    regex_leave(regex, before);
    free(text);
    buf_init(&regex->text, (size_t)1 << 31);
    if (code && regex->locale)
        freelocale(regex->locale);
    return code;
}

const char *regex_check(struct str pattern, char out[REGEX_PROBLEM_MAX])
{
    const char *problem = walk_pattern(pattern);
    if (problem)
        return problem;
    struct regex regex;
    int code = compile(&regex, pattern);
    if (code) {
        char text[100];
        regerror(code, NULL, text, sizeof text);
        snprintf(out, REGEX_PROBLEM_MAX, "bad regex: %s", text);
        return out;
    }
    regex_release(&regex);
    return NULL;
}

bool regex_init(struct regex *regex, struct str pattern)
{
    return compile(regex, pattern) == 0;
}

void regex_release(struct regex *regex)
{
    regfree(&regex->compiled);
    buf_release(&regex->text);
    if (regex->locale)
        freelocale(regex->locale);
}

locale_t regex_enter(const struct regex *regex)
{
    return regex->locale ? uselocale(regex->locale) : (locale_t)0;
}

void regex_leave(const struct regex *regex, locale_t before)
{
    if (regex->locale)
        uselocale(before);
}

/* regexec is given the length, but it is declared for NUL-ended strings and checkers hold it to
 * that. */
bool regex_match(struct regex *regex, struct str text)
{
    if (regex_failed(regex))
        return false;
    regex->text.len = 0;
    buf_append_str(&regex->text, text);
    if (!buf_append_char(&regex->text, 0))
        return false;
    regmatch_t whole = {.rm_so = 0, .rm_eo = (regoff_t)text.len};
    return regexec(&regex->compiled, regex->text.data, 1, &whole, REG_STARTEND) == 0;
}

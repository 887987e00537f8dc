/* semver_range.c: from text to sets of comparators.
 *
 * Steps: build metadata goes, commas and runs of white space become one space; "||" separates
 * sets; in a set a hyphen range or comparators stand; each comparator with missing numbers, "~" or
 * "^" becomes a lower and an upper bound. An upper bound below a release is written "<1.2.0-0", so
 * that the prereleases of 1.2.0 are out too.
 *
 * As in npm: a set that nothing can fit ("<0") is dropped; when one set takes everything, it alone
 * remains (which matters for prereleases that another set names). */
#include "catalog/node/semver_range.h"

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static enum status refuse(struct str part, const char *why, struct error *err)
{
    if (part.len > 80)
        part.len = 80;
    return error_set(err, STATUS_INVALID_ARGUMENT, "\"%.*s\" is not a range of versions: %s",
                     STR_ARG(part), why);
}

/* A copy without build metadata, with single spaces between the parts. */
static enum status normalize(struct str text, struct arena *arena, struct str *ret,
                             struct error *err)
{
    if (text.len > SEMVER_RANGE_TEXT_MAX)
        return refuse(text, "it is too long", err);
    char *out = arena_alloc(arena, text.len + 1);
    if (!out)
        return error_no_memory(err);
    size_t len = 0;
    for (size_t i = 0; i < text.len;) {
        char c = text.data[i];
        size_t build =
            c != '+' ? 0 : semver_identifiers(str_make(text.data + i + 1, text.len - i - 1), true);
        if (build) {
            i += build + 1;
            continue;
        }
        i++;
        if (is_space(c) || c == ',')
            c = ' ';
        if (c != ' ' || (len > 0 && out[len - 1] != ' '))
            out[len++] = c;
    }
    *ret = str_trim(str_make(out, len));
    return STATUS_OK;
}

/* MAJOR.MINOR.PATCH with numbers missing. */
struct partial {
    struct str text;
    struct str prefix; /* of 'v' and '=', which people write before versions */
    uint64_t n[3];
    bool known[3];
    struct str pre;
    bool whole; /* all three are numbers */
};

static bool take_part(struct str *rest, struct partial *p, int i)
{
    if (rest->len && strchr("xX*", rest->data[0])) {
        *rest = str_make(rest->data + 1, rest->len - 1);
        return true;
    }
    p->known[i] = semver_take_number(rest, &p->n[i]);
    return p->known[i];
}

static bool parse_partial(struct str text, struct partial *p)
{
    *p = (struct partial){.text = text, .pre = STR("")};
    size_t prefix = 0;
    while (prefix < text.len && (text.data[prefix] == 'v' || text.data[prefix] == '='))
        prefix++;
    p->prefix = str_make(text.data, prefix);
    struct str rest = str_make(text.data + prefix, text.len - prefix);
    int parts = 0;
    do {
        if (!take_part(&rest, p, parts))
            return false;
        parts++;
        if (parts == 3 || rest.len == 0 || rest.data[0] != '.')
            break;
        rest = str_make(rest.data + 1, rest.len - 1);
    } while (true);
    if (parts == 3 && rest.len && rest.data[0] == '-') {
        rest = str_make(rest.data + 1, rest.len - 1);
        size_t len = semver_identifiers(rest, false);
        p->pre = str_make(rest.data, len);
        rest = str_make(rest.data + len, rest.len - len);
        if (len == 0)
            return false;
    }
    p->whole = p->known[0] && p->known[1] && p->known[2];
    return rest.len == 0;
}

/* Where comparators of the set in work go. */
struct builder {
    struct semver_set *set;
    bool prereleases;
    bool nothing;  /* a comparator that nothing fits */
    bool overflow; /* a bound beyond SEMVER_NUMBER_MAX */
};

static void add(struct builder *b, enum semver_op op, uint64_t major, uint64_t minor,
                uint64_t patch, struct str pre)
{
    if (major > SEMVER_NUMBER_MAX || minor > SEMVER_NUMBER_MAX || patch > SEMVER_NUMBER_MAX)
        b->overflow = true;
    bool zero = major == 0 && minor == 0 && patch == 0;
    if (op == SEMVER_GE && zero && str_is(pre, b->prereleases ? "0" : ""))
        op = SEMVER_ANY;
    if (op == SEMVER_LT && zero && str_is(pre, "0"))
        b->nothing = true;
    b->set->comparators[b->set->len++] =
        (struct semver_comparator){op, {major, minor, patch, pre, STR("")}};
}

static void add_any(struct builder *b)
{
    add(b, SEMVER_ANY, 0, 0, 0, STR(""));
}

/* A lower bound where numbers were left out. */
static void add_from(struct builder *b, uint64_t major, uint64_t minor)
{
    add(b, SEMVER_GE, major, minor, 0, b->prereleases ? STR("0") : STR(""));
}

static void add_below(struct builder *b, uint64_t major, uint64_t minor, uint64_t patch)
{
    add(b, SEMVER_LT, major, minor, patch, STR("0"));
}

static void tilde(struct builder *b, const struct partial *p)
{
    if (!p->known[0]) {
        add_any(b);
        return;
    }
    if (!p->known[1]) {
        add_from(b, p->n[0], 0);
        add_below(b, p->n[0] + 1, 0, 0);
        return;
    }
    if (p->known[2])
        add(b, SEMVER_GE, p->n[0], p->n[1], p->n[2], p->pre);
    else
        add_from(b, p->n[0], p->n[1]);
    add_below(b, p->n[0], p->n[1] + 1, 0);
}

static void caret(struct builder *b, const struct partial *p)
{
    if (!p->known[0] || !p->known[1]) {
        tilde(b, p);
        return;
    }
    if (p->known[2])
        add(b, SEMVER_GE, p->n[0], p->n[1], p->n[2], p->pre);
    else
        add_from(b, p->n[0], p->n[1]);
    if (p->n[0] > 0)
        add_below(b, p->n[0] + 1, 0, 0);
    else if (p->n[1] > 0 || !p->known[2])
        add_below(b, 0, p->n[1] + 1, 0);
    else
        add_below(b, 0, 0, p->n[2] + 1);
}

/* "<1.2", ">=1.x" and the like; `op` is SEMVER_EQ when none or "=" was written. */
static bool bound(struct builder *b, enum semver_op op, const struct partial *p)
{
    if (p->whole) {
        if (p->prefix.len > 1 || str_is(p->prefix, "="))
            return false;
        add(b, op, p->n[0], p->n[1], p->n[2], p->pre);
        return true;
    }
    bool minor = p->known[0] && p->known[1];
    if ((!p->known[0] && p->known[1]) || (!p->known[1] && p->known[2]))
        return false;
    if (!p->known[0]) {
        if (op == SEMVER_LT || op == SEMVER_GT)
            add_below(b, 0, 0, 0);
        else
            add_any(b);
    } else if (op == SEMVER_EQ) {
        tilde(b, p);
    } else if (op == SEMVER_GE) {
        add_from(b, p->n[0], p->n[1]);
    } else if (op == SEMVER_LT) {
        add_below(b, p->n[0], p->n[1], 0);
    } else {
        uint64_t up = minor ? p->n[0] : p->n[0] + 1, next = minor ? p->n[1] + 1 : 0;
        if (op == SEMVER_GT)
            add_from(b, up, next);
        else
            add_below(b, up, next, 0);
    }
    return true;
}

static bool take_prefix(struct str *text, const char *prefix)
{
    struct str wanted = str_of(prefix);
    if (!str_starts(*text, wanted))
        return false;
    *text = str_make(text->data + wanted.len, text->len - wanted.len);
    return true;
}

enum form { FORM_BOUND, FORM_TILDE, FORM_CARET };

/* Cuts the operator off the front of *token. */
static enum form take_operator(struct str *token, enum semver_op *ret_op)
{
    *ret_op = SEMVER_EQ;
    if (take_prefix(token, "^"))
        return FORM_CARET;
    if (take_prefix(token, "~")) {
        (void)take_prefix(token, ">");
        return FORM_TILDE;
    }
    if (take_prefix(token, "<="))
        *ret_op = SEMVER_LE;
    else if (take_prefix(token, ">="))
        *ret_op = SEMVER_GE;
    else if (take_prefix(token, "<"))
        *ret_op = SEMVER_LT;
    else if (take_prefix(token, ">"))
        *ret_op = SEMVER_GT;
    else
        (void)take_prefix(token, "=");
    return FORM_BOUND;
}

static enum status parse_comparator(struct builder *b, struct str *rest, struct error *err)
{
    struct str token, whole;
    (void)str_split(rest, ' ', &token);
    whole = token;
    if (str_is(token, "latest")) {
        add(b, SEMVER_LATEST, 0, 0, 0, STR(""));
        return STATUS_OK;
    }
    enum semver_op op;
    enum form form = take_operator(&token, &op);
    if (token.len == 0 && !str_split(rest, ' ', &token)) /* "> 1.2": the operator stood alone */
        return refuse(whole, "a version is missing behind the operator", err);
    struct partial p;
    if (!parse_partial(token, &p))
        return refuse(whole, "expected a version such as 1.2.3, 1.2 or 1.x", err);
    if (form == FORM_CARET)
        caret(b, &p);
    else if (form == FORM_TILDE)
        tilde(b, &p);
    else if (!bound(b, op, &p))
        return refuse(whole, "a number stands behind one that is left open", err);
    return STATUS_OK;
}

/* "1.2 - 3": both ends belong to it, an open end takes all that it may stand for. */
static bool parse_hyphen(struct builder *b, struct str part)
{
    const char *dash = memmem(part.data, part.len, " - ", 3);
    struct partial from, to;
    if (!dash)
        return false;
    size_t left = (size_t)(dash - part.data);
    if (!parse_partial(str_make(part.data, left), &from) ||
        !parse_partial(str_make(dash + 3, part.len - left - 3), &to))
        return false;
    if (from.prefix.len && from.whole && !str_is(from.prefix, "v"))
        return false;
    if (to.prefix.len && to.whole && to.pre.len == 0 && !str_is(to.prefix, "v"))
        return false;
    if (!from.known[0])
        add_any(b);
    else if (!from.known[1] || !from.known[2])
        add_from(b, from.n[0], from.known[1] ? from.n[1] : 0);
    else
        add(b, SEMVER_GE, from.n[0], from.n[1], from.n[2],
            from.pre.len || !b->prereleases ? from.pre : STR("0"));
    if (!to.known[0])
        add_any(b);
    else if (!to.known[1])
        add_below(b, to.n[0] + 1, 0, 0);
    else if (!to.known[2])
        add_below(b, to.n[0], to.n[1] + 1, 0);
    else if (to.pre.len == 0 && b->prereleases)
        add_below(b, to.n[0], to.n[1], to.n[2] + 1);
    else
        add(b, SEMVER_LE, to.n[0], to.n[1], to.n[2], to.pre);
    return true;
}

static enum status parse_set(struct builder *b, struct str part, struct arena *arena,
                             struct error *err)
{
    size_t tokens = 1;
    for (size_t i = 0; i < part.len; i++)
        tokens += part.data[i] == ' ';
    b->set->len = 0;
    b->nothing = false;
    b->set->comparators = arena_array(arena, 2 * tokens, sizeof *b->set->comparators);
    if (!b->set->comparators)
        return error_no_memory(err);
    if (part.len == 0) {
        add_any(b);
        return STATUS_OK;
    }
    if (!parse_hyphen(b, part)) {
        struct str rest = part;
        while (rest.data)
            TRY(parse_comparator(b, &rest, err));
    }
    if (b->overflow)
        return refuse(part, "a number is too large", err);
    return STATUS_OK;
}

static bool takes_all(const struct semver_set *set)
{
    for (uint32_t i = 0; i < set->len; i++)
        if (set->comparators[i].op != SEMVER_ANY)
            return false;
    return true;
}

/* The next part up to "||"; false when the text is used up (data NULL). */
static bool next_part(struct str *rest, struct str *ret)
{
    if (!rest->data)
        return false;
    const char *bars = memmem(rest->data, rest->len, "||", 2);
    if (!bars) {
        *ret = *rest;
        *rest = STR_NONE;
    } else {
        *ret = str_make(rest->data, (size_t)(bars - rest->data));
        *rest = str_make(bars + 2, rest->len - ret->len - 2);
    }
    *ret = str_trim(*ret);
    return true;
}

enum status semver_range_parse(struct str text, bool prereleases, struct arena *arena,
                               struct semver_range *ret, struct error *err)
{
    struct str clean = STR(""), rest, part;
    TRY(normalize(text, arena, &clean, err));
    size_t bars = 1;
    for (size_t i = 0; i + 1 < clean.len; i++)
        bars += clean.data[i] == '|';
    *ret = (struct semver_range){.prereleases = prereleases};
    ret->sets = arena_array(arena, bars, sizeof *ret->sets);
    if (!ret->sets)
        return error_no_memory(err);
    bool all = false;
    for (rest = clean; next_part(&rest, &part);) {
        struct semver_set set = {0};
        struct builder b = {.set = &set, .prereleases = prereleases};
        TRY(parse_set(&b, part, arena, err));
        if (b.nothing || all)
            continue;
        all = takes_all(&set);
        if (all)
            ret->len = 0;
        ret->sets[ret->len++] = set;
    }
    return STATUS_OK;
}

static bool comparator_holds(const struct semver_comparator *c, const struct semver *version,
                             bool is_latest)
{
    if (c->op == SEMVER_ANY)
        return true;
    if (c->op == SEMVER_LATEST)
        return is_latest;
    int order = semver_compare(version, &c->version);
    return (order < 0 && (c->op == SEMVER_LT || c->op == SEMVER_LE)) ||
           (order > 0 && (c->op == SEMVER_GT || c->op == SEMVER_GE)) ||
           (order == 0 && (c->op == SEMVER_LE || c->op == SEMVER_GE || c->op == SEMVER_EQ));
}

/* Whether a comparator asks for the prereleases of this version's three numbers. */
static bool names_prerelease(const struct semver_comparator *c, const struct semver *version)
{
    if (c->op == SEMVER_LATEST)
        return true;
    return c->op != SEMVER_ANY && c->version.pre.len && c->version.major == version->major &&
           c->version.minor == version->minor && c->version.patch == version->patch;
}

static bool set_has(const struct semver_set *set, bool prereleases, const struct semver *version,
                    bool is_latest)
{
    bool named = prereleases || version->pre.len == 0;
    for (uint32_t i = 0; i < set->len; i++) {
        if (!comparator_holds(&set->comparators[i], version, is_latest))
            return false;
        named = named || names_prerelease(&set->comparators[i], version);
    }
    return named;
}

bool semver_range_has(const struct semver_range *range, const struct semver *version,
                      bool is_latest)
{
    for (uint32_t i = 0; i < range->len; i++)
        if (set_has(&range->sets[i], range->prereleases, version, is_latest))
            return true;
    return false;
}

int64_t semver_latest(const struct semver *versions, uint32_t len)
{
    int64_t best = -1;
    for (uint32_t i = 0; i < len; i++) {
        const struct semver *now = best < 0 ? NULL : &versions[best];
        bool release = versions[i].pre.len == 0;
        if (!now || (release && now->pre.len) ||
            (release == (now->pre.len == 0) && semver_compare_all(&versions[i], now) > 0))
            best = i;
    }
    return best;
}

int64_t semver_range_newest(const struct semver_range *range, const struct semver *versions,
                            uint32_t len)
{
    int64_t best = -1, latest = semver_latest(versions, len);
    for (uint32_t i = 0; i < len; i++)
        if (semver_range_has(range, &versions[i], i == latest) &&
            (best < 0 || semver_compare_all(&versions[i], &versions[best]) > 0))
            best = i;
    return best;
}

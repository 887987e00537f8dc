/* text_universe.h: a universe of releases written as text, for tests of the resolver.
 *   "a 1.0.0: b ^1.0.0; ?c ~2\n"   release, its needs; "?" before an optional one
 *   "a 1.1.0 yanked:\n"            deprecated, yanked, archived or draft */
#ifndef QUARRY_TESTS_TEXT_UNIVERSE_H
#define QUARRY_TESTS_TEXT_UNIVERSE_H

#include "catalog/node/resolve.h"

struct text_release {
    struct str name;
    struct resolve_release release;
};

struct text_universe {
    struct arena arena;
    struct text_release *releases;
    uint32_t len;
};

enum { TEXT_RELEASES_MAX = 4096, TEXT_NEEDS_MAX = 64 };

static struct resolve_need *text_needs(struct arena *arena, struct str text, uint32_t *ret_len)
{
    struct resolve_need *needs = arena_array(arena, TEXT_NEEDS_MAX, sizeof *needs);
    struct str one;
    for (*ret_len = 0; str_split(&text, ';', &one);) {
        one = str_trim(one);
        if (one.len == 0)
            continue;
        struct resolve_need *need = &needs[(*ret_len)++];
        need->optional = one.data[0] == '?';
        if (need->optional)
            one = str_make(one.data + 1, one.len - 1);
        (void)str_split(&one, ' ', &need->name);
        need->range = one.data ? str_trim(one) : STR("*");
    }
    return needs;
}

static enum release_state text_state(struct str word)
{
    return str_is(word, "deprecated") ? RELEASE_DEPRECATED
           : str_is(word, "yanked")   ? RELEASE_YANKED
           : str_is(word, "archived") ? RELEASE_ARCHIVED
           : str_is(word, "draft")    ? RELEASE_DRAFT
                                      : RELEASE_ACTIVE;
}

static void text_universe_init(struct text_universe *u, const char *text)
{
    struct str rest = str_of(text), line;
    arena_init(&u->arena, 0);
    u->releases = arena_array(&u->arena, TEXT_RELEASES_MAX, sizeof *u->releases);
    for (u->len = 0; str_split(&rest, '\n', &line);) {
        struct str head, word;
        if (!str_split(&line, ':', &head) || str_trim(head).len == 0)
            continue;
        struct text_release *r = &u->releases[u->len++];
        head = str_trim(head);
        (void)str_split(&head, ' ', &r->name);
        (void)str_split(&head, ' ', &r->release.version);
        if (str_split(&head, ' ', &word))
            r->release.state = text_state(word);
        r->release.needs = text_needs(&u->arena, line, &r->release.needs_len);
    }
}

static enum status text_releases_of(void *context, struct str name, struct arena *arena,
                                    const struct resolve_release **ret, uint32_t *ret_len,
                                    struct error *err)
{
    const struct text_universe *u = context;
    struct resolve_release *list = arena_array(arena, u->len, sizeof *list);
    *ret_len = 0;
    if (!list)
        return error_no_memory(err);
    for (uint32_t i = 0; i < u->len; i++)
        if (str_eq(u->releases[i].name, name))
            list[(*ret_len)++] = u->releases[i].release;
    *ret = list;
    return STATUS_OK;
}

#endif

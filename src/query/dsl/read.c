/* read.c: JSON objects by slots, so that a key is looked up, unknown or doubled in one place. */
#include "query/dsl/dsl_int.h"

void *dsl_alloc(struct dsl_query *q, size_t count, size_t size)
{
    void *memory = arena_array(q->arena, count ? count : 1, size);
    if (!memory)
        q->failed = true;
    return memory;
}

enum { KEYS_MAX = 40 };

static int find_key(const struct dsl_key *keys, struct str name)
{
    for (int i = 0; keys[i].name; i++)
        if (str_is(name, keys[i].name))
            return i;
    return -1;
}

static void unknown_key(struct dsl_query *q, const struct dsl_at *at, struct str name,
                        const struct dsl_key *keys)
{
    const char **names = dsl_alloc(q, KEYS_MAX, sizeof *names);
    uint32_t len = 0;
    for (int i = 0; names && keys[i].name && len < KEYS_MAX; i++)
        names[len++] = keys[i].name;
    dsl_fail(q, DSL_UNKNOWN_KEY, dsl_at_name(q, at, name), name, (struct dsl_words){names, len},
             "unknown key \"%.*s\"", SHOWN(name));
}

bool dsl_read_object(struct dsl_query *q, const struct dsl_at *at, yyjson_val *value,
                     const struct dsl_key *keys, struct dsl_member *members, int slots)
{
    size_t i, max;
    yyjson_val *key, *item;
    for (int slot = 0; slot < slots; slot++)
        members[slot] = (struct dsl_member){NULL, at};
    if (!yyjson_is_obj(value)) {
        dsl_bad(q, at, "an object is wanted, not %s", json_kind_name(value));
        return false;
    }
    yyjson_obj_foreach(value, i, max, key, item)
    {
        struct str name = json_str_of(key);
        int k = find_key(keys, name);
        if (k < 0) {
            unknown_key(q, at, name, keys);
            continue;
        }
        if (yyjson_is_null(item) && keys[k].slot != 0)
            continue; /* null is the same as absent, but for a condition's value: slot 0 */
        struct dsl_member *member = &members[keys[k].slot];
        if (member->value)
            dsl_bad(q, dsl_at_name(q, at, name), "\"%.*s\" says again what another key said",
                    SHOWN(name));
        *member = (struct dsl_member){item, dsl_at_name(q, at, name)};
    }
    return true;
}

void dsl_missing(struct dsl_query *q, const struct dsl_at *at, const char *name, const char *why)
{
    dsl_fail(q, DSL_MISSING_FIELD, dsl_at_key(q, at, name), STR_NONE, no_words,
             "\"%s\" is dsl_missing%s%s", name, why ? ": " : "", why ? why : "");
}

static yyjson_val *find_parameter(const struct dsl_query *q, struct str name)
{
    yyjson_val *value = NULL;
    if (q->parameters)
        value = yyjson_obj_getn(q->parameters, name.data, name.len);
    if (!value && q->options->parameters)
        value = yyjson_obj_getn(q->options->parameters, name.data, name.len);
    return value;
}

yyjson_val *dsl_read_param(struct dsl_query *q, const struct dsl_at *at, yyjson_val *value,
                           struct str *ret_name, bool *ret_open)
{
    yyjson_val *param = json_get(value, "param");
    *ret_name = STR_NONE;
    *ret_open = false;
    if (!param)
        return value;
    struct str name = json_str_of(param);
    if (!yyjson_is_str(param) || name.len == 0 || name.len > DSL_NAME_MAX ||
        yyjson_obj_size(value) != 1) {
        dsl_bad(q, at, "a parameter is {\"param\": \"name\"} and nothing else");
        return NULL;
    }
    *ret_name = name;
    yyjson_val *found = find_parameter(q, name);
    if (found)
        return found;
    *ret_open = q->options->open_parameters;
    if (!*ret_open)
        dsl_fail(q, DSL_MISSING_FIELD, at, STR_NONE, no_words,
                 "parameter \"%.*s\" has no value in \"parameters\"", SHOWN(name));
    return *ret_open ? value : NULL;
}

bool dsl_read_bool(struct dsl_query *q, const struct dsl_member *member, bool fallback)
{
    if (!member->value)
        return fallback;
    if (!yyjson_is_bool(member->value))
        dsl_bad(q, member->at, "true or false is wanted, not %s", json_kind_name(member->value));
    return yyjson_get_bool(member->value);
}

struct str dsl_read_name(struct dsl_query *q, const struct dsl_member *member)
{
    struct str name = json_str_of(member->value);
    if (!member->value)
        return STR_NONE;
    if (!yyjson_is_str(member->value)) {
        dsl_bad(q, member->at, "a name is wanted, not %s", json_kind_name(member->value));
        return STR_NONE;
    }
    if (name.len == 0 || name.len > DSL_NAME_MAX || memchr(name.data, 0, name.len)) {
        dsl_bad(q, member->at, "a name has 1 to %d bytes without NUL", DSL_NAME_MAX);
        return STR_NONE;
    }
    return name;
}

int64_t dsl_read_int(struct dsl_query *q, const struct dsl_member *member, int64_t min, int64_t max,
                     int64_t fallback)
{
    yyjson_val *value = member->value;
    if (!value)
        return fallback;
    bool fits =
        yyjson_is_sint(value) || (yyjson_is_uint(value) && yyjson_get_uint(value) <= INT64_MAX);
    if (fits && yyjson_get_sint(value) >= min && yyjson_get_sint(value) <= max)
        return yyjson_get_sint(value);
    dsl_bad(q, member->at, "a whole number from %lld to %lld is wanted", (long long)min,
            (long long)max);
    return fallback;
}

int dsl_read_word(struct dsl_query *q, const struct dsl_member *member, struct dsl_words words)
{
    struct str word = json_str_of(member->value);
    if (!member->value)
        return -1;
    for (uint32_t i = 0; yyjson_is_str(member->value) && i < words.len; i++)
        if (str_eq_nocase(word, str_of(words.items[i])))
            return (int)i;
    dsl_fail(q, DSL_BAD_VALUE, member->at, word, words, "this is none of the words allowed here");
    return -1;
}

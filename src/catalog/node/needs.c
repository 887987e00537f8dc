#include "catalog/node/needs.h"

#include "base/uuid.h"
#include "catalog/node/semver_range.h"

struct entry {
    uint32_t number; /* for messages */
    struct arena *arena;
    struct error *err;
};

static enum status refuse(const struct entry *e, const char *code, const char *why)
{
    error_set(e->err, STATUS_INVALID_ARGUMENT, "%s: dependencies[%u]: %s", code, e->number, why);
    return STATUS_INVALID_ARGUMENT;
}

static bool is_word(struct str text, const char *const *words, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (str_is(text, words[i]))
            return true;
    return false;
}

/* Splits "target@range" at the first '@' that is not the first character; no range is "*". */
static void split_range(struct str text, struct node_need *need)
{
    const char *at = text.len > 1 ? memchr(text.data + 1, '@', text.len - 1) : NULL;
    need->target = at ? str_make(text.data, (size_t)(at - text.data)) : text;
    need->range = at ? str_make(at + 1, text.len - need->target.len - 1) : STR("*");
    if (need->range.len == 0)
        need->range = STR("*");
}

static enum status check(const struct entry *e, const struct node_need *need)
{
    struct semver_range range;
    struct uuid uuid;
    if (need->target.len == 0)
        return refuse(e, "MD002", "it names nothing");
    if (need->by == NEED_BY_UUID && !uuid_parse(need->target, &uuid))
        return refuse(e, "MD004", "it is not named by a uuid");
    if (need->by == NEED_OUTSIDE)
        return STATUS_OK;
    struct error inner = ERROR_INIT;
    enum status status = semver_range_parse(need->range, false, e->arena, &range, &inner);
    return status == STATUS_INVALID_ARGUMENT ? refuse(e, "MD007", inner.message) : status;
}

static enum status parse_uri(const struct entry *e, struct str text, const char *mark,
                             struct node_need *need)
{
    static const char *const types[] = {"tool",   "validator", "agent", "model",
                                        "schema", "plugin",    "node",  "ignore_config"};
    size_t type = (size_t)(mark - text.data);
    need->form = NEED_URI;
    need->by = NEED_BY_NAMESPACE;
    need->type = str_make(text.data, type);
    if (!is_word(need->type, types, sizeof types / sizeof *types))
        return refuse(e, "RG003",
                      "the type before :// is not one of tool, validator, agent, "
                      "model, schema, plugin, node, ignore_config");
    split_range(str_make(mark + 3, text.len - type - 3), need);
    return STATUS_OK;
}

static enum status parse_text(const struct entry *e, struct str text, struct node_need *need)
{
    const char *mark = memmem(text.data, text.len, "://", 3);
    if (mark)
        return parse_uri(e, text, mark, need);
    need->form = NEED_TEXT;
    need->by = NEED_BY_NAME;
    need->type = STR("");
    split_range(text, need);
    return STATUS_OK;
}

static struct str text_of(yyjson_val *object, const char *name)
{
    yyjson_val *value = json_get(object, name);
    return yyjson_is_str(value) ? json_str_of(value) : STR("");
}

static enum status parse_id(const struct entry *e, yyjson_val *object, struct node_need *need)
{
    static const char *const types[] = {"tool", "validator", "data_artifact"};
    need->form = NEED_ID;
    need->by = NEED_BY_UUID;
    need->type = text_of(object, "type");
    need->target = text_of(object, "id");
    need->range = text_of(object, "version_spec");
    if (need->range.len == 0)
        need->range = STR("*");
    need->optional = yyjson_is_false(json_get(object, "required"));
    if (!is_word(need->type, types, 3))
        return refuse(e, "RG003", "type must be tool, validator or data_artifact");
    return STATUS_OK;
}

static enum status parse_full(const struct entry *e, yyjson_val *object, struct node_need *need)
{
    static const char *const types[] = {
        "onex_node", "library", "binary", "external_service", "protocol_adherence", "data_source"};
    static const char *const bindings[] = {"injection", "runtime_lookup", "environment_variable",
                                           "implicit",  "compile_time",   "config_file"};
    struct str binding = text_of(object, "binding");
    need->form = NEED_FULL;
    need->type = text_of(object, "type");
    need->optional = yyjson_is_true(json_get(object, "optional"));
    if (!is_word(need->type, types, sizeof types / sizeof *types))
        return refuse(e, "RG003",
                      "type must be onex_node, library, binary, external_service, "
                      "protocol_adherence or data_source");
    if (binding.len && !is_word(binding, bindings, sizeof bindings / sizeof *bindings))
        return refuse(e, "RG003",
                      "binding must be injection, runtime_lookup, "
                      "environment_variable, implicit, compile_time or config_file");
    need->by = str_is(need->type, "onex_node") ? NEED_BY_UUID : NEED_OUTSIDE;
    if (need->by == NEED_BY_UUID) {
        split_range(text_of(object, "target"), need);
        return STATUS_OK;
    }
    need->target =
        text_of(object, "target").len ? text_of(object, "target") : text_of(object, "name");
    need->range = STR("*");
    return STATUS_OK;
}

static enum status parse_one(const struct entry *e, yyjson_val *value, struct node_need *need)
{
    if (yyjson_is_str(value))
        TRY(parse_text(e, str_trim(json_str_of(value)), need));
    else if (yyjson_is_obj(value) && json_get(value, "id"))
        TRY(parse_id(e, value, need));
    else if (yyjson_is_obj(value))
        TRY(parse_full(e, value, need));
    else
        return refuse(e, "MD002", "it must be a text or an object");
    return check(e, need);
}

/* The texts outlive the document. */
static bool keep(struct node_need *need, struct arena *arena)
{
    need->target = arena_str(arena, need->target);
    need->range = arena_str(arena, need->range);
    need->type = arena_str(arena, need->type);
    return need->target.data && need->range.data && need->type.data;
}

enum status node_needs_parse(yyjson_val *value, struct arena *arena, struct node_need **ret,
                             uint32_t *ret_len, struct error *err)
{
    struct entry e = {.arena = arena, .err = err};
    *ret_len = 0;
    *ret = NULL;
    if (!value || yyjson_is_null(value))
        return STATUS_OK;
    if (!yyjson_is_arr(value) || yyjson_arr_size(value) > NODE_NEEDS_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "MD002: dependencies must be a list of at most %d", NODE_NEEDS_MAX);
    *ret = arena_array(arena, yyjson_arr_size(value), sizeof **ret);
    if (!*ret)
        return error_no_memory(err);
    size_t at, max;
    yyjson_val *one;
    yyjson_arr_foreach(value, at, max, one)
    {
        e.number = (uint32_t)at;
        TRY(parse_one(&e, one, &(*ret)[at]));
        if (!keep(&(*ret)[at], arena))
            return error_no_memory(err);
    }
    *ret_len = (uint32_t)max;
    return STATUS_OK;
}

/* metadata_check.c: each field by its row (metadata_rules.h), then the rules that concern several
 * fields. */
#include <stdio.h>

#include "base/datetime.h"
#include "base/uuid.h"
#include "catalog/node/metadata.h"
#include "catalog/node/metadata_rules.h"
#include "catalog/node/needs.h"
#include "catalog/node/semver.h"

enum { COMMIT_HASH_LEN = 40 };

const char *severity_name(enum severity severity)
{
    static const char *const names[] = {"error", "warning", "info"};
    return names[severity];
}

struct checker {
    struct arena *arena;
    struct metadata_issues *issues;
    bool no_memory;
};

static void report(struct checker *c, enum severity severity, const char *code, struct str field,
                   const char *message)
{
    struct metadata_issues *issues = c->issues;
    issues->errors = issues->errors || severity == SEVERITY_ERROR;
    if (issues->len == METADATA_ISSUES_MAX)
        return;
    struct metadata_issue issue = {severity, code, arena_str(c->arena, field),
                                   arena_str(c->arena, str_of(message))};
    c->no_memory = c->no_memory || !issue.field.data || !issue.message.data;
    issues->list[issues->len++] = issue;
}

static bool is_one_of(struct str text, const char *words)
{
    struct str rest = str_of(words), word;
    while (str_split(&rest, '|', &word))
        if (str_eq(word, text))
            return true;
    return false;
}

static bool is_version3(struct str text)
{
    struct semver version;
    return semver_parse(text, &version, NULL) == STATUS_OK && version.pre.len == 0 &&
           version.build.len == 0;
}

static bool is_hash(struct str text, size_t len)
{
    for (size_t i = 0; i < text.len; i++)
        if (!text.data[i] || !strchr("0123456789abcdefABCDEF", text.data[i]))
            return false;
    return text.len == len;
}

static bool is_between(yyjson_val *value, double least, double most)
{
    return yyjson_is_num(value) && yyjson_get_num(value) >= least && yyjson_get_num(value) <= most;
}

/* "omninode." or "onex.", then letters, digits, '_' and '.'. */
static bool is_namespace(struct str text)
{
    size_t at = str_starts(text, STR("omninode.")) ? 9 : str_starts(text, STR("onex.")) ? 5 : 0;
    if (at == 0 || at == text.len)
        return false;
    for (; at < text.len; at++) {
        char c = text.data[at];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '_' || c == '.'))
            return false;
    }
    return true;
}

/* {type, target} or "type@target"; "type://target" is read too, as later files write it. */
static bool is_entrypoint(yyjson_val *value)
{
    static const char types[] = "python|cli|docker";
    if (yyjson_is_obj(value)) {
        yyjson_val *type = json_get(value, "type"), *target = json_get(value, "target");
        return yyjson_is_str(type) && is_one_of(json_str_of(type), types) &&
               yyjson_is_str(target) && yyjson_get_len(target) > 0;
    }
    struct str text = yyjson_is_str(value) ? json_str_of(value) : STR("");
    const char *at = text.len ? memchr(text.data, '@', text.len) : NULL;
    const char *uri = text.len ? memmem(text.data, text.len, "://", 3) : NULL;
    size_t type = at ? (size_t)(at - text.data) : uri ? (size_t)(uri - text.data) : 0;
    size_t mark = at ? 1 : 3;
    return type && is_one_of(str_make(text.data, type), types) && text.len > type + mark;
}

static bool are_texts(yyjson_val *value, const char *words)
{
    size_t at, max;
    yyjson_val *one;
    if (!yyjson_is_arr(value))
        return false;
    yyjson_arr_foreach(value, at, max, one)
    {
        if (!yyjson_is_str(one) || yyjson_get_len(one) == 0 ||
            (words && !is_one_of(json_str_of(one), words)))
            return false;
    }
    return true;
}

/* Each a text, or an object with name and perhaps a known format_hint. */
static bool are_ports(yyjson_val *value)
{
    static const char hints[] = "json|yaml|text|binary|stream|file_path|directory_path";
    size_t at, max;
    yyjson_val *one;
    if (!yyjson_is_arr(value))
        return false;
    yyjson_arr_foreach(value, at, max, one)
    {
        yyjson_val *name = yyjson_is_obj(one) ? json_get(one, "name") : one;
        yyjson_val *hint = json_get(one, "format_hint"), *required = json_get(one, "required");
        if (!yyjson_is_str(name) || yyjson_get_len(name) == 0 ||
            (required && !yyjson_is_bool(required)))
            return false;
        if (hint && !yyjson_is_null(hint) &&
            !(yyjson_is_str(hint) && is_one_of(json_str_of(hint), hints)))
            return false;
    }
    return true;
}

/* NULL when the value is right, else what is expected. */
static const char *fault_of(const struct metadata_rule *rule, yyjson_val *value)
{
    struct str text = yyjson_is_str(value) ? json_str_of(value) : STR("");
    struct semver version;
    struct uuid uuid;
    int64_t us;
    switch (rule->kind) {
    case KIND_TEXT:
        return text.len ? NULL : "must be a text that is not empty";
    case KIND_VERSION3:
        return is_version3(text) ? NULL : "must be three numbers, such as \"1.0.0\"";
    case KIND_SEMVER:
        return semver_parse(text, &version, NULL) == STATUS_OK
                   ? NULL
                   : "must be a version such as \"1.0.0\" (semver 2.0)";
    case KIND_UUID:
        return uuid_parse(text, &uuid) ? NULL : "must be a uuid";
    case KIND_TIME:
        return timestamp_parse(text, &us) ? NULL : "must be a time in ISO 8601";
    case KIND_HASH:
        return is_hash(text, METADATA_HASH_LEN) ? NULL : "must be 64 hexadecimal digits";
    case KIND_COMMIT:
        return is_hash(text, COMMIT_HASH_LEN) ? NULL : "must be 40 hexadecimal digits";
    case KIND_NAMESPACE:
        return is_namespace(text) ? NULL
                                  : "must be omninode. or onex. and letters, digits, '_' and '.'";
    case KIND_ENTRYPOINT:
        return is_entrypoint(value) ? NULL : "must be type@target with type python, cli or docker";
    case KIND_CONTRACT:
        return str_starts(text, STR("state_contract://")) && text.len > 17
                   ? NULL
                   : "must be a state_contract:// URI";
    case KIND_WORD:
        return is_one_of(text, rule->words) ? NULL : rule->words;
    case KIND_FRACTION:
        return is_between(value, 0, 1) ? NULL : "must be a number from 0 to 1";
    case KIND_PERCENT:
        return is_between(value, 0, 100) ? NULL : "must be a number from 0 to 100";
    case KIND_COUNT:
        return yyjson_is_uint(value) ? NULL : "must be a whole number";
    case KIND_BOOL:
        return yyjson_is_bool(value) ? NULL : "must be true or false";
    case KIND_TEXTS:
        return are_texts(value, NULL) ? NULL : "must be a list of texts";
    case KIND_WORDS:
        return are_texts(value, rule->words) ? NULL : rule->words;
    case KIND_PORTS:
        return are_ports(value) ? NULL : "must be a list of texts or of objects with a name";
    case KIND_NEEDS:
        return NULL; /* check_needs says more */
    case KIND_OBJECT:
    case KIND_MAP:
        return yyjson_is_obj(value) ? NULL : "must be an object";
    }
    return NULL;
}

static void report_fault(struct checker *c, const struct metadata_rule *rule, struct str field,
                         const char *fault)
{
    char message[160];
    if (rule->words) {
        (void)snprintf(message, sizeof message, "must be one of %s", fault);
        fault = message;
    }
    report(c, SEVERITY_ERROR, rule->code, field, fault);
}

/* "testing" and "required_ci_tiers" as "testing.required_ci_tiers". */
static struct str inside(struct checker *c, struct str outer, struct str name)
{
    char *path = arena_printf(c->arena, "%.*s.%.*s", STR_ARG(outer), STR_ARG(name));
    c->no_memory = c->no_memory || !path;
    return path ? str_of(path) : name;
}

/* Members of an object in the block; objects in these have no rules of their own. */
static void check_members(struct checker *c, yyjson_val *object,
                          const struct metadata_rule *members, struct str outer)
{
    for (; members && members->name; members++) {
        yyjson_val *value = json_get(object, members->name);
        const char *fault = value && !yyjson_is_null(value) ? fault_of(members, value) : NULL;
        if (fault)
            report_fault(c, members, inside(c, outer, str_of(members->name)), fault);
    }
}

static void check_map(struct checker *c, yyjson_val *map, const struct metadata_rule *rule)
{
    size_t at, max;
    yyjson_val *key, *value;
    yyjson_obj_foreach(map, at, max, key, value)
    {
        struct str name = inside(c, str_of(rule->name), json_str_of(key));
        if (yyjson_is_obj(value))
            check_members(c, value, rule->members, name);
        else
            report(c, SEVERITY_ERROR, rule->code, name, "must be an object");
    }
}

static void check_field(struct checker *c, yyjson_val *block, const struct metadata_rule *rule)
{
    yyjson_val *value = json_get(block, rule->name);
    struct str name = str_of(rule->name);
    if (!value || yyjson_is_null(value)) {
        if (rule->required)
            report(c, SEVERITY_ERROR, str_is(name, "version") ? "MD006" : "LC002", name,
                   "is missing");
        return;
    }
    const char *fault = fault_of(rule, value);
    if (fault)
        report_fault(c, rule, name, fault);
    else if (rule->kind == KIND_MAP)
        check_map(c, value, rule);
    else if (rule->kind == KIND_OBJECT)
        check_members(c, value, rule->members, name);
}

static void check_needs(struct checker *c, yyjson_val *block)
{
    struct node_need *needs;
    uint32_t len;
    struct error err = ERROR_INIT;
    enum status status =
        node_needs_parse(json_get(block, "dependencies"), c->arena, &needs, &len, &err);
    char code[6] = "MD002";
    if (status == STATUS_OK)
        return;
    /* The message begins with its code. */
    const char *colon = strchr(err.message, ':');
    const char *message = err.message;
    if (colon && colon - err.message == 5) {
        memcpy(code, err.message, 5);
        message = colon + 2;
    }
    struct str kept = arena_str(c->arena, str_make(code, 5));
    report(c, SEVERITY_ERROR, kept.data ? kept.data : "MD002", STR("dependencies"), message);
}

static bool has_text(yyjson_val *block, const char *name)
{
    yyjson_val *value = json_get(block, name);
    return yyjson_is_str(value) && yyjson_get_len(value) > 0;
}

/* What each state of the lifecycle asks for. */
static void check_lifecycle(struct checker *c, yyjson_val *block)
{
    yyjson_val *value = json_get(block, "lifecycle");
    struct str state = yyjson_is_str(value) ? json_str_of(value) : STR("active");
    bool draft = str_is(state, "draft"), archived = str_is(state, "archived");
    if (!has_text(block, "description"))
        report(c, draft ? SEVERITY_WARNING : SEVERITY_ERROR, "LC002", STR("description"),
               "is missing");
    if (!has_text(block, "state_contract") && !archived)
        report(c, draft ? SEVERITY_WARNING : SEVERITY_ERROR, "LC002", STR("state_contract"),
               "is missing");
    if (str_is(state, "deprecated") && !has_text(block, "deprecated_by"))
        report(c, SEVERITY_ERROR, "LC005", STR("deprecated_by"),
               "a deprecated node names what replaces it");
    if (archived && !has_text(block, "archived_reason"))
        report(c, SEVERITY_ERROR, "LC006", STR("archived_reason"),
               "an archived node says why it was archived");
}

static void check_unknown(struct checker *c, yyjson_val *block)
{
    size_t at, max;
    yyjson_val *key, *value;
    yyjson_obj_foreach(block, at, max, key, value)
    {
        bool known = false;
        for (const struct metadata_rule *rule = metadata_rules; rule->name && !known; rule++)
            known = str_is(json_str_of(key), rule->name);
        if (!known)
            report(c, SEVERITY_INFO, "MD002", json_str_of(key),
                   "is not a field of the metadata block; x_extensions is the place for others");
    }
}

enum status metadata_check(struct str json, struct arena *arena, struct metadata_issues *ret,
                           struct error *err)
{
    struct checker c = {.arena = arena, .issues = ret};
    yyjson_doc *doc = NULL;
    *ret = (struct metadata_issues){0};
    ret->list = arena_array(arena, METADATA_ISSUES_MAX, sizeof *ret->list);
    if (!ret->list)
        return error_no_memory(err);
    TRY(json_parse(json, &doc, err));
    yyjson_val *block = yyjson_doc_get_root(doc);
    if (!yyjson_is_obj(block)) {
        report(&c, SEVERITY_ERROR, "MD002", STR(""), "metadata must be an object");
    } else {
        for (const struct metadata_rule *rule = metadata_rules; rule->name; rule++)
            check_field(&c, block, rule);
        check_needs(&c, block);
        check_lifecycle(&c, block);
        check_unknown(&c, block);
    }
    yyjson_doc_free(doc);
    return c.no_memory ? error_no_memory(err) : STATUS_OK;
}

void metadata_write_issues(struct json_writer *w, const struct metadata_issues *issues)
{
    json_begin_array(w);
    for (uint32_t i = 0; i < issues->len; i++) {
        const struct metadata_issue *issue = &issues->list[i];
        json_begin_object(w);
        json_kv_strz(w, "severity", severity_name(issue->severity));
        json_kv_strz(w, "code", issue->code);
        json_kv_str(w, "location", issue->field);
        json_kv_str(w, "message", issue->message);
        json_end_object(w);
    }
    json_end_array(w);
}

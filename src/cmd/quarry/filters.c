/* filters.c: see filters.h. The object is built as a yyjson document, so that conditions on one
 * field meet in one object. */
#include "cmd/quarry/filters.h"

#include <stdlib.h>

static const struct {
    const char *text;
    const char *op;
} OPERATORS[] = {
    {"=", "eq"},      {"==", "eq"},       {"eq", "eq"},   {"!=", "ne"},         {"<>", "ne"},
    {"ne", "ne"},     {">", "gt"},        {"gt", "gt"},   {"<", "lt"},          {"lt", "lt"},
    {">=", "gte"},    {"gte", "gte"},     {"<=", "lte"},  {"lte", "lte"},       {"in", "in"},
    {"like", "like"}, {"regex", "regex"}, {"~", "regex"}, {"not_in", "not_in"}, {"in_list", "in"},
};

static const char *operator_of(struct str text)
{
    for (size_t i = 0; i < ARGS_LEN(OPERATORS); i++)
        if (str_eq_nocase(text, str_of(OPERATORS[i].text)))
            return OPERATORS[i].op;
    return NULL;
}

static yyjson_mut_val *value_of(yyjson_mut_doc *doc, struct str text)
{
    yyjson_doc *json;
    if (text.len && json_parse(text, &json, NULL) == STATUS_OK) {
        yyjson_mut_val *copy = yyjson_val_mut_copy(doc, yyjson_doc_get_root(json));
        yyjson_doc_free(json);
        return copy;
    }
    return yyjson_mut_strncpy(doc, text.data ? text.data : "", text.len);
}

static bool add_where(yyjson_mut_doc *doc, yyjson_mut_val *root, const char *where)
{
    struct str rest = str_trim(str_of(where)), field, op;
    if (!str_split(&rest, ' ', &field) || !rest.data)
        return false;
    rest = str_trim(rest);
    if (!str_split(&rest, ' ', &op) || !operator_of(op))
        return false;
    yyjson_mut_val *conditions = yyjson_mut_obj_getn(root, field.data, field.len);
    if (!conditions) {
        conditions = yyjson_mut_obj(doc);
        if (!yyjson_mut_obj_add(root, yyjson_mut_strncpy(doc, field.data, field.len), conditions))
            return false;
    }
    if (!yyjson_mut_is_obj(conditions))
        return false;
    yyjson_mut_val *value = value_of(doc, rest.data ? str_trim(rest) : STR(""));
    return yyjson_mut_obj_add(conditions, yyjson_mut_str(doc, operator_of(op)), value);
}

static yyjson_mut_val *start_of(yyjson_mut_doc *doc, const char *filters)
{
    yyjson_doc *json;
    struct error err = ERROR_INIT;
    if (!filters)
        return yyjson_mut_obj(doc);
    if (json_parse(str_of(filters), &json, &err) != STATUS_OK) {
        cli_complain("--filters: %s", err.message);
        return NULL;
    }
    yyjson_mut_val *root = yyjson_val_mut_copy(doc, yyjson_doc_get_root(json));
    yyjson_doc_free(json);
    if (yyjson_mut_is_obj(root))
        return root;
    cli_complain("--filters takes a JSON object");
    return NULL;
}

bool filters_write(struct json_writer *w, const struct texts *wheres, const char *filters)
{
    if (!wheres->len && !filters)
        return true;
    yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *root = doc ? start_of(doc, filters) : NULL;
    bool good = root != NULL;
    for (size_t i = 0; good && i < wheres->len; i++) {
        good = add_where(doc, root, wheres->items[i]);
        if (!good)
            cli_complain("--where takes 'FIELD OP VALUE', not '%s'", wheres->items[i]);
    }
    if (good) {
        yyjson_mut_doc_set_root(doc, root);
        size_t len;
        char *text = yyjson_mut_write(doc, 0, &len);
        json_keyz(w, "filters");
        if (text)
            json_raw(w, str_make(text, len));
        good = text != NULL;
        free(text);
    }
    yyjson_mut_doc_free(doc);
    return good;
}

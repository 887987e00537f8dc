/* tree_json.c: the tree as JSON, by the slot names of nodes.def. */
#include "query/lang/lang.h"
#include "query/lang/node.h"

static const char *const flag_names[] = {
    "not",       "quoted",      "distinct",   "all",          "try",
    "desc",      "nulls_first", "nulls_last", "ignore_nulls", "respect_nulls",
    "natural",   "lateral",     "recursive",  "percent",      "by_name",
    NULL,        "symmetric",   "ordinality", "ties",         "replace",
    "temporary", "asc",         "asof",       NULL,           "materialized",
    NULL,
};

enum { JSON_LEVELS = 27 }; /* deeper trees are cut, so that the JSON may be sent back */

static void put_node(const struct node *node, struct json_writer *w, int depth);

static void put_flags(const struct node *node, struct json_writer *w)
{
    bool any = false;
    for (size_t i = 0; i < sizeof flag_names / sizeof *flag_names; i++) {
        if (!flag_names[i] || !(node->flags >> i & 1))
            continue;
        if (!any) {
            json_keyz(w, "flags");
            json_begin_array(w);
        }
        any = true;
        json_stringz(w, flag_names[i]);
    }
    if (any)
        json_end_array(w);
}

static void put_many(const struct node *node, size_t from, struct str name, struct json_writer *w,
                     int depth)
{
    json_key(w, name);
    json_begin_array(w);
    for (size_t i = from; i < node->count; i++)
        put_node(node->kids[i], w, depth + 1);
    json_end_array(w);
}

static void put_kids(const struct node *node, struct json_writer *w, int depth)
{
    const struct node_info *info = node_info(node->kind);
    for (size_t i = 0; info->slots[i]; i++) {
        struct str name = str_of(info->slots[i]);
        if (name.data[name.len - 1] == '*') {
            put_many(node, i, str_make(name.data, name.len - 1), w, depth);
            return;
        }
        if (i >= node->count || !node->kids[i])
            continue;
        const struct node *child = node->kids[i];
        if (child->kind == N_LIST && child->flags == 0) {
            put_many(child, 0, name, w, depth);
        } else {
            json_key(w, name);
            put_node(child, w, depth + 1);
        }
    }
}

static void put_node(const struct node *node, struct json_writer *w, int depth)
{
    if (!node) {
        json_null(w);
        return;
    }
    json_begin_object(w);
    json_kv_strz(w, "kind", node_info(node->kind)->name);
    if (node->text.data && node->text.len)
        json_kv_str(w, "text", node->text);
    put_flags(node, w);
    json_kv_int(w, "at", node->offset);
    if (depth < JSON_LEVELS)
        put_kids(node, w, depth);
    else if (node->count)
        json_kv_bool(w, "cut", true);
    json_end_object(w);
}

void lang_tree_json(const struct lang_query *query, struct json_writer *writer)
{
    put_node(query->root, writer, 0);
}

/* schema_read.c: the footer's schema tree as nodes, leaves and columns.
 *
 * The tree comes depth-first in one list. A leaf directly below the root, required or optional, is
 * a flat column of its own type; every other child of the root is one JSON column over all of its
 * leaves. Lists and maps are recognized by the rules of LogicalTypes.md, the older forms too:
 * a LIST's only child is repeated, and is itself the element unless it is a group of one field that
 * is neither repeated nor named "array" or "<list>_tuple". */
#include <stdlib.h>

#include "format/parquet/schema_int.h"

struct walk {
    struct parquet_reader *reader;
    struct thrift_reader *r;
    uint32_t left; /* elements not yet read */
    uint32_t cap;  /* of leaves */
    struct error *err;
};

static enum status add_leaf(struct walk *w, const struct pq_element *e, struct pq_node *node,
                            struct str path, bool flat)
{
    struct parquet_reader *reader = w->reader;
    if (reader->leaves_len == LEAVES_MAX)
        return error_set(w->err, STATUS_RESOURCE_LIMIT, "a Parquet file with over %d columns",
                         LEAVES_MAX);
    if (reader->leaves_len == w->cap)
        return pq_corrupt(w->err, "the schema has more columns than elements");
    struct pq_leaf *leaf = &reader->leaves[reader->leaves_len++];
    leaf->field.name = path;
    leaf->field.id = e->id;
    leaf->flat = flat;
    leaf->optional = e->repetition == PQ_OPTIONAL;
    leaf->max_def = node->def;
    leaf->max_rep = node->rep;
    node->leaves = 1;
    return pq_leaf_type(e, leaf, w->err);
}

static struct str join(struct arena *arena, struct str parent, struct str name)
{
    size_t dot = parent.len ? 1 : 0;
    char *text = arena_alloc(arena, parent.len + dot + name.len + 1);
    if (!text)
        return STR_NONE;
    if (dot) {
        memcpy(text, parent.data, parent.len);
        text[parent.len] = '.';
    }
    if (name.len)
        memcpy(text + parent.len + dot, name.data, name.len);
    return str_make(text, parent.len + dot + name.len);
}

static bool ends_with_tuple(struct str name, struct str list)
{
    struct str tuple = STR("_tuple");
    return name.len == list.len + tuple.len && memcmp(name.data, list.data, list.len) == 0 &&
           memcmp(name.data + list.len, tuple.data, tuple.len) == 0;
}

static bool is_annotated(enum pq_logical logical)
{
    return logical == PQ_LOGICAL_LIST || logical == PQ_LOGICAL_MAP;
}

/* What a group is, once its children are known. */
static void classify(struct pq_node *node)
{
    node->kind = PQ_NODE_STRUCT;
    struct pq_node *inner = node->children_len == 1 ? &node->children[0] : NULL;
    if (!is_annotated(node->logical) || !inner || inner->repetition != PQ_REPEATED)
        return;
    const struct pq_node *key = inner->children_len ? inner->children : NULL;
    if (node->logical == PQ_LOGICAL_MAP && key && inner->children_len <= 2 &&
        key->kind == PQ_NODE_LEAF && key->repetition != PQ_REPEATED) {
        node->kind = inner->children_len == 2 ? PQ_NODE_MAP : PQ_NODE_LIST;
        node->element_inside = true; /* a map without values is the list of its keys */
        return;
    }
    node->kind = PQ_NODE_LIST;
    node->element_inside = inner->children_len == 1 && node->logical == PQ_LOGICAL_LIST &&
                           inner->children[0].repetition != PQ_REPEATED &&
                           !is_annotated(inner->logical) && !str_is(inner->name, "array") &&
                           !ends_with_tuple(inner->name, node->name);
}

static enum status walk_node(struct walk *w, const struct pq_node *parent, struct pq_node *node,
                             struct str parent_path, int depth);

static enum status walk_children(struct walk *w, int32_t children, struct pq_node *node,
                                 struct str path, int depth)
{
    if (depth > SCHEMA_DEPTH_MAX)
        return error_set(w->err, STATUS_NOT_IMPLEMENTED, "a schema deeper than %d",
                         SCHEMA_DEPTH_MAX);
    if (children < 0 || (uint32_t)children > w->left)
        return pq_corrupt(w->err, "the schema ends too early");
    node->children = arena_array(&w->reader->arena, (uint32_t)children, sizeof *node->children);
    if (!node->children)
        return error_no_memory(w->err);
    node->children_len = (uint32_t)children;
    node->first_leaf = w->reader->leaves_len;
    for (int32_t i = 0; i < children; i++)
        TRY(walk_node(w, node, &node->children[i], path, depth));
    node->leaves = w->reader->leaves_len - node->first_leaf;
    return STATUS_OK;
}

static enum status walk_node(struct walk *w, const struct pq_node *parent, struct pq_node *node,
                             struct str parent_path, int depth)
{
    struct pq_element e;
    if (w->left == 0)
        return pq_corrupt(w->err, "the schema ends too early");
    w->left--;
    pq_element_read(w->r, &e);
    if (w->r->failed)
        return pq_corrupt(w->err, "the schema does not parse");
    struct str path = join(&w->reader->arena, parent_path, e.name);
    if (!path.data)
        return error_no_memory(w->err);
    if (e.repetition < PQ_REQUIRED || e.repetition > PQ_REPEATED)
        return pq_corrupt(w->err, "column %.*s has the unknown repetition %d", STR_ARG(path),
                          e.repetition);
    *node = (struct pq_node){.name = e.name,
                             .id = e.id,
                             .logical = e.logical,
                             .repetition = (enum pq_repetition)e.repetition,
                             .first_leaf = w->reader->leaves_len};
    node->def = (uint8_t)(parent->def + (node->repetition != PQ_REQUIRED));
    node->rep = (uint8_t)(parent->rep + (node->repetition == PQ_REPEATED));
    if (e.physical >= 0) {
        bool flat = depth == 1 && node->repetition != PQ_REPEATED;
        return add_leaf(w, &e, node, path, flat);
    }
    TRY(walk_children(w, e.children, node, path, depth + 1));
    classify(node);
    return STATUS_OK;
}

/* Why a column cannot be read, or NULL. `depth` counts the JSON levels around the node. */
static const char *refusal_of(const struct parquet_reader *reader, const struct pq_node *node,
                              int depth)
{
    depth += (node->repetition == PQ_REPEATED) + (node->kind != PQ_NODE_LEAF);
    if (node->leaves == 0)
        return "a group without fields";
    if (depth > JSON_DEPTH_MAX)
        return "nested too deep";
    if (node->logical == PQ_LOGICAL_VARIANT)
        return "variants are not read";
    for (uint32_t i = 0; i < node->leaves; i++)
        if (reader->leaves[node->first_leaf + i].refusal)
            return reader->leaves[node->first_leaf + i].refusal;
    for (uint32_t i = 0; i < node->children_len; i++) {
        const char *inner = refusal_of(reader, &node->children[i], depth);
        if (inner)
            return inner;
    }
    return NULL;
}

/* One column for each child of the root. */
static enum status make_columns(struct parquet_reader *reader, const struct pq_node *root,
                                struct error *err)
{
    uint32_t n = root->children_len;
    reader->columns = arena_array(&reader->arena, n, sizeof *reader->columns);
    reader->fields = arena_array(&reader->arena, n, sizeof *reader->fields);
    if (!reader->columns || !reader->fields)
        return error_no_memory(err);
    reader->columns_len = n;
    for (uint32_t i = 0; i < n; i++) {
        const struct pq_node *node = &root->children[i];
        struct pq_column *column = &reader->columns[i];
        *column = (struct pq_column){.node = node, .leaf = node->first_leaf};
        column->flat = node->leaves == 1 && reader->leaves[node->first_leaf].flat;
        reader->fields[i] = (struct field){node->name, TYPE_JSON, node->id};
        if (column->flat)
            reader->fields[i] = reader->leaves[column->leaf].field;
        column->refusal = refusal_of(reader, node, 0);
    }
    return STATUS_OK;
}

enum status pq_schema_read(struct parquet_reader *reader, struct thrift_reader *r,
                           const struct thrift_field *list, struct error *err)
{
    uint32_t count = thrift_read_list(r, list, THRIFT_STRUCT);
    if (r->failed || count == 0 || reader->leaves)
        return pq_corrupt(err, "the schema does not parse");
    struct pq_element e;
    pq_element_read(r, &e);
    uint32_t cap = count < LEAVES_MAX ? count : LEAVES_MAX;
    reader->leaves = arena_array(&reader->arena, cap, sizeof *reader->leaves);
    if (!reader->leaves)
        return error_no_memory(err);
    struct walk w = {.reader = reader, .r = r, .left = count - 1, .cap = cap, .err = err};
    struct pq_node root = {.kind = PQ_NODE_STRUCT};
    TRY(walk_children(&w, e.children, &root, STR(""), 1));
    if (w.left)
        return pq_corrupt(err, "the schema has elements outside of its tree");
    return make_columns(reader, &root, err);
}

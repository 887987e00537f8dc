#include "query/lang/node.h"

const struct node_info *node_info(enum node_kind kind)
{
    static const struct node_info infos[NODE_KINDS] = {
#define N(kind, name, ...) [N_##kind] = {name, {__VA_ARGS__}},
#include "query/lang/nodes.def"
#undef N
    };
    return &infos[kind < NODE_KINDS ? kind : NODE_NONE];
}

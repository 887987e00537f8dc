/* nodes.h: what cmd_nodes.c and cmd_federation.c share. */
#ifndef QUARRY_CMD_NODES_H
#define QUARRY_CMD_NODES_H

#include "catalog/node/metadata.h"
#include "cmd/quarry/client.h"

/* The block of a file; a YAML file may be one as a whole. */
enum status cli_read_block(const char *path, struct arena *arena, struct metadata_block *ret,
                           struct error *err);

struct import_options {
    const char *policy; /* NULL: the server's default */
    bool dry, strict;
    const char *namespace, *name, *token, *cursor, *deletions; /* of a pull; NULL: none */
};

/* Imports a tree: what its .onextree lists, else every *.onex.yaml below it. */
int cli_import_nodes(struct cli *cli, const char *folder, const struct import_options *options);
/* Has the catalog pull from another one, until it has everything. */
int cli_pull_nodes(struct cli *cli, const char *url, const struct import_options *options);

#endif

/* The conformance suite over the file back end. */
#include <stdlib.h>

#include "catalog/file/file_backend.h"
#include "lib/catalog_conformance.h"

static enum status open_file(void *context, struct backend **ret, struct error *err)
{
    return file_backend_open(sys_posix(), context, ret, err);
}

static void wipe_file(void *context)
{
    (void)sys_remove_tree(sys_posix(), context, NULL);
}

int main(void)
{
    char folder[] = "/tmp/quarry-catalog-XXXXXX";
    if (!mkdtemp(folder))
        return 1;
    struct conformance_target target = {
        .name = "catalog/file", .open = open_file, .wipe = wipe_file, .context = folder};
    return catalog_conformance_run(&target);
}

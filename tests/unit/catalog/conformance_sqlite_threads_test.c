/* The conformance suite over the SQLite back end. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "catalog/sqlite/sqlite_backend.h"
#include "lib/catalog_conformance.h"
#include "sys/sys.h"

static enum status open_sqlite(void *context, struct backend **ret, struct error *err)
{
    char path[SYS_PATH_MAX];
    TRY(sys_path(path, err, "%s/catalog.db", (const char *)context));
    struct sqlite_backend_options options = {.path = path};
    return sqlite_backend_open(&options, ret, err);
}

static void wipe_sqlite(void *context)
{
    (void)sys_remove_tree(sys_posix(), context, NULL);
    (void)sys_mkdirs(sys_posix(), context, NULL);
}

int main(void)
{
    char folder[64] = "/tmp/quarry-catalog-XXXXXX";
    if (!mkdtemp(folder))
        return 1;
    struct conformance_target target = {
        .name = "catalog/sqlite", .open = open_sqlite, .wipe = wipe_sqlite, .context = folder};
    int failed = catalog_conformance_run(&target);
    (void)sys_remove_tree(sys_posix(), folder, NULL);
    return failed;
}

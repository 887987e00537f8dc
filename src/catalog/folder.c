#include "catalog/folder.h"

/* The folder above `path`, "." or "/" at the end of the way. */
static enum status above(const char *path, char out[SYS_PATH_MAX], struct error *err)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return sys_path(out, err, ".");
    return sys_path(out, err, "%.*s", slash == path ? 1 : (int)(slash - path), path);
}

/* From the missing one that is nearest to the root downwards; no recursion, so bounded by the path.
 */
enum status folder_make(struct sys *sys, const char *path, struct error *err)
{
    for (;;) {
        char missing[SYS_PATH_MAX], parent[SYS_PATH_MAX];
        struct sys_stat found;
        TRY(sys_path(missing, err, "%s", path));
        enum status status = sys_stat(sys, missing, &found, err);
        if (status == STATUS_OK) {
            /* An earlier start may have made it without living to sync its name. What is not ours
             * may refuse. */
            TRY(above(missing, parent, err));
            (void)sys_sync_dir(sys, parent, NULL);
            return STATUS_OK;
        }
        if (status != STATUS_NOT_FOUND)
            return status;
        TRY(above(missing, parent, err));
        while (sys_stat(sys, parent, &found, NULL) == STATUS_NOT_FOUND &&
               strcmp(parent, ".") != 0) {
            TRY(sys_path(missing, err, "%s", parent));
            TRY(above(missing, parent, err));
        }
        status = sys_mkdir(sys, missing, err);
        if (status != STATUS_OK && status != STATUS_CONFLICT)
            return status;
        TRY(sys_sync_dir(sys, parent, err));
    }
}

/* folder.h: a folder whose name survives a power cut. */
#ifndef QUARRY_CATALOG_FOLDER_H
#define QUARRY_CATALOG_FOLDER_H

#include "sys/sys.h"

/* Makes the folder and those above it that are missing, and syncs every name on the way that was
 * made. What exists is fine. */
enum status folder_make(struct sys *sys, const char *path, struct error *err);

#endif

/* logs.h: the files in which this process's log lines are collected, as the settings want them. */
#ifndef QUARRY_CMD_QUARRYD_LOGS_H
#define QUARRY_CMD_QUARRYD_LOGS_H

#include "service/log_files.h"
#include "service/settings.h"

/* LOG_PATH, or DATA_PATH/logs */
enum status logs_folder(const struct settings *settings, char out[SYS_PATH_MAX], struct error *err);
/* Opens them and makes them the log's sink; NULL in *ret when LOG_FILE_LEVEL is off. */
enum status logs_open(const struct settings *settings, struct sys *sys, struct log *log,
                      struct log_files **ret, struct error *err);
/* Nobody else may log any more. */
void logs_close(struct log *log, struct log_files *files);

#endif

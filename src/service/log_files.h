/* log_files.h: the log lines of this process's services, collected in files.
 *
 *   FOLDER/<service>.YYYYMMDD-NNN.jsonl     one JSON object a line (base/log.h), UTC days
 *
 * Several processes may write to one folder: files are only appended to, by whole writes. A file
 * that has reached its size is followed by the next number. Old files are removed by age and by the
 * folder's total, the oldest first.
 *
 * Writing never blocks who logs: lines wait in memory (LOG_PENDING_MAX bytes a service) for a
 * thread that writes them every LOG_FLUSH_US. What does not fit, or is beyond the rate, is dropped
 * and counted. Of a crashed process the last LOG_FLUSH_US may be missing here; its standard error
 * has them. */
#ifndef QUARRY_SERVICE_LOG_FILES_H
#define QUARRY_SERVICE_LOG_FILES_H

#include "base/log.h"
#include "sys/sys.h"

enum {
    LOG_PENDING_MAX = 256 * 1024,
    LOG_FLUSH_US = 100000,
    LOG_NAME_MAX = 64, /* of a service */
    LOG_PARTS_MAX = 1000,
};

struct log_files;

struct log_files_options {
    const char *folder;
    enum log_level level;      /* events below are not collected */
    uint64_t file_bytes;       /* a file is left for the next one at this size */
    uint64_t total_bytes;      /* of all files in the folder */
    uint32_t retention_days;   /* files of earlier days are removed */
    uint32_t lines_per_second; /* below LOG_WARN, of each service; 0: any number */
};

/* Makes the folder. */
enum status log_files_open(struct sys *sys, const struct log_files_options *options,
                           struct log_files **ret, struct error *err);
/* Writes what waits. NULL is fine. */
void log_files_close(struct log_files *files);
const struct log_sink *log_files_sink(struct log_files *files);
/* The setting changed; any thread. */
void log_files_set_retention(struct log_files *files, uint32_t days);

/* "auth-gateway.20261121-003.jsonl": service, day (YYYYMMDD) and part of a file's name. */
struct log_file_name {
    char service[LOG_NAME_MAX];
    int day, part;
};
bool log_file_name_parse(struct str text, struct log_file_name *ret);
/* All files of a service (data NULL: of all), oldest first; the array is freed by the caller. */
enum status log_folder_list(struct sys *sys, const char *folder, struct str service,
                            struct log_file_name **ret, size_t *ret_len, struct error *err);
/* "FOLDER/NAME" */
enum status log_file_path(char out[SYS_PATH_MAX], const char *folder,
                          const struct log_file_name *name, struct error *err);
/* Removes what is too old or too much. */
enum status log_folder_prune(struct sys *sys, const char *folder, uint32_t retention_days,
                             uint64_t total_bytes, struct error *err);

#endif

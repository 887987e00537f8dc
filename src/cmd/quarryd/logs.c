#include "cmd/quarryd/logs.h"

enum status logs_folder(const struct settings *settings, char out[SYS_PATH_MAX], struct error *err)
{
    const char *given = settings_text(settings, SETTING_LOG_PATH);
    return given[0] ? sys_path(out, err, "%s", given)
                    : sys_path(out, err, "%s/logs", settings_text(settings, SETTING_DATA_PATH));
}

enum status logs_open(const struct settings *settings, struct sys *sys, struct log *log,
                      struct log_files **ret, struct error *err)
{
    char folder[SYS_PATH_MAX];
    enum log_level level;
    *ret = NULL;
    if (!log_level_parse(str_of(settings_text(settings, SETTING_LOG_FILE_LEVEL)), &level))
        return STATUS_OK; /* off */
    TRY(logs_folder(settings, folder, err));
    const struct log_files_options options = {
        .folder = folder,
        .level = level,
        .file_bytes = (uint64_t)settings_int(settings, SETTING_LOG_FILE_MB) << 20,
        .total_bytes = (uint64_t)settings_int(settings, SETTING_LOG_TOTAL_MB) << 20,
        .retention_days = (uint32_t)settings_int(settings, SETTING_LOG_RETENTION_DAYS),
        .lines_per_second = (uint32_t)settings_int(settings, SETTING_LOG_LINES_PER_SECOND),
    };
    TRY(log_files_open(sys, &options, ret, err));
    log->sink = log_files_sink(*ret);
    return STATUS_OK;
}

void logs_close(struct log *log, struct log_files *files)
{
    log->sink = NULL;
    log_files_close(files);
}

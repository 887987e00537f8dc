/* The names of collected log files, their order, and which of them go. */
#include <stdio.h>
#include <stdlib.h>

#include "base/datetime.h"
#include "service/log_files.h"

enum { FILES_MAX = 100000 };

static const struct str suffix = {".jsonl", 6};

bool log_file_name_parse(struct str text, struct log_file_name *ret)
{
    enum { TAIL = 1 + 8 + 1 + 3 }; /* ".YYYYMMDD-NNN" */
    int64_t day, part;
    if (!str_ends(text, suffix) || text.len <= TAIL + suffix.len)
        return false;
    struct str service = {text.data, text.len - TAIL - suffix.len};
    const char *tail = text.data + service.len;
    if (service.len >= LOG_NAME_MAX || tail[0] != '.' || tail[9] != '-' ||
        !str_to_int64(str_make(tail + 1, 8), &day) || !str_to_int64(str_make(tail + 10, 3), &part))
        return false;
    memcpy(ret->service, service.data, service.len);
    ret->service[service.len] = 0;
    ret->day = (int)day;
    ret->part = (int)part;
    return true;
}

enum status log_file_path(char out[SYS_PATH_MAX], const char *folder,
                          const struct log_file_name *name, struct error *err)
{
    return sys_path(out, err, "%s/%s.%08d-%03d%s", folder, name->service, name->day, name->part,
                    suffix.data);
}

struct listing {
    struct str service; /* data NULL: all */
    struct log_file_name *names;
    size_t len, cap;
};

static enum status add_entry(void *context, const struct sys_dir_entry *entry, struct error *err)
{
    struct listing *list = context;
    struct log_file_name name;
    if (entry->is_dir || !log_file_name_parse(str_of(entry->name), &name) ||
        (list->service.data && !str_is(list->service, name.service)) || list->len >= FILES_MAX)
        return STATUS_OK;
    if (list->len == list->cap) {
        size_t cap = list->cap ? list->cap * 2 : 16;
        struct log_file_name *names = realloc(list->names, cap * sizeof *names);
        if (!names)
            return error_no_memory(err);
        list->names = names;
        list->cap = cap;
    }
    list->names[list->len++] = name;
    return STATUS_OK;
}

static int by_age(const void *a, const void *b)
{
    const struct log_file_name *x = a, *y = b;
    if (x->day != y->day)
        return x->day < y->day ? -1 : 1;
    if (x->part != y->part)
        return x->part < y->part ? -1 : 1;
    return strcmp(x->service, y->service);
}

enum status log_folder_list(struct sys *sys, const char *folder, struct str service,
                            struct log_file_name **ret, size_t *ret_len, struct error *err)
{
    struct listing list = {.service = service};
    enum status status = sys_list_dir(sys, folder, add_entry, &list, err);
    if (status != STATUS_OK) {
        free(list.names);
        return status;
    }
    if (list.len)
        qsort(list.names, list.len, sizeof *list.names, by_age);
    *ret = list.names;
    *ret_len = list.len;
    return STATUS_OK;
}

static int first_day_kept(struct sys *sys, uint32_t retention_days)
{
    int year, month, day;
    int32_t today = (int32_t)(sys_now_us(sys) / 86400 / 1000000);
    date_to_civil(today - (int32_t)retention_days, &year, &month, &day);
    return year * 10000 + month * 100 + day;
}

/* From the newest to the oldest: what is beyond the total goes, whatever its age. */
static enum status prune(struct sys *sys, const char *folder, const struct log_file_name *names,
                         size_t len, int first_day, uint64_t total_bytes, struct error *err)
{
    uint64_t total = 0;
    char path[SYS_PATH_MAX];
    for (size_t i = len; i-- > 0;) {
        struct sys_stat stat;
        TRY(log_file_path(path, folder, &names[i], err));
        if (sys_stat(sys, path, &stat, NULL) != STATUS_OK)
            continue; /* another process was quicker */
        total += stat.size;
        if (names[i].day >= first_day && total <= total_bytes)
            continue;
        enum status status = sys_unlink(sys, path, err);
        if (status != STATUS_OK && status != STATUS_NOT_FOUND)
            return status;
    }
    return STATUS_OK;
}

enum status log_folder_prune(struct sys *sys, const char *folder, uint32_t retention_days,
                             uint64_t total_bytes, struct error *err)
{
    struct log_file_name *names = NULL;
    size_t len = 0;
    TRY(log_folder_list(sys, folder, STR_NONE, &names, &len, err));
    enum status status =
        prune(sys, folder, names, len, first_day_kept(sys, retention_days), total_bytes, err);
    free(names);
    return status;
}

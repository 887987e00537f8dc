/* settings.h: what the operator has chosen, from the list api/settings.def.
 *
 * Sources, later wins: default, configuration file, environment, flags. The file is a subset of
 * TOML: lines `key = value`, comments with #, strings in double quotes (escapes \" \\ \n \t) or
 * single quotes, integers, decimals, true, false; no tables. An unknown key or flag, a wrong type
 * and a value out of range are STATUS_INVALID_ARGUMENT and name the place, the nearest known name
 * and what is expected. The environment holds more than ours, so unknown names there are nobody's.
 *
 * After loading immutable: any thread. */
#ifndef QUARRY_SERVICE_SETTINGS_H
#define QUARRY_SERVICE_SETTINGS_H

#include "base/buf.h"
#include "base/status.h"
#include "sys/sys.h"

enum setting {
#define TEXT(id, ...)   SETTING_##id,
#define CHOICE(id, ...) SETTING_##id,
#define INT(id, ...)    SETTING_##id,
#define REAL(id, ...)   SETTING_##id,
#define BOOL(id, ...)   SETTING_##id,
#include "api/settings.def"
#undef TEXT
#undef CHOICE
#undef INT
#undef REAL
#undef BOOL
    SETTING_COUNT
};

enum setting_type { SETTING_TYPE_TEXT, SETTING_TYPE_INT, SETTING_TYPE_REAL, SETTING_TYPE_BOOL };
enum setting_source { SETTING_DEFAULT, SETTING_FILE, SETTING_ENVIRONMENT, SETTING_FLAG };

enum { SETTING_TEXT_MAX = 1024, SETTINGS_FILE_MAX = 1 << 20 };

struct setting_info {
    const char *name; /* "TENANT_ID" */
    enum setting_type type;
    const char *fallback; /* default, as text */
    double min, max;
    const char *choices; /* or NULL */
    const char *since;
    bool reload;
    const char *help;
};
const struct setting_info *setting_info(enum setting setting);

struct settings;

/* All defaults. */
enum status settings_new(struct settings **ret_settings, struct error *err);
void settings_free(struct settings *settings);

/* "Tenant_Id", "tenant-id", "tenant_id": names are compared without case, '-' is '_'. */
enum status settings_set(struct settings *settings, struct str name, struct str value,
                         enum setting_source source, struct error *err);
enum status settings_load_file(struct settings *settings, struct sys *sys, const char *path,
                               struct error *err);
/* The text of a file; `path` is for messages. */
enum status settings_load_text(struct settings *settings, struct str text, const char *path,
                               struct error *err);
/* "NAME=value" entries, NULL-ended, as in environ. */
enum status settings_load_environment(struct settings *settings, char *const *environment,
                                      struct error *err);

const char *settings_text(const struct settings *settings, enum setting setting);
int64_t settings_int(const struct settings *settings, enum setting setting);
double settings_real(const struct settings *settings, enum setting setting);
bool settings_bool(const struct settings *settings, enum setting setting);
enum setting_source settings_source(const struct settings *settings, enum setting setting);
/* Set by the operator although it begins to work only in a later release than `version`. */
bool settings_is_early(const struct settings *settings, enum setting setting, const char *version);

/* All of them as a configuration file with comments; secrets are left out. */
void settings_print(const struct settings *settings, struct buf *buf);
/* One line a setting for --help. */
void settings_help(struct buf *buf);

#endif

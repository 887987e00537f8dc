#include "service/settings.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/utf8.h"
#include "service/nearest.h"

struct value {
    char *text; /* owned; as it was given */
    int64_t integer;
    double real;
    bool boolean;
    enum setting_source source;
};

struct settings {
    struct value values[SETTING_COUNT];
};

static const struct setting_info infos[SETTING_COUNT] = {
#define TEXT(id, value, since, reload, help)                                                       \
    {#id, SETTING_TYPE_TEXT, value, 0, 0, NULL, since, reload, help},
#define CHOICE(id, value, choices, since, reload, help)                                            \
    {#id, SETTING_TYPE_TEXT, value, 0, 0, choices, since, reload, help},
#define INT(id, value, min, max, since, reload, help)                                              \
    {#id, SETTING_TYPE_INT, #value, min, max, NULL, since, reload, help},
#define REAL(id, value, min, max, since, reload, help)                                             \
    {#id, SETTING_TYPE_REAL, #value, min, max, NULL, since, reload, help},
#define BOOL(id, value, since, reload, help)                                                       \
    {#id, SETTING_TYPE_BOOL, #value, 0, 0, NULL, since, reload, help},
#include "api/settings.def"
};

const struct setting_info *setting_info(enum setting setting)
{
    return &infos[setting];
}

/* --- names --- */

static char fold(char c)
{
    return c == '-' ? '_' : (char)toupper((unsigned char)c);
}

static bool name_is(struct str name, const char *known)
{
    if (name.len != strlen(known))
        return false;
    for (size_t i = 0; i < name.len; i++)
        if (fold(name.data[i]) != known[i])
            return false;
    return true;
}

static int find(struct str name)
{
    for (int i = 0; i < SETTING_COUNT; i++)
        if (name_is(name, infos[i].name))
            return i;
    return -1;
}

/* The name as it is written in a file ('_') or as a flag ('-'). */
static const char *lower(const char *name, char separator, char out[64])
{
    size_t i = 0;
    for (; name[i] && i < 63; i++)
        out[i] = name[i] == '_' ? separator : (char)tolower((unsigned char)name[i]);
    out[i] = 0;
    return out;
}

static enum status unknown(struct str name, enum setting_source source, struct error *err)
{
    struct nearest nearest = nearest_begin(name);
    char separator = source == SETTING_FLAG ? '-' : '_', text[64], best[64] = "";
    const char *dashes = source == SETTING_FLAG ? "--" : "";
    int shown = name.len < 80 ? (int)name.len : 80;
    for (int i = 0; i < SETTING_COUNT; i++) {
        nearest.best = NULL;
        size_t before = best[0] ? nearest.distance : SIZE_MAX;
        nearest_offer(&nearest, lower(infos[i].name, separator, text));
        if (nearest.best && nearest.distance < before)
            memcpy(best, text, sizeof best);
        else
            nearest.distance = before;
    }
    if (best[0])
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "unknown setting '%s%.*s'; did you mean '%s%s'?", dashes, shown, name.data,
                         dashes, best);
    return error_set(err, STATUS_INVALID_ARGUMENT,
                     "unknown setting '%s%.*s'; quarryd --help lists them", dashes, shown,
                     name.data);
}

/* --- values --- */

static enum status bad_value(const struct setting_info *info, struct str value, struct error *err)
{
    char expected[160];
    if (info->type == SETTING_TYPE_BOOL)
        snprintf(expected, sizeof expected, "true or false");
    else if (info->choices)
        snprintf(expected, sizeof expected, "one of %s", info->choices);
    else if (info->type == SETTING_TYPE_TEXT)
        snprintf(expected, sizeof expected, "text of at most %d bytes without control characters",
                 SETTING_TEXT_MAX);
    else
        snprintf(expected, sizeof expected, "%s from %.0f to %.0f",
                 info->type == SETTING_TYPE_INT ? "an integer" : "a number", info->min, info->max);
    return error_set(err, STATUS_INVALID_ARGUMENT, "%s must be %s, not '%.*s'", info->name,
                     expected, value.len < 80 ? (int)value.len : 80, value.data);
}

static bool is_choice(const char *choices, struct str value)
{
    struct str rest = str_of(choices), choice;
    while (str_split(&rest, '|', &choice))
        if (str_eq(choice, value))
            return true;
    return false;
}

static bool is_text(struct str value)
{
    for (size_t i = 0; i < value.len; i++)
        if ((unsigned char)value.data[i] < 0x20 || value.data[i] == 0x7f)
            return false;
    return value.len <= SETTING_TEXT_MAX && utf8_is_valid(value.data, value.len);
}

static bool parse_bool(struct str value, bool *ret)
{
    static const char *const yes[] = {"true", "yes", "on", "1"};
    static const char *const no[] = {"false", "no", "off", "0"};
    for (int i = 0; i < 4; i++) {
        *ret = str_eq_nocase(value, str_of(yes[i]));
        if (*ret || str_eq_nocase(value, str_of(no[i])))
            return true;
    }
    return false;
}

static bool parse(const struct setting_info *info, struct str text, struct value *ret)
{
    bool good = true;
    if (info->type == SETTING_TYPE_BOOL)
        return parse_bool(text, &ret->boolean);
    if (info->type == SETTING_TYPE_TEXT)
        return info->choices ? is_choice(info->choices, text) : is_text(text);
    if (info->type == SETTING_TYPE_INT) {
        good = str_to_int64(text, &ret->integer);
        ret->real = (double)ret->integer;
    } else {
        good = str_to_double(text, &ret->real);
    }
    return good && ret->real >= info->min && ret->real <= info->max;
}

static enum status set_at(struct settings *settings, int index, struct str text,
                          enum setting_source source, struct error *err)
{
    struct value value = {.source = source};
    if (!parse(&infos[index], text, &value))
        return bad_value(&infos[index], text, err);
    value.text = str_dup(text);
    if (!value.text)
        return error_no_memory(err);
    free(settings->values[index].text);
    settings->values[index] = value;
    return STATUS_OK;
}

enum status settings_new(struct settings **ret_settings, struct error *err)
{
    struct settings *settings = calloc(1, sizeof *settings);
    if (!settings)
        return error_no_memory(err);
    for (int i = 0; i < SETTING_COUNT; i++) {
        enum status status = set_at(settings, i, str_of(infos[i].fallback), SETTING_DEFAULT, err);
        if (status != STATUS_OK) {
            settings_free(settings);
            return status;
        }
    }
    *ret_settings = settings;
    return STATUS_OK;
}

void settings_free(struct settings *settings)
{
    for (int i = 0; settings && i < SETTING_COUNT; i++)
        free(settings->values[i].text);
    free(settings);
}

enum status settings_set(struct settings *settings, struct str name, struct str value,
                         enum setting_source source, struct error *err)
{
    int index = find(name);
    if (index < 0)
        return unknown(name, source, err);
    return set_at(settings, index, value, source, err);
}

enum status settings_load_environment(struct settings *settings, char *const *environment,
                                      struct error *err)
{
    for (; *environment; environment++) {
        struct str value = str_of(*environment), name;
        str_split(&value, '=', &name);
        for (int i = 0; i < SETTING_COUNT; i++) {
            if (!str_is(name, infos[i].name) || !value.data)
                continue;
            if (set_at(settings, i, value, SETTING_ENVIRONMENT, err) != STATUS_OK)
                return error_wrap(err, "the environment's %s is wrong", infos[i].name);
        }
    }
    return STATUS_OK;
}

/* --- reading --- */

const char *settings_text(const struct settings *settings, enum setting setting)
{
    return settings->values[setting].text;
}

int64_t settings_int(const struct settings *settings, enum setting setting)
{
    return settings->values[setting].integer;
}

double settings_real(const struct settings *settings, enum setting setting)
{
    return settings->values[setting].real;
}

bool settings_bool(const struct settings *settings, enum setting setting)
{
    return settings->values[setting].boolean;
}

enum setting_source settings_source(const struct settings *settings, enum setting setting)
{
    return settings->values[setting].source;
}

static bool is_later(const char *a, const char *b)
{
    int a_major = atoi(a), b_major = atoi(b);
    const char *a_dot = strchr(a, '.'), *b_dot = strchr(b, '.');
    int a_minor = a_dot ? atoi(a_dot + 1) : 0, b_minor = b_dot ? atoi(b_dot + 1) : 0;
    return a_major != b_major ? a_major > b_major : a_minor > b_minor;
}

bool settings_is_early(const struct settings *settings, enum setting setting, const char *version)
{
    return settings->values[setting].source != SETTING_DEFAULT &&
           is_later(infos[setting].since, version);
}

/* --- writing --- */

static void print_value(struct buf *buf, const struct setting_info *info, const char *text)
{
    if (info->type != SETTING_TYPE_TEXT) {
        buf_append_str(buf, str_of(text));
        return;
    }
    buf_append_char(buf, '"');
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            buf_append_char(buf, '\\');
        buf_append_char(buf, *text);
    }
    buf_append_char(buf, '"');
}

void settings_print(const struct settings *settings, struct buf *buf)
{
    static const char *const sources[] = {"default", "file", "environment", "flag"};
    char name[64];
    for (int i = 0; i < SETTING_COUNT; i++) {
        const struct value *value = &settings->values[i];
        bool secret = strstr(infos[i].name, "SECRET") != NULL;
        buf_printf(buf, "# %s%s%s\n", infos[i].help, infos[i].reload ? " (SIGHUP)" : "",
                   secret && value->text[0] ? " (set; not shown)" : "");
        buf_printf(buf, "%s%s = ", secret ? "# " : "", lower(infos[i].name, '_', name));
        print_value(buf, &infos[i], secret ? "" : value->text);
        buf_printf(buf, "  # %s; since %s\n", sources[value->source], infos[i].since);
    }
}

void settings_help(struct buf *buf)
{
    char name[64], value[96];
    for (int i = 0; i < SETTING_COUNT; i++) {
        snprintf(value, sizeof value, "--%s=%s", lower(infos[i].name, '-', name),
                 infos[i].fallback);
        buf_printf(buf, "  %-42s %s", value, infos[i].help);
        if (infos[i].choices)
            buf_printf(buf, " One of %s.", infos[i].choices);
        if (strcmp(infos[i].since, "0.1") != 0)
            buf_printf(buf, " (from release %s)", infos[i].since);
        buf_append_char(buf, '\n');
    }
}

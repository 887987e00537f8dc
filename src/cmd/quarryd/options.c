#include "cmd/quarryd/options.h"

#include <stdio.h>
#include <unistd.h>

#include "cmd/quarryd/addresses.h"
#include "quarry_version.h"

static const unsigned all_services = (1u << SERVICE_COUNT) - 1;

static enum status parse_services(struct str list, unsigned *ret, struct error *err)
{
    struct str name;
    *ret = 0;
    while (str_split(&list, ',', &name)) {
        enum service_kind kind;
        if (!service_kind_parse(str_trim(name), &kind))
            return error_set(err, STATUS_INVALID_ARGUMENT,
                             "--services: '%.*s' is no service; there are gateway, operation, "
                             "optimizer, catalog, monitoring, interpreter, tenant",
                             STR_ARG(name));
        *ret |= 1u << kind;
    }
    return STATUS_OK;
}

static bool parse_switch(struct quarryd_options *options, struct str argument)
{
    const struct {
        const char *name;
        bool *flag;
    } switches[] = {
        {"--help", &options->help},
        {"-h", &options->help},
        {"--version", &options->version},
        {"--print-settings", &options->print_settings},
        {"--node", &options->node},
        {"--supervised", &options->supervised},
        {"--insecure-bind", &options->insecure_bind},
    };
    for (size_t i = 0; i < sizeof switches / sizeof *switches; i++) {
        if (str_is(argument, switches[i].name)) {
            *switches[i].flag = true;
            return true;
        }
    }
    return false;
}

/* `--name value` of those options that are no settings; *index moves over the value. */
static bool take_value(const struct quarryd_options *options, const char *name, int *index,
                       const char **ret)
{
    const char *argument = options->argv[*index];
    size_t len = strlen(name);
    if (strncmp(argument, name, len) != 0)
        return false;
    if (argument[len] == '=') {
        *ret = argument + len + 1;
        return true;
    }
    if (argument[len] || *index + 1 >= options->argc)
        return false;
    *ret = options->argv[++*index];
    return true;
}

static enum status parse_flag(struct settings *settings, struct str argument, struct error *err)
{
    struct str value, name;
    if (!str_starts(argument, STR("--")))
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "'%.*s' is not understood; see quarryd --help", STR_ARG(argument));
    value = str_make(argument.data + 2, argument.len - 2);
    str_split(&value, '=', &name);
    if (!value.data) {
        TRY(settings_set(settings, name, STR("true"), SETTING_FLAG, err));
        return STATUS_OK;
    }
    return settings_set(settings, name, value, SETTING_FLAG, err);
}

/* Everything but settings; those have to wait for the file and the environment. */
static enum status parse_others(struct quarryd_options *options, bool settings_too,
                                struct error *err)
{
    for (int i = 1; i < options->argc; i++) {
        const char *services = NULL;
        struct str argument = str_of(options->argv[i]);
        if (parse_switch(options, argument) ||
            take_value(options, "--config", &i, &options->config) ||
            take_value(options, "--ports-file", &i, &options->ports_file))
            continue;
        if (take_value(options, "--services", &i, &services)) {
            TRY(parse_services(str_of(services), &options->services, err));
            continue;
        }
        if (settings_too)
            TRY(parse_flag(options->settings, argument, err));
    }
    return STATUS_OK;
}

static enum status check_addresses(const struct settings *settings, struct error *err)
{
    struct str list = str_of(settings_text(settings, SETTING_SERVICE_ADDRESSES));
    struct address address;
    bool found = true;
    while (found)
        TRY(addresses_next(&list, &address, &found, err));
    return STATUS_OK;
}

enum status options_parse(struct quarryd_options *ret, struct sys *sys, int argc, char **argv,
                          struct error *err)
{
    *ret = (struct quarryd_options){.services = all_services, .argc = argc, .argv = argv};
    TRY(settings_new(&ret->settings, err));
    TRY(parse_others(ret, false, err));
    if (ret->config)
        TRY(settings_load_file(ret->settings, sys, ret->config, err));
    TRY(settings_load_environment(ret->settings, environ, err));
    TRY(parse_others(ret, true, err));
    if (ret->node)
        ret->services = 1u << SERVICE_TENANT;
    return check_addresses(ret->settings, err);
}

void options_release(struct quarryd_options *options)
{
    settings_free(options->settings);
    options->settings = NULL;
}

bool options_is_loopback(const char *host)
{
    return strcmp(host, "localhost") == 0 || strcmp(host, "::1") == 0 ||
           (strncmp(host, "127.", 4) == 0 && host[strspn(host, "0123456789.")] == 0);
}

const char *options_address(const char *host)
{
    return strcmp(host, "localhost") == 0 ? "127.0.0.1" : host;
}

const char *options_reach(const char *host)
{
    if (strcmp(host, "0.0.0.0") == 0)
        return "127.0.0.1";
    return strcmp(host, "::") == 0 ? "::1" : options_address(host);
}

void options_url(const char *address, uint16_t port, char *out, size_t cap)
{
    bool v6 = strchr(address, ':') != NULL;
    snprintf(out, cap, "http://%s%s%s:%u", v6 ? "[" : "", address, v6 ? "]" : "", (unsigned)port);
}

enum status options_check_bind(const struct quarryd_options *options, struct error *err)
{
    static const enum setting hosts[] = {SETTING_BIND_HOST, SETTING_REST_HOST};
    if (options->insecure_bind ||
        strcmp(settings_text(options->settings, SETTING_AUTH_REQUIRED), "no") != 0)
        return STATUS_OK;
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        const char *host = settings_text(options->settings, hosts[i]);
        if (!options_is_loopback(host))
            return error_set(err, STATUS_INVALID_ARGUMENT,
                             "%s is %s, which other machines may reach, and AUTH_REQUIRED is no: "
                             "anyone there could read and change all data. Use 127.0.0.1, leave "
                             "AUTH_REQUIRED at auto, or say --insecure-bind",
                             setting_info(hosts[i])->name, host);
    }
    return STATUS_OK;
}

void options_print_help(void)
{
    struct buf text;
    buf_init(&text, 1 << 20);
    buf_printf(&text,
               "quarryd %s: all services of Quarry in one process tree\n\n"
               "usage: quarryd [options] [--setting=value ...]\n\n"
               "  --config FILE         read settings from FILE (key = value)\n"
               "  --services a,b        only these of: gateway, operation, optimizer, catalog,\n"
               "                        monitoring, interpreter, tenant\n"
               "  --node                only the tenant node, in this process\n"
               "  --ports-file FILE     write {\"gateway\":PORT,...} there when ready\n"
               "  --insecure-bind       allow addresses that other machines reach, although there\n"
               "                        is no authentication yet\n"
               "  --print-settings      show all settings with their sources\n"
               "  --help, --version\n\n"
               "Signals: TERM and INT stop it after running requests and a flush; HUP takes over\n"
               "those settings of the configuration file that can change while it runs.\n"
               "Exit status: 0 stopped as asked, 1 could not start or go on, 2 wrong usage.\n\n"
               "Settings come from the defaults below, then --config, then the environment "
               "(TENANT_ID=...),\nthen flags:\n\n",
               QUARRY_VERSION);
    settings_help(&text);
    if (!buf_failed(&text))
        fwrite(text.data, 1, text.len, stdout);
    buf_release(&text);
}

enum status options_print_settings(const struct quarryd_options *options, struct error *err)
{
    struct buf text;
    buf_init(&text, 1 << 20);
    settings_print(options->settings, &text);
    enum status status = buf_check(&text, "the list of settings", err);
    if (status == STATUS_OK)
        fwrite(text.data, 1, text.len, stdout);
    buf_release(&text);
    return status;
}

struct dsl_settings options_dsl(const struct settings *settings)
{
    return (struct dsl_settings){
        .max_depth = (uint32_t)settings_int(settings, SETTING_DSL_MAX_DEPTH),
        .strict = settings_bool(settings, SETTING_SQL_STRICT_MODE),
        .functions = settings_text(settings, SETTING_SQL_SUPPORTED_FUNCTIONS),
        .custom_functions = settings_bool(settings, SETTING_DSL_ALLOW_CUSTOM_FUNCTIONS),
        .lenient = !settings_bool(settings, SETTING_DSL_VALIDATION_ENABLED),
    };
}

struct trace_options options_trace(const struct settings *settings)
{
    return (struct trace_options){.ratio = settings_real(settings, SETTING_TRACE_SAMPLE_RATIO),
                                  .per_second =
                                      (uint32_t)settings_int(settings, SETTING_TRACE_PER_SECOND)};
}

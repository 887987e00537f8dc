/* options.h: what the command line, the environment and the configuration file ask for. */
#ifndef QUARRY_CMD_QUARRYD_OPTIONS_H
#define QUARRY_CMD_QUARRYD_OPTIONS_H

#include "query/dsl/dsl.h"
#include "service/operation.h"
#include "service/settings.h"
#include "service/trace.h"

struct quarryd_options {
    struct settings *settings;
    const char *config;     /* path or NULL */
    const char *ports_file; /* path or NULL */
    unsigned services;      /* set of 1 << service_kind */
    bool node;              /* only the tenant node, in this process */
    bool supervised;        /* with node: descriptor 3 leads to the supervisor */
    bool insecure_bind;
    bool print_settings, help, version;
    int argc;
    char **argv;
};

/* Strings are borrowed from argv. STATUS_INVALID_ARGUMENT names what is wrong. */
enum status options_parse(struct quarryd_options *ret, struct sys *sys, int argc, char **argv,
                          struct error *err);
void options_release(struct quarryd_options *options);
/* Refuses hosts that are not this machine's own when no token is asked for, unless --insecure-bind
 * was given. */
enum status options_check_bind(const struct quarryd_options *options, struct error *err);
bool options_is_loopback(const char *host);
/* "localhost" as the address that it stands for. */
const char *options_address(const char *host);
/* Where this machine reaches what listens on `host`: "0.0.0.0" as the loopback. */
const char *options_reach(const char *host);
/* "http://address:port" */
void options_url(const char *address, uint16_t port, char *out, size_t cap);
/* The DSL's part of the settings; its text is borrowed from them. */
struct dsl_settings options_dsl(const struct settings *settings);
struct trace_options options_trace(const struct settings *settings);
/* --help and --print-settings, to standard output. */
void options_print_help(void);
enum status options_print_settings(const struct quarryd_options *options, struct error *err);

#endif

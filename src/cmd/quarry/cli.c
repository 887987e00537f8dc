/* cli.c: options, messages and small helpers of the commands. */
#include "cmd/quarry/cli.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

void cli_complain(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("quarry: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
}

void cli_complain_error(const struct error *err)
{
    cli_complain("%s: %s%s%s", status_info(err->status)->code, err->message,
                 err->cause[0] ? ": " : "", err->cause);
    if (err->line >= 0)
        fprintf(stderr, "  line: %lld\n", (long long)err->line);
    if (err->field[0])
        fprintf(stderr, "  field: %s\n  value: %s\n", err->field, err->value);
}

enum status cli_read_file(const char *path, struct buf *ret, struct error *err)
{
    bool standard = strcmp(path, "-") == 0;
    FILE *file = standard ? stdin : fopen(path, "re");
    if (!file)
        return error_errno(err, errno, "cannot open %s", path);
    size_t got = 0;
    do {
        if (!buf_reserve(ret, 64 * 1024))
            break;
        got = fread(ret->data + ret->len, 1, 64 * 1024, file);
        ret->len += got;
    } while (got);
    bool failed = ferror(file);
    if (!standard)
        (void)fclose(file); /* only read from */
    if (failed)
        return error_set(err, STATUS_IO, "cannot read %s", path);
    return buf_check(ret, path, err);
}

char *cli_count_text(uint64_t count, char *text)
{
    char digits[COUNT_TEXT_MAX];
    int len = snprintf(digits, sizeof digits, "%llu", (unsigned long long)count);
    char *at = text;
    for (int i = 0; i < len; i++) {
        if (i && (len - i) % 3 == 0)
            *at++ = ',';
        *at++ = digits[i];
    }
    *at = 0;
    return text;
}

char *cli_bytes_text(uint64_t bytes, char *text)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double value = (double)bytes;
    size_t unit = 0;
    for (; value >= 1024 && unit + 1 < sizeof units / sizeof units[0]; unit++)
        value /= 1024;
    (void)snprintf(text, COUNT_TEXT_MAX, unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
    return text;
}

static void print_arg(const struct arg *arg)
{
    char left[64];
    (void)snprintf(left, sizeof left, "%s%s%s", arg->name, arg->value ? " " : "",
                   arg->value ? arg->value : "");
    printf("  %-26s %s\n", left, arg->help);
}

static const struct arg *common_args(struct cli *cli, size_t *ret_len)
{
    static struct arg common[4];
    common[0] = (struct arg){"--url", ARG_TEXT, &cli->url, "URL", "server (or QUARRY_URL)"};
    common[1] = (struct arg){"--json", ARG_FLAG, &cli->json, NULL, "output for machines"};
    common[2] = (struct arg){"--wide", ARG_FLAG, &cli->wide, NULL, "do not cut long cells"};
    common[3] = (struct arg){"--help", ARG_FLAG, &cli->help, NULL, "this text"};
    *ret_len = ARGS_LEN(common);
    return common;
}

static void print_usage(struct cli *cli, const struct command *command, const struct arg *args,
                        size_t args_len)
{
    size_t common_len;
    const struct arg *common = common_args(cli, &common_len);
    printf("usage: quarry %s %s\n%s\n\n", command->name, command->usage, command->summary);
    for (size_t i = 0; i < args_len; i++)
        print_arg(&args[i]);
    for (size_t i = 0; i < common_len; i++)
        print_arg(&common[i]);
    if (command->operation) {
        fputs("\noperation behind it:\n", stdout);
        api_print_operation(stdout, command->operation);
    }
}

static const struct arg *find_arg(const struct arg *args, size_t len, struct str name)
{
    for (size_t i = 0; i < len; i++)
        if (str_is(name, args[i].name))
            return &args[i];
    return NULL;
}

static bool store_arg(const struct arg *arg, const char *value)
{
    struct texts *texts = arg->target;
    switch (arg->kind) {
    case ARG_FLAG:
        *(bool *)arg->target = true;
        return true;
    case ARG_TEXT:
        *(const char **)arg->target = value;
        return true;
    case ARG_INT:
        if (str_to_int64(str_of(value), arg->target) && *(int64_t *)arg->target >= 0)
            return true;
        cli_complain("%s takes a whole number, not \"%s\"", arg->name, value);
        return false;
    case ARG_TEXTS:
        if (texts->len == TEXTS_MAX) {
            cli_complain("%s may be given %d times at the most", arg->name, TEXTS_MAX);
            return false;
        }
        texts->items[texts->len++] = value;
        return true;
    }
    return false;
}

/* One option at argv[*at]; moves *at past its value. */
static bool take_option(struct cli *cli, const struct arg *args, size_t args_len, int argc,
                        char **argv, int *at)
{
    size_t common_len;
    const struct arg *common = common_args(cli, &common_len);
    const char *equals = strchr(argv[*at], '=');
    struct str name =
        equals ? str_make(argv[*at], (size_t)(equals - argv[*at])) : str_of(argv[*at]);
    const struct arg *arg = find_arg(args, args_len, name);
    if (!arg)
        arg = find_arg(common, common_len, name);
    if (!arg) {
        cli_complain("unknown option %.*s", STR_ARG(name));
        return false;
    }
    if (arg->kind == ARG_FLAG && equals) {
        cli_complain("%s takes no value", arg->name);
        return false;
    }
    const char *value = equals ? equals + 1 : NULL;
    if (arg->kind != ARG_FLAG && !value) {
        if (*at + 1 == argc) {
            cli_complain("%s needs a value", arg->name);
            return false;
        }
        value = argv[++*at];
    }
    return store_arg(arg, value);
}

bool args_parse(struct cli *cli, const struct command *command, const struct arg *args,
                size_t args_len, int min, int max, int *argc, char **argv, int *ret_exit)
{
    int operands = 0;
    bool options = true;
    *ret_exit = EXIT_USAGE;
    for (int at = 0; at < *argc; at++) {
        if (options && strcmp(argv[at], "--") == 0) {
            options = false;
        } else if (options && argv[at][0] == '-' && argv[at][1]) {
            if (strcmp(argv[at], "-h") == 0)
                cli->help = true;
            else if (!take_option(cli, args, args_len, *argc, argv, &at))
                return false;
        } else {
            argv[operands++] = argv[at];
        }
    }
    *argc = operands;
    if (cli->help) {
        print_usage(cli, command, args, args_len);
        *ret_exit = EXIT_DONE;
        return false;
    }
    if (operands < min || operands > max) {
        cli_complain("usage: quarry %s %s", command->name, command->usage);
        return false;
    }
    return true;
}

/* cli.h: what all commands of `quarry` share: the settings of one run, options, exit codes.
 *
 * Calling order: main() picks a row of the table of commands; the command calls args_parse() with
 * its own options, talks through client.h, prints through table.h, and returns an exit code. */
#ifndef QUARRY_CMD_CLI_H
#define QUARRY_CMD_CLI_H

#include <stdio.h>

#include "base/json.h"

enum exit_code {
    EXIT_DONE = 0,
    EXIT_REFUSED = 1,     /* the server answered with an error */
    EXIT_USAGE = 2,       /* the command line is wrong */
    EXIT_UNREACHABLE = 3, /* no answer from the server */
    EXIT_INPUT = 4,       /* a file cannot be read or is not what it should be */
    EXIT_INTERRUPTED = 130,
};

struct cli {
    const char *url;
    bool json; /* machine output */
    bool wide; /* cells are not cut */
    bool help;
};

struct command {
    const char *name;
    const char *usage;     /* what follows the name */
    const char *operation; /* of the operation list, whose fields the help shows; or NULL */
    const char *summary;
    int (*run)(struct cli *cli, const struct command *command, int argc, char **argv);
};

/* NULL past the end. */
const struct command *command_at(size_t index);

int cmd_sources(struct cli *cli, const struct command *command, int argc, char **argv);
int cmd_snapshots(struct cli *cli, const struct command *command, int argc, char **argv);
int cmd_compact(struct cli *cli, const struct command *command, int argc, char **argv);
int cmd_write(struct cli *cli, const struct command *command, int argc, char **argv);
int cmd_delete(struct cli *cli, const struct command *command, int argc, char **argv);
int cmd_update(struct cli *cli, const struct command *command, int argc, char **argv);
int cmd_load(struct cli *cli, const struct command *command, int argc, char **argv);
int cmd_convert(struct cli *cli, const struct command *command, int argc, char **argv);
int cmd_search(struct cli *cli, const struct command *command, int argc, char **argv);
int cmd_aggregate(struct cli *cli, const struct command *command, int argc, char **argv);
int cmd_sql(struct cli *cli, const struct command *command, int argc, char **argv);
int cmd_health(struct cli *cli, const struct command *command, int argc, char **argv);
int cmd_stats(struct cli *cli, const struct command *command, int argc, char **argv);
int cmd_fsck(struct cli *cli, const struct command *command, int argc, char **argv);
int cmd_repair(struct cli *cli, const struct command *command, int argc, char **argv);
int cmd_backup(struct cli *cli, const struct command *command, int argc, char **argv);
int cmd_restore(struct cli *cli, const struct command *command, int argc, char **argv);
int cmd_catalog(struct cli *cli, const struct command *command, int argc, char **argv);
int cmd_assets(struct cli *cli, const struct command *command, int argc, char **argv);
int cmd_nodes(struct cli *cli, const struct command *command, int argc, char **argv);
int cmd_scale(struct cli *cli, const struct command *command, int argc, char **argv);
int cmd_api(struct cli *cli, const struct command *command, int argc, char **argv);
/* Summary and fields of one operation, from the list. */
void api_print_operation(FILE *out, const char *name);

/* The catalog instead of the tenant node's usual address (cmd_assets.c). */
void cli_choose_catalog(struct cli *cli);

/* --- options --- */
enum arg_kind { ARG_FLAG, ARG_TEXT, ARG_INT, ARG_TEXTS };
enum { TEXTS_MAX = 64 };

struct texts {
    const char *items[TEXTS_MAX];
    size_t len;
};

struct arg {
    const char *name; /* "--batch" */
    enum arg_kind kind;
    void *target;      /* bool, const char *, int64_t, struct texts */
    const char *value; /* word for the help */
    const char *help;
};

/* Takes options (also the common ones) out of argv, leaving the operands. Between `min` and `max`
 * of these must remain. False after a message or the help; then return *ret_exit. */
bool args_parse(struct cli *cli, const struct command *command, const struct arg *args,
                size_t args_len, int min, int max, int *argc, char **argv, int *ret_exit);
#define ARGS_LEN(args) (sizeof(args) / sizeof((args)[0]))

/* "quarry: ..." on standard error. */
void cli_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* An error object: message, cause and place. */
void cli_complain_error(const struct error *err);

/* Whole file, or standard input for "-", up to 64 MiB. */
enum status cli_read_file(const char *path, struct buf *ret, struct error *err);
/* 1234567 -> "1,234,567"; `text` has COUNT_TEXT_MAX bytes; returns it. */
enum { COUNT_TEXT_MAX = 32 };
char *cli_count_text(uint64_t count, char *text);
/* 1536 -> "1.5 KiB" */
char *cli_bytes_text(uint64_t bytes, char *text);

#endif

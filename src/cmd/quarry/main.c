/* main.c: `quarry`, the command line: picks the command. One file a command; the table is here. */
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/quarry/cli.h"
#include "quarry_version.h"

static const struct command commands[] = {
    {"sources", "list | add SOURCE [OPTIONS] | show SOURCE | remove SOURCE | flush SOURCE",
     "sources_add", "Lists, declares, shows, removes, flushes sources.", cmd_sources},
    {"snapshots",
     "list SOURCE | tag SOURCE SNAPSHOT NAME | untag SOURCE NAME | rollback SOURCE SNAPSHOT|TAG",
     NULL, "Earlier states of a source: lists, names, brings back.", cmd_snapshots},
    {"compact", "SOURCE", "compaction_start", "Joins a source's small files.", cmd_compact},
    {"write", "SOURCE FILE|-", "data_write", "Stores the records of a file as one atomic batch.",
     cmd_write},
    {"load", "SOURCE FILE...", NULL,
     "Loads files of any size in batches, with progress and resume.", cmd_load},
    {"convert", "FORMAT FILE", NULL,
     "Prints the records of a file as NDJSON, as `load` would send them.", cmd_convert},
    {"delete", "SOURCE", "data_delete", "Deletes records by filters.", cmd_delete},
    {"update", "SOURCE", "data_update", "Sets columns of records by filters.", cmd_update},
    {"search", "SOURCE...", "data_search", "Finds records by filters.", cmd_search},
    {"aggregate", "SOURCE...", "data_aggregate", "Computes counts, sums and so on over records.",
     cmd_aggregate},
    {"sql", "['SELECT ...'|-]", "query_sql", "Runs a statement; without one, an interactive shell.",
     cmd_sql},
    {"fsck", "DATA_PATH", NULL, "Checks every byte of a data folder that no server has open.",
     cmd_fsck},
    {"repair", "DATA_PATH", NULL, "Mends what fsck finds, as far as nothing is lost by it.",
     cmd_repair},
    {"backup", "URL|DATA_PATH DEST | verify BACKUP", NULL,
     "Copies a tenant's data, also while it is in use; checks such a copy.", cmd_backup},
    {"restore", "BACKUP DATA_PATH", NULL, "Makes a data folder from a backup.", cmd_restore},
    {"catalog",
     "verify URL | repair URL | digest URL | migrate FROM TO | reindex URL | "
     "backup URL FILE | restore FILE URL | restore --at TIME FROM TO",
     NULL, "Catalogs by their URLs (sqlite:FILE, file:FOLDER, ...): checks, copies, backs up.",
     cmd_catalog},
    {"asset",
     "list | show ID | create KIND NAME | update ID | delete ID | undelete ID | move ID STATE |"
     " approve ID STATE | announce ID STATE | approvals ID | withdraw ID APPROVAL |"
     " owner ID OWNER | history ID | lineage ID | relate ID TYPE TARGET | relations ID",
     NULL, "Assets of the catalog.", cmd_assets},
    {"collection",
     "list | show NAME | create NAME | update NAME | delete NAME | stats |"
     " partitions NAME | ingestions NAME | permissions NAME | grant NAME USER PERMISSION",
     NULL, "Vector collections (--set dimension=768 --set metric_type=COSINE).", cmd_assets},
    {"user", "list | show NAME | create NAME | update NAME | delete NAME", NULL,
     "Users of the tenant.", cmd_assets},
    {"role", "list | show NAME | create NAME | update NAME | delete NAME", NULL,
     "Roles of the tenant.", cmd_assets},
    {"grant",
     "list ASSET | add ASSET USER PERMISSION | role ASSET ROLE PERMISSION | remove ASSET GRANT",
     NULL, "Permissions on assets.", cmd_assets},
    {"config", "list | get KEY | set KEY VALUE | delete KEY", NULL, "Settings of the tenant.",
     cmd_assets},
    {"tenant",
     "list | show ID | create ID | update ID | suspend ID REASON | resume ID | delete ID |"
     " undelete ID",
     NULL, "Tenants of the place, with their limits (--set max_bytes=..., grace_days=...).",
     cmd_assets},
    {"audit", "list", "audit_list", "The audit log.", cmd_assets},
    {"node",
     "validate FILE... | stamp FILE... | register FILE... | import FOLDER | pull URL |"
     " search WORD... |"
     " resolve NAME@RANGE... | list | versions NAMESPACE NAME | show NAMESPACE NAME VERSION |"
     " delete NAMESPACE NAME VERSION",
     NULL, "Versioned nodes: metadata blocks, the registry, versions that go together.", cmd_nodes},
    {"scale", "simulate FILE", NULL, "Tries a policy of scaling on a recorded load.", cmd_scale},
    {"health", "", "health", "Asks the server how it is.", cmd_health},
    {"stats", "", "tenant_stats", "Totals of the tenant and its sources.", cmd_stats},
    {"api", "[OPERATION]", NULL, "Lists the server's operations, or explains one.", cmd_api},
};

const struct command *command_at(size_t index)
{
    return index < sizeof commands / sizeof commands[0] ? &commands[index] : NULL;
}

static const struct command *command_find(const char *name)
{
    const struct command *command;
    for (size_t i = 0; (command = command_at(i)); i++)
        if (strcmp(command->name, name) == 0)
            return command;
    return NULL;
}

static void print_help(FILE *out)
{
    const struct command *command;
    fprintf(out,
            "quarry %s: the command line of Quarry\n\n"
            "usage: quarry COMMAND [OPERANDS] [--url URL] [--json] [--wide]\n\n",
            QUARRY_VERSION);
    for (size_t i = 0; (command = command_at(i)); i++)
        fprintf(out, "  %-10s %s\n", command->name, command->summary);
    fprintf(
        out,
        "\n`quarry COMMAND --help` explains one. The server is --url, else QUARRY_URL, else\n"
        "http://127.0.0.1:8000; a token for it is QUARRY_TOKEN, a file of certificates to believe\n"
        "QUARRY_CA_FILE. Exit status: 0 done, 1 refused by the server, 2 usage, 3 no answer,\n"
        "4 bad input, 130 interrupted.\n");
}

/* The common options may stand before the command too. */
static int skip_common(struct cli *cli, int argc, char **argv, int at)
{
    for (; at < argc && argv[at][0] == '-'; at++) {
        if (strcmp(argv[at], "--json") == 0)
            cli->json = true;
        else if (strcmp(argv[at], "--wide") == 0)
            cli->wide = true;
        else if (strcmp(argv[at], "--url") == 0 && at + 1 < argc)
            cli->url = argv[++at];
        else
            break;
    }
    return at;
}

int main(int argc, char **argv)
{
    struct cli cli = {.url = getenv("QUARRY_URL")};
    if (!cli.url || !*cli.url)
        cli.url = "http://127.0.0.1:8000";
    if (!setlocale(LC_CTYPE, "C.UTF-8"))
        (void)setlocale(LC_CTYPE, ""); /* widths may be off, nothing else */
    (void)signal(SIGPIPE, SIG_IGN);
    int at = skip_common(&cli, argc, argv, 1);
    const char *name = at < argc ? argv[at] : "help";
    if (strcmp(name, "--version") == 0) {
        printf("quarry %s\n", QUARRY_VERSION);
        return EXIT_DONE;
    }
    if (strcmp(name, "help") == 0 || strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
        const struct command *about = at + 1 < argc ? command_find(argv[at + 1]) : NULL;
        if (about) {
            char *help[] = {"--help"};
            return about->run(&cli, about, 1, help);
        }
        print_help(stdout);
        return at < argc ? EXIT_DONE : EXIT_USAGE;
    }
    const struct command *command = command_find(name);
    if (!command) {
        cli_complain("no command is called \"%s\"; see quarry help", name);
        return EXIT_USAGE;
    }
    return command->run(&cli, command, argc - at - 1, argv + at + 1);
}

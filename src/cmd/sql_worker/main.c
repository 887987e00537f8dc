/* quarry-sql-worker: runs tenant SQL in a cage. Started by the tenant node only, with one end of a
 * socket pair as descriptor 3 (query/sql/wire.h); not a command for people. */
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "query/sqlworker/worker.h"
#include "sys/process.h"

int main(void)
{
    struct stat info;
    if (fstat(PROCESS_CHANNEL_FD, &info) < 0 || !S_ISSOCK(info.st_mode)) {
        fputs("quarry-sql-worker is started by quarryd, it does nothing by itself\n", stderr);
        return 64;
    }
    int code = sqlworker_main(PROCESS_CHANNEL_FD);
    /* Not exit(): the engine's threads still run, and nothing is left to be written. */
    _exit(code);
}

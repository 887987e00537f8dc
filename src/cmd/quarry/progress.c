/* progress.c: see progress.h. Goes to standard error, so that standard output stays clean. */
#include "cmd/quarry/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "cmd/quarry/cli.h"

enum { BAR_WIDTH = 24, TERMINAL_STEP_US = 100000, PLAIN_STEP_US = 5000000 };

void progress_init(struct progress *progress, const char *name, bool quiet, int64_t now_us)
{
    bool terminal = isatty(STDERR_FILENO);
    *progress = (struct progress){.name = name,
                                  .terminal = terminal,
                                  .quiet = quiet,
                                  .begun_us = now_us,
                                  .shown_us = terminal ? now_us - TERMINAL_STEP_US : now_us};
}

static void draw_bar(double part)
{
    int full = (int)(part * BAR_WIDTH + 0.5);
    fputc('[', stderr);
    for (int i = 0; i < BAR_WIDTH; i++)
        fputc(i < full ? '#' : '.', stderr);
    fprintf(stderr, "] %3.0f%%  ", part * 100);
}

void progress_show(struct progress *progress, const struct progress_state *state, int64_t now_us)
{
    char rows[COUNT_TEXT_MAX], rate[COUNT_TEXT_MAX], bytes[COUNT_TEXT_MAX];
    int64_t step = progress->terminal ? TERMINAL_STEP_US : PLAIN_STEP_US;
    if (progress->quiet || now_us - progress->shown_us < step)
        return;
    progress->shown_us = now_us;
    double seconds = (double)(now_us - progress->begun_us) / 1e6;
    double part = state->bytes_total ? (double)state->bytes_done / (double)state->bytes_total : 0;
    double speed = seconds > 0 ? (double)(state->rows - state->old_rows) / seconds : 0;
    if (progress->terminal)
        fputs("\r\033[K", stderr);
    fprintf(stderr, "  %s ", progress->name);
    if (state->bytes_total || !state->bytes_done)
        draw_bar(part < 1 ? part : 1);
    fprintf(stderr, "%s  %s rows  %s rows/s", cli_bytes_text(state->bytes_done, bytes),
            cli_count_text(state->rows, rows), cli_count_text((uint64_t)speed, rate));
    if (state->bytes_total && part > 0.01 && part < 1)
        fprintf(stderr, "  ETA %.0f s", seconds / part * (1 - part));
    if (!progress->terminal)
        fputc('\n', stderr);
    progress->drawn = true;
}

void progress_end(struct progress *progress)
{
    if (progress->terminal && progress->drawn)
        fputs("\r\033[K", stderr);
}

#include "cmd/quarryd/supervisor.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "cmd/quarryd/node_channel.h"
#include "sys/process.h"

enum { ARGUMENTS_MAX = 256, OWN_ARGUMENTS_MAX = 8 };
static const int64_t backoff_first_us = 100000, backoff_max_us = 30000000;
static const int64_t backoff_reset_us = 60000000;

struct supervisor {
    const struct quarryd_options *options;
    struct sys *sys;
    const struct log *log;
    char *arguments[OWN_ARGUMENTS_MAX + 1]; /* NULL-ended */
    struct process process;
    struct node_channel channel;
    char failed[NODE_LINE_MAX]; /* why the node says that it cannot start; "": it has not */
    struct tenant_load load;    /* what it said last */
    bool load_came;
    bool was_ready;       /* once: from then on an end is a crash */
    int64_t backoff_us;   /* next wait */
    int64_t due_us;       /* monotonic: next start while backing off, the kill while stopping */
    int64_t up_us;        /* monotonic time of the last READY */
    pthread_mutex_t lock; /* of status */
    struct node_status status;
};

static void set_state(struct supervisor *s, enum node_state state)
{
    pthread_mutex_lock(&s->lock);
    s->status.state = state;
    s->status.pid = s->process.pid;
    s->status.since_us = sys_now_us(s->sys);
    s->status.restart_us = s->due_us;
    pthread_mutex_unlock(&s->lock);
}

void supervisor_status(struct supervisor *s, struct node_status *ret)
{
    pthread_mutex_lock(&s->lock);
    *ret = s->status;
    pthread_mutex_unlock(&s->lock);
}

/* Our own arguments again, so that settings mean the same there, then what makes it a node. */
static enum status spawn(struct supervisor *s, struct error *err)
{
    char *argv[ARGUMENTS_MAX];
    char port[32];
    int n = 0;
    const int others = OWN_ARGUMENTS_MAX + 4;
    if (s->options->argc > ARGUMENTS_MAX - others)
        return error_set(err, STATUS_INVALID_ARGUMENT, "more than %d arguments",
                         ARGUMENTS_MAX - others);
    for (; n < s->options->argc; n++)
        argv[n] = s->options->argv[n];
    for (int i = 0; s->arguments[i]; i++)
        argv[n++] = s->arguments[i];
    argv[n++] = (char *)(uintptr_t) "--node";
    argv[n++] = (char *)(uintptr_t) "--supervised";
    if (s->status.port) {
        snprintf(port, sizeof port, "--rest-port=%u", (unsigned)s->status.port);
        argv[n++] = port;
    }
    argv[n] = NULL;
    const struct process_options options = {
        .executable = "/proc/self/exe", .argv = argv, .channel = true, .die_with_parent = true};
    s->channel.len = 0;
    s->failed[0] = 0;
    s->load_came = false;
    TRY(process_spawn(&options, &s->process, err));
    set_state(s, NODE_STARTING);
    return STATUS_OK;
}

static void free_all(struct supervisor *s)
{
    for (int i = 0; s->arguments[i]; i++)
        free(s->arguments[i]);
    process_release(&s->process);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

static enum status copy_arguments(struct supervisor *s, const char *const *arguments,
                                  struct error *err)
{
    for (int i = 0; arguments && arguments[i]; i++) {
        if (i == OWN_ARGUMENTS_MAX)
            return error_set(err, STATUS_RESOURCE_LIMIT, "more than %d arguments for one node",
                             OWN_ARGUMENTS_MAX);
        s->arguments[i] = strdup(arguments[i]);
        if (!s->arguments[i])
            return error_no_memory(err);
    }
    return STATUS_OK;
}

enum status supervisor_start(const struct supervisor_options *options, struct sys *sys,
                             const struct log *log, struct supervisor **ret, struct error *err)
{
    struct supervisor *s = calloc(1, sizeof *s);
    if (!s)
        return error_no_memory(err);
    s->options = options->options;
    s->sys = sys;
    s->log = log;
    s->process = PROCESS_NONE;
    s->backoff_us = backoff_first_us;
    pthread_mutex_init(&s->lock, NULL);
    snprintf(s->status.tenant_id, sizeof s->status.tenant_id, "%.*s",
             (int)sizeof s->status.tenant_id - 1, options->tenant);
    enum status status = copy_arguments(s, options->arguments, err);
    if (status == STATUS_OK)
        status = spawn(s, err);
    if (status != STATUS_OK) {
        free_all(s);
        return error_wrap(err, "the tenant node cannot be started");
    }
    *ret = s;
    return STATUS_OK;
}

int supervisor_poll(struct supervisor *s, struct pollfd fds[SUPERVISOR_FDS])
{
    fds[0] = (struct pollfd){.fd = s->process.pid ? s->process.pidfd : -1, .events = POLLIN};
    fds[1] = (struct pollfd){.fd = s->process.channel, .events = POLLIN};
    if (s->status.state != NODE_BACKING_OFF && s->status.state != NODE_STOPPING)
        return -1;
    int64_t us = s->due_us - sys_mono_us(s->sys);
    return us <= 0 ? 0 : (int)(us / 1000) + 1;
}

/* --- what the node says --- */

static void on_ready(struct supervisor *s, uint16_t port)
{
    pthread_mutex_lock(&s->lock);
    s->status.port = port;
    pthread_mutex_unlock(&s->lock);
    s->was_ready = true;
    s->up_us = sys_mono_us(s->sys);
    set_state(s, NODE_RUNNING);
    log_event(s->log, LOG_INFO, "tenant node ready",
              LOG_TEXT("tenant", str_of(s->status.tenant_id)), LOG_NUM("pid", s->process.pid),
              LOG_NUM("port", port));
}

static void read_channel(struct supervisor *s)
{
    char line[NODE_LINE_MAX];
    unsigned port = 0;
    (void)node_channel_read(&s->channel, s->process.channel); /* its end shows at the process */
    while (node_channel_next(&s->channel, line)) {
        if (s->status.state == NODE_STARTING && sscanf(line, "READY %u", &port) == 1)
            on_ready(s, (uint16_t)port);
        else if (str_starts(str_of(line), STR("FAIL ")))
            snprintf(s->failed, sizeof s->failed, "%s", line + strlen("FAIL "));
        else
            s->load_came |= node_load_read(line, &s->load);
    }
}

void supervisor_ask_load(struct supervisor *s)
{
    if (s->status.state == NODE_RUNNING)
        node_channel_write(s->process.channel, "LOAD\n");
}

bool supervisor_take_load(struct supervisor *s, struct tenant_load *ret)
{
    bool came = s->load_came && s->status.state == NODE_RUNNING;
    *ret = s->load;
    s->load_came = false;
    return came;
}

void supervisor_set_workers(struct supervisor *s, uint32_t workers)
{
    char line[NODE_LINE_MAX];
    snprintf(line, sizeof line, "WORKERS %u\n", workers);
    if (s->status.state == NODE_RUNNING)
        node_channel_write(s->process.channel, line);
}

/* --- its end --- */

static void describe_end(struct supervisor *s, const struct process_end *end, char *out, size_t cap)
{
    if (s->failed[0])
        snprintf(out, cap, "%s", s->failed);
    else if (end->signal)
        snprintf(out, cap, "killed by signal %d (%s)", end->signal, sigabbrev_np(end->signal));
    else
        snprintf(out, cap, "exit status %d", end->exit_code);
}

static enum status on_end(struct supervisor *s, const struct process_end *end, struct error *err)
{
    char how[NODE_LINE_MAX];
    read_channel(s);
    describe_end(s, end, how, sizeof how);
    process_release(&s->process);
    s->process = PROCESS_NONE;
    pthread_mutex_lock(&s->lock);
    snprintf(s->status.last_end, sizeof s->status.last_end, "%.*s",
             (int)sizeof s->status.last_end - 1, how);
    pthread_mutex_unlock(&s->lock);
    if (s->status.state == NODE_STOPPING) {
        log_event(s->log, LOG_INFO, "tenant node stopped",
                  LOG_TEXT("tenant", str_of(s->status.tenant_id)), LOG_TEXT("how", str_of(how)));
        set_state(s, NODE_STOPPED);
        return STATUS_OK;
    }
    if (!s->was_ready) {
        set_state(s, NODE_STOPPED);
        return error_set(err, STATUS_UNAVAILABLE, "the tenant node did not start: %.400s", how);
    }
    int64_t now = sys_mono_us(s->sys);
    if (s->status.state == NODE_RUNNING && now - s->up_us >= backoff_reset_us)
        s->backoff_us = backoff_first_us;
    s->due_us = now + s->backoff_us;
    log_event(s->log, LOG_ERROR, "tenant node ended",
              LOG_TEXT("tenant", str_of(s->status.tenant_id)), LOG_TEXT("how", str_of(how)),
              LOG_NUM("restart_in_ms", s->backoff_us / 1000));
    s->backoff_us = s->backoff_us * 2 < backoff_max_us ? s->backoff_us * 2 : backoff_max_us;
    set_state(s, NODE_BACKING_OFF);
    return STATUS_OK;
}

static void start_again(struct supervisor *s)
{
    struct error err = ERROR_INIT;
    if (spawn(s, &err) == STATUS_OK)
        return;
    log_error(s->log, "the tenant node cannot be started again", &err);
    s->due_us = sys_mono_us(s->sys) + backoff_max_us;
    set_state(s, NODE_BACKING_OFF);
}

enum status supervisor_step(struct supervisor *s, const struct pollfd fds[SUPERVISOR_FDS],
                            struct error *err)
{
    struct process_end end;
    if (fds[1].revents & POLLIN)
        read_channel(s);
    if (s->process.pid && process_wait(&s->process, 0, &end, NULL) == STATUS_OK)
        return on_end(s, &end, err);
    if (fds[1].revents & (POLLHUP | POLLERR) && s->process.pid) {
        /* The node closed its end: it is about to be gone, do not spin until then. */
        if (process_wait(&s->process, 100, &end, NULL) == STATUS_OK)
            return on_end(s, &end, err);
    }
    if (s->status.state == NODE_BACKING_OFF && sys_mono_us(s->sys) >= s->due_us) {
        pthread_mutex_lock(&s->lock);
        s->status.restarts++;
        pthread_mutex_unlock(&s->lock);
        start_again(s);
    }
    if (s->status.state == NODE_STOPPING && sys_mono_us(s->sys) >= s->due_us) {
        process_kill(&s->process, SIGKILL);
        s->due_us += backoff_max_us;
    }
    return STATUS_OK;
}

void supervisor_halt(struct supervisor *s, uint32_t grace_ms)
{
    if (s->status.state == NODE_STOPPING || s->status.state == NODE_STOPPED)
        return;
    s->due_us = sys_mono_us(s->sys) + (int64_t)grace_ms * 1000;
    set_state(s, s->process.pid ? NODE_STOPPING : NODE_STOPPED);
    process_kill(&s->process, SIGTERM);
}

void supervisor_run(struct supervisor *s)
{
    if (s->status.state == NODE_STOPPED)
        start_again(s);
}

void supervisor_signal(struct supervisor *s, int signal)
{
    process_kill(&s->process, signal);
}

bool supervisor_stop(struct supervisor *s, uint32_t grace_ms)
{
    struct process_end end = {.exit_code = 0};
    bool good = true;
    if (!s)
        return true;
    if (s->process.pid) {
        set_state(s, NODE_STOPPING);
        process_kill(&s->process, SIGTERM);
        good =
            process_wait(&s->process, (int)grace_ms, &end, NULL) == STATUS_OK && end.exit_code == 0;
    }
    free_all(s);
    return good;
}

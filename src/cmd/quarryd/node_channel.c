#include "cmd/quarryd/node_channel.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

bool node_channel_read(struct node_channel *channel, int fd)
{
    if (channel->len == sizeof channel->text - 1)
        channel->len = 0; /* no line of ours is so long */
    ssize_t n = recv(fd, channel->text + channel->len, sizeof channel->text - 1 - channel->len,
                     MSG_DONTWAIT);
    if (n > 0)
        channel->len += (size_t)n;
    return n > 0 || (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR));
}

bool node_channel_next(struct node_channel *channel, char line[NODE_LINE_MAX])
{
    const char *end = memchr(channel->text, '\n', channel->len);
    if (!end)
        return false;
    size_t len = (size_t)(end - channel->text);
    memcpy(line, channel->text, len);
    line[len] = 0;
    channel->len -= len + 1;
    memmove(channel->text, end + 1, channel->len);
    return true;
}

void node_channel_write(int fd, const char *line)
{
    ssize_t sent = send(fd, line, strlen(line), MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)sent;
}

void node_load_write(const struct tenant_load *load, char line[NODE_LINE_MAX])
{
    snprintf(line, NODE_LINE_MAX, "LOAD %llu %llu %llu %llu %u %u %u %u %u\n",
             (unsigned long long)load->cpu_us, (unsigned long long)load->memory_bytes,
             (unsigned long long)load->ended, (unsigned long long)load->took_us, load->running,
             load->waiting, load->workers, load->workers_max, load->workers_most);
}

bool node_load_read(const char *line, struct tenant_load *ret)
{
    unsigned long long cpu_us, memory, ended, took_us;
    struct tenant_load load = {0};
    if (sscanf(line, "LOAD %llu %llu %llu %llu %u %u %u %u %u", &cpu_us, &memory, &ended, &took_us,
               &load.running, &load.waiting, &load.workers, &load.workers_max,
               &load.workers_most) != 9)
        return false;
    load.cpu_us = cpu_us;
    load.memory_bytes = memory;
    load.ended = ended;
    load.took_us = took_us;
    *ret = load;
    return true;
}

/* ingest.c: load generator for POST /data/write: raw sockets, keep-alive, one thread and connection
 * a client, bodies made before the clock starts, so that it is not the bottleneck.
 *
 *   ingest HOST PORT SOURCE CLIENTS BATCH SECONDS [PID...]
 *
 * Records have 11 fields and about 220 bytes of NDJSON. Each client sends batches of BATCH records
 * one after the other and waits for the acknowledgement. PIDs: processes whose CPU time is counted.
 * Prints one line of JSON: {clients, batch, seconds, acks, rows, rows_per_s, mb_per_s, acks_per_s,
 * p50_ms, p99_ms, server_cpu_us_per_row}. Exit status 1 when an answer is not 200. */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "record.h"

enum { CLIENTS_MAX = 256, HEAD_MAX = 512, ANSWER_MAX = 64 * 1024 };
enum { BODIES = 16, LATENCIES_MAX = 1 << 20 };

struct client {
    pthread_t thread;
    int number, socket;
    char *bodies[BODIES];
    size_t body_len[BODIES]; /* with its head */
    size_t json_len;         /* of a body, without */
    double *latencies;
    size_t acks;
    int failed;
    char answer[ANSWER_MAX];
};

static const char *host, *source;
static int port, batch;
static double run_seconds;

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void make_bodies(struct client *client)
{
    unsigned long id = (unsigned long)client->number * 100000000ul;
    for (int i = 0; i < BODIES; i++) {
        char *text = malloc((size_t)batch * RECORD_MAX + HEAD_MAX);
        char head[HEAD_MAX];
        size_t len = HEAD_MAX;
        if (!text)
            abort();
        for (int record = 0; record < batch; record++)
            len += (size_t)make_record(text + len, id++);
        int head_len = snprintf(head, sizeof head,
                                "POST /data/write?source_id=%s HTTP/1.1\r\nHost: %s\r\n"
                                "Content-Type: application/x-ndjson\r\nContent-Length: %zu\r\n\r\n",
                                source, host, len - HEAD_MAX);
        memmove(text + head_len, text + HEAD_MAX, len - HEAD_MAX);
        memcpy(text, head, (size_t)head_len);
        client->bodies[i] = text;
        client->json_len = len - HEAD_MAX;
        client->body_len[i] = len - HEAD_MAX + (size_t)head_len;
    }
}

static int send_all(int socket_fd, const char *data, size_t len)
{
    while (len) {
        ssize_t sent = send(socket_fd, data, len, MSG_NOSIGNAL);
        if (sent <= 0)
            return -1;
        data += sent;
        len -= (size_t)sent;
    }
    return 0;
}

/* One answer with Content-Length; its status, or -1. */
static int read_answer(struct client *client)
{
    size_t len = 0;
    for (;;) {
        ssize_t got = recv(client->socket, client->answer + len, ANSWER_MAX - 1 - len, 0);
        if (got <= 0)
            return -1;
        len += (size_t)got;
        client->answer[len] = 0;
        char *end = strstr(client->answer, "\r\n\r\n");
        char *length = strcasestr(client->answer, "content-length:");
        if (end && length && length < end &&
            len >= (size_t)(end + 4 - client->answer) + strtoul(length + 15, NULL, 10))
            return atoi(client->answer + 9);
    }
}

static int open_socket(void)
{
    int one = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    inet_pton(AF_INET, host, &address.sin_addr);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        perror("connect");
        exit(1);
    }
    return fd;
}

static void *work(void *context)
{
    struct client *client = context;
    double end = now() + run_seconds;
    for (double begin = now(); begin < end; begin = now()) {
        int body = (int)(client->acks % BODIES);
        if (send_all(client->socket, client->bodies[body], client->body_len[body]) != 0 ||
            read_answer(client) != 200) {
            client->failed = 1;
            break;
        }
        if (client->acks < LATENCIES_MAX)
            client->latencies[client->acks] = now() - begin;
        client->acks++;
    }
    return NULL;
}

/* User and system time of the processes, in seconds. */
static double cpu_seconds(char **pids, int len)
{
    double sum = 0;
    for (int i = 0; i < len; i++) {
        char path[64], text[1024];
        unsigned long user, kernel;
        snprintf(path, sizeof path, "/proc/%s/stat", pids[i]);
        FILE *file = fopen(path, "r");
        if (!file)
            continue;
        size_t got = fread(text, 1, sizeof text - 1, file);
        text[got] = 0;
        fclose(file);
        char *behind = strrchr(text, ')');
        if (behind && sscanf(behind + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
                             &user, &kernel) == 2)
            sum += (double)(user + kernel) / (double)sysconf(_SC_CLK_TCK);
    }
    return sum;
}

static int compare(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

static int report(struct client *clients, int count, double seconds, double cpu)
{
    size_t acks = 0, kept = 0;
    double bytes = 0;
    int failed = 0;
    for (int i = 0; i < count; i++) {
        acks += clients[i].acks;
        bytes += (double)clients[i].acks * (double)clients[i].json_len;
        failed |= clients[i].failed;
        if (clients[i].failed)
            fprintf(stderr, "ingest: %.300s\n", clients[i].answer);
    }
    double *all = malloc((acks + 1) * sizeof *all);
    if (!all)
        abort();
    for (int i = 0; i < count; i++)
        for (size_t j = 0; j < clients[i].acks && j < LATENCIES_MAX; j++)
            all[kept++] = clients[i].latencies[j];
    qsort(all, kept, sizeof *all, compare);
    double rows = (double)acks * batch;
    printf("{\"clients\":%d,\"batch\":%d,\"seconds\":%.3f,\"acks\":%zu,\"rows\":%.0f,"
           "\"rows_per_s\":%.0f,\"mb_per_s\":%.1f,\"acks_per_s\":%.0f,\"p50_ms\":%.3f,"
           "\"p99_ms\":%.3f,\"server_cpu_us_per_row\":%.3f}\n",
           count, batch, seconds, acks, rows, rows / seconds, bytes / seconds / 1e6,
           (double)acks / seconds, kept ? all[kept / 2] * 1e3 : 0,
           kept ? all[kept * 99 / 100] * 1e3 : 0, rows > 0 ? cpu / rows * 1e6 : 0);
    free(all);
    return failed;
}

int main(int argc, char **argv)
{
    static struct client clients[CLIENTS_MAX];
    if (argc < 7 || atoi(argv[4]) < 1 || atoi(argv[4]) > CLIENTS_MAX || atoi(argv[5]) < 1) {
        fprintf(stderr, "usage: ingest HOST PORT SOURCE CLIENTS BATCH SECONDS [PID...]\n");
        return 2;
    }
    host = argv[1];
    port = atoi(argv[2]);
    source = argv[3];
    int count = atoi(argv[4]);
    batch = atoi(argv[5]);
    run_seconds = atof(argv[6]);
    for (int i = 0; i < count; i++) {
        clients[i].number = i;
        clients[i].latencies = malloc(LATENCIES_MAX * sizeof(double));
        clients[i].socket = open_socket();
        make_bodies(&clients[i]);
    }
    double cpu = cpu_seconds(argv + 7, argc - 7), begin = now();
    for (int i = 0; i < count; i++)
        pthread_create(&clients[i].thread, NULL, work, &clients[i]);
    for (int i = 0; i < count; i++)
        pthread_join(clients[i].thread, NULL);
    double seconds = now() - begin;
    return report(clients, count, seconds, cpu_seconds(argv + 7, argc - 7) - cpu);
}

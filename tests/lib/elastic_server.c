#include "lib/elastic_server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/json.h"
#include "net/http_client.h"

enum { REPLY_MAX = 64 << 20, TIMEOUT_MS = 30000 };

/* --- the process --- */

static void run_server(int input, int output, const char *distribution)
{
    const char *root = getenv("QUARRY_ROOT");
    char path[512];
    snprintf(path, sizeof path, "%s/tests/lib/elastic/server.py", root ? root : ".");
    dup2(input, STDIN_FILENO);
    dup2(output, STDOUT_FILENO);
    close(input);
    close(output);
    setenv("PYTHONDONTWRITEBYTECODE", "1", 1);
    execlp("/usr/bin/python3", "python3", path, "0", distribution, (char *)NULL);
    _exit(127);
}

static int read_port(int fd)
{
    char text[32];
    size_t len = 0;
    while (len < sizeof text - 1 && read(fd, text + len, 1) == 1 && text[len] != '\n')
        len++;
    text[len] = '\0';
    return atoi(text);
}

bool elastic_server_start(struct elastic_server *server, const char *distribution)
{
    int input[2], output[2];
    if (pipe(input) < 0 || pipe(output) < 0)
        return false;
    server->pid = fork();
    if (server->pid == 0) {
        close(input[1]);
        close(output[0]);
        run_server(input[0], output[1], distribution);
    }
    close(input[0]);
    close(output[1]);
    server->input = input[1];
    server->port = read_port(output[0]);
    close(output[0]);
    if (server->port > 0)
        return true;
    printf("# tests/lib/elastic/server.py did not start\n");
    elastic_server_stop(server);
    return false;
}

void elastic_server_stop(struct elastic_server *server)
{
    close(server->input);
    if (server->pid > 0)
        waitpid(server->pid, NULL, 0);
    server->pid = 0;
}

/* --- requests --- */

int elastic_server_ask(const char *method, const char *url, const char *body, char *out, size_t cap)
{
    const struct http_client_options options = {.timeout_ms = TIMEOUT_MS};
    const struct http_field type = {STR("Content-Type"), STR("application/json")};
    const struct http_call call = {.method = method,
                                   .url = url,
                                   .fields = &type,
                                   .field_count = body ? 1 : 0,
                                   .body = str_of(body)};
    struct http_client *client = NULL;
    struct http_reply reply;
    http_reply_init(&reply, REPLY_MAX);
    int status = 0;
    if (http_client_new(&options, &client, NULL) == STATUS_OK &&
        http_client_call(client, &call, &reply, NULL) == STATUS_OK)
        status = reply.status;
    if (out && cap) {
        size_t len = reply.body.len < cap ? reply.body.len : cap - 1;
        if (len)
            memcpy(out, reply.body.data, len);
        out[len] = '\0';
    }
    http_reply_release(&reply);
    http_client_free(client);
    return status;
}

/* By their names: servers refuse to delete by a pattern. */
bool elastic_server_wipe(const char *origin, const char *prefix)
{
    enum { ANSWER = 4 << 20 };
    char url[512], *answer = malloc(ANSWER);
    bool good = answer != NULL;
    snprintf(url, sizeof url, "%s/%s-*", origin, prefix);
    if (!good || elastic_server_ask("GET", url, NULL, answer, ANSWER) != 200) {
        free(answer);
        return false;
    }
    yyjson_doc *doc = yyjson_read(answer, strlen(answer), 0);
    size_t at, max;
    yyjson_val *name, *value;
    yyjson_obj_foreach(yyjson_doc_get_root(doc), at, max, name, value)
    {
        snprintf(url, sizeof url, "%s/%s", origin, yyjson_get_str(name));
        good = elastic_server_ask("DELETE", url, NULL, NULL, 0) == 200 && good;
    }
    yyjson_doc_free(doc);
    free(answer);
    return good;
}

bool elastic_server_faults(const struct elastic_server *server, const char *faults)
{
    char url[64], body[2048];
    snprintf(url, sizeof url, "http://127.0.0.1:%d/_faults", server->port);
    snprintf(body, sizeof body, "{\"faults\":%s}", faults);
    return elastic_server_ask("PUT", url, body, NULL, 0) == 200;
}

int64_t elastic_server_requests(const struct elastic_server *server, const char *name)
{
    char url[64], answer[8192];
    int64_t count = 0;
    snprintf(url, sizeof url, "http://127.0.0.1:%d/_faults", server->port);
    if (elastic_server_ask("GET", url, NULL, answer, sizeof answer) != 200)
        return -1;
    yyjson_doc *doc = yyjson_read(answer, strlen(answer), 0);
    yyjson_val *requests = json_get(yyjson_doc_get_root(doc), "requests"), *key, *value;
    size_t at, max;
    yyjson_obj_foreach(requests, at, max, key, value)
    {
        if (str_starts(json_str_of(key), str_of(name)))
            count += yyjson_get_sint(value);
    }
    yyjson_doc_free(doc);
    return count;
}

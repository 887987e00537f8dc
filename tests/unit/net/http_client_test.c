/* The client against our own server, plain and over TLS (with a certificate made here by the
 * openssl program), and against ports where nobody answers. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/http_rig.h"
#include "net/http_client.h"
#include "sys/process.h"
#include "sys/sys.h"

static struct http_rig rig;
static struct http_client *client;
static struct http_reply reply;
static struct error err;
static char url_text[256];

static int setup(void **state)
{
    (void)state;
    http_rig_start(&rig, (struct http_server_options){.body_max = 20 << 20});
    assert_int_equal(http_client_new(&(struct http_client_options){0}, &client, NULL), STATUS_OK);
    http_reply_init(&reply, 1 << 20);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    http_reply_release(&reply);
    http_client_free(client);
    http_rig_stop(&rig, 1000);
    return 0;
}

static const char *url(const char *path)
{
    snprintf(url_text, sizeof url_text, "http://127.0.0.1:%u%s", rig.port, path);
    return url_text;
}

static enum status call(struct http_call c)
{
    return http_client_call(client, &c, &reply, &err);
}

static void test_get(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(call((struct http_call){.url = url("/hello")}), STATUS_OK);
        assert_int_equal(reply.status, 200);
        assert_true(str_is(buf_str(&reply.body), "{\"hello\":\"world\",\"n\":12345}"));
        assert_true(str_is(http_reply_header(&reply, "content-type"), "application/json"));
        assert_null(http_reply_header(&reply, "x-none").data);
    }
    struct http_server_stats stats;
    http_server_get_stats(rig.server, &stats);
    assert_int_equal(stats.connections, 1); /* kept alive */
    assert_int_equal(call((struct http_call){.url = url("/none")}), STATUS_OK);
    assert_int_equal(reply.status, 500);
    assert_int_equal(call((struct http_call){.url = url("/hello"), .method = "HEAD"}), STATUS_OK);
    assert_int_equal(reply.status, 200);
    assert_int_equal(reply.body.len, 0);
}

static void test_methods_and_fields(void **state)
{
    (void)state;
    struct http_field fields[] = {{STR("X-Test"), STR("value")}, {STR("X-Empty"), STR("")}};
    struct http_call c = {
        .url = url("/i?a=%2F"), .method = "DELETE", .fields = fields, .field_count = 2};
    assert_int_equal(call(c), STATUS_OK);
    assert_true(str_is(buf_str(&reply.body), "DELETE|DELETE|/i|/i|127.0.0.1|value|a=/;"));
    fields[1].value = STR("a\r\nX-Evil: b");
    assert_int_equal(call(c), STATUS_INVALID_ARGUMENT);
    struct http_call post = {.url = url("/echo"), .body = STR("some text")};
    assert_int_equal(call(post), STATUS_OK);
    assert_true(str_is(buf_str(&reply.body), "some text"));
    post.body = STR("");
    assert_int_equal(call(post), STATUS_OK);
    assert_int_equal(reply.status, 200);
    assert_int_equal(reply.body.len, 0);
    /* Redirects and other answers are the caller's; a fault has its body. */
    assert_int_equal(call((struct http_call){.url = url("/%00")}), STATUS_OK);
    assert_int_equal(reply.status, 400);
    assert_true(str_is(buf_str(&reply.body), "{\"fault\":\"invalid_argument\"}"));
}

struct flow {
    uint64_t left;  /* to upload */
    uint64_t taken; /* downloaded */
    int heads;
    int status_at_head;
    uint64_t fail_at; /* of taken */
    bool cancel;
};

static enum status give(void *context, void *data, size_t cap, size_t *ret_len, struct error *e)
{
    struct flow *flow = context;
    if (flow->fail_at && flow->left < flow->fail_at)
        return error_set(e, STATUS_CORRUPT, "no more to give");
    *ret_len = flow->left < cap ? (size_t)flow->left : cap;
    memset(data, 1, *ret_len);
    flow->left -= *ret_len;
    return STATUS_OK;
}

static enum status head_came(void *context, const struct http_reply *r, struct error *e)
{
    (void)e;
    struct flow *flow = context;
    flow->heads++;
    flow->status_at_head = r->status;
    return STATUS_OK;
}

static enum status take(void *context, struct str bytes, struct error *e)
{
    struct flow *flow = context;
    flow->taken += bytes.len;
    if (flow->fail_at && flow->taken >= flow->fail_at)
        return error_set(e, STATUS_STORAGE_FULL, "cannot take more");
    return STATUS_OK;
}

static bool want_end(void *context)
{
    return ((struct flow *)context)->cancel;
}

static void test_streams(void **state)
{
    (void)state;
    struct flow flow = {.left = 10 << 20};
    struct http_call up = {.url = url("/count"), .upload = give, .context = &flow};
    assert_int_equal(call(up), STATUS_OK); /* chunked */
    assert_true(str_is(buf_str(&reply.body), "10485760 10485760"));
    flow.left = 5000000;
    up.upload_len = 5000000;
    up.method = "PUT";
    assert_int_equal(call(up), STATUS_OK);
    assert_true(str_is(buf_str(&reply.body), "5000000 5000000"));
    flow = (struct flow){.left = 5000000, .fail_at = 1000000};
    assert_int_equal(call(up), STATUS_CORRUPT);
    assert_string_equal(err.message, "no more to give");

    flow = (struct flow){0};
    struct http_call down = {
        .url = url("/down?n=30000000"), .head = head_came, .download = take, .context = &flow};
    assert_int_equal(call(down), STATUS_OK);
    assert_int_equal(flow.taken, 30000000);
    assert_int_equal(flow.heads, 1);
    assert_int_equal(flow.status_at_head, 200);
    assert_int_equal(reply.body.len, 0);
    flow = (struct flow){.fail_at = 100000};
    assert_int_equal(call(down), STATUS_STORAGE_FULL);
    assert_string_equal(err.message, "cannot take more");
    flow = (struct flow){0};
    down.url = url("/down?n=0");
    assert_int_equal(call(down), STATUS_OK);
    assert_int_equal(flow.heads, 1);
    down.download = NULL;
    down.url = url("/down?n=1048577");
    assert_int_equal(call(down), STATUS_RESOURCE_LIMIT);
}

static void test_faults(void **state)
{
    (void)state;
    struct flow flow = {.cancel = true};
    assert_int_equal(call((struct http_call){.url = "http://127.0.0.1:1/"}), STATUS_UNAVAILABLE);
    assert_non_null(strstr(err.message, "http://127.0.0.1:1/: "));
    assert_int_equal(reply.status, 0);
    assert_int_equal(call((struct http_call){.url = "http://nobody.invalid/"}), STATUS_UNAVAILABLE);
    assert_int_equal(call((struct http_call){.url = "file:///etc/passwd"}),
                     STATUS_INVALID_ARGUMENT);
    assert_int_equal(call((struct http_call){.url = "http://[x/"}), STATUS_INVALID_ARGUMENT);
    assert_int_equal(call((struct http_call){.url = url("/abort")}), STATUS_UNAVAILABLE);
    struct http_call block = {.url = url("/block"), .timeout_ms = 100};
    assert_int_equal(call(block), STATUS_TIMEOUT);
    block.timeout_ms = 0;
    block.cancelled = want_end;
    block.context = &flow;
    assert_int_equal(call(block), STATUS_CANCELLED);
    http_rig_open_gate(&rig);
    assert_int_equal(call((struct http_call){.url = url("/hello")}), STATUS_OK); /* still usable */
}

/* --- TLS --- */

static char *read_text(const char *path)
{
    struct buf buf;
    buf_init(&buf, 100000);
    assert_int_equal(sys_read_file(sys_posix(), path, &buf, NULL), STATUS_OK);
    buf_append_char(&buf, 0);
    return buf_take(&buf, NULL);
}

static bool make_certificate(const char *folder)
{
    char key[128], certificate[128];
    snprintf(key, sizeof key, "%s/key.pem", folder);
    snprintf(certificate, sizeof certificate, "%s/cert.pem", folder);
    char *argv[] = {"openssl",
                    "req",
                    "-x509",
                    "-newkey",
                    "ec",
                    "-pkeyopt",
                    "ec_paramgen_curve:prime256v1",
                    "-nodes",
                    "-days",
                    "2",
                    "-subj",
                    "/CN=localhost",
                    "-addext",
                    "subjectAltName=DNS:localhost,IP:127.0.0.1",
                    "-keyout",
                    key,
                    "-out",
                    certificate,
                    NULL};
    struct process child;
    struct process_end end = {0};
    int quiet = open("/dev/null", O_WRONLY | O_CLOEXEC);
    struct process_options options = {
        .executable = "/usr/bin/openssl", .argv = argv, .stderr_fd = quiet};
    bool good = process_spawn(&options, &child, NULL) == STATUS_OK &&
                process_wait(&child, 30000, &end, NULL) == STATUS_OK && end.exit_code == 0;
    process_release(&child);
    close(quiet);
    return good;
}

static void test_tls(void **state)
{
    (void)state;
    char folder[] = "/tmp/quarry_tls_XXXXXX", path[128];
    assert_non_null(mkdtemp(folder));
    if (!make_certificate(folder)) {
        sys_remove_tree(sys_posix(), folder, NULL);
        skip(); /* no openssl program */
    }
    snprintf(path, sizeof path, "%s/key.pem", folder);
    char *key = read_text(path);
    snprintf(path, sizeof path, "%s/cert.pem", folder);
    char *certificate = read_text(path);
    http_rig_start(&rig, (struct http_server_options){
                             .tls_key = key, .tls_certificate = certificate, .body_max = 20 << 20});
    free(key);
    free(certificate);
    struct http_client_options options = {.ca_file = path};
    struct flow flow = {.left = 10 << 20};
    char text[128];
    assert_int_equal(http_client_new(&options, &client, NULL), STATUS_OK);
    http_reply_init(&reply, 1 << 20);
    snprintf(text, sizeof text, "https://localhost:%u/hello", rig.port);
    assert_int_equal(call((struct http_call){.url = text}), STATUS_OK);
    assert_int_equal(reply.body.len, 27);
    snprintf(text, sizeof text, "https://127.0.0.1:%u/count", rig.port);
    assert_int_equal(call((struct http_call){.url = text, .upload = give, .context = &flow}),
                     STATUS_OK);
    assert_true(str_is(buf_str(&reply.body), "10485760 10485760"));
    snprintf(text, sizeof text, "https://localhost:%u/down?n=30000000", rig.port);
    flow = (struct flow){0};
    assert_int_equal(call((struct http_call){.url = text, .download = take, .context = &flow}),
                     STATUS_OK);
    assert_int_equal(flow.taken, 30000000);
    http_client_free(client);
    /* A certificate that nobody vouches for is refused; so is plain text on a TLS port. */
    assert_int_equal(http_client_new(&(struct http_client_options){0}, &client, NULL), STATUS_OK);
    assert_int_equal(call((struct http_call){.url = text}), STATUS_UNAVAILABLE);
    assert_int_equal(call((struct http_call){.url = url("/hello")}), STATUS_UNAVAILABLE);
    http_client_free(client);
    http_reply_release(&reply);
    http_rig_stop(&rig, 1000);
    assert_int_equal(sys_remove_tree(sys_posix(), folder, NULL), STATUS_OK);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_get),    T(test_methods_and_fields), T(test_streams),
        T(test_faults), cmocka_unit_test(test_tls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

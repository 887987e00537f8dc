/* input.c: see input.h. */
#include "cmd/quarry/input.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#define APT_HELPER "/usr/lib/apt/apt-helper"

enum { RAW_BYTES = 256 * 1024, GZIP_WINDOW_BITS = 15 + 16 };

struct input {
    int fd;
    pid_t helper; /* 0: none */
    bool at_end;  /* of the file */
    bool broken_off;
    enum { INPUT_PLAIN, INPUT_GZIP, INPUT_ZSTD } coding;
    z_stream gzip;
    ZSTD_DCtx *zstd;
    _Atomic uint64_t done;
    uint64_t total;
    size_t raw_at, raw_len;
    char raw[RAW_BYTES];
};

static bool has_suffix(const char *path, const char *suffix)
{
    return str_ends(str_of(path), str_of(suffix));
}

static bool is_packed(const char *path)
{
    return has_suffix(path, ".lz4") || has_suffix(path, ".xz") || has_suffix(path, ".lzma") ||
           has_suffix(path, ".bz2") || has_suffix(path, ".gz") || has_suffix(path, ".zst");
}

static enum status spawn_helper(struct input *input, const char *path, struct error *err)
{
    int ends[2];
    posix_spawn_file_actions_t actions;
    char *arguments[] = {APT_HELPER, "cat-file", (char *)path, NULL};
    if (access(path, R_OK) != 0)
        return error_errno(err, errno, "cannot open %s", path);
    if (pipe2(ends, O_CLOEXEC) != 0)
        return error_errno(err, errno, "cannot make a pipe");
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    int failed = posix_spawn(&input->helper, APT_HELPER, &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    (void)close(ends[1]);
    input->fd = ends[0];
    if (!failed)
        return STATUS_OK;
    input->helper = 0;
    return error_errno(err, failed, "cannot run %s, which reads the lists of apt", APT_HELPER);
}

static enum status open_file(struct input *input, const char *path, struct error *err)
{
    struct stat stat;
    input->fd = strcmp(path, "-") == 0 ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
    if (input->fd < 0 || fstat(input->fd, &stat) != 0)
        return error_errno(err, errno, "cannot open %s", path);
    if (S_ISDIR(stat.st_mode))
        return error_set(err, STATUS_INVALID_ARGUMENT, "%s is a directory", path);
    input->total = S_ISREG(stat.st_mode) ? (uint64_t)stat.st_size : 0;
    return STATUS_OK;
}

/* Fills `raw` when it is empty. */
static enum status fill(struct input *input, struct error *err)
{
    if (input->raw_at < input->raw_len || input->at_end)
        return STATUS_OK;
    ssize_t got;
    do {
        got = read(input->fd, input->raw, sizeof input->raw);
    } while (got < 0 && errno == EINTR);
    if (got < 0)
        return error_errno(err, errno, "cannot read the file");
    input->raw_at = 0;
    input->raw_len = (size_t)got;
    input->at_end = got == 0;
    atomic_fetch_add(&input->done, (uint64_t)got);
    return STATUS_OK;
}

static enum status find_coding(struct input *input, struct error *err)
{
    TRY(fill(input, err));
    const unsigned char *raw = (const unsigned char *)input->raw;
    if (input->raw_len >= 2 && raw[0] == 0x1f && raw[1] == 0x8b) {
        input->coding = INPUT_GZIP;
        if (inflateInit2(&input->gzip, GZIP_WINDOW_BITS) != Z_OK)
            return error_no_memory(err);
    } else if (input->raw_len >= 4 && memcmp(raw, "\x28\xb5\x2f\xfd", 4) == 0) {
        input->zstd = ZSTD_createDCtx();
        input->coding = INPUT_ZSTD;
        if (!input->zstd)
            return error_no_memory(err);
    }
    return STATUS_OK;
}

enum status input_open(const char *path, unsigned flags, struct input **ret_input,
                       struct error *err)
{
    struct input *input = calloc(1, sizeof *input);
    if (!input)
        return error_no_memory(err);
    input->fd = -1;
    enum status status = (flags & INPUT_APT) && is_packed(path) ? spawn_helper(input, path, err)
                                                                : open_file(input, path, err);
    if (status == STATUS_OK)
        status = find_coding(input, err);
    if (status != STATUS_OK) {
        input_close(input);
        return status;
    }
    *ret_input = input;
    return STATUS_OK;
}

static enum status read_plain(struct input *input, char *data, size_t cap, size_t *ret_len)
{
    size_t len = input->raw_len - input->raw_at;
    len = len < cap ? len : cap;
    memcpy(data, input->raw + input->raw_at, len);
    input->raw_at += len;
    *ret_len = len;
    return STATUS_OK;
}

static enum status read_gzip(struct input *input, char *data, size_t cap, size_t *ret_len,
                             struct error *err)
{
    z_stream *z = &input->gzip;
    z->next_in = (Bytef *)(input->raw + input->raw_at);
    z->avail_in = (uInt)(input->raw_len - input->raw_at);
    z->next_out = (Bytef *)data;
    z->avail_out = (uInt)(cap < 1u << 30 ? cap : 1u << 30);
    uInt room = z->avail_out;
    int result = inflate(z, Z_NO_FLUSH);
    input->raw_at = input->raw_len - z->avail_in;
    *ret_len = room - z->avail_out;
    input->broken_off = result != Z_STREAM_END;
    if (result == Z_STREAM_END)
        result = inflateReset(z); /* a further member may follow */
    if (result != Z_OK && result != Z_BUF_ERROR)
        return error_set(err, STATUS_CORRUPT, "the gzip data is damaged: %s",
                         z->msg ? z->msg : "unknown form");
    return STATUS_OK;
}

static enum status read_zstd(struct input *input, char *data, size_t cap, size_t *ret_len,
                             struct error *err)
{
    ZSTD_inBuffer in = {input->raw, input->raw_len, input->raw_at};
    ZSTD_outBuffer out = {data, cap, 0};
    size_t result = ZSTD_decompressStream(input->zstd, &out, &in);
    if (ZSTD_isError(result))
        return error_set(err, STATUS_CORRUPT, "the zstd data is damaged: %s",
                         ZSTD_getErrorName(result));
    if (in.pos > input->raw_at || out.pos) /* else it only asks for a further frame */
        input->broken_off = result != 0;
    input->raw_at = in.pos;
    *ret_len = out.pos;
    return STATUS_OK;
}

static enum status check_helper(struct input *input, struct error *err)
{
    int state = 0;
    if (!input->helper)
        return STATUS_OK;
    pid_t helper = input->helper;
    input->helper = 0;
    while (waitpid(helper, &state, 0) < 0 && errno == EINTR)
        ;
    if (WIFEXITED(state) && WEXITSTATUS(state) == 0)
        return STATUS_OK;
    return error_set(err, STATUS_IO, "%s failed", APT_HELPER);
}

enum status input_read(struct input *input, char *data, size_t cap, size_t *ret_len,
                       struct error *err)
{
    *ret_len = 0;
    while (*ret_len == 0) {
        TRY(fill(input, err));
        bool dry = input->raw_at == input->raw_len;
        if (input->at_end && dry && input->coding != INPUT_ZSTD) {
            if (input->broken_off)
                return error_set(err, STATUS_CORRUPT, "the compressed data ends too early");
            return check_helper(input, err);
        }
        if (input->coding == INPUT_PLAIN) {
            TRY(read_plain(input, data, cap, ret_len));
        } else if (input->coding == INPUT_GZIP) {
            TRY(read_gzip(input, data, cap, ret_len, err));
        } else {
            TRY(read_zstd(input, data, cap, ret_len, err));
            if (input->at_end && dry && *ret_len == 0)
                return input->broken_off
                           ? error_set(err, STATUS_CORRUPT, "the compressed data ends too early")
                           : STATUS_OK;
        }
    }
    return STATUS_OK;
}

void input_progress(const struct input *input, uint64_t *ret_done, uint64_t *ret_total)
{
    *ret_done = atomic_load(&((struct input *)input)->done);
    *ret_total = input->total;
}

void input_close(struct input *input)
{
    if (!input)
        return;
    if (input->fd >= 0)
        (void)close(input->fd);
    (void)check_helper(input, NULL); /* it ends when its pipe is closed */
    if (input->coding == INPUT_GZIP)
        (void)inflateEnd(&input->gzip);
    ZSTD_freeDCtx(input->zstd);
    free(input);
}

#include "base/log.h"

#include <time.h>
#include <unistd.h>

#include "base/datetime.h"
#include "base/json.h"

static const char *const level_names[] = {"debug", "info", "warn", "error"};

const char *log_level_name(enum log_level level)
{
    return level_names[level];
}

bool log_level_parse(struct str name, enum log_level *ret)
{
    for (size_t i = 0; i < sizeof level_names / sizeof *level_names; i++)
        if (str_is(name, level_names[i])) {
            *ret = (enum log_level)i;
            return true;
        }
    return false;
}

static void append_head(struct json_writer *w, const struct log *log, enum log_level level,
                        const char *message)
{
    struct timespec now;
    char text[TIMESTAMP_TEXT_MAX + 1];
    clock_gettime(CLOCK_REALTIME, &now);
    size_t n = timestamp_format((int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000, text);
    text[n++] = 'Z';
    json_begin_object(w);
    json_kv_str(w, "time", str_make(text, n));
    json_kv_strz(w, "level", level_names[level]);
    json_kv_strz(w, "service", log->service);
    json_kv_strz(w, "message", message);
}

static void append_field(struct json_writer *w, const struct log_field *field)
{
    enum { TAIL = 4 }; /* "}\n" and room to spare */
    struct buf *buf = w->buf;
    size_t before = buf->len;
    json_keyz(w, field->key);
    if (field->text.data)
        json_string(w, field->text);
    else
        json_int(w, field->number);
    if (buf_failed(buf) || buf->max - buf->len < TAIL) {
        buf->failed = false;
        buf->len = before;
        w->need_comma = true;
    }
}

void log_write(const struct log *log, enum log_level level, const char *message,
               const struct log_field *fields, size_t count)
{
    if (!log)
        return;
    const struct log_sink *sink = log->sink;
    bool shown = level >= log->level;
    bool taken = sink && sink->wants(sink->context, log->service, level);
    if (!shown && !taken)
        return;
    struct buf buf;
    struct json_writer w;
    buf_init(&buf, LOG_LINE_MAX);
    json_writer_init(&w, &buf);
    append_head(&w, log, level, message);
    for (size_t i = 0; i < count; i++)
        append_field(&w, &fields[i]);
    json_end_object(&w);
    buf_append_char(&buf, '\n');
    if (!buf_failed(&buf) && taken)
        sink->take(sink->context, log->service, level, buf_str(&buf));
    if (!buf_failed(&buf) && shown) {
        ssize_t written = write(log->fd, buf.data, buf.len);
        (void)written; /* nowhere to report a log that cannot be written */
    }
    buf_release(&buf);
}

void log_error(const struct log *log, const char *message, const struct error *err)
{
    const struct log_field fields[] = {
        LOG_TEXT("code", str_of(status_info(err->status)->code)),
        LOG_TEXT("error", str_of(err->message)),
        LOG_TEXT("cause", str_of(err->cause)),
    };
    log_write(log, LOG_ERROR, message, fields, sizeof fields / sizeof *fields);
}

/* builder.c: SQL texts with their parameters. */
#include "catalog/sqlite/builder_int.h"

enum { SQL_MAX = 65536 };

void sqlite_builder_init(struct builder *b, enum domain domain, struct arena *arena,
                         struct error *err)
{
    *b = (struct builder){.domain = domain, .arena = arena, .err = err};
    buf_init(&b->sql, SQL_MAX);
}

void builder_release(struct builder *b)
{
    buf_release(&b->sql);
}

void builder_clear(struct builder *b)
{
    buf_clear(&b->sql);
    b->parameters_len = 0;
}

/* --- parameters --- */

void sqlite_add_text(struct builder *b, struct str text)
{
    if (b->parameters_len < PARAMETERS_MAX)
        b->parameters[b->parameters_len++] =
            (struct parameter){.type = PARAMETER_TEXT, .text = text};
}

void add_int(struct builder *b, int64_t number)
{
    if (b->parameters_len < PARAMETERS_MAX)
        b->parameters[b->parameters_len++] =
            (struct parameter){.type = PARAMETER_INT, .number = number};
}

static void add_real(struct builder *b, double real)
{
    if (b->parameters_len < PARAMETERS_MAX)
        b->parameters[b->parameters_len++] =
            (struct parameter){.type = PARAMETER_REAL, .real = real};
}

/* A text that was written for this statement alone. */
static enum status add_written(struct builder *b, struct buf *buf, const char *what)
{
    enum status status = buf_check(buf, what, b->err);
    if (status == STATUS_OK) {
        struct str copy = arena_str(b->arena, buf_str(buf));
        sqlite_add_text(b, copy);
        status = copy.data ? STATUS_OK : error_no_memory(b->err);
    }
    buf_release(buf);
    return status;
}

enum status add_texts(struct builder *b, const struct str *texts, uint32_t len)
{
    struct buf buf;
    struct json_writer w;
    buf_init(&buf, 4 << 20);
    json_writer_init(&w, &buf);
    json_begin_array(&w);
    for (uint32_t i = 0; i < len; i++)
        json_string(&w, texts[i]);
    json_end_array(&w);
    return add_written(b, &buf, "a list of values");
}

/* SQLite's GLOB also has character classes: '[' stands for itself here. */
enum status sqlite_add_glob(struct builder *b, struct str pattern)
{
    struct buf buf;
    buf_init(&buf, 3 * RECORD_TEXT_MAX);
    for (size_t i = 0; i < pattern.len; i++) {
        if (pattern.data[i] == '[')
            buf_append_str(&buf, STR("[[]"));
        else
            buf_append_char(&buf, pattern.data[i]);
    }
    return add_written(b, &buf, "a pattern");
}

enum status add_scalar(struct builder *b, yyjson_val *value)
{
    struct str copy = STR("");
    if (yyjson_is_str(value))
        sqlite_add_text(b, copy = arena_str(b->arena, json_str_of(value)));
    else if (yyjson_is_bool(value))
        add_int(b, yyjson_get_bool(value));
    else if (yyjson_is_int(value))
        add_int(b, yyjson_get_sint(value));
    else
        add_real(b, yyjson_get_num(value));
    return copy.data ? STATUS_OK : error_no_memory(b->err);
}

/* --- the statement --- */

enum status builder_prepare(struct builder *b, struct connection *connection, sqlite3_stmt **ret)
{
    TRY(buf_check(&b->sql, "the query", b->err));
    if (b->parameters_len == PARAMETERS_MAX)
        return error_set(b->err, STATUS_RESOURCE_LIMIT, "the query has too many values");
    TRY(connection_prepare(connection, buf_str(&b->sql), ret, b->err));
    for (int i = 0; i < b->parameters_len; i++) {
        const struct parameter *parameter = &b->parameters[i];
        if (parameter->type == PARAMETER_TEXT)
            bind_text(*ret, i + 1, parameter->text);
        else if (parameter->type == PARAMETER_INT)
            sqlite3_bind_int64(*ret, i + 1, parameter->number);
        else
            sqlite3_bind_double(*ret, i + 1, parameter->real);
    }
    return STATUS_OK;
}

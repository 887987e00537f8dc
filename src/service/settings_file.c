/* The configuration file: a subset of TOML, line by line; see settings.h. */
#include <stdio.h>

#include "service/settings.h"

static bool is_bare_end(char c)
{
    return c == '#' || c == ' ' || c == '\t';
}

/* A quoted value at the start of `rest`, unescaped into out; *rest goes on behind the quote. */
static bool quoted_value(struct str *rest, char out[SETTING_TEXT_MAX + 1], struct str *ret)
{
    char quote = rest->data[0];
    size_t n = 0, i = 1;
    for (; i < rest->len && rest->data[i] != quote; i++) {
        char c = rest->data[i];
        if (c == '\\' && quote == '"') {
            char escaped = ++i < rest->len ? rest->data[i] : 0;
            if (!escaped || !strchr("\"\\nt", escaped))
                return false;
            c = escaped == 'n' ? '\n' : escaped == 't' ? '\t' : escaped;
        }
        if (n == SETTING_TEXT_MAX)
            return false;
        out[n++] = c;
    }
    if (i == rest->len)
        return false;
    *ret = str_make(out, n);
    *rest = str_make(rest->data + i + 1, rest->len - i - 1);
    return true;
}

static bool bare_value(struct str *rest, struct str *ret)
{
    size_t n = 0;
    while (n < rest->len && !is_bare_end(rest->data[n]))
        n++;
    *ret = str_make(rest->data, n);
    *rest = str_make(rest->data + n, rest->len - n);
    return n > 0;
}

static enum status load_line(struct settings *settings, struct str line, struct error *err)
{
    struct str rest = line, name, value;
    char text[SETTING_TEXT_MAX + 1];
    line = str_trim(line);
    if (line.len == 0 || line.data[0] == '#')
        return STATUS_OK;
    if (line.data[0] == '[')
        return error_set(err, STATUS_INVALID_ARGUMENT, "tables are not used; write `key = value`");
    str_split(&rest, '=', &name);
    if (!rest.data)
        return error_set(err, STATUS_INVALID_ARGUMENT, "`key = value` is expected");
    rest = str_trim(rest);
    bool quoted = rest.len && (rest.data[0] == '"' || rest.data[0] == '\'');
    if (!(quoted ? quoted_value(&rest, text, &value) : bare_value(&rest, &value)))
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         quoted ? "the quoted text does not end, or has a wrong escape"
                                : "a value is expected behind '='");
    rest = str_trim(rest);
    if (rest.len && rest.data[0] != '#')
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "nothing but a comment may stand behind the value");
    return settings_set(settings, str_trim(name), value, SETTING_FILE, err);
}

enum status settings_load_text(struct settings *settings, struct str text, const char *path,
                               struct error *err)
{
    struct str line;
    int64_t number = 0;
    while (str_split(&text, '\n', &line)) {
        struct error fault = ERROR_INIT;
        number++;
        enum status status = load_line(settings, line, &fault);
        if (status != STATUS_OK) {
            error_set(err, status, "%s, line %lld: %s", path, (long long)number, fault.message);
            if (err)
                err->line = number;
            return status;
        }
    }
    return STATUS_OK;
}

enum status settings_load_file(struct settings *settings, struct sys *sys, const char *path,
                               struct error *err)
{
    struct buf text;
    buf_init(&text, SETTINGS_FILE_MAX);
    enum status status = sys_read_file(sys, path, &text, err);
    if (status == STATUS_OK)
        status = settings_load_text(settings, buf_str(&text), path, err);
    else
        error_wrap(err, "the configuration file %s cannot be read", path);
    buf_release(&text);
    return status;
}

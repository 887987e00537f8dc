/* problem_json.c: problems as answers: the same frame wherever SQL is read. */
#include <stdio.h>

#include "query/lang/lang.h"

int lang_code_http(enum lang_code code)
{
    switch (code) {
    case LANG_PARSE_ERROR:
        return 400;
    case LANG_TOO_LARGE:
        return 413;
    case LANG_NO_MEMORY:
        return 503;
    case LANG_REFUSED:
        return 403;
    default:
        return 422;
    }
}

static void write_problem(const struct lang_problem *problem, struct json_writer *w)
{
    char hint[LANG_NAME_MAX + 20];
    json_kv_strz(w, "code", lang_code_name(problem->code));
    json_kv_strz(w, "message", problem->message);
    json_kv_int(w, "line", (int64_t)problem->line);
    json_kv_int(w, "column", (int64_t)problem->column);
    json_kv_int(w, "offset", (int64_t)problem->offset);
    if (problem->found[0]) {
        json_kv_strz(w, "near", problem->found);
        json_kv_strz(w, "found", problem->found);
    }
    json_keyz(w, "expected");
    json_begin_array(w);
    for (int i = 0; i < problem->expected_count; i++)
        json_stringz(w, problem->expected[i]);
    json_end_array(w);
    if (!problem->nearest[0])
        return;
    snprintf(hint, sizeof hint, "did you mean '%s'?", problem->nearest);
    json_kv_strz(w, "nearest", problem->nearest);
    json_kv_strz(w, "hint", hint);
}

static void write_error(const struct lang_problem *problem, const char *code, struct str request_id,
                        struct json_writer *w)
{
    json_keyz(w, "error");
    json_begin_object(w);
    if (code) {
        json_kv_strz(w, "code", code);
        json_kv_strz(w, "message", problem->message);
    } else {
        write_problem(problem, w);
    }
    json_keyz(w, "detail");
    json_begin_object(w);
    json_kv_int(w, "offset", (int64_t)problem->offset);
    json_kv_int(w, "line", (int64_t)problem->line);
    json_kv_int(w, "column", (int64_t)problem->column);
    json_end_object(w);
    json_kv_str(w, "request_id", request_id);
    json_end_object(w);
}

void lang_write_problems(const struct lang_problem *problems, size_t count, const char *code,
                         struct str request_id, struct json_writer *w)
{
    json_kv_bool(w, "success", false);
    json_kv_strz(w, "error_message", problems[0].message);
    write_error(&problems[0], code, request_id, w);
    json_keyz(w, "errors");
    json_begin_array(w);
    for (size_t i = 0; i < count; i++) {
        json_begin_object(w);
        write_problem(&problems[i], w);
        json_end_object(w);
    }
    json_end_array(w);
    json_keyz(w, "warnings");
    json_begin_array(w);
    json_end_array(w);
}

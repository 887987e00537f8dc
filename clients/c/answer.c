/* answer.c: what is in an answer, and what went wrong. */
#include <stdlib.h>
#include <string.h>

#include "client_int.h"

const char *quarry_status_text(enum quarry_status status)
{
    static const char *const texts[] = {
        [QUARRY_OK] = "ok",
        [QUARRY_BAD_ARGUMENT] = "bad argument",
        [QUARRY_UNAUTHENTICATED] = "not authenticated",
        [QUARRY_FORBIDDEN] = "forbidden",
        [QUARRY_NOT_FOUND] = "not found",
        [QUARRY_CONFLICT] = "conflict",
        [QUARRY_REFUSED] = "refused",
        [QUARRY_SERVER_FAILED] = "the server failed",
        [QUARRY_UNREACHABLE] = "unreachable",
        [QUARRY_TIMEOUT] = "timeout",
        [QUARRY_BAD_ANSWER] = "not an answer",
        [QUARRY_NO_MEMORY] = "out of memory",
    };
    return (size_t)status < sizeof texts / sizeof *texts ? texts[status] : "unknown";
}

enum quarry_status client_fail(struct quarry_error *error, enum quarry_status status,
                               const char *message)
{
    if (!error)
        return status;
    *error = (struct quarry_error){.status = status};
    size_t len = strnlen(message, sizeof error->message - 1);
    memcpy(error->message, message, len);
    return status;
}

enum quarry_status answer_of(char *text, size_t len, struct quarry_answer **ret,
                             struct quarry_error *error)
{
    struct quarry_answer *answer = calloc(1, sizeof *answer);
    if (answer)
        answer->doc = yyjson_read(text, len, 0);
    if (answer && answer->doc) {
        answer->text = text;
        *ret = answer;
        return QUARRY_OK;
    }
    bool no_memory = !answer;
    free(text);
    free(answer);
    return no_memory ? client_fail(error, QUARRY_NO_MEMORY, "memory is out")
                     : client_fail(error, QUARRY_BAD_ANSWER, "the server's answer is not JSON");
}

void quarry_answer_free(struct quarry_answer *answer)
{
    if (!answer)
        return;
    yyjson_doc_free(answer->doc);
    free(answer->text);
    free(answer);
}

static yyjson_val *at(const struct quarry_answer *answer, const char *pointer)
{
    return answer ? yyjson_doc_ptr_get(answer->doc, pointer) : NULL;
}

const char *quarry_json(const struct quarry_answer *answer)
{
    return answer ? answer->text : "";
}

const char *quarry_text(const struct quarry_answer *answer, const char *pointer)
{
    return yyjson_get_str(at(answer, pointer));
}

int64_t quarry_int(const struct quarry_answer *answer, const char *pointer, int64_t fallback)
{
    yyjson_val *value = at(answer, pointer);
    return yyjson_is_int(value) ? yyjson_get_sint(value) : fallback;
}

double quarry_number(const struct quarry_answer *answer, const char *pointer, double fallback)
{
    yyjson_val *value = at(answer, pointer);
    return yyjson_is_num(value) ? yyjson_get_num(value) : fallback;
}

bool quarry_bool(const struct quarry_answer *answer, const char *pointer)
{
    return yyjson_get_bool(at(answer, pointer));
}

bool quarry_has(const struct quarry_answer *answer, const char *pointer)
{
    yyjson_val *value = at(answer, pointer);
    return value && !yyjson_is_null(value);
}

size_t quarry_count(const struct quarry_answer *answer, const char *pointer)
{
    yyjson_val *value = at(answer, pointer);
    return yyjson_is_arr(value) ? yyjson_arr_size(value) : yyjson_obj_size(value);
}

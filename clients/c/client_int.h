/* client_int.h: what the parts of libquarry share. Requests are built with a struct message; its
 * failures (memory, JSON that is none) come to light when it is sent. */
#ifndef QUARRY_CLIENT_INT_H
#define QUARRY_CLIENT_INT_H

#include <pthread.h>

#include "base/arena.h"
#include "base/json.h"
#include "net/http_client.h"
#include "quarry.h"

enum { CLIENT_BODY_MAX = 256 << 20, CLIENT_REPLY_MAX = 1 << 30, CLIENT_PAGE = 1000 };

struct quarry {
    pthread_mutex_t lock; /* one call at a time */
    struct http_client *http;
    struct http_reply reply;
    char *urls[2]; /* by enum quarry_service */
    char *bearer;  /* header value, or NULL */
};

struct quarry_answer {
    char *text; /* NUL-ended */
    yyjson_doc *doc;
};

/* A request on its way: path, query and body are filled in any order. */
struct message {
    const char *method;
    enum quarry_service service;
    struct buf path, body;
    struct json_writer w; /* into the body: an object has been begun */
    bool has_body, has_query;
    const char *bad; /* what is wrong with an argument, or NULL */
};

/* --- message.c --- */
/* `format`: path with %s for texts that are encoded here. */
void message_init(struct message *m, const char *method, const char *format, ...);
void message_encode(struct buf *buf, const char *text); /* all but letters, digits, -._~ as %XX */
void message_query(struct message *m, const char *name, const char *value); /* NULL: left out */
void message_query_int(struct message *m, const char *name, int64_t value);
void message_pairs(struct message *m, const char *const *pairs);               /* NULL is fine */
void message_put_text(struct message *m, const char *name, const char *value); /* NULL: left out */
void message_put_int(struct message *m, const char *name, int64_t value);
void message_put_bool(struct message *m, const char *name, bool value);
void message_put_json(struct message *m, const char *name, const char *json); /* NULL: left out */
void put_members(struct message *m, const char *json);                        /* of an object */
void message_need(struct message *m, const char *name, const char *value);

/* --- client.c --- */
/* Sends and releases. `member`: the part of the answer that is wanted, as a JSON pointer; NULL:
 * all.
 */
enum quarry_status message_send(struct quarry *client, struct message *m, const char *member,
                                struct quarry_answer **answer, struct quarry_error *error);
/* All pages' rows `name` as one array, at most `limit` (0: all). */
enum quarry_status message_send_pages(struct quarry *client, struct message *m, const char *name,
                                      int64_t limit, struct quarry_answer **answer,
                                      struct quarry_error *error);

/* --- answer.c --- */
/* Takes the text over (malloc). */
enum quarry_status answer_of(char *text, size_t len, struct quarry_answer **ret,
                             struct quarry_error *error);
enum quarry_status client_fail(struct quarry_error *error, enum quarry_status status,
                               const char *message);

#endif

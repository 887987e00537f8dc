/* reply.h: answers as the contracts have them: one object that begins
 * {"success":true,"error_message":null, and then has members of its own. Failures need nothing:
 * the handler returns its status, see service.h. */
#ifndef QUARRY_SERVICE_REPLY_H
#define QUARRY_SERVICE_REPLY_H

#include "base/json.h"
#include "service/service.h"

/* An object in `body`, which may grow to `max` bytes; `w` goes on behind the two members. */
void reply_begin(struct buf *body, size_t max, struct json_writer *w);
/* Closes the object that `w` is in, and answers with `body`, which is taken. STATUS_OK. */
enum status reply_end(struct request *request, int http_status, struct buf *body,
                      struct json_writer *w);
/* No further members. */
enum status reply_success(struct request *request);

#endif

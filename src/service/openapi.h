/* openapi.h: a service's operations as an OpenAPI 3.1 document, made from api/operations.def and
 * api/errors.def: paths, parameters, request bodies, error answers, component schemas. */
#ifndef QUARRY_SERVICE_OPENAPI_H
#define QUARRY_SERVICE_OPENAPI_H

#include "base/json.h"
#include "service/operation.h"

/* `implemented` says which operations have a handler here (the others are marked as planned); NULL:
 * all. Check the buffer afterwards. */
void openapi_write(struct buf *buf, enum service_kind kind, const char *version,
                   bool (*implemented)(void *context, const struct operation *operation),
                   void *context);

#endif

/* otlp.h: spans as an OTLP/HTTP body in JSON (ExportTraceServiceRequest, OpenTelemetry protocol
 * 1.x): ids in hexadecimal, times as decimal strings of nanoseconds, one resource a service. */
#ifndef QUARRY_SERVICES_MONITORING_OTLP_H
#define QUARRY_SERVICES_MONITORING_OTLP_H

#include "services/monitoring/trace_store.h"

enum { OTLP_BATCH_SPANS = 512, OTLP_BODY_MAX = 4 << 20 };

/* Spans of one service stand together. */
void otlp_write(struct buf *body, const struct stored_span *spans, size_t len);

#endif

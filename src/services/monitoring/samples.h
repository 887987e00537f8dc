/* samples.h: the Prometheus text that our services write (service/metrics.h), read line by line. */
#ifndef QUARRY_SERVICES_MONITORING_SAMPLES_H
#define QUARRY_SERVICES_MONITORING_SAMPLES_H

#include "base/str.h"

struct sample {
    struct str name;
    struct str labels; /* what stands between the braces, "" when there are none */
    double value;
};

/* The next sample of a text, which moves behind it; false at the end. Comments and lines that are
 * no samples are passed over. */
bool sample_next(struct str *text, struct sample *ret);
/* The value of a label as it is written (escaped); data NULL when it is absent. */
struct str sample_label(const struct sample *sample, struct str name);

#endif

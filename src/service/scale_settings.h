/* scale_settings.h: the policy of scaling by the settings SCALE_*, MIN_WORKERS and MAX_WORKERS. */
#ifndef QUARRY_SERVICE_SCALE_SETTINGS_H
#define QUARRY_SERVICE_SCALE_SETTINGS_H

#include "service/scale.h"
#include "service/settings.h"

/* STATUS_INVALID_ARGUMENT: settings that contradict each other. */
enum status scale_policy_of(const struct settings *settings, struct scale_policy *ret,
                            struct error *err);

#endif

#include "service/scale_settings.h"

enum status scale_policy_of(const struct settings *s, struct scale_policy *ret, struct error *err)
{
    *ret = (struct scale_policy){
        .cpu_up = settings_real(s, SETTING_SCALE_UP_THRESHOLD_CPU),
        .cpu_down = settings_real(s, SETTING_SCALE_DOWN_THRESHOLD_CPU),
        .memory_up = settings_real(s, SETTING_SCALE_UP_THRESHOLD_MEMORY),
        .memory_down = settings_real(s, SETTING_SCALE_DOWN_THRESHOLD_MEMORY),
        .concurrent = settings_real(s, SETTING_SCALE_CONCURRENT_QUERIES),
        .queue_up = settings_real(s, SETTING_SCALE_UP_THRESHOLD_QUEUE),
        .query_up_s = settings_real(s, SETTING_SCALE_UP_THRESHOLD_SECONDS),
        .query_down_s = settings_real(s, SETTING_SCALE_UP_THRESHOLD_SECONDS) / 2,
        .min = (uint32_t)settings_int(s, SETTING_MIN_WORKERS),
        .max = (uint32_t)settings_int(s, SETTING_MAX_WORKERS),
        .up_cooldown_us = settings_int(s, SETTING_SCALE_UP_COOLDOWN_SECONDS) * 1000000,
        .down_cooldown_us = settings_int(s, SETTING_SCALE_DOWN_COOLDOWN_SECONDS) * 1000000};
    if (ret->min > ret->max)
        ret->min = ret->max; /* MAX_WORKERS has always been the stronger one */
    return scale_policy_check(ret, err);
}

/* scaler.h: the live loop of scaling (service/scale.h): every interval each tenant's node is asked
 * for its load, and is told when it may have more SQL workers, or fewer. Changes are logged with
 * their reasons; the last SCALER_HISTORY_MAX are kept.
 *
 * Threads: scaler_list, scaler_history and scaler_set from any; the rest from the main one. */
#ifndef QUARRY_CMD_QUARRYD_SCALER_H
#define QUARRY_CMD_QUARRYD_SCALER_H

#include "base/log.h"
#include "service/settings.h"
#include "services/operation/operation.h"
#include "services/tenant/tenant.h"

struct scaler;

enum { SCALER_HISTORY_MAX = 100 };

enum status scaler_new(const struct settings *settings, struct sys *sys, const struct log *log,
                       struct scaler **ret, struct error *err);
void scaler_free(struct scaler *scaler); /* NULL is fine */
/* The settings may have changed. */
enum status scaler_set(struct scaler *scaler, const struct settings *settings, struct error *err);

/* Milliseconds until nodes are to be asked; scaler_due: they are, and the next round begins. */
int scaler_wait_ms(struct scaler *scaler);
bool scaler_due(struct scaler *scaler);
/* A node's load has come; returns how many workers it is to have (that it has: nothing is to be
 * done). Numbers of a node that has been started anew begin anew. */
uint32_t scaler_take(struct scaler *scaler, const char *tenant, int pid,
                     const struct tenant_load *load);

uint32_t scaler_list(struct scaler *scaler, struct scaling_node *ret, uint32_t cap);
/* Newest first. */
uint32_t scaler_history(struct scaler *scaler, struct scaling_event *ret, uint32_t cap);
bool scaler_is_enabled(struct scaler *scaler);

#endif

/* control.h: the control services of this process (all but the tenant node), started and stopped as
 * one. */
#ifndef QUARRY_CMD_QUARRYD_CONTROL_H
#define QUARRY_CMD_QUARRYD_CONTROL_H

#include "base/log.h"
#include "cmd/quarryd/access.h"
#include "cmd/quarryd/options.h"
#include "cmd/quarryd/tenant_nodes.h"

struct control;

/* All of options->services, or none: a port that is taken ends it. `supervisor` may be NULL; it
 * and `access` must outlive the services. */
enum status control_start(const struct quarryd_options *options, struct sys *sys,
                          const struct log *log, const struct access *access,
                          struct tenant_nodes *nodes, struct control **ret_control,
                          struct error *err);
void control_get_ports(const struct control *control, uint16_t ports[SERVICE_COUNT]);
/* Registers this process's services (those with a port) and tells those that call others where
 * these are, from now on (discovery.h). Once. */
enum status control_publish(struct control *control, const uint16_t ports[SERVICE_COUNT],
                            struct error *err);
/* How long (milliseconds, -1 for ever) until control_look is due. */
int control_look_in_ms(const struct control *control);
/* Looks whether the certificate's files have changed (`anew`: reads them whether or not) and serves
 * with what they hold now. What cannot be used is logged; the old one stays. NULL is fine. */
void control_look(struct control *control, bool anew);
/* Takes over what may change while it runs. NULL is fine. */
void control_reload(struct control *control, const struct settings *fresh);
/* Stops what runs (requests may end within grace_ms altogether) and frees. NULL is fine. */
void control_stop(struct control *control, uint32_t grace_ms);

#endif

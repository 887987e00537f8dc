/* notify.h: tells systemd (NOTIFY_SOCKET, sd_notify(3)) how the service is; else does nothing. */
#ifndef QUARRY_CMD_QUARRYD_NOTIFY_H
#define QUARRY_CMD_QUARRYD_NOTIFY_H

/* "READY=1", "STOPPING=1" ... */
void notify_manager(const char *state);

#endif

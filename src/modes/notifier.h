/* Tells systemd how a service is: sd_notify(3), without its library. Does nothing without
 * $NOTIFY_SOCKET. */
#ifndef MODES_NOTIFIER_H
#define MODES_NOTIFIER_H

#include <uv.h>

struct notifier;

/* Reads the environment, and keeps the watchdog content if there is one: as long as the loop
 * turns. Never NULL. */
struct notifier *notifier_new(uv_loop_t *loop);

/* The handle closes in the loop's next turns. NULL is allowed. */
void notifier_free(struct notifier *notifier);

void notifier_ready(struct notifier *notifier);
void notifier_reloading(struct notifier *notifier);
void notifier_stopping(struct notifier *notifier);

/* One line for people, which systemctl status shows. */
void notifier_status(struct notifier *notifier, const char *text);

#endif

/* Asks other machines' dbtops about the client ends of this target's sessions. */
#ifndef TARGET_TARGET_HOSTS_H
#define TARGET_TARGET_HOSTS_H

#include <stddef.h>
#include <stdint.h>

struct target;

/* Asks each host that can be asked. Call it when an assessment of new rows is made. */
void target_ask_hosts(struct target *target);

/* Asks each host that was not asked about all ends that it may know. */
void target_ask_hosts_on(struct target *target);

#endif

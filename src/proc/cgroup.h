/* Finds the systemd unit and the container in the path of a control group. */
#ifndef PROC_CGROUP_H
#define PROC_CGROUP_H

#include <stdbool.h>

struct arena;

struct cgroup {
	const char *unit;         /* "jarvis.service", "session-3.scope"; NULL for none */
	bool unit_is_users;       /* it is of a user's own manager: systemctl --user */
	const char *container;    /* the first 12 digits of its id, or the name of a machine of
				     systemd-nspawn or LXC; NULL for none */
	const char *container_id; /* the whole id; NULL for none */
};

/* Parses the text of /proc/PID/cgroup (cgroups(7)), of version 1, 2 or both. The strings are clean
 * and in the arena. A unit that only contains a container (docker-ID.scope) and a user's whole
 * manager (user@1000.service) are not reported as units. */
struct cgroup cgroup_parse(struct arena *arena, const char *text);

#endif

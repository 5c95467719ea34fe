/* Finds the server on this machine by our own connection, of which both ends are known. Pure. */
#ifndef ANALYZE_SERVER_FIND_H
#define ANALYZE_SERVER_FIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/assessment.h"

struct networks;

/* What is proven. */
struct server_found {
	bool here;              /* on this machine */
	size_t network;         /* the namespace of its TCP sockets; NETWORK_NONE: not known */
	uint64_t pid_namespace; /* 0: ours, or not known */
};

/* Sets *place, which must be all zero, and notifies the networks. */
struct server_found server_find(const struct peers *peers, const struct activity *activity,
	struct networks *networks, struct server_place *place);

#endif

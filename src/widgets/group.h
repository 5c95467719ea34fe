/* What the rows of the table are grouped by, and which group a connection belongs to. */
#ifndef WIDGETS_GROUP_H
#define WIDGETS_GROUP_H

#include <stdbool.h>
#include <stdint.h>

#include "widgets/identity.h"

struct assessment;
struct connection;

enum grouping {
	GROUPING_PROCESS,
	GROUPING_APPLICATION,
	GROUPING_USER,
	GROUPING_CLIENT,
	GROUPING_HOST,
	GROUPING_CONTAINER,
	GROUPING_DATABASE,
	GROUPING_POOL,
	GROUPING_FLAT,
};
#define GROUPING_COUNT (GROUPING_FLAT + 1)

/* What the members of a group have in common. */
enum group_kind {
	GROUP_PROCESS,     /* their process, alive or gone */
	GROUP_APPLICATION, /* their application_name */
	GROUP_USER,
	GROUP_CLIENT,    /* the address of their client */
	GROUP_HOST,      /* the machine of their process */
	GROUP_CONTAINER, /* the container of their process */
	GROUP_DATABASE,
	GROUP_POOL,         /* their pool, of libdbpool or PgBouncer */
	GROUP_ADDRESS,      /* a client address on another machine */
	GROUP_PROXIED,      /* behind the local proxy; the process is not known */
	GROUP_LOOKING,      /* their client end has not been scanned yet */
	GROUP_GONE,         /* no process holds the client end, and none was seen with it */
	GROUP_NOT_VISIBLE,  /* their process is on this machine, but not visible to us */
	GROUP_NO_POOL,      /* they are in no known pool */
	GROUP_NO_CONTAINER, /* their process is in none */
	GROUP_HIDDEN,       /* the server hides them from our role */
	GROUP_FLAT,         /* nothing; its header is not shown */
};

/* Sets the identity of the connection's group and returns its kind. Equal identities mean the same
 * group. */
enum group_kind group_of(const struct assessment *assessment, const struct connection *connection,
	enum grouping grouping, struct identity *ret_identity);

/* Whether the grouping says something: by host or container it does where one is known. */
bool group_is_useful(const struct assessment *assessment, enum grouping grouping);

/* The group of a process that holds sockets to a server that refused our connection. */
struct identity group_of_process(const struct assessment *assessment, uint32_t process);

/* Whether a process of another machine is known: only then it makes sense to group by host. */
bool group_has_hosts(const struct assessment *assessment);

/* Whether the group is last in any order: its process is not known, so it is the
 * least useful one. */
bool group_is_last(enum group_kind kind);

#endif

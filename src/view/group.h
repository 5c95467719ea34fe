/* Which group a connection belongs to. */
#ifndef VIEW_GROUP_H
#define VIEW_GROUP_H

#include "view/rows.h"

/* Sets the identity of the connection's group and returns its kind. Equal identities mean the same
 * group. */
enum group_kind group_of(const struct assessment *assessment, const struct connection *connection,
	enum grouping grouping, struct identity *ret_identity);

/* The group of a process that holds sockets to a server that refused our connection. */
struct identity group_of_process(const struct assessment *assessment, uint32_t process);

/* Whether the group is last in any order: its process is not known, so it is the
 * least useful one. */
bool group_is_last(enum group_kind kind);

#endif

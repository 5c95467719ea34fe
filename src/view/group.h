/* Which group a connection belongs to. */
#ifndef VIEW_GROUP_H
#define VIEW_GROUP_H

#include "view/rows.h"

/* Its group's kind and identity; a group of the same identity is the same group. */
enum group_kind group_of(const struct assessment *assessment, const struct connection *connection,
	enum grouping grouping, struct identity *ret_identity);

/* A process that holds sockets to a server which did not let us in. */
struct identity group_of_process(const struct assessment *assessment, uint32_t process);

/* Last, whatever the order: what dbtop cannot see is not what one looks for first. */
bool group_is_last(enum group_kind kind);

#endif

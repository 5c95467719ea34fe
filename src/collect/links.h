/* Finds the sockets that are connections to a server. They are remembered by inode: the kernel is
 * asked about new sockets only. */
#ifndef COLLECT_LINKS_H
#define COLLECT_LINKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/endpoint.h"

struct links;

struct server_link {
	uint32_t inode;
	bool recognised; /* it is a connection to one of the ports; the fields below are set only
			    then */
	bool established;
	bool ended;            /* the server had closed it when it was first seen */
	uint16_t port;         /* the server's */
	struct endpoint local; /* AF_UNIX: over a Unix socket */
	uint32_t server_inode; /* the inode of the server's end, over a Unix socket */
	int64_t first_seen;    /* monotonic */
};

/* Never NULL. Use it on one thread at a time. */
struct links *links_new(void) __attribute__((returns_nonnull));
/* NULL is allowed. */
void links_free(struct links *links);

/* Sets the list of open sockets; all others are forgotten. `now` is the monotonic clock. Blocks for
 * as long as netlink_dump() may. */
void links_scan(struct links *links, const uint32_t *inodes, size_t n_inodes, const uint16_t *ports,
	size_t n_ports, int64_t now);

/* NULL if it is not a recognised connection. Borrowed until the next links_scan(). */
const struct server_link *links_find(const struct links *links, uint32_t inode);

#endif

/* Which sockets are connections to a server: known by inode, asked of the kernel only when new. */
#ifndef COLLECT_LINKS_H
#define COLLECT_LINKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/endpoint.h"

struct links;

struct link {
	uint32_t inode;
	bool recognised; /* a connection to one of the ports; what follows is set only then */
	bool established;
	uint16_t port;         /* the server's */
	struct endpoint local; /* AF_UNIX: over a Unix socket */
	uint32_t server_inode; /* the server's end of that */
	int64_t first_seen;    /* monotonic */
};

/* Never NULL. Not for two threads at a time. */
struct links *links_new(void) __attribute__((returns_nonnull));
/* NULL is allowed. */
void links_free(struct links *links);

/* These sockets are open now, and no others any more; `now` is the monotonic clock. Blocks for as
 * long as netlink_dump() may. */
void links_look(struct links *links, const uint32_t *inodes, size_t n_inodes, const uint16_t *ports,
	size_t n_ports, int64_t now);

/* NULL unless it is recognised. Borrowed until the next look. */
const struct link *links_find(const struct links *links, uint32_t inode);

#endif

/* A dump over a netlink socket: one request, every row of its answer, within a deadline. */
#ifndef COLLECT_NETLINK_H
#define COLLECT_NETLINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct netlink;

/* One row of an answer: its payload, unaligned attributes and all. */
typedef void netlink_row_fn(void *data, const void *payload, size_t size);

/* Never NULL; the socket of this protocol (NETLINK_…) is opened by the first dump and kept. */
struct netlink *netlink_new(int protocol) __attribute__((returns_nonnull));

/* The same over an open socket, which it takes over: whoever holds the other end answers as the
 * kernel would. It has to keep the bounds of messages. Another is opened when a dump fails. */
struct netlink *netlink_new_on(int protocol, int fd) __attribute__((returns_nonnull));

/* NULL is allowed. */
void netlink_free(struct netlink *netlink);

/* Sends the request (type, payload) and calls row for each message of that type. Returns 0 when
 * the answer was whole; -EAGAIN when the kernel's table changed under the dump, so that rows may
 * be missing; -ETIMEDOUT; -EMSGSIZE; the kernel's own refusal (-ENOENT: it lacks the module).
 * After a failure the rows already seen say nothing. Blocks for two seconds at most, or until the
 * limit. */
int netlink_dump(struct netlink *netlink, int type, const void *payload, size_t size,
	netlink_row_fn *row, void *data) __attribute__((warn_unused_result));

/* Dumps from now on fail with -ETIMEDOUT once this time is over, all of them together; 0: each has
 * its own two seconds. */
void netlink_limit(struct netlink *netlink, int64_t usec);

/* An attribute of a row. */
struct netlink_attribute {
	int type;
	const void *value;
	size_t size;
};

/* Reads the attribute at *offset of a row and moves the offset on; false at the end, or where the
 * rest is no attribute. */
bool netlink_next_attribute(
	const void *row, size_t size, size_t *offset, struct netlink_attribute *ret);

#endif

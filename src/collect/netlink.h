/* A dump over a netlink socket: one request and all rows of its answer, within a deadline. */
#ifndef COLLECT_NETLINK_H
#define COLLECT_NETLINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct netlink;

/* Takes one row of an answer: its payload, including attributes; not aligned. */
typedef void netlink_row_fn(void *data, const void *payload, size_t size);

/* Never NULL; the first dump opens the socket of this protocol (NETLINK_…) and keeps it. */
struct netlink *netlink_new(int protocol) __attribute__((returns_nonnull));

/* The same with an open socket, which it takes over: a test answers as the kernel would at the
 * other end. The socket has to preserve message boundaries. When a dump fails, a new socket is
 * opened. */
struct netlink *netlink_new_on(int protocol, int fd) __attribute__((returns_nonnull));

/* NULL is allowed. */
void netlink_free(struct netlink *netlink);

/* Sends the request (type, payload) and calls row for each message of that type. Returns 0 if the
 * answer was complete; -EAGAIN if the kernel's table changed during the dump, so that rows may be
 * missing; -ETIMEDOUT; -EMSGSIZE; or the kernel's own error (-ENOENT: the kernel has no such
 * module). After an error the rows that were received mean nothing. Blocks for two seconds at most,
 * or until the limit. */
int netlink_dump(struct netlink *netlink, int type, const void *payload, size_t size,
	netlink_row_fn *row, void *data) __attribute__((warn_unused_result));

/* The same where the rows have another type than the request. */
int netlink_dump_as(struct netlink *netlink, int type, int row_type, const void *payload,
	size_t size, netlink_row_fn *row, void *data) __attribute__((warn_unused_result));

/* From now on, all dumps together may take this time (µs) and then fail with -ETIMEDOUT; 0: each
 * dump has its own limit of two seconds. */
void netlink_limit(struct netlink *netlink, int64_t usec);

/* An attribute of a row. */
struct netlink_attribute {
	int type;
	const void *value;
	size_t size;
};

/* Reads the attribute at *offset of a row and advances the offset; false at the end, or if the rest
 * is not an attribute. */
bool netlink_next_attribute(
	const void *row, size_t size, size_t *offset, struct netlink_attribute *ret);

#endif

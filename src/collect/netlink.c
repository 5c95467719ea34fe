/* Netlink dumps without a library: the kernel's format is a few headers, and each recv() returns
 * one buffer of the answer. See netlink(7). */
#include "collect/netlink.h"

#include <errno.h>
#include <linux/netlink.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/instant.h"
#include "base/mem.h"

/* The kernel fills at most 32 KiB a message (net/netlink/af_netlink.c, netlink_dump()). */
#define BUFFER_SIZE (64 * 1024)
#define DEADLINE    (2 * USEC_PER_SEC)

struct netlink {
	int protocol, fd;
	uint32_t sequence;
	int64_t limit; /* monotonic: deadline for all dumps; 0: none */
	_Alignas(struct nlmsghdr) unsigned char buffer[BUFFER_SIZE];
};

struct answer {
	int type;
	uint32_t sequence;
	netlink_row_fn *row;
	void *data;
	bool interrupted;
};

struct netlink *netlink_new_on(int protocol, int fd)
{
	struct netlink *netlink = mem_alloc(sizeof(*netlink));
	netlink->protocol = protocol;
	netlink->fd = fd;
	return netlink;
}

struct netlink *netlink_new(int protocol)
{
	return netlink_new_on(protocol, -1);
}

static void disconnect(struct netlink *netlink)
{
	if (netlink->fd >= 0)
		close(netlink->fd);
	netlink->fd = -1;
}

void netlink_free(struct netlink *netlink)
{
	if (!netlink)
		return;
	disconnect(netlink);
	free(netlink);
}

static int open_socket(struct netlink *netlink)
{
	if (netlink->fd >= 0)
		return 0;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, netlink->protocol);
	if (fd < 0)
		return -errno;
	netlink->fd = fd;
	return 0;
}

static int send_request(struct netlink *netlink, int type, const void *payload, size_t size)
{
	struct nlmsghdr header = {
		.nlmsg_len = (uint32_t)(sizeof(header) + size),
		.nlmsg_type = (uint16_t)type,
		.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
		.nlmsg_seq = ++netlink->sequence,
	};
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	struct iovec parts[] = {
		{ .iov_base = &header, .iov_len = sizeof(header) },
		{ .iov_base = (void *)payload, .iov_len = size },
	};
	const struct msghdr message = {
		.msg_name = &kernel,
		.msg_namelen = sizeof(kernel),
		.msg_iov = parts,
		.msg_iovlen = 2,
	};
	ssize_t sent;
	do
		sent = sendmsg(netlink->fd, &message, 0);
	while (sent < 0 && errno == EINTR);
	return sent < 0 ? -errno : 0;
}

void netlink_limit(struct netlink *netlink, int64_t usec)
{
	netlink->limit = usec ? instant_monotonic() + usec : 0;
}

static int wait_for_answer(const struct netlink *netlink, int64_t deadline)
{
	struct pollfd pollfd = { .fd = netlink->fd, .events = POLLIN };
	int r;
	do {
		int64_t left = deadline - instant_monotonic();
		if (left <= 0)
			return -ETIMEDOUT;
		r = poll(&pollfd, 1, (int)(left / USEC_PER_MSEC) + 1);
	} while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : r == 0 ? -ETIMEDOUT : 0;
}

/* Receives one buffer from the kernel. Other processes can send to our address, too: their messages
 * are dropped and 0 is returned. */
static ssize_t receive(struct netlink *netlink)
{
	struct sockaddr_nl from = { 0 };
	socklen_t from_size = sizeof(from);
	ssize_t size;
	do
		size = recvfrom(netlink->fd, netlink->buffer, sizeof(netlink->buffer),
			MSG_TRUNC | MSG_DONTWAIT, (struct sockaddr *)&from, &from_size);
	while (size < 0 && errno == EINTR);
	if (size < 0)
		return errno == EAGAIN ? 0 : -errno;
	if (from.nl_pid != 0)
		return 0;
	return size > BUFFER_SIZE ? -EMSGSIZE : size;
}

static int error_of(const void *payload, size_t size)
{
	int error = 0;
	if (size >= sizeof(error))
		memcpy(&error, payload, sizeof(error));
	return error;
}

/* Returns 1 if more buffers follow, 0 at the end, or the kernel's error. */
static int read_buffer(const unsigned char *buffer, size_t size, struct answer *answer)
{
	struct nlmsghdr header;
	for (size_t at = 0; at + sizeof(header) <= size;) {
		memcpy(&header, buffer + at, sizeof(header));
		if (header.nlmsg_len < sizeof(header) || header.nlmsg_len > size - at)
			return -EBADMSG;
		const void *payload = buffer + at + sizeof(header);
		size_t length = header.nlmsg_len - sizeof(header);
		at += NLMSG_ALIGN((size_t)header.nlmsg_len);
		if (header.nlmsg_seq != answer->sequence)
			continue;
		answer->interrupted |= (header.nlmsg_flags & NLM_F_DUMP_INTR) != 0;
		if (header.nlmsg_type == NLMSG_ERROR || header.nlmsg_type == NLMSG_DONE)
			return error_of(payload, length);
		if (header.nlmsg_type == answer->type)
			answer->row(answer->data, payload, length);
	}
	return 1;
}

static int read_answer(struct netlink *netlink, struct answer *answer)
{
	int64_t deadline = instant_monotonic() + DEADLINE;
	int more = 1;
	if (netlink->limit && netlink->limit < deadline)
		deadline = netlink->limit;
	while (more > 0) {
		int r = wait_for_answer(netlink, deadline);
		ssize_t size = r < 0 ? r : receive(netlink);
		if (size < 0)
			return (int)size;
		more = read_buffer(netlink->buffer, (size_t)size, answer);
	}
	return more;
}

int netlink_dump(struct netlink *netlink, int type, const void *payload, size_t size,
	netlink_row_fn *row, void *data)
{
	return netlink_dump_as(netlink, type, type, payload, size, row, data);
}

int netlink_dump_as(struct netlink *netlink, int type, int row_type, const void *payload,
	size_t size, netlink_row_fn *row, void *data)
{
	int error = open_socket(netlink);
	if (error < 0)
		return error;
	error = send_request(netlink, type, payload, size);
	struct answer answer = {
		.type = row_type, .sequence = netlink->sequence, .row = row, .data = data
	};
	if (error == 0)
		error = read_answer(netlink, &answer);
	if (error < 0) {
		/* closing the socket drops the rest of the answer */
		disconnect(netlink);
		return error;
	}
	return answer.interrupted ? -EAGAIN : 0;
}

bool netlink_next_attribute(
	const void *row, size_t size, size_t *offset, struct netlink_attribute *ret)
{
	struct nlattr header;
	if (*offset > size || size - *offset < sizeof(header))
		return false;
	memcpy(&header, (const unsigned char *)row + *offset, sizeof(header));
	if (header.nla_len < sizeof(header) || header.nla_len > size - *offset)
		return false;
	ret->type = header.nla_type & NLA_TYPE_MASK;
	ret->value = (const unsigned char *)row + *offset + sizeof(header);
	ret->size = header.nla_len - sizeof(header);
	*offset += NLA_ALIGN((size_t)header.nla_len);
	return true;
}

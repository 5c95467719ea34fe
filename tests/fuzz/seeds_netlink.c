/* The kernel's answers to sock_diag's dumps, by its own structures: a row of a TCP socket, of a
 * Unix socket, and of those that listen, the last two in one buffer with the end of the dump. */
#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include "fuzz.h"
#include "make_seeds.h"

/* As fuzz_netlink.c reads it. */
#define SOCKET_PATH "/proc/self/fd/99/.s.PGSQL.5432"

struct bytes {
	uint8_t bytes[1024];
	size_t size;
};

static void add(struct bytes *to, const void *bytes, size_t size)
{
	MUST(to->size + size <= sizeof(to->bytes));
	memcpy(to->bytes + to->size, bytes, size);
	to->size += size;
}

static void pad(struct bytes *to)
{
	static const uint8_t zeros[NLMSG_ALIGNTO];
	add(to, zeros, NLMSG_ALIGN(to->size) - to->size);
}

static void add_message(struct bytes *buffer, int type, const struct bytes *payload)
{
	const struct nlmsghdr header = {
		.nlmsg_len = (uint32_t)(sizeof(header) + payload->size),
		.nlmsg_type = (uint16_t)type,
		.nlmsg_flags = NLM_F_MULTI,
		.nlmsg_seq = 1,
	};
	add(buffer, &header, sizeof(header));
	add(buffer, payload->bytes, payload->size);
	pad(buffer);
}

static void add_end(struct bytes *buffer)
{
	const struct bytes no_error = { .size = sizeof(int) };
	add_message(buffer, NLMSG_DONE, &no_error);
}

static void add_tcp(struct bytes *buffer, int family, int state)
{
	struct inet_diag_msg message = {
		.idiag_family = (uint8_t)family,
		.idiag_state = (uint8_t)state,
		.id = { .idiag_sport = htons(5432), .idiag_dport = htons(40000) },
		.idiag_inode = 1234,
		.idiag_uid = 1000,
	};
	struct bytes payload = { 0 };
	message.id.idiag_src[0] = message.id.idiag_dst[0] = htonl(INADDR_LOOPBACK);
	add(&payload, &message, sizeof(message));
	add_message(buffer, TCPDIAG_GETSOCK, &payload);
}

static void add_attribute(struct bytes *payload, int type, const void *value, size_t size)
{
	const struct nlattr header = {
		.nla_len = (uint16_t)(sizeof(header) + size),
		.nla_type = (uint16_t)type,
	};
	add(payload, &header, sizeof(header));
	add(payload, value, size);
	pad(payload);
}

static void add_unix(struct bytes *buffer, int state)
{
	const struct unix_diag_msg message = {
		.udiag_family = AF_UNIX,
		.udiag_type = SOCK_STREAM,
		.udiag_state = (uint8_t)state,
		.udiag_ino = 77,
	};
	const uint32_t peer = 78, uid = 1000;
	const uint8_t shut = 3;
	struct bytes payload = { 0 };
	add(&payload, &message, sizeof(message));
	add_attribute(&payload, UNIX_DIAG_NAME, SOCKET_PATH, sizeof(SOCKET_PATH));
	add_attribute(&payload, UNIX_DIAG_PEER, &peer, sizeof(peer));
	add_attribute(&payload, UNIX_DIAG_SHUTDOWN, &shut, sizeof(shut));
	add_attribute(&payload, UNIX_DIAG_UID, &uid, sizeof(uid));
	add_message(buffer, SOCK_DIAG_BY_FAMILY, &payload);
}

static void write_buffer(
	const char *folder, const char *name, uint8_t kind, const struct bytes *buffer)
{
	struct bytes input = { { kind, (uint8_t)(buffer->size >> 8), (uint8_t)buffer->size }, 3 };
	add(&input, buffer->bytes, buffer->size);
	seed_write(folder, name, input.bytes, input.size);
}

void seeds_netlink(const char *folder)
{
	struct bytes tcp = { 0 }, sockets = { 0 }, tcp_listeners = { 0 }, unix_listeners = { 0 };
	add_tcp(&tcp, AF_INET, TCP_ESTABLISHED);
	add_tcp(&tcp, AF_INET6, TCP_CLOSE_WAIT);
	write_buffer(folder, "tcp", 0, &tcp);
	add_unix(&sockets, TCP_ESTABLISHED);
	write_buffer(folder, "unix", 1, &sockets);
	add_tcp(&tcp_listeners, AF_INET6, TCP_LISTEN);
	add_end(&tcp_listeners);
	write_buffer(folder, "tcp-listeners", 2, &tcp_listeners);
	add_unix(&unix_listeners, TCP_LISTEN);
	add_end(&unix_listeners);
	write_buffer(folder, "unix-listeners", 3, &unix_listeners);
}

/* sock_diag(7): the requests for TCP and Unix sockets, and what their rows mean. */
#include "collect/sockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/arena.h"
#include "base/mem.h"
#include "collect/netlink.h"
#include "model/endpoint.h"
#include "model/peers.h"

/* Bit n stands for state n of netinet/tcp.h: all states except TCP_LISTEN. */
#define CONNECTED_STATES (((1u << (TCP_CLOSING + 1)) - 2) & ~(1u << TCP_LISTEN))

/* The kernel's filter: a condition is an op and its argument, with the number of bytes to skip if
 * it holds (yes) and if it does not (no). A jump to the end of the last op accepts the row; 4 bytes
 * further rejects it. The ops for equality exist since Linux 4.16; a pair of comparisons works on
 * every version. */
#define FILTER_OPS 9

/* The old request for TCP has no family: one walk over the kernel's table returns IPv4 and IPv6,
 * while SOCK_DIAG_BY_FAMILY needs two walks. The walk is the main cost: the table of an ordinary
 * machine has 262,144 buckets, nearly all empty (measured: 1.5 ms, plus half a millisecond for
 * 1,000 rows). */
struct tcp_request {
	struct inet_diag_req query;
	struct nlattr filter_header;
	struct inet_diag_bc_op filter[FILTER_OPS];
};

struct tcp_rows {
	struct tcp_socket *rows;
	size_t count, room;
};

struct unix_row {
	struct unix_socket socket;
	char path[108]; /* as the server bound it; "" for an abstract name */
};

struct unix_rows {
	const struct peers_target *target;
	char name[32]; /* the server's name for its socket, without the folder */
	struct unix_row *rows;
	size_t count, room;
};

struct netlink *sockets_netlink(void)
{
	return netlink_new(NETLINK_SOCK_DIAG);
}

static struct tcp_request tcp_request(uint16_t port)
{
	const size_t filter_size = FILTER_OPS * sizeof(struct inet_diag_bc_op);
	return (struct tcp_request){
		.query.idiag_states = CONNECTED_STATES,
		.filter_header = {
			.nla_len = (uint16_t)(sizeof(struct nlattr) + filter_size),
			.nla_type = INET_DIAG_REQ_BYTECODE,
		},
		.filter = {
			{ .code = INET_DIAG_BC_S_GE, .yes = 8, .no = 20 }, { .no = port },
			{ .code = INET_DIAG_BC_S_LE, .yes = 8, .no = 12 }, { .no = port },
			{ .code = INET_DIAG_BC_JMP, .yes = 4, .no = 20 },
			{ .code = INET_DIAG_BC_D_GE, .yes = 8, .no = 20 }, { .no = port },
			{ .code = INET_DIAG_BC_D_LE, .yes = 8, .no = 12 }, { .no = port },
		},
	};
}

static void add_tcp(void *data, const void *payload, size_t size)
{
	struct tcp_rows *rows = data;
	struct inet_diag_msg message;
	if (size < sizeof(message))
		return;
	memcpy(&message, payload, sizeof(message));
	rows->rows = mem_grow(rows->rows, rows->count, &rows->room, sizeof(*rows->rows));
	const struct inet_diag_sockid *id = &message.id;
	int family = message.idiag_family;
	rows->rows[rows->count++] = (struct tcp_socket){
		.local = endpoint_make(family, id->idiag_src, ntohs(id->idiag_sport)),
		.remote = endpoint_make(family, id->idiag_dst, ntohs(id->idiag_dport)),
		.inode = message.idiag_inode,
		.state = message.idiag_state,
		.uid = message.idiag_uid,
	};
}

static bool has_port(const struct tcp_socket *row, const uint16_t *ports, size_t n_ports)
{
	for (size_t i = 0; i < n_ports; i++)
		if (row->local.port == ports[i] || row->remote.port == ports[i])
			return true;
	return false;
}

/* Puts the rows with the server's address first, of those from `first` on. */
static void put_first(struct tcp_rows *rows, size_t first, struct endpoint server, uint16_t port)
{
	server.port = port;
	for (size_t i = first; i < rows->count; i++) {
		struct tcp_socket row = rows->rows[i];
		if (!endpoint_equal(&row.local, &server) && !endpoint_equal(&row.remote, &server))
			continue;
		rows->rows[i] = rows->rows[first];
		rows->rows[first++] = row;
	}
}

/* Adds the sockets of ports[at], except those that have one of the ports before it, too. */
static int dump_tcp_port(struct netlink *netlink, const struct peers_target *target,
	const uint16_t *ports, size_t at, struct tcp_rows *rows)
{
	if (!ports[at])
		return -EINVAL;
	size_t first = rows->count, kept = first;
	struct tcp_request request = tcp_request(ports[at]);
	int error =
		netlink_dump(netlink, TCPDIAG_GETSOCK, &request, sizeof(request), add_tcp, rows);
	for (size_t i = first; i < rows->count; i++)
		if (!has_port(&rows->rows[i], ports, at))
			rows->rows[kept++] = rows->rows[i];
	rows->count = kept;
	put_first(rows, first, target->server, ports[at]);
	return error;
}

int sockets_dump_tcp_ports(struct netlink *netlink, struct arena *arena,
	const struct peers_target *target, const uint16_t *ports, size_t n_ports,
	struct tcp_socket **ret_rows, size_t *ret_count)
{
	struct tcp_rows rows = { .rows = NULL };
	int error = 0;
	for (size_t i = 0; i < n_ports && error == 0; i++)
		error = dump_tcp_port(netlink, target, ports, i, &rows);
	if (error == 0) {
		*ret_rows = arena_array(arena, rows.count, sizeof(*rows.rows));
		if (rows.count)
			memcpy(*ret_rows, rows.rows, rows.count * sizeof(*rows.rows));
		*ret_count = rows.count;
	}
	free(rows.rows);
	return error;
}

int sockets_dump_tcp(struct netlink *netlink, struct arena *arena,
	const struct peers_target *target, struct tcp_socket **ret_rows, size_t *ret_count)
{
	return sockets_dump_tcp_ports(
		netlink, arena, target, &target->port, 1, ret_rows, ret_count);
}

int sockets_dump_listeners(struct netlink *netlink, struct arena *arena, uint16_t port,
	struct listening_socket **ret_rows, size_t *ret_count)
{
	if (!port)
		return -EINVAL;
	struct tcp_rows rows = { .rows = NULL };
	struct tcp_request request = tcp_request(port);
	request.query.idiag_states = 1u << TCP_LISTEN;
	int error =
		netlink_dump(netlink, TCPDIAG_GETSOCK, &request, sizeof(request), add_tcp, &rows);
	if (error == 0) {
		*ret_rows = arena_array(arena, rows.count, sizeof(**ret_rows));
		*ret_count = rows.count;
		for (size_t i = 0; i < rows.count; i++)
			(*ret_rows)[i] = (struct listening_socket){ rows.rows[i].local,
				rows.rows[i].inode, rows.rows[i].uid };
	}
	free(rows.rows);
	return error;
}

/* Compares the name without its folder, because one folder can be written in many ways. A path
 * comes with or without its terminator; an abstract name begins with a zero byte. */
static bool is_named(const char *name, size_t size, const char *expected)
{
	size_t length = size && name[0] ? strnlen(name, size) : size;
	size_t wanted = strlen(expected);
	if (length < wanted || memcmp(name + length - wanted, expected, wanted) != 0)
		return false;
	return length == wanted || name[length - wanted - 1] == '/';
}

/* In the kernel's device numbers the minor number has 20 bits. */
static bool is_targets_file(const struct peers_target *target, const struct unix_diag_vfs *file)
{
	dev_t device = makedev(file->udiag_vfs_dev >> 20, file->udiag_vfs_dev & 0xfffff);
	return target->socket_inode && file->udiag_vfs_ino == (uint32_t)target->socket_inode &&
		device == target->socket_device;
}

static void read_attribute(const struct unix_rows *rows, const struct netlink_attribute *attribute,
	struct unix_row *row)
{
	const void *value = attribute->value;
	size_t size = attribute->size;
	struct unix_diag_vfs file;
	if (attribute->type == UNIX_DIAG_NAME) {
		row->socket.at_server = is_named(value, size, rows->name);
		snprintf(row->path, sizeof(row->path), "%.*s", (int)size, (const char *)value);
	} else if (attribute->type == UNIX_DIAG_VFS && size >= sizeof(file)) {
		memcpy(&file, value, sizeof(file));
		row->socket.at_target = is_targets_file(rows->target, &file);
	} else if (attribute->type == UNIX_DIAG_PEER && size >= sizeof(row->socket.peer)) {
		memcpy(&row->socket.peer, value, sizeof(row->socket.peer));
	} else if (attribute->type == UNIX_DIAG_SHUTDOWN && size >= 1) {
		/* RCV_SHUTDOWN and SEND_SHUTDOWN: a peer that closes, or whose process is
		 * killed, sets both on our end, and its inode turns 0 */
		row->socket.shut = (*(const uint8_t *)value & 3) == 3;
	} else if (attribute->type == UNIX_DIAG_UID && size >= sizeof(row->socket.uid)) {
		memcpy(&row->socket.uid, value, sizeof(row->socket.uid));
	}
}

static void add_unix(void *data, const void *payload, size_t size)
{
	struct unix_rows *rows = data;
	struct unix_diag_msg message;
	if (size < sizeof(message))
		return;
	memcpy(&message, payload, sizeof(message));
	if (message.udiag_type != SOCK_STREAM || message.udiag_ino == 0)
		return;
	struct unix_row row = { .socket = { .inode = message.udiag_ino, .uid = UINT32_MAX } };
	struct netlink_attribute attribute;
	size_t offset = NLMSG_ALIGN(sizeof(message));
	while (netlink_next_attribute(payload, size, &offset, &attribute))
		read_attribute(rows, &attribute, &row);
	if (!row.socket.at_server)
		return;
	rows->rows = mem_grow(rows->rows, rows->count, &rows->room, sizeof(*rows->rows));
	rows->rows[rows->count++] = row;
}

static bool has_targets_rows(const struct unix_rows *rows)
{
	for (size_t i = 0; i < rows->count; i++)
		if (rows->rows[i].socket.at_target)
			return true;
	return false;
}

/* On some file systems (btrfs, overlay) stat() returns other numbers than the kernel's dump. Then
 * no row matches, and the paths are looked up: nearly all rows have the same path. If a row
 * matches, no path is looked up: a path may belong to another mount namespace, may name a newer
 * socket, or may hang. */
static void look_up_paths(struct unix_rows *rows)
{
	const char *last = "";
	bool at_target = false;
	struct stat st;
	if (!rows->target->socket_inode || has_targets_rows(rows))
		return;
	for (size_t i = 0; i < rows->count; i++) {
		struct unix_row *row = &rows->rows[i];
		if (row->path[0] != '/')
			continue;
		if (strcmp(row->path, last) != 0) {
			last = row->path;
			at_target = stat(last, &st) == 0 &&
				st.st_ino == rows->target->socket_inode &&
				st.st_dev == rows->target->socket_device;
		}
		row->socket.at_target = at_target;
	}
}

/* The caller frees the rows. */
static int dump_unix(struct netlink *netlink, uint32_t state, uint32_t show, const uint16_t *ports,
	size_t n_ports, struct unix_rows *rows)
{
	const struct unix_diag_req request = {
		.sdiag_family = AF_UNIX,
		.udiag_states = 1u << state,
		.udiag_show =
			UDIAG_SHOW_NAME | show | (rows->target->socket_inode ? UDIAG_SHOW_VFS : 0),
	};
	int error = 0;
	for (size_t i = 0; i < n_ports && error == 0; i++) {
		if (!ports[i])
			return -EINVAL;
		snprintf(rows->name, sizeof(rows->name), ".s.PGSQL.%u", ports[i]);
		error = netlink_dump(
			netlink, SOCK_DIAG_BY_FAMILY, &request, sizeof(request), add_unix, rows);
	}
	if (error == 0)
		look_up_paths(rows);
	return error;
}

int sockets_dump_unix_ports(struct netlink *netlink, struct arena *arena,
	const struct peers_target *target, const uint16_t *ports, size_t n_ports,
	struct unix_socket **ret_rows, size_t *ret_count)
{
	struct unix_rows rows = { .target = target };
	int error = dump_unix(netlink, TCP_ESTABLISHED, UDIAG_SHOW_PEER, ports, n_ports, &rows);
	if (error == 0) {
		*ret_rows = arena_array(arena, rows.count, sizeof(**ret_rows));
		for (size_t i = 0; i < rows.count; i++)
			(*ret_rows)[i] = rows.rows[i].socket;
		*ret_count = rows.count;
	}
	free(rows.rows);
	return error;
}

int sockets_dump_unix(struct netlink *netlink, struct arena *arena,
	const struct peers_target *target, struct unix_socket **ret_rows, size_t *ret_count)
{
	return sockets_dump_unix_ports(
		netlink, arena, target, &target->port, 1, ret_rows, ret_count);
}

int sockets_dump_unix_listeners(struct netlink *netlink, struct arena *arena,
	const struct peers_target *target, struct listening_socket **ret_rows, size_t *ret_count)
{
	struct unix_rows rows = { .target = target };
	int error = dump_unix(netlink, TCP_LISTEN, UDIAG_SHOW_UID, &target->port, 1, &rows);
	if (error == 0) {
		*ret_rows = arena_array(arena, rows.count, sizeof(**ret_rows));
		*ret_count = 0;
		for (size_t i = 0; i < rows.count; i++)
			if (rows.rows[i].socket.at_target)
				(*ret_rows)[(*ret_count)++] = (struct listening_socket){
					{ .family = AF_UNIX },
					rows.rows[i].socket.inode,
					rows.rows[i].socket.uid,
				};
	}
	free(rows.rows);
	return error;
}

/* Unit tests of the socket dumps, against the running kernel, with sockets made here. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "../support/sockets_fixture.h"
#include "base/map.h"
#include "collect/addresses.h"
#include "collect/netlink.h"
#include "collect/sockets.h"
#include "model/endpoint.h"
#include "model/peers.h"

static union address tcp_address(const char *text, uint16_t port)
{
	union address address = { .in = { .sin_family = AF_INET, .sin_port = htons(port) } };
	if (inet_pton(AF_INET, text, &address.in.sin_addr) == 1)
		return address;
	address.in6 = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = htons(port) };
	assert_int_equal(inet_pton(AF_INET6, text, &address.in6.sin6_addr), 1);
	return address;
}

static struct endpoint own_end(int fd)
{
	union address address;
	socklen_t size = sizeof(address);
	assert_int_equal(getsockname(fd, &address.any, &size), 0);
	return endpoint_from_sockaddr(&address.any);
}

static int tcp_listen(const char *text, uint16_t *ret_port)
{
	union address address = tcp_address(text, 0);
	int fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, &address.any, sizeof(address.storage)), 0);
	assert_int_equal(listen(fd, 128), 0);
	*ret_port = own_end(fd).port;
	return fd;
}

static int tcp_connect(const char *text, uint16_t port)
{
	union address address = tcp_address(text, port);
	int fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(fd, &address.any, sizeof(address.storage)), 0);
	return fd;
}

static void dump_tcp(struct fixture *f, const char *server, uint16_t port)
{
	struct peers_target target = { .port = port };
	if (server) {
		union address address = tcp_address(server, port);
		target.server = endpoint_from_sockaddr(&address.any);
	}
	assert_int_equal(sockets_dump_tcp(f->netlink, f->arena, &target, &f->tcp, &f->n_tcp), 0);
}

static const struct tcp_socket *find_tcp(const struct fixture *f, uint32_t inode)
{
	for (size_t i = 0; i < f->n_tcp; i++)
		if (f->tcp[i].inode == inode)
			return &f->tcp[i];
	return NULL;
}

static const struct tcp_socket *find_end(const struct fixture *f, const struct endpoint *local)
{
	for (size_t i = 0; i < f->n_tcp; i++)
		if (endpoint_equal(&f->tcp[i].local, local))
			return &f->tcp[i];
	return NULL;
}

/* Without those that linger from a test before, which had the same port. */
static size_t count_held(const struct fixture *f)
{
	size_t count = 0;
	for (size_t i = 0; i < f->n_tcp; i++)
		count += f->tcp[i].inode != 0;
	return count;
}

static void tcp_lists_both_ends_of_every_family(void **state)
{
	static const struct {
		const char *listen, *connect;
		int family;
	} cases[] = {
		{ "127.0.0.1", "127.0.0.1", AF_INET },
		{ "::1", "::1", AF_INET6 },
		{ "127.0.0.1", "::ffff:127.0.0.1", AF_INET },
		{ "::", "127.0.0.1", AF_INET },
	};
	struct fixture *f = *state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint16_t port;
		int listener = tcp_listen(cases[i].listen, &port);
		int client = tcp_connect(cases[i].connect, port);
		int server = accept_one(listener);
		struct endpoint client_end = own_end(client), server_end = own_end(server);
		dump_tcp(f, NULL, port);
		assert_int_equal(count_held(f), 2);
		assert_null(find_tcp(f, inode_of(listener)));
		const struct tcp_socket *row = find_tcp(f, inode_of(client));
		assert_non_null(row);
		assert_int_equal(row->local.family, cases[i].family);
		assert_true(endpoint_equal(&row->local, &client_end));
		assert_true(endpoint_equal(&row->remote, &server_end));
		assert_int_equal(row->state, TCP_ESTABLISHED);
		assert_int_equal(row->uid, geteuid());
		row = find_tcp(f, inode_of(server));
		assert_non_null(row);
		assert_true(endpoint_equal(&row->local, &server_end));
		assert_true(endpoint_equal(&row->remote, &client_end));
		close(client);
		close(server);
		close(listener);
	}
}

static void tcp_leaves_other_ports_out(void **state)
{
	struct fixture *f = *state;
	uint16_t port, other_port;
	int listener = tcp_listen("127.0.0.1", &port);
	int other = tcp_listen("127.0.0.1", &other_port);
	int client = tcp_connect("127.0.0.1", port);
	int other_client = tcp_connect("127.0.0.1", other_port);
	dump_tcp(f, "127.0.0.1", port);
	assert_non_null(find_tcp(f, inode_of(client)));
	assert_null(find_tcp(f, inode_of(other_client)));
	/* an end that nobody accepted has no inode */
	assert_int_equal(count_held(f), 1);
	struct endpoint server_end = find_tcp(f, inode_of(client))->remote;
	const struct tcp_socket *row = find_end(f, &server_end);
	assert_non_null(row);
	assert_int_equal(row->inode, 0);
	close(other_client);
	close(client);
	close(other);
	close(listener);
}

static void tcp_puts_the_targets_address_first(void **state)
{
	struct fixture *f = *state;
	uint16_t port;
	int fds[12], listener = tcp_listen("0.0.0.0", &port);
	for (int i = 0; i < 12; i += 2) {
		fds[i] = tcp_connect(i % 4 ? "127.0.0.1" : "127.0.0.2", port);
		fds[i + 1] = accept_one(listener);
	}
	dump_tcp(f, "127.0.0.2", port);
	assert_int_equal(count_held(f), 12);
	union address address = tcp_address("127.0.0.2", port);
	struct endpoint target = endpoint_from_sockaddr(&address.any);
	bool was_at = true;
	for (size_t i = 0; i < f->n_tcp; i++) {
		bool at = endpoint_equal(&f->tcp[i].local, &target) ||
			endpoint_equal(&f->tcp[i].remote, &target);
		assert_true(was_at || !at);
		was_at = at;
	}
	assert_false(was_at);
	for (int i = 0; i < 12; i++) {
		assert_non_null(find_tcp(f, inode_of(fds[i])));
		close(fds[i]);
	}
	close(listener);
}

static void tcp_client_that_is_killed_has_no_inode(void **state)
{
	struct fixture *f = *state;
	uint16_t port;
	int listener = tcp_listen("127.0.0.1", &port);
	union address address = tcp_address("127.0.0.1", port);
	pid_t pid = start_client(&address, sizeof(address.in));
	int server = accept_one(listener);
	await_byte(server);
	dump_tcp(f, "127.0.0.1", port);
	const struct tcp_socket *row = find_tcp(f, inode_of(server));
	assert_non_null(row);
	struct endpoint client_end = row->remote;
	row = find_end(f, &client_end);
	assert_non_null(row);
	assert_int_not_equal(row->inode, 0);
	kill_client(pid);
	dump_tcp(f, "127.0.0.1", port);
	row = find_tcp(f, inode_of(server));
	assert_non_null(row);
	assert_int_equal(row->state, TCP_CLOSE_WAIT);
	row = find_end(f, &client_end);
	assert_non_null(row);
	assert_int_equal(row->inode, 0);
	/* whether our end's FIN was acknowledged yet */
	assert_in_range(row->state, TCP_FIN_WAIT1, TCP_FIN_WAIT2);
	close(server);
	close(listener);
}

static void tcp_dump_of_thousands_is_whole(void **state)
{
	enum { PAIRS = 1500 };
	static int fds[2 * PAIRS];
	struct fixture *f = *state;
	raise_file_limit(2 * PAIRS + 64);
	uint16_t port;
	int listener = tcp_listen("127.0.0.1", &port);
	for (int i = 0; i < PAIRS; i++) {
		fds[2 * i] = tcp_connect("127.0.0.1", port);
		fds[2 * i + 1] = accept_one(listener);
	}
	dump_tcp(f, "127.0.0.1", port);
	assert_int_equal(count_held(f), 2 * PAIRS);
	struct map *listed = map_new(f->arena, f->n_tcp);
	for (size_t i = 0; i < f->n_tcp; i++)
		map_set(listed, f->tcp[i].inode, (uint32_t)i);
	for (int i = 0; i < 2 * PAIRS; i++)
		assert_int_not_equal(map_get(listed, inode_of(fds[i])), MAP_NONE);
	for (int i = 0; i < 2 * PAIRS; i++)
		close(fds[i]);
	close(listener);
}

static void no_port_is_an_error(void **state)
{
	struct fixture *f = *state;
	struct peers_target target = { .port = 0 };
	f->n_tcp = f->n_unix = 7;
	assert_int_equal(
		sockets_dump_tcp(f->netlink, f->arena, &target, &f->tcp, &f->n_tcp), -EINVAL);
	assert_int_equal(sockets_dump_unix(f->netlink, f->arena, &(struct peers_target){ 0 },
				 &f->unix_sockets, &f->n_unix),
		-EINVAL);
	assert_int_equal(f->n_tcp, 7);
	assert_int_equal(f->n_unix, 7);
}

static void count_row(void *data, const void *payload, size_t size)
{
	(void)payload;
	(void)size;
	++*(int *)data;
}

/* The kernel has no dump for this family, as one without the module has none for ours. */
static void netlink_goes_on_after_a_refusal(void **state)
{
	struct fixture *f = *state;
	const struct sock_diag_req unknown = { .sdiag_family = AF_APPLETALK };
	int rows = 0;
	assert_int_equal(netlink_dump(f->netlink, SOCK_DIAG_BY_FAMILY, &unknown, sizeof(unknown),
				 count_row, &rows),
		-ENOENT);
	assert_int_equal(
		netlink_dump(f->netlink, SOCK_DIAG_BY_FAMILY, &unknown, 1, count_row, &rows),
		-EINVAL);
	assert_int_equal(rows, 0);
	dump_unix(f, 1);
	struct netlink *none = netlink_new(NETLINK_UNUSED);
	assert_int_equal(netlink_dump(none, SOCK_DIAG_BY_FAMILY, &unknown, sizeof(unknown),
				 count_row, &rows),
		-EPROTONOSUPPORT);
	netlink_free(none);
}

static void netlink_attributes_end_with_their_row(void **state)
{
	(void)state;
	static const struct nlattr first = { .nla_len = sizeof(first) + 2, .nla_type = 7 };
	struct netlink_attribute attribute;
	unsigned char row[24] = { 0 };
	memcpy(row + 4, &first, sizeof(first));
	memcpy(row + 12, &first, sizeof(first));
	size_t offset = 4;
	assert_true(netlink_next_attribute(row, 18, &offset, &attribute));
	assert_int_equal(attribute.type, 7);
	assert_int_equal(attribute.size, 2);
	assert_ptr_equal(attribute.value, row + 8);
	assert_int_equal(offset, 12);
	assert_true(netlink_next_attribute(row, 18, &offset, &attribute));
	assert_false(netlink_next_attribute(row, 18, &offset, &attribute));
	/* cut in its value, in its header; without a length */
	offset = 12;
	assert_false(netlink_next_attribute(row, 17, &offset, &attribute));
	assert_false(netlink_next_attribute(row, 15, &offset, &attribute));
	offset = 20;
	assert_false(netlink_next_attribute(row, 24, &offset, &attribute));
	offset = 24;
	assert_false(netlink_next_attribute(row, 24, &offset, &attribute));
}

static void addresses_hold_loopback(void **state)
{
	struct fixture *f = *state;
	struct endpoint *addresses;
	size_t count;
	assert_int_equal(addresses_local(f->arena, &addresses, &count), 0);
	bool loopback = false;
	for (size_t i = 0; i < count; i++) {
		assert_true(addresses[i].family == AF_INET || addresses[i].family == AF_INET6);
		assert_int_equal(addresses[i].port, 0);
		loopback |= endpoint_is_loopback(&addresses[i]);
	}
	assert_true(loopback);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(tcp_lists_both_ends_of_every_family),
		TEST(tcp_leaves_other_ports_out),
		TEST(tcp_puts_the_targets_address_first),
		TEST(tcp_client_that_is_killed_has_no_inode),
		TEST(tcp_dump_of_thousands_is_whole),
		TEST(no_port_is_an_error),
		TEST(netlink_goes_on_after_a_refusal),
		TEST(netlink_attributes_end_with_their_row),
		TEST(addresses_hold_loopback),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

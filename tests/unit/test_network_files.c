/* /proc/PID/net shows the same sockets and addresses as sock_diag and getifaddrs, with sockets made
 * here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "collect/addresses.h"
#include "collect/network_files.h"
#include "model/peers.h"

static struct peers_network read_own(struct arena *arena, uint16_t port)
{
	struct peers_network network = { 0 };
	int process = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(process >= 0);
	network_files_read(process, &port, 1, arena, &network);
	close(process);
	assert_true(network.tcp_known);
	return network;
}

static const struct tcp_socket *find(const struct peers_network *network, int fd)
{
	struct stat st;
	assert_int_equal(fstat(fd, &st), 0);
	for (size_t i = 0; i < network->n_tcp; i++)
		if (network->tcp[i].inode == st.st_ino)
			return &network->tcp[i];
	return NULL;
}

/* On a listener of a family: a client and the server's end of it. */
static void check_family(const struct sockaddr *any, socklen_t size)
{
	struct arena *arena = arena_new();
	struct sockaddr_storage address = { 0 };
	socklen_t length = sizeof(address);
	int listener = socket(any->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(listener, any, size), 0);
	assert_int_equal(listen(listener, 8), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &length), 0);
	struct endpoint server = endpoint_from_sockaddr((struct sockaddr *)&address);
	int client = socket(any->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(client, (struct sockaddr *)&address, length), 0);
	int accepted = accept(listener, NULL, NULL);
	assert_true(accepted >= 0);
	struct peers_network network = read_own(arena, server.port);
	const struct tcp_socket *near = find(&network, client), *far = find(&network, accepted);
	assert_non_null(near);
	assert_non_null(far);
	assert_null(find(&network, listener));
	assert_true(endpoint_equal(&near->remote, &server));
	assert_true(endpoint_equal(&far->local, &server));
	assert_true(endpoint_equal(&near->local, &far->remote));
	assert_int_equal(near->state, TCP_ESTABLISHED);
	assert_int_equal(near->uid, geteuid());
	close(client);
	network = read_own(arena, server.port);
	assert_int_equal(find(&network, accepted)->state, TCP_CLOSE_WAIT);
	network = read_own(arena, server.port ^ 1);
	assert_null(find(&network, accepted));
	close(accepted);
	close(listener);
	arena_free(arena);
}

static void sockets_of_both_families_are_read(void **state)
{
	(void)state;
	const struct sockaddr_in in = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	const struct sockaddr_in6 in6 = {
		.sin6_family = AF_INET6,
		.sin6_addr = in6addr_loopback,
	};
	check_family((const struct sockaddr *)&in, sizeof(in));
	check_family((const struct sockaddr *)&in6, sizeof(in6));
}

static bool has_address(const struct endpoint *list, size_t n, const struct endpoint *address)
{
	for (size_t i = 0; i < n; i++)
		if (endpoint_same_address(&list[i], address))
			return true;
	return false;
}

static void addresses_are_those_of_the_interfaces(void **state)
{
	(void)state;
	struct arena *arena = arena_new();
	struct peers_network network = read_own(arena, 1);
	struct endpoint *expected;
	size_t n_expected;
	assert_int_equal(addresses_local(arena, &expected, &n_expected), 0);
	for (size_t i = 0; i < n_expected; i++)
		assert_true(has_address(network.addresses, network.n_addresses, &expected[i]));
	for (size_t i = 0; i < network.n_addresses; i++)
		assert_true(endpoint_is_loopback(&network.addresses[i]) ||
			has_address(expected, n_expected, &network.addresses[i]));
	arena_free(arena);
}

static void a_process_that_is_gone_shows_nothing(void **state)
{
	(void)state;
	struct arena *arena = arena_new();
	struct peers_network network = { 0 };
	uint16_t port = 1;
	int folder = open("tests/data/proc-app", O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(folder >= 0);
	network_files_read(folder, &port, 1, arena, &network);
	assert_false(network.tcp_known);
	close(folder);
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sockets_of_both_families_are_read),
		cmocka_unit_test(addresses_are_those_of_the_interfaces),
		cmocka_unit_test(a_process_that_is_gone_shows_nothing),
	};
	return cmocka_run_group_tests_name("network_files", tests, NULL, NULL);
}

/* collect/doors: which TCP listeners are those of the server behind a Unix socket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <sys/socket.h>

#include "base/arena.h"
#include "collect/doors.h"
#include "collect/sockets.h"
#include "model/peers.h"

#define PORT 5432

static struct endpoint at(const char *address)
{
	unsigned char bytes[16];
	if (inet_pton(AF_INET, address, bytes) == 1)
		return endpoint_make(AF_INET, bytes, PORT);
	assert_int_equal(inet_pton(AF_INET6, address, bytes), 1);
	return endpoint_make(AF_INET6, bytes, PORT);
}

/* The Unix socket is inode 10 of user 70. Owners: inode and process, in rising order. */
static struct peers *find(const struct listening_socket *tcp, size_t n_tcp,
	const struct socket_owner *owners, size_t n_owners)
{
	struct listening_socket file = { .inode = 10, .uid = 70 };
	struct peers *peers = peers_new();
	const struct doors doors = { &file, (struct listening_socket *)tcp, 1, n_tcp };
	peers->owners = (struct socket_owner *)owners;
	peers->n_owners = n_owners;
	doors_find(&doors, peers);
	return peers;
}

static void the_process_that_listens_at_both_is_proof(void **state)
{
	(void)state;
	const struct listening_socket tcp[] = { { at("127.0.0.1"), 21, 70 },
		{ at("127.0.0.2"), 22, 70 } };
	const struct socket_owner owners[] = { { 10, 1 }, { 21, 1 }, { 22, 2 } };
	struct peers *peers = find(tcp, 2, owners, 3);
	struct endpoint ours = at("127.0.0.1"), others = at("127.0.0.2");
	assert_true(peers->doors_proven);
	assert_true(peers_is_door(peers, &ours));
	assert_false(peers_is_door(peers, &others));
	peers_unref(peers);
}

static void the_same_user_is_no_proof(void **state)
{
	(void)state;
	const struct listening_socket tcp[] = { { at("127.0.0.1"), 21, 70 },
		{ at("127.0.0.2"), 22, 71 } };
	struct peers *peers = find(tcp, 2, NULL, 0);
	struct endpoint ours = at("127.0.0.1"), others = at("127.0.0.2");
	assert_false(peers->doors_proven);
	assert_true(peers_is_door(peers, &ours));
	assert_false(peers_is_door(peers, &others));
	peers_unref(peers);
}

static void an_unspecified_address_is_all_of_its_family_here(void **state)
{
	(void)state;
	const struct listening_socket tcp[] = { { at("0.0.0.0"), 21, 70 } };
	struct peers *peers = find(tcp, 1, NULL, 0);
	struct endpoint here = at("127.0.0.1"), elsewhere = at("192.0.2.1"), six = at("::1");
	assert_true(peers_is_door(peers, &here));
	assert_false(peers_is_door(peers, &elsewhere));
	assert_false(peers_is_door(peers, &six));
	peers_unref(peers);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_process_that_listens_at_both_is_proof),
		cmocka_unit_test(the_same_user_is_no_proof),
		cmocka_unit_test(an_unspecified_address_is_all_of_its_family_here),
	};
	return cmocka_run_group_tests_name("doors", tests, NULL, NULL);
}

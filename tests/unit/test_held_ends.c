/* analyze/held_ends: what --peers says of the ends that it is asked about. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <netinet/tcp.h>
#include <sys/socket.h>

#include "analyze/held_ends.h"
#include "base/arena.h"
#include "world.h"

enum { OURS = 100, BOX = 200 };

/* A machine at 10.0.0.5 with a container at 172.17.0.2; the server's port is PORT. */
static struct world machine(void)
{
	struct world world = world_make(T0, T0);
	struct peers *peers = world.peers;
	peers->network_id = OURS;
	peers->all_networks = true;
	peers->networks = arena_array(peers->arena, 1, sizeof(*peers->networks));
	peers->networks[0] = (struct peers_network){ .id = BOX,
		.dumped = true,
		.tcp_known = true,
		.unix_known = true,
		.tcp = arena_array(peers->arena, MOST, sizeof(struct tcp_socket)) };
	peers->n_networks = 1;
	return world;
}

static void add_in_box(struct world *world, struct endpoint local, uint32_t inode)
{
	struct peers_network *box = &world->peers->networks[0];
	box->tcp[box->n_tcp++] = (struct tcp_socket){ .local = local,
		.remote = at("10.0.0.9", PORT),
		.inode = inode,
		.state = TCP_ESTABLISHED };
}

static void release(struct world *world)
{
	activity_unref(world->activity);
	peers_unref(world->peers);
}

static enum host_end_state update(
	struct world *world, struct held_end *end, const struct held_server *server)
{
	static const struct held_server none;
	held_ends_update(world->peers, server ? server : &none, end, 1);
	return end->state;
}

static void an_end_is_held_hidden_or_not_there(void **state)
{
	(void)state;
	struct world world = machine();
	struct held_end held = { .end = { at("10.0.0.5", 1), 0 } };
	struct held_end hidden = { .end = { at("10.0.0.5", 2), 0 } };
	struct held_end none = { .end = { at("10.0.0.5", 3), 0 } };
	struct held_end other = { .end = { at("10.0.0.5", 4), 0 } };
	struct held_end closed = { .end = { at("10.0.0.5", 5), 0 } };
	struct held_end boxed = { .end = { at("172.17.0.2", 6), 0 } };
	world_add_tcp(&world, at("10.0.0.5", 1), at("10.0.0.9", PORT), 11);
	world_add_owner(&world, 11, 11, "app");
	world_add_tcp(&world, at("10.0.0.5", 2), at("10.0.0.9", PORT), 12);
	world_add_tcp(&world, at("10.0.0.5", 4), at("10.0.0.9", 80), 14);  /* no server's port */
	world_add_tcp(&world, at("10.0.0.5", 5), at("10.0.0.9", PORT), 0); /* lingers */
	add_in_box(&world, at("172.17.0.2", 6), 16);
	world_add_owner(&world, 16, 16, "boxed");
	assert_int_equal(update(&world, &held, NULL), HOST_END_HELD);
	assert_string_equal(world.peers->processes[held.process].name, "app");
	assert_int_equal(update(&world, &hidden, NULL), HOST_END_HIDDEN);
	assert_int_equal(update(&world, &none, NULL), HOST_END_NONE);
	assert_int_equal(update(&world, &other, NULL), HOST_END_NONE);
	assert_int_equal(update(&world, &closed, NULL), HOST_END_NONE);
	assert_int_equal(update(&world, &boxed, NULL), HOST_END_HELD);
	release(&world);
}

/* "none" is said only by a scan that looked where the end was. */
static void an_end_that_was_found_is_missed_where_it_was(void **state)
{
	(void)state;
	static const struct {
		bool tcp_known, dumped, box_is_gone, all_networks;
		enum host_end_state state;
	} cases[] = {
		{ true, true, false, true, HOST_END_NONE },
		{ true, false, false, true, HOST_END_UNKNOWN }, /* the namespace was not read */
		{ true, true, true, true, HOST_END_NONE },      /* a container that ended */
		{ true, true, true, false, HOST_END_UNKNOWN },  /* … or that we cannot see */
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct held_end end = { .end = { at("172.17.0.2", 6), 0 } };
		struct world before = machine(), after = machine();
		add_in_box(&before, at("172.17.0.2", 6), 16);
		world_add_owner(&before, 16, 16, "boxed");
		assert_int_equal(update(&before, &end, NULL), HOST_END_HELD);
		after.peers->networks[0].dumped = cases[i].dumped;
		after.peers->n_networks = !cases[i].box_is_gone;
		after.peers->all_networks = cases[i].all_networks;
		assert_int_equal(update(&after, &end, NULL), cases[i].state);
		release(&before);
		release(&after);
	}
}

static void two_sockets_with_one_end_are_not_told_apart(void **state)
{
	(void)state;
	struct world world = machine();
	struct held_end end = { .end = { at("10.0.0.5", 1), 0 } };
	world_add_tcp(&world, at("10.0.0.5", 1), at("10.0.0.9", PORT), 11);
	world_add_owner(&world, 11, 11, "app");
	add_in_box(&world, at("10.0.0.5", 1), 12);
	world_add_owner(&world, 12, 12, "twin");
	assert_int_equal(update(&world, &end, NULL), HOST_END_UNKNOWN);
	release(&world);
}

static void a_translated_end_is_the_clients(void **state)
{
	(void)state;
	struct world world = machine();
	struct peers_nat nat = { .client = at("172.17.0.2", 7),
		.server = at("10.0.0.9", PORT),
		.client_seen = at("10.0.0.5", 40007),
		.server_real = at("10.0.0.9", PORT) };
	struct held_end end = { .end = { at("10.0.0.5", 40007), 0 } };
	world.peers->nat = &nat;
	world.peers->n_nat = 1;
	add_in_box(&world, at("172.17.0.2", 7), 17);
	world_add_owner(&world, 17, 17, "boxed");
	assert_int_equal(update(&world, &end, NULL), HOST_END_HELD);
	/* the kernel has forgotten the translation */
	world.peers->n_nat = 0;
	assert_int_equal(update(&world, &end, NULL), HOST_END_HELD);
	world.peers->networks[0].n_tcp = 0;
	assert_int_equal(update(&world, &end, NULL), HOST_END_NONE);
	release(&world);
}

/* Loopback and Unix sockets are those of the server, which must be a PostgreSQL. */
static void the_servers_own_ends(void **state)
{
	(void)state;
	static const struct endpoint over_unix = { .family = AF_UNIX };
	for (int postgresql = 0; postgresql < 2; postgresql++) {
		struct world world = machine();
		struct held_end loopback = { .end = { at("127.0.0.1", 1), 0 } };
		struct held_end socket = { .end = { over_unix, 4711 } };
		struct held_end left = { .end = { over_unix, 4712 } };
		struct held_end ended = { .end = { over_unix, 4713 } };
		const struct endpoint own = at("10.0.0.77", 50000);
		world_add_tcp(&world, at("10.0.0.5", PORT), own, 10);
		struct process *server = world_add_owner(&world, 10, 900, "postgres");
		server->program = postgresql ? PROGRAM_POSTGRESQL : PROGRAM_UNKNOWN;
		server->started_at = START;
		world_add_tcp(&world, at("127.0.0.1", 1), at("127.0.0.1", PORT), 11);
		world_add_owner(&world, 11, 11, "app");
		world_add_unix(&world, 12, 13);
		world_add_owner(&world, 12, 4711, "postgres");
		world_add_owner(&world, 13, 13, "psql");
		world_add_unix(&world, 14, 0);
		world_add_owner(&world, 14, 4712, "postgres");
		const struct held_server found = held_ends_server(world.peers, &own);
		assert_int_equal(found.pid, postgresql ? 900 : 0);
		assert_int_equal(update(&world, &loopback, &found),
			postgresql ? HOST_END_HELD : HOST_END_UNKNOWN);
		assert_int_equal(update(&world, &socket, &found),
			postgresql ? HOST_END_HELD : HOST_END_UNKNOWN);
		assert_int_equal(update(&world, &left, &found),
			postgresql ? HOST_END_NONE : HOST_END_UNKNOWN);
		assert_int_equal(update(&world, &ended, &found), HOST_END_UNKNOWN);
		release(&world);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_end_is_held_hidden_or_not_there),
		cmocka_unit_test(an_end_that_was_found_is_missed_where_it_was),
		cmocka_unit_test(two_sockets_with_one_end_are_not_told_apart),
		cmocka_unit_test(a_translated_end_is_the_clients),
		cmocka_unit_test(the_servers_own_ends),
	};
	return cmocka_run_group_tests_name("held_ends", tests, NULL, NULL);
}

/* analyze/join where addresses are translated between client and server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <netinet/tcp.h>
#include <string.h>

#include "base/arena.h"
#include "networks_world.h"

/* Through a published port: the server sees the machine's address. */
static struct peers_nat *add_nat(
	struct world *world, struct endpoint client, uint16_t port, const char *server)
{
	struct peers *peers = world->peers;
	struct peers_nat *nat = &peers->nat[peers->n_nat++];
	*nat = (struct peers_nat){
		.client = client,
		.server = at(server, 15432),
		.client_seen = at("10.0.0.1", port),
		.server_real = at("10.0.0.2", PORT),
	};
	return nat;
}

static int alive_rounds; /* then the clients are killed */
static bool remembers;   /* the kernel still has the translations then */

static void published(struct world *world, int round)
{
	bool alive = round < alive_rounds;
	world->peers->nat = arena_array(world->peers->arena, MOST, sizeof(struct peers_nat));
	world_add_backend(world, 1, at("10.0.0.1", 6001)); /* of the application's namespace */
	world_add_backend(world, 2, at("10.0.0.1", 6002)); /* of ours, over loopback */
	world_add_backend(world, 3, at("10.0.0.1", 6003)); /* of another machine */
	for (uint16_t i = 1; i <= 3; i++)
		if (add_server_end(world, "10.0.0.1", 6000 + i, 30u + i) && !alive)
			network(world, SERVERS)->tcp[network(world, SERVERS)->n_tcp - 1].state =
				TCP_CLOSE_WAIT;
	if (alive || remembers) {
		add_nat(world, at("10.0.0.3", 5001), 6001, "10.0.0.1");
		add_nat(world, at("127.0.0.1", 5002), 6002, "127.0.0.1");
		add_nat(world, at("10.9.9.9", 5003), 6003, "10.0.0.1");
		/* the same client's address, at another server */
		add_nat(world, at("10.0.0.3", 5009), 6001, "10.0.0.1")->server_real =
			at("10.0.0.7", PORT);
	}
	if (!alive)
		return;
	add_tcp(world, APPS, at("10.0.0.3", 5001), at("10.0.0.1", 15432), 41);
	add_owner(world, 41, 41, 0, 0, "far");
	add_tcp(world, OURS, at("127.0.0.1", 5002), at("127.0.0.1", 15432), 42);
	add_owner(world, 42, 42, 0, 0, "near");
}

static void check_published(
	const struct assessment *assessment, int32_t pid, enum client_end end, const char *process)
{
	const struct connection *connection = &assessment->connections[pid];
	const struct client_process *found = assessment_process(assessment, connection);
	assert_int_equal(connection->backend->pid, pid);
	if (connection->end != end)
		fail_msg("%d: end %d, not %d", pid, connection->end, end);
	assert_string_equal(found ? found->process.name : "", process);
	if (found)
		assert_int_equal(connection->matched_by, MATCHED_NAT);
}

static void a_translated_client_is_found_and_proven(void **state)
{
	(void)state;
	alive_rounds = 3;
	struct assessment *assessment = observe(2, false, published);
	check_published(assessment, 1, CLIENT_END_HELD, "far");
	check_published(assessment, 2, CLIENT_END_HELD, "near");
	check_published(assessment, 3, CLIENT_END_ELSEWHERE, "");
	assessment_free(assessment);
	for (int i = 0; i < 2; i++) {
		alive_rounds = 2;
		remembers = i == 0;
		assessment = observe(4, false, published);
		check_published(assessment, 1, CLIENT_END_GONE, "far");
		check_published(assessment, 2, CLIENT_END_GONE, "near");
		assessment_free(assessment);
	}
}

/* The kernel forgets a translation of a client that lives. */
static void forgotten(struct world *world, int round)
{
	alive_rounds = 10;
	published(world, round);
	if (round >= 2)
		world->peers->n_nat = 0;
}

static void a_forgotten_translation_changes_nothing(void **state)
{
	(void)state;
	struct assessment *assessment = observe(4, false, forgotten);
	check_published(assessment, 1, CLIENT_END_HELD, "far");
	check_published(assessment, 2, CLIENT_END_HELD, "near");
	assessment_free(assessment);
}

/* The node of a cluster translates for its pod, and we translate what the node sends. */
static void translated_elsewhere(struct world *world, int round)
{
	(void)round;
	world->peers->nat = arena_array(world->peers->arena, MOST, sizeof(struct peers_nat));
	add_network(world, NEW, "10.5.0.5");
	/* two that have the same addresses: whose connection is translated cannot be told */
	add_network(world, TWIN_A, "10.0.0.8");
	add_network(world, TWIN_B, "10.0.0.8");
	world_add_backend(world, 1, at("10.0.0.3", 6001));
	world_add_backend(world, 2, at("10.0.0.1", 6002));
	world_add_backend(world, 3, at("10.0.0.8", 6003));
	world_add_backend(world, 4, at("10.0.0.1", 6004));
	static const struct {
		const char *client, *server, *seen, *real;
		uint16_t port, server_port, seen_port, real_port;
		uint64_t network;
	} rows[] = {
		{ "10.5.0.5", "10.0.0.2", "10.0.0.3", "10.0.0.2", 5001, PORT, 6001, PORT, APPS },
		{ "10.5.0.5", "10.0.0.1", "10.0.0.3", "10.0.0.1", 5002, 15432, 7002, 15432, APPS },
		{ "10.0.0.3", "10.0.0.1", "10.0.0.1", "10.0.0.2", 7002, 15432, 6002, PORT, 0 },
		{ "10.5.0.5", "10.0.0.2", "10.0.0.8", "10.0.0.2", 5003, PORT, 6003, PORT, TWIN_A },
		{ "10.5.0.5", "10.0.0.1", "10.0.0.8", "10.0.0.1", 5004, 15432, 7004, 15432,
			TWIN_A },
		{ "10.0.0.8", "10.0.0.1", "10.0.0.1", "10.0.0.2", 7004, 15432, 6004, PORT, 0 },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		world->peers->nat[world->peers->n_nat++] = (struct peers_nat){
			.client = at(rows[i].client, rows[i].port),
			.server = at(rows[i].server, rows[i].server_port),
			.client_seen = at(rows[i].seen, rows[i].seen_port),
			.server_real = at(rows[i].real, rows[i].real_port),
			.network = rows[i].network,
		};
	add_server_end(world, "10.0.0.3", 6001, 31);
	add_server_end(world, "10.0.0.1", 6002, 32);
	add_server_end(world, "10.0.0.8", 6003, 33);
	add_server_end(world, "10.0.0.1", 6004, 34);
	for (uint16_t i = 1; i <= 4; i++) {
		bool by_port = i % 2 == 0;
		add_tcp(world, NEW, at("10.5.0.5", 5000 + i),
			by_port ? at("10.0.0.1", 15432) : at("10.0.0.2", PORT), 40u + i);
		add_owner(world, 40u + i, 40 + i, 0, 0, "pod");
	}
}

static void another_namespace_translates(void **state)
{
	(void)state;
	struct assessment *assessment = observe(2, false, translated_elsewhere);
	check_published(assessment, 1, CLIENT_END_HELD, "pod");
	check_published(assessment, 2, CLIENT_END_HELD, "pod");
	check_published(assessment, 3, CLIENT_END_NOT_VISIBLE, "");
	check_published(assessment, 4, CLIENT_END_NOT_VISIBLE, "");
	assessment_free(assessment);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_translated_client_is_found_and_proven),
		cmocka_unit_test(a_forgotten_translation_changes_nothing),
		cmocka_unit_test(another_namespace_translates),
	};
	return cmocka_run_group_tests_name("join_nat", tests, NULL, NULL);
}

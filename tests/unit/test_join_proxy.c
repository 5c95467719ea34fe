/* analyze/join_proxy: the application behind the proxy is set only where it is proven. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "analyze/client_processes.h"
#include "analyze/join_proxy.h"
#include "base/arena.h"
#include "base/instant.h"
#include "model/proxy.h"

static void test_names(void **state)
{
	static const struct {
		const char *name;
		int32_t pid; /* 0: of another form */
	} cases[] = {
		{ "app/4312/1", 4312 },
		{ "a/b/4312/1", 4312 },
		{ "/4312/1", 0 },
		{ "app/4312/", 0 },
		{ "app/4312", 0 },
		{ "app//1", 0 },
		{ "app/x/1", 0 },
		{ "app/0/1", 0 },
		{ "app/-1/1", 0 },
		{ "app/4312/1 ", 0 },
		{ "app/99999999999999/1", 0 },
		{ "4312/1", 0 },
		{ "/1", 0 },
		{ "", 0 },
		{ NULL, 0 },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int32_t pid = 0;
		bool read = join_proxy_read_name(cases[i].name, &pid);
		if (read != (cases[i].pid != 0) || pid != cases[i].pid)
			fail_msg("\"%s\": %d", cases[i].name ? cases[i].name : "NULL", pid);
	}
}

/* A world: the proxy is process 500, its port 6000; processes 100 and 200 are connected to it. */
#define PORT 6000

struct world {
	struct arena *arena;
	struct assessment *assessment;
	struct client_processes *processes;
	struct proxy *proxy;
	struct peers *peers, *proxy_peers;
};

static struct endpoint at(uint16_t port)
{
	struct in_addr loopback = { htonl(INADDR_LOOPBACK) };
	return endpoint_make(AF_INET, &loopback, port);
}

static struct process process(int32_t pid)
{
	return (struct process){ .pid = pid,
		.start_ticks = (uint64_t)pid * 10,
		.name = pid == 500 ? "haproxy" : "python3",
		.ended_at = INSTANT_UNKNOWN };
}

static struct peers *peers_of_proxy(struct arena *arena)
{
	struct peers *peers = peers_new();
	peers->target.port = PORT;
	peers->tcp = arena_array(arena, 3, sizeof(*peers->tcp));
	peers->owners = arena_array(arena, 4, sizeof(*peers->owners));
	peers->processes = arena_array(arena, 3, sizeof(*peers->processes));
	static const int32_t pids[] = { 100, 200, 500 };
	for (uint32_t i = 0; i < 3; i++)
		peers->processes[peers->n_processes++] = process(pids[i]);
	static const uint32_t owners[] = { 0, 0, 1 };
	for (uint32_t i = 0; i < 3; i++) {
		peers->tcp[peers->n_tcp++] = (struct tcp_socket){ .local = at((uint16_t)(7000 + i)),
			.remote = at(PORT),
			.inode = 10 + i,
			.state = TCP_ESTABLISHED };
		peers->owners[peers->n_owners++] = (struct socket_owner){ 10 + i, owners[i] };
	}
	peers->owners[peers->n_owners++] = (struct socket_owner){ 50, 2 };
	return peers;
}

static void begin(struct world *world, size_t n_connections, const struct backend *backends)
{
	struct arena *arena = arena_new();
	struct activity *activity = activity_new();
	*world = (struct world){ .arena = arena };
	world->assessment = arena_alloc(arena, sizeof(*world->assessment));
	world->assessment->arena = arena;
	world->peers = peers_new();
	world->proxy = proxy_new();
	world->proxy->status = PROXY_SERVING;
	world->proxy->port = PORT;
	world->proxy->inode = 50;
	world->proxy->process = process(500);
	world->proxy_peers = peers_of_proxy(arena);
	world->proxy->peers = world->proxy_peers;
	activity->server.own_pid = 9;
	activity->backends = (struct backend *)backends;
	activity->n_backends = n_connections;
	world->assessment->activity = activity;
	world->assessment->peers = world->peers;
	world->assessment->proxy = world->proxy;
	world->assessment->connections =
		arena_array(arena, n_connections, sizeof(struct connection));
	world->assessment->n_connections = n_connections;
	for (size_t i = 0; i < n_connections; i++)
		world->assessment->connections[i] = (struct connection){
			.backend = &backends[i], .process = NO_PROCESS, .owner = NO_PROCESS
		};
	world->processes = client_processes_new(world->assessment, NULL);
}

static void end(struct world *world)
{
	activity_unref(world->assessment->activity);
	peers_unref(world->peers);
	proxy_unref(world->proxy);
	arena_free(world->arena);
}

/* The kernel shows that the proxy holds this connection's client end. */
static void hold_by_proxy(struct world *world, struct connection *connection, int32_t pid)
{
	struct process owner = process(pid);
	connection->owner = connection->process =
		client_processes_add(world->processes, &owner, true);
	connection->matched_by = MATCHED_TCP;
	connection->end = CLIENT_END_HELD;
}

static int32_t pid_of(const struct world *world, const struct connection *connection)
{
	const struct client_process *found = assessment_process(world->assessment, connection);
	return found ? found->process.pid : 0;
}

static void test_named_with_a_socket(void **state)
{
	static const struct backend backends[] = {
		{ .pid = 1, .kind = BACKEND_CLIENT, .application_name = "app/100/1" },
		{ .pid = 2, .kind = BACKEND_CLIENT, .application_name = "app/300/1" },
		{ .pid = 3, .kind = BACKEND_CLIENT, .application_name = "plain" },
		{ .pid = 4, .kind = BACKEND_CLIENT, .application_name = "app/500/1" },
	};
	struct world world;
	(void)state;
	begin(&world, 4, backends);
	struct connection *connections = world.assessment->connections;
	for (size_t i = 0; i < 4; i++)
		hold_by_proxy(&world, &connections[i], 500);
	join_proxy_mark(world.assessment);
	join_proxy(world.assessment, world.processes);
	assert_int_equal(pid_of(&world, &connections[0]), 100);
	assert_int_equal(connections[0].matched_by, MATCHED_PROXY);
	/* The named process is not connected to the proxy: the name proves nothing. */
	assert_int_equal(pid_of(&world, &connections[1]), 500);
	assert_int_equal(connections[1].matched_by, MATCHED_TCP);
	assert_int_equal(pid_of(&world, &connections[2]), 500);
	/* The proxy itself is not the application. */
	assert_int_equal(connections[3].matched_by, MATCHED_TCP);
	assert_true(connections[2].proxied);
	assert_int_equal(world.assessment->n_proxy_clients, 2);
	assert_int_equal(world.assessment->proxy_clients[0].sockets, 2);
	assert_int_equal(world.assessment->proxy_clients[0].matched, 1);
	assert_int_equal(world.assessment->proxy_clients[1].sockets, 1);
	end(&world);
}

static void test_name_without_the_proxy_is_nothing(void **state)
{
	static const struct backend backends[] = {
		{ .pid = 1, .kind = BACKEND_CLIENT, .application_name = "app/100/1" },
		{ .pid = 2, .kind = BACKEND_CLIENT, .application_name = "app/100/2" },
	};
	struct world world;
	(void)state;
	begin(&world, 2, backends);
	struct connection *connections = world.assessment->connections;
	hold_by_proxy(&world, &connections[0], 200);
	join_proxy_mark(world.assessment);
	join_proxy(world.assessment, world.processes);
	assert_false(connections[0].proxied);
	assert_int_equal(connections[0].matched_by, MATCHED_TCP);
	assert_int_equal(pid_of(&world, &connections[1]), 0);
	end(&world);
}

/* Our own connection goes through the proxy, so every connection from the same
 * address does, too. */
static void test_our_own_path(void **state)
{
	struct in_addr elsewhere = { htonl(0x0a000001) };
	const struct backend backends[] = {
		{ .pid = 9,
			.kind = BACKEND_CLIENT,
			.application_name = "dbtop",
			.client = at(8000) },
		{ .pid = 2,
			.kind = BACKEND_CLIENT,
			.application_name = "app/100/2",
			.client = at(8001) },
		{ .pid = 3, .kind = BACKEND_CLIENT, .application_name = "x", .client = at(8002) },
		{ .pid = 4,
			.kind = BACKEND_CLIENT,
			.application_name = "app/100/3",
			.client = endpoint_make(AF_INET, &elsewhere, 8001) },
		{ .pid = 5, .kind = BACKEND_HIDDEN },
	};
	struct world world;
	(void)state;
	begin(&world, 5, backends);
	world.proxy->our_path = true;
	world.peers->target.own = at(7002); /* process 200's socket */
	join_proxy_mark(world.assessment);
	join_proxy(world.assessment, world.processes);
	struct connection *connections = world.assessment->connections;
	assert_int_equal(pid_of(&world, &connections[0]), 200);
	assert_int_equal(pid_of(&world, &connections[1]), 100);
	assert_int_equal(connections[1].matched_by, MATCHED_PROXY);
	assert_true(connections[2].proxied);
	assert_int_equal(pid_of(&world, &connections[2]), 0);
	assert_false(connections[3].proxied);
	assert_int_equal(pid_of(&world, &connections[3]), 0);
	assert_false(connections[4].proxied);
	end(&world);
}

static void test_pages_word_is_kept(void **state)
{
	static const struct backend backends[] = {
		{ .pid = 1, .kind = BACKEND_CLIENT, .application_name = "app/200/1" },
	};
	struct world world;
	(void)state;
	begin(&world, 1, backends);
	struct connection *connection = &world.assessment->connections[0];
	hold_by_proxy(&world, connection, 500);
	struct process owner = process(100);
	connection->process = client_processes_add(world.processes, &owner, true);
	connection->matched_by = MATCHED_PAGE;
	join_proxy_mark(world.assessment);
	join_proxy(world.assessment, world.processes);
	assert_int_equal(pid_of(&world, connection), 100);
	assert_int_equal(connection->matched_by, MATCHED_PAGE);
	assert_int_equal(world.assessment->proxy_clients[0].matched, 1);
	end(&world);
}

static void test_foreign_listener_is_no_proxy(void **state)
{
	static const struct backend backends[] = {
		{ .pid = 1, .kind = BACKEND_CLIENT, .application_name = "app/100/1" },
	};
	struct world world;
	(void)state;
	begin(&world, 1, backends);
	hold_by_proxy(&world, &world.assessment->connections[0], 500);
	world.proxy->status = PROXY_FOREIGN;
	join_proxy_mark(world.assessment);
	join_proxy(world.assessment, world.processes);
	assert_false(world.assessment->connections[0].proxied);
	assert_int_equal(world.assessment->n_proxy_clients, 0);
	end(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_named_with_a_socket),
		cmocka_unit_test(test_name_without_the_proxy_is_nothing),
		cmocka_unit_test(test_our_own_path),
		cmocka_unit_test(test_pages_word_is_kept),
		cmocka_unit_test(test_foreign_listener_is_no_proxy),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

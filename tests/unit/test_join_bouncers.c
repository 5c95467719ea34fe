/* analyze/join_bouncers: which application is behind a backend of PgBouncer, and when that is not
 * certain. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <math.h>
#include <netinet/tcp.h>
#include <string.h>

#include "analyze/assess.h"
#include "base/arena.h"
#include "base/instant.h"
#include "model/rules.h"

#define T0        (INT64_C(1800000000) * USEC_PER_SEC)
#define START     (T0 - 100 * USEC_PER_SEC) /* of every backend */
#define PGBOUNCER 600
#define APP       100

/* A client at 127.0.0.1:5001 of a PgBouncer at port 6432, linked to a server at local port 7001,
 * which is backend 1001 of our server at port 5432; all on this machine. */
struct scene {
	struct bouncer_client client;
	struct bouncer_server server;
	enum pool_mode mode;
	struct backend backend;
	int64_t asked_at, servers_at, taken_at; /* of the round */
	int64_t rows_at;                        /* when the query was sent */
	int64_t dumped_at;
	bool no_port;        /* PgBouncer's sockets were not scanned */
	bool seen_otherwise; /* addresses are translated on the way */
	bool not_held;       /* the owner of the client's socket is not visible */
};

static struct endpoint at(const char *address, uint16_t port)
{
	unsigned char bytes[16];
	assert_int_equal(inet_pton(AF_INET, address, bytes), 1);
	return endpoint_make(AF_INET, bytes, port);
}

static struct scene usual(void)
{
	return (struct scene){
		.mode = POOL_MODE_TRANSACTION,
		.client = { .database = "shop",
			.user = "app",
			.remote = at("127.0.0.1", 5001),
			.local = at("127.0.0.1", 6432),
			.identity = 77,
			.first_seen = T0 - 20 * USEC_PER_SEC,
			.wait = -1,
			.server = 0 },
		.server = { .database = "shop",
			.user = "app",
			.real_database = "shop",
			.server = at("127.0.0.1", 5432),
			.port = 5432,
			.local = at("127.0.0.1", 7001),
			.backend_pid = 1001,
			.linked = true },
		.backend = { .pid = 1001,
			.start = START,
			.kind = BACKEND_CLIENT,
			.state = BACKEND_STATE_IN_TRANSACTION,
			.state_change = T0 - 10 * USEC_PER_SEC,
			.xact_start = T0 - 10 * USEC_PER_SEC,
			.database = "shop",
			.user = "app",
			.client = at("127.0.0.1", 7001) },
		.dumped_at = T0 - 8 * USEC_PER_SEC,
		.asked_at = T0 - 6 * USEC_PER_SEC,
		.servers_at = T0 - 5 * USEC_PER_SEC,
		.taken_at = T0 - 4 * USEC_PER_SEC,
		.rows_at = T0 - 3 * USEC_PER_SEC,
	};
}

static struct bouncer *make_bouncer(const struct scene *scene)
{
	struct bouncer *bouncer = bouncer_new();
	bouncer->name = "127.0.0.1:6432";
	bouncer->port = 6432;
	bouncer->own = at("127.0.0.1", 40001);
	bouncer->address = at("127.0.0.1", 6432);
	bouncer->seen_as_we_are = !scene->seen_otherwise;
	bouncer->asked_at = scene->asked_at;
	bouncer->servers_at = scene->servers_at;
	bouncer->taken_at = bouncer->taken_monotonic = scene->taken_at;
	bouncer->pools = arena_array(bouncer->arena, 1, sizeof(*bouncer->pools));
	bouncer->pools[bouncer->n_pools++] =
		(struct bouncer_pool){ .database = "shop", .user = "app", .mode = scene->mode };
	bouncer->clients = arena_array(bouncer->arena, 1, sizeof(*bouncer->clients));
	bouncer->clients[bouncer->n_clients++] = scene->client;
	bouncer->servers = arena_array(bouncer->arena, 1, sizeof(*bouncer->servers));
	bouncer->servers[bouncer->n_servers++] = scene->server;
	return bouncer;
}

static struct activity *make_activity(const struct scene *scene)
{
	struct activity *activity = activity_new();
	activity->asked_at = activity->asked_monotonic = scene->rows_at;
	activity->taken_at = activity->taken_monotonic = scene->rows_at + 1000;
	activity->server.clock = activity->taken_at;
	activity->server.max_connections = 25;
	activity->server.own_pid = 900;
	activity->backends = arena_array(activity->arena, 2, sizeof(*activity->backends));
	activity->backends[activity->n_backends++] = (struct backend){
		.pid = 900, .start = START, .kind = BACKEND_CLIENT, .client = at("127.0.0.1", 40000)
	};
	activity->backends[activity->n_backends++] = scene->backend;
	return activity;
}

static void add_tcp(
	struct tcp_socket *rows, size_t *count, uint16_t local, uint16_t remote, uint32_t inode)
{
	rows[(*count)++] = (struct tcp_socket){ .local = at("127.0.0.1", local),
		.remote = at("127.0.0.1", remote),
		.inode = inode,
		.state = TCP_ESTABLISHED };
}

static void add_owner(struct peers *peers, uint32_t inode, int32_t pid, const char *name)
{
	peers->owners[peers->n_owners++] =
		(struct socket_owner){ inode, (uint32_t)peers->n_processes };
	peers->processes[peers->n_processes++] = (struct process){ .pid = pid,
		.start_ticks = (uint64_t)pid,
		.name = name,
		.ended_at = INSTANT_UNKNOWN,
		.cpu_percent = NAN,
		.rss_bytes = -1 };
}

static struct peers *make_peers(const struct scene *scene)
{
	struct peers *peers = peers_new();
	struct arena *arena = peers->arena;
	peers->tcp = arena_array(arena, 4, sizeof(*peers->tcp));
	peers->processes = arena_array(arena, 4, sizeof(*peers->processes));
	peers->owners = arena_array(arena, 4, sizeof(*peers->owners));
	peers->dumped_at = peers->dump_began = scene->dumped_at;
	peers->dump_ended = scene->dumped_at + 1000;
	peers->tcp_known = peers->unix_known = true;
	peers->target = (struct peers_target){ .port = 5432,
		.server = at("127.0.0.1", 5432),
		.own = at("127.0.0.1", 40000),
		.backend_pid = 900 };
	peers->backend_started_at = START;
	add_tcp(peers->tcp, &peers->n_tcp, 40000, 5432, 10);
	add_tcp(peers->tcp, &peers->n_tcp, 5432, 40000, 11);
	add_tcp(peers->tcp, &peers->n_tcp, 7001, 5432, 20);
	add_owner(peers, 20, PGBOUNCER, "pgbouncer");
	if (!scene->not_held)
		add_owner(peers, 30, APP, "python3");
	if (scene->no_port)
		return peers;
	peers->ports = arena_array(arena, 1, sizeof(*peers->ports));
	struct peers_port *port = &peers->ports[peers->n_ports++];
	port->port = 6432;
	port->tcp_known = port->unix_known = true;
	port->tcp = arena_array(arena, 2, sizeof(*port->tcp));
	add_tcp(port->tcp, &port->n_tcp, 5001, 6432, 30);
	add_tcp(port->tcp, &port->n_tcp, 6432, 5001, 31);
	/* a client over the Unix socket, of the same process */
	port->unix_sockets = arena_array(arena, 1, sizeof(*port->unix_sockets));
	port->unix_sockets[port->n_unix++] = (struct unix_socket){ .inode = 40, .peer = 30 };
	return peers;
}

static struct assessment *look(const struct scene *scene, const struct assessment *previous)
{
	static const struct rules rules = { .idle = 300 * USEC_PER_SEC,
		.transaction = 5 * USEC_PER_SEC };
	static const struct server_state server = {
		.status = SERVER_OK, .host = "127.0.0.1", .port = 5432, .latency = -1
	};
	struct activity *activity = make_activity(scene);
	struct peers *peers = make_peers(scene);
	struct bouncer *bouncer = make_bouncer(scene);
	const struct bouncer *const bouncers[] = { bouncer };
	const struct assess_input input = { .activity = activity,
		.peers = peers,
		.bouncers = bouncers,
		.n_bouncers = 1,
		.server = &server,
		.rules = &rules,
		.now = T0 };
	struct assessment *assessment = assess(&input, previous);
	activity_unref(activity);
	peers_unref(peers);
	bouncer_unref(bouncer);
	return assessment;
}

static const struct connection *backend_of(const struct assessment *assessment)
{
	for (size_t i = 0; i < assessment->n_connections; i++)
		if (assessment->connections[i].backend->pid == 1001)
			return &assessment->connections[i];
	fail_msg("no backend");
	return NULL;
}

enum found {
	APPLICATION, /* the process at the remote end */
	POOLER,      /* of PgBouncer, but its current client is not certain */
	NOBODY,      /* the client is known, its process is not */
	STRANGER,    /* not a session of PgBouncer */
};

static void check_again(const struct scene *scene, const struct assessment *previous,
	enum found expected, const char *what)
{
	struct assessment *assessment = look(scene, previous);
	const struct connection *connection = backend_of(assessment);
	const struct client_process *process = assessment_process(assessment, connection);
	int32_t pid = process ? process->process.pid : 0;
	enum found found = !connection->bouncer_server ? STRANGER
		: !connection->bouncer_client          ? POOLER
		: pid == APP                           ? APPLICATION
						       : NOBODY;
	if (found != expected)
		fail_msg("%s: %d instead of %d", what, found, expected);
	if (found == APPLICATION)
		assert_int_equal(connection->matched_by, MATCHED_PGBOUNCER);
	if (found == POOLER) {
		assert_int_equal(pid, PGBOUNCER);
		assert_int_equal(connection->matched_by, MATCHED_TCP);
	}
	if (found == NOBODY)
		assert_int_equal(pid, 0);
	assert_int_equal(connection->pool != NULL, found != STRANGER);
	assessment_free(assessment);
}

static void check(const struct scene *scene, enum found expected, const char *what)
{
	check_again(scene, NULL, expected, what);
}

static void the_application_is_at_the_far_end(void **state)
{
	(void)state;
	struct scene scene = usual();
	check(&scene, APPLICATION, "over TCP");
	scene.client.remote = scene.client.local = (struct endpoint){ .family = AF_UNIX };
	scene.client.remote_pid = APP;
	check(&scene, APPLICATION, "over the Unix socket");
	scene.client.remote_pid = 4711;
	check(&scene, NOBODY, "a pid that holds no such socket");
}

static void only_the_very_session_is_pgbouncers(void **state)
{
	(void)state;
	struct scene scene = usual();
	scene.server.local.port = 7002;
	check(&scene, STRANGER, "another port");
	scene = usual();
	scene.server.user = "other";
	check(&scene, STRANGER, "another role");
	scene = usual();
	scene.server.real_database = "other";
	check(&scene, STRANGER, "another database");
	scene = usual();
	scene.server.real_database = NULL;
	check(&scene, APPLICATION, "a database that was not told");
	scene = usual();
	scene.server.backend_pid = 1002;
	check(&scene, STRANGER, "another backend");
	scene = usual();
	scene.backend.start = scene.backend.xact_start = scene.servers_at + 1;
	check(&scene, STRANGER, "a pid that was used again since");
}

static void a_link_is_believed_for_what_the_row_shows(void **state)
{
	(void)state;
	struct scene scene = usual();
	scene.backend.xact_start = T0 - 4500000;
	check(&scene, POOLER, "a transaction that began after the link was told");
	scene.backend.state = BACKEND_STATE_IDLE;
	scene.backend.xact_start = INSTANT_UNKNOWN;
	check(&scene, POOLER, "no transaction: the link may be anybody's by now");
	scene.mode = POOL_MODE_SESSION;
	check(&scene, APPLICATION, "in session mode it stays");
	scene.backend.state_change = T0 - 4500000;
	check(&scene, POOLER, "it has done something since");
	scene = usual();
	scene.rows_at = scene.taken_at - 1;
	check(&scene, POOLER, "rows from before the answer");
	scene = usual();
	scene.server.client = BOUNCER_NONE;
	check(&scene, POOLER, "a link that moved");
}

static void a_client_is_matched_when_that_is_certain(void **state)
{
	(void)state;
	struct scene scene = usual();
	scene.not_held = true;
	check(&scene, NOBODY, "another user's process");
	scene = usual();
	scene.seen_otherwise = true;
	check(&scene, NOBODY, "addresses that something rewrites");
	scene = usual();
	scene.no_port = true;
	check(&scene, NOBODY, "sockets that were not looked at");
	scene = usual();
	scene.client.remote = at("10.9.9.9", 5001);
	check(&scene, NOBODY, "another machine");
	scene = usual();
	scene.client.first_seen = scene.dumped_at + 1;
	check(&scene, NOBODY, "a session that may have come after the dump");
	scene = usual();
	scene.client.remote.port = 5002;
	check(&scene, NOBODY, "a socket that is not there");
}

/* What was certain for the same session stays so while there is no newer information. */
static void what_was_known_of_a_session_is_recalled(void **state)
{
	(void)state;
	struct scene scene = usual();
	struct assessment *before = look(&scene, NULL);
	scene.no_port = true;
	check_again(&scene, before, APPLICATION, "the same session");
	scene.client.identity = 78;
	check_again(&scene, before, NOBODY, "another session");
	assessment_free(before);
}

static void the_leak_is_the_clients_and_its_reserve_is_none(void **state)
{
	(void)state;
	struct scene scene = usual();
	struct assessment *assessment = look(&scene, NULL);
	const struct verdict *verdict = &backend_of(assessment)->verdict;
	assert_int_equal(verdict->reason, REASON_IDLE_IN_TRANSACTION_TOO_LONG);
	assessment_free(assessment);
	scene.backend.state = BACKEND_STATE_IDLE;
	scene.backend.xact_start = INSTANT_UNKNOWN;
	scene.backend.state_change = T0 - 4000 * USEC_PER_SEC;
	scene.server.client = BOUNCER_NONE;
	assessment = look(&scene, NULL);
	verdict = &backend_of(assessment)->verdict;
	assert_int_equal(verdict->status, STATUS_IDLE);
	assert_int_equal(verdict->protection, PROTECTION_PGBOUNCER_SERVER);
	assessment_free(assessment);
}

static void who_waits_is_named(void **state)
{
	(void)state;
	struct scene scene = usual();
	scene.client.wait = 400000;
	scene.client.server = BOUNCER_NONE;
	scene.server.client = BOUNCER_NONE;
	struct assessment *assessment = look(&scene, NULL);
	assert_int_equal(assessment->n_waiters, 1);
	const struct waiter *waiter = &assessment->waiters[0];
	assert_true(waiter->process != NO_PROCESS);
	assert_int_equal(assessment->processes[waiter->process].process.pid, APP);
	assert_ptr_equal(waiter->pool, &assessment->pools[0]);
	assessment_free(assessment);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_application_is_at_the_far_end),
		cmocka_unit_test(only_the_very_session_is_pgbouncers),
		cmocka_unit_test(a_link_is_believed_for_what_the_row_shows),
		cmocka_unit_test(a_client_is_matched_when_that_is_certain),
		cmocka_unit_test(what_was_known_of_a_session_is_recalled),
		cmocka_unit_test(the_leak_is_the_clients_and_its_reserve_is_none),
		cmocka_unit_test(who_waits_is_named),
	};
	return cmocka_run_group_tests_name("join_bouncers", tests, NULL, NULL);
}

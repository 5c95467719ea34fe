/* analyze/session_owner: whose session it is, by socket, process, PgBouncer and time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>

#include "analyze/session_owner.h"
#include "base/arena.h"
#include "base/instant.h"
#include "model/assessment.h"
#include "model/shutdown.h"

#define NOW      (INT64_C(5000) * USEC_PER_SEC) /* monotonic */
#define TO_LOCAL (INT64_C(-9000) * USEC_PER_SEC)
#define MS       USEC_PER_MSEC

enum { APP = 100, OTHER = 200, BACKEND = 900, POSTMASTER = 899, START_TICKS = 7 };

/* A socket of the application, and a session of the server. */
struct scene {
	const char *name;
	/* the socket */
	uint16_t port; /* of the client end; 0: a Unix socket */
	bool pooled, taken, closed;
	int64_t age; /* ms since it was opened */
	/* the session */
	uint16_t client_port; /* 0: a Unix socket */
	int32_t process;      /* of the assessment; 0: none */
	enum matched_by by;
	bool in_transaction, own, known, hidden;
	bool bare;         /* known, but not its socket */
	uint32_t end, far; /* the socket at the client end, and that behind a forwarder */
	int64_t later;     /* ms from the opening of the socket to the session's start */
	/* expected: −1 for no match */
	int owner;
};

#define NONE (-1)

static const struct scene scenes[] = {
	{ "the client's address", .port = 4000, .client_port = 4000, .owner = OWNER_SOCKET },
	{ "another port", .port = 4000, .client_port = 4001, .owner = NONE },
	{ "the socket's session is known", .port = 4000, .taken = true, .client_port = 4000,
		.owner = NONE },
	{ "a socket to PgBouncer", .port = 4000, .pooled = true, .client_port = 4000,
		.owner = NONE },
	{ "a socket that was closed meanwhile", .port = 4000, .closed = true, .client_port = 4000,
		.owner = OWNER_SOCKET },
	{ "a session that is in the record", .port = 4000, .client_port = 4000, .known = true,
		.owner = NONE },
	{ "a session in the record, whose socket shows only now", .port = 4000, .client_port = 4000,
		.known = true, .bare = true, .owner = OWNER_SOCKET },
	{ "a session in the record, whose socket does not show", .port = 4000, .client_port = 4001,
		.process = APP, .by = MATCHED_PROXY, .known = true, .bare = true, .owner = NONE },
	{ "a session of dbtop", .port = 4000, .client_port = 4000, .own = true, .owner = NONE },
	{ "a Unix socket, by the backend that holds its other end", .owner = OWNER_SOCKET },
	{ "its process, found otherwise", .port = 4000, .client_port = 4001, .process = APP,
		.by = MATCHED_PROXY, .owner = OWNER_PROCESS },
	{ "another process", .port = 4000, .client_port = 4001, .process = OTHER,
		.by = MATCHED_PROXY, .owner = NONE },
	{ "the socket is better than the process", .port = 4000, .client_port = 4000,
		.process = OTHER, .by = MATCHED_PAGE, .owner = OWNER_SOCKET },
	{ "PgBouncer's session in its transaction", .port = 4000, .client_port = 4001,
		.process = APP, .by = MATCHED_PGBOUNCER, .in_transaction = true,
		.owner = OWNER_LENT },
	{ "PgBouncer's session at rest", .port = 4000, .client_port = 4001, .process = APP,
		.by = MATCHED_PGBOUNCER, .owner = NONE },
	{ "the socket behind a published port", .port = 4000, .client_port = 4001, .process = APP,
		.by = MATCHED_NAT, .end = 50, .owner = OWNER_SOCKET },
	{ "the socket behind a forwarder", .port = 4000, .client_port = 4001, .process = APP,
		.by = MATCHED_FORWARDER, .end = 60, .far = 50, .owner = OWNER_SOCKET },
	{ "another socket behind a forwarder", .port = 4000, .client_port = 4001, .process = APP,
		.by = MATCHED_FORWARDER, .end = 60, .far = 61, .owner = OWNER_PROCESS },
	{ "the socket behind a forwarder, whose session is known", .port = 4000, .taken = true,
		.client_port = 4001, .end = 60, .far = 50, .owner = NONE },
	{ "by time, where addresses are hidden", .port = 4000, .age = 900, .client_port = 4001,
		.hidden = true, .later = 5, .owner = OWNER_ARRIVAL },
	{ "by time, but the socket is new", .port = 4000, .age = 800, .client_port = 4001,
		.hidden = true, .later = 5, .owner = NONE },
	{ "by time, but nothing hides the address", .port = 4000, .age = 900, .client_port = 4001,
		.later = 5, .owner = NONE },
	{ "by time, but it began long before", .port = 4000, .age = 900, .client_port = 4001,
		.hidden = true, .later = -200, .owner = NONE },
};

static struct endpoint end_of(uint16_t port)
{
	const struct in_addr address = { .s_addr = htonl(INADDR_LOOPBACK) };
	if (!port)
		return (struct endpoint){ .family = AF_UNIX };
	return endpoint_make(AF_INET, &address, port);
}

struct world {
	struct shutdown_record record;
	struct peers peers;
	struct process processes[2];
	struct socket_owner owners[1];
	struct backend backend;
	struct connection row;
	struct client_process client;
	struct activity activity;
	struct assessment assessment;
};

static void make_record(struct shutdown_record *record, const struct scene *scene)
{
	shutdown_record_init(record);
	record->armed_at = NOW - 10 * USEC_PER_SEC;
	struct shutdown_process *process = shutdown_add_process(record);
	process->pid = APP;
	process->start_ticks = START_TICKS;
	struct shutdown_socket *socket = shutdown_add_socket(record);
	socket->inode = 50;
	socket->owner = APP;
	socket->local = end_of(scene->port);
	socket->server_inode = scene->port ? 0 : 51;
	socket->established = true;
	socket->pooled = scene->pooled;
	socket->taken = scene->taken;
	socket->open = !scene->closed;
	socket->opened_at = NOW - scene->age * MS;
	socket->seen_at = NOW;
}

static void make_world(struct world *world, const struct scene *scene)
{
	int64_t start = NOW - TO_LOCAL - scene->age * MS + scene->later * MS;
	*world = (struct world){
		.processes = { { .pid = BACKEND } },
		.owners = { { .inode = 51, .process = 0 } },
		.backend = { .pid = BACKEND,
			.start = start,
			.kind = BACKEND_CLIENT,
			.client = end_of(scene->client_port),
			.xact_start = scene->in_transaction ? start : INSTANT_UNKNOWN },
		.client = { .process = { .pid = scene->process, .start_ticks = START_TICKS } },
	};
	make_record(&world->record, scene);
	world->peers.processes = world->processes;
	world->peers.n_processes = 1;
	world->peers.owners = world->owners;
	world->peers.n_owners = 1;
	world->peers.dumped_at = 1000 * MS;
	world->row = (struct connection){
		.backend = &world->backend,
		.process = scene->process ? 0 : NO_PROCESS,
		.owner = NO_PROCESS,
		.matched_by = scene->by,
		.end = scene->end ? CLIENT_END_HELD : CLIENT_END_UNKNOWN,
		.end_inode = scene->end,
		.far_inode = scene->far,
		.hidden_since = scene->hidden ? 0 : INSTANT_UNKNOWN,
		.verdict.protection = scene->own ? PROTECTION_OWN : PROTECTION_NONE,
	};
	world->activity.backends = &world->backend;
	world->activity.n_backends = 1;
	world->assessment.activity = &world->activity;
	world->assessment.peers = &world->peers;
	world->assessment.connections = &world->row;
	world->assessment.n_connections = 1;
	world->assessment.processes = &world->client;
	world->assessment.n_processes = 1;
	if (!scene->known)
		return;
	struct shutdown_connection *connection = shutdown_add_connection(&world->record);
	connection->backend = BACKEND;
	connection->backend_start = start;
	connection->inode = scene->bare ? 0 : 50;
}

static void each_session_has_its_owner(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(scenes) / sizeof(scenes[0]); i++) {
		struct world world;
		struct arena *arena = arena_new();
		size_t count;
		make_world(&world, &scenes[i]);
		const struct session_match *matches = session_owner_match(
			&world.record, &world.assessment, TO_LOCAL, true, arena, &count);
		int found = count ? (int)matches[0].owner : NONE;
		if (found != scenes[i].owner)
			fail_msg("%s: expected %d, found %d", scenes[i].name, scenes[i].owner,
				found);
		bool by_socket = found == OWNER_SOCKET || found == OWNER_ARRIVAL;
		if (count)
			assert_true(matches[0].socket == (by_socket ? 0 : NO_SOCKET));
		/* time alone is asked only if it is allowed */
		(void)session_owner_match(
			&world.record, &world.assessment, TO_LOCAL, false, arena, &count);
		assert_int_equal(count, found != NONE && found != OWNER_ARRIVAL);
		/* without the server's clock nothing is matched by time */
		(void)session_owner_match(
			&world.record, &world.assessment, INSTANT_UNKNOWN, true, arena, &count);
		assert_int_equal(count, found != NONE && found != OWNER_ARRIVAL);
		shutdown_record_deinit(&world.record);
		arena_free(arena);
	}
}

/* Two sessions that began then, and one socket without a session: neither is the application's. */
static void two_candidates_for_one_socket_are_none(void **state)
{
	(void)state;
	const struct scene scene = {
		.port = 4000, .age = 900, .client_port = 4001, .hidden = true, .later = 5
	};
	struct world world;
	struct arena *arena = arena_new();
	size_t count;
	make_world(&world, &scene);
	struct backend backends[2] = { world.backend, world.backend };
	struct connection rows[2] = { world.row, world.row };
	backends[1].pid++;
	rows[0].backend = &backends[0];
	rows[1].backend = &backends[1];
	world.assessment.connections = rows;
	world.assessment.n_connections = 2;
	(void)session_owner_match(&world.record, &world.assessment, TO_LOCAL, true, arena, &count);
	assert_int_equal(count, 0);
	shutdown_record_deinit(&world.record);
	arena_free(arena);
}

static void a_connection_without_a_session_blinds_after_a_while(void **state)
{
	(void)state;
	static const struct {
		bool sees_all, taken, pooled;
		int64_t age; /* ms */
		const char *says;
	} cases[] = {
		{ true, false, false, 30000, NULL },
		{ true, false, false, 30001, "cannot be distinguished from others'" },
		{ false, false, false, 2000, NULL },
		{ false, false, false, 2001, "lacks pg_monitor" },
		{ false, true, false, 60000, NULL },
		{ false, false, true, 60000, NULL },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct scene scene = { .port = 4000,
			.age = cases[i].age,
			.taken = cases[i].taken,
			.pooled = cases[i].pooled };
		struct world world;
		make_world(&world, &scene);
		world.activity.server.sees_all = cases[i].sees_all;
		const char *why = session_owner_blind(&world.record, &world.assessment);
		assert_int_equal(why != NULL, cases[i].says != NULL);
		if (why)
			assert_non_null(strstr(why, cases[i].says));
		shutdown_record_deinit(&world.record);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_session_has_its_owner),
		cmocka_unit_test(two_candidates_for_one_socket_are_none),
		cmocka_unit_test(a_connection_without_a_session_blinds_after_a_while),
	};
	return cmocka_run_group_tests_name("session_owner", tests, NULL, NULL);
}

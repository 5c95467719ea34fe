/* analyze/join_pages and analyze/pool_place: the backend and the process of each slot, and which
 * pages do not belong to this server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <math.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>

#include "analyze/assess.h"
#include "base/arena.h"
#include "base/instant.h"
#include "model/proxy.h"
#include "model/rules.h"

#define T0    (INT64_C(1800000000) * USEC_PER_SEC)
#define START (T0 - 100 * USEC_PER_SEC) /* of every backend */
#define OWNER 4312

/* One page with one slot, and one backend besides our own. */
struct scene {
	const char *page_server; /* NULL: 127.0.0.1:5432/app */
	enum pool_page_status status;
	struct pool_slot slot;
	int64_t dead_since; /* 0: T0 − 50 s */
	const char *host;   /* of the server; NULL: 127.0.0.1 */
	struct backend backend;
	int32_t owner;          /* pid of the process that holds the client end; 0: not known */
	uint16_t proxy_port;    /* 0: none */
	uint16_t bouncer_port;  /* 0: none */
	bool no_rows;           /* not connected */
	bool owner_not_visible; /* the page is of another pid namespace */
	enum server_status server;
};

static const struct process owner = { .pid = OWNER, .start_ticks = OWNER, .name = "python3" };

static struct endpoint at(const char *address, uint16_t port)
{
	unsigned char bytes[16];
	assert_int_equal(inet_pton(AF_INET, address, bytes), 1);
	return endpoint_make(AF_INET, bytes, port);
}

static struct pool_pages *make_pages(const struct scene *scene)
{
	struct pool_pages *pages = pool_pages_new();
	pages->items = arena_array(pages->arena, 1, sizeof(*pages->items));
	pages->count = 1;
	pages->read_at = T0;
	struct pool_slot *slots = arena_array(pages->arena, 1, sizeof(*slots));
	slots[0] = scene->slot;
	pages->items[0] = (struct pool_page){
		.path = "/run/user/1000/dbpool/4312-0.page",
		.status = scene->status,
		.name = "app",
		.pid = OWNER,
		.inner_pid = OWNER,
		.start_ticks = OWNER,
		.owner_visible = !scene->owner_not_visible,
		.process = &owner,
		.dead_since = scene->dead_since ? scene->dead_since : T0 - 50 * USEC_PER_SEC,
		.server = scene->page_server ? scene->page_server : "127.0.0.1:5432/app",
		.max = 3,
		.read_at = T0,
		.held_limit = 60 * USEC_PER_SEC,
		.slots = slots,
		.n_slots = 1,
	};
	return pages;
}

static struct activity *make_activity(const struct scene *scene)
{
	struct activity *activity = activity_new();
	activity->asked_at = activity->taken_at = T0 - USEC_PER_SEC;
	activity->asked_monotonic = activity->taken_monotonic = activity->asked_at;
	activity->server = (struct server_facts){
		.version = 150020, .max_connections = 25, .clock = T0, .own_pid = 900
	};
	activity->backends = arena_array(activity->arena, 2, sizeof(*activity->backends));
	activity->backends[activity->n_backends++] = (struct backend){
		.pid = 900, .start = START, .kind = BACKEND_CLIENT, .client = at("127.0.0.1", 40000)
	};
	if (scene->backend.pid)
		activity->backends[activity->n_backends++] = scene->backend;
	return activity;
}

/* Both ends of our own connection and of the backend's, as the kernel shows them. */
static struct peers *make_peers(const struct scene *scene)
{
	struct peers *peers = peers_new();
	struct endpoint server = at("127.0.0.1", 5432);
	peers->tcp = arena_array(peers->arena, 3, sizeof(*peers->tcp));
	peers->processes = arena_array(peers->arena, 1, sizeof(*peers->processes));
	peers->owners = arena_array(peers->arena, 1, sizeof(*peers->owners));
	peers->dumped_at = peers->dump_began = peers->dump_ended = T0 - 2 * USEC_PER_SEC;
	peers->tcp_known = peers->unix_known = true;
	peers->target = (struct peers_target){
		.port = 5432, .server = server, .own = at("127.0.0.1", 40000), .backend_pid = 900
	};
	peers->backend_started_at = START;
	peers->tcp[peers->n_tcp++] = (struct tcp_socket){ peers->target.own, server, .inode = 10,
		.state = TCP_ESTABLISHED };
	peers->tcp[peers->n_tcp++] = (struct tcp_socket){ server, peers->target.own, .inode = 11,
		.state = TCP_ESTABLISHED };
	peers->tcp[peers->n_tcp++] = (struct tcp_socket){ at("127.0.0.1", 5001), server,
		.inode = 21, .state = TCP_ESTABLISHED };
	peers->processes[peers->n_processes++] = (struct process){ .pid = scene->owner,
		.start_ticks = (uint64_t)scene->owner,
		.name = "python3",
		.ended_at = INSTANT_UNKNOWN,
		.cpu_percent = NAN,
		.rss_bytes = -1 };
	peers->owners[peers->n_owners++] = (struct socket_owner){ 21, 0 };
	return peers;
}

static struct bouncer *make_bouncer(uint16_t port)
{
	struct bouncer *bouncer = bouncer_new();
	bouncer->name = "pgbouncer";
	bouncer->port = port;
	bouncer->address = at("127.0.0.1", port);
	return bouncer;
}

static struct assessment *look(const struct scene *scene, const struct assessment *previous)
{
	static const struct rules rules = { .idle = 300 * USEC_PER_SEC,
		.transaction = 300 * USEC_PER_SEC,
		.held = RULES_NO_LIMIT };
	const struct server_state server = { .status = scene->server,
		.host = scene->host ? scene->host : "127.0.0.1",
		.port = 5432,
		.latency = -1 };
	struct activity *activity = scene->no_rows ? NULL : make_activity(scene);
	struct peers *peers = scene->host ? NULL : make_peers(scene);
	struct pool_pages *pages = make_pages(scene);
	struct proxy *proxy = scene->proxy_port ? proxy_new() : NULL;
	struct bouncer *bouncer = scene->bouncer_port ? make_bouncer(scene->bouncer_port) : NULL;
	const struct bouncer *const bouncers[] = { bouncer };
	if (proxy)
		proxy->port = scene->proxy_port;
	const struct assess_input input = { .activity = activity,
		.peers = peers,
		.pages = pages,
		.proxy = proxy,
		.bouncers = bouncers,
		.n_bouncers = bouncer ? 1 : 0,
		.server = &server,
		.rules = &rules,
		.now = T0 };
	struct assessment *assessment = assess(&input, previous);
	activity_unref(activity);
	peers_unref(peers);
	pool_pages_unref(pages);
	proxy_unref(proxy);
	bouncer_unref(bouncer);
	return assessment;
}

static const struct connection *connection_of(const struct assessment *assessment, int32_t pid)
{
	for (size_t i = 0; i < assessment->n_connections; i++)
		if (assessment->connections[i].backend->pid == pid)
			return &assessment->connections[i];
	fail_msg("no connection %d", pid);
	return NULL;
}

static struct scene usual(void)
{
	return (struct scene){
		.status = POOL_PAGE_LIVE,
		.server = SERVER_OK,
		.slot = { .number = 1,
			.state = POOL_SLOT_IN_USE,
			.backend_pid = 1001,
			.backend_start = START,
			.connected_at = START + 2000,
			.since = T0 - 90 * USEC_PER_SEC,
			.site = "sync.c:212" },
		.backend = { .pid = 1001,
			.start = START,
			.kind = BACKEND_CLIENT,
			.state = BACKEND_STATE_IDLE,
			.state_change = T0 - 10 * USEC_PER_SEC,
			.application_name = "app/4312/1",
			.client = at("127.0.0.1", 5001) },
		.owner = OWNER,
	};
}

static void check_slot(const struct scene *scene, bool joined, enum matched_by matched_by,
	int32_t process, enum client_end end)
{
	struct assessment *assessment = look(scene, NULL);
	const struct connection *connection = connection_of(assessment, 1001);
	const struct client_process *found = assessment_process(assessment, connection);
	assert_int_equal(connection->slot != NULL, joined);
	assert_int_equal(connection->pool == &assessment->pools[0], joined);
	assert_int_equal(connection->matched_by, matched_by);
	assert_int_equal(found ? found->process.pid : 0, process);
	assert_int_equal(connection->end, end);
	assessment_free(assessment);
}

static void a_slot_is_the_backend_of_its_pid_and_start(void **state)
{
	(void)state;
	struct scene scene = usual();
	check_slot(&scene, true, MATCHED_TCP, OWNER, CLIENT_END_HELD);
	/* The pid was used again since. */
	scene.slot.backend_start = START - 60 * USEC_PER_SEC;
	check_slot(&scene, false, MATCHED_TCP, OWNER, CLIENT_END_HELD);
	/* The page does not know the start: its process holds the client end, and
	 * the times match. */
	scene.slot.backend_start = INSTANT_UNKNOWN;
	check_slot(&scene, true, MATCHED_TCP, OWNER, CLIENT_END_HELD);
	scene.slot.connected_at = START + 60 * USEC_PER_SEC;
	check_slot(&scene, false, MATCHED_TCP, OWNER, CLIENT_END_HELD);
	scene.slot.connected_at = START + 2000;
	scene.owner = 77;
	scene.backend.application_name = "app";
	check_slot(&scene, false, MATCHED_TCP, 77, CLIENT_END_HELD);
	/* a row that is hidden from our role */
	scene = usual();
	scene.backend.start = INSTANT_UNKNOWN;
	scene.backend.client = (struct endpoint){ 0 };
	check_slot(&scene, false, MATCHED_NONE, 0, CLIENT_END_UNKNOWN);
}

/* As of libdbpage, where the pool knows neither the backend's start nor when it connected. */
static void a_slot_without_times_needs_process_or_name(void **state)
{
	(void)state;
	struct scene scene = usual();
	scene.slot.backend_start = scene.slot.connected_at = INSTANT_UNKNOWN;
	scene.backend.application_name = "gunicorn";
	check_slot(&scene, true, MATCHED_TCP, OWNER, CLIENT_END_HELD);
	/* Another process holds a backend of that pid: behind PgBouncer the pid is invented. */
	scene.owner = 77;
	check_slot(&scene, false, MATCHED_TCP, 77, CLIENT_END_HELD);
	scene.backend.application_name = "app/4312/1";
	check_slot(&scene, true, MATCHED_TCP, 77, CLIENT_END_HELD);
	scene.backend.application_name = "app/4312/2";
	check_slot(&scene, false, MATCHED_TCP, 77, CLIENT_END_HELD);
	/* The pid was used again, after the slot was borrowed. */
	scene.owner = OWNER;
	scene.slot.since = START - 60 * USEC_PER_SEC;
	check_slot(&scene, false, MATCHED_TCP, OWNER, CLIENT_END_HELD);
	scene.slot.since = INSTANT_UNKNOWN;
	check_slot(&scene, false, MATCHED_TCP, OWNER, CLIENT_END_HELD);
}

static void the_kernel_knows_who_holds_the_end(void **state)
{
	(void)state;
	struct scene scene = usual();
	scene.owner = 500;
	/* Session and page name each other, so the slot is this session's; the owner of the client
	 * end is known from the kernel. */
	check_slot(&scene, true, MATCHED_TCP, 500, CLIENT_END_HELD);
	scene.backend.application_name = "app";
	check_slot(&scene, false, MATCHED_TCP, 500, CLIENT_END_HELD);
	scene.backend.application_name = "app/4312/1";
	/* A pid of another namespace means nothing here. */
	scene.owner_not_visible = true;
	check_slot(&scene, true, MATCHED_TCP, 500, CLIENT_END_HELD);
}

static void check_verdict(const struct scene *scene, enum status status, enum reason reason,
	enum protection protection)
{
	struct assessment *assessment = look(scene, NULL);
	const struct verdict *verdict = &connection_of(assessment, 1001)->verdict;
	assert_int_equal(verdict->status, status);
	assert_int_equal(verdict->reason, reason);
	assert_int_equal(verdict->protection, protection);
	assessment_free(assessment);
}

static void holds_reserves_and_dead_owners_are_judged(void **state)
{
	(void)state;
	struct scene scene = usual();
	/* A borrower that works now and then is none. */
	check_verdict(&scene, STATUS_IDLE, REASON_NONE, PROTECTION_NONE);
	scene.backend.state_change = T0 - 70 * USEC_PER_SEC;
	check_verdict(&scene, STATUS_LEAKED, REASON_HELD_TOO_LONG, PROTECTION_NONE);
	scene.slot.since = T0 - 30 * USEC_PER_SEC;
	check_verdict(&scene, STATUS_IDLE, REASON_NONE, PROTECTION_NONE);
	scene.slot.state = POOL_SLOT_RESERVE;
	scene.backend.state_change = T0 - 4000 * USEC_PER_SEC;
	check_verdict(&scene, STATUS_IDLE, REASON_NONE, PROTECTION_POOL_RESERVE);
	/* A dead process has no reserve; the kernel shows that its client is gone. */
	scene.status = POOL_PAGE_DEAD;
	check_verdict(&scene, STATUS_LEAKED, REASON_IDLE_TOO_LONG, PROTECTION_NONE);
}

enum place { SHOWN, UNSURE, ELSEWHERE, SPENT };

static void check_place(const struct scene *scene, const char *server, enum place place)
{
	struct scene copy = *scene;
	copy.page_server = server;
	struct assessment *assessment = look(&copy, NULL);
	const struct pool *pool = &assessment->pools[0];
	enum place found = pool->elsewhere ? ELSEWHERE
		: pool->spent              ? SPENT
		: pool->unsure             ? UNSURE
					   : SHOWN;
	if (found != place || (pool->elsewhere && (pool->spent || pool->unsure)))
		fail_msg("%s: %d instead of %d", server, found, place);
	assert_int_equal(pool_is_shown(pool), place == SHOWN || place == UNSURE);
	assessment_free(assessment);
}

static void a_page_belongs_where_its_sessions_are(void **state)
{
	(void)state;
	struct scene scene = usual();
	/* However the server is reached. */
	check_place(&scene, "127.0.0.1:5432/app", SHOWN);
	check_place(&scene, "db.example.com:6000/app", SHOWN);
	check_place(&scene, "10.0.0.9:5432/app", SHOWN);
	/* No row belongs to the slot: the names decide. */
	scene.backend.pid = 0;
	check_place(&scene, "127.0.0.1:5432/app", SHOWN);
	check_place(&scene, "localhost:5432/app", SHOWN);
	check_place(&scene, "local:5432/app", SHOWN);
	check_place(&scene, "/var/run/postgresql:5432/app", SHOWN);
	check_place(&scene, "::1:5432/app", SHOWN);
	check_place(&scene, "127.0.0.1:5433/app", ELSEWHERE);
	check_place(&scene, "10.0.0.9:5432/app", ELSEWHERE);
	/* The name may be this machine's, but its session is not here. */
	check_place(&scene, "db.example.com:5432/app", ELSEWHERE);
	scene.slot.backend_pid = 0;
	check_place(&scene, "db.example.com:5432/app", UNSURE);
	/* A form that is not parsed. */
	check_place(&scene, "a,b:5432,5433/app", UNSURE);
	check_place(&scene, "nonsense", UNSURE);
	check_place(&scene, "127.0.0.1:99999/app", UNSURE);
	/* Known ways to the server. */
	check_place(&scene, "127.0.0.1:6432/app", ELSEWHERE);
	scene.bouncer_port = 6432;
	check_place(&scene, "127.0.0.1:6432/app", SHOWN);
	scene.bouncer_port = 0;
	scene.proxy_port = 6432;
	check_place(&scene, "localhost:6432/app", SHOWN);
	check_place(&scene, "10.0.0.9:6432/app", ELSEWHERE);
}

static void a_page_without_rows_goes_by_its_name(void **state)
{
	(void)state;
	struct scene scene = usual();
	scene.no_rows = true;
	scene.server = SERVER_FULL;
	check_place(&scene, "127.0.0.1:5432/app", SHOWN);
	check_place(&scene, "127.0.0.1:5433/app", ELSEWHERE);
	check_place(&scene, "db.example.com:5432/app", UNSURE);
	scene.host = "db.example.com";
	check_place(&scene, "db.example.com:5432/app", SHOWN);
	check_place(&scene, "other.example.com:5432/app", UNSURE);
	scene.status = POOL_PAGE_DEAD;
	check_place(&scene, "db.example.com:5432/app", SHOWN);
	check_place(&scene, "other.example.com:5432/app", UNSURE);
}

static void a_dead_page_is_spent_when_nothing_is_left(void **state)
{
	(void)state;
	struct scene scene = usual();
	scene.status = POOL_PAGE_DEAD;
	check_place(&scene, "127.0.0.1:5432/app", SHOWN);
	scene.backend.pid = 0;
	check_place(&scene, "127.0.0.1:5432/app", SPENT);
	check_place(&scene, "127.0.0.1:5433/app", ELSEWHERE);
	/* Rows from before the process's death, and rows that are gone, prove nothing. */
	scene.dead_since = T0;
	check_place(&scene, "127.0.0.1:5432/app", SHOWN);
	scene.dead_since = 0;
	scene.server = SERVER_STALE;
	check_place(&scene, "127.0.0.1:5432/app", SHOWN);
	/* A hidden row with the pid may be the slot's session. */
	scene = usual();
	scene.status = POOL_PAGE_DEAD;
	scene.backend.start = INSTANT_UNKNOWN;
	scene.backend.kind = BACKEND_HIDDEN;
	scene.backend.user = "other";
	scene.backend.application_name = NULL;
	check_place(&scene, "127.0.0.1:5432/app", SHOWN);
	/* A pid that was used again is another session. */
	scene = usual();
	scene.status = POOL_PAGE_DEAD;
	scene.backend.start = START + USEC_PER_SEC;
	scene.backend.application_name = "psql";
	check_place(&scene, "127.0.0.1:5432/app", SPENT);
	/* Unless the session has the dead process's name: the pool had not stored its pid yet. */
	scene.backend.application_name = "app/4312/1";
	check_place(&scene, "127.0.0.1:5432/app", SHOWN);
}

/* Its sessions have ended, but it is remembered that they were here. */
static void who_was_here_stays_here(void **state)
{
	(void)state;
	struct scene scene = usual();
	scene.status = POOL_PAGE_DEAD;
	scene.page_server = "db.example.com:5432/app";
	struct assessment *before = look(&scene, NULL);
	assert_true(pool_is_shown(&before->pools[0]));
	assert_false(before->pools[0].unsure);
	scene.backend.pid = 0;
	struct assessment *after = look(&scene, before);
	assert_false(after->pools[0].elsewhere || after->pools[0].unsure);
	assert_true(after->pools[0].spent);
	assessment_free(before);
	assessment_free(after);
}

static void what_is_not_shown_is_counted(void **state)
{
	(void)state;
	char text[POOL_FOLDED_MAX];
	size_t spent;
	const struct pool pools[] = { { .spent = true }, { .elsewhere = true }, { .spent = true },
		{ .elsewhere = false } };
	assert_string_equal(pool_folded(pools, 4, &spent, text),
		"2 pages of dead processes: nothing left behind · 1 pool of other servers");
	assert_int_equal(spent, 2);
	assert_string_equal(
		pool_folded(pools, 1, NULL, text), "1 page of a dead process: nothing left behind");
	assert_string_equal(pool_folded(pools + 3, 1, &spent, text), "");
	assert_int_equal(spent, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_slot_is_the_backend_of_its_pid_and_start),
		cmocka_unit_test(a_slot_without_times_needs_process_or_name),
		cmocka_unit_test(the_kernel_knows_who_holds_the_end),
		cmocka_unit_test(holds_reserves_and_dead_owners_are_judged),
		cmocka_unit_test(a_page_belongs_where_its_sessions_are),
		cmocka_unit_test(a_page_without_rows_goes_by_its_name),
		cmocka_unit_test(a_dead_page_is_spent_when_nothing_is_left),
		cmocka_unit_test(who_was_here_stays_here),
		cmocka_unit_test(what_is_not_shown_is_counted),
	};
	return cmocka_run_group_tests_name("join_pages", tests, NULL, NULL);
}

/* analyze/page_claim: what a stats page claims about a session, compared with what the kernel
 * shows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <string.h>

#include "analyze/assess.h"
#include "base/arena.h"
#include "base/instant.h"
#include "model/findings.h"
#include "model/proxy.h"
#include "model/rules.h"

#define T0    (INT64_C(1800000000) * USEC_PER_SEC)
#define START (T0 - 100 * USEC_PER_SEC) /* of every backend */

#define PROXY_PORT 6000

/* Processes, by pid. */
#define OWNER 4312 /* the page's */
#define OTHER 77
#define PROXY 500

#define APP      1000 /* users */
#define STRANGER 1001

/* Where the session's client end is, as the kernel shows. */
enum place {
	AT_OWNER,
	AT_OWNER_AND_OTHER, /* inherited: both processes have it open */
	AT_OTHER,
	AT_HIDDEN, /* a process that is not visible to us has it */
	AT_PROXY,
	BEHIND_NAT, /* from the same address as our own session */
	AFAR,       /* an address of another machine */
	NOWHERE,    /* no socket has it any more */
};

enum page {
	LIVE,
	DEAD,
	DEAD_AND_TAKEN,
	DISTANT,
	DISTANT_SAME,  /* of the namespace of the process that has the client's end */
	DISTANT_OTHER, /* of another namespace than that */
	CONTAINED,     /* seen, in another pid namespace */
};

#define INNER 7 /* the pid of a contained owner there */

#define NAMESPACE 4026532500 /* of all processes */

#define NAMED "app/4312/1"

struct row {
	enum place place;
	enum page page;
	uint32_t uid; /* of the page's file */
	const char *application;
	bool connected; /* the page's process has a connection to the server or the proxy */
	enum certainty held, gone; /* of a slot that is held; CERTAINTY_NONE: not leaked */
	bool reserve;              /* a slot in the reserve protects the session */
	const char *evidence;      /* a part of it; NULL: there is none */
};

static const struct row rows[] = {
	/* The kernel confirms it. */
	{ AT_OWNER, LIVE, APP, "x", false, CERTAINTY_DECLARED, CERTAINTY_NONE, true, NULL },
	{ AT_OWNER, LIVE, 0, "x", false, CERTAINTY_DECLARED, CERTAINTY_NONE, true, NULL },
	{ AT_OWNER_AND_OTHER, LIVE, APP, "x", false, CERTAINTY_DECLARED, CERTAINTY_NONE, true,
		NULL },
	/* a file of another user about this user's process */
	{ AT_OWNER, LIVE, STRANGER, NAMED, false, CERTAINTY_NONE, CERTAINTY_NONE, false, NULL },
	/* Its process is dead; the kernel shows which process lives. */
	{ AT_OTHER, DEAD, APP, NAMED, false, CERTAINTY_NONE, CERTAINTY_NONE, false,
		"python3 (77) holds" },
	{ AT_OTHER, DEAD, STRANGER, NAMED, false, CERTAINTY_NONE, CERTAINTY_NONE, false,
		"a file of uid 1001" },
	{ AT_HIDDEN, DEAD, APP, NAMED, false, CERTAINTY_NONE, CERTAINTY_NONE, false,
		"this user cannot see" },
	{ AT_OTHER, DEAD_AND_TAKEN, APP, NAMED, false, CERTAINTY_NONE, CERTAINTY_NONE, false,
		"python3 (77) holds" },
	/* Another process holds the client end: the page does not count. */
	{ AT_OTHER, LIVE, APP, "x", true, CERTAINTY_NONE, CERTAINTY_NONE, false, "python3 (77)" },
	{ AT_OTHER, LIVE, STRANGER, NAMED, true, CERTAINTY_NONE, CERTAINTY_NONE, false,
		"python3 (77)" },
	/* Page and session name each other: no leak follows from that, but the session is
	 * protected. */
	{ AT_OTHER, LIVE, APP, NAMED, true, CERTAINTY_NONE, CERTAINTY_NONE, true, "python3 (77)" },
	/* behind the proxy */
	{ AT_PROXY, LIVE, APP, "x", true, CERTAINTY_DECLARED, CERTAINTY_NONE, true, NULL },
	{ AT_PROXY, LIVE, APP, "x", false, CERTAINTY_NONE, CERTAINTY_NONE, false, NULL },
	{ AT_PROXY, LIVE, APP, NAMED, false, CERTAINTY_NONE, CERTAINTY_NONE, true, NULL },
	{ AT_PROXY, LIVE, STRANGER, "x", true, CERTAINTY_NONE, CERTAINTY_NONE, false, NULL },
	{ AT_PROXY, DEAD, APP, NAMED, false, CERTAINTY_NONE, CERTAINTY_DECLARED, false, NULL },
	{ AT_PROXY, DEAD, APP, "app/4312/2", false, CERTAINTY_NONE, CERTAINTY_NONE, false, NULL },
	{ AT_PROXY, DEAD, APP, "app/14312/1", false, CERTAINTY_NONE, CERTAINTY_NONE, false,
		"whose stats page cannot be seen" },
	{ AT_PROXY, DEAD, APP, "x", false, CERTAINTY_NONE, CERTAINTY_NONE, false, NULL },
	{ AT_PROXY, DEAD, APP, NULL, false, CERTAINTY_NONE, CERTAINTY_NONE, false, NULL },
	{ AT_PROXY, DEAD_AND_TAKEN, APP, NAMED, false, CERTAINTY_NONE, CERTAINTY_NONE, false,
		"with that number lives" },
	/* Addresses are translated on the way. */
	{ BEHIND_NAT, LIVE, APP, NAMED, true, CERTAINTY_DECLARED, CERTAINTY_NONE, true, NULL },
	{ BEHIND_NAT, LIVE, APP, NAMED, false, CERTAINTY_NONE, CERTAINTY_NONE, true, NULL },
	{ BEHIND_NAT, LIVE, APP, "x", true, CERTAINTY_NONE, CERTAINTY_NONE, false, NULL },
	{ BEHIND_NAT, LIVE, STRANGER, NAMED, true, CERTAINTY_NONE, CERTAINTY_NONE, false, NULL },
	{ BEHIND_NAT, DEAD, APP, NAMED, false, CERTAINTY_NONE, CERTAINTY_DECLARED, false, NULL },
	{ BEHIND_NAT, DEAD, APP, "x", false, CERTAINTY_NONE, CERTAINTY_NONE, false, NULL },
	/* On another machine: a process of this one proves nothing. */
	{ AFAR, DEAD, APP, NAMED, false, CERTAINTY_NONE, CERTAINTY_NONE, false, NULL },
	{ AFAR, LIVE, APP, "x", true, CERTAINTY_NONE, CERTAINTY_NONE, false, NULL },
	{ AFAR, LIVE, APP, NAMED, true, CERTAINTY_NONE, CERTAINTY_NONE, true, NULL },
	/* The kernel's proof needs no page. */
	{ NOWHERE, DEAD, APP, NAMED, false, CERTAINTY_PROVEN, CERTAINTY_PROVEN, false, NULL },
	{ NOWHERE, DEAD, STRANGER, "x", false, CERTAINTY_PROVEN, CERTAINTY_PROVEN, false, NULL },
	/* A container's process is found; its sessions have the name with its pid there. */
	{ AT_OWNER, CONTAINED, APP, "x", false, CERTAINTY_DECLARED, CERTAINTY_NONE, true, NULL },
	{ BEHIND_NAT, CONTAINED, APP, "app/7/1", true, CERTAINTY_DECLARED, CERTAINTY_NONE, true,
		NULL },
	{ BEHIND_NAT, CONTAINED, APP, NAMED, true, CERTAINTY_NONE, CERTAINTY_NONE, false,
		"whose stats page cannot be seen" },
	/* Of another pid namespace: user and name must match. */
	{ AT_OTHER, DISTANT, APP, NAMED, false, CERTAINTY_DECLARED, CERTAINTY_NONE, true, NULL },
	{ AT_OTHER, DISTANT, APP, "x", false, CERTAINTY_NONE, CERTAINTY_NONE, false, NULL },
	{ AT_OTHER, DISTANT, STRANGER, NAMED, false, CERTAINTY_NONE, CERTAINTY_NONE, true, NULL },
	/* A process that is known to be another one than the page's protects its session. */
	{ AT_OWNER, DISTANT_SAME, APP, NAMED, false, CERTAINTY_DECLARED, CERTAINTY_NONE, true,
		NULL },
	{ AT_OWNER, DISTANT_OTHER, APP, NAMED, false, CERTAINTY_NONE, CERTAINTY_NONE, true, NULL },
	{ AT_OTHER, DISTANT_SAME, APP, NAMED, false, CERTAINTY_NONE, CERTAINTY_NONE, true, NULL },
};

static struct endpoint at(const char *address, uint16_t port)
{
	unsigned char bytes[16];
	assert_int_equal(inet_pton(AF_INET, address, bytes), 1);
	return endpoint_make(AF_INET, bytes, port);
}

static struct process process(int32_t pid)
{
	return (struct process){
		.pid = pid,
		.start_ticks = (uint64_t)pid,
		.ended_at = INSTANT_UNKNOWN,
		.name = pid == PROXY ? "haproxy" : "python3",
		.uid = APP,
		.pid_namespace = NAMESPACE,
	};
}

static const struct process owner = { .pid = OWNER, .start_ticks = OWNER, .uid = APP };

static struct endpoint client_of(const struct row *row)
{
	return row->place == BEHIND_NAT ? at("10.9.9.9", 5001)
		: row->place == AFAR    ? at("10.0.0.7", 5001)
					: at("127.0.0.1", 5001);
}

static struct pool_pages *make_pages(const struct row *row, enum pool_slot_state state)
{
	struct pool_pages *pages = pool_pages_new();
	struct pool_slot *slot = arena_alloc(pages->arena, sizeof(*slot));
	*slot = (struct pool_slot){ .number = 1,
		.state = state,
		.backend_pid = 1001,
		.backend_start = START,
		.connected_at = START,
		.since = T0 - 90 * USEC_PER_SEC };
	pages->items = arena_alloc(pages->arena, sizeof(*pages->items));
	pages->count = 1;
	pages->items[0] = (struct pool_page){
		.path = "/tmp/dbpool-1000/1.page",
		.status = row->page == DEAD || row->page == DEAD_AND_TAKEN ? POOL_PAGE_DEAD
									   : POOL_PAGE_LIVE,
		.pid_taken = row->page == DEAD_AND_TAKEN,
		.name = "app",
		.pid = OWNER,
		.inner_pid = row->page == CONTAINED ? INNER : OWNER,
		.start_ticks = OWNER,
		.uid = row->uid,
		.pid_namespace = row->page == DISTANT_SAME ? NAMESPACE
			: row->page == DISTANT_OTHER       ? NAMESPACE + 1
							   : 0,
		.owner_visible = row->page < DISTANT || row->page == CONTAINED,
		.process = row->page == LIVE || row->page == CONTAINED ? &owner : NULL,
		.dead_since = T0 - 50 * USEC_PER_SEC,
		.read_at = T0,
		.held_limit = 60 * USEC_PER_SEC,
		.slots = slot,
		.n_slots = 1,
	};
	return pages;
}

static struct activity *make_activity(const struct row *row)
{
	struct activity *activity = activity_new();
	activity->asked_at = activity->taken_at = T0 - USEC_PER_SEC;
	activity->asked_monotonic = activity->taken_monotonic = activity->asked_at;
	activity->server = (struct server_facts){ .clock = T0, .own_pid = 900 };
	activity->locks_known = true;
	activity->backends = arena_array(activity->arena, 2, sizeof(*activity->backends));
	activity->n_backends = 2;
	activity->backends[0] = (struct backend){ .pid = 900,
		.start = START,
		.kind = BACKEND_CLIENT,
		.client = at(row->place == BEHIND_NAT ? "10.9.9.9" : "127.0.0.1", 40000) };
	activity->backends[1] = (struct backend){ .pid = 1001,
		.start = START,
		.kind = BACKEND_CLIENT,
		.state = BACKEND_STATE_IDLE,
		.state_change = T0 - 70 * USEC_PER_SEC,
		.application_name = row->application,
		.client = client_of(row) };
	return activity;
}

static void add_socket(
	struct peers *peers, struct endpoint local, struct endpoint remote, uint32_t inode)
{
	peers->tcp[peers->n_tcp++] =
		(struct tcp_socket){ local, remote, .inode = inode, .state = TCP_ESTABLISHED };
}

/* Sorted by inode, as they are. */
static void add_owner(struct peers *peers, uint32_t inode, int32_t pid)
{
	peers->processes[peers->n_processes] = process(pid);
	peers->owners[peers->n_owners++] =
		(struct socket_owner){ inode, (uint32_t)peers->n_processes++ };
}

static struct peers *new_peers(uint16_t port)
{
	struct peers *peers = peers_new();
	peers->tcp = arena_array(peers->arena, 8, sizeof(*peers->tcp));
	peers->processes = arena_array(peers->arena, 8, sizeof(*peers->processes));
	peers->owners = arena_array(peers->arena, 8, sizeof(*peers->owners));
	peers->dumped_at = peers->dump_began = peers->dump_ended = T0 - 2 * USEC_PER_SEC;
	peers->tcp_known = peers->unix_known = true;
	peers->target.port = port;
	return peers;
}

static struct peers *make_peers(const struct row *row)
{
	struct peers *peers = new_peers(5432);
	struct endpoint server = at("127.0.0.1", 5432);
	peers->target.server = server;
	peers->target.own = at("127.0.0.1", 40000);
	peers->target.backend_pid = 900;
	peers->backend_started_at = row->place == BEHIND_NAT ? INSTANT_UNKNOWN : START;
	add_socket(peers, peers->target.own, server, 10);
	add_socket(peers, server, peers->target.own, 11);
	if (row->place < BEHIND_NAT)
		add_socket(peers, at("127.0.0.1", 5001), server, 21);
	if (row->place == AT_OWNER || row->place == AT_OWNER_AND_OTHER)
		add_owner(peers, 21, OWNER);
	if (row->place == AT_OTHER || row->place == AT_OWNER_AND_OTHER)
		add_owner(peers, 21, OTHER);
	if (row->place == AT_PROXY)
		add_owner(peers, 21, PROXY);
	if (row->connected && row->place != AT_PROXY) {
		add_socket(peers, at("127.0.0.1", 5002), server, 22);
		add_owner(peers, 22, OWNER);
	}
	return peers;
}

static struct proxy *make_proxy(const struct row *row)
{
	struct proxy *proxy = proxy_new();
	struct peers *peers = new_peers(PROXY_PORT);
	proxy->status = PROXY_SERVING;
	proxy->port = PROXY_PORT;
	proxy->process = process(PROXY);
	if (row->connected) {
		add_socket(peers, at("127.0.0.1", 7000), at("127.0.0.1", PROXY_PORT), 31);
		add_owner(peers, 31, OWNER);
	}
	proxy->peers = peers;
	return proxy;
}

/* Two rounds, because a client end at a remote server is gone only after two scans. */
static struct assessment *look(const struct row *row, enum pool_slot_state state)
{
	static const struct rules rules = {
		.idle = 5 * USEC_PER_SEC, .transaction = 5 * USEC_PER_SEC, .held = RULES_NO_LIMIT
	};
	const struct server_state server = { .status = SERVER_OK, .host = "127.0.0.1" };
	struct activity *activity = make_activity(row);
	struct peers *peers = make_peers(row);
	struct pool_pages *pages = make_pages(row, state);
	struct proxy *proxy = make_proxy(row);
	struct assess_input input = { .activity = activity,
		.peers = peers,
		.pages = pages,
		.proxy = proxy,
		.server = &server,
		.rules = &rules,
		.now = T0 };
	activity->asked_at -= 10 * USEC_PER_SEC;
	struct assessment *before = assess(&input, NULL);
	activity->asked_at += 10 * USEC_PER_SEC;
	struct assessment *assessment = assess(&input, before);
	assessment_free(before);
	activity_unref(activity);
	peers_unref(peers);
	pool_pages_unref(pages);
	proxy_unref(proxy);
	return assessment;
}

static void check_evidence(size_t number, const char *expected, const char *found)
{
	if (!expected != !found || (expected && !strstr(found, expected)))
		fail_msg("row %zu: evidence \"%s\"", number, found ? found : "none");
}

/* Its slot is held for longer than the limit. */
static void check_held(size_t number, const struct row *row)
{
	struct assessment *assessment = look(row, POOL_SLOT_IN_USE);
	const struct connection *connection = &assessment->connections[1];
	const struct verdict *verdict = &connection->verdict;
	enum reason reason = REASON_IDLE_TOO_LONG;
	enum certainty certainty = CERTAINTY_PRESUMED;
	if (row->gone) {
		reason = REASON_CLIENT_GONE;
		certainty = row->gone;
	} else if (row->held) {
		reason = REASON_HELD_TOO_LONG;
		certainty = row->held;
	}
	if (verdict->reason != reason || verdict->certainty != certainty)
		fail_msg("row %zu: %s %s", number, reason_name(verdict->reason),
			certainty_name(verdict->certainty));
	check_evidence(number, row->evidence, connection->evidence);
	assessment_free(assessment);
}

static void check_reserve(size_t number, const struct row *row)
{
	struct assessment *assessment = look(row, POOL_SLOT_RESERVE);
	const struct verdict *verdict = &assessment->connections[1].verdict;
	if (row->reserve != (verdict->protection == PROTECTION_POOL_RESERVE))
		fail_msg("row %zu: protected as %s", number,
			verdict->protection ? protection_name(verdict->protection) : "nothing");
	assessment_free(assessment);
}

static void the_kernel_is_the_evidence(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		check_held(i, &rows[i]);
		check_reserve(i, &rows[i]);
	}
}

/* A session that is older than its limit is presumed leaked, whatever a page claims; a younger one
 * never becomes leaked by that. */
static void a_false_page_makes_no_leak(void **state)
{
	(void)state;
	static const enum place places[] = { AT_OTHER, AT_OWNER, AT_HIDDEN, AT_PROXY, BEHIND_NAT,
		AFAR };
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		for (enum page page = LIVE; page <= DISTANT; page++) {
			const struct row row = { places[i], page, STRANGER, "victim/99/1", true,
				CERTAINTY_NONE, CERTAINTY_NONE, false, NULL };
			struct assessment *assessment = look(&row, POOL_SLOT_IN_USE);
			const struct connection *connection = &assessment->connections[1];
			assert_int_equal(connection->verdict.reason, REASON_IDLE_TOO_LONG);
			assert_null(connection->slot);
			assert_int_not_equal(connection->matched_by, MATCHED_PAGE);
			assessment_free(assessment);
		}
	}
}

/* A session that names a pool whose page was not read may be in that pool's reserve. */
static void an_unseen_page_leaves_it_open(void **state)
{
	(void)state;
	static const struct {
		const char *application;
		bool unsettled;
	} cases[] = { { "app/99/1", true }, { "app", false }, { "app/99", false },
		{ NAMED, false } };
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[FINDINGS_TEXT_MAX];
		const struct row row = { AFAR, LIVE, STRANGER, cases[i].application };
		struct assessment *assessment = look(&row, POOL_SLOT_RESERVE);
		const struct connection *connection = &assessment->connections[1];
		assessment->sources[SOURCE_ACTIVITY].status = SOURCE_OK;
		if (connection->verdict.status != STATUS_LEAKED ||
			connection->unsettled != cases[i].unsettled)
			fail_msg("%s: %s", cases[i].application,
				connection->unsettled ? "unsettled" : "settled");
		assert_int_equal(
			findings_count_leaked(assessment, CERTAINTY_PRESUMED), !cases[i].unsettled);
		findings_describe_blindness(assessment, CERTAINTY_PRESUMED, text);
		assert_true(!strstr(text, "the stats page of the pool") == !cases[i].unsettled);
		assessment_free(assessment);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_kernel_is_the_evidence),
		cmocka_unit_test(a_false_page_makes_no_leak),
		cmocka_unit_test(an_unseen_page_leaves_it_open),
	};
	return cmocka_run_group_tests_name("page_claim", tests, NULL, NULL);
}

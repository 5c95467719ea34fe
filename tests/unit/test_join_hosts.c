/* analyze/join_hosts: what other machines' dbtops may prove, and what not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>
#include <sys/socket.h>

#include "analyze/assess.h"
#include "base/arena.h"
#include "world.h"

/* The session in question, and others. */
#define APP 1

/* One answer of host a about the client end of APP. */
struct step {
	enum host_end_state state;
	uint64_t run;
	bool silent;  /* it does not answer: its last block stays */
	bool too_old; /* the question was sent before the session was seen */
	bool shrinks; /* the answer lacks the end */
	bool early;   /* the rows are not asked for again after it */
	bool unasked; /* a second session has the client end: the host is not asked */
};

struct story {
	const char *name;
	const char *client; /* of APP; NULL: 10.0.0.5 */
	bool over_unix;
	bool second_has_it;  /* host b has the address, too */
	bool we_have_it;     /* an interface of this machine has it, too */
	bool shares_end;     /* another session has the same client end */
	int server_pid;      /* what a says of the server's end of our connection; 0: nothing */
	int64_t server_late; /* and how long after our backend that process started */
	bool second_shows_server;
	struct step steps[6];
	enum client_end end; /* after the last step */
	const char *process; /* its name; NULL: none */
};

#define HELD(run_)                                                                                 \
	{                                                                                          \
		.state = HOST_END_HELD, .run = (run_)                                              \
	}
#define NONE(run_)                                                                                 \
	{                                                                                          \
		.state = HOST_END_NONE, .run = (run_)                                              \
	}
#define HIDDEN(run_)                                                                               \
	{                                                                                          \
		.state = HOST_END_HIDDEN, .run = (run_)                                            \
	}
#define UNKNOWN(run_)                                                                              \
	{                                                                                          \
		.state = HOST_END_UNKNOWN, .run = (run_)                                           \
	}

static const struct story stories[] = {
	{ "held", .steps = { HELD(1) }, .end = CLIENT_END_HELD, .process = "python3" },
	{ "another address", .client = "10.0.0.77", .steps = { HELD(1) },
		.end = CLIENT_END_ELSEWHERE },
	{ "gone by two answers", .steps = { HELD(1), NONE(1), NONE(1) }, .end = CLIENT_END_GONE,
		.process = "python3" },
	{ "one answer is not enough", .steps = { HELD(1), NONE(1) }, .end = CLIENT_END_ELSEWHERE,
		.process = "python3" },
	{ "never held", .steps = { NONE(1), NONE(1), NONE(1) }, .end = CLIENT_END_ELSEWHERE },
	{ "only hidden", .steps = { HIDDEN(1), NONE(1), NONE(1) }, .end = CLIENT_END_ELSEWHERE },
	{ "hidden in between", .steps = { HELD(1), NONE(1), HIDDEN(1), NONE(1) },
		.end = CLIENT_END_ELSEWHERE },
	{ "another boot or run", .steps = { HELD(1), NONE(2), NONE(2), NONE(2) },
		.end = CLIENT_END_ELSEWHERE, .process = "python3" },
	{ "another run in between", .steps = { HELD(1), NONE(1), NONE(2) },
		.end = CLIENT_END_ELSEWHERE, .process = "python3" },
	{ "held by the next run", .steps = { HELD(1), HELD(2), NONE(2), NONE(2) },
		.end = CLIENT_END_GONE, .process = "python3" },
	{ "comes back", .steps = { HELD(1), NONE(1), HELD(1), NONE(1) },
		.end = CLIENT_END_ELSEWHERE, .process = "python3" },
	{ "gone, and contradicted", .steps = { HELD(1), NONE(1), NONE(1), HELD(1) },
		.end = CLIENT_END_HELD, .process = "python3" },
	{ "gone stays gone", .steps = { HELD(1), NONE(1), NONE(1), UNKNOWN(1), NONE(2) },
		.end = CLIENT_END_GONE, .process = "python3" },
	{ "gone, and then silent",
		.steps = { HELD(1), NONE(1), NONE(1), { .silent = true, .run = 1 } },
		.end = CLIENT_END_GONE, .process = "python3" },
	{ "the same answer twice", .steps = { HELD(1), NONE(1), { .silent = true, .run = 1 } },
		.end = CLIENT_END_ELSEWHERE, .process = "python3" },
	{ "nothing is known", .steps = { HELD(1), UNKNOWN(1), UNKNOWN(1) },
		.end = CLIENT_END_ELSEWHERE, .process = "python3" },
	{ "an answer that shrinks",
		.steps = { HELD(1), { .run = 1, .shrinks = true }, { .run = 1, .shrinks = true } },
		.end = CLIENT_END_ELSEWHERE, .process = "python3" },
	{ "older than the session", .steps = { { HOST_END_HELD, 1, .too_old = true } },
		.end = CLIENT_END_ELSEWHERE },
	{ "no rows after the second answer",
		.steps = { HELD(1), NONE(1), { HOST_END_NONE, 1, .early = true } },
		.end = CLIENT_END_ELSEWHERE, .process = "python3" },
	{ "two hosts have the address", .second_has_it = true,
		.steps = { HELD(1), NONE(1), NONE(1) }, .end = CLIENT_END_ELSEWHERE },
	{ "this machine has it, too", .we_have_it = true, .steps = { HELD(1) },
		.end = CLIENT_END_UNKNOWN },
	{ "not asked in between",
		.steps = { HELD(1), { HOST_END_NONE, 1, .unasked = true }, NONE(1), NONE(1),
			NONE(1) },
		.end = CLIENT_END_ELSEWHERE },
	{ "held again after that",
		.steps = { HELD(1), { HOST_END_HELD, 1, .unasked = true }, HELD(1), NONE(1),
			NONE(1) },
		.end = CLIENT_END_GONE, .process = "python3" },
	{ "two sessions have the end", .shares_end = true, .steps = { HELD(1) },
		.end = CLIENT_END_ELSEWHERE },
	{ "loopback of a host", .client = "127.0.0.1", .steps = { HELD(1) },
		.end = CLIENT_END_ELSEWHERE },
	{ "loopback of the server's host", .client = "127.0.0.1", .server_pid = OWN_PID,
		.steps = { HELD(1), NONE(1), NONE(1) }, .end = CLIENT_END_GONE,
		.process = "python3" },
	{ "Unix socket of the server's host", .over_unix = true, .server_pid = OWN_PID,
		.steps = { HELD(1) }, .end = CLIENT_END_HELD, .process = "python3" },
	{ "Unix socket of a host", .over_unix = true, .steps = { HELD(1) },
		.end = CLIENT_END_ELSEWHERE },
	{ "another process at the server's end", .client = "127.0.0.1", .server_pid = OWN_PID + 1,
		.steps = { HELD(1) }, .end = CLIENT_END_ELSEWHERE },
	{ "a process of another time at the server's end", .client = "127.0.0.1",
		.server_pid = OWN_PID, .server_late = 10 * USEC_PER_SEC, .steps = { HELD(1) },
		.end = CLIENT_END_ELSEWHERE },
	{ "two hosts show the server", .client = "127.0.0.1", .server_pid = OWN_PID,
		.second_shows_server = true, .steps = { HELD(1) }, .end = CLIENT_END_ELSEWHERE },
};

static size_t n_steps(const struct story *story)
{
	size_t n = 0;
	while (n < 6 && (story->steps[n].run || story->steps[n].silent))
		n++;
	return n;
}

static struct endpoint client_of(const struct story *story)
{
	if (story->over_unix)
		return (struct endpoint){ .family = AF_UNIX };
	return at(story->client ? story->client : "10.0.0.5", 40000);
}

/* Rows are asked for at T0 + 2 s * round, and each answer comes half a second later. */
static struct host_ends *answer(const struct story *story, size_t i, bool second)
{
	const struct step *step = &story->steps[i];
	struct host_ends *ends = host_ends_new();
	struct arena *arena = ends->arena;
	int64_t asked = T0 + (int64_t)i * 2 * USEC_PER_SEC + USEC_PER_SEC / 4;
	ends->name = second ? "b" : "a";
	ends->run = step->run + (second ? 100 : 0);
	ends->number = i + 1;
	ends->asked_at = step->too_old ? T0 - USEC_PER_SEC : asked;
	ends->answered_at = asked + USEC_PER_SEC / 4;
	ends->addresses = arena_array(arena, 1, sizeof(*ends->addresses));
	ends->addresses[0] = at(second ? "10.0.0.6" : "10.0.0.5", 0);
	ends->n_addresses = 1;
	ends->interfaces = arena_array(arena, 1, sizeof(*ends->interfaces));
	ends->interfaces[0] = at("10.0.0.5", 0);
	ends->n_interfaces = second && story->second_has_it;
	if (story->server_pid && (!second || story->second_shows_server)) {
		ends->server_pid = story->server_pid;
		ends->server_started_at = START + story->server_late;
	}
	ends->processes = arena_array(arena, 1, sizeof(*ends->processes));
	ends->processes[0] = (struct process){ .pid = 77,
		.start_ticks = 5,
		.name = "python3",
		.host = ends->name,
		.started_at = INSTANT_UNKNOWN,
		.ended_at = INSTANT_UNKNOWN,
		.cpu_percent = NAN,
		.rss_bytes = -1 };
	ends->n_processes = 1;
	ends->ends = arena_array(arena, 1, sizeof(*ends->ends));
	ends->ends[0] = (struct host_end){ .end = { client_of(story), story->over_unix ? APP : 0 },
		.state = step->state,
		.process = step->state == HOST_END_HELD ? 0 : UINT32_MAX };
	ends->n_ends = (second && !story->second_shows_server) || step->shrinks ? 0 : 1;
	return ends;
}

static struct assessment *look(const struct story *story, size_t round,
	const struct host_ends *const blocks[2], const struct assessment *previous, int64_t later)
{
	int64_t asked = T0 + (int64_t)round * 2 * USEC_PER_SEC;
	struct world world = world_make(asked, asked - USEC_PER_SEC / 2);
	const struct assess_host hosts[2] = { { blocks[0], true }, { blocks[1], true } };
	struct peers *peers = world.peers;
	peers->target.own = at("10.0.0.1", 30000);
	peers->target.server = at("10.0.0.9", PORT);
	peers->backend_started_at = INSTANT_UNKNOWN;
	peers->local_addresses = arena_array(peers->arena, 2, sizeof(struct endpoint));
	peers->local_addresses[0] = at("10.0.0.1", 0);
	peers->local_addresses[1] = at("10.0.0.5", 0);
	peers->n_local_addresses = story->we_have_it ? 2 : 1;
	world_add_backend(&world, OWN_PID, at("10.0.0.1", 30000));
	world_add_backend(&world, APP, client_of(story));
	if (story->shares_end || (round < 6 && story->steps[round].unasked))
		world_add_backend(&world, APP + 1, client_of(story));
	world_add_tcp(&world, at("10.0.0.1", 30000), at("10.0.0.9", PORT), 10);
	world_add_owner(&world, 10, 10, "dbtop");
	world.hosts = hosts;
	world.n_hosts = 2;
	return world_assess(&world, previous, asked + later, false);
}

static const struct connection *app_of(const struct assessment *assessment)
{
	for (size_t i = 0; i < assessment->n_connections; i++)
		if (assessment->connections[i].backend->pid == APP)
			return &assessment->connections[i];
	fail();
	return NULL;
}

/* Rows, the answer that was asked for after them, and at the end rows once more. */
static struct assessment *tell(const struct story *story)
{
	struct assessment *assessment = NULL;
	const struct host_ends *blocks[2] = { NULL, NULL };
	size_t n = n_steps(story);
	for (size_t i = 0; i <= n; i++) {
		if (i == n && story->steps[n - 1].early)
			break;
		for (int answered = 0; answered < 2; answered++) {
			if (answered && i == n)
				break;
			for (int k = 0; answered && !story->steps[i].silent && k < 2; k++) {
				host_ends_unref(blocks[k]);
				blocks[k] = answer(story, i, k);
			}
			struct assessment *next =
				look(story, i, blocks, assessment, answered * USEC_PER_SEC);
			assessment_free(assessment);
			assessment = next;
		}
	}
	host_ends_unref(blocks[0]);
	host_ends_unref(blocks[1]);
	return assessment;
}

static void each_story_ends_as_it_should(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(stories) / sizeof(stories[0]); i++) {
		const struct story *story = &stories[i];
		struct assessment *assessment = tell(story);
		const struct connection *app = app_of(assessment);
		const struct client_process *process = assessment_process(assessment, app);
		const char *name = process ? process->process.name : NULL;
		bool gone = app->verdict.reason == REASON_CLIENT_GONE;
		if (app->end != story->end || gone != (story->end == CLIENT_END_GONE) ||
			(story->process ? !name || strcmp(name, story->process) != 0
					: name != NULL))
			fail_msg("%s: %s, process %s%s", story->name, client_end_name(app->end),
				name ? name : "none", gone ? ", gone" : "");
		if (process) {
			assert_int_equal(app->matched_by, MATCHED_HOST);
			assert_string_equal(process->process.host, "a");
			assert_null(assessment_local_process(assessment, app));
		}
		assessment_free(assessment);
	}
}

/* A process of another machine with the pid and the start of one of ours is another one. */
static void machines_do_not_share_processes(void **state)
{
	(void)state;
	const struct story story = { "twins", .steps = { HELD(1) } };
	struct host_ends *first = answer(&story, 0, false), *second = answer(&story, 0, true);
	first->processes[0].pid = 10;
	first->processes[0].start_ticks = 10;
	const struct host_ends *blocks[2] = { first, second };
	struct assessment *assessment = look(&story, 0, blocks, NULL, USEC_PER_SEC);
	const struct client_process *app = assessment_process(assessment, app_of(assessment));
	const struct client_process *own =
		assessment_process(assessment, &assessment->connections[0]);
	assert_non_null(app);
	assert_non_null(own);
	assert_ptr_not_equal(app, own);
	assert_string_equal(own->process.name, "dbtop");
	assert_null(own->process.host);
	assessment_free(assessment);
	host_ends_unref(first);
	host_ends_unref(second);
}

/* Each host is asked about its own ends only, and about loopback only where the server is. */
static void hosts_are_asked_about_their_own_ends(void **state)
{
	(void)state;
	const struct story remote = { "remote", .steps = { HELD(1) } };
	const struct story beside = { "beside", .client = "127.0.0.1", .server_pid = OWN_PID,
		.steps = { HELD(1) } };
	const struct story *const cases[] = { &remote, &beside };
	for (size_t i = 0; i < 2; i++) {
		const struct host_ends *blocks[2] = { answer(cases[i], 0, false),
			answer(cases[i], 0, true) };
		struct assessment *assessment = look(cases[i], 0, blocks, NULL, USEC_PER_SEC);
		assert_int_equal(assessment->hosts[0].n_wanted, 1);
		assert_int_equal(assessment->hosts[1].n_wanted, 0);
		assert_true(assessment->hosts[0].has_answered);
		assert_true(endpoint_equal(&assessment->hosts[0].wanted[0].client,
			&app_of(assessment)->backend->client));
		assessment_free(assessment);
		host_ends_unref(blocks[0]);
		host_ends_unref(blocks[1]);
	}
}

/* A stats page of a host counts only for sessions that its own process holds there. */
static void a_hosts_page_claims_what_its_process_holds(void **state)
{
	(void)state;
	static const struct {
		const char *name, *host;
		int32_t pid, backend;
		uint32_t uid;
		bool not_held, is_joined;
		const char *server;
	} cases[] = {
		{ "its own", "a", 77, APP, 0, .is_joined = true },
		{ "of a user's process", "a", 77, APP, 7, .is_joined = false },
		{ "of another process", "a", 78, APP, 0, .is_joined = false },
		{ "of another host", "b", 77, APP, 0, .is_joined = false },
		{ "not held", "a", 77, APP, 0, .not_held = true, .is_joined = false },
		{ "a session of this machine", "a", 77, OWN_PID, 0, .is_joined = false },
		{ "by a name of that machine", "a", 77, 0, 0, .server = "127.0.0.1:6000/app" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct story story = { cases[i].name,
			.steps = { { cases[i].not_held ? HOST_END_NONE : HOST_END_HELD, 1 } } };
		struct host_ends *ends = answer(&story, 0, false);
		struct pool_slot slot = { .number = 1,
			.state = POOL_SLOT_IN_USE,
			.backend_pid = cases[i].backend,
			.backend_start = START,
			.connected_at = INSTANT_UNKNOWN,
			.since = T0 };
		struct pool_page page = { .path = "a:/x.page",
			.host = cases[i].host,
			.name = "app",
			.pid = cases[i].pid,
			.start_ticks = 5,
			.uid = cases[i].uid,
			.owner_visible = true,
			.process = &ends->processes[0],
			.server = cases[i].server ? cases[i].server : "127.0.0.1:5432/app",
			.read_at = T0,
			.slots = &slot,
			.n_slots = 1 };
		ends->pages = &page;
		ends->n_pages = 1;
		const struct host_ends *blocks[2] = { ends, NULL };
		struct assessment *assessment = look(&story, 0, blocks, NULL, USEC_PER_SEC);
		const struct connection *app = app_of(assessment);
		assert_int_equal(assessment->n_pools, 1);
		if ((app->slot != NULL) != cases[i].is_joined ||
			assessment->connections[0].slot != NULL)
			fail_msg("%s: %s", cases[i].name, app->slot ? "joined" : "not joined");
		assert_false(assessment->pools[0].elsewhere && cases[i].server);
		if (app->slot)
			assert_string_equal(
				assessment->processes[app->pool->process].process.host, "a");
		assessment_free(assessment);
		host_ends_unref(ends);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_story_ends_as_it_should),
		cmocka_unit_test(machines_do_not_share_processes),
		cmocka_unit_test(hosts_are_asked_about_their_own_ends),
		cmocka_unit_test(a_hosts_page_claims_what_its_process_holds),
	};
	return cmocka_run_group_tests_name("join_hosts", tests, NULL, NULL);
}

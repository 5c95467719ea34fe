/* watch/stages: the verdict waits for a server, or a machine, that is busy; and without the
 * server's answer there is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <endian.h>
#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>

#include "analyze/shutdown.h"
#include "base/instant.h"
#include "base/mem.h"
#include "model/assessment.h"
#include "model/shutdown.h"
#include "session/session.h"
#include "watch/watch.h"
#include "watch/watch_state.h"
#include "watched.h"

#define SOCKETS 2

struct fixture {
	struct watched watched;
	struct server_state state;
	bool connected;
	int asked; /* how often the server was asked for its counts */
	session_done_fn *done;
	void *data;
	uv_timer_t *timer; /* of the watch's stage */
	uv_timer_cb on_timer;
};

static struct fixture *current;

bool __wrap_session_query(struct session *session, const struct session_statement *statement,
	session_done_fn *done, void *data);
const struct server_state *__wrap_session_state(const struct session *session);
int __real_uv_timer_start(uv_timer_t *timer, uv_timer_cb cb, uint64_t timeout, uint64_t repeat);
int __wrap_uv_timer_start(uv_timer_t *timer, uv_timer_cb cb, uint64_t timeout, uint64_t repeat);

bool __wrap_session_query(struct session *session, const struct session_statement *statement,
	session_done_fn *done, void *data)
{
	(void)session;
	if (!current->connected || !strstr(statement->sql, "sessions_abandoned"))
		return false;
	current->asked++;
	current->done = done;
	current->data = data;
	return true;
}

const struct server_state *__wrap_session_state(const struct session *session)
{
	(void)session;
	return &current->state;
}

int __wrap_uv_timer_start(uv_timer_t *timer, uv_timer_cb cb, uint64_t timeout, uint64_t repeat)
{
	if (!current->watched.watch || timer->data != current->watched.watch)
		return __real_uv_timer_start(timer, cb, timeout, repeat);
	current->timer = timer;
	current->on_timer = cb;
	return 0;
}

static struct shutdown_record *record_of(const struct fixture *fixture)
{
	return watch_record(fixture->watched.watch);
}

static int set_up(void **state)
{
	current = mem_alloc(sizeof(*current));
	current->connected = true;
	current->state.status = SERVER_OK;
	watched_init(&current->watched, SOCKETS, 1);
	*state = current;
	return 0;
}

static int tear_down(void **state)
{
	watched_deinit(&current->watched);
	free(*state);
	current = NULL;
	return 0;
}

/* The application has closed its connections and ended; the server was not polled since. */
static void leave(struct fixture *fixture)
{
	struct watched *watched = &fixture->watched;
	struct shutdown_record *record = record_of(fixture);
	watched_sample(watched);
	watched_assess(watched);
	shutdown_list_databases(record);
	for (size_t i = 0; i < record->n_connections; i++)
		record->connections[i].ended_at = instant_monotonic();
	watched->sample.n_sockets = watched->sample.n_processes = 0;
	watched->sample.whole = true;
	for (int i = 0; i < 100 && !shutdown_has_begun(record); i++)
		watched_sample(watched);
	watched_sample(watched);
	/* it may have opened a session at its very end */
	assert_false(record->over);
	watched->assessment->server.status = SERVER_OK;
}

/* `polled`: what the last poll showed of the server. */
static void end_application(struct fixture *fixture, enum server_status polled)
{
	leave(fixture);
	watched_poll(&fixture->watched);
	assert_true(record_of(fixture)->over);
	fixture->watched.assessment->server.status = polled;
}

/* No session is counted since, and none of them as abandoned. `snapshot`: the moment of the counts;
 * `clock`: the server's clock. */
static void answer_of(const struct fixture *fixture, int64_t snapshot, int64_t clock)
{
	enum { CELLS = 5 };
	const int64_t cells[CELLS] = { 0, 0, snapshot, clock, 0 };
	PGresAttDesc columns[CELLS];
	PGresult *result = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
	for (int i = 0; i < CELLS; i++)
		columns[i] = (PGresAttDesc){ .name = (char *)"c", .format = 1 };
	assert_true(PQsetResultAttrs(result, CELLS, columns));
	for (int i = 0; i < CELLS; i++) {
		uint64_t bytes = htobe64((uint64_t)cells[i]);
		assert_true(PQsetvalue(result, 0, i, (char *)&bytes, sizeof(bytes)));
	}
	fixture->done(fixture->data, result, 0);
	PQclear(result);
}

static void answer(const struct fixture *fixture)
{
	answer_of(fixture, 2 * USEC_PER_SEC, USEC_PER_SEC);
}

static void assert_passes(const struct fixture *fixture, bool passes)
{
	static const struct shutdown_rules rules;
	struct shutdown_record *record = record_of(fixture);
	assert_true(watch_is_complete(fixture->watched.watch));
	assert_int_equal(passes, !record->blind);
	assert_int_equal(
		passes, shutdown_judge(record, &rules, instant_monotonic(), record->arena).pass);
}

/* Its polls are overdue when this machine was too busy to read their answers. */
static void a_server_that_answers_at_last_is_reachable(void **state)
{
	struct fixture *fixture = *state;
	end_application(fixture, SERVER_STALE);
	assert_int_equal(fixture->asked, 1);
	assert_false(watch_is_complete(fixture->watched.watch));
	answer(fixture);
	assert_passes(fixture, true);
}

static void a_silent_server_is_asked_again(void **state)
{
	struct fixture *fixture = *state;
	end_application(fixture, SERVER_OK);
	for (int asked = 1; asked <= 3; asked++) {
		assert_false(watch_is_complete(fixture->watched.watch));
		assert_int_equal(fixture->asked, asked);
		fixture->on_timer(fixture->timer);
	}
	answer(fixture);
	assert_passes(fixture, true);
}

static void await_question(struct fixture *fixture, int number)
{
	while (fixture->asked < number && !watch_is_complete(fixture->watched.watch))
		uv_run(&fixture->watched.loop, UV_RUN_ONCE);
	assert_int_equal(fixture->asked, number);
}

/* PostgreSQL 14 writes its counts late: what it has counted by then may lack the last sessions. */
static void counts_of_before_the_end_are_asked_for_again(void **state)
{
	struct fixture *fixture = *state;
	end_application(fixture, SERVER_OK);
	answer_of(fixture, USEC_PER_SEC, USEC_PER_SEC);
	await_question(fixture, 2);
	/* the counts of just before the first answer are not enough either */
	answer_of(fixture, USEC_PER_SEC + 1, 3 * USEC_PER_SEC);
	await_question(fixture, 3);
	answer(fixture);
	assert_passes(fixture, true);
}

static void a_connection_that_is_made_again_is_waited_for(void **state)
{
	struct fixture *fixture = *state;
	fixture->connected = false;
	fixture->state.status = SERVER_CONNECTING;
	end_application(fixture, SERVER_OK);
	assert_int_equal(fixture->asked, 0);
	fixture->on_timer(fixture->timer);
	assert_false(watch_is_complete(fixture->watched.watch));
	/* and lost once more, with the question */
	fixture->connected = true;
	fixture->on_timer(fixture->timer);
	assert_int_equal(fixture->asked, 1);
	fixture->done(fixture->data, NULL, 0);
	assert_false(watch_is_complete(fixture->watched.watch));
	fixture->state.status = SERVER_OK;
	fixture->on_timer(fixture->timer);
	answer(fixture);
	assert_passes(fixture, true);
}

static void without_an_answer_there_is_no_verdict(void **state)
{
	struct fixture *fixture = *state;
	end_application(fixture, SERVER_STALE);
	fixture->watched.watch->gather_since -= 3600 * USEC_PER_SEC;
	fixture->on_timer(fixture->timer);
	assert_passes(fixture, false);
}

/* A session is new since the baseline, and nobody was seen to hold its client end. */
static struct connection *add_stray(struct fixture *fixture)
{
	leave(fixture);
	record_of(fixture)->based = true;
	struct connection *row = &fixture->watched.assessment->connections[0];
	struct backend *backend = (struct backend *)row->backend;
	backend->pid++;
	backend->start++;
	backend->client.port = 9;
	row->process = NO_PROCESS;
	row->end = CLIENT_END_UNKNOWN;
	return row;
}

static void judge_with_stray(struct fixture *fixture, enum client_end end, bool passes)
{
	static const struct shutdown_rules rules;
	struct assessment *assessment = fixture->watched.assessment;
	struct shutdown_record *record = record_of(fixture);
	struct connection *row = add_stray(fixture);
	watched_poll(&fixture->watched);
	assert_false(record->over);
	/* a scan ends, and proves nothing yet */
	struct peers peers = { .dump_began = instant_monotonic() };
	assessment->peers = &peers;
	watched_poll(&fixture->watched);
	assert_false(record->over);
	row->end = end;
	watched_poll(&fixture->watched);
	assert_true(record->over);
	answer(fixture);
	assert_int_equal(
		passes, shutdown_judge(record, &rules, instant_monotonic(), record->arena).pass);
	assessment->peers = NULL;
}

static void a_new_session_without_a_client_leaves_no_verdict(void **state)
{
	judge_with_stray(*state, CLIENT_END_GONE, false);
}

/* What two scans could have shown, a third one does not: the verdict does not wait for the time
 * that the application has, and is no pass. */
static void a_client_that_is_not_found_is_not_waited_for(void **state)
{
	static const struct shutdown_rules rules;
	struct fixture *fixture = *state;
	struct shutdown_record *record = record_of(fixture);
	struct connection *row = add_stray(fixture);
	struct peers peers = { .dump_began = instant_monotonic() };
	fixture->watched.assessment->peers = &peers;
	watched_poll(&fixture->watched);
	watched_poll(&fixture->watched);
	assert_false(record->over);
	/* a scan that began after the question says nothing about the answer */
	peers.dump_began = instant_monotonic() + USEC_PER_SEC;
	watched_poll(&fixture->watched);
	peers.dump_began = instant_monotonic();
	row->scanned = false;
	watched_poll(&fixture->watched);
	assert_false(record->over);
	row->scanned = true;
	watched_poll(&fixture->watched);
	assert_true(record->over);
	answer(fixture);
	assert_false(shutdown_judge(record, &rules, instant_monotonic(), record->arena).pass);
	fixture->watched.assessment->peers = NULL;
}

/* It has a database, but no client. */
static void a_worker_of_the_server_is_no_session(void **state)
{
	static const struct shutdown_rules rules;
	struct fixture *fixture = *state;
	struct shutdown_record *record = record_of(fixture);
	((struct backend *)add_stray(fixture)->backend)->kind = BACKEND_OTHER;
	watched_poll(&fixture->watched);
	assert_true(record->over);
	answer(fixture);
	assert_true(shutdown_judge(record, &rules, instant_monotonic(), record->arena).pass);
}

static void a_new_session_of_another_client_spoils_no_verdict(void **state)
{
	judge_with_stray(*state, CLIENT_END_HELD, true);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_server_that_answers_at_last_is_reachable),
		TEST(a_silent_server_is_asked_again),
		TEST(counts_of_before_the_end_are_asked_for_again),
		TEST(a_connection_that_is_made_again_is_waited_for),
		TEST(without_an_answer_there_is_no_verdict),
		TEST(a_new_session_without_a_client_leaves_no_verdict),
		TEST(a_new_session_of_another_client_spoils_no_verdict),
		TEST(a_client_that_is_not_found_is_not_waited_for),
		TEST(a_worker_of_the_server_is_no_session),
	};
	return cmocka_run_group_tests_name("stages", tests, NULL, NULL);
}

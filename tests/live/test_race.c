/* Sessions that flip between rest and work while they are ended, beside others that come and go.
 *
 * A session that is reported "terminated" was at rest, in the very state that the plan saw, unless
 * the result says that the server was slow; one reported "changed" lives. The clients tell where
 * their sessions were. Where a client cannot know (its statement was sent and not answered), the
 * server's log does: it names the statement of a session that is ended at work. Each signal
 * statement answers with exactly one row.
 *
 * DBTOP_TEST_ROUNDS is the percentage of these attempts that is made: 1000 for 10,000 of the first.
 */
#include "live_group.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "action/act.h"
#include "action/runner.h"
#include "base/arena.h"
#include "base/cleanup.h"
#include "base/instant.h"
#include "base/mem.h"
#include "model/action.h"
#include "session/params.h"
#include "session/session.h"

#define FLIPPERS 8
#define CHURNERS 4 /* they move the places of the others in the server's table */
#define ATTEMPTS 1000
#define SIGNALS  1000
#define REST_MS  50 /* at rest for less, a session counts as alive */

/* --- the answers, as the executor gets them (see meson.build) --- */

enum action_result __real_act_read_signal(
	const PGresult *result, struct arena *arena, struct action_step *step);
enum action_result __wrap_act_read_signal(
	const PGresult *result, struct arena *arena, struct action_step *step);

static int answers, rows;

enum action_result __wrap_act_read_signal(
	const PGresult *result, struct arena *arena, struct action_step *step)
{
	if (PQresultStatus(result) != PGRES_TUPLES_OK)
		fail_msg("%s", PQresultErrorMessage(result));
	answers++;
	rows += PQntuples(result);
	return __real_act_read_signal(result, arena, step);
}

/* --- the killer --- */

struct killer {
	uv_loop_t loop;
	struct session *session;
	struct runner *runner;
	bool ready, done;
};

static void on_ready(void *data)
{
	((struct killer *)data)->ready = true;
}

static void on_done(void *data)
{
	((struct killer *)data)->done = true;
}

static void killer_init(struct killer *killer)
{
	struct params params = { 0 };
	char port[16];
	snprintf(port, sizeof(port), "%d", private_server_port(server));
	params_set(&params, "host", private_server_folder(server));
	params_set(&params, "port", port);
	params_set(&params, "user", "postgres");
	uv_loop_init(&killer->loop);
	const struct session_callbacks session = { .data = killer, .ready = on_ready };
	killer->session = session_new(&killer->loop, &params, &session);
	const struct runner_options options = { .deadline = 10 * USEC_PER_SEC };
	const struct runner_callbacks callbacks = { .data = killer, .done = on_done };
	killer->runner = runner_new(&killer->loop, killer->session, &options, &callbacks);
	session_start(killer->session);
	while (!killer->ready)
		uv_run(&killer->loop, UV_RUN_ONCE);
	params_clear(&params);
}

static void killer_deinit(struct killer *killer)
{
	runner_free(killer->runner);
	session_free(killer->session);
	uv_run(&killer->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&killer->loop), 0);
}

/* --- plans --- */

static int64_t instant_of(const PGresult *result, int row, int column)
{
	return strtoll(PQgetvalue(result, row, column), NULL, 10);
}

/* All that rest now; the query's number is in the detail's place until the act. */
static struct action *plan_now(PGconn *conn)
{
	PGresult *result = PQexec(conn,
		"SELECT pid, (extract(epoch FROM backend_start) * 1000000)::int8,"
		" (extract(epoch FROM state_change) * 1000000)::int8, state, query"
		" FROM pg_stat_activity WHERE usename = 'app' AND state = 'idle'"
		" AND query LIKE 'SELECT /*%'");
	assert_int_equal(PQresultStatus(result), PGRES_TUPLES_OK);
	struct arena *arena = arena_new();
	struct action *plan = arena_alloc(arena, sizeof(*plan));
	plan->arena = arena;
	plan->kind = ACTION_TERMINATE;
	plan->n_steps = (size_t)PQntuples(result);
	plan->steps = arena_array(arena, plan->n_steps, sizeof(*plan->steps));
	for (int i = 0; i < PQntuples(result); i++)
		plan->steps[i] = (struct action_step){
			.pid = atoi(PQgetvalue(result, i, 0)),
			.session.backend_start = instant_of(result, i, 1),
			.session.state_change = instant_of(result, i, 2),
			.session.xact_start = INSTANT_UNKNOWN,
			.session.state = BACKEND_STATE_IDLE,
			.session.state_text = arena_strdup(arena, PQgetvalue(result, i, 3)),
			.session.query = arena_strdup(arena, PQgetvalue(result, i, 4)),
			.selected = true,
		};
	PQclear(result);
	return plan;
}

/* A session that we were told is ended. */
struct ended {
	int pid;
	long number; /* of the statement it had answered when it was planned */
	bool late;   /* the result says that it may have worked since */
};

struct tally {
	struct ended *ended;
	size_t n_ended;
	int attempts, by_result[RESULT_COUNT], late;
};

static void count(struct tally *tally, const struct action *plan)
{
	for (size_t i = 0; i < plan->n_steps; i++) {
		const struct action_step *step = &plan->steps[i];
		tally->attempts++;
		tally->by_result[step->result]++;
		if (step->result != RESULT_TERMINATED)
			continue;
		tally->ended = mem_resize(tally->ended, tally->n_ended + 1, sizeof(*tally->ended));
		tally->ended[tally->n_ended++] = (struct ended){ step->pid,
			strtol(step->session.query + strlen("SELECT /* "), NULL, 10),
			step->detail != NULL };
		tally->late += step->detail != NULL;
	}
}

static void kill_all_that_rest(struct killer *killer, PGconn *conn, struct tally *tally)
{
	struct action *plan = plan_now(conn);
	if (plan->n_steps > 0) {
		killer->done = false;
		assert_int_equal(runner_begin(killer->runner, plan), 0);
		while (!killer->done)
			uv_run(&killer->loop, UV_RUN_ONCE);
		count(tally, plan);
	}
	action_free(plan);
}

/* --- the clients' word --- */

/* Fails when no session of this pid was ended after it had answered that statement. A pid may have
 * been several sessions', one after the other. */
static void check_ended(const struct tally *tally, int pid, long answered)
{
	const struct ended *ended = NULL;
	for (size_t i = 0; i < tally->n_ended; i++) {
		if (tally->ended[i].pid != pid)
			continue;
		ended = &tally->ended[i];
		if (ended->number == answered || (ended->late && ended->number < answered))
			return;
	}
	if (!ended)
		fail_msg("session %d was ended, and not reported as \"terminated\"", pid);
	fail_msg("session %d was planned after statement %ld, and ended after %ld", pid,
		ended->number, answered);
}

/* How many of its sessions this client saw end, each where the plan had seen it. */
static size_t check_client(struct live_program *client, const struct tally *tally)
{
	size_t sessions = 0;
	int pid;
	long number;
	char where[8];
	const char *line = strstr(live_out(client), "ready\n") + strlen("ready\n");
	for (; sscanf(line, "ended %d %7s %ld\n", &pid, where, &number) == 3;
		line = strchr(line, '\n') + 1, sessions++) {
		check_ended(tally, pid, strcmp(where, "rest") == 0 ? number : number - 1);
	}
	return sessions;
}

/* A session that is ended at work leaves its statement in the log, behind `begin`. */
static void check_log(size_t begin, size_t ended, int late)
{
	CLEANUP(cleanup_free) char *all = live_group_log();
	const char *log = all + begin;
	static const char fatal[] = "FATAL:  terminating connection due to administrator command";
	size_t count = 0;
	for (const char *at = log; (at = strstr(at, fatal)); at += strlen(fatal))
		count++;
	assert_int_equal(count, ended);
	const char *statement = log;
	for (int at_work = 0; (statement = strstr(statement, "STATEMENT:")); statement++)
		if (++at_work > late)
			fail_msg("ended at work: %.100s", statement);
}

static bool all_are_reported(void *data)
{
	struct {
		struct live_program **clients;
		const struct tally *tally;
	} *told = data;
	size_t sessions = 0;
	for (int i = 0; i < FLIPPERS; i++)
		sessions += check_client(told->clients[i], told->tally);
	return sessions == told->tally->n_ended;
}

static void nobody_is_ended_at_work_or_after_a_change(void **state)
{
	(void)state;
	struct tally tally = { .ended = NULL };
	struct live_program *clients[FLIPPERS];
	struct killer killer = { .ready = false };
	CLEANUP(cleanup_free) char *log = live_group_log();
	CLEANUP(cleanup_free) char *app = live_conninfo(server, LIVE_UNIX, "user=app");
	for (int i = 0; i < FLIPPERS; i++) {
		char seed[16];
		snprintf(seed, sizeof(seed), "%d", i + 1);
		clients[i] = live_client(app, "flip", seed, NULL);
	}
	for (int i = 0; i < CHURNERS; i++)
		live_client(app, "churn", NULL);
	PGconn *conn = live_connect(private_server_conninfo(server));
	killer_init(&killer);
	answers = rows = 0;
	int wanted = live_rounds(ATTEMPTS);
	int64_t deadline =
		instant_monotonic() + (live_patience(60000) + INT64_C(60) * wanted) * USEC_PER_MSEC;
	/* of few ends, all may meet a pause of the server */
	while (tally.attempts < wanted || tally.n_ended <= (size_t)tally.late) {
		kill_all_that_rest(&killer, conn, &tally);
		assert_true(instant_monotonic() < deadline);
	}
	killer_deinit(&killer);
	PQfinish(conn);
	print_message(
		"%d attempts: %d terminated, %d changed, %d gone, %d late; %d answers, %d rows\n",
		tally.attempts, tally.by_result[RESULT_TERMINATED], tally.by_result[RESULT_CHANGED],
		tally.by_result[RESULT_GONE], tally.late, answers, rows);
	assert_int_equal(answers, tally.attempts);
	assert_int_equal(rows, answers);
	assert_int_equal(tally.by_result[RESULT_TERMINATED] + tally.by_result[RESULT_CHANGED],
		tally.attempts);
	/* it is a race only if both happen */
	assert_true(tally.by_result[RESULT_CHANGED] > 0);
	struct {
		struct live_program **clients;
		const struct tally *tally;
	} told = { clients, &tally };
	assert_true(live_wait(all_are_reported, &told, 10000));
	check_log(strlen(log), tally.n_ended, tally.late);
	free(tally.ended);
}

/* --- one answer each --- */

struct asked {
	struct action *plan;
	int wanted, answered, by_result[RESULT_COUNT];
	bool was_slow;         /* the last answer */
	int64_t sent, soonest; /* from a statement's sending to its check, at least */
};

static void on_answer(void *data, const PGresult *result, int64_t sent_at)
{
	(void)sent_at;
	struct asked *asked = data;
	struct action_step *step = &asked->plan->steps[0];
	asked->answered++;
	asked->was_slow = act_was_slow(result);
	if (asked->was_slow)
		return;
	asked->by_result[act_read_signal(result, asked->plan->arena, step)]++;
	if (step->session.seen_at - asked->sent < asked->soonest)
		asked->soonest = step->session.seen_at - asked->sent;
}

static void ask(
	struct killer *killer, struct asked *asked, enum action_kind kind, enum act_attempt attempt)
{
	int before = asked->answered;
	asked->sent = instant_now();
	assert_true(act_signal(
		killer->session, kind, &asked->plan->steps[0], attempt, on_answer, asked));
	while (asked->answered == before)
		uv_run(&killer->loop, UV_RUN_ONCE);
}

/* To rehearse has no effect at all. To cancel what rests has no effect, so one session can be
 * signalled any number of times; its process is awake for a moment after each signal, which may be
 * seen as a change. Sessions before it in the server's table come and go meanwhile. */
static void each_answer_is_one_row_and_true(void **state)
{
	(void)state;
	struct killer killer = { .ready = false };
	struct asked asked = { .wanted = live_rounds(SIGNALS), .soonest = INT64_MAX };
	CLEANUP(cleanup_free) char *app = live_conninfo(server, LIVE_UNIX, "user=app");
	for (int i = 0; i < CHURNERS; i++)
		live_client(app, "churn", "0", NULL);
	/* they make the copy of the table take longer */
	live_client(app, "connect", "60", NULL);
	live_client(app, "sql", "SELECT /* 1 */ 1", NULL);
	PGconn *conn = live_connect(private_server_conninfo(server));
	asked.plan = plan_now(conn);
	assert_int_equal(asked.plan->n_steps, 1);
	usleep(2 * USEC_PER_MSEC * REST_MS);
	killer_init(&killer);
	/* its process may not have come to its wait yet */
	struct asked rehearsed = { .plan = asked.plan };
	while (!rehearsed.was_slow)
		ask(&killer, &rehearsed, ACTION_TERMINATE, ACT_REHEARSE);
	answers = rows = 0;
	for (int i = 0; i < asked.wanted; i++)
		ask(&killer, &asked, ACTION_CANCEL, ACT_ANYHOW);
	killer_deinit(&killer);
	action_free(asked.plan);
	PQfinish(conn);
	int signalled = asked.by_result[RESULT_PENDING], changed = asked.by_result[RESULT_CHANGED];
	print_message("%d answers, %d rows, %d signalled, %d changed, %lld us to the check\n",
		answers, rows, signalled, changed, (long long)asked.soonest);
	assert_int_equal(answers, asked.wanted);
	assert_int_equal(rows, asked.wanted);
	assert_int_equal(signalled + changed, asked.wanted);
	assert_true(signalled > changed);
	/* it sleeps before it looks, so that the signal finds a new time slice */
	assert_true(asked.soonest >= USEC_PER_MSEC);
}

/* --- a hostile search_path --- */

/* Objects that the statements' names would match exactly, and before pg_catalog's. Each raises an
 * error when it is evaluated. */
static const char hostile_sql[] =
	"CREATE SCHEMA hostile;"
	"CREATE FUNCTION hostile.trap() RETURNS bool LANGUAGE plpgsql AS"
	" $$BEGIN RAISE 'a function of the hostile schema was called'; END$$;"
	"CREATE VIEW hostile.pg_roles AS SELECT NULL::oid AS oid, hostile.trap() AS rolsuper;"
	"DO $$DECLARE t text; p pg_proc; BEGIN"
	" FOREACH t IN ARRAY ARRAY['int4', 'oid', 'text', 'text[]', 'timestamptz',"
	"  'timestamptz[]', 'anyarray'] LOOP"
	"  EXECUTE format('CREATE FUNCTION hostile.trap(%1$s, %1$s) RETURNS bool LANGUAGE sql"
	"   AS ''SELECT hostile.trap()''', t);"
	"  EXECUTE format('CREATE OPERATOR hostile.= (FUNCTION = hostile.trap, LEFTARG = %1$s,"
	"   RIGHTARG = %1$s)', t);"
	"  EXECUTE format('CREATE OPERATOR hostile.> (FUNCTION = hostile.trap, LEFTARG = %1$s,"
	"   RIGHTARG = %1$s)', t);"
	" END LOOP;"
	" CREATE FUNCTION hostile.trap(timestamptz, interval) RETURNS timestamptz LANGUAGE plpgsql"
	"  AS 'BEGIN PERFORM hostile.trap(); END';"
	" CREATE OPERATOR hostile.- (FUNCTION = hostile.trap, LEFTARG = timestamptz,"
	"  RIGHTARG = interval);"
	" FOREACH t IN ARRAY ARRAY['pg_backend_pid()', 'pg_stat_clear_snapshot()',"
	"  'clock_timestamp()', 'pg_stat_get_backend_idset()', 'pg_stat_get_activity(int4)',"
	"  'pg_stat_get_backend_pid(int4)', 'pg_stat_get_backend_start(int4)',"
	"  'pg_stat_get_backend_activity_start(int4)', 'pg_stat_get_backend_wait_event(int4)',"
	"  'pg_terminate_backend(int4)', 'pg_cancel_backend(int4)', 'min(int4)',"
	"  'format(text, text)', 'format(text, name)', 'json_to_recordset(json)',"
	"  'pg_sleep(float8)'] LOOP"
	"  EXECUTE format('CREATE FUNCTION hostile.%s RETURNS bool LANGUAGE sql"
	"   AS ''SELECT hostile.trap()''', t);"
	" END LOOP;"
	" FOREACH t IN ARRAY ARRAY['int4', 'bool', 'text', 'timestamptz', 'interval', 'json',"
	"  'float8'] LOOP"
	"  EXECUTE format('CREATE DOMAIN hostile.%1$s AS pg_catalog.%1$s"
	"   CHECK (hostile.trap())', t);"
	" END LOOP; END$$";

/* Any number of answers, and whether each was rows. */
struct replies {
	struct action *plan;
	int count;
	bool good, present[1];
	enum action_result result;
	char why[80];
};

static void on_path(void *data, const PGresult *result, int64_t sent_at)
{
	(void)sent_at;
	struct replies *replies = data;
	replies->good &= PQresultStatus(result) == PGRES_TUPLES_OK;
	replies->count++;
}

static void on_hostile_signal(void *data, const PGresult *result, int64_t sent_at)
{
	(void)sent_at;
	struct replies *replies = data;
	struct action *plan = replies->plan;
	replies->result = act_read_signal(result, plan->arena, &plan->steps[0]);
	replies->count++;
}

static void on_hostile_look(void *data, const PGresult *result, int64_t sent_at)
{
	(void)sent_at;
	struct replies *replies = data;
	replies->good &= act_read_probe(result, replies->plan, replies->present);
	replies->count++;
}

static void on_hostile_why(void *data, const PGresult *result, int64_t sent_at)
{
	(void)sent_at;
	struct replies *replies = data;
	snprintf(replies->why, sizeof(replies->why), "%s",
		act_read_why(result, replies->plan->arena));
	replies->count++;
}

static void await_reply(struct killer *killer, struct replies *replies, bool sent)
{
	int before = replies->count;
	assert_true(sent);
	while (replies->count == before)
		uv_run(&killer->loop, UV_RUN_ONCE);
	assert_true(replies->good);
}

static void nothing_in_the_search_path_is_called(void **state)
{
	(void)state;
	struct killer killer = { .ready = false };
	CLEANUP(cleanup_free) char *app = live_conninfo(server, LIVE_UNIX, "user=app");
	live_sql(server, hostile_sql);
	struct live_program *client = live_client(app, "sql", "SELECT /* 1 */ 1", NULL);
	PGconn *conn = live_connect(private_server_conninfo(server));
	struct replies replies = { .plan = plan_now(conn), .good = true };
	assert_int_equal(replies.plan->n_steps, 1);
	struct action_step *step = &replies.plan->steps[0];
	killer_init(&killer);
	const struct session_statement path = {
		.sql = "SELECT pg_catalog.set_config('search_path', 'hostile, pg_catalog', false)",
	};
	await_reply(&killer, &replies, session_query(killer.session, &path, on_path, &replies));
	await_reply(&killer, &replies, act_ask_why(killer.session, step, on_hostile_why, &replies));
	assert_string_equal(replies.why, "GRANT pg_signal_backend TO postgres;");
	usleep(2 * USEC_PER_MSEC * REST_MS);
	const enum action_kind kinds[] = { ACTION_CANCEL, ACTION_TERMINATE };
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		replies.plan->kind = kinds[i];
		await_reply(&killer, &replies,
			act_probe(killer.session, replies.plan, on_hostile_look, &replies));
		assert_true(replies.present[0]);
		await_reply(&killer, &replies,
			act_signal(killer.session, kinds[i], step, ACT_ANYHOW, on_hostile_signal,
				&replies));
		if (replies.result != RESULT_PENDING)
			fail_msg("%s: %s", action_result_name(replies.result),
				step->detail ? step->detail : "no detail");
	}
	killer_deinit(&killer);
	action_free(replies.plan);
	PQfinish(conn);
	live_free(client);
	live_wait_sessions(server, "usename = 'app'", 0, 10000);
	live_sql(server, "SET client_min_messages = error; DROP SCHEMA hostile CASCADE");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LIVE_TEST(each_answer_is_one_row_and_true),
		LIVE_TEST(nobody_is_ended_at_work_or_after_a_change),
		LIVE_TEST(nothing_in_the_search_path_is_called),
	};
	return LIVE_GROUP("race", tests,
		.settings = (const char *const[]){ "max_connections=200", NULL },
		.sql = "CREATE ROLE app LOGIN");
}

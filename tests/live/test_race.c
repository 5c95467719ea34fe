/* The race that every killer runs: sessions that flip between rest and work while they are ended.
 *
 * Whoever is told "terminated" was at rest, in the very state the plan saw; whoever is told
 * "changed" lives. The clients say where their sessions were, and where a client cannot know (its
 * statement was sent, and nobody answered), the server's log does: it names the statement of a
 * session that is ended at work. */
#include "live.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "action/execute.h"
#include "base/arena.h"
#include "base/cleanup.h"
#include "base/instant.h"
#include "base/mem.h"
#include "model/action.h"
#include "session/params.h"
#include "session/session.h"

#define FLIPPERS 8
#define ATTEMPTS 1000

static struct private_server *server;

static int start_server(void **state)
{
	(void)state;
	server = live_server_start(NULL);
	live_sql(server, "CREATE ROLE app LOGIN");
	return 0;
}

static int stop_server(void **state)
{
	(void)state;
	private_server_stop(server);
	return 0;
}

/* --- the killer --- */

struct killer {
	uv_loop_t loop;
	struct session *session;
	struct executor *executor;
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
	const struct execute_options options = { .deadline = 10 * USEC_PER_SEC };
	const struct execute_callbacks callbacks = { .data = killer, .done = on_done };
	killer->executor = execute_new(&killer->loop, killer->session, &options, &callbacks);
	session_start(killer->session);
	while (!killer->ready)
		uv_run(&killer->loop, UV_RUN_ONCE);
	params_clear(&params);
}

static void killer_deinit(struct killer *killer)
{
	execute_free(killer->executor);
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
static struct action_plan *plan_now(PGconn *conn)
{
	PGresult *result = PQexec(conn,
		"SELECT pid, (extract(epoch FROM backend_start) * 1000000)::int8,"
		" (extract(epoch FROM state_change) * 1000000)::int8, state, query"
		" FROM pg_stat_activity WHERE usename = 'app' AND state = 'idle'"
		" AND query LIKE 'SELECT /*%'");
	assert_int_equal(PQresultStatus(result), PGRES_TUPLES_OK);
	struct arena *arena = arena_new();
	struct action_plan *plan = arena_alloc(arena, sizeof(*plan));
	plan->arena = arena;
	plan->kind = ACTION_TERMINATE;
	plan->n_targets = (size_t)PQntuples(result);
	plan->targets = arena_array(arena, plan->n_targets, sizeof(*plan->targets));
	for (int i = 0; i < PQntuples(result); i++)
		plan->targets[i] = (struct action_target){
			.pid = atoi(PQgetvalue(result, i, 0)),
			.backend_start = instant_of(result, i, 1),
			.state_change = instant_of(result, i, 2),
			.xact_start = INSTANT_UNKNOWN,
			.state = BACKEND_STATE_IDLE,
			.state_text = arena_strdup(arena, PQgetvalue(result, i, 3)),
			.query = arena_strdup(arena, PQgetvalue(result, i, 4)),
			.selected = true,
		};
	PQclear(result);
	return plan;
}

/* A session that we were told is ended. */
struct ended {
	int pid;
	long number; /* of the statement it had answered when it was planned */
};

struct tally {
	struct ended ended[ATTEMPTS * FLIPPERS];
	size_t n_ended;
	int attempts, by_result[RESULT_COUNT];
};

static void count(struct tally *tally, const struct action_plan *plan)
{
	for (size_t i = 0; i < plan->n_targets; i++) {
		const struct action_target *target = &plan->targets[i];
		tally->attempts++;
		tally->by_result[target->result]++;
		if (target->result == RESULT_TERMINATED)
			tally->ended[tally->n_ended++] = (struct ended){ target->pid,
				strtol(target->query + strlen("SELECT /* "), NULL, 10) };
	}
}

static void kill_all_that_rest(struct killer *killer, PGconn *conn, struct tally *tally)
{
	struct action_plan *plan = plan_now(conn);
	if (plan->n_targets > 0) {
		killer->done = false;
		assert_int_equal(execute_run(killer->executor, plan), 0);
		while (!killer->done)
			uv_run(&killer->loop, UV_RUN_ONCE);
		count(tally, plan);
	}
	action_plan_free(plan);
}

/* --- the clients' word --- */

static const struct ended *find_ended(const struct tally *tally, int pid)
{
	for (size_t i = 0; i < tally->n_ended; i++)
		if (tally->ended[i].pid == pid)
			return &tally->ended[i];
	return NULL;
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
		const struct ended *ended = find_ended(tally, pid);
		if (!ended)
			fail_msg("session %d was ended, and not as \"terminated\"", pid);
		long answered = strcmp(where, "rest") == 0 ? number : number - 1;
		if (answered != ended->number)
			fail_msg("session %d was planned after statement %ld, and ended after %ld",
				pid, ended->number, answered);
	}
	return sessions;
}

/* A session that is ended at work leaves its statement in the log. */
static void check_log(size_t ended)
{
	CLEANUP(cleanup_free) char *path = mem_printf("%s/log", private_server_folder(server));
	CLEANUP(cleanup_free) char *log = live_read(path);
	static const char fatal[] = "FATAL:  terminating connection due to administrator command";
	size_t count = 0;
	for (const char *at = log; (at = strstr(at, fatal)); at += strlen(fatal))
		count++;
	assert_int_equal(count, ended);
	const char *statement = strstr(log, "STATEMENT:");
	if (statement)
		fail_msg("ended at work: %.100s", statement);
}

static bool all_are_told(void *data)
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
	static struct tally tally;
	struct live_program *clients[FLIPPERS];
	struct killer killer = { .ready = false };
	CLEANUP(cleanup_free) char *app = live_conninfo(server, LIVE_UNIX, "user=app");
	for (int i = 0; i < FLIPPERS; i++) {
		char seed[16];
		snprintf(seed, sizeof(seed), "%d", i + 1);
		clients[i] = live_client(app, "flip", seed, NULL);
	}
	PGconn *conn = live_connect(private_server_conninfo(server));
	killer_init(&killer);
	int64_t deadline = instant_monotonic() + live_patience(60000) * USEC_PER_MSEC;
	while (tally.attempts < live_rounds(ATTEMPTS)) {
		kill_all_that_rest(&killer, conn, &tally);
		assert_true(instant_monotonic() < deadline);
	}
	killer_deinit(&killer);
	PQfinish(conn);
	print_message("%d attempts: %d terminated, %d changed, %d gone\n", tally.attempts,
		tally.by_result[RESULT_TERMINATED], tally.by_result[RESULT_CHANGED],
		tally.by_result[RESULT_GONE]);
	assert_int_equal(tally.by_result[RESULT_TERMINATED] + tally.by_result[RESULT_CHANGED],
		tally.attempts);
	/* it is a race only if both happen */
	assert_true(tally.n_ended > 0);
	struct {
		struct live_program **clients;
		const struct tally *tally;
	} told = { clients, &tally };
	assert_true(live_wait(all_are_told, &told, 10000));
	check_log(tally.n_ended);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(nobody_is_ended_at_work_or_after_a_change, live_teardown),
	};
	return cmocka_run_group_tests(tests, start_server, stop_server);
}

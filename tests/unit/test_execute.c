/* action/execute and the answers of action/act, with a server that answers as it is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <uv.h>

#include "action/act.h"
#include "action/execute.h"
#include "base/instant.h"
#include "model/action.h"
#include "session/params.h"
#include "session/session.h"

#define LATE "the server was slow: it may have begun a statement"

/* --- the server --- */

#define SIGNAL_PARAMS 6
#define ATTEMPTS_MAX  16

static struct {
	const char *outcomes[ATTEMPTS_MAX]; /* of the signal statements, one after the other */
	int attempts;
	char limits[200]; /* what each signal statement was given: "-1 ms, 1 ms, NULL" */
} server;

static PGresult *make_result(int n_columns, const char *outcome)
{
	PGresAttDesc columns[5] = { 0 };
	PGresult *result = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
	for (int i = 0; i < n_columns; i++)
		columns[i] = (PGresAttDesc){ .name = (char *)"c", .format = 1 };
	assert_true(PQsetResultAttrs(result, n_columns, columns));
	for (int i = 0; outcome && i < n_columns; i++)
		assert_true(PQsetvalue(
			result, 0, i, i ? NULL : (char *)outcome, i ? -1 : (int)strlen(outcome)));
	return result;
}

bool __wrap_session_query(struct session *session, const struct session_statement *statement,
	session_done_fn *done, void *data);

bool __wrap_session_query(struct session *session, const struct session_statement *statement,
	session_done_fn *done, void *data)
{
	(void)session;
	PGresult *result;
	if (statement->n_params == SIGNAL_PARAMS) {
		assert_true(server.attempts < ATTEMPTS_MAX);
		const char *outcome = server.outcomes[server.attempts++];
		const char *limit = statement->params[SIGNAL_PARAMS - 1];
		assert_non_null(outcome);
		size_t used = strlen(server.limits);
		snprintf(server.limits + used, sizeof(server.limits) - used, "%s%s",
			used ? ", " : "", limit ? limit : "NULL");
		result = make_result(5, outcome);
	} else {
		result = make_result(1, NULL); /* no target is left */
	}
	done(data, result, 0);
	PQclear(result);
	return true;
}

/* --- the action --- */

static void ignore_step(void *data, struct action_step *step)
{
	(void)data;
	(void)step;
}

static void set_true(void *data)
{
	*(bool *)data = true;
}

static struct action *make_plan(enum reason reason, enum certainty certainty, size_t n_steps)
{
	struct action *plan = action_new(ACTION_KILL_LEAKED, n_steps);
	for (; plan->n_steps < n_steps; plan->n_steps++)
		plan->steps[plan->n_steps] = (struct action_step){
			.kind = STEP_SESSION,
			.selected = true,
			.pid = 4711,
			.session = { .state = BACKEND_STATE_IDLE,
				.state_text = "idle",
				.reason = reason,
				.certainty = certainty },
		};
	return plan;
}

static void carry_out(struct action *plan, const char *const *outcomes, size_t n_outcomes)
{
	uv_loop_t loop;
	struct params params = { 0 };
	bool done = false;
	memset(&server, 0, sizeof(server));
	memcpy(server.outcomes, outcomes, n_outcomes * sizeof(*outcomes));
	uv_loop_init(&loop);
	struct session *session = session_new(&loop, &params, &(struct session_callbacks){ 0 });
	struct executor *executor = execute_new(&loop, session, 10 * USEC_PER_SEC,
		&(struct step_callbacks){ &done, ignore_step, set_true });
	execute_begin(executor, plan);
	while (!done)
		uv_run(&loop, UV_RUN_ONCE);
	execute_free(executor);
	session_free(session);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
	assert_int_equal(server.attempts, n_outcomes);
	assert_int_equal(action_count(plan, RESULT_TERMINATED), plan->n_steps);
}

#define CARRY_OUT(plan, ...)                                                                       \
	do {                                                                                       \
		const char *const told[] = { __VA_ARGS__ };                                        \
		carry_out(plan, told, sizeof(told) / sizeof(told[0]));                             \
	} while (0)

static void the_statement_is_rehearsed_once_for_each_plan(void **state)
{
	(void)state;
	struct action *plan = make_plan(REASON_IDLE_TOO_LONG, CERTAINTY_PRESUMED, 2);
	CARRY_OUT(plan, "slow", "signalled", "signalled");
	assert_string_equal(server.limits, "-1 ms, 1 ms, 1 ms");
	action_free(plan);
}

static void a_slow_server_is_asked_ten_times(void **state)
{
	(void)state;
	struct action *plan = make_plan(REASON_IDLE_TOO_LONG, CERTAINTY_PRESUMED, 1);
	CARRY_OUT(plan, "slow", "slow", "slow", "slow", "slow", "slow", "slow", "slow", "slow",
		"slow", "late");
	assert_string_equal(
		server.limits, "-1 ms, 1 ms, 1 ms, 1 ms, 1 ms, 1 ms, 1 ms, 1 ms, 1 ms, 1 ms, NULL");
	assert_string_equal(plan->steps[0].detail, LATE);
	action_free(plan);
}

/* Without its client a session begins nothing; its pid may still become another's in a pause. */
static void a_pause_matters_only_with_a_client(void **state)
{
	(void)state;
	static const struct {
		enum reason reason;
		enum certainty certainty;
		const char *detail;
	} table[] = {
		{ REASON_CLIENT_GONE, CERTAINTY_PROVEN, NULL },
		{ REASON_CLIENT_GONE, CERTAINTY_DECLARED, LATE },
		{ REASON_IDLE_TOO_LONG, CERTAINTY_PROVEN, LATE },
		{ REASON_NONE, CERTAINTY_PRESUMED, LATE },
	};
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct action *plan = make_plan(table[i].reason, table[i].certainty, 1);
		CARRY_OUT(plan, "slow", "slow", "late");
		assert_string_equal(server.limits, "-1 ms, 1 ms, 1 ms");
		const char *detail = plan->steps[0].detail;
		assert_string_equal(detail ? detail : "", table[i].detail ? table[i].detail : "");
		action_free(plan);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_statement_is_rehearsed_once_for_each_plan),
		cmocka_unit_test(a_slow_server_is_asked_ten_times),
		cmocka_unit_test(a_pause_matters_only_with_a_client),
	};
	return cmocka_run_group_tests_name("execute", tests, NULL, NULL);
}

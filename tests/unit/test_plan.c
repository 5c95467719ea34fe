/* action/plan, action/clear_plan: which sessions or pages they have, in which order, and what is
 * lost with each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <time.h>

#include "action/clear_plan.h"
#include "action/plan.h"
#include "base/instant.h"
#include "base/mem.h"
#include "model/assessment.h"
#include "model/pool.h"
#include "model/rules.h"
#include "sample.h"

static void assert_pids(const struct action *plan, const int32_t *pids, size_t count)
{
	assert_int_equal(plan->n_steps, count);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(plan->steps[i].pid, pids[i]);
}

static struct plan_session session_of(struct assessment *assessment, int32_t pid)
{
	return (struct plan_session){ pid, sample_find(assessment, pid)->backend->start };
}

static void kill_leaked_names_the_most_certain_first_then_oldest(void **state)
{
	(void)state;
	struct assessment *assessment = sample_assessment(SAMPLE_SCREEN);
	struct action *plan = plan_kill_leaked(assessment, CERTAINTY_PRESUMED);
	assert_pids(plan, (int32_t[]){ 9801, 9802, 9912, 9770 }, 4);
	assert_int_equal(plan->kind, ACTION_KILL_LEAKED);
	assert_int_equal(plan->made_at, SAMPLE_NOW);
	assert_string_equal(plan->server, "app @ 127.0.0.1:5432");
	assert_string_equal(plan->role, "dbtop");
	assert_int_equal(action_count_selected(plan), 4);
	action_free(plan);

	plan = plan_kill_leaked(assessment, CERTAINTY_PROVEN);
	assert_pids(plan, (int32_t[]){ 9801, 9802 }, 2);
	action_free(plan);

	plan = plan_kill_leaked(assessment, CERTAINTY_DECLARED);
	assert_pids(plan, (int32_t[]){ 9801, 9802, 9912 }, 3);
	action_free(plan);
	assessment_free(assessment);
}

static void a_plan_outlives_its_assessment(void **state)
{
	(void)state;
	struct assessment *assessment = sample_assessment(SAMPLE_HOSTILE);
	struct action *plan = plan_kill_leaked(assessment, CERTAINTY_PRESUMED);
	const struct backend *backend = sample_find(assessment, 9912)->backend;
	const struct action_step *step = &plan->steps[2];
	assert_string_equal(step->session.query, backend->query);
	assert_ptr_not_equal(step->session.query, backend->query);
	assert_ptr_not_equal(step->session.application_name, backend->application_name);
	assert_ptr_not_equal(step->session.user, backend->user);
	assert_ptr_not_equal(step->session.database, backend->database);
	assert_ptr_not_equal(step->session.state_text, backend->state_text);
	const struct client_process *process =
		assessment_process(assessment, sample_find(assessment, 9912));
	assert_ptr_not_equal(step->session.process, process->process.command);
	assessment_free(assessment);
	assert_string_equal(plan->steps[2].session.state_text, "idle in transaction");
	assert_int_equal(plan->steps[2].session.process_pid, 4312);
	action_free(plan);
}

static void a_target_carries_its_identity_and_state(void **state)
{
	(void)state;
	struct assessment *assessment = sample_assessment(SAMPLE_SCREEN);
	struct action *plan = plan_kill_leaked(assessment, CERTAINTY_PRESUMED);
	const struct backend *backend = sample_find(assessment, 9912)->backend;
	const struct action_step *step = &plan->steps[2];
	assert_int_equal(step->session.backend_start, backend->start);
	assert_int_equal(step->session.state_change, backend->state_change);
	assert_int_equal(step->session.state, BACKEND_STATE_IN_TRANSACTION);
	assert_int_equal(step->session.reason, REASON_HELD_TOO_LONG);
	assert_int_equal(step->session.certainty, CERTAINTY_DECLARED);
	assert_true(step->selected);
	assert_int_equal(step->result, RESULT_PENDING);
	assert_int_equal(step->session.seen_at, INSTANT_UNKNOWN);
	action_free(plan);
	assessment_free(assessment);
}

static void what_is_lost_is_said_in_words(void **state)
{
	(void)state;
	struct assessment *assessment = sample_assessment(SAMPLE_SCREEN);
	struct backend *worker = (struct backend *)sample_find(assessment, 9802)->backend;
	worker->query_start = INSTANT_UNKNOWN;
	struct action *plan = plan_kill_leaked(assessment, CERTAINTY_PRESUMED);
	assert_string_equal(plan->steps[0].session.loses, "running statement, 31m10s");
	assert_string_equal(plan->steps[1].session.loses, "running statement");
	assert_string_equal(plan->steps[2].session.loses, "open transaction, 7m12s");
	assert_null(plan->steps[3].session.loses);
	action_free(plan);

	/* Nothing of an aborted transaction can be committed. */
	struct backend *aborted = (struct backend *)sample_find(assessment, 9912)->backend;
	aborted->state = BACKEND_STATE_IN_ABORTED_TRANSACTION;
	plan = plan_kill_leaked(assessment, CERTAINTY_DECLARED);
	assert_null(plan->steps[2].session.loses);
	action_free(plan);
	assessment_free(assessment);
}

/* A base backup; and a pooler that may take its server for down. */
static void what_else_is_lost_is_said(void **state)
{
	(void)state;
	struct assessment *assessment = sample_assessment(SAMPLE_SCREEN);
	struct connection *worker = sample_find(assessment, 9802);
	struct process *process = &assessment->processes[worker->process].process;
	((struct backend *)worker->backend)->query_start = INSTANT_UNKNOWN;
	worker->backing_up = true;
	struct action *plan = plan_kill_leaked(assessment, CERTAINTY_PRESUMED);
	assert_string_equal(plan->steps[1].session.loses, "the base backup, running statement");
	action_free(plan);
	worker->backing_up = false;
	process->program = PROGRAM_POOLER;
	process->name = "pgpool";
	plan = plan_kill_leaked(assessment, CERTAINTY_PRESUMED);
	assert_string_equal(plan->steps[1].session.loses,
		"running statement, of a client of pgpool, which may take the server for down");
	action_free(plan);
	/* at rest it serves nobody */
	((struct backend *)worker->backend)->state = BACKEND_STATE_IDLE;
	plan = plan_kill_leaked(assessment, CERTAINTY_PRESUMED);
	assert_null(plan->steps[1].session.loses);
	action_free(plan);
	assessment_free(assessment);
}

/* These are never in a plan, whatever the verdict is. */
static void kill_leaked_never_names_what_is_not_ours_to_end(void **state)
{
	(void)state;
	struct assessment *assessment = sample_assessment(SAMPLE_SCREEN);
	for (size_t i = 0; i < assessment->n_connections; i++) {
		struct connection *connection = &assessment->connections[i];
		connection->verdict.status = STATUS_LEAKED;
		connection->verdict.certainty = CERTAINTY_PROVEN;
	}
	((struct backend *)sample_find(assessment, 9960)->backend)->kind = BACKEND_WALSENDER;
	((struct backend *)sample_find(assessment, 9961)->backend)->kind = BACKEND_OTHER;
	((struct backend *)sample_find(assessment, 9962)->backend)->start = INSTANT_UNKNOWN;
	sample_find(assessment, 9963)->in_scope = false;
	/* own 9990, system 9970, hidden 9980 and 9981, and the four above */
	struct action *plan = plan_kill_leaked(assessment, CERTAINTY_PRESUMED);
	assert_int_equal(plan->n_steps, 18 - 8);
	static const int32_t never[] = { 9960, 9961, 9962, 9963, 9970, 9980, 9981, 9990 };
	for (size_t i = 0; i < plan->n_steps; i++)
		for (size_t j = 0; j < sizeof(never) / sizeof(never[0]); j++)
			assert_int_not_equal(plan->steps[i].pid, never[j]);
	action_free(plan);
	assessment_free(assessment);
}

static void selected_takes_what_was_chosen_and_may_be_ended(void **state)
{
	(void)state;
	struct assessment *assessment = sample_assessment(SAMPLE_SCREEN);
	const struct plan_session chosen[] = {
		session_of(assessment, 9914), /* in its pool's reserve: chosen by hand */
		session_of(assessment, 9970), /* of the managed service */
		session_of(assessment, 9980), /* hidden */
		session_of(assessment, 9990), /* our own */
		session_of(assessment, 9971), /* a listener that is idle for longest */
		{ 9950, session_of(assessment, 9950).start + 1 }, /* the pid is reused */
		{ 4, 5 },
	};
	struct action *plan = plan_selected(
		assessment, ACTION_TERMINATE, chosen, sizeof(chosen) / sizeof(chosen[0]));
	assert_pids(plan, (int32_t[]){ 9971, 9914 }, 2);
	assert_int_equal(plan->steps[0].session.reason, REASON_NONE);
	action_free(plan);
	assessment_free(assessment);
}

/* The connections are searched once, not once for each chosen one: that would take a minute. */
static void all_of_very_many_are_planned_at_once(void **state)
{
	(void)state;
	enum { MANY = 200000 };
	struct assessment *assessment = sample_many(MANY, 10);
	struct plan_session *chosen = mem_alloc(MANY * sizeof(*chosen));
	for (size_t i = 0; i < MANY; i++) {
		const struct backend *backend = assessment->connections[i].backend;
		chosen[i] = (struct plan_session){ backend->pid, backend->start };
	}
	clock_t began = clock();
	struct action *plan = plan_selected(assessment, ACTION_TERMINATE, chosen, MANY);
	assert_true(clock() - began < 3 * CLOCKS_PER_SEC);
	assert_int_equal(plan->n_steps, MANY);
	action_free(plan);
	free(chosen);
	assessment_free(assessment);
}

static void cancel_takes_only_what_runs(void **state)
{
	(void)state;
	struct assessment *assessment = sample_assessment(SAMPLE_SCREEN);
	const struct plan_session chosen[] = {
		session_of(assessment, 9912), /* idle in transaction */
		session_of(assessment, 9914), /* idle */
		session_of(assessment, 9913), /* active */
		session_of(assessment, 9990), /* active, and ours */
	};
	struct action *plan = plan_selected(assessment, ACTION_CANCEL, chosen, 4);
	assert_pids(plan, (int32_t[]){ 9913 }, 1);
	assert_int_equal(plan->kind, ACTION_CANCEL);
	action_free(plan);
	assessment_free(assessment);
}

static void without_a_server_the_plan_is_empty(void **state)
{
	(void)state;
	static const enum sample_kind kinds[] = { SAMPLE_FULL, SAMPLE_REFUSED, SAMPLE_CONNECTING,
		SAMPLE_EMPTY };
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct assessment *assessment = sample_assessment(kinds[i]);
		struct action *plan = plan_kill_leaked(assessment, CERTAINTY_PRESUMED);
		assert_int_equal(plan->n_steps, 0);
		assert_int_equal(action_count_selected(plan), 0);
		action_free(plan);
		assessment_free(assessment);
	}
}

static void pages_are_cleared_that_are_ours_and_here(void **state)
{
	(void)state;
	static const struct {
		const char *name, *host;
		enum pool_page_status status;
		uint32_t uid;
		bool spent, elsewhere, is_cleared;
	} cases[] = {
		{ "of a dead process", NULL, POOL_PAGE_DEAD, 7, true, false, true },
		{ "the same for another server", NULL, POOL_PAGE_DEAD, 7, false, true, true },
		{ "with sessions left", NULL, POOL_PAGE_DEAD, 7, false, false, false },
		{ "alive, for another server", NULL, POOL_PAGE_LIVE, 7, false, true, false },
		{ "another user's", NULL, POOL_PAGE_DEAD, 8, true, false, false },
		{ "another machine's", "web1", POOL_PAGE_DEAD, 7, true, false, false },
	};
	const struct rules rules = { 0 };
	struct assessment *assessment = sample_assessment(SAMPLE_SCREEN);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct pool_page page = { .path = "/x",
			.host = cases[i].host,
			.status = cases[i].status,
			.uid = cases[i].uid };
		struct pool pool = { .kind = POOL_DBPOOL,
			.page = &page,
			.spent = cases[i].spent,
			.elsewhere = cases[i].elsewhere };
		assessment->pools = &pool;
		assessment->n_pools = 1;
		struct action *plan = clear_plan(assessment, &rules, 7);
		if (plan->n_steps != cases[i].is_cleared)
			fail_msg("%s", cases[i].name);
		action_free(plan);
	}
	assessment_free(assessment);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kill_leaked_names_the_most_certain_first_then_oldest),
		cmocka_unit_test(a_plan_outlives_its_assessment),
		cmocka_unit_test(a_target_carries_its_identity_and_state),
		cmocka_unit_test(what_is_lost_is_said_in_words),
		cmocka_unit_test(what_else_is_lost_is_said),
		cmocka_unit_test(kill_leaked_never_names_what_is_not_ours_to_end),
		cmocka_unit_test(selected_takes_what_was_chosen_and_may_be_ended),
		cmocka_unit_test(all_of_very_many_are_planned_at_once),
		cmocka_unit_test(cancel_takes_only_what_runs),
		cmocka_unit_test(without_a_server_the_plan_is_empty),
		cmocka_unit_test(pages_are_cleared_that_are_ours_and_here),
	};
	return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}

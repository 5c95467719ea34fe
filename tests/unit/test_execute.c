/* action/execute without a server: what it refuses, and what a missing connection means. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <uv.h>

#include "action/execute.h"
#include "action/plan.h"
#include "model/assessment.h"
#include "sample.h"
#include "session/params.h"
#include "session/session.h"

struct fixture {
	uv_loop_t loop;
	struct session *session; /* never started: there is no connection */
	struct action *plan;
	struct executor *executor;
	int progress, done;
};

static void ignore(void *data)
{
	(void)data;
}

static void on_progress(void *data)
{
	((struct fixture *)data)->progress++;
}

static void on_done(void *data)
{
	((struct fixture *)data)->done++;
}

static void open_fixture(struct fixture *fixture, bool readonly)
{
	*fixture = (struct fixture){ 0 };
	uv_loop_init(&fixture->loop);
	struct params params = { 0 };
	fixture->session = session_new(&fixture->loop, &params,
		&(struct session_callbacks){ .ready = ignore, .changed = ignore });
	struct assessment *assessment = sample_assessment(SAMPLE_SCREEN);
	fixture->plan = plan_kill_leaked(assessment, CERTAINTY_PRESUMED);
	assessment_free(assessment);
	fixture->executor = execute_new(&fixture->loop, fixture->session,
		&(struct execute_options){
			.readonly = readonly, .deadline = EXECUTE_DEADLINE_DEFAULT },
		&(struct execute_callbacks){ fixture, on_progress, on_done });
}

static void close_fixture(struct fixture *fixture)
{
	execute_free(fixture->executor);
	session_free(fixture->session);
	uv_run(&fixture->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&fixture->loop), 0);
	action_free(fixture->plan);
}

static void readonly_sends_nothing(void **state)
{
	(void)state;
	struct fixture fixture;
	open_fixture(&fixture, true);
	assert_int_equal(execute_run(fixture.executor, fixture.plan), -EPERM);
	assert_false(execute_busy(fixture.executor));
	uv_run(&fixture.loop, UV_RUN_NOWAIT);
	assert_int_equal(fixture.progress + fixture.done, 0);
	for (size_t i = 0; i < fixture.plan->n_steps; i++)
		assert_int_equal(fixture.plan->steps[i].result, RESULT_PENDING);
	close_fixture(&fixture);
}

static void without_a_connection_each_target_is_told(void **state)
{
	(void)state;
	struct fixture fixture;
	open_fixture(&fixture, false);
	fixture.plan->steps[1].selected = false;
	assert_int_equal(execute_run(fixture.executor, fixture.plan), 0);
	assert_true(execute_busy(fixture.executor));
	assert_int_equal(execute_run(fixture.executor, fixture.plan), -EBUSY);
	assert_int_equal(fixture.progress + fixture.done, 0);
	while (!fixture.done)
		uv_run(&fixture.loop, UV_RUN_ONCE);
	assert_int_equal(fixture.progress, 3);
	assert_false(execute_busy(fixture.executor));
	for (size_t i = 0; i < fixture.plan->n_steps; i++)
		assert_int_equal(
			fixture.plan->steps[i].result, i == 1 ? RESULT_PENDING : RESULT_TIMEOUT);
	assert_string_equal(fixture.plan->steps[0].detail, "not connected: nothing was sent");
	close_fixture(&fixture);
}

static void a_plan_without_a_tick_is_refused(void **state)
{
	(void)state;
	struct fixture fixture;
	open_fixture(&fixture, false);
	for (size_t i = 0; i < fixture.plan->n_steps; i++)
		fixture.plan->steps[i].selected = false;
	assert_int_equal(execute_run(fixture.executor, fixture.plan), -EINVAL);
	close_fixture(&fixture);
}

static void interrupted_each_target_has_a_result(void **state)
{
	(void)state;
	struct fixture fixture;
	open_fixture(&fixture, false);
	fixture.plan->steps[1].selected = false;
	execute_interrupt(fixture.executor);
	assert_int_equal(execute_run(fixture.executor, fixture.plan), 0);
	execute_interrupt(fixture.executor);
	assert_false(execute_busy(fixture.executor));
	for (size_t i = 0; i < fixture.plan->n_steps; i++)
		assert_int_equal(
			fixture.plan->steps[i].result, i == 1 ? RESULT_PENDING : RESULT_TIMEOUT);
	assert_string_equal(fixture.plan->steps[0].detail, "interrupted: nothing was sent");
	uv_run(&fixture.loop, UV_RUN_NOWAIT);
	assert_int_equal(fixture.progress + fixture.done, 0);
	close_fixture(&fixture);
}

static void it_may_be_freed_at_any_time(void **state)
{
	(void)state;
	struct fixture fixture;
	open_fixture(&fixture, false);
	assert_int_equal(execute_run(fixture.executor, fixture.plan), 0);
	close_fixture(&fixture);
	assert_int_equal(fixture.done, 0);
	execute_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(readonly_sends_nothing),
		cmocka_unit_test(without_a_connection_each_target_is_told),
		cmocka_unit_test(a_plan_without_a_tick_is_refused),
		cmocka_unit_test(interrupted_each_target_has_a_result),
		cmocka_unit_test(it_may_be_freed_at_any_time),
	};
	return cmocka_run_group_tests_name("execute", tests, NULL, NULL);
}

/* action/run without a server: what it refuses, and what a missing connection means. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <uv.h>

#include "action/plan.h"
#include "action/runner.h"
#include "model/assessment.h"
#include "sample.h"
#include "session/params.h"
#include "session/session.h"

struct fixture {
	uv_loop_t loop;
	struct session *session; /* never started: there is no connection */
	struct action *plan;
	struct runner *runner;
	int progress, done;
};

static void ignore(void *data)
{
	(void)data;
}

static void on_progress(void *data, const struct action_step *step)
{
	(void)step;
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
	fixture->runner = runner_new(&fixture->loop, fixture->session,
		&(struct runner_options){
			.readonly = readonly, .deadline = RUNNER_DEADLINE_DEFAULT },
		&(struct runner_callbacks){ fixture, on_progress, on_done });
}

static void close_fixture(struct fixture *fixture)
{
	runner_free(fixture->runner);
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
	assert_int_equal(runner_begin(fixture.runner, fixture.plan), -EPERM);
	assert_false(runner_busy(fixture.runner));
	uv_run(&fixture.loop, UV_RUN_NOWAIT);
	assert_int_equal(fixture.progress + fixture.done, 0);
	for (size_t i = 0; i < fixture.plan->n_steps; i++)
		assert_int_equal(fixture.plan->steps[i].result, RESULT_PENDING);
	close_fixture(&fixture);
}

static void without_a_connection_each_target_is_reported(void **state)
{
	(void)state;
	struct fixture fixture;
	open_fixture(&fixture, false);
	fixture.plan->steps[1].selected = false;
	assert_int_equal(runner_begin(fixture.runner, fixture.plan), 0);
	assert_true(runner_busy(fixture.runner));
	assert_int_equal(runner_begin(fixture.runner, fixture.plan), -EBUSY);
	assert_int_equal(fixture.progress + fixture.done, 0);
	while (!fixture.done)
		uv_run(&fixture.loop, UV_RUN_ONCE);
	assert_int_equal(fixture.progress, 3);
	assert_false(runner_busy(fixture.runner));
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
	assert_int_equal(runner_begin(fixture.runner, fixture.plan), -EINVAL);
	close_fixture(&fixture);
}

static void interrupted_each_target_has_a_result(void **state)
{
	(void)state;
	struct fixture fixture;
	open_fixture(&fixture, false);
	fixture.plan->steps[1].selected = false;
	runner_interrupt(fixture.runner);
	assert_int_equal(runner_begin(fixture.runner, fixture.plan), 0);
	runner_interrupt(fixture.runner);
	assert_false(runner_busy(fixture.runner));
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
	assert_int_equal(runner_begin(fixture.runner, fixture.plan), 0);
	close_fixture(&fixture);
	assert_int_equal(fixture.done, 0);
	runner_free(NULL);
}

static struct action *plan_pages(size_t count)
{
	struct action *action = action_new(ACTION_CLEAR_PAGES, count);
	for (; action->n_steps < count; action->n_steps++)
		action->steps[action->n_steps] = (struct action_step){
			.kind = STEP_PAGE,
			.selected = true,
			.pid = 1,
			.page.path = "/nowhere/1.page",
		};
	return action;
}

/* No page stays without a result, wherever the interruption comes. */
static void interrupted_pages_have_results(void **state)
{
	(void)state;
	for (int turns = 0; turns < 3; turns++) {
		struct fixture fixture;
		open_fixture(&fixture, false);
		struct action *pages = plan_pages(100);
		assert_int_equal(runner_begin(fixture.runner, pages), 0);
		for (int i = 0; i < turns; i++)
			uv_run(&fixture.loop, UV_RUN_NOWAIT);
		runner_interrupt(fixture.runner);
		assert_false(runner_busy(fixture.runner));
		assert_int_equal(action_count(pages, RESULT_PENDING), 0);
		if (turns == 0)
			assert_string_equal(
				pages->steps[0].detail, "interrupted: nothing was done");
		action_free(pages);
		close_fixture(&fixture);
	}
}

static void pages_are_removed_and_each_has_its_result(void **state)
{
	(void)state;
	struct fixture fixture;
	open_fixture(&fixture, false);
	struct action *pages = plan_pages(3);
	pages->steps[1].selected = false;
	assert_int_equal(runner_begin(fixture.runner, pages), 0);
	while (!fixture.done)
		uv_run(&fixture.loop, UV_RUN_ONCE);
	assert_int_equal(action_count(pages, RESULT_GONE), 2);
	assert_int_equal(pages->steps[1].result, RESULT_PENDING);
	action_free(pages);
	close_fixture(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(readonly_sends_nothing),
		cmocka_unit_test(without_a_connection_each_target_is_reported),
		cmocka_unit_test(a_plan_without_a_tick_is_refused),
		cmocka_unit_test(interrupted_each_target_has_a_result),
		cmocka_unit_test(it_may_be_freed_at_any_time),
		cmocka_unit_test(interrupted_pages_have_results),
		cmocka_unit_test(pages_are_removed_and_each_has_its_result),
	};
	return cmocka_run_group_tests_name("runner", tests, NULL, NULL);
}

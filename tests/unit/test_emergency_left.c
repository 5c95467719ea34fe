/* action/emergency_left: what is left after an emergency, and why. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "action/emergency_left.h"
#include "base/arena.h"
#include "model/emergency.h"

/* NULL: nothing is left. */
static const char *why_left(
	const struct action_step *stopped, const struct action_step *fresh, struct emergency *ret)
{
	struct emergency after = {
		.action = { .arena = ret->action.arena,
			.steps = (struct action_step *)fresh,
			.n_steps = 1 },
		.connected = true,
	};
	struct action none = { .n_steps = 0 };
	ret->action.steps = (struct action_step *)stopped;
	ret->action.n_steps = 1;
	emergency_left_count(ret, &after, &none, 0);
	bool any = ret->n_left > 0;
	assert_int_equal(ret->counted, any ? 2 : 0);
	ret->n_left = 0;
	return any ? ret->left[0].why : NULL;
}

/* A scan that takes long is abandoned, and the last one shows its sockets. */
static void a_process_that_ended_is_not_left(void **state)
{
	(void)state;
	static const struct {
		enum action_result result;
		const char *left;
	} cases[] = {
		{ RESULT_TERMINATED, NULL },
		{ RESULT_GONE, NULL },
		{ RESULT_TIMEOUT, "it was not stopped" },
		{ RESULT_PENDING, "it was not stopped" },
	};
	struct emergency emergency = { .action.arena = arena_new() };
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct action_step step = { .kind = STEP_PROCESS,
			.selected = true,
			.pid = 100,
			.process.start_ticks = 7,
			.process.connections = 2,
			.result = cases[i].result };
		const char *why = why_left(&step, &step, &emergency);
		assert_string_equal(why ? why : "", cases[i].left ? cases[i].left : "");
	}
	arena_free(emergency.action.arena);
}

/* What started it again, and how to stop that; it never advises to stop what may be the user's own
 * login. */
static void what_came_back_is_reported_with_what_to_do(void **state)
{
	(void)state;
	struct emergency emergency = { .action.arena = arena_new() };
	struct action_step stopped = { .kind = STEP_PROCESS,
		.selected = true,
		.pid = 100,
		.process.start_ticks = 7,
		.process.parent = 50,
		.process.unit = "app.service",
		.result = RESULT_TERMINATED };
	struct action_step fresh = { .kind = STEP_PROCESS,
		.selected = true,
		.pid = 101,
		.process.start_ticks = 9,
		.process.parent = 50,
		.process.parent_name = "sh",
		.process.connections = 2 };
	assert_string_equal(why_left(&stopped, &fresh, &emergency),
		"sh (process 50) started it again: stop that one first");
	fresh.process.parent = 60;
	assert_string_equal(
		why_left(&stopped, &fresh, &emergency), "it has connected since the plan was made");
	fresh.process.parent = stopped.process.parent = 1;
	fresh.process.unit = "app.service";
	fresh.process.systemctl = "systemctl";
	assert_string_equal(why_left(&stopped, &fresh, &emergency),
		"it was started again: systemctl stop app.service prevents that");
	stopped.process.unit = "other.service";
	assert_string_equal(why_left(&stopped, &fresh, &emergency),
		"it has connected since the plan was made; systemctl stop app.service prevents "
		"that");
	fresh.process.unit = stopped.process.unit = "app-\\x2done.service";
	fresh.process.systemctl = "systemctl --user";
	assert_string_equal(why_left(&stopped, &fresh, &emergency),
		"it was started again: systemctl --user stop 'app-\\x2done.service' prevents that");
	fresh.process.systemctl = NULL;
	assert_string_equal(
		why_left(&stopped, &fresh, &emergency), "it has connected since the plan was made");
	fresh.process.systemctl = "systemctl";
	fresh.process.unit = stopped.process.unit = "session-3.scope";
	assert_string_equal(
		why_left(&stopped, &fresh, &emergency), "it has connected since the plan was made");
	arena_free(emergency.action.arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_process_that_ended_is_not_left),
		cmocka_unit_test(what_came_back_is_reported_with_what_to_do),
	};
	return cmocka_run_group_tests_name("emergency_left", tests, NULL, NULL);
}

/* The samples agree with themselves, so that tests built on them test something. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/assessment.h"
#include "sample.h"

static void check(const struct assessment *assessment)
{
	size_t leaked = 0, used = 0, connections = 0;
	for (size_t i = 0; i < assessment->n_connections; i++) {
		const struct connection *connection = &assessment->connections[i];
		leaked += connection->verdict.status == STATUS_LEAKED;
		connections += connection->process != NO_PROCESS;
		if (connection->process != NO_PROCESS)
			assert_in_range(connection->process, 0, assessment->n_processes - 1);
	}
	assert_int_equal(leaked, assessment->n_leaked);
	if (!assessment->activity)
		return;
	for (size_t i = 0; i < STATUS_COUNT; i++)
		used += (size_t)assessment->slots.by_status[i];
	assert_int_equal(used, assessment->slots.used);
	assert_int_equal(assessment->slots.max,
		assessment->slots.used + assessment->slots.free + assessment->slots.reserved);
	for (size_t i = 0; i < assessment->n_processes; i++)
		connections -= assessment->processes[i].connections;
	assert_int_equal(connections, 0);
}

static void samples_agree_with_themselves(void **state)
{
	(void)state;
	for (size_t kind = 0; kind < SAMPLE_COUNT; kind++) {
		struct assessment *assessment = sample_assessment((enum sample_kind)kind);
		check(assessment);
		assessment_free(assessment);
	}
	struct assessment *many = sample_many(2000, 50);
	check(many);
	assert_int_equal(many->n_leaked, 200);
	assert_int_equal(many->processes[49].connections, 40);
	assessment_free(many);
}

static void the_screen_is_the_one_in_the_sketch(void **state)
{
	(void)state;
	struct assessment *screen = sample_assessment(SAMPLE_SCREEN);
	assert_int_equal(screen->slots.used, 18);
	assert_int_equal(screen->slots.free, 4);
	assert_int_equal(screen->n_leaked, 4);
	assert_int_equal(screen->slots.by_status[STATUS_UNKNOWN], 2);
	assert_int_equal(sample_find(screen, 9912)->verdict.reason, REASON_HELD_TOO_LONG);
	assert_null(sample_find(screen, 1));
	assessment_free(screen);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(samples_agree_with_themselves),
		cmocka_unit_test(the_screen_is_the_one_in_the_sketch),
	};
	return cmocka_run_group_tests_name("sample", tests, NULL, NULL);
}

/* report/result, report/exit_status: the results of an action, for people and for scripts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <jansson.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "model/action.h"
#include "model/assessment.h"
#include "model/emergency.h"
#include "report/exit_status.h"
#include "report/result.h"
#include "sample.h"

/* All leaks count, whatever is free. */
static const struct findings_limits all = { .least = CERTAINTY_PRESUMED };

static const struct printer_style style = { .utf8 = true, .width = 80 };

#define N_TARGETS 4

static struct action_step steps[N_TARGETS];
static struct action plan;

static int set_up(void **state)
{
	(void)state;
	static const struct action_step fresh[N_TARGETS] = {
		{ .pid = 9801,
			.session.reason = REASON_CLIENT_GONE,
			.session.certainty = CERTAINTY_PROVEN,
			.session.age = 1870000000,
			.session.application_name = "worker",
			.session.process = "python3 worker.py",
			.session.process_pid = 3999,
			.session.loses = "running statement, 31m10s",
			.selected = true },
		{ .pid = 9912,
			.session.reason = REASON_HELD_TOO_LONG,
			.session.certainty = CERTAINTY_PROVEN,
			.session.age = 432000000,
			.session.application_name = "app/4312/1",
			.selected = true },
		{ .pid = 9913, .session.age = -1, .session.state_text = "idle", .selected = true },
		{ .pid = 9999, .session.age = 1, .selected = false },
	};
	memcpy(steps, fresh, sizeof(steps));
	plan = (struct action){
		.kind = ACTION_KILL_LEAKED,
		.made_at = SAMPLE_NOW,
		.server = "app @ 127.0.0.1:5432",
		.steps = steps,
		.n_steps = N_TARGETS,
	};
	return 0;
}

static void carry_out(void)
{
	steps[0].result = RESULT_TERMINATED;
	steps[1].result = RESULT_DENIED;
	steps[1].detail = "GRANT pg_signal_backend TO dbtop;";
	steps[2].result = RESULT_TIMEOUT;
}

static void people_read_the_plan(void **state)
{
	(void)state;
	CLEANUP(cleanup_free) char *text = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&text, &size);
	assert_int_equal(result_print_plan(&plan, &style, file), 0);
	fclose(file);
	assert_string_equal(text,
		"would end 3 leaked connections on app @ 127.0.0.1:5432\n"
		"     9801   31m10s  worker            client gone, proven\n"
		"           process: python3 worker.py\n"
		"           loses: running statement, 31m10s\n"
		"     9912    7m12s  app/4312/1        held too long, proven\n"
		"     9913        -                    idle\n"
		"also lost: temporary tables, cursors, settings: not known\n");
}

static void people_read_that_there_is_nothing_to_end(void **state)
{
	(void)state;
	CLEANUP(cleanup_free) char *text = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&text, &size);
	for (size_t i = 0; i < N_TARGETS; i++)
		steps[i].selected = false;
	assert_int_equal(result_print_plan(&plan, &style, file), 0);
	fclose(file);
	assert_string_equal(text, "nothing to end on app @ 127.0.0.1:5432\n");
}

static void people_read_the_result(void **state)
{
	(void)state;
	carry_out();
	CLEANUP(cleanup_free) char *text = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&text, &size);
	assert_int_equal(result_print_text(&plan, &style, file), 0);
	fclose(file);
	assert_string_equal(text,
		"ended 1 of 3 leaked connections on app @ 127.0.0.1:5432\n"
		"     9801  terminated   31m10s  worker            client gone, proven\n"
		"     9912  denied        7m12s  app/4312/1        held too long, proven\n"
		"           GRANT pg_signal_backend TO dbtop;\n"
		"     9913  timeout           -                    idle\n"
		"2 survived: 9912 9913\n");
}

static json_t *print_json(bool dry_run)
{
	CLEANUP(cleanup_free) char *text = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&text, &size);
	assert_int_equal(result_print_json(&plan, dry_run, file), 0);
	fclose(file);
	assert_ptr_equal(strchr(text, '\n'), text + size - 1);
	json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(json);
	return json;
}

static const char *string_at(json_t *json, const char *list, size_t i, const char *key)
{
	return json_string_value(
		json_object_get(json_array_get(json_object_get(json, list), i), key));
}

static void scripts_read_the_result(void **state)
{
	(void)state;
	carry_out();
	json_t *json = print_json(false);
	assert_int_equal(json_integer_value(json_object_get(json, "schema")), 1);
	assert_string_equal(json_string_value(json_object_get(json, "action")), "kill_leaked");
	assert_int_equal(json_integer_value(json_object_get(json, "terminated")), 1);
	assert_int_equal(json_array_size(json_object_get(json, "targets")), 3);
	assert_string_equal(string_at(json, "targets", 0, "result"), "terminated");
	assert_string_equal(string_at(json, "targets", 0, "reason"), "client_gone");
	assert_string_equal(string_at(json, "targets", 1, "result"), "denied");
	assert_string_equal(string_at(json, "targets", 1, "detail"), steps[1].detail);
	assert_null(string_at(json, "targets", 2, "reason"));
	json_t *survivors = json_object_get(json, "survivors");
	assert_int_equal(json_array_size(survivors), 2);
	assert_int_equal(json_integer_value(json_array_get(survivors, 0)), 9912);
	assert_int_equal(json_integer_value(json_array_get(survivors, 1)), 9913);
	json_decref(json);
}

static void of_a_dry_run_each_result_is_null(void **state)
{
	(void)state;
	json_t *json = print_json(true);
	assert_true(json_is_true(json_object_get(json, "dry_run")));
	json_t *list = json_object_get(json, "targets");
	assert_int_equal(json_array_size(list), 3);
	for (size_t i = 0; i < 3; i++)
		assert_true(json_is_null(json_object_get(json_array_get(list, i), "result")));
	assert_int_equal(json_integer_value(json_object_get(json, "terminated")), 0);
	assert_int_equal(json_array_size(json_object_get(json, "survivors")), 0);
	json_decref(json);
}

static void results_map_to_exit_statuses(void **state)
{
	(void)state;
	static const struct {
		enum action_result result;
		int status;
	} cases[] = {
		{ RESULT_TERMINATED, 0 },
		{ RESULT_CANCELLED, 0 },
		{ RESULT_GONE, 0 },
		{ RESULT_CHANGED, 0 },
		{ RESULT_DENIED, 1 },
		{ RESULT_TIMEOUT, 1 },
	};
	struct assessment *seen = sample_assessment(SAMPLE_EMPTY);
	struct assessment *hidden = sample_assessment(SAMPLE_SCREEN);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		steps[0].result = steps[1].result = RESULT_TERMINATED;
		steps[2].result = cases[i].result;
		steps[3].result = RESULT_TIMEOUT; /* Not selected, so it is not printed. */
		assert_int_equal(exit_status_of_result(&plan, seen, &all), cases[i].status);
		assert_int_equal(
			exit_status_of_result(&plan, hidden, &all), cases[i].status ? 1 : 3);
	}
	assert_int_equal(exit_status_of_plan(&plan, hidden, &all), 1);
	plan.n_steps = 0;
	assert_int_equal(exit_status_of_plan(&plan, seen, &all), 0);
	assert_int_equal(exit_status_of_result(&plan, seen, &all), 0);
	assert_int_equal(exit_status_of_plan(&plan, hidden, &all), 3);
	assert_int_equal(exit_status_of_result(&plan, hidden, &all), 3);
	/* The last poll failed: the data is older. */
	seen->sources[SOURCE_ACTIVITY].status = SOURCE_STALE;
	assert_int_equal(exit_status_of_plan(&plan, seen, &all), 3);
	assert_int_equal(exit_status_of_result(&plan, seen, &all), 3);
	assert_int_equal(exit_status_of_snapshot(seen, &all), 3);
	assessment_free(hidden);
	assessment_free(seen);
}

static void emergencies_map_to_exit_statuses(void **state)
{
	(void)state;
	struct action nothing = { .n_steps = 0 };
	struct emergency emergency = { .gone = &nothing, .connected = true };
	struct assessment *seen = sample_assessment(SAMPLE_EMPTY);
	struct assessment *hidden = sample_assessment(SAMPLE_SCREEN);
	assert_int_equal(exit_status_of_emergency_plan(&emergency, seen), 0);
	assert_int_equal(exit_status_of_emergency(&emergency, seen), 0);
	assert_int_equal(exit_status_of_emergency_plan(&emergency, hidden), 3);
	assert_int_equal(exit_status_of_emergency(&emergency, hidden), 3);
	emergency.n_left = 1;
	assert_int_equal(exit_status_of_emergency(&emergency, hidden), 1);
	assessment_free(hidden);
	assessment_free(seen);
}

static void snapshots_map_to_exit_statuses(void **state)
{
	(void)state;
	static const struct {
		enum sample_kind kind;
		int status;
	} cases[] = {
		{ SAMPLE_SCREEN, 1 },
		{ SAMPLE_EMPTY, 0 },
		{ SAMPLE_STALE, 3 },
		{ SAMPLE_FULL, 3 },
		{ SAMPLE_REFUSED, 3 },
		{ SAMPLE_CONNECTING, 3 },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct assessment *assessment = sample_assessment(cases[i].kind);
		assert_int_equal(exit_status_of_snapshot(assessment, &all), cases[i].status);
		assessment_free(assessment);
	}
	/* No leak among the visible sessions, but some are hidden. */
	struct assessment *assessment = sample_assessment(SAMPLE_SCREEN);
	for (size_t i = 0; i < assessment->n_connections; i++)
		if (assessment->connections[i].verdict.status == STATUS_LEAKED)
			assessment->connections[i].verdict =
				(struct verdict){ .status = STATUS_IDLE };
	assert_int_equal(exit_status_of_snapshot(assessment, &all), 3);
	sample_find(assessment, 9980)->in_scope = false;
	sample_find(assessment, 9981)->verdict.protection = PROTECTION_SYSTEM;
	assert_int_equal(exit_status_of_snapshot(assessment, &all), 0);
	assessment_free(assessment);
}

/* One of them has findings: 1; else one cannot tell: 3. */
static void several_servers_have_one_status(void **state)
{
	(void)state;
	static const int cases[][4] = {
		{ 0, 0, 0, 0 },
		{ 0, 0, 1, 1 },
		{ 1, 0, 0, 1 },
		{ 3, 0, 0, 3 },
		{ 0, 3, 0, 3 },
		{ 3, 3, 0, 3 },
		{ 3, 1, 0, 1 },
		{ 1, 3, 0, 1 },
		{ 0, 3, 1, 1 },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(
			exit_status_join(exit_status_join(cases[i][0], cases[i][1]), cases[i][2]),
			cases[i][3]);
}

/* --min-certainty: what is less certain is no finding, unless nobody could see its client. */
static void only_leaks_of_that_certainty_count(void **state)
{
	(void)state;
	static const struct {
		enum certainty least, certainty;
		enum client_end end;
		int status;
	} cases[] = {
		{ CERTAINTY_PRESUMED, CERTAINTY_PRESUMED, CLIENT_END_HELD, 1 },
		{ CERTAINTY_DECLARED, CERTAINTY_PRESUMED, CLIENT_END_HELD, 0 },
		{ CERTAINTY_PROVEN, CERTAINTY_DECLARED, CLIENT_END_HELD, 0 },
		{ CERTAINTY_DECLARED, CERTAINTY_DECLARED, CLIENT_END_HELD, 1 },
		{ CERTAINTY_PROVEN, CERTAINTY_PROVEN, CLIENT_END_GONE, 1 },
		{ CERTAINTY_PROVEN, CERTAINTY_PRESUMED, CLIENT_END_UNKNOWN, 3 },
		{ CERTAINTY_PROVEN, CERTAINTY_PRESUMED, CLIENT_END_ELSEWHERE, 3 },
		{ CERTAINTY_PROVEN, CERTAINTY_PRESUMED, CLIENT_END_NOT_VISIBLE, 3 },
		{ CERTAINTY_PROVEN, CERTAINTY_DECLARED, CLIENT_END_NOT_VISIBLE, 3 },
	};
	struct assessment *assessment = sample_assessment(SAMPLE_EMPTY);
	struct connection *connection = &assessment->connections[0];
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct findings_limits limits = { .least = cases[i].least };
		connection->verdict = (struct verdict){
			.status = STATUS_LEAKED,
			.reason = REASON_IDLE_TOO_LONG,
			.certainty = cases[i].certainty,
		};
		connection->end = cases[i].end;
		connection->in_scope = true;
		plan.n_steps = 0;
		assert_int_equal(exit_status_of_snapshot(assessment, &limits), cases[i].status);
		if (cases[i].status != 1)
			assert_int_equal(
				exit_status_of_plan(&plan, assessment, &limits), cases[i].status);
		/* within its limits it never gives 3 */
		connection->verdict = (struct verdict){ .status = STATUS_IDLE };
		assert_int_equal(exit_status_of_snapshot(assessment, &limits), 0);
	}
	assessment_free(assessment);
}

/* --min-free */
static void too_few_free_slots_are_a_finding(void **state)
{
	(void)state;
	static const struct {
		int min_free, free, at_least, status;
	} cases[] = {
		{ 0, 0, 0, 0 },
		{ 4, 4, 4, 0 },
		{ 5, 4, 4, 1 },
		{ 5, -1, 5, 0 },
		{ 5, -1, 4, 3 },
	};
	struct assessment *assessment = sample_assessment(SAMPLE_EMPTY);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct findings_limits limits = {
			.least = CERTAINTY_PRESUMED,
			.min_free = cases[i].min_free,
		};
		assessment->slots.free = cases[i].free;
		assessment->slots.free_at_least = cases[i].at_least;
		assert_int_equal(exit_status_of_snapshot(assessment, &limits), cases[i].status);
	}
	assessment_free(assessment);
}

int main(void)
{
	setlocale(LC_ALL, "C.UTF-8");
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(people_read_the_plan, set_up),
		cmocka_unit_test_setup(people_read_that_there_is_nothing_to_end, set_up),
		cmocka_unit_test_setup(people_read_the_result, set_up),
		cmocka_unit_test_setup(scripts_read_the_result, set_up),
		cmocka_unit_test_setup(of_a_dry_run_each_result_is_null, set_up),
		cmocka_unit_test_setup(results_map_to_exit_statuses, set_up),
		cmocka_unit_test(emergencies_map_to_exit_statuses),
		cmocka_unit_test(snapshots_map_to_exit_statuses),
		cmocka_unit_test(several_servers_have_one_status),
		cmocka_unit_test(only_leaks_of_that_certainty_count),
		cmocka_unit_test(too_few_free_slots_are_a_finding),
	};
	return cmocka_run_group_tests_name("result", tests, NULL, NULL);
}

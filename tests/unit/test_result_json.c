/* report/result, report/emergency_report, report/shutdown: the JSON of what dbtop did, byte for
 * byte. A change that is meant is made in tests/data/report/results.jsonl, too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/instant.h"
#include "model/action.h"
#include "model/emergency.h"
#include "model/shutdown.h"
#include "report/emergency_report.h"
#include "report/result.h"
#include "report/shutdown.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define EXPECTED     "tests/data/report/results.jsonl"
#define MADE_AT      (INT64_C(1700000000) * USEC_PER_SEC + 123456)

static const struct action_server shop = {
	.present = true,
	.host = "127.0.0.1",
	.port = 5432,
	.database = "app",
	.version = 150020,
	.started_at = MADE_AT,
	.status = "ok",
	.user = "monitor",
	.name = "shop",
};

static struct action_step sessions[] = {
	{ .kind = STEP_SESSION,
		.selected = true,
		.pid = 9801,
		.result = RESULT_TERMINATED,
		.session = { .backend_start = MADE_AT - 5,
			.reason = REASON_CLIENT_GONE,
			.certainty = CERTAINTY_PROVEN,
			.state_text = "idle in transaction",
			.age = 1870000500,
			.database = "app",
			.user = "app",
			.application_name = "worker \"one\"",
			.query = "SELECT 'é'\n\tFROM t",
			.process = "python3 worker.py",
			.process_pid = 3999,
			.loses = "open transaction, 31m10s",
			.locks = 3,
			.waiters = 0 } },
	{ .kind = STEP_SESSION,
		.selected = true,
		.pid = 9912,
		.result = RESULT_DENIED,
		.detail = "GRANT pg_signal_backend TO dbtop;",
		.session = { .backend_start = INSTANT_UNKNOWN,
			.age = -1,
			.locks = -1,
			.waiters = -1 } },
	{ .kind = STEP_SESSION, .pid = 9999 },
};

static struct action_step processes[] = {
	{ .kind = STEP_PROCESS,
		.selected = true,
		.pid = 4312,
		.result = RESULT_TERMINATED,
		.process = { .start_ticks = 77,
			.name = "python3",
			.command = "python3 main.py",
			.user = "app",
			.unit = "app.service",
			.applications = "app, worker",
			.connections = 3,
			.signal = SIGTERM,
			.took = 1234567 } },
	{ .kind = STEP_PROCESS,
		.selected = true,
		.pid = 3999,
		.result = RESULT_TIMEOUT,
		.detail = "still there 5s after SIGKILL",
		.process = { .name = "java", .signal = SIGKILL, .took = -1 } },
	{ .kind = STEP_PROCESS,
		.pid = 812,
		.process = { .name = "cron",
			.connections = 1,
			.skip = SKIP_UNTICKED,
			.why = "protect.processes: cron*",
			.took = -1 } },
};

static struct emergency_left left[] = {
	{ .backend = 9912, .process_pid = 3999, .name = "java", .connections = 1, .why = "denied" },
	{ .connections = 4, .why = "not visible" },
};

static const char *const command[] = { "python3", "app é.py", NULL };

static struct shutdown_event events[] = {
	{ .at = 0, .kind = EVENT_SIGNAL, .text = "SIGINT sent", .connections = 2 },
	{ .at = 41999, .kind = EVENT_CLOSED, .pid = 9912, .text = "9912 closed", .connections = 1 },
};

static struct shutdown_survivor survivors[] = {
	{ .session = true, .pid = 9913, .what = "idle in transaction", .result = "terminated" },
	{ .pid = 77, .what = "python3", .result = "killed" },
};

static struct shutdown_hook hooks[] = {
	{ .name = "flush", .phase = "flush", .state = "done", .duration = 12999 },
	{ .name = "late", .phase = "close", .state = "late", .duration = -1 },
};

static void print_actions(FILE *file)
{
	struct action action = {
		.kind = ACTION_KILL_LEAKED,
		.made_at = MADE_AT,
		.at = shop,
		.steps = sessions,
		.n_steps = COUNT(sessions),
	};
	assert_int_equal(result_print_json(&action, true, file), 0);
	assert_int_equal(result_print_json(&action, false, file), 0);
	action.n_steps = 0;
	action.blind = "the server lets nobody in";
	assert_int_equal(result_print_json(&action, false, file), 0);
	action.has_no_rows = true;
	action.at.present = false;
	assert_int_equal(result_print_json(&action, true, file), 0);
}

static void print_emergencies(FILE *file)
{
	struct action gone = { .steps = sessions, .n_steps = COUNT(sessions) };
	struct action round = gone;
	struct emergency emergency = {
		.action = { .kind = ACTION_EMERGENCY,
			.made_at = MADE_AT,
			.at = shop,
			.steps = processes,
			.n_steps = COUNT(processes) },
		.connected = true,
		.gone = &gone,
		.held = &gone,
		.counted = -1,
	};
	assert_int_equal(emergency_report_json(&emergency, true, file), 0);
	emergency.rounds[emergency.n_rounds++] = &round;
	emergency.left = left;
	emergency.n_left = COUNT(left);
	emergency.counted = 5;
	emergency.cannot = "no slot became free";
	emergency.interrupted = true;
	assert_int_equal(emergency_report_json(&emergency, false, file), 0);
}

static void print_shutdowns(FILE *file)
{
	struct shutdown_record record = { .signalled_wall = INSTANT_UNKNOWN };
	struct shutdown_verdict verdict = {
		.sentence = "the server does not answer",
		.exit_status = -1,
		.pending_writes = -1,
		.outbox_waiting = -1,
		.drained = -1,
	};
	struct shutdown_report report = {
		.command = command, .record = &record, .verdict = &verdict
	};
	assert_int_equal(shutdown_print_json(&report, file), 0);
	verdict = (struct shutdown_verdict){
		.behaviour = BEHAVIOUR_LEFT_SESSIONS,
		.sentence = "it left 1 session",
		.before = 2,
		.after = 1,
		.opened = 1,
		.running = 1,
		.exit_status = 130,
		.outbox_waiting = 12,
		.drained = 41999,
		.not_read = "1 stats page was not read",
		.rolled_back_write = true,
		.timeline = events,
		.n_events = COUNT(events),
	};
	record = (struct shutdown_record){
		.signal_number = SIGINT,
		.signalled_wall = MADE_AT,
		.hooks = hooks,
		.n_hooks = COUNT(hooks),
		.survivors = survivors,
		.n_survivors = COUNT(survivors),
	};
	report.target = "group";
	report.strict = true;
	assert_int_equal(shutdown_print_json(&report, file), 0);
	verdict.behaviour = BEHAVIOUR_CLOSED;
	verdict.pass = true;
	assert_int_equal(shutdown_print_json(&report, file), 0);
}

/* Compares line by line, so that a difference names its line. */
static void assert_lines(FILE *expected, FILE *printed)
{
	CLEANUP(cleanup_free) char *want = NULL, *got = NULL;
	size_t want_size = 0, got_size = 0;
	while (getline(&want, &want_size, expected) > 0) {
		assert_true(getline(&got, &got_size, printed) > 0);
		assert_string_equal(got, want);
	}
	assert_true(getline(&got, &got_size, printed) < 0);
}

static void each_byte_is_as_before(void **state)
{
	(void)state;
	FILE *expected = fopen(EXPECTED, "r");
	assert_non_null(expected);
	FILE *printed = tmpfile();
	assert_non_null(printed);
	print_actions(printed);
	print_emergencies(printed);
	print_shutdowns(printed);
	rewind(printed);
	assert_lines(expected, printed);
	fclose(printed);
	fclose(expected);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_byte_is_as_before),
	};
	return cmocka_run_group_tests_name("result_json", tests, NULL, NULL);
}

/* analyze/timeline: what the cases of test_shutdown do not cover: pooled links, phases that have
 * not ended, no end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "analyze/timeline.h"
#include "base/arena.h"
#include "base/instant.h"
#include "base/mem.h"

#define SIGNALLED (INT64_C(1000) * USEC_PER_SEC)
#define AT(ms)    (SIGNALLED + (ms)*USEC_PER_MSEC)

static int set_up(void **state)
{
	struct shutdown_record *record = mem_alloc(sizeof(*record));
	shutdown_record_init(record);
	record->signal_number = SIGTERM;
	record->signalled_at = SIGNALLED;
	record->timeout = 10 * USEC_PER_SEC;
	*state = record;
	return 0;
}

static int tear_down(void **state)
{
	shutdown_record_deinit(*state);
	free(*state);
	return 0;
}

/* "0 signal SIGTERM sent 1": ms, event, text, connections left. */
static void assert_timeline(
	struct shutdown_record *record, int64_t now, const char *const *expected, size_t n_expected)
{
	size_t count;
	const struct shutdown_event *moments = timeline_build(record, now, record->arena, &count);
	for (size_t i = 0; i < count && i < n_expected; i++) {
		char line[256];
		snprintf(line, sizeof(line), "%lld %s %s %d",
			(long long)(moments[i].at / USEC_PER_MSEC),
			shutdown_event_name(moments[i].kind), moments[i].text,
			moments[i].connections);
		assert_string_equal(line, expected[i]);
	}
	assert_int_equal(count, n_expected);
}

#define ASSERT_TIMELINE(record, now, ...)                                                          \
	do {                                                                                       \
		static const char *const lines[] = { __VA_ARGS__ };                                \
		assert_timeline(record, now, lines, sizeof(lines) / sizeof(lines[0]));             \
	} while (0)

static void spans_are_written_as_people_do(void **state)
{
	struct shutdown_record *record = *state;
	static const struct {
		int64_t usec;
		const char *text;
	} spans[] = {
		{ 0, "0 ms" },
		{ 1999, "1 ms" },
		{ 412 * USEC_PER_MSEC, "412 ms" },
		{ 999999, "999 ms" },
		{ 5 * USEC_PER_SEC, "5 s" },
		{ 5099 * USEC_PER_MSEC, "5 s" },
		{ 5400 * USEC_PER_MSEC, "5.4 s" },
		{ 62 * USEC_PER_SEC, "1m02s" },
	};
	for (size_t i = 0; i < sizeof(spans) / sizeof(spans[0]); i++)
		assert_string_equal(timeline_span(record->arena, spans[i].usec), spans[i].text);
}

static void processes_are_named_by_what_is_known(void **state)
{
	struct shutdown_record *record = *state;
	const struct shutdown_process command = { .pid = 7, .name = "python3", .command = true };
	const struct shutdown_process child = { .pid = 8, .name = "sh" }, unnamed = { .pid = 9 };
	const struct shutdown_process contained = { .pid = 10, .name = "app", .contained = true };
	assert_string_equal(timeline_process_name(record->arena, &command), "python3 7");
	assert_string_equal(timeline_process_name(record->arena, &child), "child sh 8");
	assert_string_equal(timeline_process_name(record->arena, &unnamed), "child 9");
	assert_string_equal(
		timeline_process_name(record->arena, &contained), "the container's app 10");
}

static void before_the_signal_there_is_none(void **state)
{
	struct shutdown_record *record = *state;
	size_t count = 1;
	record->signalled_at = INSTANT_UNKNOWN;
	assert_null(timeline_build(record, SIGNALLED, record->arena, &count));
	assert_int_equal(count, 0);
}

static void a_sign_stands_for_a_signal_nobody_saw(void **state)
{
	struct shutdown_record *record = *state;
	record->signal_number = 0;
	record->trigger = "a connection was closed";
	struct shutdown_process *process = shutdown_add_process(record);
	process->pid = 7;
	process->command = true;
	process->taken_at = AT(1);
	process->ended_at = AT(2);
	process->has_status = true;
	process->status = SIGKILL;
	ASSERT_TIMELINE(record, AT(3), "0 signal a connection was closed 0",
		"1 signal_taken 7 took the signal 0", "2 process_ended 7 ended by SIGKILL 0");
}

/* The session behind a pooled link is PgBouncer's: it does not count as one
 * of the application's. */
static void what_was_lent_is_given_back(void **state)
{
	struct shutdown_record *record = *state;
	struct shutdown_connection *link = shutdown_add_connection(record);
	link->link = LINK_POOLED;
	link->closed_at = AT(20);
	struct shutdown_connection *lent = shutdown_add_connection(record);
	lent->link = LINK_LENT;
	lent->backend = 9912;
	lent->ended_at = AT(10);
	lent->outcome = OUTCOME_ROLLED_BACK;
	ASSERT_TIMELINE(record, AT(30), "0 signal SIGTERM sent 1",
		"10 closed 9912 given back to PgBouncer 1",
		"10 rolled_back 9912: its open write was rolled back 1",
		"20 closed a connection to PgBouncer closed 0",
		"20 server_clean nothing left on the server 0");
}

static void a_connection_that_was_only_counted_comes_and_goes(void **state)
{
	struct shutdown_record *record = *state;
	struct shutdown_connection *connection = shutdown_add_connection(record);
	connection->counted = connection->after_signal = true;
	connection->opened_at = connection->closed_at = connection->ended_at = AT(5);
	record->blind = "the server is gone";
	ASSERT_TIMELINE(record, AT(9), "0 signal SIGTERM sent 0",
		"5 opened one more connection was opened, by the server's count … 1",
		"5 closed … and closed 0");
}

static struct shutdown_phase *add_phase(
	struct shutdown_record *record, const char *name, int64_t began_at)
{
	struct shutdown_phase *phase = shutdown_add_phase(record);
	phase->pid = 7;
	phase->name = name;
	phase->began_at = began_at;
	return phase;
}

static void the_last_phase_lasts(void **state)
{
	struct shutdown_record *record = *state;
	(void)add_phase(record, "drain", AT(1));
	struct shutdown_phase *flush = add_phase(record, "flush", AT(4));
	flush->pending.first = 12;
	flush->pending.last = 5;
	ASSERT_TIMELINE(record, AT(2004), "0 signal SIGTERM sent 0", "1 phase phase: drain, 3 ms 0",
		"4 phase phase: flush, 2 s · 12 pending writes → 5 0");
	struct shutdown_process *process = shutdown_add_process(record);
	process->pid = 7;
	process->ended_at = AT(14);
	ASSERT_TIMELINE(record, AT(2004), "0 signal SIGTERM sent 0", "1 phase phase: drain, 3 ms 0",
		"4 phase phase: flush, 10 ms · 12 pending writes → 5 0",
		"14 process_ended child 7 ended 0");
}

/* On a busy machine a page is read for the last time long after its process has ended. */
static void what_a_page_showed_was_before_the_end_of_its_process(void **state)
{
	struct shutdown_record *record = *state;
	(void)add_phase(record, "flushing", AT(4));
	(void)add_phase(record, "closing", AT(90));
	struct shutdown_hook *hook = shutdown_add_hook(record);
	*hook = (struct shutdown_hook){ .pid = 7,
		.name = "outbox",
		.phase = "flush",
		.state = "done",
		.duration = 8 * USEC_PER_MSEC,
		.ended_at = AT(90) };
	struct shutdown_process *process = shutdown_add_process(record);
	process->pid = 7;
	process->command = true;
	process->ended_at = AT(30);
	ASSERT_TIMELINE(record, AT(99), "0 signal SIGTERM sent 0",
		"4 phase phase: flushing, 26 ms 0",
		"30 hook hook outbox (flush): done after 8 ms 0", "30 phase phase: closing, 0 ms 0",
		"30 process_ended 7 ended 0");
	/* another process's end is no limit */
	process->pid = 8;
	ASSERT_TIMELINE(record, AT(99), "0 signal SIGTERM sent 0",
		"4 phase phase: flushing, 86 ms 0", "30 process_ended 8 ended 0",
		"90 hook hook outbox (flush): done after 8 ms 0",
		"90 phase phase: closing, 9 ms 0");
}

static void time_is_up_for_what_still_runs(void **state)
{
	struct shutdown_record *record = *state;
	shutdown_add_process(record)->pid = 7;
	shutdown_add_connection(record)->backend = 9912;
	ASSERT_TIMELINE(record, AT(9999), "0 signal SIGTERM sent 1");
	ASSERT_TIMELINE(record, AT(10000), "0 signal SIGTERM sent 1", "10000 timeout time is up 1");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(spans_are_written_as_people_do),
		TEST(processes_are_named_by_what_is_known),
		TEST(before_the_signal_there_is_none),
		TEST(a_sign_stands_for_a_signal_nobody_saw),
		TEST(what_was_lent_is_given_back),
		TEST(a_connection_that_was_only_counted_comes_and_goes),
		TEST(the_last_phase_lasts),
		TEST(what_a_page_showed_was_before_the_end_of_its_process),
		TEST(time_is_up_for_what_still_runs),
	};
	return cmocka_run_group_tests_name("timeline", tests, NULL, NULL);
}

/* action/leak_times: when the time of a leak goes on, and when it begins anew. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "action/leak_times.h"
#include "base/instant.h"
#include "model/assessment.h"

#define SECOND USEC_PER_SEC
#define GAP    (2 * SECOND)

/* Assessments of two sessions, a second apart. */
static struct backend backends[2];
static struct connection connections[2];
static struct activity activity;
static struct source_state sources[SOURCE_COUNT];
static struct assessment assessment;

static struct leak_times *times;
static int n_lost;
static const struct connection *lost_connection;

static void on_lost(void *data, const struct leak_time *leak, const struct connection *connection)
{
	(void)data;
	assert_int_equal(leak->pid, 100);
	lost_connection = connection;
	n_lost++;
}

static int set_up(void **state)
{
	(void)state;
	memset(&assessment, 0, sizeof(assessment));
	for (int i = 0; i < 2; i++) {
		backends[i] = (struct backend){ .pid = 100 + i, .start = 7, .state_change = 8 };
		connections[i] = (struct connection){
			.backend = &backends[i],
			.in_scope = true,
			.verdict = { STATUS_IDLE },
		};
	}
	connections[0].verdict =
		(struct verdict){ STATUS_LEAKED, REASON_CLIENT_GONE, CERTAINTY_PROVEN };
	for (int i = 0; i < SOURCE_COUNT; i++)
		sources[i].status = SOURCE_OK;
	assessment.server.status = SERVER_OK;
	assessment.activity = &activity;
	assessment.sources = sources;
	assessment.n_sources = SOURCE_COUNT;
	assessment.connections = connections;
	assessment.n_connections = 2;
	n_lost = 0;
	lost_connection = NULL;
	times = leak_times_new(&(struct leak_times_callbacks){ NULL, on_lost });
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	leak_times_free(times);
	return 0;
}

/* The assessment of the second `at`: rows asked for then, and joined a tenth later. */
static bool see(int at)
{
	activity.asked_monotonic = at * SECOND;
	assessment.monotonic = at * SECOND + SECOND / 10;
	return leak_times_update(times, &assessment, GAP);
}

static int64_t lasted(void)
{
	assert_int_equal(leak_times_count(times), 1);
	return leak_times_get(times, 0)->lasted[CERTAINTY_PRESUMED];
}

static int64_t proven_for(void)
{
	assert_int_equal(leak_times_count(times), 1);
	return leak_times_get(times, 0)->lasted[CERTAINTY_PROVEN];
}

static void time_counts_from_the_first_verdict_to_the_latest_rows(void **state)
{
	(void)state;
	assert_true(see(10));
	assert_int_equal(lasted(), 0);
	for (int at = 11; at <= 40; at++)
		assert_true(see(at));
	assert_int_equal(lasted(), 30 * SECOND - SECOND / 10);
	/* the same rows, assessed again much later, prove nothing more */
	assessment.monotonic += SECOND;
	leak_times_update(times, &assessment, GAP);
	assert_int_equal(lasted(), 30 * SECOND - SECOND / 10);
}

static void a_certainty_counts_from_when_it_was_reached(void **state)
{
	(void)state;
	connections[0].verdict.certainty = CERTAINTY_DECLARED;
	see(1);
	see(2);
	assert_int_equal(proven_for(), 0);
	connections[0].verdict.certainty = CERTAINTY_PROVEN;
	see(3);
	assert_int_equal(proven_for(), 0);
	see(4);
	assert_int_equal(proven_for(), SECOND - SECOND / 10);
	assert_int_equal(lasted(), 3 * SECOND - SECOND / 10);
	connections[0].verdict.certainty = CERTAINTY_DECLARED;
	see(5);
	assert_int_equal(proven_for(), 0);
	assert_int_equal(lasted(), 4 * SECOND - SECOND / 10);
	connections[0].verdict.certainty = CERTAINTY_PROVEN;
	see(6);
	assert_int_equal(proven_for(), 0);
}

static void what_the_caller_noted_stays_as_long_as_the_time(void **state)
{
	(void)state;
	see(1);
	leak_times_get(times, 0)->noted = 3;
	see(2);
	assert_int_equal(leak_times_get(times, 0)->noted, 3);
	backends[0].state_change++;
	see(3);
	assert_int_equal(leak_times_get(times, 0)->noted, 0);
}

/* Each of these begins the time anew. */
static void another_reason(void)
{
	connections[0].verdict.reason = REASON_HELD_TOO_LONG;
}

static void came_to_life_in_between(void)
{
	backends[0].state_change++;
}

static void another_session_of_this_pid(void)
{
	backends[0].start++;
}

static void any_change_begins_anew(void **state)
{
	(void)state;
	static void (*const changes[])(
		void) = { another_reason, came_to_life_in_between, another_session_of_this_pid };
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		see(1);
		see(2);
		assert_true(lasted() > 0);
		changes[i]();
		see(3);
		assert_int_equal(lasted(), 0);
		assert_int_equal(n_lost, 1);
		tear_down(NULL);
		set_up(NULL);
	}
}

static void one_assessment_without_the_leak_begins_anew(void **state)
{
	(void)state;
	see(1);
	see(2);
	connections[0].verdict = (struct verdict){ STATUS_IDLE };
	see(3);
	assert_int_equal(leak_times_count(times), 0);
	assert_int_equal(n_lost, 1);
	assert_ptr_equal(lost_connection, &connections[0]);
	connections[0].verdict =
		(struct verdict){ STATUS_LEAKED, REASON_CLIENT_GONE, CERTAINTY_PROVEN };
	see(4);
	assert_int_equal(lasted(), 0);
}

static void a_session_that_ended_is_lost(void **state)
{
	(void)state;
	see(1);
	assessment.connections = connections + 1;
	assessment.n_connections = 1;
	see(2);
	assert_int_equal(leak_times_count(times), 0);
	assert_int_equal(n_lost, 1);
	assert_null(lost_connection);
}

static void not_connected(void)
{
	assessment.server.status = SERVER_REFUSED;
}

static void overdue(void)
{
	assessment.server.status = SERVER_STALE;
}

static void failed_poll(void)
{
	sources[SOURCE_ACTIVITY].status = SOURCE_STALE;
}

static void no_rows_yet(void)
{
	assessment.activity = NULL;
}

static void what_is_not_fresh_begins_anew(void **state)
{
	(void)state;
	static void (*const breaks[])(void) = { not_connected, overdue, failed_poll, no_rows_yet };
	for (size_t i = 0; i < sizeof(breaks) / sizeof(breaks[0]); i++) {
		see(1);
		see(2);
		assert_true(lasted() > 0);
		breaks[i]();
		assert_false(see(3));
		assert_int_equal(leak_times_count(times), 0);
		assessment.server.status = SERVER_OK;
		assessment.activity = &activity;
		sources[SOURCE_ACTIVITY].status = SOURCE_OK;
		see(4);
		assert_int_equal(lasted(), 0);
		/* the leak itself was not seen to end */
		assert_int_equal(n_lost, 0);
		tear_down(NULL);
		set_up(NULL);
	}
}

static void polls_too_far_apart_have_a_gap_between_them(void **state)
{
	(void)state;
	see(1);
	see(3);
	assert_true(lasted() > 0);
	see(6);
	assert_int_equal(lasted(), 0);
}

static void what_is_out_of_scope_is_no_leak(void **state)
{
	(void)state;
	connections[0].in_scope = false;
	see(1);
	assert_int_equal(leak_times_count(times), 0);
}

static void a_protected_session_whose_client_is_gone_has_no_reason(void **state)
{
	(void)state;
	connections[0].verdict = (struct verdict){
		.status = STATUS_IDLE,
		.protection = PROTECTION_APPLICATION,
	};
	connections[0].end = CLIENT_END_GONE;
	see(1);
	assert_int_equal(leak_times_count(times), 1);
	assert_int_equal(leak_times_get(times, 0)->reason, REASON_NONE);
	/* a pool's reserve is nothing to speak of */
	connections[0].verdict.protection = PROTECTION_POOL_RESERVE;
	see(2);
	assert_int_equal(leak_times_count(times), 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(time_counts_from_the_first_verdict_to_the_latest_rows),
		TEST(what_the_caller_noted_stays_as_long_as_the_time),
		TEST(any_change_begins_anew),
		TEST(a_certainty_counts_from_when_it_was_reached),
		TEST(one_assessment_without_the_leak_begins_anew),
		TEST(a_session_that_ended_is_lost),
		TEST(what_is_not_fresh_begins_anew),
		TEST(polls_too_far_apart_have_a_gap_between_them),
		TEST(what_is_out_of_scope_is_no_leak),
		TEST(a_protected_session_whose_client_is_gone_has_no_reason),
	};
	return cmocka_run_group_tests_name("leak_times", tests, NULL, NULL);
}

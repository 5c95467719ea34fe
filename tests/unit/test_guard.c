/* action/guard: allow, ask, refuse. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "action/audit_recent.h"
#include "action/guard.h"
#include "base/instant.h"
#include "model/action.h"

#define AT(seconds) ((seconds)*USEC_PER_SEC)

static struct action_step steps[8];

static struct action plan_of(size_t selected, size_t unticked)
{
	for (size_t i = 0; i < selected + unticked; i++)
		steps[i] = (struct action_step){ .selected = i < selected };
	return (struct action){ .steps = steps, .n_steps = selected + unticked };
}

static void refuses_readonly_and_empty_plans(void **state)
{
	(void)state;
	static const struct guard_history history;
	struct guard_limits readonly = { .readonly = true }, none = { 0 };
	struct action plan = plan_of(2, 0);
	struct guard_answer answer = guard_check(&plan, &readonly, &history, 0);
	assert_int_equal(answer.verdict, GUARD_REFUSE);
	assert_string_equal(answer.why, "read-only: no action is possible");

	plan = plan_of(0, 0);
	answer = guard_check(&plan, &none, &history, 0);
	assert_int_equal(answer.verdict, GUARD_REFUSE);
	assert_string_equal(answer.why, "nothing to do");

	plan = plan_of(0, 3);
	answer = guard_check(&plan, &none, &history, 0);
	assert_int_equal(answer.verdict, GUARD_REFUSE);
	assert_string_equal(answer.why, "nothing is ticked");
}

static void refuses_everything_through_a_pooler(void **state)
{
	(void)state;
	static const struct guard_history history;
	struct guard_limits limits = { .pooler = true };
	struct action plan = plan_of(2, 0);
	struct guard_answer answer = guard_check(&plan, &limits, &history, 0);
	assert_int_equal(answer.verdict, GUARD_REFUSE);
	assert_string_equal(answer.why, "through a pooler: connect to PostgreSQL itself");
}

static void the_limit_is_the_last_number_that_is_allowed(void **state)
{
	(void)state;
	struct guard_history history = { 0 };
	struct guard_limits limits = { .per_minute = 5 };
	struct action plan = plan_of(5, 3);
	assert_int_equal(guard_check(&plan, &limits, &history, AT(1000)).verdict, GUARD_ALLOW);
	assert_string_equal(guard_check(&plan, &limits, &history, AT(1000)).why, "");

	plan = plan_of(6, 0);
	struct guard_answer answer = guard_check(&plan, &limits, &history, AT(1000));
	assert_int_equal(answer.verdict, GUARD_CONFIRM);
	assert_string_equal(
		answer.why, "6 sessions would be ended within a minute, the limit is 5");

	limits.per_minute = 0;
	assert_int_equal(guard_check(&plan, &limits, &history, AT(1000)).verdict, GUARD_ALLOW);
}

static void what_was_ended_counts_for_a_minute(void **state)
{
	(void)state;
	struct guard_history history = { 0 };
	struct guard_limits limits = { .per_minute = 5 };
	struct action plan = plan_of(1, 0);
	guard_note(&history, 2, AT(1000));
	guard_note(&history, 2, AT(1000) + 999999);
	guard_note(&history, 1, AT(1030));
	assert_int_equal(guard_check(&plan, &limits, &history, AT(1031)).verdict, GUARD_CONFIRM);
	assert_int_equal(guard_check(&plan, &limits, &history, AT(1059)).verdict, GUARD_CONFIRM);
	assert_int_equal(guard_check(&plan, &limits, &history, AT(1060)).verdict, GUARD_ALLOW);

	/* the same slot of the ring, a minute later */
	guard_note(&history, 4, AT(1060));
	assert_int_equal(guard_check(&plan, &limits, &history, AT(1061)).verdict, GUARD_CONFIRM);
	assert_int_equal(guard_check(&plan, &limits, &history, AT(1090)).verdict, GUARD_ALLOW);
}

static void a_cancel_ends_no_session(void **state)
{
	(void)state;
	struct guard_history history = { 0 };
	struct guard_limits limits = { .per_minute = 1 };
	struct action plan = plan_of(4, 0);
	plan.kind = ACTION_CANCEL;
	assert_int_equal(guard_check(&plan, &limits, &history, AT(9)).verdict, GUARD_ALLOW);
}

#define LINE(at, action, server, targets)                                                          \
	"{\"schema\":1,\"at\":\"1970-01-02T00:" at "Z\",\"event\":\"action\",\"action\":\"" action \
	"\",\"server\":\"" server "\",\"targets\":" targets "}\n"

/* Of the log's lines, those of this server's leaked sessions in the last minute count. */
static void the_limit_holds_over_a_restart(void **state)
{
	(void)state;
	static const char text[] = "cut\"}\n" LINE("00:10", "kill_leaked", "app @ db", "7")
		LINE("00:45.5", "kill_leaked", "app @ db", "3") LINE("00:50", "kill_leaked",
			"app @ other", "50") LINE("00:55", "cancel", "app @ db",
			"20") "{\"at\":7,\"event\":\"action\"}\n[1]\n" LINE("01:20", "kill_leaked",
			"app @ db", "1") LINE("01:21", "kill_leaked", "app @ db", "-1")
			LINE("59:59", "kill_leaked", "app @ db", "40");
	struct guard_history history = { 0 };
	const struct guard_limits limits = { .per_minute = 10 };
	const int64_t now = AT(86400 + 90), monotonic = AT(1000);
	char path[] = "/tmp/test-guard-XXXXXX";
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, sizeof(text) - 1), sizeof(text) - 1);
	close(fd);
	audit_recall(path, "app @ db", &history, now, monotonic);
	assert_int_equal(guard_room(&limits, &history, monotonic), 6);
	/* each counts for a minute from when it was */
	assert_int_equal(guard_room(&limits, &history, monotonic + AT(17)), 9);
	assert_int_equal(guard_room(&limits, &history, monotonic + AT(51)), 10);
	/* no log, no server's name */
	history = (struct guard_history){ 0 };
	audit_recall(path, NULL, &history, now, monotonic);
	unlink(path);
	audit_recall(path, "app @ db", &history, now, monotonic);
	audit_recall(NULL, "app @ db", &history, now, monotonic);
	assert_int_equal(guard_room(&limits, &history, monotonic), 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses_readonly_and_empty_plans),
		cmocka_unit_test(refuses_everything_through_a_pooler),
		cmocka_unit_test(the_limit_is_the_last_number_that_is_allowed),
		cmocka_unit_test(what_was_ended_counts_for_a_minute),
		cmocka_unit_test(a_cancel_ends_no_session),
		cmocka_unit_test(the_limit_holds_over_a_restart),
	};
	return cmocka_run_group_tests_name("guard", tests, NULL, NULL);
}

/* action/emergency_chosen: which processes of the plan are ticked, and what is said of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "action/emergency_chosen.h"
#include "model/assessment.h"
#include "model/emergency.h"

/* What the screen says of a plan of which only some are ticked. */
static void what_is_ticked_is_said(void **state)
{
	(void)state;
	static const struct {
		const char *ticks; /* of three processes and one that is left alone */
		const char *says;
	} cases[] = {
		{ "xxx", "" },
		{ "-x-", "only worker (12) is ticked; * ticks all 3" },
		{ "xx-", "only 2 of 3 processes are ticked; * ticks all" },
		{ "---", "no process is ticked; Space ticks one, * all" },
		{ "x", "" },
		{ "", "" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct action_step steps[4] = { 0 };
		size_t n = strlen(cases[i].ticks);
		for (size_t k = 0; k <= n; k++) {
			bool ticked = cases[i].ticks[k] == 'x';
			steps[k].kind = STEP_PROCESS;
			steps[k].pid = 11 + (int32_t)k;
			steps[k].process.name = "worker";
			steps[k].selected = ticked;
			steps[k].process.skip = ticked ? SKIP_NONE : SKIP_UNTICKED;
		}
		steps[n].process.skip = SKIP_SSHD;
		const struct emergency emergency = { .action = {
							     .steps = steps, .n_steps = n + 1 } };
		char text[EMERGENCY_TICKED_MAX];
		assert_string_equal(emergency_ticked(&emergency, text), cases[i].says);
	}
}

/* Three processes of the plan, with the pids 11, 12 and 13, and a session of each, 91, 92 and 93.
 * The session 91 is chosen, whose process was 13, or not known, when it was chosen. */
static void the_processes_of_chosen_rows_are_ticked(void **state)
{
	(void)state;
	static const struct {
		int32_t pid;         /* of the process when the row was chosen; 0: not known */
		uint32_t process;    /* by the emergency's assessment */
		const char *machine; /* of the processes; NULL: this one */
		int64_t start;       /* of the session then */
		enum skip_reason skip;
		const char *ticks;
	} cases[] = {
		{ 0, 0, NULL, 1, SKIP_UNTICKED, "x--" },
		{ 13, 0, NULL, 1, SKIP_UNTICKED, "x--" },
		{ 13, NO_PROCESS, NULL, 1, SKIP_UNTICKED, "--x" },
		{ 0, NO_PROCESS, NULL, 1, SKIP_UNTICKED, "-x-" },
		/* another session with its pid */
		{ 13, 0, NULL, 2, SKIP_UNTICKED, "--x" },
		/* another machine's process may have the same pid */
		{ 0, 0, "db2", 1, SKIP_UNTICKED, "-x-" },
		{ 13, 0, "db2", 1, SKIP_UNTICKED, "--x" },
		/* it is never stopped */
		{ 0, 0, NULL, 1, SKIP_SSHD, "-x-" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct action_step steps[3];
		struct backend backends[3];
		struct client_process processes[3];
		struct connection connections[3];
		struct action none = { .n_steps = 0 };
		for (int k = 0; k < 3; k++) {
			steps[k] = (struct action_step){ .kind = STEP_PROCESS,
				.pid = 11 + k,
				.process.start_ticks = 7,
				.process.skip = k == 1 ? SKIP_NONE : cases[i].skip,
				.selected = k == 1 };
			backends[k] = (struct backend){ .pid = 91 + k, .start = 1 };
			processes[k] =
				(struct client_process){ .process = { .pid = 11 + k,
								 .start_ticks = 7,
								 .host = cases[i].machine } };
			connections[k] = (struct connection){ .backend = &backends[k],
				.process = k == 0 ? cases[i].process : (uint32_t)k };
		}
		struct emergency emergency = {
			.action = { .steps = steps, .n_steps = 3 },
			.gone = &none,
		};
		const struct assessment assessment = { .connections = connections,
			.n_connections = 3,
			.processes = processes,
			.n_processes = 3 };
		const struct emergency_chosen chosen = { 91, cases[i].start, cases[i].pid, 7 };
		emergency_chosen_tick(&emergency, &assessment, &chosen, 1);
		for (int k = 0; k < 3; k++)
			if (steps[k].selected != (cases[i].ticks[k] == 'x'))
				fail_msg("case %zu, process %d", i, steps[k].pid);
	}
}

/* Its end is held by a process of another machine: none of this machine has it. */
static void another_machines_process_is_not_kept(void **state)
{
	(void)state;
	const struct backend backend = { .pid = 91, .start = 5 };
	struct client_process process = { .process = { .pid = 11, .start_ticks = 7 } };
	const struct connection connection = { .backend = &backend };
	const struct assessment assessment = { .processes = &process, .n_processes = 1 };
	struct emergency_chosen chosen = emergency_chosen_of(&assessment, &connection);
	assert_int_equal(chosen.backend, 91);
	assert_int_equal(chosen.backend_start, 5);
	assert_int_equal(chosen.pid, 11);
	assert_int_equal(chosen.start_ticks, 7);
	process.process.host = "db2";
	chosen = emergency_chosen_of(&assessment, &connection);
	assert_int_equal(chosen.backend, 91);
	assert_int_equal(chosen.pid, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_ticked_is_said),
		cmocka_unit_test(the_processes_of_chosen_rows_are_ticked),
		cmocka_unit_test(another_machines_process_is_not_kept),
	};
	return cmocka_run_group_tests_name("emergency_chosen", tests, NULL, NULL);
}

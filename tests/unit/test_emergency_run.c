/* action/emergency_run on a full server: each process is stopped only while a new look shows its
 * connections. The server is played here: it never lets us in, or lets us in and never answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include "action/emergency_run.h"
#include "base/arena.h"
#include "base/instant.h"
#include "base/mem.h"
#include "model/assessment.h"
#include "model/emergency.h"
#include "proc/process.h"
#include "session/session.h"

bool __wrap_session_is_ready(const struct session *session);
int64_t __real_instant_monotonic(void);
int64_t __wrap_instant_monotonic(void);
bool __wrap_session_is_pooled(const struct session *session);
const struct server_state *__wrap_session_state(const struct session *session);
void __wrap_session_retry(struct session *session);
void __wrap_session_forget(struct session *session, const void *data);

static bool is_ready;
static int64_t ahead; /* of the clock */

bool __wrap_session_is_ready(const struct session *session)
{
	(void)session;
	return is_ready;
}

int64_t __wrap_instant_monotonic(void)
{
	return __real_instant_monotonic() + ahead;
}

bool __wrap_session_is_pooled(const struct session *session)
{
	(void)session;
	return false;
}

const struct server_state *__wrap_session_state(const struct session *session)
{
	static const struct server_state full = { .status = SERVER_FULL };
	(void)session;
	return &full;
}

void __wrap_session_retry(struct session *session)
{
	(void)session;
}

void __wrap_session_forget(struct session *session, const void *data)
{
	(void)session, (void)data;
}

enum { PROCESSES = 3 };

struct fixture {
	uv_loop_t loop;
	struct emergency_run *run;
	struct emergency *planned;
	pid_t pids[PROCESSES];
	int asked; /* how many assessments */
	bool awaited;
};

static void on_assess(void *data)
{
	struct fixture *fixture = data;
	fixture->asked++;
	fixture->awaited = true;
}

static void on_done(void *data)
{
	(void)data;
	fail_msg("it is not over");
}

/* It does not end by SIGTERM: no slot comes free. */
static pid_t start_process(void)
{
	int ready[2];
	char byte;
	assert_int_equal(pipe(ready), 0);
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		signal(SIGTERM, SIG_IGN);
		(void)!write(ready[1], "r", 1);
		for (;;)
			pause();
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	close(ready[1]);
	return pid;
}

/* A scan shows all of the processes but one. */
static struct emergency *make_plan(const struct fixture *fixture, size_t missing)
{
	struct arena *arena = arena_new();
	struct emergency *emergency = arena_array(arena, 1, sizeof(*emergency));
	emergency->action = (struct action){ .arena = arena,
		.kind = ACTION_EMERGENCY,
		.grace = 3600 * USEC_PER_SEC,
		.steps = arena_array(arena, PROCESSES, sizeof(struct action_step)) };
	for (size_t i = 0; i < PROCESSES; i++) {
		if (i == missing)
			continue;
		struct action_step *step = &emergency->action.steps[emergency->action.n_steps++];
		*step = (struct action_step){ .kind = STEP_PROCESS,
			.selected = true,
			.pid = fixture->pids[i],
			.process = { .connections = 1, .took = -1 } };
		assert_int_equal(
			process_start_ticks("/proc", step->pid, &step->process.start_ticks), 0);
	}
	return emergency;
}

static int set_up(void **state)
{
	struct fixture *fixture = mem_alloc(sizeof(*fixture));
	is_ready = false;
	ahead = 0;
	const struct emergency_run_options options = { .proc_root = "/proc" };
	const struct emergency_run_callbacks callbacks = { fixture, on_assess, NULL, on_done };
	assert_int_equal(uv_loop_init(&fixture->loop), 0);
	for (size_t i = 0; i < PROCESSES; i++)
		fixture->pids[i] = start_process();
	fixture->planned = make_plan(fixture, PROCESSES);
	fixture->run = emergency_run_new(&fixture->loop, NULL, &options, &callbacks);
	assert_int_equal(emergency_run_begin(fixture->run, fixture->planned), 0);
	*state = fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;
	emergency_run_interrupt(fixture->run);
	emergency_run_free(fixture->run);
	uv_run(&fixture->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&fixture->loop), 0);
	emergency_free(fixture->planned);
	for (size_t i = 0; i < PROCESSES; i++) {
		kill(fixture->pids[i], SIGKILL);
		waitpid(fixture->pids[i], NULL, 0);
	}
	free(fixture);
	return 0;
}

/* Waits until an assessment is asked for, and hands over one without this process. */
static void look(struct fixture *fixture, size_t missing)
{
	static const struct assessment assessment;
	while (!fixture->awaited)
		uv_run(&fixture->loop, UV_RUN_ONCE);
	fixture->awaited = false;
	struct emergency *fresh = make_plan(fixture, missing);
	emergency_run_assessed(fixture->run, fresh, &assessment);
	emergency_free(fresh);
}

static void assert_signals(const struct fixture *fixture, int first, int second, int third)
{
	const struct action_step *steps = fixture->planned->action.steps;
	assert_int_equal(steps[0].process.signal, first);
	assert_int_equal(steps[1].process.signal, second);
	assert_int_equal(steps[2].process.signal, third);
}

static void each_is_looked_at_again_before_it_is_stopped(void **state)
{
	struct fixture *fixture = *state;
	const struct action_step *second = &fixture->planned->action.steps[1];
	look(fixture, PROCESSES);
	assert_signals(fixture, SIGTERM, 0, 0);
	/* the second one has closed its connections meanwhile */
	look(fixture, 1);
	assert_int_equal(fixture->planned->phase, EMERGENCY_FREEING);
	assert_int_equal(second->result, RESULT_CHANGED);
	assert_signals(fixture, SIGTERM, 0, SIGTERM);
	assert_int_equal(fixture->asked, 2);
}

static void one_is_stopped_at_a_time(void **state)
{
	struct fixture *fixture = *state;
	int64_t began_at = instant_monotonic();
	look(fixture, PROCESSES);
	look(fixture, PROCESSES);
	assert_true(instant_monotonic() - began_at >= USEC_PER_SEC);
	assert_signals(fixture, SIGTERM, SIGTERM, 0);
}

/* A slot is free, and each question is in vain: then it goes on without an answer. */
static void a_server_that_never_answers_delays_it_only(void **state)
{
	struct fixture *fixture = *state;
	look(fixture, PROCESSES);
	is_ready = true;
	look(fixture, PROCESSES);
	assert_signals(fixture, SIGTERM, 0, 0);
	ahead = 5 * USEC_PER_SEC;
	while (fixture->planned->phase == EMERGENCY_FREEING)
		uv_run(&fixture->loop, UV_RUN_ONCE);
	assert_signals(fixture, SIGTERM, SIGTERM, SIGTERM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			each_is_looked_at_again_before_it_is_stopped, set_up, tear_down),
		cmocka_unit_test_setup_teardown(one_is_stopped_at_a_time, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_server_that_never_answers_delays_it_only, set_up, tear_down),
	};
	return cmocka_run_group_tests_name("emergency_run", tests, NULL, NULL);
}

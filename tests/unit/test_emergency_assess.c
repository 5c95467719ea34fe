/* modes/emergency_assess: what an emergency waits for before it judges the processes. The test
 * replaces the target. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <uv.h>

#include "action/emergency_candidates.h"
#include "base/arena.h"
#include "base/instant.h"
#include "config/config.h"
#include "model/assessment.h"
#include "model/emergency.h"
#include "model/peers.h"
#include "modes/app.h"
#include "modes/emergency_assess.h"
#include "target/target.h"

#define HOUR (3600 * USEC_PER_SEC)

static struct app app;
static struct config config;
static struct assessment assessment;
static struct source_state sources[SOURCE_COUNT];
static struct emergency_assess *assess;
static int asked, inspected, done;
static int scans; /* how often a scan is still under way when it is asked for */

const struct assessment *__wrap_target_assessment(const struct target *target);
bool __wrap_target_is_scanning(const struct target *target);
void __wrap_target_assess_anew(struct target *target);
size_t __real_emergency_candidates_list(const struct assessment *from, uint32_t *ret_processes);
size_t __wrap_emergency_candidates_list(const struct assessment *from, uint32_t *ret_processes);

const struct assessment *__wrap_target_assessment(const struct target *target)
{
	(void)target;
	return &assessment;
}

bool __wrap_target_is_scanning(const struct target *target)
{
	(void)target;
	assert_int_equal(inspected, 0);
	return scans > 0 && --scans > 0;
}

void __wrap_target_assess_anew(struct target *target)
{
	(void)target;
	asked++;
}

size_t __wrap_emergency_candidates_list(const struct assessment *from, uint32_t *ret_processes)
{
	inspected++;
	return __real_emergency_candidates_list(from, ret_processes);
}

static void on_done(void *data, struct emergency *emergency, const struct assessment *from)
{
	uv_loop_t *loop = data;
	assert_ptr_equal(from, &assessment);
	assert_int_equal(emergency->action.n_steps, 0);
	emergency_free(emergency);
	done++;
	uv_stop(loop);
}

static int set_up(void **state)
{
	(void)state;
	asked = inspected = done = scans = 0;
	app.config = &config;
	assert_int_equal(uv_loop_init(&app.loop), 0);
	assessment = (struct assessment){ .arena = arena_new(), .sources = sources };
	assessment.server.status = SERVER_REFUSED;
	assess = emergency_assess_new(&app, NULL, on_done, &app.loop);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	emergency_assess_free(assess);
	uv_run(&app.loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&app.loop), 0);
	arena_free(assessment.arena);
	peers_unref(assessment.peers);
	return 0;
}

/* The wall clock was set back by an hour between the question and the dump. */
static void a_step_of_the_clock_keeps_no_assessment_waiting(void **state)
{
	struct peers *peers = peers_new();
	(void)state;
	assessment.peers = peers;
	peers->dumped_at = instant_now() + HOUR;
	peers->dump_began = instant_monotonic() - 1;
	emergency_assess_begin(assess);
	assert_int_equal(asked, 1);
	/* from before the question, whatever the wall clock says */
	emergency_assess_assessed(assess);
	assert_int_equal(inspected, 0);
	peers->dumped_at = instant_now() - HOUR;
	peers->dump_began = instant_monotonic();
	emergency_assess_assessed(assess);
	assert_int_equal(inspected, 1);
	uv_run(&app.loop, UV_RUN_DEFAULT);
	assert_int_equal(done, 1);
}

/* The first scan hangs in a process: without it there is nothing to be judged. */
static void the_first_scan_is_waited_for(void **state)
{
	(void)state;
	scans = 3;
	emergency_assess_begin(assess);
	uv_run(&app.loop, UV_RUN_DEFAULT);
	assert_int_equal(done, 1);
	assert_int_equal(scans, 0);
}

/* The scan of before the question shows what was stopped since. */
static void an_older_scan_does_not_replace_a_new_one(void **state)
{
	struct peers *peers = peers_new();
	(void)state;
	assessment.peers = peers;
	peers->dump_began = instant_monotonic() - 1;
	scans = 3;
	emergency_assess_begin(assess);
	uv_run(&app.loop, UV_RUN_DEFAULT);
	assert_int_equal(done, 1);
	assert_int_equal(scans, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_step_of_the_clock_keeps_no_assessment_waiting),
		TEST(the_first_scan_is_waited_for),
		TEST(an_older_scan_does_not_replace_a_new_one),
	};
	return cmocka_run_group_tests_name("emergency_assess", tests, NULL, NULL);
}

/* modes/survey: a picture is from after the question by a clock that nobody sets. The target is
 * the test's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <uv.h>

#include "action/rescue_candidates.h"
#include "base/arena.h"
#include "base/instant.h"
#include "config/config.h"
#include "model/assessment.h"
#include "model/emergency.h"
#include "model/peers.h"
#include "modes/app.h"
#include "modes/survey.h"
#include "target/target.h"

#define HOUR (3600 * USEC_PER_SEC)

static struct assessment assessment;
static int asked, inspected, done;

const struct assessment *__wrap_target_assessment(const struct target *target);
void __wrap_target_survey(struct target *target);
size_t __real_rescue_candidates_list(const struct assessment *from, uint32_t *ret_processes);
size_t __wrap_rescue_candidates_list(const struct assessment *from, uint32_t *ret_processes);

const struct assessment *__wrap_target_assessment(const struct target *target)
{
	(void)target;
	return &assessment;
}

void __wrap_target_survey(struct target *target)
{
	(void)target;
	asked++;
}

size_t __wrap_rescue_candidates_list(const struct assessment *from, uint32_t *ret_processes)
{
	inspected++;
	return __real_rescue_candidates_list(from, ret_processes);
}

static void on_done(void *data, struct emergency *emergency, const struct assessment *from)
{
	uv_loop_t *loop = data;
	assert_ptr_equal(from, &assessment);
	assert_int_equal(emergency->n_processes, 0);
	emergency_free(emergency);
	done++;
	uv_stop(loop);
}

/* The wall clock was set back by an hour between the question and the dump. */
static void a_step_of_the_clock_keeps_no_survey_waiting(void **state)
{
	static struct app app;
	static struct config config;
	(void)state;
	app.config = &config;
	assert_int_equal(uv_loop_init(&app.loop), 0);
	struct peers *peers = peers_new();
	assessment = (struct assessment){ .arena = arena_new(), .peers = peers };
	assessment.server.status = SERVER_REFUSED;
	struct survey *survey = survey_new(&app, NULL, on_done, &app.loop);
	peers->dumped_at = instant_now() + HOUR;
	peers->dump_began = instant_monotonic() - 1;
	survey_begin(survey);
	assert_int_equal(asked, 1);
	/* from before the question, whatever the wall clock says */
	survey_assessed(survey);
	assert_int_equal(inspected, 0);
	peers->dumped_at = instant_now() - HOUR;
	peers->dump_began = instant_monotonic();
	survey_assessed(survey);
	assert_int_equal(inspected, 1);
	uv_run(&app.loop, UV_RUN_DEFAULT);
	assert_int_equal(done, 1);
	survey_free(survey);
	uv_run(&app.loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&app.loop), 0);
	arena_free(assessment.arena);
	peers_unref(peers);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_step_of_the_clock_keeps_no_survey_waiting),
	};
	return cmocka_run_group_tests_name("survey", tests, NULL, NULL);
}

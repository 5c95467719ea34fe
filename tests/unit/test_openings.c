/* analyze/openings: the connections that a process opened in the last minute. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "analyze/openings.h"
#include "base/instant.h"
#include "model/assessment.h"

#define SECOND USEC_PER_SEC
#define MOST   8

struct scene {
	struct backend backends[MOST];
	struct connection connections[MOST];
	struct client_process process;
	struct assessment assessment;
};

/* One process, and sessions that began so many seconds ago. */
static void make(struct scene *scene, int64_t now, const int64_t *ages, size_t count, bool known)
{
	*scene = (struct scene){
		.process = { .process = { .pid = 7, .start_ticks = 70 } },
		.assessment = { .monotonic = now, .server_now = now, .n_processes = 1 },
	};
	scene->assessment.processes = &scene->process;
	scene->assessment.connections = scene->connections;
	scene->assessment.n_connections = count;
	for (size_t i = 0; i < count; i++) {
		/* a session is the same if it began at the same time */
		int64_t start = now - ages[i] * SECOND;
		scene->backends[i] =
			(struct backend){ .pid = 100 + (int32_t)(start / SECOND), .start = start };
		scene->connections[i] = (struct connection){ .backend = &scene->backends[i],
			.process = known ? 0 : NO_PROCESS };
	}
}

static unsigned int count(const struct scene *scene)
{
	unsigned int sum = 0;
	for (size_t i = 0; i < OPENINGS_PARTS; i++)
		sum += scene->process.openings.counts[i];
	return sum;
}

static void each_is_counted_once_and_for_a_minute(void **state)
{
	(void)state;
	struct scene first, second, third, later, last;
	int64_t now = 1000 * SECOND;
	make(&first, now, (const int64_t[]){ 3, 30, 59, 60, 900 }, 5, true);
	openings_count(&first.assessment, NULL);
	assert_int_equal(count(&first), 3);
	/* the one of 30 s is still there, one is new, and the others have ended */
	make(&second, now + 10 * SECOND, (const int64_t[]){ 40, 2 }, 2, true);
	openings_count(&second.assessment, &first.assessment);
	/* that of 59 s is older than a minute now */
	assert_int_equal(count(&second), 3);
	/* the same rows again */
	make(&third, now + 10 * SECOND, (const int64_t[]){ 40, 2 }, 2, true);
	openings_count(&third.assessment, &second.assessment);
	assert_int_equal(count(&third), 3);
	/* those of 3 s and of 2 s; that of 30 s is older than a minute now */
	make(&later, now + 35 * SECOND, NULL, 0, true);
	openings_count(&later.assessment, &third.assessment);
	assert_int_equal(count(&later), 2);
	make(&last, now + 100 * SECOND, NULL, 0, true);
	openings_count(&last.assessment, &later.assessment);
	assert_int_equal(count(&last), 0);
}

/* The scan that finds its process may come after the session's first row. */
static void a_session_counts_when_its_process_is_found(void **state)
{
	(void)state;
	struct scene first, second;
	make(&first, 1000 * SECOND, (const int64_t[]){ 1 }, 1, false);
	openings_count(&first.assessment, NULL);
	assert_int_equal(count(&first), 0);
	make(&second, 1001 * SECOND, (const int64_t[]){ 2 }, 1, true);
	openings_count(&second.assessment, &first.assessment);
	assert_int_equal(count(&second), 1);
}

/* Another process of the same pid has opened nothing. */
static void another_process_begins_anew(void **state)
{
	(void)state;
	struct scene first, second;
	make(&first, 1000 * SECOND, (const int64_t[]){ 1 }, 1, true);
	openings_count(&first.assessment, NULL);
	make(&second, 1002 * SECOND, NULL, 0, true);
	second.process.process.start_ticks++;
	openings_count(&second.assessment, &first.assessment);
	assert_int_equal(count(&second), 0);
}

/* What the server hides has no time. One that began after the answer, by a clock that was set, is
 * new. */
static void unknown_times_do_not_count(void **state)
{
	(void)state;
	struct scene scene;
	make(&scene, 1000 * SECOND, (const int64_t[]){ 1, -5 }, 2, true);
	scene.backends[0].start = INSTANT_UNKNOWN;
	openings_count(&scene.assessment, NULL);
	assert_int_equal(count(&scene), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_is_counted_once_and_for_a_minute),
		cmocka_unit_test(a_session_counts_when_its_process_is_found),
		cmocka_unit_test(another_process_begins_anew),
		cmocka_unit_test(unknown_times_do_not_count),
	};
	return cmocka_run_group_tests_name("openings", tests, NULL, NULL);
}

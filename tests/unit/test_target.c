/* target/target_assess: the state of the sources that scan this machine. A scan that takes too
 * long is reported, whatever its thread does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <uv.h>

#include "base/instant.h"
#include "model/assessment.h"
#include "model/peers.h"
#include "model/rules.h"
#include "session/params.h"
#include "target/target.h"
#include "target/target_assess.h"

struct clients;
struct pages;

static int64_t busy_for;     /* µs since the scan under way began */
static struct peers *latest; /* what the last scan found; NULL: none has ended */

int64_t __wrap_clients_busy_for(const struct clients *clients);
int64_t __wrap_pages_busy_for(const struct pages *pages);
const struct peers *__wrap_clients_latest(const struct clients *clients);

int64_t __wrap_clients_busy_for(const struct clients *clients)
{
	(void)clients;
	return busy_for;
}

int64_t __wrap_pages_busy_for(const struct pages *pages)
{
	(void)pages;
	return busy_for;
}

const struct peers *__wrap_clients_latest(const struct clients *clients)
{
	(void)clients;
	return latest;
}

static void on_assessed(void *data)
{
	(void)data;
}

static const struct source_state *find_source(const struct target *target, const char *name)
{
	const struct assessment *assessment = target_assessment(target);
	for (size_t i = 0; i < assessment->n_sources; i++)
		if (strcmp(assessment->sources[i].name, name) == 0)
			return &assessment->sources[i];
	fail_msg("no source %s", name);
	return NULL;
}

static void check(struct target *target, int64_t busy, enum source_status expected)
{
	busy_for = busy;
	target_assess(target);
	const struct source_state *peers = find_source(target, "peers");
	assert_int_equal(peers->status, expected);
	if (expected == SOURCE_STALE || expected == SOURCE_FAILED)
		assert_string_equal(
			peers->error, "reading this machine's processes takes too long");
}

static void a_scan_that_takes_too_long_is_stale(void **state)
{
	static const struct rules rules;
	(void)state;
	uv_loop_t loop;
	struct params params = { 0 };
	assert_int_equal(uv_loop_init(&loop), 0);
	params_set(&params, "host", "127.0.0.1");
	const struct target_options options = {
		.params = &params,
		.rules = &rules,
		.interval = USEC_PER_SEC,
		.assessed = on_assessed,
	};
	struct target *target = target_new(&loop, &options);

	/* two intervals, and two seconds at least */
	check(target, 0, SOURCE_WAITING);
	check(target, 2 * USEC_PER_SEC, SOURCE_WAITING);
	check(target, 2 * USEC_PER_SEC + 1, SOURCE_FAILED);
	assert_int_equal(find_source(target, "pages")->status, SOURCE_FAILED);
	latest = peers_new();
	latest->tcp_known = latest->unix_known = true;
	check(target, 0, SOURCE_OK);
	check(target, 2 * USEC_PER_SEC + 1, SOURCE_STALE);
	target_set_interval(target, 10 * USEC_PER_SEC);
	check(target, 20 * USEC_PER_SEC, SOURCE_OK);
	check(target, 20 * USEC_PER_SEC + 1, SOURCE_STALE);

	target_free(target);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
	peers_unref(latest);
	params_clear(&params);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_scan_that_takes_too_long_is_stale),
	};
	return cmocka_run_group_tests_name("target", tests, NULL, NULL);
}

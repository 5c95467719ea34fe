/* modes/shutdown_options: the defaults and the limits of --shutdown-test's options. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/instant.h"
#include "modes/options.h"
#include "modes/shutdown_options.h"

#define MOST_WORDS 16

static int read_words(const char *const *words, struct shutdown_options *ret_options)
{
	char *argv[MOST_WORDS + 4] = { (char *)"dbtop", (char *)"--shutdown-test" };
	int count = 2;
	for (; *words; words++)
		argv[count++] = (char *)*words;
	argv[count++] = (char *)"--";
	argv[count++] = (char *)"true";
	struct options options;
	assert_int_equal(options_parse(count, argv, &options), 0);
	return shutdown_options_read(&options, false, ret_options);
}

#define READ(options, ...)                                                                         \
	assert_int_equal(read_words((const char *const[MOST_WORDS]){ __VA_ARGS__ }, &(options)), 0)

static void the_defaults_are_those_of_the_manual(void **state)
{
	(void)state;
	struct shutdown_options options;
	READ(options, NULL);
	assert_int_equal(options.signal_number, SIGINT);
	assert_int_equal(options.ready, 1);
	assert_int_equal(options.rounds, 1);
	assert_int_equal(options.after, 0);
	assert_int_equal(options.ready_timeout, 60 * USEC_PER_SEC);
	assert_int_equal(options.timeout, 10 * USEC_PER_SEC);
	assert_false(options.unlimited);
	assert_false(options.rules.strict);
	assert_int_equal(options.rules.n_expected, 0);
}

/* A terminal and systemd signal the group; docker and Kubernetes the first process. */
static void the_target_follows_the_signal(void **state)
{
	(void)state;
	static const struct {
		const char *signal, *target;
		int number;
		bool alone;
	} cases[] = {
		{ "INT", NULL, SIGINT, false },
		{ "SIGQUIT", NULL, SIGQUIT, false },
		{ "hup", NULL, SIGHUP, false },
		{ "TERM", NULL, SIGTERM, true },
		{ "KILL", NULL, SIGKILL, true },
		{ "15", NULL, SIGTERM, true },
		{ "INT", "leader", SIGINT, true },
		{ "TERM", "group", SIGTERM, false },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct shutdown_options options;
		READ(options, "--signal", cases[i].signal, cases[i].target ? "--target" : NULL,
			cases[i].target);
		if (options.signal_number != cases[i].number || options.alone != cases[i].alone)
			fail_msg("%s: %d, %d", cases[i].signal, options.signal_number,
				options.alone);
	}
}

/* A job that ends by itself may take any time, unless one is given. */
static void without_a_signal_there_is_no_limit(void **state)
{
	(void)state;
	struct shutdown_options options;
	READ(options, "--signal", "none", "--ready-timeout", "300");
	assert_int_equal(options.signal_number, 0);
	assert_true(options.unlimited);
	assert_int_equal(options.ready_timeout, 300 * USEC_PER_SEC);
	READ(options, "--signal", "none", "--timeout", "600");
	assert_false(options.unlimited);
	assert_int_equal(options.timeout, 600 * USEC_PER_SEC);
}

static void an_end_is_a_status_or_a_death(void **state)
{
	(void)state;
	struct shutdown_options options;
	READ(options, "--expect", "0", "--expect", "255", "--expect", "TERM", "--expect",
		"sigkill");
	const struct shutdown_end *ends = options.rules.expected;
	assert_int_equal(options.rules.n_expected, 4);
	assert_true(!ends[0].by_signal && ends[0].number == 0);
	assert_true(!ends[1].by_signal && ends[1].number == 255);
	assert_true(ends[2].by_signal && ends[2].number == SIGTERM);
	assert_true(ends[3].by_signal && ends[3].number == SIGKILL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_defaults_are_those_of_the_manual),
		cmocka_unit_test(the_target_follows_the_signal),
		cmocka_unit_test(without_a_signal_there_is_no_limit),
		cmocka_unit_test(an_end_is_a_status_or_a_death),
	};
	return cmocka_run_group_tests_name("shutdown_options", tests, NULL, NULL);
}

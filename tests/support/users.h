/* Tests that only root can run. Who is not root does not have them in the list: a test that did not
 * run is not counted. tools/test runs the suite "rights" as root and as an ordinary user. */
#ifndef USERS_H
#define USERS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

/* The last n_roots of the n tests are root's. */
static inline int users_run_tests(const char *name, const struct CMUnitTest *tests, size_t n,
	size_t n_roots, CMFixtureFunction setup, CMFixtureFunction teardown)
{
	size_t count = getuid() == 0 ? n : n - n_roots;
	for (size_t i = count; i < n; i++)
		printf("only root runs %s\n", tests[i].name);
	fflush(stdout);
	/* what is set up for them needs root, too */
	if (count == 0)
		return 0;
	return _cmocka_run_group_tests(name, tests, count, setup, teardown);
}

#define USERS_RUN_TESTS(name, tests, n_roots, setup, teardown)                                     \
	users_run_tests(name, tests, sizeof(tests) / sizeof((tests)[0]), n_roots, setup, teardown)

#endif

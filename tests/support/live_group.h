/* The fixture of live and screen tests: one private server for all tests of a program, and after
 * each test nothing is left of it. A program of tests is no more than
 *
 *	static void nobody_is_lost(void **state) { … server … }
 *
 *	int main(void)
 *	{
 *		const struct CMUnitTest tests[] = { LIVE_TEST(nobody_is_lost) };
 *		return LIVE_GROUP("name", tests, .sql = "CREATE ROLE app LOGIN");
 *	}
 */
#ifndef LIVE_GROUP_H
#define LIVE_GROUP_H

#include "live.h"

/* All may be left out. */
struct live_group {
	const char *const *settings; /* of the server: live_server_start() */
	int oldest;                  /* major version of PostgreSQL that the tests need; 0: any */
	bool wide;                   /* live_wide_server_start() */
	const char *sql;             /* run by a superuser once the server runs: roles, tables */
	void (*set_up)(void);        /* after that */
	void (*take_down)(void);     /* before the server is stopped */
	void (*clean_up)(void);      /* after each test: what LIVE_TEST() does not know of */
	/* A condition on pg_stat_activity: the sessions of programs that set_up() started, which
	 * stay for all tests. */
	const char *kept;
	size_t root_tests; /* so many tests, the last ones, are run by root alone: users.h */
};

/* The group's server. */
extern struct private_server *server;

/* As live_conninfo() of the group's server; owned by the group. */
const char *live_group_conninfo(enum live_route route, const char *more);

/* What the group's server has logged until now; the caller frees it. */
char *live_group_log(void);

/* An application: live_client_with() by role app and under a name, with role and number as of
 * tests/live/client.c. options may be NULL. */
struct live_program *live_group_app(const struct live_program_options *options,
	enum live_route route, const char *name, const char *role, const char *number);

/* What a test leaves: its terminals, programs and PgBouncers are ended, then the sessions that do
 * not end with them; it waits until the server has none left. */
int live_group_clean_up(void **state);

#define LIVE_TEST(function) cmocka_unit_test_teardown(function, live_group_clean_up)

int live_group_run(const struct live_group *group, const char *name, const struct CMUnitTest *tests,
	size_t n_tests);

#define LIVE_GROUP(name, tests, ...)                                                               \
	live_group_run(&(const struct live_group){ __VA_ARGS__ }, name, tests,                     \
		sizeof(tests) / sizeof((tests)[0]))

#endif

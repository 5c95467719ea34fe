/* README.md's example of libdbpool is built and run as it is printed. */
#include "live_group.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"

#ifndef SANITIZE
#define SANITIZE ""
#endif

/* Returns the text between ```c and ```. */
static char *example(void)
{
	CLEANUP(cleanup_free) char *readme = live_read("README.md");
	assert_non_null(readme);
	char *begin = strstr(readme, "```c\n");
	assert_non_null(begin);
	begin += strlen("```c\n");
	char *end = strstr(begin, "```");
	assert_non_null(end);
	*end = '\0';
	return mem_strdup(begin);
}

static struct live_run shell(const char *command, const char *const *env)
{
	const char *argv[] = { "/bin/sh", "-c", command, NULL };
	const struct live_program_options options = {
		.argv = argv, .env = env, .folder = live_folder()
	};
	return live_run(&options, 60000);
}

static void assert_run(struct live_run run, const char *out)
{
	if (run.status != 0 || strcmp(run.out, out) != 0)
		fail_msg("status %d: %s%s", run.status, run.out, run.err);
	live_run_clear(&run);
}

static void the_example_works(void **state)
{
	CLEANUP(cleanup_free) char *source = example();
	free(live_file(live_folder(), "hello.c", source));
	CLEANUP(cleanup_free)
	char *host = mem_printf("PGHOST=%s", private_server_folder(server));
	CLEANUP(cleanup_free) char *port = mem_printf("PGPORT=%d", private_server_port(server));
	const char *const build[] = { "PKG_CONFIG_PATH=" PKG_CONFIG_PATH, NULL };
	const char *const env[] = { host, port, "PGUSER=postgres", "PGDATABASE=postgres",
		"XDG_RUNTIME_DIR", NULL };
	(void)state;
	assert_run(shell("cc -Wall -Wextra -Werror " SANITIZE " hello.c"
			 " $(pkg-config --cflags --libs dbpool) -o hello"
			 " -Wl,-rpath,$(pkg-config --variable=libdir dbpool)"
			 " -Wl,-rpath," PKG_CONFIG_PATH "/../src/dbpool",
			   build),
		"");
	assert_run(shell("./hello", env), "hello from postgres\n");
	assert_int_equal(live_sessions(server, NULL), 0);
	/* and without a server */
	const char *const nowhere[] = { host, "PGPORT=1", "XDG_RUNTIME_DIR", NULL };
	struct live_run run = shell("./hello", nowhere);
	assert_int_equal(run.status, 1);
	assert_non_null(strstr(run.err, "no pool: server unreachable: "));
	live_run_clear(&run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LIVE_TEST(the_example_works),
	};
	return LIVE_GROUP("dbpool_readme", tests, .sql = NULL);
}

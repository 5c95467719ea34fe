/* The examples of README.md and docs/libdbpool.md are built and run as they are printed: against
 * the build folder, and after an installation into a folder that the dynamic linker does not know.
 */
#include "live_group.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"

#ifndef SANITIZE
#define SANITIZE ""
#endif

#define FLAGS "-Wall -Wextra -Werror " SANITIZE

/* Writes the first block of C that has a main() to a file. */
static void extract(const char *document, const char *name)
{
	CLEANUP(cleanup_free) char *text = live_read(document);
	assert_non_null(text);
	for (char *begin = text; (begin = strstr(begin, "```c\n"));) {
		begin += strlen("```c\n");
		char *end = strstr(begin, "```");
		assert_non_null(end);
		*end = '\0';
		if (strstr(begin, "int main(")) {
			free(live_file(live_folder(), name, begin));
			return;
		}
		begin = end + 1;
	}
	fail_msg("%s has no program", document);
}

static struct live_run shell(const char *command, const char *const *env)
{
	const char *argv[] = { "/bin/sh", "-c", command, NULL };
	const struct live_program_options options = {
		.argv = argv, .env = env, .folder = live_folder()
	};
	return live_run(&options, 100000);
}

static void assert_run(struct live_run run, const char *out)
{
	if (run.status != 0 || (out && strcmp(run.out, out) != 0))
		fail_msg("status %d: %s%s", run.status, run.out, run.err);
	live_run_clear(&run);
}

static void build(const char *source, const char *program)
{
	CLEANUP(cleanup_free)
	char *command = mem_printf("cc " FLAGS " %s $(pkg-config --cflags --libs dbpool) -o %s"
				   " -Wl,-rpath," PKG_CONFIG_PATH "/../src/dbpool",
		source, program);
	const char *const env[] = { "PKG_CONFIG_PATH=" PKG_CONFIG_PATH, NULL };
	assert_run(shell(command, env), "");
}

/* The environment in which a program finds the server. */
struct environment {
	char *host, *port;
	const char *env[7];
};

static struct environment environment(void)
{
	struct environment e = { mem_printf("PGHOST=%s", private_server_folder(server)),
		mem_printf("PGPORT=%d", private_server_port(server)), { NULL } };
	const char *const env[] = { e.host, e.port, "PGUSER=postgres", "PGDATABASE=postgres",
		"XDG_RUNTIME_DIR", "LD_LIBRARY_PATH", NULL };
	memcpy(e.env, env, sizeof(env));
	return e;
}

static void environment_clear(struct environment *e)
{
	free(e->host);
	free(e->port);
}

static void the_example_works(void **state)
{
	struct environment e = environment();
	(void)state;
	extract("README.md", "hello.c");
	build("hello.c", "hello");
	assert_run(shell("./hello", e.env), "hello from postgres\n");
	assert_int_equal(live_sessions(server, NULL), 0);
	/* and without a server */
	const char *const nowhere[] = { e.host, "PGPORT=1", "XDG_RUNTIME_DIR", NULL };
	struct live_run run = shell("./hello", nowhere);
	assert_int_equal(run.status, 1);
	assert_non_null(strstr(run.err, "no pool: server unreachable: "));
	live_run_clear(&run);
	environment_clear(&e);
}

/* In a prefix of its own: neither ldconfig nor LD_LIBRARY_PATH knows the library. */
static void it_works_after_an_installation(void **state)
{
	struct environment e = environment();
	CLEANUP(cleanup_free)
	char *install =
		mem_printf("meson install -C %s --no-rebuild --quiet --tags runtime,devel"
			   " --destdir %s/installed && sed -i \"s|^prefix=|&$PWD/installed|\""
			   " $(find installed -name '*.pc')",
			BUILD_ROOT, live_folder());
	(void)state;
	assert_run(shell(install, NULL), NULL);
	extract("README.md", "hello.c");
	assert_run(shell("PKG_CONFIG_PATH=$(dirname $(find $PWD/installed -name dbpool.pc)) &&"
			 " export PKG_CONFIG_PATH &&"
			 " cc " FLAGS
			 " hello.c $(pkg-config --cflags --libs dbpool) -o installed-hello",
			   NULL),
		"");
	assert_run(
		shell("ldd installed-hello | grep -q \"libdbpool.so.0 => $PWD/installed/\"", e.env),
		"");
	assert_run(shell("./installed-hello", e.env), "hello from postgres\n");
	environment_clear(&e);
}

/* The example of libdboutbox, with what the test before has installed. */
static void so_does_the_outbox(void **state)
{
	struct environment e = environment();
	(void)state;
	assert_run(shell("PKG_CONFIG_PATH=$(dirname $(find $PWD/installed -name dboutbox.pc)) &&"
			 " export PKG_CONFIG_PATH && cc " FLAGS " " SOURCE_ROOT
			 "/examples/readings.c $(pkg-config --cflags --libs dboutbox) -o readings",
			   NULL),
		"");
	assert_run(shell("ldd readings | grep -c \"/installed/\"", e.env), "2\n");
	assert_run(shell("./readings '' file 3 90", e.env),
		"stored 3 readings, 0 writes wait in file\n");
	environment_clear(&e);
}

/* The program of its manual: without a server, then with one. */
static void so_does_the_outboxs_manual(void **state)
{
	struct environment e = environment();
	const char *const nowhere[] = { e.host, "PGPORT=1", "XDG_RUNTIME_DIR", NULL };
	(void)state;
	live_manual_example("docs/dboutbox.3", "#include <dboutbox.h>", "orders.c");
	assert_run(shell("PKG_CONFIG_PATH=$(dirname $(find $PWD/installed -name dboutbox.pc)) &&"
			 " export PKG_CONFIG_PATH && cc " FLAGS
			 " orders.c $(pkg-config --cflags --libs dboutbox) -o orders",
			   NULL),
		"");
	assert_run(shell("./orders 41", nowhere), "1 left, 0 rejected\n");
	struct live_run run = shell("./orders 42", e.env);
	assert_int_equal(run.status, 0);
	live_run_clear(&run);
	/* a busy machine may need longer than the program waits: the file is sent as it closes */
	PGconn *conn = live_connect(live_group_conninfo(LIVE_TCP4, NULL));
	assert_int_equal(live_number(conn, "SELECT sum(id) FROM orders WHERE state = 'paid'"), 83);
	live_disconnect(conn);
	environment_clear(&e);
}

/* The guide's worker flushes what it has not written, whatever moment the signal comes at. */
static void the_guides_worker_works(void **state)
{
	struct environment e = environment();
	CLEANUP(cleanup_free) char *path = mem_printf("%s/worker", live_folder());
	const char *const argv[] = { path, NULL };
	const struct live_program_options options = { .argv = argv, .env = e.env };
	static const int signals[] = { SIGTERM, SIGINT };
	(void)state;
	extract("docs/libdbpool.md", "worker.c");
	build("worker.c", "worker");
	for (size_t i = 0; i < 2; i++) {
		struct live_program *worker = live_start(&options);
		live_wait_err(worker, "SIGINT, SIGTERM and exit() shut it down", 30000);
		live_wait_sessions(server, "application_name LIKE 'worker/%'", 1, 20000);
		live_signal(worker, signals[i]);
		int status = live_finish(worker, 30000);
		if (status != 0)
			fail_msg("status %d: %s", status, live_err(worker));
		assert_int_equal(live_sessions(server, NULL), 0);
		live_free(worker);
	}
	environment_clear(&e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LIVE_TEST(the_example_works),
		LIVE_TEST(it_works_after_an_installation),
		LIVE_TEST(so_does_the_outbox),
		LIVE_TEST(so_does_the_outboxs_manual),
		LIVE_TEST(the_guides_worker_works),
	};
	return LIVE_GROUP("dbpool_readme", tests,
		.sql = "CREATE TABLE entries (at timestamptz);"
		       "CREATE TABLE orders (id int, state text)");
}

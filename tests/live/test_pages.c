/* Pools of Python, watched by dbtop_pages: dbtop shows a forgotten checkout with its file and line
 * as soon as its limit is over, and no longer when it is given back; pages of closed pools, killed
 * processes and forked workers. And a C program with libdbpage, the example of its manual. */
#include "live_group.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "page/layout.h"

#define TIMEOUT 120000
#define LIMIT   2.0 /* seconds, of forgetful.py */

static const char *conninfo;
static char *folder; /* of the pages */
static const char *const pools[] = { "psycopg", "psycopg_context", "psycopg_async", "psycopg2",
	"asyncpg", "sqlalchemy", "sqlalchemy_session", "sqlalchemy_async" };

#define N_POOLS (sizeof(pools) / sizeof(pools[0]))

/* --- programs --- */

/* The sanitizer's library must be the first one of a program that is not built with it. */
#ifndef SANITIZE
#define SANITIZE ""
#endif

#ifdef PRELOAD
#define SANITIZED "LD_PRELOAD=" PRELOAD, "ASAN_OPTIONS=detect_leaks=0",
#else
#define SANITIZED
#endif

static struct live_program *start(const char *const *argv, const char *more)
{
	CLEANUP(cleanup_free) char *runtime = mem_printf("XDG_RUNTIME_DIR=%s", live_folder());
	const char *env[] = { SANITIZED "PYTHONPATH=python:tests/python",
		"PYTHONDONTWRITEBYTECODE=1", "DBTOP_PAGES_LIBRARY=" LIBDBPAGE_PATH, runtime, more,
		NULL };
	return live_start(&(struct live_program_options){ .argv = argv, .env = env });
}

static struct live_program *start_forgetful(const char *pool, const char *way)
{
	const char *argv[] = { "/usr/bin/python3", "tests/python/forgetful.py", pool, way, NULL };
	struct live_program *program = start(argv, NULL);
	live_wait_out(program, "ready\n", TIMEOUT);
	return program;
}

static struct live_program *start_dbtop(const char *way)
{
	return live_dbtop_start(
		NULL, "--json", "--follow", "-i", "0.2", "--pages", folder, way, NULL);
}

static unsigned count_pages(void)
{
	unsigned n = 0;
	DIR *dir = opendir(folder);
	for (struct dirent *entry; dir && (entry = readdir(dir));)
		n += strstr(entry->d_name, ".page") != NULL;
	if (dir)
		closedir(dir);
	return n;
}

/* --- what dbtop says --- */

struct forgotten {
	long pid;     /* the process */
	char *site;   /* "forgetful.py:41", with what follows */
	bool is_seen; /* its site was marked */
	bool wanted;
	char wrong[256];
};

static json_t *connection_in_use(json_t *root, long pid)
{
	size_t i;
	json_t *connection;
	json_array_foreach(json_object_get(root, "connections"), i, connection)
	{
		const char *state = live_text(connection, "pool.state");
		if (json_integer_value(live_member(connection, "pool.page")) == pid && state &&
			strcmp(state, "in_use") == 0)
			return connection;
	}
	return NULL;
}

static bool is_marked(json_t *connection)
{
	const char *reason = live_text(connection, "reason");
	return reason && strcmp(reason, "held_too_long") == 0;
}

/* When the page was read the hold was this long; how long the session was at rest by then. */
static double held(json_t *root, json_t *connection, long pid)
{
	json_t *pool = live_find_number(root, "pools", "pid", pid);
	double seconds = json_number_value(live_member(connection, "pool.held_seconds")) -
		(double)json_integer_value(live_member(pool, "age_ms")) / 1000;
	double rest = json_number_value(live_member(connection, "seconds"));
	return rest < seconds ? rest : seconds;
}

static void set_wrong(struct forgotten *forgotten, json_t *connection, const char *what)
{
	CLEANUP(cleanup_free) char *text = json_dumps(connection, 0);
	if (!forgotten->wrong[0])
		snprintf(forgotten->wrong, sizeof(forgotten->wrong), "%s: %.200s", what, text);
}

/* Where the page was read before the row was, dbtop does not judge by it. */
static bool is_page_newer(json_t *root, long pid)
{
	json_t *activity = live_find_text(root, "sources", "name", "activity");
	json_t *pool = live_find_number(root, "pools", "pid", pid);
	return json_integer_value(live_member(pool, "age_ms")) <
		json_integer_value(live_member(activity, "age_ms"));
}

static bool has_site(json_t *connection, const struct forgotten *forgotten)
{
	const char *site = live_text(connection, "pool.site");
	return site && strcmp(site, forgotten->site) == 0;
}

/* Each refresh is right: marked from the first one after the limit, and not before. */
static void check_mark(struct forgotten *forgotten, json_t *root, json_t *connection)
{
	double seconds = held(root, connection, forgotten->pid);
	bool marked = is_marked(connection);
	if (marked && seconds < LIMIT - 0.01)
		set_wrong(forgotten, connection, "marked too early");
	if (!marked && seconds > LIMIT + 0.01 && is_page_newer(root, forgotten->pid))
		set_wrong(forgotten, connection, "not marked");
	if (marked && strcmp(live_text(connection, "certainty"), "declared") != 0)
		set_wrong(forgotten, connection, "another certainty");
	/* Before, it may be one of the checkouts that were given back. A slow server lets these
	 * pass the limit, too. */
	forgotten->is_seen |= marked && has_site(connection, forgotten);
	if (marked && forgotten->is_seen && !has_site(connection, forgotten))
		set_wrong(forgotten, connection, "another site");
}

static bool is_as_wanted(json_t *root, void *data)
{
	struct forgotten *forgotten = data;
	json_t *connection = connection_in_use(root, forgotten->pid);
	if (connection)
		check_mark(forgotten, root, connection);
	return forgotten->wanted
		? connection && is_marked(connection) && has_site(connection, forgotten)
		: !connection && live_find_number(root, "pools", "pid", forgotten->pid);
}

static json_t *await(struct live_program *dbtop, struct forgotten *forgotten, bool wanted)
{
	forgotten->wanted = wanted;
	json_t *root = live_await_json(dbtop, is_as_wanted, forgotten,
		wanted ? "the forgotten checkout" : "that it was given back", TIMEOUT);
	if (forgotten->wrong[0])
		fail_msg("%s", forgotten->wrong);
	return root;
}

static struct forgotten forgotten_by(struct live_program *program, const char *pool)
{
	const char *line = strstr(live_out(program), "line ");
	assert_non_null(line);
	const char *task = strcmp(pool, "asyncpg") == 0 ? " (nightly)"
		: strstr(pool, "async")                 ? " (Task-1)"
							: "";
	return (struct forgotten){ .pid = live_pid(program),
		.site = mem_printf("forgetful.py:%ld%s", strtol(line + 5, NULL, 10), task) };
}

/* Of the two connections one is in use and one in the reserve, whatever pool it is. */
static void check_pool(json_t *root, long pid, long in_use)
{
	json_t *pool = live_find_number(root, "pools", "pid", pid);
	assert_non_null(pool);
	assert_string_equal(live_text(pool, "name"), "forgetful");
	assert_int_equal(json_integer_value(live_member(pool, "in_use")), in_use);
	assert_int_equal(json_integer_value(live_member(pool, "idle")), 2 - in_use);
	assert_int_equal(json_integer_value(live_member(pool, "max")), 2);
}

/* Of the only page; open, so that it can be read when it has been removed. */
static int open_page(void)
{
	int fd = -1;
	DIR *dir = opendir(folder);
	assert_non_null(dir);
	for (struct dirent *entry; fd < 0 && (entry = readdir(dir));)
		if (strstr(entry->d_name, ".page"))
			fd = openat(dirfd(dir), entry->d_name, O_RDONLY | O_CLOEXEC);
	closedir(dir);
	assert_true(fd >= 0);
	return fd;
}

static uint32_t phase_of(int fd)
{
	uint32_t phase = 0;
	assert_int_equal(pread(fd, &phase, sizeof(phase), offsetof(struct page, totals.phase)),
		(int)sizeof(phase));
	return phase;
}

static void play(const char *pool, struct live_program *dbtop)
{
	struct live_program *program = start_forgetful(pool, conninfo);
	struct forgotten forgotten = forgotten_by(program, pool);
	json_t *root = await(dbtop, &forgotten, true);
	check_pool(root, forgotten.pid, 1);
	json_decref(root);
	live_signal(program, SIGUSR1);
	live_wait_out(program, "back\n", TIMEOUT);
	root = await(dbtop, &forgotten, false);
	check_pool(root, forgotten.pid, 0);
	json_decref(root);
	CLEANUP(cleanup_fd) int page = open_page();
	assert_int_equal(count_pages(), 1);
	assert_int_equal(phase_of(page), PAGE_RUNNING);
	live_signal(program, SIGUSR2);
	live_wait_out(program, "closed\n", TIMEOUT);
	assert_int_equal(count_pages(), 0);
	assert_int_equal(phase_of(page), PAGE_DONE);
	live_free(program);
	free(forgotten.site);
}

static void a_forgotten_checkout_is_shown_until_it_is_back(void **state)
{
	(void)state;
	struct live_program *dbtop = start_dbtop(conninfo);
	for (size_t i = 0; i < N_POOLS; i++) {
		print_message("%s\n", pools[i]);
		play(pools[i], dbtop);
	}
}

/* --- ends --- */

static bool is_dead(json_t *root, void *data)
{
	json_t *pool = live_find_number(root, "pools", "pid", *(long *)data);
	const char *status = pool ? live_text(pool, "page_status") : NULL;
	return status && strcmp(status, "dead") == 0;
}

/* The server notices that its client is gone when it wants to answer: not before this ends. */
static void a_killed_process_leaves_its_page(void **state)
{
	(void)state;
	struct live_program *program = start_forgetful("psycopg", conninfo);
	long pid = live_pid(program);
	struct live_program *dbtop = start_dbtop(conninfo);
	live_signal(program, SIGKILL);
	(void)live_finish(program, TIMEOUT);
	json_t *root = live_await_json(dbtop, is_dead, &pid, "the dead page", TIMEOUT);
	json_t *pool = live_find_number(root, "pools", "pid", pid);
	assert_string_equal(live_text(pool, "name"), "forgetful");
	assert_int_equal(json_integer_value(live_member(pool, "in_use")), 1);
	json_decref(root);
	assert_int_equal(count_pages(), 1);
}

/* Ended by an exception or by sys.exit(), the interpreter removes the page. */
static void an_interpreter_that_ends_removes_its_page(void **state)
{
	(void)state;
	const char *argv[] = { "/usr/bin/python3", "-c",
		"import glob, os, sys, psycopg2.pool, dbtop_pages\n"
		"pool = psycopg2.pool.SimpleConnectionPool(1, 1, sys.argv[1])\n"
		"dbtop_pages.watch(pool)\n"
		"connection = pool.getconn()\n"
		"assert glob.glob(os.environ['XDG_RUNTIME_DIR'] + '/dbpool/*.page')\n"
		"sys.exit(7)\n",
		conninfo, NULL };
	struct live_program *program = start(argv, NULL);
	assert_int_equal(live_finish(program, TIMEOUT), 7);
	assert_int_equal(count_pages(), 0);
}

/* --- PgBouncer --- */

static bool has_the_pool(json_t *root, void *data)
{
	json_t *pool = live_find_number(root, "pools", "pid", *(long *)data);
	return pool && json_integer_value(live_member(pool, "in_use")) == 1 &&
		json_array_size(json_object_get(root, "connections")) > 1;
}

/* The pids on the page are PgBouncer's invention: no session is taken for a slot's. */
static void behind_pgbouncer_nothing_wrong_is_matched(void **state)
{
	(void)state;
	struct live_pgbouncer *pgbouncer = live_pgbouncer_start(server, NULL);
	CLEANUP(cleanup_free)
	char *way = live_pgbouncer_conninfo(pgbouncer, LIVE_TCP4, "user=app dbname=postgres");
	static const char *const through[] = { "psycopg", "psycopg2", "sqlalchemy" };
	for (size_t i = 0; i < sizeof(through) / sizeof(through[0]); i++) {
		struct live_program *program = start_forgetful(through[i], way);
		long pid = live_pid(program);
		struct live_program *dbtop = start_dbtop(conninfo);
		json_t *connection,
			*root = live_await_json(dbtop, has_the_pool, &pid, "the pool", TIMEOUT);
		size_t n;
		json_array_foreach(json_object_get(root, "connections"), n, connection)
		{
			assert_true(!live_member(connection, "pool.page"));
			assert_false(is_marked(connection));
		}
		json_decref(root);
		live_free(dbtop);
		live_free(program);
	}
}

/* --- workers --- */

#define WORKERS 4

struct workers {
	long pids[WORKERS];
	size_t n;
	long master;
};

/* One worker answers; which one is the kernel's choice. */
static long ask(int port, const char *path)
{
	CLEANUP(cleanup_free) char *url = mem_printf("http://127.0.0.1:%d%s", port, path);
	const char *argv[] = { "/usr/bin/python3", "-c",
		"import sys, urllib.request; "
		"print(urllib.request.urlopen(sys.argv[1]).read().decode())",
		url, NULL };
	struct live_run run = live_run(&(struct live_program_options){ .argv = argv }, TIMEOUT);
	if (run.status != 0)
		fail_msg("%s: %s", url, run.err);
	long pid = strtol(run.out, NULL, 10);
	live_run_clear(&run);
	return pid;
}

static void note_worker(struct workers *workers, long pid)
{
	for (size_t i = 0; i < workers->n; i++)
		if (workers->pids[i] == pid)
			return;
	assert_true(workers->n < WORKERS);
	workers->pids[workers->n++] = pid;
}

/* Each page is a worker's; the master, which only made the pool, has none. */
static bool are_four_right_pages(json_t *root, void *data)
{
	const struct workers *workers = data;
	size_t right = 0;
	for (size_t i = 0; i < workers->n; i++) {
		json_t *connection = connection_in_use(root, workers->pids[i]);
		const char *site = connection ? live_text(connection, "pool.site") : NULL;
		right += connection && is_marked(connection) && site &&
			strcmp(site, "web.py:18") == 0 &&
			json_integer_value(live_member(connection, "process.pid")) ==
				workers->pids[i];
	}
	return right == WORKERS && json_array_size(json_object_get(root, "pools")) == WORKERS;
}

static void each_worker_of_gunicorn_has_its_page(void **state)
{
	(void)state;
	int port = live_free_port();
	CLEANUP(cleanup_free) char *bind = mem_printf("127.0.0.1:%d", port);
	CLEANUP(cleanup_free) char *environment = mem_printf("CONNINFO=%s", conninfo);
	const char *argv[] = { "/usr/bin/python3", "-m", "gunicorn", "--preload", "--workers", "4",
		"--timeout", "600", "--graceful-timeout", "600", "--bind", bind, "web:application",
		NULL };
	struct live_program *gunicorn = start(argv, environment);
	live_wait_err(gunicorn, "Listening at", TIMEOUT);
	assert_int_equal(count_pages(), 0);
	/* A worker that has forgotten both of its connections would wait for one. So each is asked
	 * to forget once, and then stopped until all have. */
	struct workers workers = { .master = live_pid(gunicorn) };
	while (workers.n < WORKERS) {
		long pid = ask(port, "/forget");
		note_worker(&workers, pid);
		assert_int_equal(kill((pid_t)pid, SIGSTOP), 0);
	}
	for (size_t i = 0; i < WORKERS; i++)
		assert_int_equal(kill((pid_t)workers.pids[i], SIGCONT), 0);
	struct live_program *dbtop = start_dbtop(conninfo);
	json_decref(live_await_json(
		dbtop, are_four_right_pages, &workers, "four right pages", TIMEOUT));
	assert_int_equal(count_pages(), WORKERS);
	live_signal(gunicorn, SIGTERM);
	assert_int_equal(live_finish(gunicorn, TIMEOUT), 0);
	assert_int_equal(count_pages(), 0);
}

/* --- C --- */

static bool is_at_the_examples_line(json_t *root, void *data)
{
	json_t *connection = connection_in_use(root, *(long *)data);
	const char *site = connection ? live_text(connection, "pool.site") : NULL;
	return site && strcmp(site, "example.c:25") == 0;
}

static void the_manuals_example_works(void **state)
{
	(void)state;
	live_manual_example("docs/dbpage.3", "#include <dbpage.h>", "example.c");
	CLEANUP(cleanup_free)
	char *command =
		mem_printf("cc -Wall -Wextra -Werror " SANITIZE
			   " %s/example.c $(pkg-config --cflags --libs dbpage"
			   " libpq) -o %s/example -Wl,-rpath," PKG_CONFIG_PATH "/../src/dbpage",
			live_folder(), live_folder());
	const char *build[] = { "/bin/sh", "-c", command, NULL };
	const char *path[] = { "PKG_CONFIG_PATH=" PKG_CONFIG_PATH, NULL };
	struct live_run run =
		live_run(&(struct live_program_options){ .argv = build, .env = path }, TIMEOUT);
	if (run.status != 0)
		fail_msg("%s", run.err);
	live_run_clear(&run);

	CLEANUP(cleanup_free) char *program = mem_printf("%s/example", live_folder());
	CLEANUP(cleanup_free) char *runtime = mem_printf("XDG_RUNTIME_DIR=%s", live_folder());
	CLEANUP(cleanup_free) char *port = mem_printf("PGPORT=%d", private_server_port(server));
	const char *argv[] = { program, NULL };
	const char *env[] = { runtime, port, "PGHOST=127.0.0.1", "PGUSER=postgres",
		"PGDATABASE=postgres", NULL };
	struct live_program *example = live_start(
		&(struct live_program_options){ .argv = argv, .env = env, .terminal = true });
	live_wait_out(example, "borrowed", TIMEOUT);
	long pid = live_pid(example);
	json_decref(live_await_json(start_dbtop(conninfo), is_at_the_examples_line, &pid,
		"the example's checkout", TIMEOUT));
	live_type(example, "\n");
	int status = live_finish(example, TIMEOUT);
	if (status != 0)
		fail_msg("status %d: %s", status, live_err(example));
	assert_int_equal(count_pages(), 0);
}

/* --- pip --- */

static void pip_installs_the_package(void **state)
{
	(void)state;
	CLEANUP(cleanup_free)
	char *command = mem_printf("/usr/bin/python3 -m venv %s/venv && cp -r python %s/source && "
				   "%s/venv/bin/pip install --no-index --quiet %s/source && "
				   "cd / && PYTHONPATH= %s/venv/bin/python -c '"
				   "import dbtop_pages; print(dbtop_pages.__file__)'",
		live_folder(), live_folder(), live_folder(), live_folder(), live_folder());
	const char *argv[] = { "/bin/sh", "-c", command, NULL };
	struct live_program *program = start(argv, NULL);
	int status = live_finish(program, TIMEOUT);
	if (status != 0 || !strstr(live_out(program), "/venv/lib/"))
		fail_msg("status %d: %s%s", status, live_out(program), live_err(program));
}

/* --- all --- */

static void set_up(void)
{
	conninfo = live_group_conninfo(LIVE_TCP4, NULL);
	folder = mem_printf("%s/dbpool", live_folder());
}

static void take_down(void)
{
	free(folder);
}

/* Removes the pages of killed processes, which the next test must not see. */
static void clean_up(void)
{
	CLEANUP(cleanup_free) char *command = mem_printf("rm -f %s/*.page", folder);
	assert_int_equal(system(command), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LIVE_TEST(a_forgotten_checkout_is_shown_until_it_is_back),
		LIVE_TEST(a_killed_process_leaves_its_page),
		LIVE_TEST(an_interpreter_that_ends_removes_its_page),
		LIVE_TEST(behind_pgbouncer_nothing_wrong_is_matched),
		LIVE_TEST(each_worker_of_gunicorn_has_its_page),
		LIVE_TEST(the_manuals_example_works),
		LIVE_TEST(pip_installs_the_package),
	};
	return LIVE_GROUP("pages", tests, .wide = true, .sql = "CREATE ROLE app LOGIN",
		.set_up = set_up, .take_down = take_down, .clean_up = clean_up);
}

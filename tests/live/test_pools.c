/* Pools of libdbpool and PgBouncer beside plain clients: who is behind each connection, refresh
 * after refresh, while clients come and go; and what was borrowed and forgotten. */
#include "live_group.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/mem.h"

#define REFRESHES 500
#define MANY      50

static char *folder; /* of the pages */

static struct live_program *start_pool(const char *conninfo, const char *name, const char *role)
{
	const char *const argv[] = { PAGED_CLIENT_PATH, conninfo, folder, name, role, NULL };
	struct live_program *program = live_start(&(struct live_program_options){ .argv = argv });
	live_wait_out(program, "ready\n", 30000);
	return program;
}

static struct live_program *start_psql(const char *conninfo)
{
	const char *const argv[] = { "psql", "-X", "-d", conninfo, "-c",
		"SELECT pg_sleep(3600) AS psql", NULL };
	return live_start(&(struct live_program_options){ .argv = argv });
}

/* Who is expected behind a connection, by its application_name. */
struct expected {
	const char *application; /* its name; "NAME/" for a pool's slots */
	long pid;
	const char *matched_by;
};

struct tally {
	const struct expected *expected;
	size_t n_expected;
	long pgbouncer; /* its pid */
	long seen[16];  /* of each expected one */
	long linked, not_certain;
	int lines;
};

static void wrong(json_t *connection, const char *why)
{
	char *text = json_dumps(connection, JSON_INDENT(1));
	fail_msg("%s: %s", why, text);
	free(text);
}

static void check_direct(json_t *connection, const char *name, struct tally *tally)
{
	for (size_t i = 0; i < tally->n_expected; i++) {
		const struct expected *expected = &tally->expected[i];
		size_t length = strlen(expected->application);
		bool pool = expected->application[length - 1] == '/';
		if (pool ? strncmp(name, expected->application, length) != 0
			 : strcmp(name, expected->application) != 0)
			continue;
		const char *matched = live_text(connection, "process.matched_by");
		/* a connection is looked for once it was seen */
		if (!matched)
			return;
		if (json_integer_value(live_member(connection, "process.pid")) != expected->pid)
			wrong(connection, "another process");
		/* until then its page may tell already */
		if (pool && strcmp(matched, "page") == 0)
			return;
		tally->seen[i]++;
		if (strcmp(matched, expected->matched_by) != 0)
			wrong(connection, "matched otherwise");
		json_t *page = live_member(connection, "pool.page");
		if (pool && page && json_integer_value(page) != expected->pid)
			wrong(connection, "another pool");
		if (!pool && page)
			wrong(connection, "in a pool");
		return;
	}
}

/* The client says who it is, and PgBouncer passes that on with the transaction. */
static void check_pooled(json_t *connection, const char *name, struct tally *tally)
{
	const char *matched = live_text(connection, "process.matched_by");
	long pid = json_integer_value(live_member(connection, "process.pid"));
	if (matched && strcmp(matched, "pgbouncer") == 0) {
		if (strtol(name + 2, NULL, 10) != pid)
			wrong(connection, "another client of PgBouncer");
		tally->linked++;
	} else {
		/* nothing certain is known of the client: then it is PgBouncer's, or nobody's */
		if (matched && pid != tally->pgbouncer)
			wrong(connection, "neither a client nor PgBouncer");
		tally->not_certain++;
	}
}

/* One of the two dbtops ends first: the server may have its session for a moment. */
static bool is_of_ended_dbtop(json_t *connection, const char *name)
{
	const char *reason = live_text(connection, "reason");
	return name && strcmp(name, "dbtop") == 0 && reason && strcmp(reason, "client_gone") == 0;
}

static void check_line(const char *line, size_t length, struct tally *tally)
{
	size_t i;
	json_t *connection, *root = json_loadb(line, length, 0, NULL);
	assert_non_null(root);
	tally->lines++;
	json_array_foreach(json_object_get(root, "connections"), i, connection)
	{
		const char *name = live_text(connection, "application_name");
		const char *status = live_text(connection, "status");
		if (name && strncmp(name, "c-", 2) == 0)
			check_pooled(connection, name, tally);
		else if (name)
			check_direct(connection, name, tally);
		if (strcmp(status, "leaked") == 0 && !is_of_ended_dbtop(connection, name))
			wrong(connection, "called a leak");
	}
	json_decref(root);
}

static void check_lines(const char *out, struct tally *tally)
{
	for (const char *end; (end = strchr(out, '\n')); out = end + 1)
		check_line(out, (size_t)(end - out), tally);
}

static struct live_program *start_dbtop(const char *console, const char *count)
{
	CLEANUP(cleanup_free) char *conninfo = live_conninfo(server, LIVE_TCP4, NULL);
	const char *const argv[] = { live_dbtop_path(), "--json", "-i", "0.1", "--pages", folder,
		"--pgbouncer", console, conninfo, count ? "--count" : "--follow", count, NULL };
	return live_start(&(struct live_program_options){ .argv = argv });
}

/* Whether PgBouncer named a client, for certain. */
static bool has_link(json_t *root)
{
	return live_find_text(root, "connections", "process.matched_by", "pgbouncer") != NULL;
}

struct links_awaited {
	struct live_program *dbtop;
	size_t read; /* bytes of its output */
	int left;    /* snapshots with a link */
};

/* Each line is looked at: few have a link, and dbtop may be faster than we are. */
static bool are_enough(void *data)
{
	struct links_awaited *awaited = data;
	bool running = live_running(awaited->dbtop);
	const char *line = live_out(awaited->dbtop) + awaited->read;
	for (const char *end; awaited->left > 0 && (end = strchr(line, '\n')); line = end + 1) {
		json_t *root = json_loadb(line, (size_t)(end - line), 0, NULL);
		awaited->left -= has_link(root);
		awaited->read += (size_t)(end + 1 - line);
		json_decref(root);
	}
	return awaited->left <= 0 || !running;
}

/* Ends dbtop when so many snapshots had a certain link. A link is certain only if nothing moved
 * while it was read, which a busy machine may rarely grant: of few refreshes no share can be asked.
 */
static void await_links(struct live_program *dbtop, int count)
{
	struct links_awaited awaited = { .dbtop = dbtop, .left = count };
	(void)live_wait(are_enough, &awaited, 60000);
	if (awaited.left > 0)
		fail_msg("%d of %d snapshots with a link are missing: %s", awaited.left, count,
			live_err(dbtop));
	live_signal(dbtop, SIGTERM);
	(void)live_finish(dbtop, 30000);
}

/* Six over TCP and six over the Unix socket; to the server by either; half in ever new processes.
 */
static void start_pooled(const struct live_pgbouncer *pgbouncer)
{
	static const enum live_route routes[] = { LIVE_TCP4, LIVE_UNIX };
	static const char *const databases[] = { "dbname=postgres", "dbname=tcp" };
	for (int i = 0; i < 12; i++) {
		CLEANUP(cleanup_free)
		char *conninfo =
			live_pgbouncer_conninfo(pgbouncer, routes[i % 2], databases[i / 2 % 2]);
		(void)live_client(conninfo, "pooled", i < 6 ? "fork" : NULL, NULL);
	}
}

static void everybody_is_found_and_nobody_mistaken(void **state)
{
	(void)state;
	struct live_pgbouncer *pgbouncer = live_pgbouncer_start(server,
		(const char *const[]){ "pool_mode = transaction", "default_pool_size = 4", NULL });
	CLEANUP(cleanup_free) char *tcp = live_conninfo(server, LIVE_TCP4, NULL);
	CLEANUP(cleanup_free) char *tcp6 = live_conninfo(server, LIVE_TCP6, NULL);
	CLEANUP(cleanup_free) char *local = live_conninfo(server, LIVE_UNIX, NULL);
	CLEANUP(cleanup_free)
	char *psql_tcp = live_conninfo(server, LIVE_TCP4, "application_name=psql-tcp");
	CLEANUP(cleanup_free)
	char *psql_unix = live_conninfo(server, LIVE_UNIX, "application_name=psql-unix");
	CLEANUP(cleanup_free)
	char *plain = live_conninfo(server, LIVE_TCP4, "application_name=plain");
	const struct expected expected[] = {
		{ "one/", live_pid(start_pool(tcp, "one", "work")), "tcp" },
		{ "two/", live_pid(start_pool(local, "two", "work")), "unix" },
		{ "three/", live_pid(start_pool(tcp6, "three", "rest")), "tcp" },
		{ "psql-tcp", live_pid(start_psql(psql_tcp)), "tcp" },
		{ "psql-unix", live_pid(start_psql(psql_unix)), "unix" },
		{ "plain", live_pid(live_client(plain, "idle", NULL)), "tcp" },
	};
	start_pooled(pgbouncer);
	live_wait_sessions(server, "application_name LIKE 'psql-%'", 2, 30000);

	struct tally tally = {
		.expected = expected,
		.n_expected = sizeof(expected) / sizeof(expected[0]),
		.pgbouncer = live_pid(live_pgbouncer_program(pgbouncer)),
	};
	/* At the same time: one asks over TCP, one over the Unix socket. */
	int refreshes = live_rounds(REFRESHES);
	CLEANUP(cleanup_free) char *count = mem_printf("%d", refreshes);
	CLEANUP(cleanup_free)
	char *by_tcp = live_pgbouncer_conninfo(pgbouncer, LIVE_TCP4, "user=stats dbname=pgbouncer");
	CLEANUP(cleanup_free)
	char *by_unix =
		live_pgbouncer_conninfo(pgbouncer, LIVE_UNIX, "user=stats dbname=pgbouncer");
	struct live_program *first = start_dbtop(by_tcp, refreshes < MANY ? NULL : count);
	struct live_program *second = start_dbtop(by_unix, NULL);
	await_links(second, refreshes / 5 + 1);
	if (refreshes < MANY)
		await_links(first, refreshes / 2);
	else if (live_finish(first, 1000 * refreshes + 30000) != 0)
		fail_msg("dbtop: %s", live_err(first));
	check_lines(live_out(first), &tally);
	if (refreshes >= MANY && (tally.lines != refreshes || tally.linked < tally.lines / 2))
		fail_msg("%ld links in %d refreshes, %ld not certain", tally.linked, tally.lines,
			tally.not_certain);
	check_lines(live_out(second), &tally);
	for (size_t i = 0; i < tally.n_expected; i++)
		if (tally.seen[i] < tally.lines / 2)
			fail_msg("%s was found %ld times in %d refreshes", expected[i].application,
				tally.seen[i], tally.lines);
	print_message("%d refreshes: %ld links certain, %ld not\n", tally.lines, tally.linked,
		tally.not_certain);
}

struct forgotten {
	long pid;
	double limit;
	char *site;
	int lines_before, lines_leaked;
};

/* When the page was read the hold was this long. */
static double held_when_read(json_t *root, json_t *connection, long pid)
{
	json_t *pool = live_find_number(root, "pools", "pid", pid);
	return json_number_value(live_member(connection, "pool.held_seconds")) -
		(double)json_integer_value(live_member(pool, "age_ms")) / 1000;
}

/* Where the page was read before the row was, dbtop does not judge by it. */
static bool is_page_newer(json_t *root, long pid)
{
	json_t *activity = live_find_text(root, "sources", "name", "activity");
	json_t *pool = live_find_number(root, "pools", "pid", pid);
	return json_integer_value(live_member(pool, "age_ms")) <
		json_integer_value(live_member(activity, "age_ms"));
}

/* The compiler may have been given another path to the file. */
static bool ends_with(const char *text, const char *end)
{
	size_t length = text ? strlen(text) : 0, tail = strlen(end);
	return length >= tail && strcmp(text + length - tail, end) == 0;
}

/* Every line tells the truth: a leak from the first refresh after the limit on, and none before;
 * the reserve is never one. */
static bool is_leaked_as_it_should(json_t *root, struct forgotten *forgotten)
{
	size_t i;
	json_t *connection;
	bool leaked = false;
	json_array_foreach(json_object_get(root, "connections"), i, connection)
	{
		json_t *page = live_member(connection, "pool.page");
		if (!page || json_integer_value(page) != forgotten->pid)
			continue;
		const char *status = live_text(connection, "status");
		const char *state = live_text(connection, "pool.state");
		const char *reason = live_text(connection, "reason");
		bool told = reason && strcmp(reason, "held_too_long") == 0;
		if (strcmp(state, "in_use") != 0) {
			if (strcmp(status, "leaked") == 0 ||
				strcmp(live_text(connection, "protected"), "pool_reserve") != 0)
				wrong(connection, "the reserve is none");
			continue;
		}
		/* those that the pool was opened with were given back */
		const char *site = live_text(connection, "pool.site");
		if (site && !ends_with(site, forgotten->site))
			continue;
		double held = held_when_read(root, connection, forgotten->pid);
		double rest = json_number_value(live_member(connection, "seconds"));
		if (rest < held)
			held = rest;
		if (told && held < forgotten->limit - 0.002)
			wrong(connection, "called a leak too early");
		if (!told && held > forgotten->limit + 0.002 && is_page_newer(root, forgotten->pid))
			wrong(connection, "not called a leak");
		if (told &&
			(strcmp(live_text(connection, "reason"), "held_too_long") != 0 ||
				strcmp(live_text(connection, "certainty"), "declared") != 0))
			wrong(connection, "another reason");
		if (told && !site)
			wrong(connection, "no site");
		leaked |= told;
		forgotten->lines_before += !told;
	}
	return leaked;
}

static bool is_told(json_t *root, void *data)
{
	const struct forgotten *forgotten = data;
	json_t *told = live_find_text(root, "connections", "reason", "held_too_long");
	return told && ends_with(live_text(told, "pool.site"), forgotten->site);
}

static void the_forgotten_is_reported_with_its_line(void **state)
{
	(void)state;
	CLEANUP(cleanup_free) char *conninfo = live_conninfo(server, LIVE_TCP4, NULL);
	/* it runs before the checkout: so it sees that before its limit, too */
	struct live_program *dbtop = live_dbtop_start(NULL, "--json", "--follow", "-i", "0.2",
		"--idle-limit", "500ms", "--pages", folder, conninfo, NULL);
	live_wait_out(dbtop, "\n", 30000);
	struct live_program *program = start_pool(conninfo, "forgetful", "forget:4000");
	const char *line = strstr(live_out(program), "line ");
	assert_non_null(line);
	struct forgotten forgotten = {
		.pid = live_pid(program),
		.limit = 4,
		.site = mem_printf("paged_client.c:%ld", strtol(line + 5, NULL, 10)),
	};
	for (int i = 0; i < 4; i++)
		json_decref(live_await_json(
			dbtop, is_told, &forgotten, "the forgotten checkout", 20000));
	live_signal(dbtop, SIGINT);
	assert_int_equal(live_finish(dbtop, 30000), 1);
	const char *out = live_out(dbtop);
	for (const char *end; (end = strchr(out, '\n')); out = end + 1) {
		json_t *root = json_loadb(out, (size_t)(end - out), 0, NULL);
		assert_non_null(root);
		forgotten.lines_leaked += is_leaked_as_it_should(root, &forgotten);
		json_decref(root);
	}
	assert_true(forgotten.lines_before > 0);
	assert_true(forgotten.lines_leaked > 3);
	free(forgotten.site);
	live_teardown(NULL);
}

static json_t *borrowed_of(json_t *root, pid_t pid)
{
	size_t i;
	json_t *connection;
	json_array_foreach(json_object_get(root, "connections"), i, connection)
	{
		const char *state = live_text(connection, "pool.state");
		json_t *page = live_member(connection, "pool.page");
		if (page && json_integer_value(page) == pid && strcmp(state, "in_use") == 0)
			return connection;
	}
	return NULL;
}

static bool has_borrowed_for_a_second(json_t *root, void *data)
{
	json_t *borrowed = borrowed_of(root, *(pid_t *)data);
	return borrowed && json_number_value(live_member(borrowed, "pool.held_seconds")) > 1;
}

static bool is_no_leak_after_a_second(json_t *root, void *data)
{
	json_t *borrowed = borrowed_of(root, *(pid_t *)data);
	return has_borrowed_for_a_second(root, data) &&
		json_is_false(live_member(borrowed, "pool.reported"));
}

/* It has held its connection for longer than the pool's limit, but runs statement after statement:
 * neither the pool nor dbtop calls that a leak, and --kill-leaked leaves it alone. */
static void a_borrower_that_works_is_no_leak(void **state)
{
	(void)state;
	CLEANUP(cleanup_free) char *conninfo = live_conninfo(server, LIVE_TCP4, NULL);
	pid_t pid = live_pid(start_pool(conninfo, "steady", "steady:500"));
	struct live_program *dbtop = live_dbtop_start(
		NULL, "--json", "--follow", "-i", "0.2", "--pages", folder, conninfo, NULL);
	json_t *root = live_await_json(
		dbtop, is_no_leak_after_a_second, &pid, "a hold that is no leak", 20000);
	json_t *borrowed = borrowed_of(root, pid);
	const char *status = live_text(borrowed, "status");
	if (strcmp(status, "active") != 0 && strcmp(status, "idle") != 0)
		wrong(borrowed, "a borrower that works is no leak");
	assert_null(live_text(borrowed, "reason"));
	json_decref(root);
	static const char *const least[] = { "--proven-only", NULL };
	for (size_t i = 0; i < 2; i++) {
		struct live_run run = live_dbtop("--kill-leaked", "--yes", "--json", "--pages",
			folder, conninfo, least[i], NULL);
		assert_int_equal(run.status, 0);
		live_run_clear(&run);
	}
	live_teardown(NULL);
}

/* A batch job's pool allows it ten minutes: the user's second is a guess. */
static void the_pools_own_limit_counts(void **state)
{
	(void)state;
	CLEANUP(cleanup_free) char *conninfo = live_conninfo(server, LIVE_TCP4, NULL);
	pid_t pid = live_pid(start_pool(conninfo, "batch", "forget:600000"));
	static const char *const limits[][2] = { { "--interval", "0.2" },
		{ "--held-limit", "500ms" } };
	for (size_t i = 0; i < 2; i++) {
		struct live_program *dbtop = live_dbtop_start(NULL, "--json", "--follow", "--pages",
			folder, conninfo, limits[i][0], limits[i][1], NULL);
		json_t *root = live_await_json(
			dbtop, has_borrowed_for_a_second, &pid, "a hold of a second", 20000);
		json_t *borrowed = borrowed_of(root, pid);
		assert_string_equal(live_text(borrowed, "status"), i ? "leaked" : "idle");
		if (i) {
			assert_string_equal(live_text(borrowed, "reason"), "held_too_long");
			assert_string_equal(live_text(borrowed, "certainty"), "presumed");
		}
		json_decref(root);
		live_free(dbtop);
	}
	live_teardown(NULL);
}

/* Killed: its page stays, and is evidence. A backend in the midst of a statement lives on. */
static bool has_dead_page(json_t *root, void *data)
{
	json_t *pool = live_find_number(root, "pools", "pid", *(long *)data);
	const char *status = pool ? live_text(pool, "page_status") : NULL;
	return status && strcmp(status, "dead") == 0;
}

static void a_dead_owner_is_shown_as_that(void **state)
{
	(void)state;
	CLEANUP(cleanup_free) char *conninfo = live_conninfo(server, LIVE_TCP4, NULL);
	struct live_program *program = start_pool(conninfo, "mortal", "rest");
	long pid = live_pid(program);
	CLEANUP(cleanup_free) char *damaged = live_file(folder, "damaged.page", "DBPOOLPG");
	const char *const argv[] = { live_dbtop_path(), "--json", "--follow", "-i", "0.2",
		"--pages", folder, conninfo, NULL };
	struct live_program *dbtop = live_start(&(struct live_program_options){ .argv = argv });
	live_wait_out(dbtop, "\n", 30000);
	live_signal(program, SIGKILL);
	(void)live_finish(program, 10000);
	json_t *root = live_await_json(dbtop, has_dead_page, &pid, "the dead page", 20000);
	json_t *pool = live_find_text(root, "pools", "page_status", "damaged");
	assert_non_null(pool);
	assert_string_equal(live_text(pool, "path"), damaged);
	json_decref(root);
	remove(damaged);
	live_teardown(NULL);
}

struct orphans {
	long pid;
	size_t count; /* of its sessions that must be there */
	bool living;  /* a child has their sockets */
};

static bool is_as_it_should(json_t *connection, const struct orphans *orphans)
{
	const char *reason = live_text(connection, "reason");
	const char *evidence = live_text(connection, "evidence");
	if (orphans->living)
		return !reason && evidence && strstr(evidence, "the kernel is right");
	if (!reason || strcmp(reason, "client_gone") != 0)
		return false;
	if (strcmp(live_text(connection, "certainty"), "proven") != 0)
		wrong(connection, "not proven");
	if (json_integer_value(live_member(connection, "process.pid")) != orphans->pid)
		wrong(connection, "another process");
	return true;
}

/* Whether each of its sessions is a proven leak of the dead process; or, where they have a living
 * holder, none, and what its page says is contradicted. */
static bool are_orphans(json_t *root, void *data)
{
	const struct orphans *orphans = data;
	size_t i, count = 0;
	json_t *connection, *page = live_find_number(root, "pools", "pid", orphans->pid);
	if (!page || strcmp(live_text(page, "page_status"), "dead") != 0)
		return false;
	json_array_foreach(json_object_get(root, "connections"), i, connection)
	{
		const char *name = live_text(connection, "application_name");
		if (!name || strncmp(name, "orphan/", 7) != 0)
			continue;
		if (!is_as_it_should(connection, orphans))
			return false;
		count++;
	}
	return count == orphans->count;
}

static bool is_spent(json_t *root, void *data)
{
	const struct orphans *orphans = data;
	json_t *pool = live_find_number(root, "pools", "pid", orphans->pid);
	if (!pool)
		fail_msg("the page is gone");
	return json_is_true(json_object_get(pool, "nothing_left"));
}

/* How its sessions outlive it: a statement at work, whose backend does not look at its socket; or
 * sockets that a child inherited. The former have no client any more, the latter have one. */
static void the_kernel_reports_what_a_dead_owner_left(void **state)
{
	(void)state;
	static const struct {
		const char *role;
		size_t found, left;
	} cases[] = { { "sleep", 1, 0 }, { "fork", 3, 3 } };
	CLEANUP(cleanup_free) char *conninfo = live_conninfo(server, LIVE_TCP4, NULL);
	for (size_t i = 0; i < 2; i++) {
		struct live_program *program = start_pool(conninfo, "orphan", cases[i].role);
		struct orphans orphans = { live_pid(program), cases[i].found, cases[i].left > 0 };
		const char *told = strstr(live_out(program), "child ");
		pid_t child = told ? (pid_t)strtol(told + 6, NULL, 10) : 0;
		const char *const argv[] = { live_dbtop_path(), "--json", "--follow", "-i", "0.2",
			"--idle-limit", "1h", "--pages", folder, conninfo, NULL };
		struct live_program *dbtop =
			live_start(&(struct live_program_options){ .argv = argv });
		live_wait_out(dbtop, "\n", 30000);
		live_signal(program, SIGKILL);
		(void)live_finish(program, 10000);
		json_decref(live_await_json(
			dbtop, are_orphans, &orphans, "the orphans as they are", 20000));
		const char *const kill_argv[] = { live_dbtop_path(), "--kill-leaked", "--yes",
			"--pages", folder, conninfo, NULL };
		struct live_run run =
			live_run(&(struct live_program_options){ .argv = kill_argv }, 30000);
		assert_int_equal(run.status, 0);
		live_run_clear(&run);
		live_wait_sessions(
			server, "application_name LIKE 'orphan/%'", (long)cases[i].left, 10000);
		if (child > 0)
			kill(child, SIGKILL);
		json_decref(live_await_json(dbtop, is_spent, &orphans, "a page of nothing", 20000));
		live_teardown(NULL);
	}
}

static void make_folder(void)
{
	folder = mem_printf("%s/pages", live_folder());
	assert_int_equal(mkdir(folder, 0700), 0);
}

static void free_folder(void)
{
	free(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LIVE_TEST(the_forgotten_is_reported_with_its_line),
		LIVE_TEST(a_borrower_that_works_is_no_leak),
		LIVE_TEST(the_pools_own_limit_counts),
		LIVE_TEST(a_dead_owner_is_shown_as_that),
		LIVE_TEST(the_kernel_reports_what_a_dead_owner_left),
		LIVE_TEST(everybody_is_found_and_nobody_mistaken),
	};
	return LIVE_GROUP("pools", tests, .wide = true,
		/* a backend at work does not notice that its client is gone */
		.settings = (const char *const[]){ "max_connections=60",
			"client_connection_check_interval=1h", NULL },
		.sql = "CREATE ROLE app LOGIN", .set_up = make_folder, .take_down = free_folder);
}

/* Stats pages that another user made up about living sessions: dbtop ends nothing for them, and
 * says what the kernel shows. */
#include "live_group.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "page/reader.h"
#include "page/writer.h"

#define NOBODY 65534

static int64_t monotonic(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000;
}

/* A number that was a process's. */
static pid_t dead_pid(void)
{
	pid_t pid = fork();
	if (pid == 0)
		_exit(0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	return pid;
}

/* What the forger says. */
struct claim {
	pid_t pid; /* the page's process */
	uint64_t start_ticks;
	int32_t backend_pid;
	int64_t backend_start;
	enum page_slot_state state;
};

/* Everything in a page is its writer's choice but the owner of the file. */
static struct page_writer *forge(const char *folder, const struct claim *claim)
{
	const struct page_writer_options options = { .folder = folder,
		.name = "forged",
		.server = "127.0.0.1:5432/postgres",
		.limits = { .max = 1, .idle_lifetime = PAGE_NEVER },
		.slots = 1 };
	struct page_writer *writer;
	int file;
	assert_int_equal(page_writer_new(&options, &writer, &file), 0);
	assert_int_equal(file, 0);
	struct page *page = page_writer_page(writer);
	int64_t long_ago = monotonic() - INT64_C(3600) * 1000000;
	page->identity.pid = claim->pid;
	page->identity.start_ticks = claim->start_ticks;
	page->identity.uid = 0;
	if (long_ago < 0)
		long_ago = 0;
	page_slot_opened(&page->slots[0], claim->backend_pid, claim->backend_start, long_ago);
	if (claim->state == PAGE_SLOT_HELD)
		page_slot_held(&page->slots[0], long_ago, 1, "forged.c:1");
	else
		page_slot_idle(&page->slots[0], long_ago);
	page_set(page->totals.phase, (uint32_t)PAGE_RUNNING);
	if (geteuid() == 0) {
		assert_int_equal(chown(page_writer_path(writer), NOBODY, NOBODY), 0);
		assert_int_equal(chown(folder, NOBODY, NOBODY), 0);
	}
	return writer;
}

static char *end_leaked(const char *folder, const char *conninfo, const char *how)
{
	const char *const argv[] = { live_dbtop_path(), "--kill-leaked", "--yes", "--json",
		"--pages", folder, conninfo, how, NULL };
	struct live_run run = live_run(&(struct live_program_options){ .argv = argv }, 60000);
	if (run.status != 0)
		fail_msg("status %d: %s%s", run.status, run.out, run.err);
	char *out = mem_strdup(run.out);
	live_run_clear(&run);
	return out;
}

/* Neither the proven leaks nor all of them have it among them, and the snapshot says why. */
static void check_harmless(const char *folder, const char *conninfo, int32_t victim)
{
	static const char *const hows[] = { "--proven-only", NULL };
	char where[64];
	int status;
	snprintf(where, sizeof(where), "pid = %" PRId32, victim);
	for (size_t i = 0; i < 2; i++) {
		live_wait_dbtops_gone(server);
		CLEANUP(cleanup_free) char *out = end_leaked(folder, conninfo, hows[i]);
		if (!strstr(out, "\"targets\":[]"))
			fail_msg("not nothing: %s", out);
		assert_int_equal(live_sessions(server, where), 1);
	}
	live_wait_dbtops_gone(server);
	json_t *root = live_dbtop_json(&status, conninfo, "--pages", folder, NULL);
	json_t *connection = live_find_number(root, "connections", "pid", victim);
	const char *evidence = live_text(connection, "evidence");
	assert_int_equal(status, 0);
	assert_null(live_text(connection, "reason"));
	assert_true(json_is_null(json_object_get(connection, "pool")));
	assert_non_null(evidence);
	assert_non_null(strstr(evidence, "the kernel is right"));
	json_decref(root);
	live_wait_dbtops_gone(server);
	struct live_run run = live_dbtop("--once", "--pages", folder, conninfo, NULL);
	assert_int_equal(run.status, 0);
	assert_non_null(strstr(run.out, "stats page"));
	live_run_clear(&run);
}

static void attack(enum live_route route, const char *role, const struct claim *claim)
{
	CLEANUP(cleanup_free) char *folder = mem_printf("%s/dbpool-forged", live_folder());
	CLEANUP(cleanup_free) char *conninfo = live_conninfo(server, route, NULL);
	struct live_program *client = live_client(conninfo, role, NULL);
	struct claim whole = *claim;
	const char *told = strstr(live_out(client), "pid ");
	assert_non_null(told);
	whole.backend_pid = (int32_t)strtol(told + 4, NULL, 10);
	PGconn *conn = live_connect(conninfo);
	CLEANUP(cleanup_free)
	char *sql = mem_printf("SELECT extract(epoch FROM backend_start)::numeric * 1000000 FROM "
			       "pg_stat_activity WHERE pid = %" PRId32,
		whole.backend_pid);
	whole.backend_start = live_number(conn, sql);
	/* a session of ours that the server has not ended yet would be a leak */
	live_disconnect(conn);
	struct page_writer *writer = forge(folder, &whole);
	check_harmless(folder, conninfo, whole.backend_pid);
	page_writer_free(writer);
	rmdir(folder);
	/* its backend at work would not notice that its client has been ended */
	live_sql(server,
		"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = "
		"'client backend' AND pid <> pg_backend_pid()");
	live_wait_sessions(server, NULL, 0, 10000);
}

static void a_page_of_a_dead_process_ends_no_living_session(void **state)
{
	(void)state;
	static const enum live_route routes[] = { LIVE_UNIX, LIVE_TCP4 };
	static const char *const roles[] = { "active", "idle" };
	for (size_t i = 0; i < 2; i++) {
		const struct claim claim = {
			.pid = dead_pid(), .start_ticks = 1, .state = PAGE_SLOT_HELD
		};
		for (size_t j = 0; j < 2; j++) {
			attack(routes[i], roles[j], &claim);
			live_teardown(NULL);
		}
	}
}

/* The forger's own process lives, and claims to have borrowed the session long ago. */
static void a_page_of_a_living_process_ends_no_session_of_another(void **state)
{
	(void)state;
	static const enum live_route routes[] = { LIVE_UNIX, LIVE_TCP4 };
	static const char *const argv[] = { "sleep", "600", NULL };
	for (size_t i = 0; i < 2; i++) {
		struct live_program *forger = live_start(
			&(struct live_program_options){ .argv = argv, .unprivileged = true });
		char pid[16];
		snprintf(pid, sizeof(pid), "%d", (int)live_pid(forger));
		const struct claim claim = { .pid = live_pid(forger),
			.start_ticks = page_start_ticks("/proc", pid),
			.state = PAGE_SLOT_HELD };
		attack(routes[i], "idle", &claim);
		live_teardown(NULL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LIVE_TEST(a_page_of_a_dead_process_ends_no_living_session),
		LIVE_TEST(a_page_of_a_living_process_ends_no_session_of_another),
	};
	return LIVE_GROUP("forged", tests, .sql = NULL);
}

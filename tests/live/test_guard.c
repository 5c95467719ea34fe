/* dbtop --guard on a real server: what it ends, what it leaves alone, what it says, how it ends. */
#include "live_group.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"

#define WAIT_MS 60000

/* The sessions but dbtop's own. */
#define OTHERS "application_name <> 'dbtop'"

static const char *super, *app; /* conninfos */

static bool lives(int pid)
{
	char where[64];
	snprintf(where, sizeof(where), "pid = %d", pid);
	return live_sessions(server, where) == 1;
}

/* Over one connection: one that ends would be a leak until the server has ended its session. */
static void wait_for_end(struct live_program *guard, int pid)
{
	char where[64];
	assert_true(live_running(guard));
	snprintf(where, sizeof(where), "pid = %d", pid);
	live_wait_sessions(server, where, 0, WAIT_MS);
}

/* "session 4711 (" */
static char *name_of(int pid)
{
	return mem_printf("session %d (", pid);
}

/* How many lines say this of the session. */
static size_t count_said(const char *text, int pid, const char *what)
{
	CLEANUP(cleanup_free) char *name = name_of(pid);
	size_t count = 0;
	for (const char *at = text; (at = strstr(at, name)); at++) {
		const char *said = strstr(at, what);
		count += said && said < at + strcspn(at, "\n");
	}
	return count;
}

/* Waits until the guard has said this of the session. */
static void wait_said(struct live_program *guard, int pid, const char *what)
{
	for (int tries = 0; tries < WAIT_MS / 10; tries++) {
		if (count_said(live_err(guard), pid, what) > 0)
			return;
		assert_true(live_running(guard));
		usleep(10000);
	}
	fail_msg("nothing of %d and \"%s\" in: %s", pid, what, live_err(guard));
}

static size_t count_text(const char *text, const char *part)
{
	size_t count = 0;
	for (const char *at = text; (at = strstr(at, part)); at++)
		count++;
	return count;
}

/* How many lines of the audit log are the result of that session. */
static size_t count_results(int pid, const char *result)
{
	CLEANUP(cleanup_free) char *path = live_audit_path();
	CLEANUP(cleanup_free) char *text = live_read(path);
	size_t count = 0;
	for (char *rest = text, *line; rest && (line = strsep(&rest, "\n"));) {
		json_t *object = *line ? json_loads(line, 0, NULL) : NULL;
		const char *found = object ? live_text(object, "result") : NULL;
		if (found && strcmp(found, result) == 0 &&
			json_integer_value(live_member(object, "session.pid")) == pid)
			count++;
		if (object)
			json_decref(object);
	}
	return count;
}

static bool is_audited(void *data)
{
	return count_results(*(const int *)data, "terminated") > 0;
}

#define GUARD(...)                                                                                 \
	live_dbtop_start(NULL, "--guard", "--json", "-i", "0.2", "--for", "0.5", __VA_ARGS__, NULL)

static void finish(struct live_program *guard)
{
	live_signal(guard, SIGTERM);
	int status = live_finish(guard, WAIT_MS);
	if (status != 0)
		fail_msg("status %d: %s", status, live_err(guard));
}

/* --- what it ends --- */

static void a_proven_leak_is_ended_and_nothing_else(void **state)
{
	(void)state;
	int idle = live_client_backend(live_client(app, "idle", NULL));
	int transaction = live_client_backend(live_client(app, "transaction", NULL));
	int busy = live_client_backend(live_client(app, "active", NULL));
	struct live_program *guard =
		GUARD("--yes", "--idle-limit", "0.1", "--transaction-limit", "0.1", super);
	wait_said(guard, idle, "idle_too_long, presumed: left alone: less than proven");
	wait_said(guard, transaction, "left alone: less than proven");
	int gone = live_client_killed(app);
	wait_for_end(guard, gone);
	wait_said(guard, gone, "client_gone, proven: ended if it stays so for 0.5s");
	wait_said(guard, gone, "client_gone, proven: terminated");
	/* both follow */
	live_wait_out(guard, "\n", WAIT_MS);
	assert_true(live_wait(is_audited, &gone, WAIT_MS));
	assert_true(lives(idle) && lives(transaction) && lives(busy));
	assert_int_equal(count_results(gone, "terminated"), 1);
	json_t *event = live_parse_json(live_out(guard));
	assert_non_null(live_text(event, "at"));
	assert_int_equal(json_array_size(json_object_get(event, "targets")), 1);
	assert_int_equal(json_integer_value(live_member(event, "terminated")), 1);
	json_decref(event);
	finish(guard);
	/* each decision is reported once */
	CLEANUP(cleanup_free) char *name = name_of(idle);
	assert_int_equal(count_text(live_err(guard), name), 1);
}

static void a_certainty_is_taken_from_the_option_or_the_configuration(void **state)
{
	(void)state;
	CLEANUP(cleanup_free)
	char *config = live_file(live_folder(), "presumed.yaml",
		"guard: {min_certainty: presumed, yes: true}\nleaks: {idle: 100ms}\n");
	/* by its name a slot of a pool whose stats page is not here: perhaps that pool's reserve */
	CLEANUP(cleanup_free)
	char *pooled = mem_printf("%s application_name=web/999999999/1", app);
	int reserve = live_client_backend(live_client(pooled, "idle", NULL));
	int idle = live_client_backend(live_client(app, "idle", NULL));
	struct live_program *guard = GUARD("--min-certainty", "declared", "-c", config, super);
	wait_said(guard, idle, "left alone: less than declared");
	finish(guard);
	guard = GUARD("-c", config, super);
	wait_for_end(guard, idle);
	wait_said(guard, idle, "idle_too_long, presumed: terminated");
	wait_said(guard, reserve, "left alone: what may protect it cannot be read from here");
	finish(guard);
	assert_true(lives(reserve));
}

static void a_session_that_comes_to_life_is_left_alone(void **state)
{
	(void)state;
	/* a statement every 20 ms: leaked by age in some polls, and never for long */
	int busy = live_client_backend(live_client(app, "busy", NULL));
	struct live_program *guard =
		live_dbtop_start(NULL, "--guard", "--yes", "--json", "-i", "0.1", "--for", "2h",
			"--min-certainty", "presumed", "--idle-limit", "0.001", super, NULL);
	wait_said(guard, busy, "ended if it stays so for 2h");
	/* the time begins anew */
	CLEANUP(cleanup_free) char *name = name_of(busy);
	while (count_text(live_err(guard), name) < 2)
		usleep(10000);
	assert_true(lives(busy));
	finish(guard);
}

static void app_and_protect_hold(void **state)
{
	(void)state;
	CLEANUP(cleanup_free)
	char *config =
		live_file(live_folder(), "protect.yaml", "protect: {applications: [\"keep*\"]}\n");
	CLEANUP(cleanup_free)
	char *kept = live_conninfo(server, LIVE_TCP4, "user=app application_name=keep-me");
	CLEANUP(cleanup_free)
	char *out = live_conninfo(server, LIVE_TCP4, "user=app application_name=out");
	CLEANUP(cleanup_free)
	char *in = live_conninfo(server, LIVE_TCP4, "user=app application_name=in");
	struct live_program *guard = GUARD("--yes", "-c", config, "--app", "^(keep.*|in)$", super);
	int protected_one = live_client_killed(kept), outside = live_client_killed(out),
	    inside = live_client_killed(in);
	wait_for_end(guard, inside);
	wait_said(guard, protected_one, "left alone: ");
	assert_true(lives(protected_one) && lives(outside));
	CLEANUP(cleanup_free) char *name = name_of(outside);
	assert_null(strstr(live_err(guard), name));
	finish(guard);
}

static void a_dry_run_only_logs(void **state)
{
	(void)state;
	CLEANUP(cleanup_free) char *log = mem_printf("%s/dry.log", live_folder());
	int gone = live_client_killed(app);
	struct live_program *guard = GUARD("--dry-run", "--log", log, super);
	wait_said(guard, gone, "would be ended (dry run)");
	assert_true(lives(gone));
	finish(guard);
	assert_int_equal(count_results(gone, "terminated"), 0);
	assert_int_equal(count_said(live_err(guard), gone, "would be ended"), 1);
	CLEANUP(cleanup_free) char *text = live_read(log);
	assert_non_null(text);
	assert_int_equal(count_said(text, gone, "would be ended"), 1);
}

/* A hard limit: the rest waits for the next minute, also if the guard is started again. */
static void kill_limit_is_hard(void **state)
{
	(void)state;
	CLEANUP(cleanup_free)
	char *config = live_file(live_folder(), "limit.yaml", "kill_limit: 2\n");
	struct live_program *clients[4];
	for (int i = 0; i < 4; i++)
		clients[i] = live_client(app, "active", NULL);
	struct live_program *guard = GUARD("--yes", "-c", config, super);
	live_wait_err(guard, "connected to", WAIT_MS);
	for (int i = 0; i < 4; i++)
		live_free(clients[i]);
	live_wait_err(guard, "waits: kill_limit is reached for this minute", WAIT_MS);
	live_wait_sessions(server, "usename = 'app'", 2, WAIT_MS);
	finish(guard);
	assert_int_equal(live_sessions(server, "usename = 'app'"), 2);
	live_free(guard);
	guard = GUARD("--yes", "-c", config, super);
	live_wait_err(guard, "waits: kill_limit is reached for this minute", WAIT_MS);
	finish(guard);
	assert_int_equal(live_sessions(server, "usename = 'app'"), 2);
}

/* --- what it survives --- */

static void restarts_are_survived(void **state)
{
	(void)state;
	char error[PRIVATE_SERVER_ERROR_MAX];
	struct live_program *guard = GUARD("--yes", super);
	live_wait_err(guard, "connected to", WAIT_MS);
	wait_for_end(guard, live_client_killed(app));
	if (private_server_restart(server, error) < 0)
		fail_msg("restart: %s", error);
	live_wait_err(guard, "all times begin anew", WAIT_MS);
	wait_for_end(guard, live_client_killed(app));
	finish(guard);
}

/* A guard on one server does not touch another's sessions. */
static void another_server_is_left_alone(void **state)
{
	(void)state;
	struct private_server *other = live_server_start(NULL);
	CLEANUP(cleanup_free) char *there = live_conninfo(other, LIVE_TCP4, NULL);
	struct live_program *guard = GUARD("--yes", super);
	live_client_killed(there);
	wait_for_end(guard, live_client_killed(app));
	assert_int_equal(live_sessions(other, OTHERS), 1);
	finish(guard);
	private_server_stop(other);
}

/* The server refuses the password; then it takes it. Nobody is asked. */
static void a_refused_password_is_tried_again(void **state)
{
	(void)state;
	CLEANUP(cleanup_free)
	char *wrong = live_conninfo(server, LIVE_TCP4, "user=late password=wrong");
	const struct live_program_options terminal = { .terminal = true };
	struct live_program *guard =
		live_dbtop_start(&terminal, "--guard", "--yes", "-i", "0.2", wrong, NULL);
	live_wait_err(guard, "not connected: ", WAIT_MS);
	live_sql(server, "ALTER ROLE late PASSWORD 'wrong'");
	/* it would try again within 40 s */
	live_signal(guard, SIGHUP);
	live_wait_err(guard, "connected to 127.0.0.1", WAIT_MS);
	finish(guard);
}

static void an_audit_log_that_cannot_be_written_is_waited_for(void **state)
{
	(void)state;
	CLEANUP(cleanup_free) char *home = mem_printf("%s/blocked", live_folder());
	CLEANUP(cleanup_free) char *set = mem_printf("XDG_STATE_HOME=%s", home);
	const char *const env[] = { set, NULL };
	const struct live_program_options options = { .env = env };
	/* a file where the folder should be */
	CLEANUP(cleanup_free) char *file = live_file(live_folder(), "blocked", "");
	int gone = live_client_killed(app);
	struct live_program *guard = live_dbtop_start(
		&options, "--guard", "--yes", "-i", "0.2", "--for", "0", super, NULL);
	wait_said(guard, gone, "waits: the audit log");
	assert_true(lives(gone));
	assert_int_equal(unlink(file), 0);
	wait_for_end(guard, gone);
	assert_int_equal(count_said(live_err(guard), gone, "waits: the audit log"), 1);
	finish(guard);
}

/* --- how it begins and ends --- */

static void assert_usage(struct live_run run, const char *text)
{
	if (run.status != 2 || !strstr(run.err, text))
		fail_msg("status %d, no \"%s\" in: %s", run.status, text, run.err);
	live_run_clear(&run);
}

static void wrong_usage_is_refused(void **state)
{
	(void)state;
	CLEANUP(cleanup_free)
	char *readonly = live_file(live_folder(), "readonly.yaml", "readonly: true\n");
	assert_usage(live_dbtop("--guard", super, NULL), "needs --yes");
	assert_usage(live_dbtop("--guard", "--yes", "--readonly", super, NULL), "--readonly");
	assert_usage(live_dbtop("--guard", "--yes", "-c", readonly, super, NULL), "read-only");
	assert_usage(live_dbtop("--guard", "--yes", "-W", super, NULL), "never ask");
	assert_usage(live_dbtop("--guard", "--yes", "--for", "soon", super, NULL), "--for");
	assert_usage(live_dbtop("--once", "--for", "1s", super, NULL), "--for");
}

static void every_end_is_status_0(void **state)
{
	(void)state;
	static const int signals[] = { SIGTERM, SIGINT };
	for (size_t i = 0; i < 2; i++) {
		struct live_program *guard = GUARD("--yes", super);
		live_wait_err(guard, "connected to", WAIT_MS);
		live_signal(guard, signals[i]);
		assert_int_equal(live_finish(guard, WAIT_MS), 0);
	}
	/* nobody ever answered */
	CLEANUP(cleanup_free)
	char *nowhere = mem_printf("host=127.0.0.1 port=%d", live_free_port());
	struct live_program *guard = GUARD("--yes", nowhere);
	live_wait_err(guard, "not connected: ", WAIT_MS);
	finish(guard);
}

/* An action in flight gets its result line first: the backend is stopped, so that it does not end.
 */
static void sigterm_in_an_action_leaves_its_result(void **state)
{
	(void)state;
	int gone = live_client_killed(app);
	/* asleep it holds no lock, and changes nothing in pg_stat_activity */
	live_wait_sessions(server, "wait_event = 'PgSleep'", 1, WAIT_MS);
	kill(gone, SIGSTOP);
	/* the action is to be its own: what the tests before have killed may end later */
	live_wait_sessions(server, "usename = 'app'", 1, WAIT_MS);
	struct live_program *guard = live_dbtop_start(
		NULL, "--guard", "--yes", "--json", "-i", "0.2", "--for", "0", super, NULL);
	CLEANUP(cleanup_free) char *path = live_audit_path();
	for (bool begun = false; !begun; usleep(10000)) {
		CLEANUP(cleanup_free) char *text = live_read(path);
		begun = text && strstr(text, "\"event\":\"action\"");
		assert_true(live_running(guard));
	}
	live_signal(guard, SIGTERM);
	assert_int_equal(live_finish(guard, WAIT_MS), 0);
	assert_int_equal(count_results(gone, "timeout"), 1);
	wait_said(guard, gone, "client_gone, proven: timeout");
	kill(gone, SIGCONT);
}

static void sighup_reads_the_configuration_again(void **state)
{
	(void)state;
	CLEANUP(cleanup_free)
	char *config = live_file(live_folder(), "again.yaml", "guard: {for: 1h, yes: true}\n");
	struct live_program *guard =
		live_dbtop_start(NULL, "--guard", "--json", "-i", "0.2", "-c", config, super, NULL);
	int gone = live_client_killed(app);
	wait_said(guard, gone, "ended if it stays so for 1h00m");
	free(live_file(live_folder(), "again.yaml", "guard: {fro: 1s}\n"));
	live_signal(guard, SIGHUP);
	live_wait_err(guard, "the configuration stays as it was: ", WAIT_MS);
	assert_true(lives(gone));
	/* the same session, and the time that has passed counts */
	free(live_file(live_folder(), "again.yaml", "guard: {for: 100ms, yes: true}\n"));
	live_signal(guard, SIGHUP);
	live_wait_err(guard, "the configuration was read again", WAIT_MS);
	wait_for_end(guard, gone);
	assert_int_equal(count_text(live_err(guard), "connected to"), 1);
	/* other rules of the verdicts */
	int idle = live_client_backend(live_client(app, "idle", NULL));
	free(live_file(live_folder(), "again.yaml",
		"guard: {for: 100ms, yes: true, min_certainty: presumed}\nleaks: {idle: 100ms}\n"));
	live_signal(guard, SIGHUP);
	wait_for_end(guard, idle);
	finish(guard);
}

/* The configured name leads to another server after a while. */
static void sighup_goes_to_another_server(void **state)
{
	(void)state;
	struct private_server *other = live_server_start(NULL);
	CLEANUP(cleanup_free) char *there = live_conninfo(other, LIVE_TCP4, NULL);
	CLEANUP(cleanup_free) char *here_text = mem_printf("databases: {it: \"%s\"}\n", super);
	CLEANUP(cleanup_free) char *there_text = mem_printf("databases: {it: \"%s\"}\n", there);
	CLEANUP(cleanup_free) char *config = live_file(live_folder(), "moved.yaml", here_text);
	struct live_program *guard = GUARD("--yes", "-c", config, "it");
	wait_for_end(guard, live_client_killed(app));
	free(live_file(live_folder(), "moved.yaml", there_text));
	live_client_killed(there);
	live_signal(guard, SIGHUP);
	live_wait_sessions(other, OTHERS, 0, WAIT_MS);
	live_wait_sessions(server, "application_name = 'dbtop'", 0, WAIT_MS);
	finish(guard);
	private_server_stop(other);
}

/* --- long runs --- */

static size_t count_descriptors(pid_t pid)
{
	char path[64];
	size_t count = 0;
	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	DIR *folder = opendir(path);
	assert_non_null(folder);
	while (readdir(folder))
		count++;
	closedir(folder);
	return count;
}

static long resident_kb(pid_t pid)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	CLEANUP(cleanup_free) char *text = live_read(path);
	const char *at = text ? strstr(text, "VmRSS:") : NULL;
	assert_non_null(at);
	return strtol(at + strlen("VmRSS:"), NULL, 10);
}

/* Some sessions that leaked, and some that did not. */
static void run_scenario(struct live_program *guard, unsigned *seed)
{
	static const char *const roles[] = { "idle", "transaction", "listen", "lock", "active",
		"busy" };
	/* two of one lock would wait for each other; for the others it is the number of sessions */
	static const char *const keys[] = { "1", "2", "3" };
	struct live_program *healthy[3];
	int pids[3], gone[3];
	size_t n_gone = 1 + (size_t)rand_r(seed) % 3;
	for (size_t i = 0; i < 3; i++) {
		const char *role = roles[(size_t)rand_r(seed) % 6];
		healthy[i] =
			live_client(app, role, strcmp(role, "lock") == 0 ? keys[i] : NULL, NULL);
		pids[i] = live_client_backend(healthy[i]);
	}
	for (size_t i = 0; i < n_gone; i++)
		gone[i] = live_client_killed(app);
	for (size_t i = 0; i < n_gone; i++)
		wait_for_end(guard, gone[i]);
	for (size_t i = 0; i < 3; i++) {
		assert_true(lives(pids[i]));
		live_free(healthy[i]);
	}
	for (size_t i = 0; i < n_gone; i++) {
		/* the line follows the end */
		assert_true(live_wait(is_audited, &gone[i], 10000));
		assert_int_equal(count_results(gone[i], "terminated"), 1);
	}
}

static void many_scenarios_leave_memory_and_descriptors_flat(void **state)
{
	(void)state;
	unsigned seed = 17;
	int rounds = live_rounds(20);
	CLEANUP(cleanup_free)
	char *config = live_file(live_folder(), "long.yaml", "kill_limit: 1000\n");
	/* AddressSanitizer would keep what was freed */
	setenv("ASAN_OPTIONS", "quarantine_size_mb=0:thread_local_quarantine_size_kb=0", 1);
	struct live_program *guard = GUARD("--yes", "-c", config, super);
	unsetenv("ASAN_OPTIONS");
	pid_t pid = live_pid(guard);
	for (int i = 0; i < 4; i++)
		run_scenario(guard, &seed);
	size_t descriptors = count_descriptors(pid);
	long memory = resident_kb(pid);
	for (int i = 0; i < rounds; i++)
		run_scenario(guard, &seed);
	/* a scan or an inspection of a process may be under way: a leak would be one a round */
	size_t slack = 8;
	assert_true(count_descriptors(pid) <= descriptors + slack);
	long grown = resident_kb(pid) - memory;
	if (grown > 8192 + rounds * 64L)
		fail_msg("%ld kB more after %d rounds", grown, rounds);
	finish(guard);
}

static void set_up(void)
{
	super = live_group_conninfo(LIVE_TCP4, NULL);
	app = live_group_conninfo(LIVE_TCP4, "user=app");
}

/* Each test has an audit log of its own. */
static void clean_up(void)
{
	CLEANUP(cleanup_free) char *path = live_audit_path();
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LIVE_TEST(a_proven_leak_is_ended_and_nothing_else),
		LIVE_TEST(a_certainty_is_taken_from_the_option_or_the_configuration),
		LIVE_TEST(a_session_that_comes_to_life_is_left_alone),
		LIVE_TEST(app_and_protect_hold),
		LIVE_TEST(a_dry_run_only_logs),
		LIVE_TEST(kill_limit_is_hard),
		LIVE_TEST(restarts_are_survived),
		LIVE_TEST(another_server_is_left_alone),
		LIVE_TEST(a_refused_password_is_tried_again),
		LIVE_TEST(an_audit_log_that_cannot_be_written_is_waited_for),
		LIVE_TEST(wrong_usage_is_refused),
		LIVE_TEST(every_end_is_status_0),
		LIVE_TEST(sigterm_in_an_action_leaves_its_result),
		LIVE_TEST(sighup_reads_the_configuration_again),
		LIVE_TEST(sighup_goes_to_another_server),
		LIVE_TEST(many_scenarios_leave_memory_and_descriptors_flat),
	};
	return LIVE_GROUP("guard", tests, .sql = "CREATE ROLE app LOGIN; CREATE ROLE late LOGIN",
		.set_up = set_up, .clean_up = clean_up);
}

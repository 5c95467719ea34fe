/* dbtop --kill-leaked on a real server: each result, its audit line, its exit status. */
#include "live_group.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"

/* The sessions but dbtop's own, which the server has for a moment after its process has ended. */
#define OTHERS "application_name <> 'dbtop'"

static const char *super, *app, *watcher; /* conninfos */

/* Older than --idle-limit 0.1, all of them. */
static void wait_until_leaked(void)
{
	live_wait_sessions(
		server, "state_change > clock_timestamp() - interval '200 ms'", 0, 10000);
}

/* The program's one JSON object. */
static json_t *result_of(struct live_program *dbtop, int expected_status)
{
	int status = live_finish(dbtop, 30000);
	json_t *root = live_last_json(dbtop, NULL);
	if (!root || status != expected_status)
		fail_msg("status %d instead of %d: %s, %s", status, expected_status,
			live_out(dbtop), live_err(dbtop));
	return root;
}

static void assert_result(json_t *root, int pid, const char *result)
{
	json_t *target = live_find_number(root, "targets", "pid", pid);
	const char *found = live_text(target, "result");
	if (!found || strcmp(found, result) != 0)
		fail_msg("%d is not %s: %s", pid, result, json_dumps(root, JSON_INDENT(1)));
}

/* The audit log's line of that session's result, which the caller json_decref()s. */
static json_t *audit_line(int pid)
{
	CLEANUP(cleanup_free) char *path = live_audit_path();
	CLEANUP(cleanup_free) char *text = live_read(path);
	json_t *found = NULL;
	for (char *rest = text, *line; rest && (line = strsep(&rest, "\n"));) {
		if (!*line)
			continue;
		json_t *object = json_loads(line, 0, NULL);
		assert_non_null(object);
		json_t *session = live_member(object, "session.pid");
		if (live_text(object, "result") && json_integer_value(session) == pid && !found)
			found = object;
		else
			json_decref(object);
	}
	if (!found)
		fail_msg("no line for %d in: %s", pid, text ? text : "no log");
	return found;
}

static void assert_audited(int pid, const char *result)
{
	json_t *line = audit_line(pid);
	assert_string_equal(live_text(line, "result"), result);
	json_decref(line);
}

static struct live_program *kill_leaked(const char *conninfo, const char *option)
{
	return live_dbtop_start(NULL, "--kill-leaked", "--json", "--idle-limit", "0.1",
		"--transaction-limit", "0.1", conninfo, option, NULL);
}

/* --- results --- */

static void leaked_ones_are_terminated_and_only_those(void **state)
{
	(void)state;
	int idle = live_client_backend(live_client(app, "idle", NULL));
	int transaction = live_client_backend(live_client(app, "transaction", NULL));
	struct live_program *killed = live_client(app, "active", NULL);
	int gone = live_client_backend(killed);
	live_client(app, "listen", NULL);
	live_client(app, "lock", NULL);
	live_client(app, "active", NULL);
	live_free(killed);
	wait_until_leaked();
	json_t *root = result_of(kill_leaked(super, "--yes"), 0);
	assert_int_equal(json_array_size(json_object_get(root, "targets")), 3);
	assert_result(root, idle, "terminated");
	assert_result(root, transaction, "terminated");
	assert_result(root, gone, "terminated");
	assert_int_equal(json_integer_value(json_object_get(root, "terminated")), 3);
	assert_int_equal(json_array_size(json_object_get(root, "survivors")), 0);
	json_decref(root);
	assert_int_equal(live_sessions(server, OTHERS), 3);
	json_t *line = audit_line(gone);
	assert_string_equal(live_text(line, "result"), "terminated");
	json_decref(line);
	assert_audited(idle, "terminated");
	assert_audited(transaction, "terminated");
}

static void proven_only_leaves_the_presumed(void **state)
{
	(void)state;
	int idle = live_client_backend(live_client(app, "idle", NULL));
	struct live_program *killed = live_client(app, "active", NULL);
	int gone = live_client_backend(killed);
	live_free(killed);
	wait_until_leaked();
	struct live_program *dbtop = live_dbtop_start(NULL, "--kill-leaked", "--json", "--yes",
		"--proven-only", "--idle-limit", "0.1", super, NULL);
	json_t *root = result_of(dbtop, 0);
	assert_int_equal(json_array_size(json_object_get(root, "targets")), 1);
	assert_result(root, gone, "terminated");
	json_decref(root);
	char where[40];
	snprintf(where, sizeof(where), "pid = %d", idle);
	assert_int_equal(live_sessions(server, where), 1);
}

static void nothing_to_do_is_clean(void **state)
{
	(void)state;
	json_t *root = result_of(kill_leaked(super, "--yes"), 0);
	assert_int_equal(json_array_size(json_object_get(root, "targets")), 0);
	json_decref(root);
}

static void dry_run_ends_nothing(void **state)
{
	(void)state;
	int idle = live_client_backend(live_client(app, "idle", NULL));
	wait_until_leaked();
	json_t *root = result_of(kill_leaked(super, "--dry-run"), 1);
	assert_non_null(live_find_number(root, "targets", "pid", idle));
	json_decref(root);
	struct live_run run = live_dbtop(
		"--kill-leaked", "--dry-run", "--readonly", "--idle-limit", "0.1", super, NULL);
	assert_int_equal(run.status, 1);
	char number[16];
	snprintf(number, sizeof(number), "%d", idle);
	assert_non_null(strstr(run.out, number));
	live_run_clear(&run);
	assert_int_equal(live_sessions(server, OTHERS), 1);
	CLEANUP(cleanup_free) char *path = live_audit_path();
	assert_int_not_equal(access(path, F_OK), 0);
}

static void what_we_may_not_end_is_denied(void **state)
{
	(void)state;
	int theirs = live_client_backend(live_client(app, "idle", NULL));
	int supers = live_client_backend(live_client(super, "idle", NULL));
	wait_until_leaked();
	json_t *root = result_of(kill_leaked(watcher, "--yes"), 1);
	assert_result(root, theirs, "denied");
	assert_result(root, supers, "denied");
	assert_int_equal(json_array_size(json_object_get(root, "survivors")), 2);
	json_decref(root);
	json_t *line = audit_line(theirs);
	assert_string_equal(live_text(line, "result"), "denied");
	CLEANUP(cleanup_free) char *text = json_dumps(line, 0);
	assert_non_null(strstr(text, "GRANT pg_signal_backend TO watcher"));
	json_decref(line);
	assert_int_equal(live_sessions(server, OTHERS), 2);
}

static void what_stays_is_a_timeout(void **state)
{
	(void)state;
	int stuck = live_client_backend(live_client(app, "idle", NULL));
	int other = live_client_backend(live_client(app, "idle", NULL));
	wait_until_leaked();
	assert_int_equal(kill(stuck, SIGSTOP), 0);
	json_t *root = result_of(kill_leaked(super, "--yes"), 1);
	assert_int_equal(kill(stuck, SIGCONT), 0);
	assert_result(root, stuck, "timeout");
	assert_result(root, other, "terminated");
	assert_int_equal(json_array_size(json_object_get(root, "survivors")), 1);
	json_decref(root);
	assert_audited(stuck, "timeout");
	/* the signal was sent, and is obeyed late */
	live_wait_sessions(server, NULL, 0, 10000);
}

static bool audit_reports_an_end(void *data)
{
	(void)data;
	CLEANUP(cleanup_free) char *path = live_audit_path();
	CLEANUP(cleanup_free) char *text = live_read(path);
	return text && strstr(text, "\"terminated\"");
}

/* In the midst of a plan: each target has its line, in the result and in the audit log. */
static void interrupted_it_reports_what_was_done(void **state)
{
	(void)state;
	int stuck = live_client_backend(live_client(app, "idle", NULL));
	int other = live_client_backend(live_client(app, "idle", NULL));
	wait_until_leaked();
	assert_int_equal(kill(stuck, SIGSTOP), 0);
	struct live_program *dbtop = kill_leaked(super, "--yes");
	assert_true(live_wait(audit_reports_an_end, NULL, 20000));
	live_signal(dbtop, SIGINT);
	json_t *root = result_of(dbtop, 1);
	assert_int_equal(kill(stuck, SIGCONT), 0);
	assert_result(root, other, "terminated");
	assert_result(root, stuck, "timeout");
	json_decref(root);
	json_t *line = audit_line(stuck);
	assert_string_equal(live_text(line, "result"), "timeout");
	assert_string_equal(live_text(line, "detail"), "interrupted: signalled, not yet seen gone");
	json_decref(line);
	live_wait_sessions(server, NULL, 0, 10000);
}

/* --- asked about on a terminal --- */

static struct live_program *ask(void)
{
	const struct live_program_options options = { .terminal = true };
	struct live_program *dbtop = live_dbtop_start(
		&options, "--kill-leaked", "--json", "--idle-limit", "0.1", super, NULL);
	live_wait_err(dbtop, "[y/N]", 30000);
	return dbtop;
}

/* While it waits for the answer, one ends and one comes back to life. */
static void what_changed_meanwhile_is_left_alone(void **state)
{
	(void)state;
	struct live_program *leaving = live_client(app, "idle", NULL);
	int left = live_client_backend(leaving);
	PGconn *living = live_connect(app);
	int alive = PQbackendPID(living);
	int idle = live_client_backend(live_client(app, "idle", NULL));
	live_exec(living, "SELECT 1");
	wait_until_leaked();
	struct live_program *dbtop = ask();
	live_free(leaving);
	char where[40];
	snprintf(where, sizeof(where), "pid = %d", left);
	live_wait_sessions(server, where, 0, 10000);
	live_exec(living, "SELECT 2");
	/* at rest again, for long enough */
	wait_until_leaked();
	live_type(dbtop, "y\n");
	json_t *root = result_of(dbtop, 0);
	assert_result(root, left, "gone");
	assert_result(root, alive, "changed");
	assert_result(root, idle, "terminated");
	assert_int_equal(json_integer_value(json_object_get(root, "terminated")), 1);
	assert_int_equal(json_array_size(json_object_get(root, "survivors")), 0);
	json_decref(root);
	assert_audited(left, "gone");
	assert_audited(alive, "changed");
	live_exec(living, "SELECT 3");
	PQfinish(living);
}

static void only_a_yes_is_one(void **state)
{
	(void)state;
	static const char *const answers[] = { "n\n", "\n", "yess\n", "\004" };
	live_client(app, "idle", NULL);
	wait_until_leaked();
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		struct live_program *dbtop = ask();
		live_type(dbtop, answers[i]);
		assert_int_equal(live_finish(dbtop, 20000), 1);
		assert_non_null(strstr(live_err(dbtop), "nothing was ended"));
		live_free(dbtop);
	}
	assert_int_equal(live_sessions(server, OTHERS), 1);
	struct live_program *dbtop = ask();
	live_type(dbtop, "YES\n");
	json_decref(result_of(dbtop, 0));
	live_wait_sessions(server, NULL, 0, 10000);
}

/* Ctrl-C, and a "yes" typed after it. */
static void an_interrupted_question_ends_nothing(void **state)
{
	(void)state;
	live_client(app, "idle", NULL);
	wait_until_leaked();
	struct live_program *dbtop = ask();
	live_type(dbtop, "\003y\n");
	assert_int_equal(live_finish(dbtop, 20000), 128 + SIGINT);
	assert_non_null(strstr(live_err(dbtop), "nothing was ended"));
	live_free(dbtop);
	dbtop = ask();
	live_signal(dbtop, SIGTERM);
	assert_int_equal(live_finish(dbtop, 20000), 128 + SIGTERM);
	assert_int_equal(live_sessions(server, OTHERS), 1);
}

static void refuses_before_it_connects(void **state)
{
	(void)state;
	live_client(app, "idle", NULL);
	wait_until_leaked();
	CLEANUP(cleanup_free)
	char *config = live_file(live_folder(), "readonly.yaml", "readonly: true\n");
	const char *const commands[][5] = {
		{ "--kill-leaked", "--readonly", "--yes" },
		{ "--kill-leaked", "--yes", "-c", config },
		{ "--kill-leaked" }, /* there is no terminal to ask on */
		{ "--once", "--yes" },
		{ "--emergency", "--yes", "--proven-only" },
		{ "--kill-leaked", "--yes", "--min-free=1" },
	};
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		const char *const *c = commands[i];
		struct live_run run =
			live_dbtop("--idle-limit=0.1", super, c[0], c[1], c[2], c[3], c[4], NULL);
		assert_int_equal(run.status, 2);
		assert_string_equal(run.out, "");
		assert_true(strlen(run.err) > 0);
		live_run_clear(&run);
	}
	assert_int_equal(live_sessions(server, OTHERS), 1);
}

static void name_routes(void)
{
	super = live_group_conninfo(LIVE_TCP4, NULL);
	app = live_group_conninfo(LIVE_TCP4, "user=app");
	watcher = live_group_conninfo(LIVE_TCP4, "user=watcher");
}

static void remove_audit(void)
{
	CLEANUP(cleanup_free) char *audit = live_audit_path();
	unlink(audit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LIVE_TEST(leaked_ones_are_terminated_and_only_those),
		LIVE_TEST(proven_only_leaves_the_presumed),
		LIVE_TEST(nothing_to_do_is_clean),
		LIVE_TEST(dry_run_ends_nothing),
		LIVE_TEST(what_we_may_not_end_is_denied),
		LIVE_TEST(what_stays_is_a_timeout),
		LIVE_TEST(interrupted_it_reports_what_was_done),
		LIVE_TEST(what_changed_meanwhile_is_left_alone),
		LIVE_TEST(only_a_yes_is_one),
		LIVE_TEST(an_interrupted_question_ends_nothing),
		LIVE_TEST(refuses_before_it_connects),
	};
	return LIVE_GROUP("kill", tests,
		.sql = "CREATE ROLE app LOGIN; CREATE ROLE watcher LOGIN; GRANT pg_monitor TO "
		       "watcher",
		.set_up = name_routes, .clean_up = remove_audit);
}

/* The emergency on a real server: which processes are stopped, which never are, and what is
 * reported. */
#include "live_group.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "modes/emergency_mode.h"

/* 25 slots, 3 of them reserved for superusers. */
#define SLOTS 22

/* The sessions but dbtop's own, which the server has for a moment after its process has ended, one
 * that it only began among them. */
#define OTHERS "application_name NOT IN ('', 'dbtop')"

static const struct live_program_options stubborn = {
	.env = (const char *const[]){ "LIVE_CLIENT_STUBBORN=1", NULL },
};

static char *config_of(const char *text)
{
	return live_file(live_folder(), "emergency.yaml", text);
}

static void assert_target(
	json_t *root, const char *list, pid_t pid, const char *result, const char *reason)
{
	json_t *target = live_find_number(root, list, "pid", pid);
	CLEANUP(cleanup_free) char *text = json_dumps(root, JSON_INDENT(1));
	if (!target)
		fail_msg("%d is not among the %s: %s", (int)pid, list, text);
	const char *found = live_text(target, "result");
	if (result ? !found || strcmp(found, result) != 0 : found != NULL)
		fail_msg("%d: the result is not %s: %s", (int)pid, result ? result : "null", text);
	found = live_text(target, "reason");
	if (!found || strcmp(found, reason) != 0)
		fail_msg("%d: the reason is not %s: %s", (int)pid, reason, text);
}

static long number(json_t *root, const char *path)
{
	return (long)json_integer_value(live_member(root, path));
}

/* psql CONNINFO, at work: a colleague's. */
static struct live_program *start_psql(enum live_route route)
{
	CLEANUP(cleanup_free)
	char *conninfo = live_conninfo(server, route, "user=app application_name=colleague");
	const struct live_program_options options = {
		.argv = (const char *const[]){ "psql", "-X", "-c", "SELECT pg_sleep(3600)",
			conninfo, NULL },
	};
	return live_start(&options);
}

/* The application's three processes take every slot that is left. */
static void fill(enum live_route route, struct live_program *leaky[static 3], long taken)
{
	char rest[16];
	leaky[0] = live_group_app(NULL, route, "leaky", "idle", "5");
	leaky[1] = live_group_app(NULL, route, "leaky", "transaction", "4");
	snprintf(rest, sizeof(rest), "%ld", SLOTS - 9 - taken);
	leaky[2] = live_group_app(NULL, route, "leaky", "active", rest);
	live_wait_sessions(server, NULL, SLOTS, 20000);
}

static void a_full_server_is_emptied_of_the_application(enum live_route route)
{
	const struct live_program_options other_user = { .unprivileged = true };
	bool root = getuid() == 0;
	struct live_program *leaky[3];
	struct live_program *billing = live_group_app(NULL, route, "billing", "idle", "2");
	struct live_program *other =
		root ? live_group_app(&other_user, route, "theirs", "idle", "2") : NULL;
	struct live_program *colleague = start_psql(route);
	struct live_pgbouncer *pgbouncer = live_pgbouncer_start(server, NULL);
	CLEANUP(cleanup_free)
	char *pool = mem_printf("user=app dbname=%s application_name=pooled",
		route == LIVE_UNIX ? "postgres" : "tcp");
	CLEANUP(cleanup_free)
	char *through = live_pgbouncer_conninfo(pgbouncer, LIVE_TCP4, pool);
	struct live_program *pooled = live_client(through, "idle", "1", NULL);
	long others = root ? 6 : 4;
	live_wait_sessions(server, NULL, others, 20000);
	fill(route, leaky, others);

	CLEANUP(cleanup_free) char *config = config_of("protect: {applications: [billing]}\n");
	CLEANUP(cleanup_free) char *conninfo = live_conninfo(server, route, "user=app");
	struct live_run before = live_dbtop("--once", conninfo, NULL);
	assert_int_equal(before.status, 3);
	for (int i = 0; i < 3; i++) {
		char pid[16];
		snprintf(pid, sizeof(pid), "%d", (int)live_pid(leaky[i]));
		if (!strstr(before.out, pid))
			fail_msg("%s is not shown: %s", pid, before.out);
	}
	live_run_clear(&before);

	struct live_run run =
		live_dbtop("--emergency", "--yes", "--json", "--config", config, conninfo, NULL);
	if (run.status != 0)
		fail_msg("status %d: %s%s", run.status, run.out, run.err);
	json_t *result = live_parse_json(run.out);
	assert_int_equal(number(result, "schema"), 1);
	assert_string_equal(live_text(result, "action"), "emergency");
	assert_true(json_is_false(live_member(result, "connected")));
	for (int i = 0; i < 3; i++) {
		assert_target(
			result, "targets", live_pid(leaky[i]), "terminated", "holds_connections");
		assert_int_equal(live_finish(leaky[i], 5000), 128 + SIGTERM);
	}
	assert_int_equal(json_array_size(live_member(result, "survivors")), 0);
	assert_int_equal(number(result, "connections_left"), 0);
	assert_target(result, "spared", live_pid(billing), NULL, "protected");
	if (other)
		assert_target(result, "spared", live_pid(other), NULL, "other_user");
	assert_target(result, "spared", live_pid(colleague), NULL, "client_program");
	assert_target(
		result, "spared", live_pid(live_pgbouncer_program(pgbouncer)), NULL, "pgbouncer");
	live_wait_sessions(server, "application_name = 'leaky'", 0, 5000);
	assert_int_equal(live_sessions(server, OTHERS), others);
	assert_true(live_running(billing) && live_running(colleague) && live_running(pooled));
	assert_true(live_running(live_pgbouncer_program(pgbouncer)));
	assert_true(!other || live_running(other));
	json_decref(result);
	live_run_clear(&run);
}

static void a_full_server_over_tcp(void **state)
{
	(void)state;
	a_full_server_is_emptied_of_the_application(LIVE_TCP4);
}

static void a_full_server_over_a_unix_socket(void **state)
{
	(void)state;
	a_full_server_is_emptied_of_the_application(LIVE_UNIX);
}

/* dbtop sees which process listens on the socket and at the TCP address. */
static void who_came_over_tcp_is_stopped_from_the_socket(void **state)
{
	(void)state;
	struct live_program *app = live_group_app(NULL, LIVE_TCP4, "leaky", "idle", "22");
	CLEANUP(cleanup_free) char *conninfo = live_conninfo(server, LIVE_UNIX, "user=app");
	struct live_run run = live_dbtop("--emergency", "--yes", "--json", conninfo, NULL);
	if (run.status != 0)
		fail_msg("status %d: %s%s", run.status, run.out, run.err);
	json_t *result = live_parse_json(run.out);
	assert_target(result, "targets", live_pid(app), "terminated", "holds_connections");
	assert_int_equal(live_finish(app, 5000), 128 + SIGTERM);
	live_wait_sessions(server, "application_name = 'leaky'", 0, 5000);
	json_decref(result);
	live_run_clear(&run);
}

/* Of another user's server it sees the addresses alone: they do not prove whose clients they are.
 */
static void who_came_another_way_is_left_alone(void **state)
{
	(void)state;
	const struct live_program_options plain = { .unprivileged = true };
	struct live_program *app = live_group_app(&plain, LIVE_TCP4, "leaky", "idle", "22");
	CLEANUP(cleanup_free) char *conninfo = live_conninfo(server, LIVE_UNIX, "user=app");
	struct live_program *dbtop =
		live_dbtop_start(&plain, "--emergency", "--yes", "--json", conninfo, NULL);
	int status = live_finish(dbtop, 30000);
	json_t *result = live_parse_json(live_out(dbtop));
	assert_target(result, "spared", live_pid(app), NULL, "not_told");
	assert_int_equal(status, 3);
	assert_int_equal(json_array_size(live_member(result, "targets")), 0);
	assert_int_equal(live_sessions(server, "application_name = 'leaky'"), 22);
	json_decref(result);
}

static void who_does_not_obey_is_killed_after_the_grace(void **state)
{
	(void)state;
	struct live_program *program = live_group_app(&stubborn, LIVE_TCP4, "leaky", "active", "3");
	CLEANUP(cleanup_free) char *config = config_of("emergency: {grace: 300ms}\n");
	CLEANUP(cleanup_free) char *conninfo = live_conninfo(server, LIVE_TCP4, "user=app");
	struct live_run run =
		live_dbtop("--emergency", "--yes", "--json", "--config", config, conninfo, NULL);
	json_t *result = live_parse_json(run.out);
	assert_int_equal(run.status, 0);
	assert_target(result, "targets", live_pid(program), "terminated", "holds_connections");
	json_t *target = live_find_number(result, "targets", "pid", live_pid(program));
	assert_string_equal(live_text(target, "signal"), "SIGKILL");
	assert_true(json_real_value(live_member(target, "seconds")) >= 0.3);
	/* at work when it was killed: its sessions do not go by themselves */
	assert_int_equal(number(result, "terminated"), 4);
	assert_int_equal(live_sessions(server, "application_name = 'leaky'"), 0);
	assert_int_equal(live_finish(program, 5000), 128 + SIGKILL);
	json_decref(result);
	live_run_clear(&run);
}

static void force_kills_at_once(void **state)
{
	(void)state;
	struct live_program *program = live_group_app(&stubborn, LIVE_UNIX, "leaky", "idle", "2");
	CLEANUP(cleanup_free) char *conninfo = live_conninfo(server, LIVE_UNIX, "user=app");
	struct live_run run = live_dbtop("--emergency", "--force", "--yes", conninfo, NULL);
	if (run.status != 0)
		fail_msg("status %d: %s%s", run.status, run.out, run.err);
	assert_int_equal(live_finish(program, 5000), 128 + SIGKILL);
	assert_non_null(strstr(run.out, "stopped 1 of 1 process"));
	assert_non_null(strstr(run.out, "0 of the application's connections left"));
	live_run_clear(&run);
}

static void a_dry_run_names_all_and_touches_nobody(void **state)
{
	(void)state;
	struct live_program *program = live_group_app(NULL, LIVE_TCP4, "leaky", "idle", "2");
	CLEANUP(cleanup_free) char *conninfo = live_conninfo(server, LIVE_TCP4, "user=app");
	/* we, who start dbtop, hold a connection, too */
	PGconn *own = live_connect(conninfo);
	struct live_run run = live_dbtop("--emergency", "--dry-run", "--json", conninfo, NULL);
	json_t *result = live_parse_json(run.out);
	assert_int_equal(run.status, 1);
	assert_target(result, "targets", live_pid(program), NULL, "holds_connections");
	assert_target(result, "spared", getpid(), NULL, "dbtop");
	PQfinish(own);
	live_wait_sessions(server, "usename = 'app'", 2, 10000);
	assert_true(live_running(program));
	json_decref(result);
	live_run_clear(&run);
	live_free(program);
	live_wait_sessions(server, NULL, 0, 10000);
	run = live_dbtop("--emergency", "--dry-run", conninfo, NULL);
	assert_int_equal(run.status, 0);
	live_run_clear(&run);
}

static void it_stays_within_its_scope(void **state)
{
	(void)state;
	struct live_program *web = live_group_app(NULL, LIVE_TCP4, "web", "idle", "2");
	struct live_program *worker = live_group_app(NULL, LIVE_TCP4, "worker", "idle", "2");
	struct live_program *reports = live_group_app(NULL, LIVE_TCP4, "reports", "idle", "2");
	CLEANUP(cleanup_free) char *conninfo = live_conninfo(server, LIVE_TCP4, "user=app");
	struct live_run run =
		live_dbtop("--emergency", "--yes", "--json", "--app", "^worker$", conninfo, NULL);
	assert_int_equal(run.status, 0);
	json_t *result = live_parse_json(run.out);
	assert_target(result, "targets", live_pid(worker), "terminated", "holds_connections");
	assert_target(result, "spared", live_pid(web), NULL, "out_of_scope");
	json_decref(result);
	live_run_clear(&run);

	CLEANUP(cleanup_free) char *config = config_of("emergency: {applications: [\"rep*\"]}\n");
	run = live_dbtop("--emergency", "--yes", "--json", "--config", config, conninfo, NULL);
	assert_int_equal(run.status, 0);
	result = live_parse_json(run.out);
	assert_target(result, "targets", live_pid(reports), "terminated", "holds_connections");
	assert_target(result, "spared", live_pid(web), NULL, "not_named");
	assert_true(live_running(web));
	assert_int_equal(live_sessions(server, "application_name = 'web'"), 2);
	json_decref(result);
	live_run_clear(&run);
}

static void readonly_forbids_it(void **state)
{
	(void)state;
	struct live_program *program = live_group_app(NULL, LIVE_TCP4, "leaky", "idle", "1");
	CLEANUP(cleanup_free) char *conninfo = live_conninfo(server, LIVE_TCP4, "user=app");
	struct live_run run = live_dbtop("--emergency", "--yes", "--readonly", conninfo, NULL);
	assert_int_equal(run.status, 2);
	live_run_clear(&run);
	CLEANUP(cleanup_free) char *config = config_of("readonly: true\n");
	run = live_dbtop("--emergency", "--yes", "--config", config, conninfo, NULL);
	assert_int_equal(run.status, 2);
	live_run_clear(&run);
	run = live_dbtop("--kill-leaked", "--yes", "--config", config, conninfo, NULL);
	assert_int_equal(run.status, 2);
	live_run_clear(&run);
	assert_true(live_running(program));
}

/* Only as root: as another user the server's processes are ours, and nothing is hidden.
 *
 * The sessions are active when their process is stopped, and belong to another user than the
 * server's. Nothing shows which they are, so the emergency must not report that all is well. */
static void what_a_plain_user_cannot_see_is_not_called_clean(void **state)
{
	(void)state;
	const struct live_program_options plain = { .unprivileged = true };
	struct live_program *idle = live_group_app(&plain, LIVE_UNIX, "leaky", "idle", "2");
	struct live_program *active = live_group_app(&plain, LIVE_UNIX, "leaky", "active", "3");
	CLEANUP(cleanup_free) char *conninfo = live_conninfo(server, LIVE_UNIX, "user=app");
	struct live_program *dbtop =
		live_dbtop_start(&plain, "--emergency", "--yes", "--json", conninfo, NULL);
	int status = live_finish(dbtop, 30000);
	json_t *result = live_parse_json(live_out(dbtop));
	assert_target(result, "targets", live_pid(idle), "terminated", "holds_connections");
	assert_target(result, "targets", live_pid(active), "terminated", "holds_connections");
	assert_int_equal(status, 1);
	/* the idle ones count, too, if the server takes longer to end them than dbtop waits */
	assert_in_range(number(result, "connections_left"), 3, 5);
	live_wait_sessions(server, "application_name = 'leaky'", 3, 10000);
	json_decref(result);
}

/* How many of the processes run. */
static long count_running(struct live_program *const apps[static 3])
{
	return live_running(apps[0]) + live_running(apps[1]) + live_running(apps[2]);
}

/* Every slot is taken by sessions of two roles; dbtop is a plain role of a plain user, and may not
 * end those of the other one, which are at work when their process is stopped. What it says that is
 * left is what the server has left. */
static void the_counts_are_the_servers(enum live_route route)
{
	const struct live_program_options plain = { .unprivileged = true };
	CLEANUP(cleanup_free)
	char *cron = live_conninfo(server, route, "user=cron application_name=leaky");
	struct live_program *apps[] = {
		live_group_app(&plain, route, "leaky", "idle", "12"),
		live_group_app(&plain, route, "leaky", "active", "6"),
		live_client_with(&plain, cron, "active", "4", NULL),
	};
	live_wait_sessions(server, NULL, SLOTS, 20000);
	assert_int_equal(count_running(apps), 3);
	CLEANUP(cleanup_free) char *conninfo = live_conninfo(server, route, "user=app");
	struct live_program *dbtop =
		live_dbtop_start(&plain, "--emergency", "--yes", "--json", conninfo, NULL);
	int status = live_finish(dbtop, 60000);
	json_t *result = live_parse_json(live_out(dbtop));
	assert_true(json_is_false(live_member(result, "connected")));
	for (size_t i = 0; i < sizeof(apps) / sizeof(apps[0]); i++) {
		assert_target(
			result, "targets", live_pid(apps[i]), "terminated", "holds_connections");
		assert_int_equal(live_finish(apps[i], 5000), 128 + SIGTERM);
	}
	assert_int_equal(count_running(apps), 0);
	long left = live_sessions(server, "application_name = 'leaky'");
	if (number(result, "connections_left") != left || left < 4 || status != 1)
		fail_msg("status %d, %ld left: %s", status, left, live_out(dbtop));
	json_decref(result);
}

static void on_a_full_server_the_counts_are_the_servers(void **state)
{
	the_counts_are_the_servers(LIVE_UNIX);
	live_group_clean_up(state);
	the_counts_are_the_servers(LIVE_TCP4);
}

/* A session that is hidden from the role may be the application's, or not. */
static void beside_a_hidden_session_none_left_is_not_said(void **state)
{
	(void)state;
	CLEANUP(cleanup_free) char *cron = live_conninfo(server, LIVE_TCP4, "user=cron");
	CLEANUP(cleanup_free) char *conninfo = live_conninfo(server, LIVE_TCP4, "user=app");
	PGconn *hidden = live_connect(cron);
	struct live_program *app = live_group_app(NULL, LIVE_TCP4, "leaky", "idle", "2");
	struct live_run run = live_dbtop("--emergency", "--yes", "--json", conninfo, NULL);
	json_t *result = live_parse_json(run.out);
	assert_target(result, "targets", live_pid(app), "terminated", "holds_connections");
	const char *error = live_text(result, "error");
	if (run.status != 3 || !json_is_null(live_member(result, "connections_left")) || !error ||
		!strstr(error, "cannot tell how many are left: 1 session is hidden"))
		fail_msg("status %d: %s%s", run.status, run.out, run.err);
	PQfinish(hidden);
	json_decref(result);
	live_run_clear(&run);
}

/* Sessions that the server has not ended half a second after their process are targets, too. */
static size_t count_processes(json_t *result)
{
	size_t i, count = 0;
	json_t *target;
	json_array_foreach(live_member(result, "targets"), i, target)
	{
		count += strcmp(live_text(target, "kind"), "process") == 0;
	}
	return count;
}

/* As systemd does with Restart=always. The other application keeps dbtop from counting until the
 * first one is there again. */
static void what_a_supervisor_starts_again_survives_and_is_reported(void **state)
{
	(void)state;
	struct live_program *waited_for = live_group_app(&stubborn, LIVE_TCP4, "slow", "idle", "1");
	CLEANUP(cleanup_free)
	char *app = live_conninfo(server, LIVE_TCP4, "user=app application_name=again");
	const struct live_program_options options = {
		.argv = (const char *const[]){ "sh", "-c", "while :; do \"$0\" \"$1\" idle 2; done",
			live_client_path(), app, NULL },
		.own_group = true,
	};
	struct live_program *supervisor = live_start(&options);
	live_wait_out(supervisor, "ready\n", 20000);
	CLEANUP(cleanup_free) char *config = config_of("emergency: {grace: 1h}\n");
	CLEANUP(cleanup_free) char *conninfo = live_conninfo(server, LIVE_TCP4, "user=app");
	struct live_program *dbtop = live_dbtop_start(
		NULL, "--emergency", "--yes", "--json", "--config", config, conninfo, NULL);
	live_wait_out(supervisor, "ready\npid ", 60000);
	live_signal(waited_for, SIGKILL);
	assert_int_equal(live_finish(dbtop, 60000), 1);
	json_t *result = live_parse_json(live_out(dbtop));
	assert_int_equal(count_processes(result), 2);
	assert_target(result, "targets", live_pid(waited_for), "terminated", "holds_connections");
	CLEANUP(cleanup_free)
	char *why = mem_printf(
		"sh (process %d) started it again: stop that one first", (int)live_pid(supervisor));
	json_t *left = live_find_text(result, "left", "why", why);
	if (!left)
		fail_msg("no \"%s\" in %s", why, live_out(dbtop));
	assert_int_equal(number(left, "connections"), 2);
	assert_int_equal(number(result, "connections_left"), 2);
	json_t *stopped = json_array_get(json_object_get(result, "targets"), 0);
	if (number(stopped, "pid") == live_pid(waited_for))
		stopped = json_array_get(json_object_get(result, "targets"), 1);
	assert_string_equal(live_text(stopped, "result"), "terminated");
	assert_true(live_pid(supervisor) != number(stopped, "pid"));
	assert_true(number(left, "process_pid") != number(stopped, "pid"));
	assert_true(live_running(supervisor));
	json_decref(result);
}

/* A plan says what is lost with each process. */
static void what_is_lost_is_part_of_the_plan(void **state)
{
	(void)state;
	struct live_program *app = live_group_app(NULL, LIVE_TCP4, "leaky", "transaction", "2");
	CLEANUP(cleanup_free) char *conninfo = live_conninfo(server, LIVE_TCP4, NULL);
	struct live_run run = live_dbtop("--emergency", "--dry-run", "--json", conninfo, NULL);
	json_t *result = live_parse_json(run.out);
	json_t *target = live_find_number(result, "targets", "pid", live_pid(app));
	assert_non_null(target);
	const char *loses = live_text(target, "loses");
	if (!loses || strncmp(loses, "2 open transactions", 19) != 0)
		fail_msg("loses: %s", loses ? loses : "null");
	json_decref(result);
	live_run_clear(&run);
}

/* --- interrupted --- */

/* A thread of dbtop's writes the log: a line may come after the signal. */
static bool has_both_signals(void *data)
{
	static const char signal[] = "\"event\":\"signal\"";
	CLEANUP(cleanup_free) char *path = live_audit_path();
	CLEANUP(cleanup_free) char *text = live_read(path);
	const char *first = text ? strstr(text, signal) : NULL;
	(void)data;
	return first && strstr(first + 1, signal) && text[strlen(text) - 1] == '\n';
}

/* Every line is whole and says what it is; returns how many there are. */
static size_t check_audit(const char *text)
{
	size_t lines = 0;
	assert_non_null(text);
	assert_int_equal(text[strlen(text) - 1], '\n');
	for (const char *line = text; *line; line = strchr(line, '\n') + 1, lines++) {
		json_t *entry = live_parse_json(line);
		assert_int_equal(number(entry, "schema"), 1);
		assert_string_equal(live_text(entry, "action"), "emergency");
		assert_non_null(live_text(entry, "at"));
		assert_non_null(live_text(entry, "event"));
		json_decref(entry);
	}
	return lines;
}

/* Nobody is asked, so nothing is done. */
static void what_cannot_be_audited_is_not_begun(void **state)
{
	(void)state;
	struct live_program *app = live_group_app(NULL, LIVE_TCP4, "leaky", "idle", "2");
	CLEANUP(cleanup_free) char *conninfo = live_conninfo(server, LIVE_TCP4, "user=app");
	const struct live_program_options options = {
		.argv = (const char *const[]){ "sh", "-c", "XDG_STATE_HOME=/proc/none exec \"$@\"",
			"sh", live_dbtop_path(), "--emergency", "--yes", conninfo, NULL },
	};
	struct live_run run = live_run(&options, 20000);
	assert_int_equal(run.status, 3);
	assert_non_null(strstr(run.err, "/proc/none/dbtop/actions.jsonl cannot be written"));
	assert_non_null(strstr(run.err, "nothing was stopped"));
	assert_true(live_running(app));
	assert_int_equal(live_sessions(server, "application_name = 'leaky'"), 2);
	live_run_clear(&run);
}

static struct live_program *start_slow_emergency(struct live_program *ret_apps[static 2])
{
	CLEANUP(cleanup_free) char *path = live_audit_path();
	CLEANUP(cleanup_free) char *config = config_of("emergency: {grace: 1h}\n");
	CLEANUP(cleanup_free) char *conninfo = live_conninfo(server, LIVE_TCP4, "user=app");
	unlink(path);
	ret_apps[0] = live_group_app(&stubborn, LIVE_TCP4, "stubborn", "idle", "2");
	ret_apps[1] = live_group_app(NULL, LIVE_TCP4, "leaky", "idle", "2");
	struct live_program *dbtop = live_dbtop_start(
		NULL, "--emergency", "--yes", "--json", "--config", config, conninfo, NULL);
	assert_true(live_wait(has_both_signals, NULL, 20000));
	assert_int_equal(live_finish(ret_apps[1], 10000), 128 + SIGTERM);
	live_wait_sessions(server, "application_name = 'leaky'", 0, 10000);
	return dbtop;
}

static void killed_in_the_middle_it_leaves_nothing_half_written(void **state)
{
	(void)state;
	struct live_program *apps[2];
	struct live_program *dbtop = start_slow_emergency(apps);
	live_signal(dbtop, SIGKILL);
	assert_int_equal(live_finish(dbtop, 5000), 128 + SIGKILL);
	CLEANUP(cleanup_free) char *path = live_audit_path();
	CLEANUP(cleanup_free) char *text = live_read(path);
	assert_true(check_audit(text) >= 3);
	assert_true(live_running(apps[0]));
	assert_int_equal(live_sessions(server, "application_name = 'stubborn'"), 2);
}

static void interrupted_it_says_what_was_done(void **state)
{
	(void)state;
	struct live_program *apps[2];
	struct live_program *dbtop = start_slow_emergency(apps);
	live_signal(dbtop, SIGINT);
	assert_int_equal(live_finish(dbtop, 10000), 1);
	json_t *result = live_parse_json(live_out(dbtop));
	assert_target(result, "targets", live_pid(apps[1]), "terminated", "holds_connections");
	assert_target(result, "targets", live_pid(apps[0]), "timeout", "holds_connections");
	assert_true(json_is_true(live_member(result, "interrupted")));
	json_decref(result);
	CLEANUP(cleanup_free) char *path = live_audit_path();
	CLEANUP(cleanup_free) char *text = live_read(path);
	check_audit(text);
	assert_true(live_running(apps[0]));
}

/* Ctrl-C, and the word typed after it. */
static void an_interrupted_question_stops_nothing(void **state)
{
	(void)state;
	struct live_program *app = live_group_app(NULL, LIVE_TCP4, "leaky", "idle", "1");
	CLEANUP(cleanup_free) char *conninfo = live_conninfo(server, LIVE_TCP4, "user=app");
	const struct live_program_options options = { .terminal = true };
	struct live_program *dbtop = live_dbtop_start(&options, "--emergency", conninfo, NULL);
	live_wait_err(dbtop, "Type \"" EMERGENCY_WORD "\"", 30000);
	live_type(dbtop, "\003" EMERGENCY_WORD "\n");
	assert_int_equal(live_finish(dbtop, 20000), 128 + SIGINT);
	assert_non_null(strstr(live_err(dbtop), "nothing was stopped"));
	assert_true(live_running(app));
	assert_int_equal(live_sessions(server, OTHERS), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LIVE_TEST(an_interrupted_question_stops_nothing),
		LIVE_TEST(a_full_server_over_tcp),
		LIVE_TEST(a_full_server_over_a_unix_socket),
		LIVE_TEST(who_came_over_tcp_is_stopped_from_the_socket),
		LIVE_TEST(who_does_not_obey_is_killed_after_the_grace),
		LIVE_TEST(force_kills_at_once),
		LIVE_TEST(a_dry_run_names_all_and_touches_nobody),
		LIVE_TEST(it_stays_within_its_scope),
		LIVE_TEST(readonly_forbids_it),
		LIVE_TEST(what_a_supervisor_starts_again_survives_and_is_reported),
		LIVE_TEST(what_is_lost_is_part_of_the_plan),
		LIVE_TEST(what_cannot_be_audited_is_not_begun),
		LIVE_TEST(killed_in_the_middle_it_leaves_nothing_half_written),
		LIVE_TEST(interrupted_it_says_what_was_done),
		LIVE_TEST(on_a_full_server_the_counts_are_the_servers),
		LIVE_TEST(beside_a_hidden_session_none_left_is_not_said),
		/* root's */
		LIVE_TEST(what_a_plain_user_cannot_see_is_not_called_clean),
		LIVE_TEST(who_came_another_way_is_left_alone),
	};
	return LIVE_GROUP("emergency", tests, .wide = true,
		.sql = "CREATE ROLE app LOGIN; CREATE ROLE cron LOGIN", .root_tests = 2);
}

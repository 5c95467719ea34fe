/* dbtop --guard where it does not get in, or may not act: a full server, a role at its limit, a
 * pooler. */
#include "live_group.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"

#define WAIT_MS 60000

/* The slots of all but superusers: 12 of which 3 are reserved. */
#define SLOTS 9

static bool lives(int pid)
{
	CLEANUP(cleanup_free) char *where = mem_printf("pid = %d", pid);
	return live_sessions(server, where) == 1;
}

static void wait_for_end(int pid)
{
	CLEANUP(cleanup_free) char *where = mem_printf("pid = %d", pid);
	live_wait_sessions(server, where, 0, WAIT_MS);
}

static void end(int pid)
{
	CLEANUP(cleanup_free) char *sql = mem_printf("SELECT pg_terminate_backend(%d)", pid);
	live_sql(server, sql);
	wait_for_end(pid);
}

static struct live_program *guard(const char *conninfo)
{
	return live_dbtop_start(
		NULL, "--guard", "--yes", "--json", "-i", "0.2", "--for", "0.5", conninfo, NULL);
}

static void finish(struct live_program *program)
{
	live_signal(program, SIGTERM);
	assert_int_equal(live_finish(program, WAIT_MS), 0);
}

static void wait_terminated(struct live_program *program, int pid)
{
	CLEANUP(cleanup_free)
	char *target = mem_printf("{\"pid\":%d,\"result\":\"terminated\"", pid);
	wait_for_end(pid);
	live_wait_out(program, target, WAIT_MS);
}

static void assert_full(const char *conninfo)
{
	PGconn *conn = PQconnectdb(conninfo);
	assert_int_equal(PQstatus(conn), CONNECTION_BAD);
	PQfinish(conn);
}

/* It holds its connection, and needs no other. */
static void inside_it_frees_slots_of_a_full_server(void **state)
{
	(void)state;
	const char *keeper = live_group_conninfo(LIVE_TCP4, "user=keeper");
	const char *app = live_group_conninfo(LIVE_TCP4, "user=app");
	struct live_program *inside = guard(keeper);
	live_wait_err(inside, "connected to ", WAIT_MS);
	struct live_program *active = live_client(app, "active", NULL);
	int pid = live_client_backend(active);
	CLEANUP(cleanup_free) char *rest = mem_printf("%d", SLOTS - 2);
	live_client(app, "idle", rest, NULL);
	assert_full(app);
	live_free(active);
	wait_terminated(inside, pid);
	PQfinish(live_connect(app));
	finish(inside);
}

/* The leak keeps a slot that the guard cannot have; when another one is free, it ends the leak. */
static void outside_it_waits_until_it_is_let_in(void **state)
{
	(void)state;
	static const struct {
		const char *role;
		int slots;
		const char *says;
	} cases[] = {
		{ "user=keeper", SLOTS, "not connected: " },
		{ "user=narrow", 3, "not connected: too many connections for role \"narrow\"" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *conninfo = live_group_conninfo(LIVE_TCP4, cases[i].role);
		CLEANUP(cleanup_free) char *rest = mem_printf("%d", cases[i].slots - 2);
		struct live_program *active = live_client(conninfo, "active", NULL);
		struct live_program *idle = live_client(conninfo, "idle", NULL);
		struct live_program *more = live_client(conninfo, "idle", rest, NULL);
		int leaked = live_client_backend(active), other = live_client_backend(idle);
		live_free(active);
		assert_full(conninfo);
		struct live_program *outside = guard(conninfo);
		live_wait_err(outside, cases[i].says, WAIT_MS);
		assert_true(lives(leaked));
		end(other);
		live_wait_err(outside, "connected to 127.0.0.1:", WAIT_MS);
		wait_terminated(outside, leaked);
		finish(outside);
		live_free(idle);
		live_free(more);
		live_wait_sessions(server, NULL, 0, WAIT_MS);
	}
}

static size_t count_text(const char *text, const char *part)
{
	size_t count = 0;
	for (const char *at = text; (at = strstr(at, part)); at++)
		count++;
	return count;
}

/* It says so once, whatever it sees: another guard tells when it would have acted. */
static void through_a_pooler_it_only_logs(void **state)
{
	(void)state;
	static const char says[] =
		"nothing is ended through a pooler: connect to PostgreSQL itself\n";
	struct live_pgbouncer *pgbouncer = live_pgbouncer_start(server,
		(const char *const[]){
			"pool_mode = session", "ignore_startup_parameters = options", NULL });
	CLEANUP(cleanup_free)
	char *pooled =
		live_pgbouncer_conninfo(pgbouncer, LIVE_TCP4, "user=postgres dbname=postgres");
	struct live_program *through = guard(pooled);
	live_wait_err(through, says, WAIT_MS);
	struct live_program *active =
		live_client(live_group_conninfo(LIVE_TCP4, "user=app"), "active", NULL);
	int pid = live_client_backend(active);
	live_free(active);
	struct live_program *witness = live_dbtop_start(NULL, "--guard", "--dry-run", "-i", "0.2",
		"--for", "1", live_group_conninfo(LIVE_TCP4, NULL), NULL);
	CLEANUP(cleanup_free) char *name = mem_printf("session %d (", pid);
	live_wait_err(witness, name, WAIT_MS);
	live_wait_err(witness, "would be ended (dry run)", WAIT_MS);
	assert_true(lives(pid) && live_running(through));
	finish(witness);
	finish(through);
	assert_int_equal(count_text(live_err(through), says), 1);
	assert_string_equal(live_out(through), "");
	end(pid);
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
		LIVE_TEST(inside_it_frees_slots_of_a_full_server),
		LIVE_TEST(outside_it_waits_until_it_is_let_in),
		LIVE_TEST(through_a_pooler_it_only_logs),
	};
	return LIVE_GROUP("guard_entry", tests,
		.settings = (const char *const[]){ "max_connections=12",
			"superuser_reserved_connections=3", NULL },
		.wide = true,
		.sql = "CREATE ROLE app LOGIN; CREATE ROLE narrow LOGIN CONNECTION LIMIT 3;"
		       " CREATE ROLE keeper LOGIN IN ROLE pg_monitor, pg_signal_backend",
		.clean_up = clean_up);
}

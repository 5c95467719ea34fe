/* Whom an emergency never stops, on a real server: what PostgreSQL was started from, agents,
 * forwarders, tools; while it stops the application beside them. */
#include "live_group.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"

/* The reason why it was left alone; "terminated" for one that was stopped. */
static void assert_fate(json_t *result, const struct live_program *program, const char *fate)
{
	bool stopped = strcmp(fate, "terminated") == 0;
	json_t *entry =
		live_find_number(result, stopped ? "targets" : "spared", "pid", live_pid(program));
	const char *found = entry ? live_text(entry, stopped ? "result" : "reason") : NULL;
	CLEANUP(cleanup_free) char *text = json_dumps(result, JSON_INDENT(1));
	if (!found || strcmp(found, fate) != 0)
		fail_msg("%d: not %s: %s", (int)live_pid(program), fate, text);
}

/* The client program under another name. */
static char *client_called(const char *name)
{
	char *path = mem_printf("%s/%s", live_folder(), name);
	CLEANUP(cleanup_free)
	char *command = mem_printf("cp -f '%s' '%s'", live_client_path(), path);
	assert_int_equal(system(command), 0);
	return path;
}

static struct live_program *start_client(const char *program, const char *conninfo, const char *uid)
{
	CLEANUP(cleanup_free) char *variable = mem_printf("LIVE_CLIENT_UID=%s", uid ? uid : "");
	const struct live_program_options options = {
		.argv = (const char *const[]){ program, conninfo, "idle", "1", NULL },
		.env = (const char *const[]){ uid ? variable : "LIVE_CLIENT_UID", NULL },
	};
	struct live_program *client = live_start(&options);
	live_wait_out(client, "ready\n", 20000);
	return client;
}

/* --- what PostgreSQL was started from --- */

struct supervised {
	struct live_program *supervisor;
	char uid[16], folder[128];
	int port, postmaster;
};

static struct supervised start_supervised(void)
{
	struct supervised supervised;
	CLEANUP(cleanup_free) char *variable = mem_printf("LIVE_PASSWORD=%s", live_password());
	const struct live_program_options options = {
		.argv = (const char *const[]){ SUPERVISOR_PATH, NULL },
		.env = (const char *const[]){ variable, NULL },
	};
	supervised.supervisor = live_start(&options);
	live_wait_out(supervised.supervisor, "ready\n", 60000);
	assert_int_equal(sscanf(live_out(supervised.supervisor),
				 "uid %15s folder %127s port %d server %d", supervised.uid,
				 supervised.folder, &supervised.port, &supervised.postmaster),
		4);
	return supervised;
}

static char *way_to(const struct supervised *supervised, enum live_route route)
{
	return mem_printf("host=%s port=%d user=postgres dbname=postgres application_name=app",
		route == LIVE_UNIX ? supervised->folder : "127.0.0.1", supervised->port);
}

/* As Patroni is: a session of its own, the server's user and parent, and its SIGTERM is the
 * server's end. */
static void the_server_survives_over(enum live_route route)
{
	bool root = getuid() == 0;
	struct supervised supervised = start_supervised();
	CLEANUP(cleanup_free) char *conninfo = way_to(&supervised, route);
	CLEANUP(cleanup_free) char *agents = client_called("repmgrd");
	struct live_program *app = start_client(live_client_path(), conninfo, NULL);
	struct live_program *agent = start_client(agents, conninfo, NULL);
	/* a script beside it, of the server's user: who is no root is that user himself */
	struct live_program *script =
		root ? start_client(live_client_path(), conninfo, supervised.uid) : NULL;
	PGconn *witness = live_connect(conninfo);

	struct live_run run = live_dbtop("--emergency", "--yes", "--json",
		root ? "--all-users" : "--no-query-text", conninfo, NULL);
	if (run.status != 0)
		fail_msg("status %d: %s%s", run.status, run.out, run.err);
	json_t *result = live_parse_json(run.out);
	assert_fate(result, app, "terminated");
	assert_fate(result, supervised.supervisor, "postgresql_parent");
	assert_fate(result, agent, "ha_agent");
	if (script)
		assert_fate(result, script, "servers_user");
	assert_int_equal(live_finish(app, 10000), 128 + SIGTERM);
	assert_true(live_running(supervised.supervisor) && live_running(agent));
	assert_int_equal(live_number(witness, "SELECT 1"), 1);
	PQfinish(witness);
	json_decref(result);
	live_run_clear(&run);
}

static void what_started_the_server_is_never_stopped(void **state)
{
	(void)state;
	the_server_survives_over(LIVE_TCP4);
	the_server_survives_over(LIVE_UNIX);
}

/* On a server that lets nobody in, too, where only the sockets tell. */
static void a_full_server_keeps_what_started_it(void **state)
{
	(void)state;
	struct supervised supervised = start_supervised();
	CLEANUP(cleanup_free) char *conninfo = way_to(&supervised, LIVE_UNIX);
	CLEANUP(cleanup_free) char *guest = mem_printf("%s user=guest", conninfo);
	PGconn *witness = live_connect(conninfo);
	CLEANUP(cleanup_free)
	char *sql = mem_printf("CREATE ROLE guest LOGIN PASSWORD '%s'", live_password());
	live_exec(witness, sql);
	/* 22 that are no superuser's: the supervisor's session and ours are of the 22 */
	struct live_program *app = live_client(guest, "idle", "20", NULL);
	struct live_run run = live_dbtop("--emergency", "--yes", "--json",
		getuid() == 0 ? "--all-users" : "--no-query-text", guest, NULL);
	json_t *result = live_parse_json(run.out);
	assert_true(json_is_false(live_member(result, "connected")));
	assert_fate(result, app, "terminated");
	assert_fate(result, supervised.supervisor, "postgresql_parent");
	assert_true(live_running(supervised.supervisor));
	assert_int_equal(live_number(witness, "SELECT 1"), 1);
	PQfinish(witness);
	json_decref(result);
	live_run_clear(&run);
}

/* --- who forwards --- */

static struct live_program *start_forwarder(const char *const *argv)
{
	return live_start(&(struct live_program_options){ .argv = argv });
}

static char *through(int port)
{
	return mem_printf("host=127.0.0.1 port=%d user=app dbname=postgres sslmode=disable "
			  "gssencmode=disable application_name=behind",
		port);
}

static void forwarders_are_left_alone_and_applications_are_not(void **state)
{
	(void)state;
	CLEANUP(cleanup_free) char *to = mem_printf("%d", private_server_port(server));
	CLEANUP(cleanup_free) char *connect = mem_printf("TCP:127.0.0.1:%s", to);
	CLEANUP(cleanup_free) char *sshds = client_called("sshd");
	CLEANUP(cleanup_free) char *maintenance = client_called("vacuumdb");
	CLEANUP(cleanup_free) char *conninfo = live_conninfo(server, LIVE_TCP4, "user=app");
	/* one that no table names: each of its connections has an accepted one that carries the
	 * same */
	struct live_program *unknown = start_forwarder(
		(const char *const[]){ "python3", "tests/support/forwarder.py", "0", to, NULL });
	live_wait_out(unknown, "\n", 20000);
	CLEANUP(cleanup_free)
	char *behind_unknown = through(atoi(live_out(unknown) + strlen("port ")));
	struct live_program *socat = start_forwarder((const char *const[]){
		"socat", "-d", "-d", "TCP-LISTEN:0,bind=127.0.0.1", connect, NULL });
	live_wait_err(socat, "listening on AF=2 127.0.0.1:", 20000);
	CLEANUP(cleanup_free)
	char *behind_socat = through(atoi(strstr(live_err(socat), " 127.0.0.1:") + 11));
	struct live_program *first = start_client(live_client_path(), behind_unknown, NULL);
	struct live_program *second = start_client(live_client_path(), behind_socat, NULL);
	struct live_program *direct = start_client(live_client_path(), conninfo, NULL);
	struct live_program *tunnel = start_client(sshds, conninfo, NULL);
	struct live_program *vacuum = start_client(maintenance, conninfo, NULL);

	struct live_run run = live_dbtop("--emergency", "--yes", "--json", conninfo, NULL);
	if (run.status != 0)
		fail_msg("status %d: %s%s", run.status, run.out, run.err);
	json_t *result = live_parse_json(run.out);
	assert_fate(result, direct, "terminated");
	assert_fate(result, socat, "forwarder");
	assert_fate(result, unknown, "forwarder");
	assert_fate(result, tunnel, "sshd");
	assert_fate(result, vacuum, "client_program");
	/* socat serves one connection alone, so the application behind it is proven */
	assert_fate(result, second, "terminated");
	assert_true(live_running(first));
	json_decref(result);
	live_run_clear(&run);

	/* behind a forwarder it is seen from the forwarder's port */
	run = live_dbtop("--emergency", "--yes", "--json", behind_unknown, NULL);
	result = live_parse_json(run.out);
	assert_fate(result, first, "terminated");
	assert_true(live_running(unknown));
	json_decref(result);
	live_run_clear(&run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LIVE_TEST(what_started_the_server_is_never_stopped),
		LIVE_TEST(a_full_server_keeps_what_started_it),
		LIVE_TEST(forwarders_are_left_alone_and_applications_are_not),
	};
	return LIVE_GROUP("skipped", tests, .wide = true, .sql = "CREATE ROLE app LOGIN");
}

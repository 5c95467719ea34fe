/* demo/private_server: other users of this machine cannot use it, nor reach what root writes. */
#include "live_group.h"

#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"

static struct private_server *wide;

static void assert_refused(const char *conninfo, const char *why)
{
	PGconn *conn = PQconnectdb(conninfo);
	if (PQstatus(conn) == CONNECTION_OK || !strstr(PQerrorMessage(conn), why))
		fail_msg("%s: %s instead of %s", conninfo,
			PQstatus(conn) == CONNECTION_OK ? "let in" : PQerrorMessage(conn), why);
	PQfinish(conn);
}

static void nobody_comes_in_without_the_password(void **state)
{
	(void)state;
	static const enum live_route routes[] = { LIVE_UNIX, LIVE_TCP4, LIVE_TCP6 };
	const struct private_server *const servers[] = { server, wide };
	live_sql(server, "CREATE ROLE app LOGIN");
	for (size_t i = 0; i < 2 * sizeof(routes) / sizeof(routes[0]); i++) {
		const struct private_server *at = servers[i % 2];
		CLEANUP(cleanup_free)
		char *none = live_conninfo(at, routes[i / 2], "passfile=/nowhere");
		CLEANUP(cleanup_free)
		char *wrong = live_conninfo(at, routes[i / 2], "password=wrong");
		CLEANUP(cleanup_free)
		char *replication =
			live_conninfo(at, routes[i / 2], "passfile=/nowhere replication=true");
		CLEANUP(cleanup_free)
		char *app = live_conninfo(server, routes[i / 2], "user=app passfile=/nowhere");
		assert_refused(none, "no password supplied");
		assert_refused(wrong, "password authentication failed");
		assert_refused(replication, "no password supplied");
		assert_refused(app, "no password supplied");
	}
}

static struct stat look(const char *folder, const char *name)
{
	CLEANUP(cleanup_free) char *path = mem_printf("%s/%s", folder, name);
	struct stat st;
	if (lstat(path, &st) != 0)
		fail_msg("%s is not there", path);
	return st;
}

static struct stat look_at_socket(const struct private_server *at)
{
	CLEANUP(cleanup_free) char *name = mem_printf(".s.PGSQL.%d", private_server_port(at));
	return look(private_server_folder(at), name);
}

static void what_is_whose(void **state)
{
	(void)state;
	const char *folder = private_server_folder(server);
	struct stat inner = look(folder, "."), outer = look(folder, "..");
	struct stat log = look(folder, "log"), data = look(folder, "data");
	struct stat passfile = look(folder, "../passfile");
	assert_int_equal(inner.st_mode & 07777, 0700);
	assert_int_equal(look_at_socket(server).st_mode & 07777, 0700);
	assert_int_equal(passfile.st_mode & 07777, 0600);
	assert_int_equal(passfile.st_uid, getuid());
	assert_int_equal(outer.st_uid, getuid());
	assert_int_equal(outer.st_mode & 022, 0);
	/* as root: the server's user cannot write what is ours, and we write nothing of its own */
	assert_int_not_equal(inner.st_uid, 0);
	assert_int_equal(log.st_uid, inner.st_uid);
	assert_int_equal(log.st_mode & 077, 0);
	assert_int_equal(data.st_uid, inner.st_uid);
	/* and when it was asked for */
	assert_int_equal(look(private_server_folder(wide), ".").st_mode & 07777, 0755);
	assert_int_equal(look_at_socket(wide).st_mode & 07777, 0777);
	assert_int_equal(look(private_server_folder(wide), "../passfile").st_mode & 07777, 0600);
}

static struct live_run psql_as_nobody(const struct private_server *at, enum live_route route)
{
	CLEANUP(cleanup_free) char *conninfo = live_conninfo(at, route, NULL);
	const struct live_program_options options = {
		.argv = (const char *const[]){ "psql", "-w", "-X", "-A", "-t", "-c",
			"SELECT 'let in'", conninfo, NULL },
		.unprivileged = true,
	};
	return live_run(&options, 30000);
}

/* nobody has the password here: the folder is what closes the socket. */
static void the_socket_is_closed_to_other_users(void **state)
{
	(void)state;
	struct live_run run = psql_as_nobody(server, LIVE_UNIX);
	if (getuid() == 0 && getpwnam("postgres")) {
		assert_int_not_equal(run.status, 0);
		assert_non_null(strstr(run.err, "Permission denied"));
	} else {
		/* the server's user is the same one */
		assert_string_equal(run.out, "let in\n");
	}
	live_run_clear(&run);
	run = psql_as_nobody(wide, LIVE_UNIX);
	assert_string_equal(run.out, "let in\n");
	live_run_clear(&run);
}

/* PostgreSQL says so, and then that it is shut down. */
static void a_failed_start_says_why(void **state)
{
	static const char *const settings[] = { "unix_socket_directories=/dev/null/nowhere", NULL };
	const struct private_server_options options = { .settings = settings };
	char error[PRIVATE_SERVER_ERROR_MAX];
	struct private_server *failed = NULL;
	(void)state;
	assert_true(private_server_start(&options, &failed, error) < 0);
	assert_null(failed);
	if (!strstr(error, "FATAL:  could not create lock file"))
		fail_msg("%s", error);
}

static void start_wide(void)
{
	wide = live_wide_server_start(NULL);
}

static void stop_wide(void)
{
	private_server_stop(wide);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LIVE_TEST(a_failed_start_says_why),
		LIVE_TEST(nobody_comes_in_without_the_password),
		LIVE_TEST(what_is_whose),
		LIVE_TEST(the_socket_is_closed_to_other_users),
	};
	return LIVE_GROUP("private", tests, .set_up = start_wide, .take_down = stop_wide);
}

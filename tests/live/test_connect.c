/* How a session reaches its server: lists of hosts, names with several addresses, services, and
 * what neither answers nor refuses. The name server is ours: see resolver.h. */
#include <grp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "black_hole.h"
#include "live_group.h"
#include "model/assessment.h"
#include "session/session.h"
#include "session_call.h"

static struct private_server *read_only;

static int port_of(void)
{
	return private_server_port(server);
}

/* --- an address that does not answer ---
 *
 * The limit is also that of the address that answers, which may take its time on a busy machine. */

static void the_next_host_is_tried(void **state)
{
	(void)state;
	struct call call;
	struct black_hole *hole = black_hole_open("127.0.0.9", 0);
	call_start(&call, "host=127.0.0.9,127.0.0.1 port=%d,%d connect_timeout=4",
		black_hole_port(hole), port_of());
	call_assert_ready(&call);
	assert_true(call_elapsed_ms(&call) >= 4000);
	assert_string_equal(session_state(call.session)->host, "127.0.0.1");
	assert_int_equal(session_state(call.session)->port, port_of());
	call_end(&call);
	int status;
	CLEANUP(cleanup_free)
	char *conninfo = mem_printf("host=127.0.0.9,127.0.0.1 port=%d,%d user=postgres "
				    "dbname=postgres connect_timeout=4",
		black_hole_port(hole), port_of());
	json_t *root = live_dbtop_json(&status, conninfo, NULL);
	assert_int_equal(status, 0);
	assert_int_equal(json_integer_value(live_member(root, "server.port")), port_of());
	json_decref(root);
	black_hole_close(hole);
}

static void the_next_address_of_a_name_is_tried(void **state)
{
	(void)state;
	struct call call;
	struct black_hole *hole = black_hole_open("127.0.0.9", port_of());
	call_start(&call, "host=two.test connect_timeout=4");
	call_assert_ready(&call);
	assert_true(call_elapsed_ms(&call) >= 4000);
	assert_string_equal(session_state(call.session)->host, "two.test");
	call_end(&call);
	black_hole_close(hole);
}

/* A server that accepts and says nothing is as dead as one that does not accept. */
static void silence_is_no_answer(void **state)
{
	(void)state;
	struct call call;
	CLEANUP(cleanup_fd) int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t size = sizeof(address);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	call_start(&call, "host=127.0.0.1,127.0.0.1 port=%d,%d connect_timeout=4",
		ntohs(address.sin_port), port_of());
	call_assert_ready(&call);
	call_end(&call);
}

/* The user's limit, not ours: shorter, and longer than the 10 s that we have. */
static void the_limit_is_the_users(void **state)
{
	(void)state;
	struct call shorter, longer;
	struct black_hole *hole = black_hole_open("127.0.0.9", 0);
	CLEANUP(cleanup_free)
	char *conninfo =
		mem_printf("host=127.0.0.9 port=%d connect_timeout=17", black_hole_port(hole));
	struct live_program *dbtop = live_dbtop_start(NULL, "--json", conninfo, NULL);
	call_start(&longer, "host=127.0.0.9 port=%d connect_timeout=11", black_hole_port(hole));
	setenv("PGCONNECT_TIMEOUT", "1", 1);
	call_start(&shorter, "host=127.0.0.9 port=%d", black_hole_port(hole));
	call_assert_error(&shorter, "did not answer in 1 s");
	assert_true(call_elapsed_ms(&shorter) >= 1000);
	unsetenv("PGCONNECT_TIMEOUT");
	call_assert_error(&longer, "did not answer in 11 s");
	assert_true(call_elapsed_ms(&longer) >= 11000);
	call_end(&shorter);
	call_end(&longer);
	assert_int_equal(live_finish(dbtop, 40000), 3);
	assert_non_null(strstr(live_out(dbtop), "the server did not answer in 17 s"));
	call_start(&shorter, "connect_timeout=soon");
	call_assert_error(&shorter, "invalid integer value \"soon\"");
	call_end(&shorter);
	black_hole_close(hole);
}

static void all_that_failed_are_named(void **state)
{
	(void)state;
	struct call call;
	struct black_hole *hole = black_hole_open("127.0.0.9", 0);
	call_start(&call, "host=one.test,127.0.0.1 port=%d,1 connect_timeout=1",
		black_hole_port(hole));
	call_assert_error(&call,
		"one.test (127.0.0.9): the server did not answer in 1 s, 127.0.0.1: "
		"Connection refused");
	call_end(&call);
	black_hole_close(hole);
}

/* --- as libpq --- */

/* A server that has spoken is the one that was meant. */
static void a_refusal_ends_the_round(void **state)
{
	(void)state;
	struct call call;
	call_start(&call, "host=127.0.0.1,127.0.0.1 port=%d,%d dbname=nowhere", port_of(),
		private_server_port(read_only));
	call_assert_error(&call, "nowhere");
	assert_string_equal(session_state(call.session)->sqlstate, "3D000");
	assert_int_equal(session_state(call.session)->port, port_of());
	call_end(&call);
	call_start(&call, "host=127.0.0.1,127.0.0.1 port=%d,2,3", port_of());
	call_assert_error(&call, "could not match 3 port numbers to 2 hosts");
	call_end(&call);
}

static void the_wanted_kind_of_server_is_found(void **state)
{
	(void)state;
	struct call call;
	int other = private_server_port(read_only);
	call_start(&call, "host=127.0.0.1,127.0.0.1 port=%d,%d target_session_attrs=read-write",
		other, port_of());
	call_assert_ready(&call);
	assert_int_equal(session_state(call.session)->port, port_of());
	call_end(&call);
	call_start(&call, "host=127.0.0.1,127.0.0.1 port=%d,%d target_session_attrs=read-only",
		port_of(), other);
	call_assert_ready(&call);
	assert_int_equal(session_state(call.session)->port, other);
	call_end(&call);
	call_start(&call, "host=127.0.0.1,127.0.0.1 port=%d,%d target_session_attrs=prefer-standby",
		other, port_of());
	call_assert_ready(&call);
	assert_int_equal(session_state(call.session)->port, other);
	call_end(&call);
	call_start(&call, "host=127.0.0.1 port=%d target_session_attrs=standby", port_of());
	call_assert_error(&call, "not in hot standby mode");
	call_end(&call);
}

static void a_service_names_the_hosts(void **state)
{
	(void)state;
	struct call call;
	struct black_hole *hole = black_hole_open("127.0.0.9", 0);
	CLEANUP(cleanup_free)
	char *text = mem_printf("[spare]\nhost=one.test,db.test\nport=%d,%d\n"
				"connect_timeout=4\nuser=postgres\ndbname=template1\n",
		black_hole_port(hole), port_of());
	CLEANUP(cleanup_free) char *path = live_file(live_folder(), "pg_service.conf", text);
	setenv("PGSERVICEFILE", path, 1);
	call_prepare(&call, false, "service=spare");
	call_begin(&call);
	call_assert_ready(&call);
	assert_string_equal(session_state(call.session)->host, "db.test");
	assert_string_equal(session_state(call.session)->database, "template1");
	call_end(&call);
	setenv("PGSERVICE", "spare", 1);
	call_prepare(&call, false, "dbname=postgres");
	call_begin(&call);
	call_assert_ready(&call);
	assert_string_equal(session_state(call.session)->host, "db.test");
	assert_string_equal(session_state(call.session)->database, "postgres");
	call_end(&call);
	unsetenv("PGSERVICE");
	call_prepare(&call, false, "service=nobody");
	call_begin(&call);
	call_assert_error(&call, "definition of service \"nobody\" not found");
	call_end(&call);
	unsetenv("PGSERVICEFILE");
	black_hole_close(hole);
}

/* hostaddr says where, host says who: the name is not looked up, and the passfile has a line for
 * each. */
static void a_password_belongs_to_its_host(void **state)
{
	(void)state;
	struct call call;
	struct black_hole *hole = black_hole_open("127.0.0.9", 0);
	live_sql(server, "CREATE ROLE secret LOGIN PASSWORD 'right'");
	CLEANUP(cleanup_free)
	char *path = live_file(live_folder(), "passfile",
		"first.test:*:*:secret:wrong\nsilent.test:*:*:secret:right\n");
	assert_int_equal(chmod(path, 0600), 0);
	call_start(&call,
		"host=first.test,silent.test hostaddr=127.0.0.9,127.0.0.1 port=%d,%d "
		"connect_timeout=4 user=secret passfile=%s",
		black_hole_port(hole), port_of(), path);
	call_assert_ready(&call);
	assert_string_equal(session_state(call.session)->host, "silent.test");
	call_end(&call);
	black_hole_close(hole);
}

/* As the owner of the server's folder: root writes nothing there. */
static void run_in_folder(const char *command)
{
	struct stat st;
	int status;
	CLEANUP(cleanup_free)
	char *data = mem_printf("%s/data", private_server_folder(server));
	CLEANUP(cleanup_free) char *quiet = mem_printf("{ %s; } >/dev/null 2>&1", command);
	assert_int_equal(stat(data, &st), 0);
	pid_t child = fork();
	if (child == 0) {
		if (getuid() == 0 &&
			(setgroups(0, NULL) != 0 || setgid(st.st_gid) != 0 ||
				setuid(st.st_uid) != 0))
			_exit(1);
		_exit(chdir(data) == 0 && system(quiet) == 0 ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

/* Whether the postmaster has read its configuration again. */
static bool has_ssl(void *conninfo)
{
	PGconn *conn = live_connect(conninfo);
	CLEANUP(cleanup_free) char *ssl = live_value(conn, "SHOW ssl");
	PQfinish(conn);
	return strcmp(ssl, "on") == 0;
}

/* The certificate is the name's, also where hostaddr says the address. */
static void a_certificate_is_checked_against_the_name(void **state)
{
	(void)state;
	struct call call;
	struct black_hole *hole = black_hole_open("127.0.0.9", 0);
	run_in_folder("openssl req -new -x509 -nodes -days 2 -subj /CN=db.test -addext "
		      "subjectAltName=DNS:db.test -keyout server.key -out server.crt && chmod 600 "
		      "server.key && chmod 644 server.crt");
	live_sql(server, "ALTER SYSTEM SET ssl = on");
	live_sql(server, "SELECT pg_reload_conf()");
	CLEANUP(cleanup_free) char *plain = live_conninfo(server, LIVE_UNIX, NULL);
	assert_true(live_wait(has_ssl, plain, 10000));
	CLEANUP(cleanup_free)
	char *certificate = mem_printf("%s/data/server.crt", private_server_folder(server));
	CLEANUP(cleanup_free) char *text = live_read(certificate);
	CLEANUP(cleanup_free) char *root = live_file(live_folder(), "root.crt", text);
	call_start(&call,
		"host=one.test,db.test port=%d,%d connect_timeout=4 sslmode=verify-full "
		"sslrootcert=%s",
		black_hole_port(hole), port_of(), root);
	call_assert_ready(&call);
	assert_true(PQsslInUse(session_connection(call.session)));
	call_end(&call);
	call_start(
		&call, "host=db.test hostaddr=127.0.0.1 sslmode=verify-full sslrootcert=%s", root);
	call_assert_ready(&call);
	call_end(&call);
	call_start(&call, "host=other.test hostaddr=127.0.0.1 sslmode=verify-full sslrootcert=%s",
		root);
	call_assert_error(&call, "does not match host name");
	call_end(&call);
	live_sql(server, "ALTER SYSTEM RESET ssl");
	live_sql(server, "SELECT pg_reload_conf()");
	black_hole_close(hole);
}

static void start_read_only(void)
{
	read_only = live_server_start(
		(const char *const[]){ "default_transaction_read_only=on", NULL });
}

static void stop_read_only(void)
{
	private_server_stop(read_only);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_next_host_is_tried),
		cmocka_unit_test(the_next_address_of_a_name_is_tried),
		cmocka_unit_test(silence_is_no_answer),
		cmocka_unit_test(the_limit_is_the_users),
		cmocka_unit_test(all_that_failed_are_named),
		cmocka_unit_test(a_refusal_ends_the_round),
		cmocka_unit_test(the_wanted_kind_of_server_is_found),
		cmocka_unit_test(a_service_names_the_hosts),
		cmocka_unit_test(a_password_belongs_to_its_host),
		cmocka_unit_test(a_certificate_is_checked_against_the_name),
	};
	return LIVE_GROUP("connect", tests, .set_up = start_read_only, .take_down = stop_read_only);
}

/* The local proxy: real forwarders (haproxy, socat), a real server behind them, and a small server
 * for the health endpoint. */
#include "live_group.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"

__attribute__((format(printf, 1, 2))) static char *text(const char *format, ...)
{
	char *result;
	va_list args;
	va_start(args, format);
	assert_true(vasprintf(&result, format, args) >= 0);
	va_end(args);
	return result;
}

static bool is_reached(void *data)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_port = htons(*(uint16_t *)data) };
	CLEANUP(cleanup_fd) int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
}

/* It is there a moment before somebody listens. */
static bool is_socket_reached(void *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	CLEANUP(cleanup_fd) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", (const char *)path);
	return connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
}

static void wait_for_port(int port)
{
	uint16_t number = (uint16_t)port;
	assert_true(live_wait(is_reached, &number, 10000));
}

static struct live_program *start_haproxy(int port, int to)
{
	CLEANUP(cleanup_free)
	char *config = text("defaults\n mode tcp\n timeout connect 5s\n timeout client 1h\n"
			    " timeout server 1h\nlisten proxy\n bind 127.0.0.1:%d\n"
			    " server only 127.0.0.1:%d\n",
		port, to);
	CLEANUP(cleanup_free) char *path = live_file(live_folder(), "haproxy.cfg", config);
	struct live_program *program = live_start(&(struct live_program_options){
		.argv = (const char *const[]){ "/usr/sbin/haproxy", "-db", "-f", path, NULL },
	});
	wait_for_port(port);
	return program;
}

/* Answers with this status and body; its port goes to ret_port. */
static struct live_program *start_health(const char *status, const char *body, int *ret_port)
{
	CLEANUP(cleanup_free) char *log = text("%s/health.log", live_folder());
	struct live_program *program = live_start(&(struct live_program_options){
		.argv = (const char *const[]){ "python3", "tests/support/health_server.py", log,
			status, body, NULL },
	});
	live_wait_out(program, "\n", 20000);
	assert_int_equal(sscanf(live_out(program), "port %d", ret_port), 1);
	return program;
}

static char *write_config(const char *process, int port, const char *health)
{
	CLEANUP(cleanup_free)
	char *yaml = text(
		"proxy:\n  process: %s\n  port: %d\n  health: \"%s\"\n", process, port, health);
	return live_file(live_folder(), "proxy.yaml", yaml);
}

/* dbtop --json with this configuration, connected to the server itself or through `port`. */
static json_t *snapshot(const char *config, int port)
{
	CLEANUP(cleanup_free)
	char *conninfo = port ? text("host=127.0.0.1 port=%d user=postgres dbname=postgres", port)
			      : live_conninfo(server, LIVE_TCP4, NULL);
	return live_dbtop_json(NULL, conninfo, "-c", config, NULL);
}

static void check_status(json_t *root, const char *status)
{
	const char *found = live_text(root, "proxy.status");
	if (!found || strcmp(found, status) != 0)
		fail_msg("proxy is %s, not %s: %s", found ? found : "null", status,
			json_dumps(json_object_get(root, "proxy"), 0));
}

static PGconn *connect_at(const char *host, int port, const char *name)
{
	CLEANUP(cleanup_free)
	char *conninfo = text("host=%s port=%d user=postgres dbname=postgres application_name=%s",
		host, port, name);
	return live_connect(conninfo);
}

static PGconn *connect_through(int port, const char *name)
{
	return connect_at("127.0.0.1", port, name);
}

static json_t *connection_of(json_t *root, PGconn *conn)
{
	json_t *connection = live_find_number(
		root, "connections", "pid", live_number(conn, "SELECT pg_backend_pid()"));
	assert_non_null(connection);
	return connection;
}

/* It serves through this program, and we are behind that connection. */
static void check_served(json_t *root, struct live_program *proxy, PGconn *named)
{
	check_status(root, "serving");
	assert_int_equal(json_integer_value(live_member(root, "proxy.pid")), live_pid(proxy));
	assert_true(json_number_value(live_member(root, "proxy.latency_ms")) > 0);
	json_t *connection = connection_of(root, named);
	assert_string_equal(live_text(connection, "process.matched_by"), "proxy");
	assert_int_equal(json_integer_value(live_member(connection, "process.pid")), getpid());
}

/* A name alone, or another process's, proves nothing. Through a process that forwards one
 * connection it is proven which process is behind it, whatever the name says. */
static void check_not_by_name(json_t *connection)
{
	const char *matched = live_text(connection, "process.matched_by");
	if (matched && strcmp(matched, "forwarder") == 0)
		assert_int_equal(
			json_integer_value(live_member(connection, "process.pid")), getpid());
	else
		assert_true(!matched || strcmp(matched, "tcp") == 0);
}

/* From beside the proxy and through it: the same processes are behind the same connections. */
static void applications_behind(const char *program_name, int port, struct live_program *proxy)
{
	CLEANUP(cleanup_free) char *config = write_config(program_name, port, "");
	CLEANUP(cleanup_free) char *name = text("app/%d/1", (int)getpid());
	PGconn *named = connect_through(port, name), *plain = connect_through(port, "plain"),
	       *lying = connect_through(port, "app/1/1");
	const int ways[] = { 0, port };
	for (size_t i = 0; i < 2; i++) {
		json_t *root = snapshot(config, ways[i]);
		check_served(root, proxy, named);
		check_not_by_name(connection_of(root, plain));
		check_not_by_name(connection_of(root, lying));
		json_decref(root);
	}
	PQfinish(named);
	PQfinish(plain);
	PQfinish(lying);
}

static void haproxy_serves(void **state)
{
	(void)state;
	int port = live_free_port();
	struct live_program *proxy = start_haproxy(port, private_server_port(server));
	applications_behind("haproxy", port, proxy);
	live_free(proxy);
}

/* A process for each connection, and only the first one listens. */
static void socat_serves(void **state)
{
	(void)state;
	int port = live_free_port();
	CLEANUP(cleanup_free) char *listen = text("TCP-LISTEN:%d,bind=127.0.0.1,fork", port);
	CLEANUP(cleanup_free)
	char *to = text("TCP:127.0.0.1:%d", private_server_port(server));
	struct live_program *proxy = live_start(&(struct live_program_options){
		.argv = (const char *const[]){ "socat", listen, to, NULL },
		.own_group = true,
	});
	wait_for_port(port);
	applications_behind("socat", port, proxy);
	live_free(proxy);
}

/* As the Cloud SQL Auth Proxy with --unix-socket DIR: DIR/INSTANCE/.s.PGSQL.5432. */
static void a_proxy_on_a_unix_socket_serves(void **state)
{
	(void)state;
	int port = live_free_port();
	CLEANUP(cleanup_free) char *folder = text("%s/shop:europe-west1:main", live_folder());
	CLEANUP(cleanup_free) char *path = text("%s/.s.PGSQL.%d", folder, port);
	CLEANUP(cleanup_free) char *listen = text("UNIX-LISTEN:'%s',fork", path);
	CLEANUP(cleanup_free) char *to = text("TCP:127.0.0.1:%d", private_server_port(server));
	assert_int_equal(mkdir(folder, 0700), 0);
	struct live_program *proxy = live_start(&(struct live_program_options){
		.argv = (const char *const[]){ "socat", listen, to, NULL },
		.own_group = true,
	});
	assert_true(live_wait(is_socket_reached, path, 10000));
	CLEANUP(cleanup_free) char *name = text("app/%d/1", (int)getpid());
	PGconn *named = connect_at(folder, port, name), *plain = connect_at(folder, port, "plain");
	CLEANUP(cleanup_free)
	char *conninfo = text("host=%s port=%d user=postgres dbname=postgres", folder, port);
	/* without a port in the configuration, and with one where nobody listens */
	const int ports[] = { 0, port };
	for (size_t i = 0; i < 2; i++) {
		CLEANUP(cleanup_free) char *config = write_config("socat", ports[i], "");
		json_t *root = live_dbtop_json(NULL, conninfo, "-c", config, NULL);
		check_served(root, proxy, named);
		const char *matched = live_text(connection_of(root, plain), "process.matched_by");
		assert_true(!matched || strcmp(matched, "tcp") == 0);
		json_decref(root);
	}
	/* a server's own socket is no proxy's */
	CLEANUP(cleanup_free) char *config = write_config("socat", 0, "");
	CLEANUP(cleanup_free) char *direct = live_conninfo(server, LIVE_UNIX, NULL);
	json_t *root = live_dbtop_json(NULL, direct, "-c", config, NULL);
	assert_true(json_is_null(json_object_get(root, "proxy")));
	json_decref(root);
	PQfinish(named);
	PQfinish(plain);
	live_free(proxy);
	unlink(path);
}

static void absent_and_foreign(void **state)
{
	(void)state;
	int port = live_free_port();
	CLEANUP(cleanup_free) char *config = write_config("haproxy", port, "");
	json_t *root = snapshot(config, 0);
	check_status(root, "absent");
	assert_true(json_is_null(live_member(root, "proxy.pid")));
	assert_non_null(strstr(live_text(root, "proxy.detail"), "nobody listens"));
	json_decref(root);

	/* named haproxy in its command line: that proves nothing */
	CLEANUP(cleanup_free)
	char *listen = text("TCP-LISTEN:%d,bind=127.0.0.1,fork", port);
	struct live_program *other = live_start(&(struct live_program_options){
		.argv = (const char *const[]){ "socat", listen, "EXEC:cat haproxy", NULL },
	});
	wait_for_port(port);
	root = snapshot(config, 0);
	check_status(root, "foreign");
	assert_non_null(strstr(live_text(root, "proxy.detail"), "socat"));
	json_decref(root);
	live_free(other);

	/* nothing is reported of a proxy that was not configured */
	CLEANUP(cleanup_free)
	char *silent = live_file(live_folder(), "silent.yaml", "proxy:\n  port: 0\n");
	root = snapshot(silent, 0);
	assert_true(json_is_null(json_object_get(root, "proxy")));
	json_decref(root);
}

/* It listens, but no server answers behind it. */
static void listening_is_not_serving(void **state)
{
	(void)state;
	int port = live_free_port();
	struct live_program *proxy = start_haproxy(port, live_free_port());
	CLEANUP(cleanup_free) char *config = write_config("haproxy", port, "");
	json_t *root = snapshot(config, 0);
	check_status(root, "listening");
	assert_true(json_is_null(live_member(root, "proxy.latency_ms")));
	assert_non_null(live_text(root, "proxy.detail"));
	json_decref(root);
	live_free(proxy);
}

/* A refusal in PostgreSQL's words came all the way: the proxy serves. */
static void refusal_is_an_answer(void **state)
{
	(void)state;
	int port = live_free_port();
	struct live_program *proxy = start_haproxy(port, private_server_port(server));
	CLEANUP(cleanup_free) char *config = write_config("haproxy", port, "");
	live_sql(server, "CREATE ROLE nologin_role NOLOGIN");
	CLEANUP(cleanup_free)
	char *conninfo = text("host=127.0.0.1 port=%d user=nologin_role dbname=postgres",
		private_server_port(server));
	json_t *root = live_dbtop_json(NULL, conninfo, "-c", config, NULL);
	check_status(root, "serving");
	json_decref(root);
	live_free(proxy);
}

/* --- an impostor: it has the program's name and the port, and asks for a password --- */

#define SECRET "correct-horse"

static struct live_program *start_impostor(bool unprivileged, char **ret_log, int *ret_port)
{
	*ret_log = text("%s/impostor.log", live_nobodys_folder());
	unlink(*ret_log);
	struct live_program *program = live_start(&(struct live_program_options){
		.argv = (const char *const[]){ "python3", "tests/support/impostor.py", *ret_log,
			NULL },
		.unprivileged = unprivileged,
	});
	live_wait_out(program, "\n", 20000);
	assert_int_equal(sscanf(live_out(program), "port %d", ret_port), 1);
	return program;
}

static bool holds_bytes(const char *path, const char *bytes)
{
	CLEANUP(cleanup_file) FILE *file = fopen(path, "re");
	assert_non_null(file);
	char *all = NULL;
	size_t size = 0;
	ssize_t length = getdelim(&all, &size, EOF, file);
	bool holds = length > 0 && memmem(all, (size_t)length, bytes, strlen(bytes));
	free(all);
	return holds;
}

/* dbtop --json with the secret in this place, of the kind that libpq reads it from. */
static json_t *snapshot_with_secret(
	const char *config, const char *conninfo, const char *const *environment)
{
	const char *const argv[] = { live_dbtop_path(), "--json", "-w", "-c", config, conninfo,
		NULL };
	struct live_run run =
		live_run(&(struct live_program_options){ .argv = argv, .env = environment }, 60000);
	json_t *root = json_loads(run.out, 0, NULL);
	if (!root)
		fail_msg("no report: %s%s", run.out, run.err);
	/* libpq writes its warnings there, over the screen */
	assert_string_equal(run.err, "");
	live_run_clear(&run);
	return root;
}

static void the_probe_gives_no_password_away(void **state)
{
	(void)state;
	int port;
	char *log;
	struct live_program *impostor = start_impostor(false, &log, &port);
	CLEANUP(cleanup_free) char *config = write_config("python3", port, "");
	CLEANUP(cleanup_free)
	char *passfile = live_file(live_folder(), "secret.pass", "*:*:*:*:" SECRET "\n");
	assert_int_equal(chmod(passfile, 0600), 0);
	CLEANUP(cleanup_free)
	char *services = live_file(live_folder(), "secret.conf", "[secret]\npassword=" SECRET "\n");
	CLEANUP(cleanup_free) char *passfile_env = text("PGPASSFILE=%s", passfile);
	CLEANUP(cleanup_free) char *service_env = text("PGSERVICEFILE=%s", services);
	CLEANUP(cleanup_free) char *passfile_word = text("passfile=%s", passfile);
	const struct {
		const char *word, *env[3];
	} places[] = {
		{ "password=" SECRET, { NULL } },
		{ passfile_word, { NULL } },
		{ "", { "PGPASSWORD=" SECRET, NULL } },
		{ "", { passfile_env, NULL } },
		{ "service=secret", { service_env, NULL } },
		{ "", { service_env, "PGSERVICE=secret", NULL } },
	};
	/* beside the proxy, where it is but probed; and to it, with TLS that it does not have */
	CLEANUP(cleanup_free) char *direct = live_conninfo(server, LIVE_TCP4, NULL);
	CLEANUP(cleanup_free)
	char *through = text("host=127.0.0.1 port=%d user=postgres dbname=postgres "
			     "sslmode=verify-full sslrootcert=%s",
		port, config);
	for (size_t i = 0; i < 2 * sizeof(places) / sizeof(places[0]); i++) {
		const char *way = i % 2 ? through : direct;
		CLEANUP(cleanup_free) char *conninfo = text("%s %s", way, places[i / 2].word);
		json_t *root = snapshot_with_secret(config, conninfo, places[i / 2].env);
		if (holds_bytes(log, SECRET))
			fail_msg("the impostor has the password of \"%s\"", conninfo);
		/* our own user's program is believed; without TLS it is not the server */
		check_status(root, i % 2 ? "listening" : "serving");
		json_decref(root);
		if (i % 2 == 0)
			assert_true(holds_bytes(log, "dbtop probe"));
	}
	live_free(impostor);
	free(log);
}

/* What another user's program says proves nothing of the server. */
static void another_users_word_is_no_proof(void **state)
{
	(void)state;
	int port;
	char *log;
	struct live_program *impostor = start_impostor(true, &log, &port);
	CLEANUP(cleanup_free) char *config = write_config("python3", port, "");
	json_t *root = snapshot(config, 0);
	/* as an ordinary user we have nobody else to run it as */
	if (getuid() == 0) {
		check_status(root, "listening");
		assert_non_null(strstr(live_text(root, "proxy.detail"), "another user's program"));
		assert_true(json_is_null(live_member(root, "proxy.latency_ms")));
	} else {
		check_status(root, "serving");
	}
	assert_true(holds_bytes(log, "dbtop probe"));
	json_decref(root);
	live_free(impostor);
	free(log);
}

/* Each of dbtop's own sessions is reported as its own for as long as it exists. The attempt's
 * exists here until dbtop gives up, because nothing comes back. */
static long count_own(const char *out)
{
	long count = 0;
	for (const char *end; (end = strchr(out, '\n')); out = end + 1) {
		size_t i;
		json_t *connection, *root = json_loadb(out, (size_t)(end - out), 0, NULL);
		assert_non_null(root);
		json_array_foreach(json_object_get(root, "connections"), i, connection)
		{
			const char *name = live_text(connection, "application_name");
			const char *protection = live_text(connection, "protected");
			if (!name || strncmp(name, "dbtop", 5) != 0)
				continue;
			if (!protection || strcmp(protection, "own") != 0)
				fail_msg("%s is not our own", name);
			count += strncmp(name, "dbtop probe ", 12) == 0;
		}
		json_decref(root);
	}
	return count;
}

static bool is_let_in(void *conninfo)
{
	PGconn *conn = PQconnectdb(conninfo);
	bool connected = PQstatus(conn) == CONNECTION_OK;
	PQfinish(conn);
	return connected;
}

/* A role that needs no password: the probe has none to give, and is to be let in. */
static void let_visitor_in(void)
{
	CLEANUP(cleanup_free)
	char *path = text("%s/data/pg_hba.conf", private_server_folder(server));
	CLEANUP(cleanup_free) char *before = live_read(path);
	CLEANUP(cleanup_file) FILE *file = fopen(path, "we");
	assert_non_null(before);
	assert_non_null(file);
	assert_true(fprintf(file, "host all visitor all trust\n%s", before) > 0);
	assert_int_equal(fflush(file), 0);
	live_sql(server, "CREATE ROLE visitor LOGIN; GRANT pg_monitor TO visitor");
	live_sql(server, "SELECT pg_reload_conf()");
	CLEANUP(cleanup_free) char *conninfo = live_conninfo(server, LIVE_TCP4, "user=visitor");
	assert_true(live_wait(is_let_in, conninfo, 10000));
}

static void the_attempts_are_our_own(void **state)
{
	(void)state;
	int port = live_free_port();
	let_visitor_in();
	/* The sessions of the dbtops of other tests end a moment after these: such a session is
	 * nobody's, and not our own. */
	live_wait_dbtops_gone(server);
	CLEANUP(cleanup_free) char *from = text("%d", port);
	CLEANUP(cleanup_free) char *to = text("%d", private_server_port(server));
	CLEANUP(cleanup_free) char *config = write_config("python3", port, "");
	/* so that the server's first answer is to the login */
	CLEANUP(cleanup_free)
	char *conninfo = live_conninfo(server, LIVE_TCP4, "user=visitor sslmode=disable");
	const char *const argv[] = { live_dbtop_path(), "--json", "--follow", "-i", "0.1", "-c",
		config, "--idle-limit", "100ms", conninfo, NULL };
	struct live_program *dbtop = live_start(&(struct live_program_options){ .argv = argv });
	/* the first report waits for an attempt, if there is a proxy; later ones do not */
	live_wait_out(dbtop, "\"absent\"", 30000);
	live_start(&(struct live_program_options){
		.argv = (const char *const[]){
			"python3", "tests/support/forwarder.py", from, to, "mute", NULL } });
	live_wait_out(dbtop, "\"dbtop probe ", 30000);
	live_signal(dbtop, SIGINT);
	(void)live_finish(dbtop, 10000);
	assert_true(count_own(live_out(dbtop)) > 0);
}

static void check_health(int port, const char *status, const char *body, const char *detail)
{
	int health_port;
	struct live_program *health = start_health(status, body, &health_port);
	CLEANUP(cleanup_free) char *url = text("http://127.0.0.1:%d", health_port);
	CLEANUP(cleanup_free) char *config = write_config("haproxy", port, url);
	json_t *root = snapshot(config, port);
	const char *found = live_text(root, "proxy.detail");
	if (!detail != !found || (detail && !strstr(found, detail)))
		fail_msg("%s \"%s\": detail is %s", status, body, found ? found : "null");
	check_status(root, "serving");
	json_decref(root);
	live_free(health);
}

static void health_is_read(void **state)
{
	(void)state;
	int port = live_free_port();
	struct live_program *proxy = start_haproxy(port, private_server_port(server));
	check_health(port, "200", "ok", NULL);
	check_health(port, "503", "error: proxy is not started", "proxy is not started");
	check_health(port, "503", "error: proxy has stopped", "proxy has stopped");
	check_health(port, "503", "max connections reached (open = 20, max = 20)",
		"max connections reached (open = 20, max = 20)");
	check_health(port, "404", "nothing here", NULL);
	/* one that hangs delays nothing for long */
	check_health(port, "0", "", NULL);

	/* nobody there: the health endpoint is off, and that is no fault */
	CLEANUP(cleanup_free) char *url = text("http://127.0.0.1:%d", live_free_port());
	CLEANUP(cleanup_free) char *config = write_config("haproxy", port, url);
	json_t *root = snapshot(config, port);
	check_status(root, "serving");
	assert_true(json_is_null(live_member(root, "proxy.detail")));
	json_decref(root);

	CLEANUP(cleanup_free) char *path = text("%s/health.log", live_folder());
	CLEANUP(cleanup_free) char *log = live_read(path);
	assert_non_null(log);
	for (char *line = strtok(log, "\n"); line; line = strtok(NULL, "\n"))
		assert_true(strcmp(line, "GET /startup") == 0 ||
			strcmp(line, "GET /liveness") == 0 || strcmp(line, "GET /readiness") == 0);
	live_free(proxy);
}

/* The pid of the proxy that the audit log says was started; 0: none. */
static pid_t started_pid(void)
{
	CLEANUP(cleanup_free) char *path = live_audit_path();
	CLEANUP(cleanup_free) char *audit = live_read(path);
	pid_t pid = 0;
	for (char *rest = audit, *line; rest && (line = strsep(&rest, "\n"));) {
		json_t *object = *line ? json_loads(line, 0, NULL) : NULL;
		const char *action = object ? live_text(object, "action") : NULL;
		const char *result = object ? live_text(object, "result") : NULL;
		if (action && result && strcmp(action, "proxy_start") == 0 &&
			strcmp(result, "started") == 0)
			pid = (pid_t)json_integer_value(live_member(object, "pid"));
		json_decref(object);
	}
	return pid;
}

/* dbtop's log does not wait for the disk. */
static bool is_audited(void *data)
{
	pid_t *pid = data;
	*pid = started_pid();
	return *pid > 0;
}

/* The proxy is started when nobody listens. It outlives dbtop. */
static void autostart_starts_it(void **state)
{
	(void)state;
	int port = live_free_port();
	CLEANUP(cleanup_free)
	char *yaml = text("proxy:\n  process: socat\n  port: %d\n  health: \"\"\n"
			  "  autostart: true\n  start:\n    - socat\n"
			  "    - TCP-LISTEN:%d,bind=127.0.0.1,reuseaddr,fork\n"
			  "    - TCP:127.0.0.1:%d\n",
		port, port, private_server_port(server));
	CLEANUP(cleanup_free) char *config = live_file(live_folder(), "autostart.yaml", yaml);
	CLEANUP(cleanup_free)
	char *conninfo = text("host=127.0.0.1 port=%d user=postgres dbname=postgres", port);
	struct live_program *dbtop =
		live_dbtop_start(NULL, "--metrics", "0", "-i", "0.2", "-c", config, conninfo, NULL);
	live_wait_err(dbtop, "the proxy does not run: started", 60000);
	pid_t pid;
	assert_true(live_wait(is_audited, &pid, 10000));
	live_wait_err(dbtop, "dbtop: connected", 60000);
	live_signal(dbtop, SIGTERM);
	assert_int_equal(live_finish(dbtop, 60000), 0);
	assert_int_equal(kill(pid, SIGTERM), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LIVE_TEST(haproxy_serves),
		LIVE_TEST(socat_serves),
		LIVE_TEST(a_proxy_on_a_unix_socket_serves),
		LIVE_TEST(absent_and_foreign),
		LIVE_TEST(listening_is_not_serving),
		LIVE_TEST(refusal_is_an_answer),
		LIVE_TEST(the_probe_gives_no_password_away),
		LIVE_TEST(another_users_word_is_no_proof),
		LIVE_TEST(the_attempts_are_our_own),
		LIVE_TEST(health_is_read),
		LIVE_TEST(autostart_starts_it),
	};
	return LIVE_GROUP(
		"proxy", tests, .settings = (const char *const[]){ "max_connections=40", NULL });
}

/* How a session reaches its server: lists of hosts, names with several addresses, services, and
 * what neither answers nor refuses. The name server is ours: see getaddrinfo() below. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include "base/cleanup.h"
#include "base/instant.h"
#include "base/mem.h"
#include "black_hole.h"
#include "live_group.h"
#include "model/assessment.h"
#include "session/params.h"
#include "session/session.h"

static struct private_server *read_only;

/* --- what the program is linked with instead of the libraries' own --- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int silent_waiting;
static bool silent_released;
static sigset_t silent_blocks; /* the signals that the waiting thread does not take */
static bool refuse_watch;

/* two.test has a first address where nobody answers, one.test has only that, db.test is the server;
 * silent.test is never answered. */
static const struct {
	const char *name, *addresses[2];
} names[] = {
	{ "two.test", { "127.0.0.9", "127.0.0.1" } },
	{ "one.test", { "127.0.0.9", NULL } },
	{ "db.test", { "127.0.0.1", NULL } },
};

static void wait_for_release(void)
{
	pthread_mutex_lock(&lock);
	silent_waiting++;
	pthread_sigmask(SIG_SETMASK, NULL, &silent_blocks);
	pthread_cond_broadcast(&changed);
	while (!silent_released)
		pthread_cond_wait(&changed, &lock);
	silent_waiting--;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

typedef int look_up_fn(const char *, const char *, const struct addrinfo *, struct addrinfo **);

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
	struct addrinfo **ret_found)
{
	look_up_fn *real;
	void *symbol = dlsym(RTLD_NEXT, "getaddrinfo");
	memcpy(&real, &symbol, sizeof(real));
	if (name && strcmp(name, "silent.test") == 0) {
		wait_for_release();
		return EAI_AGAIN;
	}
	for (size_t i = 0; name && i < sizeof(names) / sizeof(names[0]); i++) {
		struct addrinfo *found = NULL, **last = &found;
		if (strcmp(names[i].name, name) != 0)
			continue;
		for (size_t a = 0; a < 2 && names[i].addresses[a]; a++) {
			assert_int_equal(real(names[i].addresses[a], service, hints, last), 0);
			while (*last)
				last = &(*last)->ai_next;
		}
		*ret_found = found;
		return 0;
	}
	return real(name, service, hints, ret_found);
}

typedef int watch_fn(uv_loop_t *, uv_poll_t *, int);

int uv_poll_init(uv_loop_t *loop, uv_poll_t *handle, int fd)
{
	watch_fn *real;
	void *symbol = dlsym(RTLD_NEXT, "uv_poll_init");
	memcpy(&real, &symbol, sizeof(real));
	return refuse_watch ? UV_ENOSPC : real(loop, handle, fd);
}

/* --- a session, and its outcome --- */

struct call {
	uv_loop_t loop;
	uv_timer_t limit, tick;
	struct session *session;
	int ready, ticks;
	bool over;
	int64_t started_at;
};

static void on_ready(void *data)
{
	struct call *call = data;
	call->ready++;
	uv_stop(&call->loop);
}

/* The first attempt is over. */
static void on_changed(void *data)
{
	struct call *call = data;
	if (session_state(call->session)->status != SERVER_CONNECTING)
		uv_stop(&call->loop);
}

static void on_limit(uv_timer_t *timer)
{
	struct call *call = timer->data;
	call->over = true;
	uv_stop(&call->loop);
}

static void on_tick(uv_timer_t *timer)
{
	struct call *call = timer->data;
	call->ticks++;
}

/* With these parameters over the ones of the server's TCP port. Not begun. */
static void prepare(struct call *call, bool console, const char *conninfo)
{
	static const struct session_callbacks none;
	struct session_callbacks callbacks = none;
	struct params params = { 0 };
	char *error = NULL;
	PQconninfoOption *options = PQconninfoParse(conninfo, &error);
	if (!options)
		fail_msg("%s: %s", conninfo, error);
	for (const PQconninfoOption *option = options; option->keyword; option++)
		if (option->val)
			params_set(&params, option->keyword, option->val);
	PQconninfoFree(options);
	*call = (struct call){ 0 };
	assert_int_equal(uv_loop_init(&call->loop), 0);
	uv_timer_init(&call->loop, &call->limit);
	uv_timer_init(&call->loop, &call->tick);
	call->limit.data = call->tick.data = call;
	uv_unref((uv_handle_t *)&call->tick);
	uv_timer_start(&call->tick, on_tick, 1, 10);
	callbacks.data = call;
	callbacks.ready = on_ready;
	callbacks.changed = on_changed;
	call->session = console ? session_new_console(&call->loop, &params, &callbacks)
				: session_new(&call->loop, &params, &callbacks);
	params_clear(&params);
}

static void begin(struct call *call)
{
	call->started_at = instant_monotonic();
	session_start(call->session);
}

/* Until the session is ready or its attempt has failed, ms at most. */
static void wait_for_outcome(struct call *call, int ms)
{
	uv_timer_start(&call->limit, on_limit, (uint64_t)live_patience(ms), 0);
	uv_run(&call->loop, UV_RUN_DEFAULT);
	uv_timer_stop(&call->limit);
	if (call->over)
		fail_msg("no outcome within %d ms", ms);
}

static int64_t elapsed_ms(const struct call *call)
{
	return (instant_monotonic() - call->started_at) / USEC_PER_MSEC;
}

static void end(struct call *call)
{
	session_free(call->session);
	uv_close((uv_handle_t *)&call->limit, NULL);
	uv_close((uv_handle_t *)&call->tick, NULL);
	uv_run(&call->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&call->loop), 0);
}

__attribute__((format(printf, 2, 3))) static void start(struct call *call, const char *format, ...)
{
	CLEANUP(cleanup_free) char *base = live_conninfo(server, LIVE_TCP4, NULL);
	char *more;
	va_list args;
	va_start(args, format);
	assert_true(vasprintf(&more, format, args) >= 0);
	va_end(args);
	/* the later of two counts */
	CLEANUP(cleanup_free) char *conninfo = mem_printf("%s %s", base, more);
	free(more);
	prepare(call, false, conninfo);
	begin(call);
}

static void assert_ready(struct call *call)
{
	wait_for_outcome(call, 20000);
	if (!session_is_ready(call->session))
		fail_msg("not connected: %s", session_state(call->session)->error);
}

static void assert_error(struct call *call, const char *text)
{
	wait_for_outcome(call, 20000);
	const char *error = session_state(call->session)->error;
	assert_false(session_is_ready(call->session));
	if (!error || !strstr(error, text))
		fail_msg("the error is \"%s\", not \"%s\"", error ? error : "", text);
}

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
	start(&call, "host=127.0.0.9,127.0.0.1 port=%d,%d connect_timeout=4", black_hole_port(hole),
		port_of());
	assert_ready(&call);
	assert_true(elapsed_ms(&call) >= 4000);
	assert_string_equal(session_state(call.session)->host, "127.0.0.1");
	assert_int_equal(session_state(call.session)->port, port_of());
	end(&call);
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
	start(&call, "host=two.test connect_timeout=4");
	assert_ready(&call);
	assert_true(elapsed_ms(&call) >= 4000);
	assert_string_equal(session_state(call.session)->host, "two.test");
	end(&call);
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
	start(&call, "host=127.0.0.1,127.0.0.1 port=%d,%d connect_timeout=4",
		ntohs(address.sin_port), port_of());
	assert_ready(&call);
	end(&call);
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
	start(&longer, "host=127.0.0.9 port=%d connect_timeout=11", black_hole_port(hole));
	setenv("PGCONNECT_TIMEOUT", "1", 1);
	start(&shorter, "host=127.0.0.9 port=%d", black_hole_port(hole));
	assert_error(&shorter, "did not answer in 1 s");
	assert_true(elapsed_ms(&shorter) >= 1000);
	unsetenv("PGCONNECT_TIMEOUT");
	assert_error(&longer, "did not answer in 11 s");
	assert_true(elapsed_ms(&longer) >= 11000);
	end(&shorter);
	end(&longer);
	assert_int_equal(live_finish(dbtop, 40000), 3);
	assert_non_null(strstr(live_out(dbtop), "the server did not answer in 17 s"));
	start(&shorter, "connect_timeout=soon");
	assert_error(&shorter, "invalid integer value \"soon\"");
	end(&shorter);
	black_hole_close(hole);
}

static void all_that_failed_are_named(void **state)
{
	(void)state;
	struct call call;
	struct black_hole *hole = black_hole_open("127.0.0.9", 0);
	start(&call, "host=one.test,127.0.0.1 port=%d,1 connect_timeout=1", black_hole_port(hole));
	assert_error(&call,
		"one.test (127.0.0.9): the server did not answer in 1 s, 127.0.0.1: "
		"Connection refused");
	end(&call);
	black_hole_close(hole);
}

/* --- as libpq --- */

/* A server that has spoken is the one that was meant. */
static void a_refusal_ends_the_round(void **state)
{
	(void)state;
	struct call call;
	start(&call, "host=127.0.0.1,127.0.0.1 port=%d,%d dbname=nowhere", port_of(),
		private_server_port(read_only));
	assert_error(&call, "nowhere");
	assert_string_equal(session_state(call.session)->sqlstate, "3D000");
	assert_int_equal(session_state(call.session)->port, port_of());
	end(&call);
	start(&call, "host=127.0.0.1,127.0.0.1 port=%d,2,3", port_of());
	assert_error(&call, "could not match 3 port numbers to 2 hosts");
	end(&call);
}

static void the_wanted_kind_of_server_is_found(void **state)
{
	(void)state;
	struct call call;
	int other = private_server_port(read_only);
	start(&call, "host=127.0.0.1,127.0.0.1 port=%d,%d target_session_attrs=read-write", other,
		port_of());
	assert_ready(&call);
	assert_int_equal(session_state(call.session)->port, port_of());
	end(&call);
	start(&call, "host=127.0.0.1,127.0.0.1 port=%d,%d target_session_attrs=read-only",
		port_of(), other);
	assert_ready(&call);
	assert_int_equal(session_state(call.session)->port, other);
	end(&call);
	start(&call, "host=127.0.0.1,127.0.0.1 port=%d,%d target_session_attrs=prefer-standby",
		other, port_of());
	assert_ready(&call);
	assert_int_equal(session_state(call.session)->port, other);
	end(&call);
	start(&call, "host=127.0.0.1 port=%d target_session_attrs=standby", port_of());
	assert_error(&call, "not in hot standby mode");
	end(&call);
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
	prepare(&call, false, "service=spare");
	begin(&call);
	assert_ready(&call);
	assert_string_equal(session_state(call.session)->host, "db.test");
	assert_string_equal(session_state(call.session)->database, "template1");
	end(&call);
	setenv("PGSERVICE", "spare", 1);
	prepare(&call, false, "dbname=postgres");
	begin(&call);
	assert_ready(&call);
	assert_string_equal(session_state(call.session)->host, "db.test");
	assert_string_equal(session_state(call.session)->database, "postgres");
	end(&call);
	unsetenv("PGSERVICE");
	prepare(&call, false, "service=nobody");
	begin(&call);
	assert_error(&call, "definition of service \"nobody\" not found");
	end(&call);
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
	start(&call,
		"host=first.test,silent.test hostaddr=127.0.0.9,127.0.0.1 port=%d,%d "
		"connect_timeout=4 user=secret passfile=%s",
		black_hole_port(hole), port_of(), path);
	assert_ready(&call);
	assert_string_equal(session_state(call.session)->host, "silent.test");
	end(&call);
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
	start(&call,
		"host=one.test,db.test port=%d,%d connect_timeout=4 sslmode=verify-full "
		"sslrootcert=%s",
		black_hole_port(hole), port_of(), root);
	assert_ready(&call);
	assert_true(PQsslInUse(session_connection(call.session)));
	end(&call);
	start(&call, "host=db.test hostaddr=127.0.0.1 sslmode=verify-full sslrootcert=%s", root);
	assert_ready(&call);
	end(&call);
	start(&call, "host=other.test hostaddr=127.0.0.1 sslmode=verify-full sslrootcert=%s", root);
	assert_error(&call, "does not match host name");
	end(&call);
	live_sql(server, "ALTER SYSTEM RESET ssl");
	live_sql(server, "SELECT pg_reload_conf()");
	black_hole_close(hole);
}

/* --- what may hang --- */

static void wait_for_silent(int count)
{
	pthread_mutex_lock(&lock);
	while (silent_waiting != count)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
}

static void run_until_ticks(struct call *call, int ticks)
{
	while (call->ticks < ticks)
		uv_run(&call->loop, UV_RUN_ONCE);
}

static void ref_handle(uv_handle_t *handle, void *data)
{
	(void)data;
	uv_ref(handle);
}

/* Frees the session. The loop does not wait for the look-up, and reports that it is still running.
 */
static void end_beside_look_up(struct call *call)
{
	session_free(call->session);
	uv_close((uv_handle_t *)&call->tick, NULL);
	uv_unref((uv_handle_t *)&call->limit);
	uv_timer_start(&call->limit, on_limit, (uint64_t)live_patience(20000), 0);
	assert_int_equal(uv_run(&call->loop, UV_RUN_DEFAULT), 0);
	assert_false(call->over);
	uv_close((uv_handle_t *)&call->limit, NULL);
	uv_run(&call->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&call->loop), UV_EBUSY);
}

/* Once the look-up was answered. */
static void end_after_look_up(struct call *call)
{
	uv_walk(&call->loop, ref_handle, NULL);
	assert_int_equal(uv_run(&call->loop, UV_RUN_DEFAULT), 0);
	assert_int_equal(uv_loop_close(&call->loop), 0);
}

/* In a list, too, and from a service: the loop turns, and the end is at once. */
static void a_silent_name_server_holds_up_nobody(void **state)
{
	(void)state;
	struct call calls[3];
	CLEANUP(cleanup_free)
	char *path = live_file(
		live_folder(), "silent.conf", "[silent]\nhost=silent.test\nuser=postgres\n");
	setenv("PGSERVICEFILE", path, 1);
	start(&calls[0], "host=silent.test");
	start(&calls[1], "host=silent.test,127.0.0.1");
	prepare(&calls[2], false, "service=silent");
	begin(&calls[2]);
	wait_for_silent(3);
	for (size_t i = 0; i < 3; i++) {
		run_until_ticks(&calls[i], 10);
		assert_false(session_is_trying(calls[i].session));
		assert_int_equal(session_state(calls[i].session)->status, SERVER_CONNECTING);
		end_beside_look_up(&calls[i]);
	}
	wait_for_silent(3);
	pthread_mutex_lock(&lock);
	silent_released = true;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
	for (size_t i = 0; i < 3; i++)
		end_after_look_up(&calls[i]);
	wait_for_silent(0);
	silent_released = false;
	unsetenv("PGSERVICEFILE");
}

struct pipe_reader {
	uv_loop_t *loop;
	const char *path;
};

/* Each of its reads comes to the end of the file. */
static bool has_read_all(void *data)
{
	const struct pipe_reader *reader = data;
	CLEANUP(cleanup_fd) int fd = open(reader->path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	return uv_run(reader->loop, UV_RUN_NOWAIT) == 0;
}

/* A pipe that nobody writes to replaces a disk that hangs: a reader would wait for ever. */
static void a_disk_that_hangs_holds_up_nobody(void **state)
{
	(void)state;
	struct call calls[3];
	CLEANUP(cleanup_free) char *path = mem_printf("%s/pipe", live_folder());
	assert_int_equal(mkfifo(path, 0600), 0);
	setenv("PGSERVICEFILE", path, 1);
	for (size_t i = 0; i < 3; i++) {
		prepare(&calls[i], false, "service=any");
		begin(&calls[i]);
		run_until_ticks(&calls[i], 10);
		assert_int_equal(session_state(calls[i].session)->status, SERVER_CONNECTING);
		session_free(calls[i].session);
		calls[i].session = NULL;
	}
	for (size_t i = 0; i < 3; i++) {
		struct pipe_reader reader = { &calls[i].loop, path };
		assert_true(live_wait(has_read_all, &reader, 20000));
		end(&calls[i]);
	}
	unsetenv("PGSERVICEFILE");
}

static void no_host_name_is_too_strange(void **state)
{
	(void)state;
	struct call call;
	char longest[301];
	memset(longest, 'a', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	const char *const hosts[] = { "d\xe9j\xe0.vu", "\xff", longest, "a..b", "-", "x y" };
	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		start(&call, "host='%s'", hosts[i]);
		assert_error(&call, "could not look up");
		end(&call);
	}
}

/* --- a socket that cannot be watched --- */

/* A console sends nothing to begin with: it must not be ready all the same. */
static void what_cannot_be_watched_is_lost(void **state)
{
	(void)state;
	CLEANUP(cleanup_free) char *conninfo = live_conninfo(server, LIVE_TCP4, NULL);
	live_sql(server, "CREATE DATABASE pgbouncer");
	for (int console = 0; console < 2; console++) {
		struct call call;
		prepare(&call, console, conninfo);
		refuse_watch = true;
		begin(&call);
		assert_error(&call, "the socket cannot be watched");
		assert_int_equal(call.ready, 0);
		refuse_watch = false;
		end(&call);
	}
	live_sql(server, "DROP DATABASE pgbouncer WITH (FORCE)");
}

/* A signal that is sent to dbtop goes to the loop's thread. A fault goes to the thread it happens
 * in: blocked there, it would end dbtop without giving the terminal back. */
static void only_faults_reach_the_thread(void **state)
{
	(void)state;
	static const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT };
	static const int others[] = { SIGINT, SIGTERM, SIGHUP, SIGCHLD, SIGWINCH };
	struct call call;
	start(&call, "host=silent.test");
	wait_for_silent(1);
	end_beside_look_up(&call);
	pthread_mutex_lock(&lock);
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		assert_false(sigismember(&silent_blocks, faults[i]));
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_true(sigismember(&silent_blocks, others[i]));
	silent_released = true;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
	end_after_look_up(&call);
	wait_for_silent(0);
	silent_released = false;
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
		cmocka_unit_test(a_silent_name_server_holds_up_nobody),
		cmocka_unit_test(only_faults_reach_the_thread),
		cmocka_unit_test(a_disk_that_hangs_holds_up_nobody),
		cmocka_unit_test(no_host_name_is_too_strange),
		cmocka_unit_test(what_cannot_be_watched_is_lost),
	};
	return LIVE_GROUP("connect", tests, .set_up = start_read_only, .take_down = stop_read_only);
}

/* What hangs while a session reaches its server: a name server, a disk, a socket that cannot be
 * watched. The name server is ours: see resolver.h. */
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <uv.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "live_group.h"
#include "model/assessment.h"
#include "resolver.h"
#include "session/session.h"
#include "session_call.h"

static bool refuse_watch;

typedef int watch_fn(uv_loop_t *, uv_poll_t *, int);

int uv_poll_init(uv_loop_t *loop, uv_poll_t *handle, int fd)
{
	watch_fn *real;
	void *symbol = dlsym(RTLD_NEXT, "uv_poll_init");
	memcpy(&real, &symbol, sizeof(real));
	return refuse_watch ? UV_ENOSPC : real(loop, handle, fd);
}

static void run_until_ticks(struct call *call, int ticks)
{
	while (call->ticks < ticks)
		uv_run(&call->loop, UV_RUN_ONCE);
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
	call_start(&calls[0], "host=silent.test");
	call_start(&calls[1], "host=silent.test,127.0.0.1");
	call_prepare(&calls[2], false, "service=silent");
	call_begin(&calls[2]);
	resolver_wait_for_silent(3);
	for (size_t i = 0; i < 3; i++) {
		run_until_ticks(&calls[i], 10);
		assert_false(session_is_trying(calls[i].session));
		assert_int_equal(session_state(calls[i].session)->status, SERVER_CONNECTING);
		call_end_beside_look_up(&calls[i]);
	}
	resolver_wait_for_silent(3);
	resolver_release_silent();
	for (size_t i = 0; i < 3; i++)
		call_end_after_look_up(&calls[i]);
	resolver_hold_silent();
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
		call_prepare(&calls[i], false, "service=any");
		call_begin(&calls[i]);
		run_until_ticks(&calls[i], 10);
		assert_int_equal(session_state(calls[i].session)->status, SERVER_CONNECTING);
		session_free(calls[i].session);
		calls[i].session = NULL;
	}
	for (size_t i = 0; i < 3; i++) {
		struct pipe_reader reader = { &calls[i].loop, path };
		assert_true(live_wait(has_read_all, &reader, 20000));
		call_end(&calls[i]);
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
		call_start(&call, "host='%s'", hosts[i]);
		call_assert_error(&call, "could not look up");
		call_end(&call);
	}
}

/* A console sends nothing to begin with: it must not be ready all the same. */
static void what_cannot_be_watched_is_lost(void **state)
{
	(void)state;
	CLEANUP(cleanup_free) char *conninfo = live_conninfo(server, LIVE_TCP4, NULL);
	for (int console = 0; console < 2; console++) {
		struct call call;
		call_prepare(&call, console, conninfo);
		refuse_watch = true;
		call_begin(&call);
		call_assert_error(&call, "the socket cannot be watched");
		assert_int_equal(call.ready, 0);
		refuse_watch = false;
		call_end(&call);
	}
}

/* A signal that is sent to dbtop goes to the loop's thread. A fault goes to the thread it happens
 * in: blocked there, it would end dbtop without giving the terminal back. */
static void only_faults_reach_the_thread(void **state)
{
	(void)state;
	static const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT };
	static const int others[] = { SIGINT, SIGTERM, SIGHUP, SIGCHLD, SIGWINCH };
	struct call call;
	call_start(&call, "host=silent.test");
	resolver_wait_for_silent(1);
	call_end_beside_look_up(&call);
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		assert_false(resolver_blocks(faults[i]));
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_true(resolver_blocks(others[i]));
	resolver_release_silent();
	call_end_after_look_up(&call);
	resolver_hold_silent();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_silent_name_server_holds_up_nobody),
		cmocka_unit_test(only_faults_reach_the_thread),
		cmocka_unit_test(a_disk_that_hangs_holds_up_nobody),
		cmocka_unit_test(no_host_name_is_too_strange),
		cmocka_unit_test(what_cannot_be_watched_is_lost),
	};
	return LIVE_GROUP("connect_hangs", tests, .sql = "CREATE DATABASE pgbouncer");
}

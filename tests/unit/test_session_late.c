/* session and action/execute: a dbtop that is slower than the server, or a server that is slower
 * than dbtop. dbtop was stopped, or had no processor, for longer than the server may take; the
 * answer is there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <uv.h>

#include "action/execute.h"
#include "base/arena.h"
#include "base/instant.h"
#include "base/mem.h"
#include "model/action.h"
#include "model/assessment.h"
#include "session/params.h"
#include "session/session.h"

/* Longer than the second that the server has. */
#define STOPPED_US 1100000

/* Bytes of the protocol, with the zeros at their ends. */
#define SAYS(text)  text, sizeof(text) - 1
#define LET_IN      "R\0\0\0\10\0\0\0\0"
#define READY       "Z\0\0\0\5I"
#define IS_REFUSING "E\0\0\0\27SERROR\0CXX000\0Mno\0\0"

/* One row with a NULL. */
#define IS_SET_UP                                                                                  \
	"1\0\0\0\4"                                                                                \
	"2\0\0\0\4"                                                                                \
	"T\0\0\0\31\0\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"                                     \
	"D\0\0\0\12\0\1\377\377\377\377"                                                           \
	"C\0\0\0\15SELECT 1\0"

int __real_poll(struct pollfd *fds, nfds_t n, int timeout);
int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout);
int64_t __wrap_instant_monotonic(void);

/* The clock of the thread that connects: it stands still, so that no attempt is late unless the
 * test wants that. */
static atomic_llong now;
/* The thread is stopped in its next wait, until the answer is there and its time is over. */
static atomic_bool is_stopped, is_answered;

int64_t __wrap_instant_monotonic(void)
{
	return atomic_load(&now);
}

int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout)
{
	if (atomic_load(&is_stopped)) {
		while (!atomic_load(&is_answered))
			usleep(1000);
		atomic_fetch_add(&now, STOPPED_US);
		atomic_store(&is_stopped, false);
	}
	return __real_poll(fds, n, timeout);
}

struct server {
	char folder[32];
	char *path;
	int listening, client;
};

static void listen_at(struct server *server)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	strcpy(server->folder, "/tmp/dbtop-late-XXXXXX");
	assert_non_null(mkdtemp(server->folder));
	server->path = mem_printf("%s/.s.PGSQL.5", server->folder);
	strcpy(address.sun_path, server->path);
	server->listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(server->listening, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(server->listening, 4), 0);
}

static void close_server(struct server *server)
{
	close(server->client);
	close(server->listening);
	unlink(server->path);
	rmdir(server->folder);
	free(server->path);
}

/* Runs the loop until the descriptor can be read. */
static void run_until_readable(uv_loop_t *loop, int fd)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };
	while (__real_poll(&pollfd, 1, 1) != 1)
		uv_run(loop, UV_RUN_NOWAIT);
}

/* The client's next words, whatever they are. */
static void hear(uv_loop_t *loop, const struct server *server)
{
	char bytes[4096];
	run_until_readable(loop, server->client);
	assert_true(read(server->client, bytes, sizeof(bytes)) > 0);
}

static void say(const struct server *server, const char *bytes, size_t size)
{
	assert_int_equal(write(server->client, bytes, size), size);
}

static void on_ready(void *data)
{
	(void)data;
}

static struct session *connect_to(uv_loop_t *loop, struct server *server)
{
	static const struct session_callbacks callbacks = { .ready = on_ready };
	struct params params = { 0 };
	params_set(&params, "host", server->folder);
	params_set(&params, "port", "5");
	params_set(&params, "user", "app");
	params_set(&params, "connect_timeout", "1");
	struct session *session = session_new(loop, &params, &callbacks);
	params_clear(&params);
	session_start(session);
	run_until_readable(loop, server->listening);
	server->client = accept(server->listening, NULL, NULL);
	assert_true(server->client >= 0);
	return session;
}

/* Runs the loop until the attempt has failed; returns why. */
static const char *await_error(uv_loop_t *loop, const struct session *session)
{
	while (!session_state(session)->error)
		uv_run(loop, UV_RUN_ONCE);
	return session_state(session)->error;
}

static void free_session(uv_loop_t *loop, struct session *session)
{
	session_free(session);
	uv_run(loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(loop), 0);
}

static void an_answer_that_is_there_counts(void **state)
{
	(void)state;
	uv_loop_t loop;
	struct server server;
	uv_loop_init(&loop);
	listen_at(&server);
	struct session *session = connect_to(&loop, &server);
	hear(&loop, &server);
	say(&server, SAYS(LET_IN READY));
	/* the statement that sets the session up */
	hear(&loop, &server);
	say(&server, SAYS(IS_REFUSING READY));
	usleep(STOPPED_US);
	assert_string_equal(await_error(&loop, session), "no");
	free_session(&loop, session);
	close_server(&server);
}

static void a_login_that_was_answered_goes_on(void **state)
{
	(void)state;
	uv_loop_t loop;
	struct server server;
	uv_loop_init(&loop);
	listen_at(&server);
	atomic_store(&is_stopped, true);
	struct session *session = connect_to(&loop, &server);
	say(&server, SAYS(LET_IN READY));
	atomic_store(&is_answered, true);
	/* the first message of the login */
	hear(&loop, &server);
	hear(&loop, &server);
	say(&server, SAYS(IS_REFUSING READY));
	assert_string_equal(await_error(&loop, session), "no");
	free_session(&loop, session);
	close_server(&server);
}

static struct session *log_in(uv_loop_t *loop, struct server *server)
{
	struct session *session = connect_to(loop, server);
	hear(loop, server);
	say(server, SAYS(LET_IN READY));
	hear(loop, server);
	say(server, SAYS(IS_SET_UP READY));
	while (!session_is_ready(session))
		uv_run(loop, UV_RUN_ONCE);
	return session;
}

static void the_end_waits_for_a_server_that_is_late(void **state)
{
	(void)state;
	uv_loop_t loop;
	struct server server;
	uv_loop_init(&loop);
	listen_at(&server);
	session_free(log_in(&loop, &server));
	/* the last message */
	hear(&loop, &server);
	assert_int_not_equal(uv_run(&loop, UV_RUN_NOWAIT), 0);
	say(&server, SAYS(READY));
	assert_int_not_equal(uv_run(&loop, UV_RUN_NOWAIT), 0);
	shutdown(server.client, SHUT_RDWR);
	assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
	assert_int_equal(uv_loop_close(&loop), 0);
	close_server(&server);
}

static void do_nothing(void *data, struct action_step *step)
{
	(void)data, (void)step;
}

static void note_done(void *data)
{
	*(bool *)data = true;
}

static void an_actions_answer_that_is_there_counts(void **state)
{
	(void)state;
	uv_loop_t loop;
	struct server server;
	bool done = false;
	struct action_step step = { .kind = STEP_SESSION, .pid = 7, .selected = true };
	struct action action = {
		.kind = ACTION_TERMINATE, .steps = &step, .n_steps = 1, .arena = arena_new()
	};
	uv_loop_init(&loop);
	listen_at(&server);
	struct session *session = log_in(&loop, &server);
	struct executor *executor = execute_new(&loop, session, USEC_PER_SEC,
		&(struct step_callbacks){ &done, do_nothing, note_done });
	execute_begin(executor, &action);
	hear(&loop, &server);
	say(&server, SAYS(IS_REFUSING READY));
	usleep(STOPPED_US);
	while (!done)
		uv_run(&loop, UV_RUN_ONCE);
	assert_int_equal(step.result, RESULT_DENIED);
	assert_string_equal(step.detail, "no");
	execute_free(executor);
	free_session(&loop, session);
	close_server(&server);
	arena_free(action.arena);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_answer_that_is_there_counts),
		cmocka_unit_test(an_actions_answer_that_is_there_counts),
		cmocka_unit_test(a_login_that_was_answered_goes_on),
		cmocka_unit_test(the_end_waits_for_a_server_that_is_late),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

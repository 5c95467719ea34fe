/* loop/pidfd_watch and collect/exits: real children, and the instants at which they end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include "base/arena.h"
#include "base/instant.h"
#include "base/mem.h"
#include "collect/exits.h"
#include "loop/pidfd_watch.h"
#include "model/peers.h"

/* The time limit of a wait. It is long, because the machine may be under load; each wait ends as
 * soon as the event has happened. */
#define TIMEOUT (20 * USEC_PER_SEC)

struct fixture {
	uv_loop_t loop;
	struct pidfd_watch *watch;
	struct exits *exits;
	int ended; /* calls */
	uint64_t key;
	int64_t at;
};

static void on_ended(void *data, uint64_t key, int64_t at)
{
	struct fixture *f = data;
	f->ended++;
	f->key = key;
	f->at = at;
}

static void on_exit_reported(void *data)
{
	struct fixture *f = data;
	f->ended++;
}

static int set_up(void **state)
{
	struct fixture *f = mem_alloc(sizeof(*f));
	assert_int_equal(uv_loop_init(&f->loop), 0);
	f->watch = pidfd_watch_new(
		&f->loop, &(struct pidfd_watch_callbacks){ .data = f, .ended = on_ended });
	f->exits = exits_new(
		&f->loop, &(struct exits_callbacks){ .data = f, .ended = on_exit_reported });
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	pidfd_watch_free(f->watch);
	exits_free(f->exits);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&f->loop), 0);
	free(f);
	return 0;
}

/* Starts a child that lives until it is killed, or we have ended. */
static pid_t start_child(void)
{
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	return pid;
}

/* Kills the child, which stays a zombie: WNOWAIT does not reap it. */
static void kill_child(pid_t pid)
{
	siginfo_t info;
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
}

static void reap_child(pid_t pid)
{
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static int open_pidfd(pid_t pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	assert_true(fd >= 0);
	return fd;
}

static void run_until(struct fixture *f, int ended)
{
	int64_t late = instant_monotonic() + TIMEOUT;
	while (f->ended < ended && instant_monotonic() < late) {
		uv_run(&f->loop, UV_RUN_NOWAIT);
		usleep(1000);
	}
	assert_int_equal(f->ended, ended);
}

/* Fails if an end is reported in the next turns of the loop: one turn reports all that is due. */
static void assert_nothing_is_reported(struct fixture *f)
{
	int before = f->ended;
	for (int i = 0; i < 3; i++)
		uv_run(&f->loop, UV_RUN_NOWAIT);
	assert_int_equal(f->ended, before);
}

static void an_end_is_reported_once_with_its_instant(void **state)
{
	struct fixture *f = *state;
	pid_t child = start_child(), other = start_child();
	int fd = open_pidfd(child);
	assert_int_equal(pidfd_watch_add(f->watch, fd, 42), 0);
	assert_int_equal(pidfd_watch_add(f->watch, open_pidfd(other), 43), 0);
	assert_int_equal(pidfd_watch_fd(f->watch, 42), fd);
	assert_nothing_is_reported(f);
	int64_t before = instant_monotonic();
	kill_child(child);
	run_until(f, 1);
	assert_int_equal(f->key, 42);
	assert_true(f->at >= before && f->at <= instant_monotonic());
	assert_int_equal(pidfd_watch_fd(f->watch, 42), -1);
	assert_true(pidfd_watch_fd(f->watch, 43) >= 0);
	assert_nothing_is_reported(f);
	reap_child(child);
	kill_child(other);
	reap_child(other);
}

static bool is_key(const void *data, uint64_t key)
{
	return key == *(const uint64_t *)data;
}

static void a_dropped_watch_reports_nothing(void **state)
{
	struct fixture *f = *state;
	pid_t child = start_child();
	int fd = open_pidfd(child);
	assert_int_equal(pidfd_watch_add(f->watch, fd, 1), 0);
	pidfd_watch_retain(f->watch, is_key, &(uint64_t){ 1 });
	assert_int_equal(pidfd_watch_fd(f->watch, 1), fd);
	pidfd_watch_retain(f->watch, is_key, &(uint64_t){ 2 });
	assert_int_equal(pidfd_watch_count(f->watch), 0);
	assert_int_equal(pidfd_watch_fd(f->watch, 1), -1);
	assert_int_equal(pidfd_watch_add(f->watch, open_pidfd(child), 3), 0);
	pidfd_watch_remove(f->watch, 4);
	assert_int_equal(pidfd_watch_count(f->watch), 1);
	pidfd_watch_remove(f->watch, 3);
	assert_int_equal(pidfd_watch_count(f->watch), 0);
	kill_child(child);
	assert_nothing_is_reported(f);
	/* pidfd_watch owned and closed it */
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	reap_child(child);
}

static void what_cannot_be_watched_is_closed(void **state)
{
	struct fixture *f = *state;
	int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
	assert_true(pidfd_watch_add(f->watch, fd, 1) < 0);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	assert_int_equal(pidfd_watch_fd(f->watch, 1), -1);
}

/* Makes a socket dump in which two processes hold a client's end: one of a connection to port 5432,
 * one of a Unix socket's peer. A third process holds the server's own end. */
static struct peers *make_peers(pid_t tcp, pid_t local, pid_t server)
{
	struct peers *peers = peers_new();
	peers->target.port = 5432;
	peers->n_tcp = 2;
	peers->tcp = arena_array(peers->arena, 2, sizeof(*peers->tcp));
	peers->tcp[0] = (struct tcp_socket){ .remote.port = 5432, .inode = 10 };
	peers->tcp[1] = (struct tcp_socket){ .local.port = 5432, .remote.port = 999, .inode = 30 };
	peers->n_unix = 1;
	peers->unix_sockets = arena_array(peers->arena, 1, sizeof(*peers->unix_sockets));
	peers->unix_sockets[0] = (struct unix_socket){ .inode = 31, .peer = 20 };
	peers->n_owners = 3;
	peers->owners = arena_array(peers->arena, 3, sizeof(*peers->owners));
	peers->owners[0] = (struct socket_owner){ .inode = 10, .process = 0 };
	peers->owners[1] = (struct socket_owner){ .inode = 20, .process = 1 };
	peers->owners[2] = (struct socket_owner){ .inode = 30, .process = 2 };
	peers->n_processes = 3;
	peers->processes = arena_array(peers->arena, 3, sizeof(*peers->processes));
	peers->processes[0] = (struct process){ .pid = tcp, .start_ticks = 1 };
	peers->processes[1] = (struct process){ .pid = local, .start_ticks = 1 };
	peers->processes[2] = (struct process){ .pid = server, .start_ticks = 1 };
	return peers;
}

static int next_descriptor(void)
{
	int fd = dup(STDERR_FILENO);
	close(fd);
	return fd;
}

static void ends_of_clients_and_no_others_are_reported(void **state)
{
	struct fixture *f = *state;
	pid_t tcp = start_child(), local = start_child(), server = start_child();
	struct peers *peers = make_peers(tcp, local, server);
	exits_follow(f->exits, peers);
	/* the next scan shows the same processes: they are not opened again */
	int next = next_descriptor();
	exits_follow(f->exits, peers);
	assert_nothing_is_reported(f);
	assert_int_equal(next_descriptor(), next);
	kill_child(server);
	assert_nothing_is_reported(f);
	kill_child(tcp);
	run_until(f, 1);
	assert_nothing_is_reported(f);
	kill_child(local);
	run_until(f, 2);
	peers_unref(peers);
	reap_child(server);
	reap_child(tcp);
	reap_child(local);
}

static void who_holds_no_end_any_more_is_let_go(void **state)
{
	struct fixture *f = *state;
	pid_t tcp = start_child(), local = start_child(), server = start_child();
	struct peers *peers = make_peers(tcp, local, server);
	exits_follow(f->exits, peers);
	peers->n_tcp = 0;
	exits_follow(f->exits, peers);
	kill_child(tcp);
	assert_nothing_is_reported(f);
	kill_child(local);
	run_until(f, 1);
	peers_unref(peers);
	kill_child(server);
	reap_child(server);
	reap_child(tcp);
	reap_child(local);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(an_end_is_reported_once_with_its_instant),
		TEST(a_dropped_watch_reports_nothing),
		TEST(what_cannot_be_watched_is_closed),
		TEST(ends_of_clients_and_no_others_are_reported),
		TEST(who_holds_no_end_any_more_is_let_go),
	};
	return cmocka_run_group_tests_name("pidfd_watch", tests, NULL, NULL);
}

/* collect/links and collect/follow: sockets and children made here, a server without a word of the
 * protocol. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include "base/arena.h"
#include "base/instant.h"
#include "base/mem.h"
#include "collect/follow.h"
#include "collect/links.h"
#include "proc/procfs.h"

#define TIMEOUT (20 * USEC_PER_SEC)

struct fixture {
	uv_loop_t loop;
	struct links *links;
	struct follow *follow;
	int server;
	uint16_t port;
	int samples, stop_at; /* so many are wanted; 0: any number */
	/* of the latest */
	int64_t began_at;
	struct follow_process processes[8];
	struct follow_socket sockets[8];
	size_t n_processes, n_sockets;
	bool whole;
	int64_t work; /* µs that each sample is worked on */
	int64_t done_at, shortest_pause;
};

/* Keeps the thread busy, as a slow consumer does. */
static void work_for(int64_t usec)
{
	int64_t until = instant_monotonic() + usec;
	while (instant_monotonic() < until)
		;
}

static void on_sampled(void *data, const struct follow_sample *sample)
{
	struct fixture *f = data;
	assert_true(sample->n_processes <= 8 && sample->n_sockets <= 8);
	assert_true(sample->taken_at >= sample->began_at);
	f->samples++;
	int64_t pause = sample->began_at - f->done_at;
	if (f->samples > 1 && pause < f->shortest_pause)
		f->shortest_pause = pause;
	work_for(f->work);
	f->done_at = instant_monotonic();
	f->began_at = sample->began_at;
	f->whole = sample->whole;
	if (f->samples == f->stop_at)
		follow_set_interval(f->follow, 0);
	f->n_processes = sample->n_processes;
	f->n_sockets = sample->n_sockets;
	for (size_t i = 0; i < sample->n_processes; i++)
		f->processes[i] = sample->processes[i];
	for (size_t i = 0; i < sample->n_sockets; i++)
		f->sockets[i] = sample->sockets[i];
}

static int set_up(void **state)
{
	struct fixture *f = mem_alloc(sizeof(*f));
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t size = sizeof(address);
	assert_int_equal(uv_loop_init(&f->loop), 0);
	f->links = links_new();
	f->follow = follow_new(
		&f->loop, "/proc", &(struct follow_callbacks){ .data = f, .sampled = on_sampled });
	f->server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(f->server, (struct sockaddr *)&address, size), 0);
	assert_int_equal(listen(f->server, 8), 0);
	assert_int_equal(getsockname(f->server, (struct sockaddr *)&address, &size), 0);
	f->port = ntohs(address.sin_port);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	close(f->server);
	links_free(f->links);
	follow_free(f->follow);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&f->loop), 0);
	free(f);
	return 0;
}

static int open_socket(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	return fd;
}

static void connect_to(const struct fixture *f, int fd)
{
	const struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons(f->port),
	};
	assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
}

static uint32_t inode_of(int fd)
{
	struct stat st;
	assert_int_equal(fstat(fd, &st), 0);
	return (uint32_t)st.st_ino;
}

static uint16_t own_port(int fd)
{
	struct sockaddr_in address;
	socklen_t size = sizeof(address);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	return ntohs(address.sin_port);
}

static void links_know_connections_to_the_port(void **state)
{
	struct fixture *f = *state;
	int client = open_socket(), idle = open_socket();
	connect_to(f, client);
	const uint32_t inodes[] = { inode_of(idle), inode_of(client), inode_of(client) };
	links_scan(f->links, inodes, 3, &f->port, 1, 7000);
	const struct server_link *link = links_find(f->links, inode_of(client));
	assert_non_null(link);
	assert_true(link->established);
	assert_int_equal(link->inode, inode_of(client));
	assert_int_equal(link->port, f->port);
	assert_int_equal(link->local.family, AF_INET);
	assert_int_equal(link->local.port, own_port(client));
	assert_int_equal(link->first_seen, 7000);
	assert_null(links_find(f->links, inode_of(idle)));
	assert_null(links_find(f->links, 1));
	close(client);
	close(idle);
}

/* The server's own end has the port, too; and a connection to another port is not the
 * application's. */
static void links_are_the_clients_ends_alone(void **state)
{
	struct fixture *f = *state;
	const uint16_t another = f->port == UINT16_MAX ? 1 : (uint16_t)(f->port + 1);
	int client = open_socket();
	connect_to(f, client);
	int served = accept(f->server, NULL, NULL);
	const uint32_t inodes[] = { inode_of(client), inode_of(served), inode_of(f->server) };
	links_scan(f->links, inodes, 3, &another, 1, 0);
	assert_null(links_find(f->links, inodes[0]));
	links_scan(f->links, inodes, 3, &f->port, 1, USEC_PER_SEC);
	assert_non_null(links_find(f->links, inodes[0]));
	assert_null(links_find(f->links, inodes[1]));
	assert_null(links_find(f->links, inodes[2]));
	close(served);
	close(client);
}

/* Asked for again after a pause that doubles; what is known is remembered until it is closed. */
static void links_ask_again_and_forget(void **state)
{
	struct fixture *f = *state;
	int client = open_socket();
	const uint32_t inode = inode_of(client);
	links_scan(f->links, &inode, 1, &f->port, 1, 0);
	connect_to(f, client);
	links_scan(f->links, &inode, 1, &f->port, 1, 3 * USEC_PER_MSEC);
	assert_null(links_find(f->links, inode));
	links_scan(f->links, &inode, 1, &f->port, 1, 4 * USEC_PER_MSEC);
	assert_non_null(links_find(f->links, inode));
	assert_int_equal(links_find(f->links, inode)->first_seen, 0);
	links_scan(f->links, NULL, 0, &f->port, 1, 5 * USEC_PER_MSEC);
	assert_null(links_find(f->links, inode));
	links_scan(f->links, &inode, 1, &f->port, 1, 6 * USEC_PER_MSEC);
	assert_int_equal(links_find(f->links, inode)->first_seen, 6 * USEC_PER_MSEC);
	close(client);
}

static void sample(struct fixture *f)
{
	int64_t late = instant_monotonic() + TIMEOUT;
	int before = f->samples;
	follow_now(f->follow);
	while (f->samples == before && instant_monotonic() < late)
		uv_run(&f->loop, UV_RUN_ONCE);
	assert_int_equal(f->samples, before + 1);
	assert_true(f->whole);
}

static uint64_t start_of(pid_t pid)
{
	struct procfs *procfs = procfs_new("/proc");
	struct procfs_stat stat;
	assert_int_equal(procfs_stat(procfs, pid, &stat), 0);
	procfs_free(procfs);
	return stat.start_ticks;
}

static const struct follow_process *find_process(const struct fixture *f, pid_t pid)
{
	for (size_t i = 0; i < f->n_processes; i++)
		if (f->processes[i].pid == pid)
			return &f->processes[i];
	return NULL;
}

static const struct follow_socket *find_socket(const struct fixture *f, pid_t pid)
{
	for (size_t i = 0; i < f->n_sockets; i++)
		if (f->sockets[i].pid == pid)
			return &f->sockets[i];
	return NULL;
}

/* In the child: never returns. */
static void live(void)
{
	for (;;)
		pause();
}

/* A parent with a connection to the server, and its child, which inherited that. */
static pid_t start_family(const struct fixture *f, pid_t *ret_child)
{
	int report[2];
	assert_int_equal(pipe(report), 0);
	pid_t parent = fork();
	assert_true(parent >= 0);
	if (parent == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prctl(PR_SET_NAME, "family");
		signal(SIGUSR1, SIG_IGN);
		connect_to(f, open_socket());
		pid_t child = fork();
		if (child == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			child = getpid();
			if (write(report[1], &child, sizeof(child)) != sizeof(child))
				_exit(1);
		}
		live();
	}
	assert_int_equal(read(report[0], ret_child, sizeof(*ret_child)), sizeof(*ret_child));
	close(report[0]);
	close(report[1]);
	return parent;
}

static void end_family(pid_t parent)
{
	kill(parent, SIGKILL);
	assert_int_equal(waitpid(parent, NULL, 0), parent);
}

static void an_application_is_followed_with_its_children(void **state)
{
	struct fixture *f = *state;
	pid_t child, parent = start_family(f, &child);
	follow_process(f->follow, parent, start_of(parent));
	follow_set_ports(f->follow, &f->port, 1);
	int64_t before = instant_monotonic();
	sample(f);
	assert_true(f->began_at >= before);
	assert_int_equal(f->n_processes, 2);
	const struct follow_process *process = find_process(f, parent);
	assert_non_null(process);
	assert_string_equal(process->name, "family");
	assert_true(process->start_ticks == start_of(parent));
	assert_true(process->signals.ignored >> (SIGUSR1 - 1) & 1);
	assert_false(process->refused);
	assert_false(process->exiting);
	assert_non_null(find_process(f, child));
	const struct follow_socket *held = find_socket(f, parent);
	const struct follow_socket *inherited = find_socket(f, child);
	assert_int_equal(f->n_sockets, 2);
	assert_true(held && inherited && held->inode == inherited->inode);
	assert_int_equal(held->port, f->port);
	assert_true(held->established);
	assert_int_equal(held->local.family, AF_INET);
	end_family(parent);
	sample(f);
	assert_null(find_process(f, parent));
	assert_null(find_socket(f, parent));
}

/* With everything that is there now; and it is the only one. */
static void a_look_here_is_complete_and_alone(void **state)
{
	struct fixture *f = *state;
	struct follow_sample seen;
	pid_t child, parent = start_family(f, &child);
	follow_process(f->follow, parent, start_of(parent));
	follow_set_ports(f->follow, &f->port, 1);
	int64_t before = instant_monotonic();
	assert_true(follow_scan_here(f->follow, true, &seen));
	assert_true(seen.whole);
	assert_true(seen.began_at >= before && seen.taken_at <= instant_monotonic());
	assert_int_equal(seen.n_processes, 2);
	assert_int_equal(seen.n_sockets, 2);
	assert_true(seen.sockets[0].first_seen == seen.began_at);
	arena_free(seen.arena);
	assert_int_equal(f->samples, 0);
	follow_now(f->follow);
	/* that one is under way */
	assert_false(follow_scan_here(f->follow, false, &seen));
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_int_equal(f->samples, 1);
	/* whether this one walks the whole table depends on the time since the last walk */
	assert_true(follow_scan_here(f->follow, false, &seen));
	assert_true(seen.began_at >= f->began_at);
	arena_free(seen.arena);
	end_family(parent);
}

static void a_pid_that_is_another_process_is_not_followed(void **state)
{
	struct fixture *f = *state;
	pid_t child, parent = start_family(f, &child);
	follow_process(f->follow, parent, start_of(parent) + 1);
	follow_set_ports(f->follow, &f->port, 1);
	sample(f);
	assert_null(find_process(f, parent));
	end_family(parent);
}

/* A recorded process: what its stat says of its parent and its start. */
static void record_process(const char *root, int pid, int parent, int start)
{
	char path[96], text[160];
	snprintf(path, sizeof(path), "%s/%d", root, pid);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/%d/stat", root, pid);
	snprintf(text, sizeof(text), "%d (app) S %d 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 %d 0 0 0\n",
		pid, parent, start);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void remove_process(const char *root, int pid)
{
	char path[96];
	snprintf(path, sizeof(path), "%s/%d/stat", root, pid);
	assert_int_equal(unlink(path), 0);
	snprintf(path, sizeof(path), "%s/%d", root, pid);
	assert_int_equal(rmdir(path), 0);
}

/* The pid of a followed process that ended may be a stranger's: its children are not ours. */
static void a_child_belongs_to_the_parent_with_the_start_time(void **state)
{
	static const int family[][3] = {
		/* pid, parent, start */
		{ 100, 1, 500 },   /* followed */
		{ 101, 100, 500 }, /* its child, of the same moment */
		{ 102, 101, 600 }, /* and its child's */
		{ 103, 100, 499 }, /* older than its parent */
		{ 200, 1, 900 },   /* has the pid of one that was followed */
		{ 201, 200, 950 }, /* a stranger's child */
	};
	const size_t count = sizeof(family) / sizeof(family[0]);
	struct fixture *f = *state;
	struct follow_sample seen;
	char root[] = "/tmp/follow-XXXXXX";
	assert_non_null(mkdtemp(root));
	for (size_t i = 0; i < count; i++)
		record_process(root, family[i][0], family[i][1], family[i][2]);
	struct follow *follow = follow_new(
		&f->loop, root, &(struct follow_callbacks){ .data = f, .sampled = on_sampled });
	follow_process(follow, 100, 500);
	follow_process(follow, 200, 300);
	assert_true(follow_scan_here(follow, true, &seen));
	assert_int_equal(seen.n_processes, 3);
	for (size_t i = 0; i < seen.n_processes; i++)
		assert_in_range(seen.processes[i].pid, 100, 102);
	arena_free(seen.arena);
	follow_free(follow);
	for (size_t i = 0; i < count; i++)
		remove_process(root, family[i][0]);
	assert_int_equal(rmdir(root), 0);
}

static void a_subreapers_children_are_followed_and_not_itself(void **state)
{
	struct fixture *f = *state;
	pid_t child, parent = start_family(f, &child);
	follow_children_of(f->follow, getpid());
	sample(f);
	assert_non_null(find_process(f, parent));
	assert_non_null(find_process(f, child));
	assert_null(find_process(f, getpid()));
	assert_int_equal(f->n_sockets, 0);
	end_family(parent);
}

static void looks_come_by_themselves_until_stopped(void **state)
{
	struct fixture *f = *state;
	f->stop_at = 3;
	follow_process(f->follow, getpid(), start_of(getpid()));
	follow_set_interval(f->follow, USEC_PER_MSEC);
	/* ends when the loop has nothing left to do */
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_int_equal(f->samples, 3);
	assert_non_null(find_process(f, getpid()));
}

/* The consumer works on the loop's thread: it must not take all of the time. */
static void a_slow_consumer_makes_the_pace_slower(void **state)
{
	struct fixture *f = *state;
	f->stop_at = 4;
	f->work = 20 * USEC_PER_MSEC;
	f->shortest_pause = INT64_MAX;
	follow_process(f->follow, getpid(), start_of(getpid()));
	follow_set_interval(f->follow, USEC_PER_MSEC);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_int_equal(f->samples, 4);
	assert_true(f->shortest_pause >= 4 * f->work);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(links_know_connections_to_the_port),
		TEST(links_are_the_clients_ends_alone),
		TEST(links_ask_again_and_forget),
		TEST(an_application_is_followed_with_its_children),
		TEST(a_look_here_is_complete_and_alone),
		TEST(a_pid_that_is_another_process_is_not_followed),
		TEST(a_child_belongs_to_the_parent_with_the_start_time),
		TEST(a_subreapers_children_are_followed_and_not_itself),
		TEST(looks_come_by_themselves_until_stopped),
		TEST(a_slow_consumer_makes_the_pace_slower),
	};
	return cmocka_run_group_tests_name("follow", tests, NULL, NULL);
}

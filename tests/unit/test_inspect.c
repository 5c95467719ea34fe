/* proc/inspect: what real processes are, beside what they call themselves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "collect/relays.h"
#include "model/emergency.h"
#include "proc/inspect.h"
#include "proc/procfs.h"

struct fixture {
	struct arena *arena;
	pid_t child;
};

static int set_up(void **state)
{
	static struct fixture fixture;
	fixture = (struct fixture){ .arena = arena_new() };
	*state = &fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;
	if (fixture->child) {
		kill(fixture->child, SIGKILL);
		waitpid(fixture->child, NULL, 0);
	}
	arena_free(fixture->arena);
	return 0;
}

/* A child that runs the function, which then says that it is ready and sleeps; or execs. */
static void start(struct fixture *fixture, void (*prepare)(void))
{
	int ready[2];
	char byte;
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0); /* an exec says it as well */
	fixture->child = fork();
	if (fixture->child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(ready[0]);
		prepare();
		close(ready[1]);
		for (;;)
			pause();
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 0);
	close(ready[0]);
}

static struct inspect_who identify(pid_t pid)
{
	struct procfs *procfs = procfs_new("/proc");
	struct procfs_stat stat;
	assert_int_equal(procfs_stat(procfs, pid, &stat), 0);
	procfs_free(procfs);
	return (struct inspect_who){
		.pid = pid, .start_ticks = stat.start_ticks, .uid = geteuid()
	};
}

struct way {
	struct relays *relays;
	uint16_t port;
};

static bool forwards_to(void *data, const uint32_t *inodes, size_t n_inodes)
{
	const struct way *way = data;
	return relays_forwards(way->relays, inodes, n_inodes, &way->port, 1);
}

/* With a server at that port, whose end the process `server` holds; 0: nobody that we see. */
static struct process_facts inspect_beside(
	const struct fixture *fixture, pid_t pid, pid_t self, uint16_t port, pid_t server)
{
	const struct inspect_who who = identify(pid);
	const struct inspect_who servers = server ? identify(server) : who;
	const struct inspect_request request = { .proc_root = "/proc",
		.self = self,
		.who = &who,
		.n_who = 1,
		.servers = &servers,
		.n_servers = server != 0,
		.ports = &port,
		.n_ports = 1,
		.forwards = forwards_to,
		.data = &(struct way){ relays_new(fixture->arena, "/proc"), port } };
	struct process_facts *facts;
	assert_int_equal(inspect_processes(&request, fixture->arena, &facts), 1);
	assert_int_equal(facts->pid, pid);
	return *facts;
}

static struct process_facts inspect(const struct fixture *fixture, pid_t pid, pid_t self)
{
	return inspect_beside(fixture, pid, self, 5432, 0);
}

static void call_itself_pgbouncer(void)
{
	prctl(PR_SET_NAME, "pgbouncer");
}

static void a_name_is_no_executable(void **state)
{
	struct fixture *fixture = *state;
	start(fixture, call_itself_pgbouncer);
	struct process_facts facts = inspect(fixture, fixture->child, getpid());
	assert_string_equal(facts.executable, "test_inspect");
	assert_false(facts.serves);
	/* the same program as ours, but by another name */
	assert_false(facts.ours);
}

static void keep_the_name(void)
{
}

static void we_and_our_ancestors_and_our_like_are_ours(void **state)
{
	struct fixture *fixture = *state;
	assert_true(inspect(fixture, getpid(), getpid()).ours);
	assert_true(inspect(fixture, getppid(), getpid()).ours);
	assert_int_equal(inspect(fixture, getpid(), getpid()).parent, getppid());
	assert_non_null(inspect(fixture, getpid(), getpid()).parent_name);
	start(fixture, keep_the_name);
	assert_true(inspect(fixture, fixture->child, getpid()).ours);
}

static void listen_as_a_server(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	snprintf(address.sun_path, sizeof(address.sun_path), "/tmp/.s.PGSQL.%d", (int)getpid());
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 1) < 0)
		_exit(1);
	unlink(address.sun_path);
	prctl(PR_SET_NAME, "pooler");
}

static void who_listens_where_clients_connect_serves_them(void **state)
{
	struct fixture *fixture = *state;
	start(fixture, listen_as_a_server);
	assert_true(inspect(fixture, fixture->child, getpid()).serves);
}

static void be_named_by_environment(void)
{
	execle("/bin/sleep", "sleep", "600", NULL,
		(const char *const[]){ "PGAPPNAME=billing", NULL });
	_exit(1);
}

static void be_named_by_command_line(void)
{
	execl("/bin/sh", "sh", "-c", "kill -STOP $$",
		"postgres://app@db/app?application_name=web&x=1", NULL);
	_exit(1);
}

static void its_arguments_are_read(void **state)
{
	struct fixture *fixture = *state;
	start(fixture, be_named_by_environment);
	assert_string_equal(inspect(fixture, fixture->child, getpid()).application, "billing");
	kill(fixture->child, SIGKILL);
	waitpid(fixture->child, NULL, 0);
	start(fixture, be_named_by_command_line);
	assert_string_equal(inspect(fixture, fixture->child, getpid()).application, "web");
}

/* --- what PostgreSQL was started from --- */

static struct shared {
	pid_t server;
	char program[64]; /* that it runs */
} * shared;

/* As Patroni does. */
static void start_a_server(void)
{
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execl(shared->program, "postgres", "600", NULL);
		_exit(1);
	}
	shared->server = pid;
	/* until it is that program */
	char path[64], link[64];
	snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	for (ssize_t n = 0; n <= 0 || strcmp(link, shared->program) != 0;) {
		n = readlink(path, link, sizeof(link) - 1);
		link[n > 0 ? n : 0] = '\0';
		usleep(1000);
	}
}

static void copy_file(const char *from, const char *to)
{
	char bytes[65536];
	int source = open(from, O_RDONLY | O_CLOEXEC);
	int target = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700);
	assert_true(source >= 0 && target >= 0);
	for (ssize_t n; (n = read(source, bytes, sizeof(bytes))) > 0;)
		assert_int_equal(write(target, bytes, (size_t)n), n);
	close(source);
	close(target);
}

/* By a program of this name. */
static struct process_facts inspect_a_parent(struct fixture *fixture, const char *name)
{
	char folder[] = "/tmp/dbtop-inspect-XXXXXX", sleep[64];
	assert_non_null(mkdtemp(folder));
	assert_non_null(realpath("/bin/sleep", sleep));
	snprintf(shared->program, sizeof(shared->program), "%s/%s", folder, name);
	copy_file(sleep, shared->program);
	start(fixture, start_a_server);
	struct process_facts facts =
		inspect_beside(fixture, fixture->child, getpid(), 5432, shared->server);
	/* our own parents and ourselves, too; it is no parent of its own */
	assert_true(
		inspect_beside(fixture, getppid(), getpid(), 5432, shared->server).starts_server);
	assert_false(inspect_beside(fixture, shared->server, getpid(), 5432, shared->server)
			     .starts_server);
	kill(shared->server, SIGKILL);
	unlink(shared->program);
	rmdir(folder);
	return facts;
}

static void what_a_server_was_started_from_is_known(void **state)
{
	struct fixture *fixture = *state;
	shared = mmap(
		NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(shared != MAP_FAILED);
	struct process_facts facts = inspect_a_parent(fixture, "postgres");
	assert_true(facts.starts_server);
	assert_true(facts.servers_user);
	kill(fixture->child, SIGKILL);
	waitpid(fixture->child, NULL, 0);
	/* a forwarder's user is not PostgreSQL's */
	facts = inspect_a_parent(fixture, "forwarder");
	assert_true(facts.starts_server);
	assert_false(facts.servers_user);
	munmap(shared, sizeof(*shared));
}

/* --- who forwards --- */

enum { REQUEST = 200 };

static int forwarders, server, client;
static size_t forwarded;

static int listen_anywhere(struct sockaddr_in *ret_address)
{
	socklen_t size = sizeof(*ret_address);
	*ret_address = (struct sockaddr_in){ .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)ret_address, size), 0);
	assert_int_equal(listen(fd, 4), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)ret_address, &size), 0);
	return fd;
}

static struct sockaddr_in server_address;

/* Takes a request and sends so much of it on. */
static void forward(void)
{
	char bytes[REQUEST];
	close(client);
	close(server);
	int accepted = accept(forwarders, NULL, NULL);
	int opened = socket(AF_INET, SOCK_STREAM, 0);
	if (recv(accepted, bytes, sizeof(bytes), MSG_WAITALL) != REQUEST ||
		connect(opened, (struct sockaddr *)&server_address, sizeof(server_address)) < 0 ||
		send(opened, bytes, forwarded, 0) != (ssize_t)forwarded)
		_exit(1);
}

static bool is_forwarder(struct fixture *fixture)
{
	static const char bytes[REQUEST];
	struct sockaddr_in address;
	server = listen_anywhere(&server_address);
	forwarders = listen_anywhere(&address);
	client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(client, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(send(client, bytes, REQUEST, 0), REQUEST);
	start(fixture, forward);
	bool forwards =
		inspect_beside(fixture, fixture->child, getpid(), ntohs(server_address.sin_port), 0)
			.forwards;
	/* the client is none, whatever it sends */
	assert_false(
		inspect_beside(fixture, getpid(), getpid(), ntohs(address.sin_port), 0).forwards);
	kill(fixture->child, SIGKILL);
	waitpid(fixture->child, NULL, 0);
	fixture->child = 0;
	close(client);
	close(server);
	close(forwarders);
	return forwards;
}

/* An application that has one client and one connection to the server is none. */
static void a_forwarder_is_known_by_the_bytes_it_carries(void **state)
{
	struct fixture *fixture = *state;
	forwarded = REQUEST;
	assert_true(is_forwarder(fixture));
	forwarded = REQUEST - 1;
	assert_false(is_forwarder(fixture));
}

static void run_a_script(void)
{
	execl("/bin/sh", "sh", "-e", shared->program, NULL);
	_exit(1);
}

static void the_script_of_an_interpreter_is_known(void **state)
{
	static const char script[] = "kill -STOP $$\n";
	struct fixture *fixture = *state;
	char folder[] = "/tmp/dbtop-inspect-XXXXXX";
	struct shared here = { 0 };
	shared = &here;
	assert_non_null(mkdtemp(folder));
	snprintf(here.program, sizeof(here.program), "%s/patroni.sh", folder);
	int fd = open(here.program, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_int_equal(write(fd, script, sizeof(script) - 1), sizeof(script) - 1);
	close(fd);
	start(fixture, run_a_script);
	assert_string_equal(inspect(fixture, fixture->child, getpid()).script, "patroni.sh");
	assert_null(inspect(fixture, getpid(), getpid()).script);
	unlink(here.program);
	rmdir(folder);
}

static void a_new_process_with_the_pid_is_not_reported(void **state)
{
	struct fixture *fixture = *state;
	const struct inspect_who who = { .pid = getpid(), .start_ticks = 1, .uid = geteuid() };
	const struct inspect_request request = {
		.proc_root = "/proc", .self = getpid(), .who = &who, .n_who = 1
	};
	struct process_facts *facts;
	assert_int_equal(inspect_processes(&request, fixture->arena, &facts), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_name_is_no_executable, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			we_and_our_ancestors_and_our_like_are_ours, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			who_listens_where_clients_connect_serves_them, set_up, tear_down),
		cmocka_unit_test_setup_teardown(its_arguments_are_read, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			the_script_of_an_interpreter_is_known, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			what_a_server_was_started_from_is_known, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_forwarder_is_known_by_the_bytes_it_carries, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_new_process_with_the_pid_is_not_reported, set_up, tear_down),
	};
	return cmocka_run_group_tests_name("inspect", tests, NULL, NULL);
}

/* Unit tests of the client ends' source: libuv's threads, the running kernel, processes made here.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <uv.h>

#include "base/instant.h"
#include "collect/clients.h"
#include "model/endpoint.h"
#include "model/peers.h"
#include "proc/owners.h"

/* A server without a word of the protocol: it listens on a TCP port and on a Unix socket. */
struct fixture {
	uv_loop_t loop;
	struct clients *clients;
	int published;
	int tcp, unix_socket;
	struct sockaddr_in tcp_address;
	struct sockaddr_un unix_address;
	char folder[32];
	struct peers_target target;
};

static void count(void *data)
{
	++*(int *)data;
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	assert_int_equal(uv_loop_init(&f->loop), 0);
	f->clients = clients_new(&f->loop, "/proc",
		&(struct clients_callbacks){ .data = &f->published, .published = count });
	f->tcp_address = (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t size = sizeof(f->tcp_address);
	f->tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(f->tcp, (struct sockaddr *)&f->tcp_address, size), 0);
	assert_int_equal(listen(f->tcp, 16), 0);
	assert_int_equal(getsockname(f->tcp, (struct sockaddr *)&f->tcp_address, &size), 0);
	f->target.server = endpoint_from_sockaddr((struct sockaddr *)&f->tcp_address);
	f->target.port = f->target.server.port;
	strcpy(f->folder, "/tmp/clients-XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	f->unix_address.sun_family = AF_UNIX;
	snprintf(f->unix_address.sun_path, sizeof(f->unix_address.sun_path), "%s/.s.PGSQL.%u",
		f->folder, f->target.port);
	f->unix_socket = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(
		bind(f->unix_socket, (struct sockaddr *)&f->unix_address, sizeof(f->unix_address)),
		0);
	assert_int_equal(listen(f->unix_socket, 16), 0);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	clients_free(f->clients);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&f->loop), 0);
	close(f->tcp);
	close(f->unix_socket);
	assert_int_equal(unlink(f->unix_address.sun_path), 0);
	assert_int_equal(rmdir(f->folder), 0);
	free(f);
	return 0;
}

static uint32_t inode_of(int fd)
{
	struct stat status;
	assert_int_equal(fstat(fd, &status), 0);
	return (uint32_t)status.st_ino;
}

static const struct peers *look(struct fixture *f)
{
	int before = f->published;
	clients_scan(f->clients, &f->target, false);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_int_equal(f->published, before + 1);
	return clients_latest(f->clients);
}

static void settle(void)
{
	usleep((useconds_t)OWNERS_SETTLE);
}

static const struct process *owner(const struct peers *peers, uint32_t inode, size_t which)
{
	size_t count;
	const struct socket_owner *owners = peers_owners(peers, inode, &count);
	return which < count ? &peers->processes[owners[which].process] : NULL;
}

static int connect_to(const void *address, socklen_t size)
{
	const struct sockaddr *any = address;
	int fd = socket(any->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return connect(fd, any, size) == 0 ? fd : -1;
}

/* A process that connects and waits to be killed. */
static pid_t start_client(const void *address, socklen_t size, int listener, int *ret_server)
{
	char byte;
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		int fd = connect_to(address, size);
		if (write(fd, "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	*ret_server = accept(listener, NULL, NULL);
	assert_true(*ret_server >= 0);
	assert_int_equal(read(*ret_server, &byte, 1), 1);
	return pid;
}

static void kill_client(pid_t pid)
{
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static const struct tcp_socket *client_end(const struct peers *peers, int server)
{
	struct sockaddr_in address;
	socklen_t size = sizeof(address);
	assert_int_equal(getpeername(server, (struct sockaddr *)&address, &size), 0);
	struct endpoint end = endpoint_from_sockaddr((struct sockaddr *)&address);
	for (size_t i = 0; i < peers->n_tcp; i++)
		if (endpoint_equal(&peers->tcp[i].local, &end))
			return &peers->tcp[i];
	return NULL;
}

static const struct unix_socket *server_end(const struct peers *peers, int server)
{
	for (size_t i = 0; i < peers->n_unix; i++)
		if (peers->unix_sockets[i].inode == inode_of(server))
			return &peers->unix_sockets[i];
	return NULL;
}

static void tcp_client_is_found_in_its_process(void **state)
{
	struct fixture *f = *state;
	int server;
	int64_t before = instant_now(), began = instant_monotonic();
	pid_t pid = start_client(&f->tcp_address, sizeof(f->tcp_address), f->tcp, &server);
	const struct peers *peers = look(f);
	assert_true(peers->tcp_known);
	assert_true(peers->unix_known);
	assert_int_equal(peers->target.port, f->target.port);
	assert_in_range(peers->dumped_at, before, instant_now());
	assert_in_range(peers->dump_began, began, instant_monotonic());
	assert_in_range(peers->scanned_at, peers->dumped_at, instant_now());
	assert_true(peers->n_local_addresses > 0);
	const struct tcp_socket *row = client_end(peers, server);
	assert_non_null(row);
	const struct process *process = owner(peers, row->inode, 0);
	assert_non_null(process);
	assert_int_equal(process->pid, pid);
	char name[64] = "";
	assert_int_equal(prctl(PR_GET_NAME, name), 0);
	assert_string_equal(process->name, name);
	assert_in_range(process->started_at, before - 50 * USEC_PER_MSEC, instant_now());
	assert_null(owner(peers, row->inode, 1));
	assert_int_equal(owner(peers, inode_of(server), 0)->pid, getpid());
	kill_client(pid);
	peers = look(f);
	row = client_end(peers, server);
	assert_true(!row || row->inode == 0);
	assert_int_equal(peers->n_processes, 1);
	close(server);
}

static void unix_client_is_found_in_its_process(void **state)
{
	struct fixture *f = *state;
	int server;
	pid_t pid =
		start_client(&f->unix_address, sizeof(f->unix_address), f->unix_socket, &server);
	const struct peers *peers = look(f);
	const struct unix_socket *row = server_end(peers, server);
	assert_non_null(row);
	assert_int_equal(owner(peers, row->peer, 0)->pid, pid);
	assert_int_equal(owner(peers, row->inode, 0)->pid, getpid());
	kill_client(pid);
	peers = look(f);
	row = server_end(peers, server);
	assert_non_null(row);
	assert_true(row->shut);
	assert_int_equal(row->peer, 0);
	assert_int_equal(peers->n_owners, 1);
	close(server);
}

static void socket_inherited_by_a_fork_has_two_owners(void **state)
{
	struct fixture *f = *state;
	int client = connect_to(&f->tcp_address, sizeof(f->tcp_address));
	int server = accept(f->tcp, NULL, NULL);
	/* a later start, in clock ticks */
	usleep(20000);
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	const struct peers *peers = look(f);
	assert_int_equal(owner(peers, inode_of(client), 0)->pid, getpid());
	assert_int_equal(owner(peers, inode_of(client), 1)->pid, pid);
	kill_client(pid);
	peers = look(f);
	assert_int_equal(owner(peers, inode_of(client), 0)->pid, getpid());
	assert_null(owner(peers, inode_of(client), 1));
	close(client);
	close(server);
}

static void descriptors_are_not_read_again_without_need(void **state)
{
	struct fixture *f = *state;
	int client = connect_to(&f->tcp_address, sizeof(f->tcp_address));
	int server = accept(f->tcp, NULL, NULL);
	(void)look(f);
	assert_int_equal(clients_walks(f->clients), 1);
	settle();
	(void)look(f);
	assert_int_equal(clients_walks(f->clients), 2);
	int64_t scanned_at = clients_latest(f->clients)->scanned_at;
	for (int i = 0; i < 20; i++)
		(void)look(f);
	assert_int_equal(clients_walks(f->clients), 2);
	assert_int_equal(clients_latest(f->clients)->scanned_at, scanned_at);
	assert_true(clients_latest(f->clients)->dumped_at > scanned_at);
	assert_int_equal(owner(clients_latest(f->clients), inode_of(client), 0)->pid, getpid());
	int another = connect_to(&f->tcp_address, sizeof(f->tcp_address));
	(void)look(f);
	assert_int_equal(clients_walks(f->clients), 3);
	clients_scan(f->clients, &f->target, true);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_int_equal(clients_walks(f->clients), 4);
	close(another);
	close(client);
	close(server);
}

static void looks_asked_for_during_one_are_one(void **state)
{
	struct fixture *f = *state;
	struct peers_target other = { .port = 1 };
	assert_null(clients_latest(f->clients));
	clients_scan(f->clients, &f->target, false);
	for (int i = 0; i < 10; i++)
		clients_scan(f->clients, &f->target, false);
	clients_scan(f->clients, &other, false);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_int_equal(f->published, 2);
	assert_int_equal(clients_latest(f->clients)->target.port, 1);
}

static void target_that_is_not_known_yet_says_nothing(void **state)
{
	struct fixture *f = *state;
	f->target = (struct peers_target){ .port = 0 };
	const struct peers *peers = look(f);
	assert_false(peers->tcp_known);
	assert_false(peers->unix_known);
	assert_int_equal(peers->n_tcp + peers->n_unix + peers->n_owners + peers->n_processes, 0);
	assert_int_equal(clients_walks(f->clients), 0);
}

static void our_own_process_is_the_backend(void **state)
{
	struct fixture *f = *state;
	f->target.backend_pid = getpid();
	assert_in_range(look(f)->backend_started_at, 1, instant_now());
	assert_true(look(f)->backend_in_network);
	f->target.backend_pid = 0;
	assert_int_equal(look(f)->backend_started_at, INSTANT_UNKNOWN);
	assert_false(look(f)->backend_in_network);
}

static void block_outlives_the_next_and_the_source(void **state)
{
	struct fixture *f = *state;
	struct peers *kept = peers_ref(look(f));
	int64_t dumped_at = kept->dumped_at;
	assert_ptr_not_equal(look(f), kept);
	clients_free(f->clients);
	f->clients = NULL;
	assert_int_equal(kept->dumped_at, dumped_at);
	peers_unref(kept);
}

/* Freed at once, with the worker on its way, and with another look asked for. */
static void free_during_a_look_publishes_nothing(void **state)
{
	struct fixture *f = *state;
	for (useconds_t delay = 0; delay < 2000; delay += 100) {
		clients_scan(f->clients, &f->target, false);
		clients_scan(f->clients, &f->target, true);
		usleep(delay);
		clients_free(f->clients);
		uv_run(&f->loop, UV_RUN_DEFAULT);
		assert_int_equal(f->published, 0);
		f->clients = clients_new(&f->loop, "/proc",
			&(struct clients_callbacks){ .data = &f->published, .published = count });
	}
	clients_free(NULL);
}

static void write_text(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

/* A recorded process that holds a socket of ours. */
static void record_process(const char *root, int pid, const char *name, uint32_t inode)
{
	char path[128], text[256];
	snprintf(path, sizeof(path), "%s/%d", root, pid);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/%d/fd", root, pid);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/%d/fd/3", root, pid);
	snprintf(text, sizeof(text), "socket:[%u]", inode);
	assert_int_equal(symlink(text, path), 0);
	snprintf(path, sizeof(path), "%s/%d/stat", root, pid);
	snprintf(text, sizeof(text), "%d (%s) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 500 0 0 0\n",
		pid, name);
	write_text(path, text);
}

static void remove_process(const char *root, int pid)
{
	static const char *const names[] = { "/fd/3", "/fd", "/stat", "/cmdline", "" };
	char path[128];
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%d%s", root, pid, names[i]);
		assert_int_equal(remove(path), 0);
	}
}

static void turn_until(struct fixture *f, int published, const struct clients *clients)
{
	while (f->published < published || (clients && clients_trouble(clients)))
		uv_run(&f->loop, UV_RUN_ONCE);
}

/* As one does that is stuck in the kernel: reading its command line never comes back. The FIFO's
 * reader waits for a writer. */
static void a_process_that_hangs_is_left_out_and_the_others_are_matched(void **state)
{
	struct fixture *f = *state;
	char root[] = "/tmp/clients-proc-XXXXXX", path[128];
	int hung = connect_to(&f->tcp_address, sizeof(f->tcp_address));
	int hung_server = accept(f->tcp, NULL, NULL);
	int other = connect_to(&f->tcp_address, sizeof(f->tcp_address));
	int other_server = accept(f->tcp, NULL, NULL);
	assert_non_null(mkdtemp(root));
	record_process(root, 100, "hung", inode_of(hung));
	record_process(root, 200, "other", inode_of(other));
	snprintf(path, sizeof(path), "%s/200/cmdline", root);
	write_text(path, "other --fine");
	snprintf(path, sizeof(path), "%s/100/cmdline", root);
	assert_int_equal(mkfifo(path, 0600), 0);
	struct clients *clients = clients_new(&f->loop, root,
		&(struct clients_callbacks){ .data = &f->published, .published = count });
	clients_set_timeout(clients, 200 * USEC_PER_MSEC);
	clients_scan(clients, &f->target, false);
	assert_true(clients_busy_for(clients) >= 0);
	turn_until(f, 1, NULL);
	assert_true(clients_busy_for(clients) < 0);
	assert_non_null(strstr(clients_trouble(clients), "process 100 hangs"));
	const struct peers *peers = clients_latest(clients);
	const struct process *process = owner(peers, inode_of(hung), 0);
	assert_non_null(process);
	assert_int_equal(process->pid, 100);
	assert_string_equal(process->name, "hung");
	assert_null(process->command);
	process = owner(peers, inode_of(other), 0);
	assert_non_null(process);
	assert_string_equal(process->command, "other --fine");
	/* the next looks do not hang any more */
	clients_scan(clients, &f->target, true);
	turn_until(f, 2, NULL);
	/* it goes on after all: the first look ends, and nobody waits for it */
	int writer = open(path, O_WRONLY);
	assert_true(writer >= 0);
	close(writer);
	turn_until(f, 2, clients);
	assert_int_equal(f->published, 2);
	/* a while later its command line is read again */
	assert_int_equal(unlink(path), 0);
	write_text(path, "hung --no-more");
	for (process = NULL; !process || !process->command;) {
		clients_scan(clients, &f->target, false);
		turn_until(f, f->published + 1, NULL);
		process = owner(clients_latest(clients), inode_of(hung), 0);
		(void)poll(NULL, 0, 20);
	}
	assert_string_equal(process->command, "hung --no-more");
	clients_free(clients);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	remove_process(root, 100);
	remove_process(root, 200);
	assert_int_equal(rmdir(root), 0);
	close(hung);
	close(hung_server);
	close(other);
	close(other_server);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(tcp_client_is_found_in_its_process),
		TEST(unix_client_is_found_in_its_process),
		TEST(socket_inherited_by_a_fork_has_two_owners),
		TEST(descriptors_are_not_read_again_without_need),
		TEST(looks_asked_for_during_one_are_one),
		TEST(target_that_is_not_known_yet_says_nothing),
		TEST(our_own_process_is_the_backend),
		TEST(block_outlives_the_next_and_the_source),
		TEST(free_during_a_look_publishes_nothing),
		TEST(a_process_that_hangs_is_left_out_and_the_others_are_matched),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

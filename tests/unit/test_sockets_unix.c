/* collect/sockets: Unix sockets, of the running kernel, made here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cmocka.h>

#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "../support/sockets_fixture.h"
#include "collect/sockets.h"
#include "model/peers.h"

static const struct unix_socket *find_unix(const struct fixture *f, uint32_t inode)
{
	for (size_t i = 0; i < f->n_unix; i++)
		if (f->unix_sockets[i].inode == inode)
			return &f->unix_sockets[i];
	return NULL;
}

/* A server's socket in a folder of its own. */
struct unix_server {
	char folder[32];
	uint16_t port; /* a name only; it must differ from those of tests beside us */
	union address address;
	socklen_t size;
	int listener;
};

/* An abstract name begins with '@' here. */
static void unix_listen(struct unix_server *s, const char *name)
{
	struct sockaddr_un *un = &s->address.un;
	*un = (struct sockaddr_un){ .sun_family = AF_UNIX };
	snprintf(un->sun_path, sizeof(un->sun_path), "%s", name);
	s->size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));
	if (name[0] == '@')
		un->sun_path[0] = '\0';
	s->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(s->listener, &s->address.any, s->size), 0);
	assert_int_equal(listen(s->listener, 512), 0);
}

static void unix_close(const struct unix_server *s)
{
	close(s->listener);
	if (s->address.un.sun_path[0])
		assert_int_equal(unlink(s->address.un.sun_path), 0);
}

static struct unix_server unix_start(void)
{
	struct unix_server s = { .folder = "/tmp/sockets-XXXXXX",
		.port = (uint16_t)(10000 + getpid() % 50000) };
	assert_non_null(mkdtemp(s.folder));
	char name[64];
	snprintf(name, sizeof(name), "%s/.s.PGSQL.%u", s.folder, s.port);
	unix_listen(&s, name);
	return s;
}

static void unix_stop(const struct unix_server *s)
{
	unix_close(s);
	assert_int_equal(rmdir(s->folder), 0);
}

static int unix_connect(const struct unix_server *s)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(fd, &s->address.any, s->size), 0);
	return fd;
}

static void unix_lists_the_servers_end_and_its_peer(void **state)
{
	struct fixture *f = *state;
	struct unix_server s = unix_start();
	int client = unix_connect(&s);
	dump_unix(f, s.port);
	assert_int_equal(f->n_unix, 0); /* not accepted yet */
	int server = accept_one(s.listener);
	dump_unix(f, s.port);
	assert_int_equal(f->n_unix, 1);
	const struct unix_socket *row = find_unix(f, inode_of(server));
	assert_non_null(row);
	assert_int_equal(row->peer, inode_of(client));
	assert_true(row->at_server);
	assert_false(row->shut);
	assert_int_equal(shutdown(client, SHUT_WR), 0);
	dump_unix(f, s.port);
	row = find_unix(f, inode_of(server));
	assert_non_null(row);
	assert_false(row->shut); /* one direction only */
	assert_int_equal(row->peer, inode_of(client));
	close(client);
	dump_unix(f, s.port);
	row = find_unix(f, inode_of(server));
	assert_non_null(row);
	assert_true(row->shut);
	assert_int_equal(row->peer, 0);
	close(server);
	dump_unix(f, s.port);
	assert_int_equal(f->n_unix, 0);
	unix_stop(&s);
}

static void dump_target(struct fixture *f, uint16_t port, const char *path)
{
	struct stat st;
	assert_int_equal(stat(path, &st), 0);
	const struct peers_target target = {
		.port = port, .socket_device = st.st_dev, .socket_inode = st.st_ino
	};
	assert_int_equal(
		sockets_dump_unix(f->netlink, f->arena, &target, &f->unix_sockets, &f->n_unix), 0);
}

/* Two servers were bound to one path, one after the other; in two mount namespaces it may be at the
 * same time. The file distinguishes them, and the path does not. */
static void unix_knows_the_targets_file_from_another_of_its_path(void **state)
{
	struct fixture *f = *state;
	struct unix_server first = { .folder = "/dev/shm/sockets-XXXXXX",
		.port = (uint16_t)(10000 + getpid() % 50000) };
	assert_non_null(mkdtemp(first.folder));
	char path[64], aside[64];
	snprintf(path, sizeof(path), "%s/.s.PGSQL.%u", first.folder, first.port);
	snprintf(aside, sizeof(aside), "%s/aside", first.folder);
	unix_listen(&first, path);
	int clients[2], servers[2];
	clients[0] = unix_connect(&first);
	servers[0] = accept_one(first.listener);
	assert_int_equal(rename(path, aside), 0);
	struct unix_server second = first;
	unix_listen(&second, path);
	clients[1] = unix_connect(&second);
	servers[1] = accept_one(second.listener);
	dump_target(f, first.port, path);
	assert_int_equal(f->n_unix, 2);
	assert_false(find_unix(f, inode_of(servers[0]))->at_target);
	assert_true(find_unix(f, inode_of(servers[1]))->at_target);
	dump_target(f, first.port, aside);
	assert_true(find_unix(f, inode_of(servers[0]))->at_target);
	assert_false(find_unix(f, inode_of(servers[1]))->at_target);
	for (int i = 0; i < 2; i++) {
		close(clients[i]);
		close(servers[i]);
	}
	close(first.listener);
	assert_int_equal(unlink(aside), 0);
	unix_stop(&second);
}

static void unix_client_that_is_killed_is_shut(void **state)
{
	struct fixture *f = *state;
	struct unix_server s = unix_start();
	pid_t pid = start_client(&s.address, s.size);
	int server = accept_one(s.listener);
	await_byte(server);
	dump_unix(f, s.port);
	const struct unix_socket *row = find_unix(f, inode_of(server));
	assert_non_null(row);
	assert_false(row->shut);
	assert_int_not_equal(row->peer, 0);
	kill_client(pid);
	dump_unix(f, s.port);
	row = find_unix(f, inode_of(server));
	assert_non_null(row);
	assert_true(row->shut);
	assert_int_equal(row->peer, 0);
	close(server);
	unix_stop(&s);
}

static void unix_names_are_matched_by_their_end(void **state)
{
	static const struct {
		const char *before, *after; /* the port */
		bool listed;
	} cases[] = {
		{ "./.s.PGSQL.", "", true },
		{ "../tmp/.s.PGSQL.", "", true },
		{ ".s.PGSQL.", "", true },
		{ "@test_sockets/.s.PGSQL.", "", true },
		{ "x.s.PGSQL.", "", false },
		{ ".s.PGSQL.1", "", false },
		{ ".s.PGSQL.", ".lock", false },
		{ "@.s.PGSQL.", ".lock", false },
		{ "@", "", false },
	};
	struct fixture *f = *state;
	char folder[4096];
	assert_non_null(getcwd(folder, sizeof(folder)));
	assert_int_equal(chdir("/tmp"), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct unix_server s = { .port = (uint16_t)(10000 + getpid() % 50000) };
		char name[64];
		snprintf(name, sizeof(name), "%s%u%s", cases[i].before, s.port, cases[i].after);
		unix_listen(&s, name);
		int client = unix_connect(&s), server = accept_one(s.listener);
		dump_unix(f, s.port);
		assert_int_equal(find_unix(f, inode_of(server)) != NULL, cases[i].listed);
		close(client);
		close(server);
		unix_close(&s);
	}
	assert_int_equal(chdir(folder), 0);
}

static void unix_dump_of_a_thousand_is_whole(void **state)
{
	enum { PAIRS = 1000 };
	static int fds[2 * PAIRS];
	struct fixture *f = *state;
	raise_file_limit(2 * PAIRS + 64);
	struct unix_server s = unix_start();
	for (int i = 0; i < PAIRS; i++) {
		fds[2 * i] = unix_connect(&s);
		fds[2 * i + 1] = accept_one(s.listener);
	}
	dump_unix(f, s.port);
	assert_int_equal(f->n_unix, PAIRS);
	for (int i = 0; i < PAIRS; i++) {
		const struct unix_socket *row = find_unix(f, inode_of(fds[2 * i + 1]));
		assert_non_null(row);
		assert_int_equal(row->peer, inode_of(fds[2 * i]));
	}
	for (int i = 0; i < 2 * PAIRS; i++)
		close(fds[i]);
	unix_stop(&s);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(unix_lists_the_servers_end_and_its_peer),
		TEST(unix_knows_the_targets_file_from_another_of_its_path),
		TEST(unix_client_that_is_killed_is_shut),
		TEST(unix_names_are_matched_by_their_end),
		TEST(unix_dump_of_a_thousand_is_whole),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

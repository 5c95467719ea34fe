/* Sockets that are made and listed. */
#ifndef SOCKETS_FIXTURE_H
#define SOCKETS_FIXTURE_H

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/arena.h"
#include "collect/netlink.h"
#include "collect/sockets.h"
#include "model/peers.h"

struct fixture {
	struct arena *arena;
	struct netlink *netlink;
	struct tcp_socket *tcp;
	struct unix_socket *unix_sockets;
	size_t n_tcp, n_unix;
};

static inline int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	f->arena = arena_new();
	f->netlink = sockets_netlink();
	*state = f;
	return 0;
}

static inline int tear_down(void **state)
{
	struct fixture *f = *state;
	arena_free(f->arena);
	netlink_free(f->netlink);
	free(f);
	return 0;
}

static inline void dump_unix(struct fixture *f, uint16_t port)
{
	assert_int_equal(
		sockets_dump_unix(f->netlink, f->arena, &(struct peers_target){ .port = port },
			&f->unix_sockets, &f->n_unix),
		0);
}

static inline int accept_one(int listener)
{
	int fd = accept(listener, NULL, NULL);
	assert_true(fd >= 0);
	return fd;
}

static inline uint32_t inode_of(int fd)
{
	struct stat status;
	assert_int_equal(fstat(fd, &status), 0);
	return (uint32_t)status.st_ino;
}

union address {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_un un;
	struct sockaddr_storage storage;
};

/* Connects, says one byte and waits to be killed. */
static inline pid_t start_client(const union address *address, socklen_t size)
{
	pid_t pid = fork();
	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	int fd = socket(address->any.sa_family, SOCK_STREAM, 0);
	if (connect(fd, &address->any, size) < 0 || write(fd, "x", 1) != 1)
		_exit(1);
	for (;;)
		pause();
}

static inline void await_byte(int fd)
{
	char byte;
	assert_int_equal(read(fd, &byte, 1), 1);
}

static inline void kill_client(pid_t pid)
{
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* A user's process begins with 1,024 open files, and may have more. */
static inline void raise_file_limit(rlim_t least)
{
	struct rlimit limit;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = limit.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_true(limit.rlim_cur > least);
}

#endif

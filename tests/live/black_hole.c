#include "black_hole.h"

#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "live.h"

/* The queue holds one more than asked for, and the kernel may let in one beyond that. */
#define MOST_WAITING 8

struct black_hole {
	int listener, waiting[MOST_WAITING], n_waiting;
	struct sockaddr_storage address;
	socklen_t size;
};

/* False when the kernel does not answer any more. */
static bool fill(struct black_hole *hole)
{
	int fd = socket(hole->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_true(fd >= 0 && hole->n_waiting < MOST_WAITING);
	hole->waiting[hole->n_waiting++] = fd;
	(void)connect(fd, (struct sockaddr *)&hole->address, hole->size);
	struct pollfd writable = { .fd = fd, .events = POLLOUT };
	return poll(&writable, 1, 300) > 0;
}

struct black_hole *black_hole_open(const char *address, int port)
{
	struct black_hole *hole = mem_alloc(sizeof(*hole));
	const struct addrinfo hints = { .ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM };
	struct addrinfo *found;
	char service[8];
	snprintf(service, sizeof(service), "%d", port);
	assert_int_equal(getaddrinfo(address, service, &hints, &found), 0);
	hole->listener = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(hole->listener >= 0);
	assert_int_equal(bind(hole->listener, found->ai_addr, found->ai_addrlen), 0);
	assert_int_equal(listen(hole->listener, 0), 0);
	hole->size = sizeof(hole->address);
	assert_int_equal(
		getsockname(hole->listener, (struct sockaddr *)&hole->address, &hole->size), 0);
	freeaddrinfo(found);
	while (fill(hole))
		;
	return hole;
}

int black_hole_port(const struct black_hole *hole)
{
	char port[8];
	assert_int_equal(getnameinfo((const struct sockaddr *)&hole->address, hole->size, NULL, 0,
				 port, sizeof(port), NI_NUMERICSERV),
		0);
	return atoi(port);
}

void black_hole_close(struct black_hole *hole)
{
	if (!hole)
		return;
	for (int i = 0; i < hole->n_waiting; i++)
		close(hole->waiting[i]);
	close(hole->listener);
	free(hole);
}

#include "session/farewell.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "loop/handle.h"

#define END_MS 500

struct farewell {
	int fd; /* a copy, which libpq does not close */
	uv_poll_t *poll;
	uv_timer_t *deadline;
};

static void end(struct farewell *left)
{
	handle_close(left->poll);
	handle_close(left->deadline);
	close(left->fd);
	free(left);
}

static void on_deadline(uv_timer_t *timer)
{
	end(timer->data);
}

/* PostgreSQL leaves the socket open until its process has ended (src/backend/libpq/pqcomm.c,
 * socket_close). */
static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct farewell *left = poll->data;
	char rest[4096];
	(void)events;
	if (status < 0 || recv(left->fd, rest, sizeof(rest), MSG_DONTWAIT) <= 0)
		end(left);
}

void farewell(uv_loop_t *loop, PGconn *conn)
{
	int fd = -1;
	if (PQtransactionStatus(conn) == PQTRANS_IDLE)
		fd = fcntl(PQsocket(conn), F_DUPFD_CLOEXEC, 0);
	PQfinish(conn);
	if (fd < 0)
		return;
	(void)shutdown(fd, SHUT_WR);
	struct farewell *left = mem_alloc(sizeof(*left));
	*left = (struct farewell){ fd, mem_alloc(sizeof(uv_poll_t)), handle_new_timer(loop, left) };
	if (uv_poll_init(loop, left->poll, fd) != 0) {
		free(left->poll);
		left->poll = NULL;
		end(left);
		return;
	}
	left->poll->data = left;
	uv_poll_start(left->poll, UV_READABLE, on_readable);
	uv_timer_start(left->deadline, on_deadline, END_MS, 0);
}

#include "demo/brief_session.h"

#include <fcntl.h>
#include <libpq-fe.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define END_MS 10000

/* PostgreSQL leaves the socket open until its process has ended (src/backend/libpq/pqcomm.c,
 * socket_close). */
static void finish(PGconn *conn)
{
	char rest[4096];
	int fd = fcntl(PQsocket(conn), F_DUPFD_CLOEXEC, 0);
	PQfinish(conn);
	if (fd < 0)
		return;
	(void)shutdown(fd, SHUT_WR);
	while (poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, END_MS) > 0 &&
		recv(fd, rest, sizeof(rest), MSG_DONTWAIT) > 0)
		continue;
	close(fd);
}

bool brief_session_try(const char *conninfo)
{
	PGconn *conn = PQconnectdb(conninfo);
	bool connected = PQstatus(conn) == CONNECTION_OK;
	finish(conn);
	return connected || PQping(conninfo) == PQPING_OK;
}

#include "session/locate.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "model/peers.h"

static void locate_socket(struct peers_target *location, const struct sockaddr *address)
{
	struct sockaddr_un server;
	struct stat st;
	location->socket_device = location->socket_inode = 0;
	memcpy(&server, address, sizeof(server));
	if (server.sun_family != AF_UNIX || !server.sun_path[0] || stat(server.sun_path, &st) != 0)
		return;
	location->socket_device = st.st_dev;
	location->socket_inode = st.st_ino;
}

void locate_ends(const PGconn *conn, struct peers_target *location)
{
	/* zeroed, because the kernel may return a path without terminator */
	struct sockaddr_storage address = { 0 };
	socklen_t size = sizeof(address);
	int fd = PQsocket(conn);
	struct stat st;
	if (fd < 0 || getpeername(fd, (struct sockaddr *)&address, &size) != 0)
		return;
	location->server = endpoint_from_sockaddr((struct sockaddr *)&address);
	location->port = (uint16_t)atoi(PQport(conn));
	locate_socket(location, (struct sockaddr *)&address);
	size = sizeof(address);
	if (getsockname(fd, (struct sockaddr *)&address, &size) == 0)
		location->own = endpoint_from_sockaddr((struct sockaddr *)&address);
	if (fstat(fd, &st) == 0)
		location->own_inode = (uint32_t)st.st_ino;
}

void locate_forget_own(struct peers_target *location)
{
	location->own = (struct endpoint){ 0 };
	location->own_inode = 0;
	location->backend_pid = 0;
}

/* collect/sockets over collect/netlink: the answers to sock_diag's dumps, through the socket that
 * they come from. An input is a list of messages: a byte that says whose dump is read (only the
 * first counts), two bytes for the length, and the buffer that one recv() gets. The kernel's end is
 * a socket pair here, whose other end says that the dump is done when the input is over. */
#include <fcntl.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "collect/netlink.h"
#include "collect/sockets.h"
#include "fuzz.h"
#include "model/peers.h"

#define MESSAGES_MAX 8
#define PORT         5432

static void send_all(int fd, const void *bytes, size_t size)
{
	MUST(send(fd, bytes, size, MSG_NOSIGNAL) == (ssize_t)size);
}

/* Whose dump is read. */
static unsigned send_input(int fd, const uint8_t *data, size_t size)
{
	unsigned kind = size ? data[0] % 4 : 0;
	for (int i = 0; i < MESSAGES_MAX && size >= 3; i++) {
		size_t length = (size_t)data[1] << 8 | data[2];
		data += 3;
		size -= 3;
		if (length > size)
			length = size;
		if (length)
			send_all(fd, data, length);
		data += length;
		size -= length;
	}
	return kind;
}

/* The first dump over a socket has the number 1. */
static void send_end(int fd)
{
	struct {
		struct nlmsghdr header;
		int error;
	} end = { { .nlmsg_len = sizeof(end), .nlmsg_type = NLMSG_DONE, .nlmsg_seq = 1 }, 0 };
	send_all(fd, &end, sizeof(end));
}

static void check_endpoint(const struct endpoint *endpoint)
{
	char text[ENDPOINT_TEXT_MAX];
	MUST(strlen(endpoint_format(endpoint, text)) < sizeof(text));
	MUST(endpoint_equal(endpoint, endpoint));
}

static bool read_tcp(
	struct netlink *netlink, struct arena *arena, const struct peers_target *target, int *ret)
{
	struct tcp_socket *rows = NULL;
	size_t count = 0;
	*ret = sockets_dump_tcp(netlink, arena, target, &rows, &count);
	for (size_t i = 0; i < count; i++) {
		check_endpoint(&rows[i].local);
		check_endpoint(&rows[i].remote);
	}
	return count > 0;
}

static bool read_unix(
	struct netlink *netlink, struct arena *arena, const struct peers_target *target, int *ret)
{
	struct unix_socket *rows = NULL;
	size_t count = 0;
	*ret = sockets_dump_unix(netlink, arena, target, &rows, &count);
	for (size_t i = 0; i < count; i++)
		MUST(rows[i].inode && rows[i].at_server);
	return count > 0;
}

static bool read_listeners(struct netlink *netlink, struct arena *arena,
	const struct peers_target *target, unsigned kind, int *ret)
{
	struct listening_socket *rows = NULL;
	size_t count = 0;
	*ret = kind == 2 ? sockets_dump_listeners(netlink, arena, PORT, &rows, &count)
			 : sockets_dump_unix_listeners(netlink, arena, target, &rows, &count);
	for (size_t i = 0; i < count; i++)
		check_endpoint(&rows[i].local);
	return count > 0;
}

/* A folder at a descriptor of a fixed number, so that seeds can name a file in it. */
#define FOLDER_FD   99
#define SOCKET_PATH "/proc/self/fd/99/.s.PGSQL.5432"

static char folder_path[] = "/tmp/fuzz-netlink-XXXXXX";

static void remove_folder(void)
{
	(void)unlinkat(FOLDER_FD, ".s.PGSQL.5432", 0);
	(void)rmdir(folder_path);
}

static void make_socket_file(struct stat *ret)
{
	MUST(mkdtemp(folder_path));
	int folder = open(folder_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	MUST(folder >= 0 && dup3(folder, FOLDER_FD, O_CLOEXEC) == FOLDER_FD);
	close(folder);
	(void)atexit(remove_folder);
	int file = openat(FOLDER_FD, ".s.PGSQL.5432", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	MUST(file >= 0);
	close(file);
	MUST(stat(SOCKET_PATH, ret) == 0);
}

bool fuzz_one(const uint8_t *data, size_t size)
{
	static struct stat file;
	if (!file.st_ino)
		make_socket_file(&file);
	const struct peers_target target = {
		.server = endpoint_make(AF_INET, "\x7f\0\0\1", PORT),
		.port = PORT,
		.socket_device = file.st_dev,
		.socket_inode = file.st_ino,
	};
	int pair[2], error = 0;
	MUST(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
	unsigned kind = send_input(pair[1], data, size);
	send_end(pair[1]);
	struct netlink *netlink = netlink_new_on(NETLINK_SOCK_DIAG, pair[0]);
	struct arena *arena = arena_new();
	bool rows = kind == 0 ? read_tcp(netlink, arena, &target, &error)
		: kind == 1   ? read_unix(netlink, arena, &target, &error)
			      : read_listeners(netlink, arena, &target, kind, &error);
	/* what failed brings nothing; the kernel's own refusals may be any number */
	MUST(error == 0 || !rows);
	arena_free(arena);
	netlink_free(netlink);
	close(pair[1]);
	return error == 0 && rows;
}

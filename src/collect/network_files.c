/* Parses /proc/PID/net/tcp, tcp6, fib_trie and if_inet6. See proc(5). */
#include "collect/network_files.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "model/peers.h"

struct file_lines {
	FILE *file;
	char *line;
	size_t room;
};

static void cleanup_lines(struct file_lines *lines)
{
	if (lines->file)
		fclose(lines->file);
	free(lines->line);
}

static int open_lines(int process, const char *path, struct file_lines *ret)
{
	int fd = openat(process, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return -errno;
	ret->file = fdopen(fd, "r");
	if (!ret->file) {
		int error = -errno;
		close(fd);
		return error;
	}
	return 0;
}

static bool next_line(struct file_lines *lines)
{
	return getline(&lines->line, &lines->room, lines->file) >= 0;
}

/* "0100007F:1538": the address in words of the machine's byte order, the port in hexadecimal. */
static bool read_endpoint(const char *text, struct endpoint *ret)
{
	const char *colon = strchr(text, ':');
	size_t digits = colon ? (size_t)(colon - text) : 0;
	uint32_t words[4];
	unsigned port;
	if ((digits != 8 && digits != 32) || sscanf(colon + 1, "%4X", &port) != 1)
		return false;
	for (size_t i = 0; i < digits / 8; i++)
		if (sscanf(text + 8 * i, "%8" SCNx32, &words[i]) != 1)
			return false;
	*ret = endpoint_make(digits == 8 ? AF_INET : AF_INET6, words, (uint16_t)port);
	return true;
}

static bool read_socket(const char *line, struct tcp_socket *ret)
{
	char local[48], remote[48];
	unsigned state;
	*ret = (struct tcp_socket){ 0 };
	return sscanf(line, "%*u: %47s %47s %2X %*x:%*x %*x:%*x %*x %" SCNu32 " %*u %" SCNu32,
		       local, remote, &state, &ret->uid, &ret->inode) == 5 &&
		read_endpoint(local, &ret->local) && read_endpoint(remote, &ret->remote) &&
		(ret->state = (uint8_t)state) != TCP_LISTEN;
}

static int read_tcp(int process, const char *path, const uint16_t *ports, size_t n_ports,
	struct arena *arena, size_t *room, struct peers_network *network)
{
	CLEANUP(cleanup_lines) struct file_lines lines = { 0 };
	int error = open_lines(process, path, &lines);
	if (error < 0)
		return error;
	while (next_line(&lines)) {
		struct tcp_socket socket;
		bool wanted = false;
		if (!read_socket(lines.line, &socket))
			continue;
		for (size_t i = 0; i < n_ports; i++)
			wanted |= socket.local.port == ports[i] || socket.remote.port == ports[i];
		if (!wanted)
			continue;
		network->tcp = arena_grow(
			arena, network->tcp, network->n_tcp, room, sizeof(*network->tcp));
		network->tcp[network->n_tcp++] = socket;
	}
	return ferror(lines.file) ? -EIO : 0;
}

static void add_address(
	struct arena *arena, size_t *room, struct endpoint address, struct peers_network *network)
{
	for (size_t i = 0; i < network->n_addresses; i++)
		if (endpoint_same_address(&network->addresses[i], &address))
			return;
	network->addresses = arena_grow(
		arena, network->addresses, network->n_addresses, room, sizeof(*network->addresses));
	network->addresses[network->n_addresses++] = address;
}

/* The routing table has a line "|-- ADDRESS" and below it a line for each of its routes; the
 * machine's own addresses have one that says "host LOCAL". */
static int read_ipv4(int process, struct arena *arena, size_t *room, struct peers_network *network)
{
	CLEANUP(cleanup_lines) struct file_lines lines = { 0 };
	int error = open_lines(process, "net/fib_trie", &lines);
	unsigned char bytes[4] = { 0 };
	while (error == 0 && next_line(&lines)) {
		const char *leaf = strstr(lines.line, "|-- ");
		char text[INET_ADDRSTRLEN];
		if (leaf && sscanf(leaf, "|-- %15s", text) == 1)
			(void)inet_pton(AF_INET, text, bytes);
		else if (strstr(lines.line, "/32 host LOCAL"))
			add_address(arena, room, endpoint_make(AF_INET, bytes, 0), network);
	}
	return error;
}

static int read_ipv6(int process, struct arena *arena, size_t *room, struct peers_network *network)
{
	CLEANUP(cleanup_lines) struct file_lines lines = { 0 };
	int error = open_lines(process, "net/if_inet6", &lines);
	while (error == 0 && next_line(&lines)) {
		unsigned char bytes[16];
		size_t read = 0;
		while (read < sizeof(bytes) &&
			sscanf(lines.line + 2 * read, "%2hhx", &bytes[read]) == 1)
			read++;
		if (read == sizeof(bytes))
			add_address(arena, room, endpoint_make(AF_INET6, bytes, 0), network);
	}
	/* a kernel without IPv6 has no such file */
	return error == -ENOENT ? 0 : error;
}

void network_files_read(int process, const uint16_t *ports, size_t n_ports, struct arena *arena,
	struct peers_network *network)
{
	size_t room = 0, addresses_room = 0;
	int tcp = read_tcp(process, "net/tcp", ports, n_ports, arena, &room, network);
	int tcp6 = read_tcp(process, "net/tcp6", ports, n_ports, arena, &room, network);
	network->tcp_known = tcp == 0 && (tcp6 == 0 || tcp6 == -ENOENT) &&
		read_ipv4(process, arena, &addresses_room, network) == 0 &&
		read_ipv6(process, arena, &addresses_room, network) == 0;
}

/* The sockets and addresses of a process's network namespace, from /proc/PID/net. Needs no right
 * over the process, but costs two walks over the kernel's table, and does not show the peers of
 * Unix sockets: sock_diag from inside the namespace is better where that is allowed. */
#ifndef COLLECT_NETWORK_FILES_H
#define COLLECT_NETWORK_FILES_H

#include <stddef.h>
#include <stdint.h>

struct arena;
struct peers_network;

/* Fills in tcp, tcp_known and addresses of the network; `process` is a descriptor of /proc/PID. The
 * sockets are those with one of the ports at either end that do not listen. */
void network_files_read(int process, const uint16_t *ports, size_t n_ports, struct arena *arena,
	struct peers_network *network);

#endif

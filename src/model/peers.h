/* What this machine's kernel tells of the connections' client ends: sockets, and the processes that
 * hold them. Plain data, const once published.
 *
 * Sources: sock_diag(7) for the sockets, /proc/PID/fd for their holders. Both answer for dbtop's
 * own network and pid namespaces only. */
#ifndef MODEL_PEERS_H
#define MODEL_PEERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/endpoint.h"

struct arena;

/* Where the server is, as our own connection found it: what peers are looked for. */
struct peers_target {
	struct endpoint server; /* its address as we reached it; AF_UNSPEC: not known yet */
	uint16_t port;          /* its port, also when we came over a Unix socket: .s.PGSQL.PORT */
	struct endpoint own;    /* our own end; AF_UNSPEC without a connection */
	uint32_t own_inode;     /* our own socket's inode; 0 without a connection */
	int32_t backend_pid;    /* our backend, by the server's word; 0 without */
	/* The file that the server's Unix socket is bound to, however its path is spelled; inode 0:
	 * not known, or we came over TCP. */
	uint64_t socket_device, socket_inode;
};

/* A process that holds an end of a connection to the server, or did: it stays in the block while it
 * lives, and for a while after. Strings are clean; NULL is "could not be read". */
struct process {
	int32_t pid;
	uint64_t start_ticks; /* /proc/PID/stat, field 22; with pid its identity */
	int64_t started_at;   /* the same as an instant; INSTANT_UNKNOWN when unknown */
	int64_t ended_at;     /* when it was missed; INSTANT_UNKNOWN while it lives */
	const char *name;     /* the program, as people call it: "python3" */
	const char *command;  /* the command line; for a kernel thread or a zombie [name] */
	uint32_t uid;
	const char *user;      /* uid's name, or its number */
	const char *unit;      /* systemd unit from the cgroup: "jarvis.service" */
	const char *container; /* container id (12 digits) from the cgroup */
	double cpu_percent;    /* of one core, since the sample before; NAN before there are two */
	int64_t rss_bytes;     /* −1 when unknown */
};

struct tcp_socket {
	struct endpoint local, remote;
	uint32_t inode; /* 0: no process has it open any more */
	uint8_t state;  /* TCP_ESTABLISHED …: netinet/tcp.h */
	uint32_t uid;
};

struct unix_socket {
	uint32_t inode;
	uint32_t peer; /* the other end's inode; 0: it has none any more */
	bool shut;     /* both directions shut down: the other end was closed */
	bool at_server; /* bound to …/.s.PGSQL.PORT: a server's end, perhaps another server's: whose
			   it is, the backend that holds it tells */
	bool at_target; /* bound to the very file that we connect to */
	uint32_t uid;   /* its owner; UINT32_MAX: not told */
};

/* Who holds a socket; several rows for one inode when it was inherited by a fork. */
struct socket_owner {
	uint32_t inode;
	uint32_t process; /* index into processes */
};

/* The sockets at another server's port: a PgBouncer's. */
struct peers_port {
	uint16_t port;
	bool tcp_known, unix_known;
	struct tcp_socket *tcp;
	size_t n_tcp;
	struct unix_socket *unix_sockets;
	size_t n_unix;
};

struct peers {
	struct arena *arena; /* owns everything here, the block itself too */
	int refs;
	struct peers_target target; /* what was looked for */
	int64_t backend_started_at; /* when target.backend_pid began, by this machine's /proc;
				       INSTANT_UNKNOWN when there is no such process */
	bool backend_in_network;    /* its network namespace is ours: then the server's ends of TCP
				       connections are in the dump */
	int64_t dumped_at;          /* our wall clock just before the socket dump began */
	int64_t dump_ended_at;      /* … and just after; INSTANT_UNKNOWN before it */
	int64_t scanned_at;         /* … before /proc/PID/fd was read */
	bool tcp_known;             /* false: the dump failed, its rows say nothing */
	bool unix_known;
	bool other_namespaces;  /* this machine forwards packets, or other network namespaces exist:
				   a  local address may be shared with sockets that we cannot see */
	int n_refused;          /* processes whose descriptors we may not read */
	struct tcp_socket *tcp; /* those with the server's port at either end; first those at the
				   target's address, then those at others: it may have several */
	size_t n_tcp;
	struct unix_socket *unix_sockets; /* the server's ends */
	size_t n_unix;
	struct peers_port *ports; /* the others that were asked for */
	size_t n_ports;
	struct socket_owner *owners; /* sorted by inode, then the process's start; only of processes
					that hold a listed socket or its peer */
	size_t n_owners;
	struct process *processes;
	size_t n_processes;
	struct endpoint *local_addresses; /* of this machine's interfaces; port 0 */
	size_t n_local_addresses;
};

struct peers *peers_new(void);
struct peers *peers_ref(const struct peers *peers);
/* NULL is allowed. */
void peers_unref(const struct peers *peers);

/* The first of the inode's rows in owners, or NULL; *ret_count tells how many follow it. */
const struct socket_owner *peers_owners(
	const struct peers *peers, uint32_t inode, size_t *ret_count);

/* Whether the address is a loopback one, or of one of this machine's interfaces. */
bool peers_is_local(const struct peers *peers, const struct endpoint *endpoint);

/* The sockets at that port, or NULL when they were not asked for. */
const struct peers_port *peers_port(const struct peers *peers, uint16_t port);

#endif

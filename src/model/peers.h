/* The client ends of connections on this machine: sockets, and the processes that hold them. Plain
 * data, const once published.
 *
 * Sources: sock_diag(7) for the sockets, /proc/PID/fd for their owners. sock_diag shows one network
 * namespace only: the sockets of others are read in those (collect/other_networks). */
#ifndef MODEL_PEERS_H
#define MODEL_PEERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/endpoint.h"
#include "model/programs.h"

struct arena;

/* Where the server is, as our own connection shows it; the scan finds the peers of this. */
struct peers_target {
	struct endpoint server; /* its address as we reached it; AF_UNSPEC: not known yet */
	uint16_t port;          /* its port, also over a Unix socket: .s.PGSQL.PORT */
	struct endpoint own;    /* our own end; AF_UNSPEC without a connection */
	uint32_t own_inode;     /* our own socket's inode; 0 without a connection */
	int32_t backend_pid;    /* our backend, as the server reports it; 0 without a connection */
	/* The file that the server's Unix socket is bound to, regardless of the spelling of its
	 * path; inode 0: not known, or connected over TCP. */
	uint64_t socket_device, socket_inode;
	/* The port on which the server itself listens: another than ours where something between us
	 * and the server translates it. 0: not known yet. */
	uint16_t server_port;
};

#define PROCESS_WAIT_MAX 32

/* A process that holds, or held, an end of a connection to the server. It is kept for some time
 * after it ended. Strings are clean; NULL means that it could not be read. */
struct process {
	int32_t pid;
	uint64_t start_ticks; /* /proc/PID/stat, field 22; with pid and host its identity */
	int32_t inner_pid;    /* its pid in its own pid namespace; 0 when not known */
	/* their inodes; 0 when not known */
	uint64_t pid_namespace, network_namespace, mount_namespace;
	int64_t started_at;  /* start_ticks as an instant; INSTANT_UNKNOWN when not known */
	int64_t ended_at;    /* when it was first missing; INSTANT_UNKNOWN while it runs */
	int32_t parent;      /* its parent when it was first seen; 0: not known */
	const char *name;    /* the short name of the program: "python3" */
	const char *command; /* the command line; [name] for a kernel thread or a zombie */
	uint32_t uid;
	const char *user;          /* the name of uid, or its number */
	const char *unit;          /* systemd unit from the cgroup: "jarvis.service" */
	bool unit_is_users;        /* it is of the user's own systemd */
	const char *container;     /* its container's name, or 12 digits of the id; NULL for none */
	const char *container_id;  /* the whole id, 64 digits; NULL where only a name is known */
	const char *image;         /* the container's; NULL when not known */
	enum program_kind program; /* by its executable, or the script that it runs */
	const char *host;          /* the machine that it runs on; NULL: this one */
	double cpu_percent; /* of one core, since the previous sample; NAN before there are two */
	int64_t rss_bytes;  /* −1 when unknown */
	char state;         /* of its first thread, as /proc shows it: 'S'; 0 when not known */
	char wait_channel[PROCESS_WAIT_MAX]; /* the kernel's function in which that waits; "" */
};

struct tcp_socket {
	struct endpoint local, remote;
	uint32_t inode; /* 0: no process has it open any more */
	uint8_t state;  /* TCP_ESTABLISHED …: netinet/tcp.h */
	uint32_t uid;
};

struct unix_socket {
	uint32_t inode;
	uint32_t peer;  /* the inode of the other end; 0: there is none any more */
	bool shut;      /* both directions are shut down: the other end was closed */
	bool at_server; /* bound to .../.s.PGSQL.PORT: a server's end. It may be another server's;
			   the backend that holds it decides */
	bool at_target; /* bound to the same file that we connect to */
	uint32_t uid;   /* its owner; UINT32_MAX: not reported */
};

/* Which process holds a socket. An inode that was inherited by a fork has several rows. */
struct socket_owner {
	uint32_t inode;
	uint32_t process; /* index into processes */
};

/* The sockets at another port than the server's: that of a PgBouncer. */
struct peers_port {
	uint16_t port;
	bool tcp_known, unix_known;
	struct tcp_socket *tcp;
	size_t n_tcp;
	struct unix_socket *unix_sockets;
	size_t n_unix;
};

/* Another network namespace of this machine than ours: one in which a process lives that we may
 * look into. */
struct peers_network {
	uint64_t id; /* its inode */
	bool hidden; /* only processes are left in it that we may not look into */
	bool dumped; /* this scan read its sockets: they are skipped where nothing of interest was
		      * at the last scan */
	bool tcp_known; /* as in struct peers */
	bool unix_known;
	struct tcp_socket *tcp;
	size_t n_tcp;
	struct unix_socket *unix_sockets;
	size_t n_unix;
	struct endpoint *addresses; /* of its interfaces; the port is 0 */
	size_t n_addresses;
};

/* A connection whose addresses are translated on its way to the server. */
struct peers_nat {
	struct endpoint client, server;           /* as the client has them */
	struct endpoint client_seen, server_real; /* as the server has them */
	uint64_t network;                         /* the namespace that translates; 0: ours */
};

/* A connection that a forwarder opened for another one, and the socket at the far end of that. */
struct peers_pair {
	uint32_t inode; /* of the forwarder's end */
	uint32_t far;   /* which may be another forwarder's */
};

/* A forwarder of which not all pairs are proven. */
struct peers_forwarder {
	int32_t pid;
	uint64_t start_ticks;
	uint32_t *far; /* the sockets at the far ends of what it has accepted */
	size_t n_far;
};

#define PEERS_MOST_PORTS 8

struct peers {
	struct arena *arena; /* owns everything here, the block too */
	int refs;
	struct peers_target target; /* what the scan looked for */
	int64_t backend_started_at; /* start of target.backend_pid, from this machine's /proc;
				       INSTANT_UNKNOWN if there is no such process */
	bool backend_in_network;    /* it is in our network namespace: the server's ends of TCP
				       connections are in the dump */
	int64_t dumped_at;          /* our wall clock just before the socket dump began */
	int64_t dump_began;         /* dumped_at by the monotonic clock */
	int64_t dump_ended;         /* monotonic: just after the dump; INSTANT_UNKNOWN before it */
	int64_t scanned_at;         /* our wall clock before /proc/PID/fd was read */
	bool tcp_known;             /* false: the dump failed, and its rows mean nothing */
	bool unix_known;
	int n_refused;       /* processes whose descriptors we may not read */
	uint64_t network_id; /* the inode of our own network namespace; 0 when not known */
	struct peers_network *networks; /* the others */
	size_t n_networks;
	struct peers_nat *nat;
	size_t n_nat;
	bool nat_refused;    /* connections are tracked, but we may not see them: that needs root */
	int64_t searched_at; /* dumped_at of the last scan that looked for namespaces;
				INSTANT_UNKNOWN before it */
	int64_t translated_at; /* the same for translated connections: `nat` */
	bool all_networks; /* then every process could be seen: a namespace that was there before
			      and is not listed has none any more */
	/* sockets with the server's port at either end. First those at the target's address,
	 * then those at others: a server may have several */
	struct tcp_socket *tcp;
	size_t n_tcp;
	struct unix_socket *unix_sockets; /* the server's ends */
	size_t n_unix;
	struct peers_port *ports; /* the other ports that were asked for */
	size_t n_ports;
	struct socket_owner *owners; /* sorted by inode, then by the start of the process; only
					processes that hold a listed socket or its peer */
	size_t n_owners;
	struct process *processes;
	size_t n_processes;
	/* our own mount namespace, and that of the machine's first process; 0: not known */
	uint64_t host_mounts[2];
	struct peers_pair *pairs; /* of forwarders */
	size_t n_pairs, pairs_room;
	struct peers_forwarder *forwarders;
	size_t n_forwarders, forwarders_room;
	/* where the server of a Unix socket listens, too; known only without a connection. An
	 * unspecified address stands for all of its family */
	struct endpoint *doors;
	size_t n_doors;
	bool doors_proven; /* by the process that listens at both; otherwise only by its user */
	struct endpoint *local_addresses; /* of this machine's interfaces; the port is 0 */
	size_t n_local_addresses;
};

struct peers *peers_new(void);
struct peers *peers_ref(const struct peers *peers);
/* Drops a reference; NULL is allowed. */
void peers_unref(const struct peers *peers);

/* Copies the process; the strings of the copy are in the arena. */
struct process process_copy(struct arena *arena, const struct process *from);

/* The first row of the inode in owners, or NULL; *ret_count is how many rows it has. */
const struct socket_owner *peers_owners(
	const struct peers *peers, uint32_t inode, size_t *ret_count);

/* Whether the address is a loopback address, or that of one of this machine's interfaces. */
bool peers_is_local(const struct peers *peers, const struct endpoint *endpoint);

/* Whether this end of a TCP connection is one of the server's doors. */
bool peers_is_door(const struct peers *peers, const struct endpoint *endpoint);

/* The ports of connections to the server: as we reach it, as the server itself has it if that is
 * another one, and those that are translated to one of them. Returns their number. */
size_t peers_server_ports(const struct peers *peers, uint16_t ret_ports[static PEERS_MOST_PORTS]);

/* The sockets at that port; NULL if it was not asked for. */
const struct peers_port *peers_port(const struct peers *peers, uint16_t port);

#endif

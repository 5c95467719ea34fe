/* Finds the process that listens. A command line proves nothing and is not used: a proxy is
 * recognised by its socket and by its program's file. */
#include "collect/forwarder.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/instant.h"
#include "base/mem.h"
#include "base/text.h"
#include "collect/addresses.h"
#include "collect/netlink.h"
#include "collect/sockets.h"
#include "proc/owners.h"
#include "proc/procfs.h"

#define COMM_LENGTH 15 /* the kernel keeps this many bytes of a program's name */

struct forwarder {
	struct netlink *netlink;
	struct owners *owners;
	struct procfs *procfs;
};

struct forwarder *forwarder_new(const char *proc_root)
{
	struct forwarder *forwarder = mem_alloc(sizeof(*forwarder));
	forwarder->netlink = sockets_netlink();
	forwarder->owners = owners_new(proc_root);
	forwarder->procfs = procfs_new(proc_root);
	return forwarder;
}

void forwarder_free(struct forwarder *forwarder)
{
	if (!forwarder)
		return;
	owners_free(forwarder->owners);
	netlink_free(forwarder->netlink);
	procfs_free(forwarder->procfs);
	free(forwarder);
}

/* Compares the file's name, also if the file was replaced since the start. */
static bool is_file(const char *wanted, const char *executable)
{
	const char *slash = strrchr(executable, '/');
	const char *name = slash ? slash + 1 : executable;
	size_t length = strlen(wanted);
	return strncmp(name, wanted, length) == 0 &&
		(!name[length] || strcmp(name + length, PROCFS_DELETED) == 0);
}

bool forwarder_is_program(const char *wanted, const char *executable, const char *comm)
{
	if (!*wanted)
		return false;
	if (executable && is_file(wanted, executable))
		return true;
	return comm && *comm && strncmp(comm, wanted, COMM_LENGTH) == 0;
}

/* A listener with one of its owners. */
struct candidate {
	const struct listening_socket *socket;
	const struct process *process; /* NULL: not visible */
	const char *executable;
	bool is_wanted;
};

/* Ranks several listeners: connections to 127.0.0.1 reach the one with the lowest rank. */
static int rank_of(const struct endpoint *local)
{
	static const uint8_t any[16];
	bool is_any = memcmp(local->address, any, sizeof(any)) == 0;
	return local->family == AF_INET ? (is_any ? 1 : 0) : (is_any ? 2 : 3);
}

static bool is_better(const struct candidate *a, const struct candidate *b)
{
	if (!b->socket || a->is_wanted != b->is_wanted)
		return !b->socket || a->is_wanted;
	if (!a->process != !b->process)
		return a->process != NULL;
	return rank_of(&a->socket->local) < rank_of(&b->socket->local);
}

static void consider(const struct forwarder *forwarder, const struct proxy *proxy,
	const struct listening_socket *socket, const struct process *process,
	struct candidate *best)
{
	struct candidate candidate = { .socket = socket, .process = process };
	struct procfs_stat stat;
	char path[32];
	if (process) {
		snprintf(path, sizeof(path), "%d/exe", process->pid);
		candidate.executable =
			procfs_executable(procfs_root(forwarder->procfs), path, proxy->arena);
		bool same = procfs_stat(forwarder->procfs, process->pid, &stat) == 0 &&
			stat.start_ticks == process->start_ticks;
		candidate.is_wanted = same &&
			forwarder_is_program(proxy->wanted, candidate.executable, stat.comm);
	}
	if (is_better(&candidate, best))
		*best = candidate;
}

static struct candidate choose(const struct forwarder *forwarder, const struct proxy *proxy,
	const struct listening_socket *sockets, size_t n_sockets)
{
	struct candidate best = { 0 };
	for (size_t i = 0; i < n_sockets; i++) {
		size_t count;
		const struct socket_owner *owners =
			peers_owners(proxy->peers, sockets[i].inode, &count);
		if (!owners)
			consider(forwarder, proxy, &sockets[i], NULL, &best);
		for (size_t owner = 0; owners && owner < count; owner++)
			consider(forwarder, proxy, &sockets[i],
				&proxy->peers->processes[owners[owner].process], &best);
	}
	return best;
}

/* Another user's descriptors cannot be read, but names of processes can: returns how many processes
 * of the socket's owner have the wanted name, and one of them. */
static size_t find_by_name(
	const struct forwarder *forwarder, struct proxy *proxy, uint32_t uid, struct process *ret)
{
	CLEANUP(cleanup_dir) DIR *folder = procfs_open_folder(procfs_root(forwarder->procfs), ".");
	size_t found = 0;
	if (!folder)
		return 0;
	for (int32_t pid; (pid = procfs_next_pid(folder));) {
		struct procfs_stat stat;
		struct process process;
		if (procfs_stat(forwarder->procfs, pid, &stat) < 0 ||
			!forwarder_is_program(proxy->wanted, NULL, stat.comm))
			continue;
		if (procfs_describe(forwarder->procfs, proxy->arena, pid, &process, &stat) < 0 ||
			process.uid != uid)
			continue;
		*ret = process;
		found++;
	}
	return found;
}

static void take_listener(
	const struct forwarder *forwarder, struct proxy *proxy, const struct candidate *found)
{
	char text[ENDPOINT_TEXT_MAX];
	size_t named = 0;
	proxy->listener = found->socket->local;
	proxy->uid = found->socket->uid;
	proxy->inode = found->socket->inode;
	if (found->process) {
		proxy->process = *found->process;
		proxy->executable = found->executable;
		proxy->status = found->is_wanted ? PROXY_LISTENING : PROXY_FOREIGN;
	} else {
		named = find_by_name(forwarder, proxy, found->socket->uid, &proxy->process);
		proxy->status = named == 1 ? PROXY_LISTENING : PROXY_FOREIGN;
		if (named != 1)
			proxy->process = (struct process){ .pid = 0 };
	}
	if (proxy->listener.family == AF_UNIX)
		snprintf(text, sizeof(text), "the socket .s.PGSQL.%u", proxy->port);
	else
		endpoint_format(&proxy->listener, text);
	if (proxy->status == PROXY_FOREIGN && proxy->process.pid)
		proxy->detail = arena_printf(proxy->arena, "%s is %s's (process %d)", text,
			proxy->process.name ? proxy->process.name : "another program",
			proxy->process.pid);
	else if (proxy->status == PROXY_FOREIGN)
		proxy->detail = arena_printf(proxy->arena,
			"a process of another user listens on %s; that user has %s process named "
			"%s: dbtop as root shows which it is",
			text, named ? "more than one" : "no", proxy->wanted);
}

static struct owners_wanted *wanted_sockets(const struct proxy *proxy,
	const struct listening_socket *listeners, size_t n_listeners, size_t *ret_count)
{
	struct owners_wanted *wanted = mem_resize(NULL,
		n_listeners + proxy->peers->n_tcp + proxy->peers->n_unix + 1, sizeof(*wanted));
	size_t count = 0;
	for (size_t i = 0; i < n_listeners; i++)
		wanted[count++] = (struct owners_wanted){ listeners[i].inode, true };
	for (size_t i = 0; i < proxy->peers->n_tcp; i++)
		if (proxy->peers->tcp[i].inode)
			wanted[count++] =
				(struct owners_wanted){ proxy->peers->tcp[i].inode, true };
	for (size_t i = 0; i < proxy->peers->n_unix; i++)
		if (proxy->peers->unix_sockets[i].peer)
			wanted[count++] =
				(struct owners_wanted){ proxy->peers->unix_sockets[i].peer, true };
	*ret_count = count;
	return wanted;
}

/* Keeps only client ends whose other end has one of our own addresses. */
static void keep_clients(struct peers *peers)
{
	size_t kept = 0;
	for (size_t i = 0; i < peers->n_tcp; i++) {
		const struct endpoint *remote = &peers->tcp[i].remote;
		bool local = endpoint_is_loopback(remote);
		for (size_t a = 0; a < peers->n_local_addresses && !local; a++)
			local = endpoint_same_address(remote, &peers->local_addresses[a]);
		if (local && remote->port == peers->target.port)
			peers->tcp[kept++] = peers->tcp[i];
	}
	peers->n_tcp = kept;
}

static void keep_unix_clients(struct peers *peers)
{
	size_t kept = 0;
	for (size_t i = 0; i < peers->n_unix; i++)
		if (peers->unix_sockets[i].at_target)
			peers->unix_sockets[kept++] = peers->unix_sockets[i];
	peers->n_unix = kept;
}

/* Finds the owners of the listeners, and of the clients if they are known. */
static void find_owners(struct forwarder *forwarder, int64_t now, const struct proxy *proxy,
	const struct listening_socket *listeners, size_t n_listeners)
{
	size_t n_wanted;
	struct peers *peers = (struct peers *)proxy->peers;
	struct owners_wanted *wanted = wanted_sockets(proxy, listeners, n_listeners, &n_wanted);
	peers->n_processes = peers->n_owners = 0;
	owners_find(forwarder->owners, wanted, n_wanted, false, now, peers);
	free(wanted);
}

static void dump_clients(struct forwarder *forwarder, struct peers *peers, bool unix_socket)
{
	if (unix_socket) {
		peers->unix_known =
			sockets_dump_unix(forwarder->netlink, peers->arena, &peers->target,
				&peers->unix_sockets, &peers->n_unix) == 0;
		keep_unix_clients(peers);
		return;
	}
	peers->tcp_known = sockets_dump_tcp(forwarder->netlink, peers->arena, &peers->target,
				   &peers->tcp, &peers->n_tcp) == 0;
	(void)addresses_local(peers->arena, &peers->local_addresses, &peers->n_local_addresses);
	keep_clients(peers);
}

static int dump_listeners(struct forwarder *forwarder, const struct peers_target *where,
	bool unix_socket, const struct proxy *proxy, struct listening_socket **ret_rows,
	size_t *ret_count)
{
	return unix_socket ? sockets_dump_unix_listeners(
				     forwarder->netlink, proxy->arena, where, ret_rows, ret_count)
			   : sockets_dump_listeners(forwarder->netlink, proxy->arena, proxy->port,
				     ret_rows, ret_count);
}

int forwarder_scan(struct forwarder *forwarder, int64_t now, const struct peers_target *where,
	bool unix_socket, struct proxy *proxy)
{
	struct listening_socket *listeners;
	size_t n_listeners;
	proxy->our_uid = getuid();
	int r = dump_listeners(forwarder, where, unix_socket, proxy, &listeners, &n_listeners);
	if (r < 0)
		return r;
	if (n_listeners == 0) {
		proxy->status = PROXY_ABSENT;
		proxy->detail = arena_printf(proxy->arena,
			unix_socket ? "nobody listens on the socket .s.PGSQL.%u"
				    : "nobody listens on port %u",
			proxy->port);
		return 0;
	}
	struct peers *peers = peers_new();
	proxy->peers = peers;
	if (unix_socket)
		peers->target = *where;
	peers->target.port = proxy->port;
	peers->target.server = listeners[0].local;
	peers->dumped_at = instant_now();
	peers->dump_began = instant_monotonic();
	find_owners(forwarder, now, proxy, listeners, n_listeners);
	struct candidate found = choose(forwarder, proxy, listeners, n_listeners);
	take_listener(forwarder, proxy, &found);
	/* do not scan for the clients of another program: they are not needed, and the scan costs
	 * time */
	if (proxy->status < PROXY_LISTENING)
		return 0;
	dump_clients(forwarder, peers, unix_socket);
	find_owners(forwarder, now, proxy, listeners, n_listeners);
	return 0;
}

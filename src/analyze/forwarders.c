#include "analyze/forwarders.h"

#include "analyze/client_processes.h"
#include "base/arena.h"

/* A chain of forwarders is not longer. */
#define MOST_HOPS 8

static const struct process *owner_of(const struct peers *peers, uint32_t inode)
{
	size_t count;
	const struct socket_owner *owner = inode ? peers_owners(peers, inode, &count) : NULL;
	return owner ? &peers->processes[owner->process] : NULL;
}

static bool is_hosts(const struct peers *peers, const struct process *process)
{
	return process->mount_namespace &&
		(process->mount_namespace == peers->host_mounts[0] ||
			process->mount_namespace == peers->host_mounts[1]);
}

/* Whoever runs a forwarder can make it seem to forward for any process that connects to it. So it
 * speaks for its own user's processes alone, in its container or on the machine; root's, outside
 * containers, for all. */
static bool may_speak_for(
	const struct peers *peers, const struct process *forwarder, const struct process *far)
{
	bool is_here = is_hosts(peers, forwarder);
	if (is_here && forwarder->uid == 0)
		return true;
	return forwarder->uid == far->uid && forwarder->mount_namespace &&
		(is_here || forwarder->mount_namespace == far->mount_namespace);
}

struct far {
	uint32_t inode;                   /* of the last proven socket; 0: none */
	const struct process *not_proven; /* behind a forwarder that does not speak for it */
};

/* The socket at the far end of a chain of forwarders. */
static struct far find_far(const struct peers *peers, uint32_t inode)
{
	struct far far = { 0 };
	for (int hop = 0; hop < MOST_HOPS; hop++) {
		uint32_t next = 0;
		for (size_t i = 0; i < peers->n_pairs && !next; i++)
			if (peers->pairs[i].inode == inode)
				next = peers->pairs[i].far;
		const struct process *process = owner_of(peers, next);
		const struct process *forwarder = process ? owner_of(peers, inode) : NULL;
		if (!forwarder)
			break;
		if (!may_speak_for(peers, forwarder, process)) {
			far.not_proven = process;
			break;
		}
		inode = far.inode = next;
	}
	return far;
}

static bool is_listed(const struct far_process *list, size_t n, int32_t pid)
{
	for (size_t i = 0; i < n; i++)
		if (list[i].pid == pid)
			return true;
	return false;
}

static void list_candidates(const struct assessment *assessment,
	const struct peers_forwarder *forwarder, struct connection *connection)
{
	const struct peers *peers = assessment->peers;
	struct far_process *list = arena_array(assessment->arena, forwarder->n_far, sizeof(*list));
	size_t n = 0;
	for (size_t i = 0; i < forwarder->n_far; i++) {
		const struct process *process = owner_of(peers, forwarder->far[i]);
		if (process && !is_listed(list, n, process->pid))
			list[n++] = (struct far_process){ process->pid, process->name };
	}
	connection->may_be = list;
	connection->n_may_be = n;
}

/* Of the last process that is known, if that is a forwarder. */
static void set_candidates(const struct assessment *assessment, struct connection *connection)
{
	const struct process *process = &assessment->processes[connection->process].process;
	const struct peers *peers = assessment->peers;
	for (size_t i = 0; i < peers->n_forwarders; i++)
		if (peers->forwarders[i].pid == process->pid &&
			peers->forwarders[i].start_ticks == process->start_ticks)
			list_candidates(assessment, &peers->forwarders[i], connection);
}

static void set_not_proven(const struct assessment *assessment, const struct process *process,
	struct connection *connection)
{
	struct far_process *list = arena_alloc(assessment->arena, sizeof(*list));
	*list = (struct far_process){ process->pid, process->name };
	connection->may_be = list;
	connection->n_may_be = 1;
}

static void set_far_process(struct assessment *assessment, struct client_processes *processes,
	struct connection *connection)
{
	const struct peers *peers = assessment->peers;
	struct far far = find_far(peers, connection->end_inode);
	size_t count;
	if (far.not_proven)
		set_not_proven(assessment, far.not_proven, connection);
	const struct socket_owner *owner =
		far.inode ? peers_owners(peers, far.inode, &count) : NULL;
	if (!owner)
		return;
	connection->forwarder = assessment->processes[connection->owner].process.pid;
	connection->far_inode = far.inode;
	connection->shared_by = (int)count;
	connection->matched_by = MATCHED_FORWARDER;
	connection->process = client_processes_use(processes, owner->process);
}

void forwarders_look_through(struct assessment *assessment, const struct assessment *previous,
	const struct connection *before, struct client_processes *processes,
	struct connection *connection)
{
	if (!assessment->peers || connection->owner == NO_PROCESS)
		return;
	if (connection->end == CLIENT_END_HELD) {
		set_far_process(assessment, processes, connection);
		set_candidates(assessment, connection);
	} else if (before && before->forwarder && before->process != NO_PROCESS) {
		connection->forwarder = before->forwarder;
		connection->matched_by = MATCHED_FORWARDER;
		connection->process =
			client_processes_recall(processes, &previous->processes[before->process]);
	}
}

/* A TCP listener belongs to the server if the process that listens on the Unix socket has it open.
 * Where that process cannot be seen, the same user is taken for the same server, which proves
 * nothing. */
#include "collect/doors.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/arena.h"
#include "collect/netlink.h"
#include "collect/sockets.h"
#include "model/peers.h"

void doors_list(struct doors *ret_doors, struct netlink *netlink, struct peers *peers)
{
	const struct peers_target *target = &peers->target;
	*ret_doors = (struct doors){ 0 };
	if (target->backend_pid || target->server.family != AF_UNIX || !target->socket_inode)
		return;
	if (sockets_dump_unix_listeners(netlink, peers->arena, target, &ret_doors->unix_sockets,
		    &ret_doors->n_unix) < 0)
		ret_doors->n_unix = 0;
	if (sockets_dump_listeners(
		    netlink, peers->arena, target->port, &ret_doors->tcp, &ret_doors->n_tcp) < 0)
		ret_doors->n_tcp = 0;
}

size_t doors_want(const struct doors *doors, struct owners_wanted *wanted)
{
	size_t count = 0;
	for (size_t i = 0; i < doors->n_unix; i++)
		wanted[count++] = (struct owners_wanted){ doors->unix_sockets[i].inode, false };
	for (size_t i = 0; i < doors->n_tcp; i++)
		wanted[count++] = (struct owners_wanted){ doors->tcp[i].inode, false };
	return count;
}

static bool have_one_owner(const struct peers *peers, uint32_t a, uint32_t b)
{
	size_t n_a, n_b;
	const struct socket_owner *of_a = peers_owners(peers, a, &n_a);
	const struct socket_owner *of_b = peers_owners(peers, b, &n_b);
	for (size_t i = 0; i < n_a; i++)
		for (size_t k = 0; k < n_b; k++)
			if (of_a[i].process == of_b[k].process)
				return true;
	return false;
}

static bool is_door(const struct doors *doors, const struct listening_socket *tcp,
	const struct peers *peers, bool proven)
{
	for (size_t i = 0; i < doors->n_unix; i++) {
		const struct listening_socket *file = &doors->unix_sockets[i];
		if (proven ? have_one_owner(peers, file->inode, tcp->inode)
			   : file->uid == tcp->uid && file->uid != UINT32_MAX)
			return true;
	}
	return false;
}

static void add_doors(const struct doors *doors, struct peers *peers, bool proven)
{
	for (size_t i = 0; i < doors->n_tcp; i++)
		if (is_door(doors, &doors->tcp[i], peers, proven))
			peers->doors[peers->n_doors++] = doors->tcp[i].local;
	peers->doors_proven = proven && peers->n_doors > 0;
}

/* Whether the process that listens on the Unix socket can be seen. */
static bool is_seen(const struct doors *doors, const struct peers *peers)
{
	size_t count;
	for (size_t i = 0; i < doors->n_unix; i++)
		if (peers_owners(peers, doors->unix_sockets[i].inode, &count))
			return true;
	return false;
}

void doors_find(const struct doors *doors, struct peers *peers)
{
	peers->doors = arena_array(peers->arena, doors->n_tcp, sizeof(*peers->doors));
	add_doors(doors, peers, is_seen(doors, peers));
}

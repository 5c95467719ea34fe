/* A socket that is not connected yet may be connected later: the kernel is asked about it again,
 * less and less often. */
#include "collect/links.h"

#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/instant.h"
#include "base/mem.h"
#include "collect/netlink.h"
#include "collect/sockets.h"
#include "model/peers.h"

#define FIRST_PAUSE (4 * USEC_PER_MSEC)
#define LAST_PAUSE  (2 * USEC_PER_SEC)

/* The time limit for all ports together: a scan may run on the loop's thread. */
#define SCAN_MOST (2 * USEC_PER_SEC)

struct known {
	struct server_link link;
	int64_t ask_at, pause; /* monotonic: when the kernel is asked about it again, if it is still
				  unknown */
};

struct links {
	struct netlink *netlink;
	struct known *items; /* sorted by inode */
	size_t count;
};

struct links *links_new(void)
{
	struct links *links = mem_alloc(sizeof(*links));
	links->netlink = sockets_netlink();
	return links;
}

void links_free(struct links *links)
{
	if (!links)
		return;
	netlink_free(links->netlink);
	free(links->items);
	free(links);
}

static int compare(const void *a, const void *b)
{
	uint32_t x = ((const struct known *)a)->link.inode;
	uint32_t y = ((const struct known *)b)->link.inode;
	return (x > y) - (x < y);
}

static struct known *find(const struct links *links, uint32_t inode)
{
	const struct known key = { .link.inode = inode };
	return links->count ? bsearch(&key, links->items, links->count, sizeof(key), compare)
			    : NULL;
}

const struct server_link *links_find(const struct links *links, uint32_t inode)
{
	const struct known *known = find(links, inode);
	return known && known->link.recognised ? &known->link : NULL;
}

/* Lists an inode once, even if several processes have it open. */
static void take_over(struct links *links, const uint32_t *inodes, size_t n, int64_t now)
{
	struct known *items = mem_resize(NULL, n + 1, sizeof(*items));
	for (size_t i = 0; i < n; i++) {
		const struct known *known = find(links, inodes[i]);
		items[i] = known ? *known
				 : (struct known){
					   .link = { .inode = inodes[i], .first_seen = now },
					   .ask_at = now,
					   .pause = FIRST_PAUSE,
				   };
	}
	free(links->items);
	links->items = items;
	links->count = 0;
	if (n)
		qsort(items, n, sizeof(*items), compare);
	for (size_t i = 0; i < n; i++)
		if (!links->count || items[links->count - 1].link.inode != items[i].link.inode)
			items[links->count++] = items[i];
}

static bool is_open_question(const struct known *known)
{
	return !known->link.recognised || !known->link.established;
}

/* True if one socket is due. Then all unknown ones are looked up, because one dump covers all. */
static bool is_due(const struct links *links, int64_t now)
{
	for (size_t i = 0; i < links->count; i++)
		if (is_open_question(&links->items[i]) && links->items[i].ask_at <= now)
			return true;
	return false;
}

static void ask_tcp(struct links *links, struct arena *arena, uint16_t port)
{
	const struct peers_target target = { .port = port };
	struct tcp_socket *rows;
	size_t count;
	if (sockets_dump_tcp(links->netlink, arena, &target, &rows, &count) < 0)
		return;
	for (size_t i = 0; i < count; i++) {
		struct known *known = rows[i].inode ? find(links, rows[i].inode) : NULL;
		if (!known || rows[i].remote.port != port)
			continue;
		/* once it is established it is not asked about again */
		known->link.ended = rows[i].state == TCP_CLOSE_WAIT;
		known->link.recognised = true;
		known->link.established =
			rows[i].state == TCP_ESTABLISHED || rows[i].state == TCP_CLOSE_WAIT;
		known->link.port = port;
		known->link.local = rows[i].local;
	}
}

static void ask_unix(struct links *links, struct arena *arena, uint16_t port)
{
	const struct peers_target target = { .port = port };
	struct unix_socket *rows;
	size_t count;
	if (sockets_dump_unix(links->netlink, arena, &target, &rows, &count) < 0)
		return;
	for (size_t i = 0; i < count; i++) {
		struct known *known = rows[i].peer ? find(links, rows[i].peer) : NULL;
		if (!known)
			continue;
		known->link.recognised = known->link.established = true;
		known->link.port = port;
		known->link.local = (struct endpoint){ .family = AF_UNIX };
		known->link.server_inode = rows[i].inode;
	}
}

static void postpone(struct links *links, int64_t now)
{
	for (size_t i = 0; i < links->count; i++) {
		struct known *known = &links->items[i];
		if (!is_open_question(known))
			continue;
		known->ask_at = now + known->pause;
		known->pause = known->pause * 2 > LAST_PAUSE ? LAST_PAUSE : known->pause * 2;
	}
}

void links_scan(struct links *links, const uint32_t *inodes, size_t n_inodes, const uint16_t *ports,
	size_t n_ports, int64_t now)
{
	take_over(links, inodes, n_inodes, now);
	if (!is_due(links, now))
		return;
	struct arena *arena = arena_new();
	netlink_limit(links->netlink, SCAN_MOST);
	for (size_t i = 0; i < n_ports; i++) {
		ask_tcp(links, arena, ports[i]);
		ask_unix(links, arena, ports[i]);
	}
	arena_free(arena);
	postpone(links, now);
}

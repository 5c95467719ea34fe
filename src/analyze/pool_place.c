/* Compares names of servers, and rows with a page's slots. */
#include "analyze/pool_place.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "analyze/join_proxy.h"
#include "base/instant.h"
#include "base/map.h"
#include "model/proxy.h"

#define HOST_MAX 256 /* the longest name that a page can hold */

enum same {
	SAME_UNSURE, /* the two names may be one machine's */
	SAME_YES,
	SAME_NO,
};

/* "host:port/database", as in a page. */
struct door {
	char host[HOST_MAX];
	uint16_t port;
	struct endpoint address; /* the address if the host is one; AF_UNIX for a socket's folder */
};

static struct endpoint read_address(const char *host)
{
	unsigned char bytes[16];
	if (!*host || *host == '/' || *host == '@' || strcmp(host, "local") == 0)
		return (struct endpoint){ .family = AF_UNIX };
	if (strcmp(host, "localhost") == 0)
		host = "127.0.0.1";
	if (inet_pton(AF_INET, host, bytes) == 1)
		return endpoint_make(AF_INET, bytes, 0);
	if (inet_pton(AF_INET6, host, bytes) == 1)
		return endpoint_make(AF_INET6, bytes, 0);
	return (struct endpoint){ .family = AF_UNSPEC };
}

/* False for a name of another form, for example one with several hosts. */
static bool read_door(const char *server, struct door *ret)
{
	const char *slash = server ? strrchr(server, '/') : NULL;
	const char *colon = slash ? memrchr(server, ':', (size_t)(slash - server)) : NULL;
	if (!colon || (size_t)(colon - server) >= sizeof(ret->host))
		return false;
	char *end;
	long port = strtol(colon + 1, &end, 10);
	if (end != slash || end == colon + 1 || port < 1 || port > UINT16_MAX)
		return false;
	memcpy(ret->host, server, (size_t)(colon - server));
	ret->host[colon - server] = '\0';
	ret->port = (uint16_t)port;
	ret->address = read_address(ret->host);
	return true;
}

static bool is_here(const struct assessment *assessment, const struct endpoint *address)
{
	if (address->family == AF_UNIX || endpoint_is_loopback(address))
		return true;
	return address->family != AF_UNSPEC && assessment->peers &&
		peers_is_local(assessment->peers, address);
}

/* A server that we reach at `address`, and by the name `host`. */
static enum same compare(const struct assessment *assessment, const struct door *door,
	const char *host, const struct endpoint *address)
{
	if (host && strcmp(door->host, host) == 0)
		return SAME_YES;
	if (door->address.family == AF_UNSPEC || address->family == AF_UNSPEC)
		return SAME_UNSURE;
	if (is_here(assessment, &door->address) && is_here(assessment, address))
		return SAME_YES;
	return endpoint_same_address(&door->address, address) ? SAME_YES : SAME_NO;
}

static enum same compare_server(const struct assessment *assessment, const struct door *door)
{
	const struct server_state *server = &assessment->server;
	struct endpoint address = assessment->peers ? assessment->peers->target.server
						    : (struct endpoint){ .family = AF_UNSPEC };
	if (door->port != server->port)
		return SAME_NO;
	if (address.family == AF_UNSPEC && server->host)
		address = read_address(server->host);
	return compare(assessment, door, server->host, &address);
}

/* Whether the name is a way to the server: the server itself, a PgBouncer, or the local proxy. */
static enum same compare_doors(const struct assessment *assessment, const struct door *door)
{
	const struct proxy *proxy = assessment->proxy;
	enum same same = compare_server(assessment, door);
	for (size_t i = 0; i < assessment->n_bouncers && same == SAME_NO; i++)
		if (door->port == assessment->bouncers[i]->port)
			same = compare(assessment, door, NULL, &assessment->bouncers[i]->address);
	if (same == SAME_NO && proxy && door->port == proxy->port &&
		is_here(assessment, &door->address))
		same = SAME_YES;
	return same;
}

/* Rows that are older than the process's end prove nothing. */
static bool are_rows_newer(const struct assessment *assessment, const struct pool_page *page)
{
	int64_t since = page->status == POOL_PAGE_DEAD ? page->dead_since : page->read_at;
	return assessment->activity && assessment->server.status == SERVER_OK &&
		since != INSTANT_UNKNOWN &&
		(page->status == POOL_PAGE_LIVE || assessment->activity->asked_at >= since);
}

/* Whether a row may be the session of the slot. It is not if no row has the pid, or if the row
 * began at another instant. */
static bool may_be_left(
	const struct assessment *assessment, const struct map *by_pid, const struct pool_slot *slot)
{
	uint32_t index = map_get(by_pid, (uint64_t)slot->backend_pid);
	if (!slot->backend_pid || index == MAP_NONE)
		return false;
	int64_t start = assessment->connections[index].backend->start;
	return start == INSTANT_UNKNOWN || slot->backend_start == INSTANT_UNKNOWN ||
		start == slot->backend_start;
}

/* A slot without a pid yet is compared by the names of its pool and process. */
static bool is_named_after(const struct assessment *assessment, const struct pool_page *page)
{
	int32_t pid;
	for (size_t i = 0; i < assessment->n_connections; i++)
		if (join_proxy_read_name(
			    assessment->connections[i].backend->application_name, &pid) &&
			pid == page->inner_pid)
			return true;
	return false;
}

static bool was_here(const struct assessment *previous, const struct pool_page *page)
{
	for (size_t i = 0; previous && i < previous->n_pools; i++) {
		const struct pool_page *before = previous->pools[i].page;
		if (before && before->pid == page->pid &&
			before->start_ticks == page->start_ticks &&
			strcmp(before->path, page->path) == 0)
			return previous->pools[i].here;
	}
	return false;
}

static bool is_joined(
	const struct assessment *assessment, const struct map *by_pid, const struct pool *pool)
{
	for (size_t i = 0; i < pool->page->n_slots; i++) {
		uint32_t index = map_get(by_pid, (uint64_t)pool->page->slots[i].backend_pid);
		if (index != MAP_NONE && assessment->connections[index].pool == pool)
			return true;
	}
	return false;
}

void pool_place_judge(const struct assessment *assessment, const struct assessment *previous,
	const struct map *by_pid, struct pool *pool)
{
	const struct pool_page *page = pool->page;
	struct door door;
	bool joined = is_joined(assessment, by_pid, pool), left = joined, has_sessions = false;
	pool->here = joined || was_here(previous, page);
	for (size_t i = 0; i < page->n_slots; i++) {
		left = left || may_be_left(assessment, by_pid, &page->slots[i]);
		has_sessions |= page->slots[i].backend_pid != 0;
	}
	bool newer = are_rows_newer(assessment, page);
	/* another machine's names mean nothing here */
	enum same same = !page->host && read_door(page->server, &door)
		? compare_doors(assessment, &door)
		: SAME_UNSURE;
	pool->elsewhere = !pool->here && !left &&
		(same == SAME_NO || (same == SAME_UNSURE && has_sessions && newer));
	pool->unsure = same == SAME_UNSURE && !pool->here && !pool->elsewhere;
	pool->spent = page->status == POOL_PAGE_DEAD && !pool->elsewhere && newer && !left &&
		!is_named_after(assessment, page);
}

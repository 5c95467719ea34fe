/* The local proxy, watched: who listens on its port, what its health endpoint says, and whether a
 * round trip to the server goes through it. One const struct proxy a look.
 *
 * When dbtop's own connection goes through it, each answer on that is the round trip. Else a
 * connection attempt is made, twice a minute and never more: it takes a slot of the server for a
 * moment. */
#ifndef COLLECT_PROXY_H
#define COLLECT_PROXY_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct params;
struct peers_target;
struct proxy;
struct proxy_watch;

struct proxy_options {
	const char *process; /* the name of its program; copied */
	uint16_t port; /* 0: where dbtop connects to, when that is on this machine: a port, or a
			  Unix socket */
	const char *health;          /* URL; "": it is not asked; copied */
	bool expected;               /* its absence is worth a word */
	const struct params *params; /* of connection attempts; copied */
	void *data;
	void (*published)(void *data); /* proxy_watch_latest() is new */
};

/* How dbtop's own connection stands. */
struct proxy_own {
	const struct peers_target *where;
	bool answers;    /* the last answer is not overdue */
	int64_t latency; /* µs */
};

/* Never NULL. */
struct proxy_watch *proxy_watch_new(uv_loop_t *loop, const struct proxy_options *options);

/* The handles close in the loop's next turns; a look under way keeps its memory until it is done.
 * NULL is allowed. */
void proxy_watch_free(struct proxy_watch *watch);

/* Looks, unless the last look is younger than `after` µs or still under way. `own` is copied. */
void proxy_watch_look(struct proxy_watch *watch, const struct proxy_own *own, int64_t after);

/* dbtop's own connection got an answer: the round trip, when it goes through the proxy. */
void proxy_watch_answered(struct proxy_watch *watch, int64_t latency);

/* Whether all is known that the first look brings, a connection attempt included. */
bool proxy_watch_is_settled(const struct proxy_watch *watch);

/* Borrowed; NULL without a proxy to look for, or before the first look. */
const struct proxy *proxy_watch_latest(const struct proxy_watch *watch);

#endif

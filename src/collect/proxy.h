/* Watches the local proxy: who listens on its port, what its health endpoints report, and whether a
 * round trip to the server goes through it. Each scan makes one const struct proxy.
 *
 * If dbtop's own connection goes through the proxy, each answer on it is the round trip. Otherwise
 * dbtop makes connection attempts, normally twice a minute, more often after a failure: each takes
 * a slot of the server for a moment. */
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
	uint16_t port;       /* 0: the port or Unix socket that dbtop connects to, if it is on this
				machine */
	const char *health;  /* URL; "": not asked; copied */
	bool expected;       /* report it if the proxy is absent */
	const struct params *params; /* for connection attempts; copied */
	void *data;
	void (*published)(void *data); /* proxy_watch_latest() is new */
};

/* The state of dbtop's own connection. */
struct proxy_own {
	const struct peers_target *where;
	bool answers;    /* no answer is overdue */
	int64_t latency; /* µs */
};

/* Never NULL. */
struct proxy_watch *proxy_watch_new(uv_loop_t *loop, const struct proxy_options *options);

/* The handles close in the loop's next turns; a running scan keeps its memory until it is done.
 * NULL is allowed. */
void proxy_watch_free(struct proxy_watch *watch);

/* Scans, unless the last scan is younger than `after` µs or still running. `own` is copied. */
void proxy_watch_scan(struct proxy_watch *watch, const struct proxy_own *own, int64_t after);

/* True if everything that the first scan leads to is known, including a connection attempt. A first
 * scan that takes too long is awaited; a later one is not. */
bool proxy_watch_is_complete(const struct proxy_watch *watch);

/* Borrowed; NULL if there is no proxy to scan for. Before the first scan is done its status is
 * PROXY_UNKNOWN. */
const struct proxy *proxy_watch_latest(const struct proxy_watch *watch);

#endif

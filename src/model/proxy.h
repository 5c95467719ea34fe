/* The local proxy between applications and a server: the Cloud SQL Auth Proxy, or any other TCP
 * forwarder. Plain data, const once published. Strings are clean (base/text) and live in the
 * block's arena; NULL is "not known". */
#ifndef MODEL_PROXY_H
#define MODEL_PROXY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/endpoint.h"
#include "model/peers.h"

struct arena;

enum proxy_status {
	PROXY_UNKNOWN,   /* no scan has said who listens on its port */
	PROXY_ABSENT,    /* no process listens on its port */
	PROXY_FOREIGN,   /* another program listens */
	PROXY_LISTENING, /* it listens; nothing more is known */
	PROXY_SERVING,   /* a round trip to the server went through it */
};

/* The result of its health endpoint. */
enum proxy_health {
	PROXY_HEALTH_NOT_ASKED,
	PROXY_HEALTH_OFF, /* connection refused: it runs without --health-check */
	PROXY_HEALTH_OK,
	PROXY_HEALTH_NOT_STARTED,
	PROXY_HEALTH_STOPPED,
	PROXY_HEALTH_FULL,    /* its limit of connections is reached */
	PROXY_HEALTH_FAILING, /* a 503 with an unknown text */
	PROXY_HEALTH_STRANGE, /* another program than the proxy answers there */
};

/* The answers of /startup, /liveness and /readiness, in this order. */
#define PROXY_PROBES 3

struct proxy_probe {
	enum proxy_health health;
	const char *text; /* the first line of the body, or why there is none */
	int open, max;    /* with PROXY_HEALTH_FULL: number of connections; else −1 */
};

struct proxy {
	struct arena *arena; /* owns everything here, the block too */
	int refs;
	const char *wanted; /* the name of the proxy's program, from the configuration */
	uint16_t port;
	bool expected; /* the configuration names it: it is reported if it is absent */
	enum proxy_status status;
	const char *detail; /* why the status is not better, or a remark; NULL */

	struct endpoint listener; /* where it listens; AF_UNSPEC if it does not */
	uint32_t inode;           /* of the listening socket; 0 */
	struct process process;   /* the process that listens; pid 0: none, or not visible */
	const char *executable;   /* the path of its executable */
	uint32_t uid;             /* of the listening socket's owner; UINT32_MAX */
	uint32_t our_uid;

	bool our_path;          /* dbtop's own connection goes through it */
	int64_t latency;        /* µs of the last round trip; −1 before the first */
	int64_t proven_at;      /* our wall clock at that round trip; INSTANT_UNKNOWN */
	const char *probe_name; /* application_name that only our connection attempts use: such a
				   session is dbtop's own; NULL */

	const char *health_url; /* NULL: not configured */
	struct proxy_probe probes[PROXY_PROBES];
	int64_t health_at; /* our wall clock when it answered; INSTANT_UNKNOWN */

	/* The client ends of connections to its port and their owners; NULL without a listener. A
	 * reference. */
	const struct peers *peers;
};

struct proxy *proxy_new(void);
struct proxy *proxy_ref(const struct proxy *proxy);
/* Drops a reference; NULL is allowed. */
void proxy_unref(const struct proxy *proxy);

/* Whether the screen shows it; false for NULL. */
bool proxy_is_shown(const struct proxy *proxy);

/* Whether the process is the proxy or a part of it: it listens as well, or has the same program and
 * user as the process that listens. Some proxies have a process for each connection. */
bool proxy_is_process(const struct proxy *proxy, const struct process *process);

/* "unknown", "absent", "foreign", "listening", "serving" */
const char *proxy_status_name(enum proxy_status status);
/* A short description for people: "health endpoint off". */
const char *proxy_health_phrase(enum proxy_health health);
/* "startup", "liveness", "readiness" */
const char *proxy_probe_name(size_t probe);

#endif

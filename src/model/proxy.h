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
	PROXY_ABSENT,    /* nobody listens on its port */
	PROXY_FOREIGN,   /* somebody else does */
	PROXY_LISTENING, /* it does, and that is all that is known */
	PROXY_SERVING,   /* a round trip to the server went through it */
};

/* What its health endpoint says. */
enum proxy_health {
	PROXY_HEALTH_NOT_ASKED,
	PROXY_HEALTH_OFF, /* connection refused: it runs without --health-check, nothing more */
	PROXY_HEALTH_OK,
	PROXY_HEALTH_NOT_STARTED,
	PROXY_HEALTH_STOPPED,
	PROXY_HEALTH_FULL,    /* its limit of connections is reached */
	PROXY_HEALTH_FAILING, /* a 503 in words we do not know */
	PROXY_HEALTH_STRANGE, /* whatever answers there is not the proxy's health endpoint */
};

/* The answers of /startup, /liveness and /readiness, in this order. */
#define PROXY_PROBES 3

struct proxy_probe {
	enum proxy_health health;
	const char *text; /* the body's first line, or why there is none */
	int open, max;    /* with PROXY_HEALTH_FULL: connections; else −1 */
};

struct proxy {
	struct arena *arena; /* owns everything here, the block itself too */
	int refs;
	const char *wanted; /* the name of the proxy's program, by the configuration */
	uint16_t port;
	bool expected; /* the configuration speaks of it: its absence is worth a word */
	enum proxy_status status;
	const char *detail; /* why it is no better, or what is remarkable; NULL */

	struct endpoint listener; /* where it listens; AF_UNSPEC when it does not */
	uint32_t inode;           /* of the listening socket; 0 */
	struct process process;   /* who listens; pid 0: nobody, or not visible */
	const char *executable;   /* its file's path */
	uint32_t uid;             /* of the listening socket's owner; UINT32_MAX */
	uint32_t our_uid;

	bool our_path;          /* dbtop's own connection goes through it */
	int64_t latency;        /* µs of the last round trip; −1 before the first */
	int64_t proven_at;      /* our wall clock, of that; INSTANT_UNKNOWN */
	const char *probe_name; /* application_name of our connection attempts, which nobody else
				   has: such a session is dbtop's own; NULL */

	const char *health_url; /* NULL: it is not asked */
	struct proxy_probe probes[PROXY_PROBES];
	int64_t health_at; /* our wall clock, of the answers; INSTANT_UNKNOWN */

	/* The clients' ends of connections to its port, and who holds them; NULL without a
	 * listener. A reference. */
	const struct peers *peers;
};

struct proxy *proxy_new(void);
struct proxy *proxy_ref(const struct proxy *proxy);
/* NULL is allowed. */
void proxy_unref(const struct proxy *proxy);

/* Whether a screen has anything to say of it; false for NULL. */
bool proxy_is_shown(const struct proxy *proxy);

/* Whether this is the proxy, or a part of it: it listens, too, or it is of the same program and
 * user as whoever does (some have a process for each connection). */
bool proxy_is_process(const struct proxy *proxy, const struct process *process);

/* "absent", "foreign", "listening", "serving" */
const char *proxy_status_name(enum proxy_status status);
/* A few words for people: "health endpoint off". */
const char *proxy_health_phrase(enum proxy_health health);
/* "startup", "liveness", "readiness" */
const char *proxy_probe_name(size_t probe);

#endif

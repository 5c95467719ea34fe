/* The judged picture of one server at one instant: what the screen shows and --json prints. Built
 * by analyze/assess, const from then on; view, report and action read it and nothing else. */
#ifndef MODEL_ASSESSMENT_H
#define MODEL_ASSESSMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/activity.h"
#include "model/peers.h"
#include "model/pool.h"
#include "model/verdict.h"

struct arena;

enum server_status {
	SERVER_CONNECTING,
	SERVER_OK,
	SERVER_FULL,    /* SQLSTATE 53300: no slot left for us */
	SERVER_REFUSED, /* nobody answers, or it hung up */
	SERVER_DENIED,  /* credentials, pg_hba.conf, no such database */
	SERVER_STALE,   /* connected, but the last answer is overdue */
};

/* What is said wherever something is refused because of server_state.pooler. */
#define POOLER_REASON "through a pooler: connect to PostgreSQL itself"

/* Where and how we are connected; strings are clean, NULL when not known. */
struct server_state {
	enum server_status status;
	const char *host; /* as asked for: a name, an address, or a socket's folder */
	int port;
	const char *database, *user;
	const char *error; /* what the server or libpq said last; NULL when all is well */
	const char *hint;  /* what to do next; NULL when there is nothing to say */
	char sqlstate[6];  /* "" when none */
	bool pooler;       /* connected through a pooler: no session is surely our own */
	int64_t latency;   /* µs of the last statement; −1 before the first */
	int64_t retry_at;  /* when the next attempt is due (wall); INSTANT_UNKNOWN when connected */
};

/* The sources that are always there, by their index; after them comes one for each PgBouncer. */
enum source_id {
	SOURCE_ACTIVITY,
	SOURCE_PEERS,
	SOURCE_PAGES,
};
#define SOURCE_COUNT (SOURCE_PAGES + 1)

enum source_status {
	SOURCE_WAITING, /* no answer yet */
	SOURCE_OK,
	SOURCE_STALE, /* the rows are older than they should be */
	SOURCE_FAILED,
};

struct source_state {
	const char *name; /* "activity", "pgbouncer 127.0.0.1:6432" */
	enum source_status status;
	int64_t taken_at; /* of the rows shown; INSTANT_UNKNOWN without any */
	const char *error;
};

/* How a connection's process was found. */
enum matched_by {
	MATCHED_NONE,
	MATCHED_PAGE,
	MATCHED_TCP,
	MATCHED_UNIX,
	MATCHED_PGBOUNCER,
	MATCHED_PROXY,
	MATCHED_NAME,
};
#define MATCHED_COUNT (MATCHED_NAME + 1)

/* What became of the client's end. */
enum client_end {
	CLIENT_END_UNKNOWN,     /* not looked yet, or what we see proves nothing */
	CLIENT_END_ELSEWHERE,   /* on another machine, or behind something that hides it */
	CLIENT_END_NOT_VISIBLE, /* here, but we may not see which process holds it */
	CLIENT_END_HELD,        /* a process of this machine holds it */
	CLIENT_END_GONE,        /* it was here, and no socket has it any more */
};
#define CLIENT_END_COUNT (CLIENT_END_GONE + 1)

#define NO_PROCESS UINT32_MAX

/* One connection with everything known of it. */
struct connection {
	const struct backend *backend;
	struct verdict verdict;
	enum client_end end;
	enum matched_by matched_by; /* MATCHED_NONE without a process */
	uint32_t process;           /* index into the assessment's processes, or NO_PROCESS */
	uint32_t holder;    /* likewise: who holds the client end itself; a pooler or a proxy, where
			       process is the application behind it */
	bool seen_here;     /* its client end was seen in this namespace, now or before */
	int64_t first_seen; /* our wall clock, when the first statement that showed it was sent */
	bool looked;        /* the sockets were dumped after that */
	int64_t missed_at;  /* the first dump that lacked an end that was seen here before, and of
			       which nothing else tells; INSTANT_UNKNOWN otherwise */
	int64_t hidden_since; /* the first of the dumps in a row that did not tell who holds its
				 end; INSTANT_UNKNOWN otherwise */
	uint32_t end_inode; /* of the client end's socket, which a process has open; 0: not seen */
	bool proxied;       /* the local proxy is in between: the client's end is the proxy's */
	bool in_scope;      /* --app: shown and acted on */

	/* Its pool: of libdbpool when there is a slot, PgBouncer's when there is a server. NULL is
	 * none, or not certain. */
	const struct pool *pool;
	const struct pool_slot *slot;
	bool slot_certain;  /* the kernel bears the slot's page out. Else the page may protect the
			       session, but not call it a leak */
	bool declared_gone; /* the slot's process is dead, and only its page tells of the client */
	const char *evidence; /* one line beside the verdict; NULL when there is nothing to say */
	const struct bouncer_server *bouncer_server; /* PgBouncer is the backend's client … */
	const struct bouncer_client *bouncer_client; /* … on behalf of this one, at the instant
							the row was taken */
};

/* A process at the other end of connections; also one that is gone, while they live on. */
struct client_process {
	struct process process;
	uint32_t connections, leaked; /* in scope */
	bool alive;
};

/* A process that is connected to the local proxy. */
struct proxy_client {
	uint32_t process; /* index into the assessment's processes */
	uint32_t sockets; /* it holds to the proxy's port … */
	uint32_t matched; /* … and connections that are known to be its */
};

/* max = used + free + reserved unless reserved slots are in use. −1 is "not known". */
struct slots {
	int max, reserved, used, free;
	int by_status[STATUS_COUNT]; /* sums up to used; −1 each when not known */
};

/* What the verdicts were judged by, µs. */
struct rules_limits {
	int64_t idle, transaction, held;
};

struct assessment {
	struct arena *arena; /* owns all but the sources' blocks, which it holds references to */
	int64_t now;         /* our wall clock, when it was made */
	int64_t monotonic;   /* the same moment by the clock that nobody sets */
	int64_t clock_step;  /* µs by which the wall clock was set since the assessment before */
	int64_t server_now;  /* the server's, at that moment; ages are judged by it */
	struct server_state server;
	struct source_state *sources; /* SOURCE_COUNT at least */
	size_t n_sources;
	const struct activity *activity; /* NULL before the first answer */
	const struct peers *peers;       /* NULL before the first dump */
	const struct pool_pages *pages;  /* NULL before the first look */
	const struct bouncer **bouncers; /* those that answered so far */
	size_t n_bouncers;
	const struct proxy *proxy; /* NULL without one to look for, and before the first look */
	const struct lock_table *locks; /* NULL unless a page wants it, and before its answer */
	struct rules_limits limits;
	struct slots slots;
	struct connection *connections; /* in the activity's order; system processes left out */
	size_t n_connections;
	struct client_process *processes;
	size_t n_processes;
	struct proxy_client *proxy_clients; /* the one with the most sockets first */
	size_t n_proxy_clients;
	struct pool *pools; /* PgBouncer's own admin database left out */
	size_t n_pools;
	struct bouncer_match *matches; /* of PgBouncers' clients: what the next assessment may
					  recall */
	size_t n_matches;
	struct waiter *waiters; /* the one that waits for longest first */
	size_t n_waiters;
	size_t n_leaked; /* in scope */
	bool settled;    /* every client end has been looked for since its backend came up */
};

const char *server_status_name(enum server_status status);
const char *source_status_name(enum source_status status);
/* "held", "not_visible" */
const char *client_end_name(enum client_end end);
/* NULL for MATCHED_NONE. */
const char *matched_by_name(enum matched_by matched_by);

/* The connection's process, or NULL. */
const struct client_process *assessment_process(
	const struct assessment *assessment, const struct connection *connection);

/* "app @ 127.0.0.1:5432", for logs: what is not known is "?". In the arena. */
const char *assessment_server(const struct assessment *assessment, struct arena *arena);

/* Frees it and drops its references; NULL is allowed. */
void assessment_free(struct assessment *assessment);

#endif

/* The state of one server at one instant, joined and judged: what the screen shows and --json
 * prints. analyze/assess makes it, and it is const afterwards. view, report and action read only
 * the assessment. */
#ifndef MODEL_ASSESSMENT_H
#define MODEL_ASSESSMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/activity.h"
#include "model/host_ends.h"
#include "model/peers.h"
#include "model/pool.h"
#include "model/verdict.h"

struct arena;

enum server_status {
	SERVER_CONNECTING,
	SERVER_OK,
	SERVER_FULL,           /* no slot left for our session */
	SERVER_ROLE_LIMIT,     /* the role has reached its CONNECTION LIMIT; the server has room */
	SERVER_DATABASE_LIMIT, /* the same of the database */
	SERVER_REFUSED,        /* no answer, or the server closed the connection */
	SERVER_DENIED,         /* wrong credentials, pg_hba.conf, no such database */
	SERVER_STALE,          /* connected, but the last answer is overdue */
};

/* The reason shown for every action that is refused because of server_state.pooler. */
#define POOLER_REASON "through a pooler: connect to PostgreSQL itself"

/* The server and our connection to it; strings are clean, NULL when not known. */
struct server_state {
	const char *name; /* of the configuration */
	enum server_status status;
	const char *host; /* as the user gave it: a name, an address, or a socket's folder */
	int port;
	const char *database, *user;
	const char *error; /* the last error of the server or libpq; NULL if there is none */
	const char *hint;  /* what the user can do next; NULL if there is no advice */
	char sqlstate[6];  /* "" when none */
	bool pooler;       /* connected through a pooler: dbtop cannot know its own session */
	int64_t latency;   /* µs of the last query; −1 before the first */
	int64_t retry_at;  /* when the next attempt is due (wall clock); INSTANT_UNKNOWN when
			      connected */
};

/* The sources that always exist, by their index. One for each PgBouncer follows. */
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
	int64_t taken_at; /* when the rows were taken; INSTANT_UNKNOWN if there are none */
	const char *error;
};

/* How the process of a connection was found. */
enum matched_by {
	MATCHED_NONE,
	MATCHED_PAGE,
	MATCHED_TCP,
	MATCHED_UNIX,
	MATCHED_NAT,       /* its end is known through the kernel's translation of addresses */
	MATCHED_NAMESPACE, /* its socket is in another network namespace of this machine */
	MATCHED_PGBOUNCER,
	MATCHED_PROXY,
	MATCHED_NAME,
	MATCHED_HOST, /* the dbtop of another machine says that a process there holds its end */
	MATCHED_FORWARDER, /* a forwarder holds its end, and the process the far end of that */
};
#define MATCHED_COUNT (MATCHED_FORWARDER + 1)

/* What is known of a client end. */
enum client_end {
	CLIENT_END_UNKNOWN,     /* not scanned yet, or the scan proves nothing */
	CLIENT_END_ELSEWHERE,   /* on another machine, or behind something that hides it */
	CLIENT_END_NOT_VISIBLE, /* on this machine, but we may not see which process holds it */
	CLIENT_END_HELD,        /* a process of this machine, or of a host, holds it */
	CLIENT_END_GONE,        /* it was there, and no socket has it any more */
};
#define CLIENT_END_COUNT (CLIENT_END_GONE + 1)

#define NO_PROCESS UINT32_MAX

/* A process behind a forwarder. */
struct far_process {
	int32_t pid;
	const char *name;
};

/* One connection with all that is known of it. */
struct connection {
	const struct backend *backend;
	struct verdict verdict;
	enum client_end end;
	enum matched_by matched_by; /* MATCHED_NONE without a process */
	uint32_t process;           /* index into the assessment's processes, or NO_PROCESS */
	uint32_t owner;  /* likewise: the process that holds the client end itself. That is a pooler
			     or a proxy where `process` is the application behind it */
	bool seen_here;  /* its client end was seen in this namespace, now or before */
	bool scanned;    /* the sockets were dumped after first_seen */
	bool listening;  /* a LISTEN was seen, and since then no UNLISTEN * or DISCARD ALL */
	bool backing_up; /* the start of a base backup was seen, and its end not */
	bool proxied;    /* the local proxy is in between, and holds the client end */
	bool unsettled;  /* presumed leaked, but what would protect it could not be read */
	bool pool_unseen;     /* by its name a pool's, whose stats page is not among those read */
	bool in_scope;        /* selected by --app: shown, and may be ended */
	bool slot_certain;    /* the kernel confirms the slot's page. Otherwise the page may protect
				 the session, but cannot make it leaked */
	bool declared_gone;   /* the slot's process is dead, and only its page tells
			       * about the client */
	int64_t first_seen;   /* our wall clock, when the query that first showed it was sent */
	int64_t missed_at;    /* the first dump without an end that was seen here before, if nothing
				 else explains it; else INSTANT_UNKNOWN */
	int64_t hidden_since; /* the first of the consecutive dumps that did not show who holds its
				 end; else INSTANT_UNKNOWN */
	uint64_t
		end_network; /* the network namespace in which its end was seen last; 0: not seen */
	struct endpoint end_local, end_remote; /* the client's end as the client has it, if that is
						  translated on its way; else AF_UNSPEC */
	int64_t client_awaited_since; /* server clock: since when it is active but waits for its
					 client, as far as was seen; else INSTANT_UNKNOWN */
	int64_t waits_for_client; /* µs of that, if longer than the limit of transactions; else −1
				   */
	uint32_t end_inode; /* the inode of the client end's socket, which a process has open; 0:
			       not seen */
	int shared_by; /* how many processes have the socket of its client end open; 0: not known */
	int32_t forwarder;  /* the pid of the forwarder that holds its client end, if `process` is
			       behind that; 0 */
	uint32_t far_inode; /* the socket of that process; 0 */
	/* The processes behind its forwarder that it may belong to. */
	const struct far_process *may_be;
	size_t n_may_be;
	uint64_t host_run;    /* the run of a host's agent that showed its end as held; 0: none */
	uint64_t host_missed; /* the first answer of that run without the end; 0: none */
	int64_t polled_first; /* monotonic: when the first rows that have it were asked for; only
				 set where hosts are asked */

	/* Its pool: of libdbpool if slot is set, of PgBouncer if bouncer_server is set. NULL: none,
	 * or not certain. */
	const struct pool *pool;
	const struct pool_slot *slot;
	const char *evidence; /* one line shown beside the verdict; NULL if there is none */
	const struct bouncer_server *bouncer_server; /* set if PgBouncer is the backend's client */
	/* the client that PgBouncer served when the row was taken */
	const struct bouncer_client *bouncer_client;
};

/* A process at the other end of connections. A process that ended is kept while its connections
 * exist. */
/* The connections that a process opened in the last minute, by parts of 5 seconds; the first part
 * is the present one. */
#define OPENINGS_PARTS 12
struct openings {
	int64_t number; /* of the present part, on the monotonic clock */
	uint32_t counts[OPENINGS_PARTS];
};

struct client_process {
	struct process process;
	uint32_t connections, leaked; /* connections in scope */
	uint32_t logging_in;          /* its sockets without a session */
	bool alive;
	struct openings openings;
};

/* A process that is connected to the local proxy. */
struct proxy_client {
	uint32_t process; /* index into the assessment's processes */
	uint32_t sockets; /* its sockets to the proxy's port */
	uint32_t matched; /* connections that are known to be its own */
};

/* max = used + free + reserved, unless reserved slots are in use. −1: not known.
 *
 * A row that is hidden from our role may be a worker, and a socket without a session may belong to
 * a client that has sent nothing yet: these hold no slot. Then `used` and `free` are not known, and
 * the other two count each of them as a slot. */
struct slots {
	int max, reserved, used, free;
	int used_at_most, free_at_least;
	int logging_in; /* sockets to the server whose clients have not logged in yet */
	int by_status[STATUS_COUNT]; /* of the sessions; each −1 when not known */
};

/* All −1. */
struct slots slots_unknown(void);

enum slot_limit_kind {
	SLOT_LIMIT_ROLE,
	SLOT_LIMIT_DATABASE,
};
#define SLOT_LIMIT_KIND_COUNT (SLOT_LIMIT_DATABASE + 1)

/* The CONNECTION LIMIT of a role or a database that has sessions. */
struct slot_limit {
	enum slot_limit_kind kind;
	const char *name;
	int limit; /* −1: none; a superuser's role has none */
	int used;  /* −1: hidden rows may be workers, which do not count */
	int used_at_most;
};

/* The sockets of one process, or of one address, that have no session yet. */
struct login {
	uint32_t process;       /* index into the assessment's processes, or NO_PROCESS */
	struct endpoint client; /* without a process: its address, port 0; AF_UNSPEC: not known */
	uint32_t count;
};

/* A socket to the server for which no row was seen. Rows prove that it has no session if a dump
 * before they were asked for and a dump after their answer both show it. */
struct sessionless {
	struct endpoint client; /* AF_UNIX: over a Unix socket */
	uint32_t inode;         /* of the server's end, or of the client's if only that is seen */
	uint32_t client_inode;  /* 0: not seen */
	int64_t since;          /* monotonic: the end of the first dump that showed it */
	int64_t polled_at;      /* monotonic: the answer of the first rows that were asked for after
				   `since`; INSTANT_UNKNOWN: none yet */
	bool is_first;          /* the first dump showed it already */
	bool is_proven;
	bool is_doubtful; /* nobody here can see which backend holds it: it may have a session */
};

/* The doubtful sockets beyond the number of sessions that may have one of them. */
struct doubtful_logins {
	size_t at_most; /* by the latest dump and the latest rows */
	size_t count;   /* proven by a dump before and after the same rows */
	bool is_decided;
};

/* Where the server is, as far as our own connection proves it. */
struct server_place {
	bool here;         /* on this machine, in our pid namespace */
	bool network_here; /* its TCP sockets are in our network namespace */
	bool unchanged;    /* it sees our address as we do */
};

/* The limits of the verdicts, in µs; `held` is RULES_NO_LIMIT where the pools' own limits count. */
struct rules_limits {
	int64_t idle, transaction, held;
};

/* Whether a session at rest will be presumed leaked if it rests for as long again: nothing protects
 * it, and more than half of its limit has passed. */
bool verdict_is_old(const struct verdict *verdict, const struct rules_limits *limits);

/* Another machine whose dbtop is asked. */
struct asked_host {
	const struct host_ends *latest; /* NULL before its first answer */
	bool is_up;                     /* its agent runs and answers, as far as is known */
	struct asked_end *wanted;       /* the ends that it may know */
	size_t n_wanted;
	bool has_answered; /* `latest` has all of them, and not from before they were wanted */
};

struct assessment {
	struct arena *arena; /* owns everything except the sources' blocks, to which it holds
				references */
	int64_t now;         /* our wall clock, when it was made */
	int64_t monotonic;   /* the same moment on the monotonic clock */
	int64_t clock_step;  /* µs by which the wall clock was set since the previous assessment */
	int64_t server_now;  /* the server's clock at that moment; ages are relative to it */
	struct server_state server;
	struct source_state *sources; /* SOURCE_COUNT at least */
	size_t n_sources;
	const struct activity *activity; /* NULL before the first answer */
	const struct peers *peers;       /* NULL before the first dump */
	const struct pool_pages *pages;  /* NULL before the first scan of the pages */
	const struct bouncer **bouncers; /* of the PgBouncers that have answered */
	size_t n_bouncers;
	struct asked_host *hosts; /* each one that was configured, in that order */
	size_t n_hosts;
	const struct proxy *proxy; /* NULL if no proxy is expected, and before the first scan */
	const struct lock_table *locks; /* NULL unless a screen needs it, and before its answer */
	const struct session_ends *session_ends; /* NULL when not known */
	struct rules_limits limits;
	struct slots slots;
	struct connection *connections; /* in the activity's order; without system processes */
	size_t n_connections;
	struct client_process *processes;
	size_t n_processes;
	struct proxy_client *proxy_clients; /* the one with the most sockets first */
	size_t n_proxy_clients;
	struct slot_limit *slot_limits; /* the tightest first; NULL: not known */
	size_t n_slot_limits;
	struct server_place place;
	struct login *logins; /* the one with the most sockets first */
	size_t n_logins;
	struct sessionless *sessionless;
	size_t n_sessionless;
	struct doubtful_logins doubtful;
	bool logins_known;  /* all of the server's sockets are in sight */
	struct pool *pools; /* without PgBouncer's own admin database */
	size_t n_pools;
	struct bouncer_match *matches; /* matches of PgBouncers' clients, for the next assessment */
	size_t n_matches;
	struct waiter *waiters; /* the one that has waited longest first */
	size_t n_waiters;
	size_t n_leaked; /* connections in scope */
	bool complete;   /* every client end was scanned since its backend started */
};

/* "role_limit", as in JSON */
const char *server_status_name(enum server_status status);
/* The same for people: "role limit" */
const char *server_status_words(enum server_status status);
const char *source_status_name(enum source_status status);
/* "held", "not_visible" */
const char *client_end_name(enum client_end end);
/* NULL for MATCHED_NONE. */
const char *matched_by_name(enum matched_by matched_by);

/* "role", "database" */
const char *slot_limit_kind_name(enum slot_limit_kind kind);
/* How many more sessions it allows at least; it must have a limit. */
int slot_limit_left(const struct slot_limit *limit);
/* The limit that leaves less room than the server itself; NULL if none does. */
const struct slot_limit *assessment_binding_limit(const struct assessment *assessment);

/* µs: the age of the oldest transaction of a client other than dbtop; 0: none is open. */
int64_t assessment_oldest_transaction(const struct assessment *assessment);
/* The sessions that wait for a lock. */
int assessment_count_lock_waits(const struct assessment *assessment);

/* The connection's process, or NULL. */
const struct client_process *assessment_process(
	const struct assessment *assessment, const struct connection *connection);

/* The same, if it is of this machine: only these have a pid here that may be signalled, watched or
 * compared. */
const struct client_process *assessment_local_process(
	const struct assessment *assessment, const struct connection *connection);

/* "app @ 127.0.0.1:5432", for logs: a part that is not known is "?". In the arena. */
const char *assessment_server(const struct assessment *assessment, struct arena *arena);

/* How one of several servers is called: by the configuration, else the same. In the arena. */
const char *assessment_server_name(const struct assessment *assessment, struct arena *arena);

/* Frees it and drops its references; NULL is allowed. */
void assessment_free(struct assessment *assessment);

#endif

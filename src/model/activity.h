/* The result of one query of pg_stat_activity: plain data, const once published.
 *
 * Every string is clean (base/text) and in the block's arena. NULL means that the server did not
 * show it to our role, or that there is none. */
#ifndef MODEL_ACTIVITY_H
#define MODEL_ACTIVITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/endpoint.h"
#include "model/statement.h"

struct arena;

/* backend_type, as far as the verdicts need it. */
enum backend_kind {
	BACKEND_CLIENT,    /* uses one of max_connections' slots */
	BACKEND_WALSENDER, /* has slots of its own (max_wal_senders) */
	BACKEND_OTHER,     /* workers and others: use none of our slots */
	BACKEND_HIDDEN,    /* the row is hidden from our role: treated as a client */
};
#define BACKEND_KIND_COUNT (BACKEND_HIDDEN + 1)

/* pg_stat_activity.state. */
enum backend_state {
	BACKEND_STATE_UNKNOWN,  /* NULL, "disabled" (track_activities is off), or an unknown word */
	BACKEND_STATE_STARTING, /* authenticating; shown since PostgreSQL 18 */
	BACKEND_STATE_ACTIVE,
	BACKEND_STATE_FASTPATH,
	BACKEND_STATE_IDLE,
	BACKEND_STATE_IN_TRANSACTION,
	BACKEND_STATE_IN_ABORTED_TRANSACTION,
};

/* One session, identified by pid and backend_start: pids are used again. */
struct backend {
	int32_t pid;
	int64_t start; /* backend_start; unknown when the row is hidden */
	enum backend_kind kind;
	enum backend_state state;
	int64_t state_change, xact_start, query_start; /* server clock; INSTANT_UNKNOWN for NULL */
	const char *database, *user, *application_name;
	struct endpoint client; /* AF_UNIX for client_port −1; AF_UNSPEC when hidden */
	const char *state_text; /* as the server reports it */
	const char *wait_event_type, *wait_event;
	const char *query;                /* NULL when hidden or not asked for */
	struct statement_effects effects; /* of the last statement */
	bool advisory_lock;               /* it holds an advisory lock */
	const char *lock_waiters; /* "4711, 4712": the backends that wait for one of its advisory
				     locks; NULL if there are none */
	/* the CONNECTION LIMIT of its role and of its database; −1: none, or not known */
	int32_t role_limit, database_limit;
	int32_t xmin_age; /* transactions that have begun since its snapshot was taken; 0: none,
			     or not known */
};

/* Facts about the server, read in each poll. */
struct server_facts {
	int32_t version;         /* server_version_num, 150020 */
	int32_t max_connections; /* −1: our role may not ask */
	int32_t port;            /* on which it listens; 0: not known */
	int32_t reserved; /* likewise; superuser_reserved_connections + reserved_connections (16 and
			     up) */
	int64_t started_at; /* pg_postmaster_start_time() */
	int64_t clock;      /* the server's clock when it answered */
	int32_t own_pid;    /* our backend; 0 when connected through a pooler */
	int32_t pooled_pid; /* then the pooler's, which answered; otherwise 0 */
	bool superuser;     /* our role: what it may see and end */
	bool sees_all;      /* has the privileges of pg_read_all_stats */
	bool signals;       /* has the privileges of pg_signal_backend */
	/* Timeouts that are off; false where that is not known, or the server has none. */
	bool no_check_interval;      /* client_connection_check_interval */
	bool no_idle_in_transaction; /* idle_in_transaction_session_timeout */
	bool no_idle_session;        /* idle_session_timeout */
};

struct activity {
	struct arena *arena; /* owns everything here, the block too */
	int refs;
	int64_t asked_at;                         /* our wall clock when the query was sent */
	int64_t taken_at;                         /* our wall clock when its answer was complete */
	int64_t asked_monotonic, taken_monotonic; /* the same by the monotonic clock, which cannot
						     be set: for comparisons with other sources */
	struct server_facts server;
	bool locks_known;  /* advisory locks were read */
	bool limits_known; /* the limits of roles and databases were read */
	struct backend *backends;
	size_t n_backends;
};

/* Makes a block in an arena of its own, with one reference. */
struct activity *activity_new(void);
struct activity *activity_ref(const struct activity *activity);
/* Drops a reference; NULL is allowed. */
void activity_unref(const struct activity *activity);

/* Converts PostgreSQL's word for a state. NULL and unknown words are BACKEND_STATE_UNKNOWN. */
enum backend_state backend_state_parse(const char *word);

/* "client", "walsender", "other", "hidden" */
const char *backend_kind_name(enum backend_kind kind);
/* Converts a backend_type. NULL is BACKEND_HIDDEN. */
enum backend_kind backend_kind_parse(const char *backend_type);

#endif

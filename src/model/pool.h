/* The connection pools between applications and the server, of two kinds: those that libdbpool
 * tells of on its stats pages, and PgBouncer's.
 *
 * Strings are clean (base/text); NULL is "not told". */
#ifndef MODEL_POOL_H
#define MODEL_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/bouncer.h"

struct arena;
struct process;

/* What a stats page's file turned out to be. Only POOL_PAGE_LIVE and POOL_PAGE_DEAD have contents.
 */
enum pool_page_status {
	POOL_PAGE_LIVE,    /* its process is there */
	POOL_PAGE_DEAD,    /* its process ended without removing it: evidence of what it held */
	POOL_PAGE_DAMAGED, /* cut off, or its contents contradict each other */
	POOL_PAGE_FOREIGN, /* no stats page at all, or another user's in our folder */
	POOL_PAGE_TOO_NEW, /* of a layout that this dbtop does not know */
};
#define POOL_PAGE_STATUS_COUNT (POOL_PAGE_TOO_NEW + 1)

enum pool_slot_state {
	POOL_SLOT_EMPTY,   /* no connection, or one that is being opened or closed */
	POOL_SLOT_RESERVE, /* idle in the pool */
	POOL_SLOT_IN_USE,  /* borrowed */
};
#define POOL_SLOT_STATE_COUNT (POOL_SLOT_IN_USE + 1)

/* One connection of a pool. */
struct pool_slot {
	uint32_t number; /* from 1, as in its application_name */
	enum pool_slot_state state;
	int32_t backend_pid;   /* 0 without a connection */
	int64_t backend_start; /* as the server told the pool; INSTANT_UNKNOWN */
	int64_t connected_at;  /* wall clock; INSTANT_UNKNOWN without a connection */
	int64_t since;         /* wall clock: in this state */
	const char *site;      /* "sync.c:212": where it was borrowed; NULL when it was not told */
	int32_t thread;        /* that borrowed it; 0 when not told */
	uint64_t borrowed;     /* how often it was lent */
};

/* One stats page: one pool of one process. */
struct pool_page {
	const char *path;
	enum pool_page_status status;
	const char *error; /* for people: why it is not shown; NULL when it is */
	const char *name;
	int32_t pid;
	uint64_t start_ticks; /* /proc/PID/stat, field 22: with pid its process's identity */
	uint32_t uid;         /* of the file's owner */
	bool owner_visible;   /* false: in another pid namespace, on another machine or hidden by
				 /proc; whether it lives is not known here, and its pid means
				 nothing */
	const struct process *process; /* what /proc told of it when it was read first; NULL when
					  not known */
	bool pid_taken;                /* POOL_PAGE_DEAD: a living process may carry the pid now */
	int64_t dead_since; /* POOL_PAGE_DEAD: our wall clock when it was found so first */
	const char *server; /* "127.0.0.1:5432", as the pool was told */
	const char *phase;  /* "running" */
	int min, max;
	int in_use, idle, waiting;
	uint64_t acquired_total, timeouts, errors;
	int64_t wait_p99;       /* µs; −1 before the first wait */
	int64_t held_max;       /* µs: of what is borrowed now; −1 when nothing is */
	const char *held_site;  /* of that one */
	int64_t pending_writes; /* −1: the application did not tell */
	int64_t uptime;         /* µs */
	int64_t read_at;        /* our wall clock */
	struct pool_slot *slots;
	size_t n_slots;
};

/* All pages of one look. */
struct pool_pages {
	struct arena *arena; /* owns everything here, the block itself too */
	int refs;
	int64_t read_at;
	struct pool_page *items;
	size_t count;
};

struct pool_pages *pool_pages_new(void);
struct pool_pages *pool_pages_ref(const struct pool_pages *pages);
/* NULL is allowed. */
void pool_pages_unref(const struct pool_pages *pages);

/* "live", "dead", "damaged", "foreign", "too new" */
const char *pool_page_status_name(enum pool_page_status status);

/* "empty", "reserve", "in_use" */
const char *pool_slot_state_name(enum pool_slot_state state);

enum pool_kind {
	POOL_DBPOOL,
	POOL_PGBOUNCER,
};

/* One line of the pools panel. Exactly one of page and bouncer is set. */
struct pool {
	enum pool_kind kind;
	const char *name; /* "app", "app/postgres" */
	const struct pool_page *page;
	const struct bouncer *console;      /* the PgBouncer it is of … */
	const struct bouncer_pool *bouncer; /* … and the pool in there */
	int64_t age;                        /* µs of what it says */
	uint32_t process; /* index into the assessment's processes: the page's; or NO_PROCESS */
	uint32_t connections, leaked; /* in scope */
	/* Of a page: */
	bool here;      /* a session of it was seen on this server, now or before */
	bool elsewhere; /* it is of another server, as far as can be told */
	bool spent;     /* its process is dead, and nothing of it is left on the server, by rows
			   that are younger than its end */
};

/* The process of a PgBouncer's client. */
struct bouncer_match {
	uint64_t identity; /* of the client */
	uint32_t process;  /* index into the assessment's processes, or NO_PROCESS */
	bool elsewhere;    /* its address is another machine's */
	bool hidden;       /* it is here, but not ours to see */
};

/* A client of PgBouncer that waits for a server connection. */
struct waiter {
	const struct bouncer_client *client;
	const struct bouncer *console;
	const struct pool *pool; /* NULL when it is not known which */
	uint32_t process; /* index into the assessment's processes; NO_PROCESS: elsewhere, or not
			     visible */
	bool in_scope;    /* --app: shown */
};

/* Whether it has a line of its own; the others are but counted. */
bool pool_is_shown(const struct pool *pool);

#define POOL_FOLDED_MAX 160

/* "3 pages of dead processes: nothing left behind · 2 pools of other servers": those of the pools
 * without a line; "" when each has one. *ret_spent tells how many are of the first kind; it may be
 * NULL. Returns text. */
char *pool_folded(const struct pool *pools, size_t n_pools, size_t *ret_spent,
	char text[static POOL_FOLDED_MAX]);

/* "dbpool", "pgbouncer" */
const char *pool_kind_name(enum pool_kind kind);

/* Connections in use, and how many there may be; −1 when not known. Of a page whose process is gone
 * nothing is in use. */
int pool_in_use(const struct pool *pool);
int pool_max(const struct pool *pool);
int pool_waiting(const struct pool *pool);

#endif

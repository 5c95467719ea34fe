/* The connection pools between applications and the server. There are two kinds: those that
 * libdbpool describes on its stats pages, and PgBouncer's.
 *
 * Strings are clean (base/text); NULL means not known. */
#ifndef MODEL_POOL_H
#define MODEL_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/bouncer.h"

struct arena;
struct process;

/* The kinds of stats page files. Only POOL_PAGE_LIVE and POOL_PAGE_DEAD have contents. */
enum pool_page_status {
	POOL_PAGE_LIVE,    /* its process runs */
	POOL_PAGE_DEAD,    /* its process ended without removing it: shows what it held */
	POOL_PAGE_DAMAGED, /* truncated, or its contents contradict each other */
	POOL_PAGE_FOREIGN, /* not a stats page, or another user's page in our folder */
	POOL_PAGE_TOO_NEW, /* of a layout that this dbtop does not support */
};
#define POOL_PAGE_STATUS_COUNT (POOL_PAGE_TOO_NEW + 1)

enum pool_slot_state {
	POOL_SLOT_EMPTY,   /* no connection, or it is being opened or closed */
	POOL_SLOT_RESERVE, /* idle in the pool */
	POOL_SLOT_IN_USE,  /* borrowed */
};
#define POOL_SLOT_STATE_COUNT (POOL_SLOT_IN_USE + 1)

/* One connection of a pool. */
struct pool_slot {
	uint32_t number; /* from 1, as in its application_name */
	enum pool_slot_state state;
	int32_t backend_pid;   /* 0 without a connection */
	int64_t backend_start; /* as the server reported it to the pool; INSTANT_UNKNOWN */
	int64_t connected_at;  /* wall clock; INSTANT_UNKNOWN without a connection */
	int64_t since;         /* wall clock: when this state began */
	const char *site;      /* "sync.c:212": where it was borrowed; NULL when not known */
	int32_t thread;        /* the borrower; 0 when not known */
	uint64_t borrowed;     /* how often it was borrowed */
	bool reported;         /* the pool has reported this hold as a leak */
};

#define POOL_HOOKS_MAX     16
#define POOL_HOOK_NAME_MAX 48

enum pool_hook_phase {
	POOL_HOOK_STOP,
	POOL_HOOK_FLUSH, /* writes what is pending */
	POOL_HOOK_CLOSED,
};
#define POOL_HOOK_PHASE_COUNT (POOL_HOOK_CLOSED + 1)

enum pool_hook_state {
	POOL_HOOK_WAITING,
	POOL_HOOK_RUNNING,
	POOL_HOOK_DONE,
	POOL_HOOK_FAILED,
	POOL_HOOK_LATE, /* over its deadline: the shutdown went on without it */
};
#define POOL_HOOK_STATE_COUNT (POOL_HOOK_LATE + 1)

/* A function of the application's that its pool runs at the shutdown. */
struct pool_hook {
	char name[POOL_HOOK_NAME_MAX]; /* clean */
	enum pool_hook_phase phase;
	enum pool_hook_state state;
	int result;       /* POOL_HOOK_DONE and POOL_HOOK_FAILED: what it returned */
	int64_t duration; /* µs; −1: it has not ended */
};

/* "stop", "flush", "closed" */
const char *pool_hook_phase_name(enum pool_hook_phase phase);
/* "waiting", "running", "done", "failed", "late" */
const char *pool_hook_state_name(enum pool_hook_state state);

/* What is on the disk when an outbox has taken a write. */
enum pool_fsync {
	POOL_FSYNC_FULL,
	POOL_FSYNC_NORMAL, /* a power loss may take the last writes */
};
#define POOL_FSYNC_COUNT (POOL_FSYNC_NORMAL + 1)

/* The outboxes that send over a pool. What waits in them is on the disk. */
struct pool_outbox {
	bool present;
	int64_t waiting;   /* writes */
	int64_t rejected;  /* writes that the server refused for good */
	int64_t oldest_at; /* wall clock: when the oldest waiting one was stored; INSTANT_UNKNOWN */
	enum pool_fsync fsync;
};

/* How long checkouts waited, in µs: bucket 0 counts those below 1 µs and those that did not wait,
 * bucket i those from 2^(i−1) to below 2^i, the last one all longer ones. */
#define POOL_WAIT_BUCKETS 32

/* One stats page: one pool of one process. */
struct pool_page {
	const char *path;
	enum pool_page_status status;
	const char *error; /* why the page is not shown, for people; NULL if it is shown */
	const char *name;
	int32_t pid;
	int32_t inner_pid;      /* as the pool itself knows it, in its own pid namespace */
	uint64_t pid_namespace; /* the inode of that; 0: not known */
	uint64_t start_ticks;   /* /proc/PID/stat, field 22; with pid it identifies the process */
	uint32_t uid;           /* of the file's owner */
	const char *host;       /* the machine that it was read on; NULL: this one */
	bool owner_visible;     /* false: in another pid namespace, on another machine or hidden in
				   /proc. Then dbtop does not know whether it runs, and its pid means
				   nothing here */
	/* what /proc showed when the page was first read; NULL when not known */
	const struct process *process;
	bool pid_taken;     /* POOL_PAGE_DEAD: a running process may have the pid now */
	int64_t dead_since; /* POOL_PAGE_DEAD: our wall clock when it was first found dead */
	const char *server; /* "127.0.0.1:5432", as configured in the pool */
	const char *phase;  /* "running" */
	int min, max;
	int in_use, idle, waiting;
	uint64_t acquired_total, timeouts, errors;
	uint64_t lost_slots; /* sessions that ended while they were borrowed */
	uint64_t wait[POOL_WAIT_BUCKETS];
	uint64_t waited;        /* µs, by all of these together */
	int64_t wait_p99;       /* µs; −1 before the first wait */
	int64_t held_limit;     /* µs: held for longer is a leak; −1 or 0: no limit */
	int64_t held_max;       /* µs, of the longest current lease; −1 if there is none */
	const char *held_site;  /* where that connection was borrowed */
	int64_t pending_writes; /* −1: the application did not report it */
	struct pool_outbox outbox;
	int64_t uptime;  /* µs */
	int64_t read_at; /* our wall clock */
	struct pool_slot *slots;
	size_t n_slots;
	struct pool_hook *hooks; /* in the order in which they were added */
	size_t n_hooks;
};

/* All pages of one scan. */
struct pool_pages {
	struct arena *arena; /* owns everything here, the block too */
	int refs;
	const struct pool_pages *more; /* a reference to a block that owns what some pages point
					  to; NULL: none */
	int64_t read_at;
	struct pool_page *items;
	size_t count;
};

struct pool_pages *pool_pages_new(void);
struct pool_pages *pool_pages_ref(const struct pool_pages *pages);
/* Drops a reference; NULL is allowed. */
void pool_pages_unref(const struct pool_pages *pages);

/* Whether the process wrote the page. */
bool pool_page_is_of(const struct pool_page *page, const struct process *process);

/* Whether nothing is known of the process but what the page says: not whether it lives, and its pid
 * is one of its own pid namespace. */
bool pool_page_is_unseen(const struct pool_page *page);

/* Sets held_max and held_site by the slots and read_at. */
void pool_page_find_longest(struct pool_page *page);

/* Adds the pages of another block, which may be NULL, and keeps a reference to that. Once. */
void pool_pages_add(struct pool_pages *pages, const struct pool_pages *more);

/* "live", "dead", "damaged", "foreign", "too new" */
const char *pool_page_status_name(enum pool_page_status status);

/* "full", "normal" */
const char *pool_fsync_name(enum pool_fsync fsync);

/* "empty", "reserve", "in_use" */
const char *pool_slot_state_name(enum pool_slot_state state);

enum pool_kind {
	POOL_DBPOOL,
	POOL_PGBOUNCER,
};

/* One line of the pools panel. Either page or bouncer is set. */
struct pool {
	enum pool_kind kind;
	const char *name; /* "app", "app/postgres" */
	const struct pool_page *page;
	const struct bouncer *console;      /* the PgBouncer of the pool */
	const struct bouncer_pool *bouncer; /* its pool in that PgBouncer */
	int64_t age;                        /* µs: how old its data is */
	uint32_t process; /* index into the assessment's processes, of the page's process; or
			     NO_PROCESS */
	uint32_t connections, leaked; /* connections in scope */
	/* Only for a page: */
	bool here;      /* one of its sessions was seen on this server, now or before */
	bool elsewhere; /* it is of another server, as far as dbtop can tell */
	bool unsure;    /* neither: it names a server that may be this one or another */
	bool spent; /* its process is dead, and rows that are younger than its end show none of its
		       sessions */
};

/* The process of a client of PgBouncer. */
struct bouncer_match {
	uint64_t identity; /* identifies the client */
	uint32_t process;  /* index into the assessment's processes, or NO_PROCESS */
	bool elsewhere;    /* its address is on another machine */
	bool hidden;       /* it is on this machine, but not visible to us */
};

/* A client of PgBouncer that waits for a server connection. */
struct waiter {
	const struct bouncer_client *client;
	const struct bouncer *console;
	const struct pool *pool; /* NULL if not known */
	uint32_t process; /* index into the assessment's processes; NO_PROCESS: on another machine,
			     or not visible */
	bool in_scope;    /* selected by --app: shown */
};

/* Whether the pool has a line of its own; the others are only counted. */
bool pool_is_shown(const struct pool *pool);

#define POOL_FOLDED_MAX 192

/* Whether its page may be removed: its process is dead, and none of its sessions is left on this
 * server, or it was of another one. */
bool pool_is_past(const struct pool *pool);

/* "3 pages of dead processes: nothing left behind · 2 pools of other servers": counts the pools
 * without a line; "" if each has one. *ret_past is how many are of the past; it may be NULL.
 * Returns text. */
char *pool_folded(const struct pool *pools, size_t n_pools, size_t *ret_past,
	char text[static POOL_FOLDED_MAX]);

/* The length of the application's own name in an application_name: NAME of NAME/PID/SLOT, as
 * libdbpool sets it; else of the whole. 0 for NULL. */
size_t pool_application_length(const char *application_name);

/* "dbpool", "pgbouncer" */
const char *pool_kind_name(enum pool_kind kind);

/* Connections in use, and the maximum; −1 when not known. A page of a dead process has
 * none in use. */
int pool_in_use(const struct pool *pool);
int pool_max(const struct pool *pool);
int pool_waiting(const struct pool *pool);

#endif

/* The answers of one PgBouncer in one poll: its pools, clients and server connections. Plain data,
 * const once published.
 *
 * Strings are clean (base/text) and in the block's arena; NULL means that PgBouncer did not report
 * it. A client's link is kept only if three consecutive answers agree on it: links change within
 * microseconds. */
#ifndef MODEL_BOUNCER_H
#define MODEL_BOUNCER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/endpoint.h"

struct arena;

enum pool_mode {
	POOL_MODE_UNKNOWN,
	POOL_MODE_SESSION,     /* a link lasts as long as the client's session */
	POOL_MODE_TRANSACTION, /* at least as long as its transaction */
	POOL_MODE_STATEMENT,   /* as long as its statement */
};

#define BOUNCER_NONE UINT32_MAX

/* Clients and servers of one database and one user. Counts are −1 when not reported. */
struct bouncer_pool {
	const char *database, *user; /* PgBouncer's name for the database */
	const char *mode_text;       /* "transaction" */
	enum pool_mode mode;
	int clients_active, clients_waiting;
	int servers_active, servers_idle, servers_other; /* other: used, tested, login */
	int servers_max;  /* pool_size: the most connections that it opens, without the reserve */
	int64_t max_wait; /* µs that the first one in the queue has waited */
	int64_t average_wait; /* µs, of the whole database in PgBouncer's last period; −1 unknown */
	bool paused, disabled;
};

struct bouncer_client {
	const char *database, *user, *application_name;
	struct endpoint remote,
		local;      /* its end and PgBouncer's, as PgBouncer reports them; AF_UNIX */
	int32_t remote_pid; /* the process over a Unix socket; 0 over TCP */
	uint64_t identity;  /* identifies the client session within one PgBouncer */
	int64_t first_seen; /* monotonic: when a round listed it first */
	int64_t wait;       /* µs that it has waited for a server; −1: it does not wait */
	uint32_t pool;      /* index, or BOUNCER_NONE */
	uint32_t server;    /* the server it is linked to; BOUNCER_NONE: none, or changing */
};

struct bouncer_server {
	const char *database, *user; /* PgBouncer's name for the database; the role on the server */
	const char *real_database;   /* the server's name for it; NULL when not known */
	struct endpoint server;      /* the server's address; AF_UNIX */
	uint16_t port;               /* the server's port, also over a Unix socket */
	struct endpoint local;       /* PgBouncer's end of it; AF_UNIX */
	int32_t backend_pid;         /* as the server reported it; 0: not yet */
	bool linked;           /* linked to a client at the time, which may not be in `clients` */
	uint32_t pool, client; /* indices, or BOUNCER_NONE */
};

struct bouncer {
	struct arena *arena; /* owns everything here, the block too */
	int refs;
	const char *name; /* "127.0.0.1:6432", or its socket's folder and port */
	uint16_t port;
	struct endpoint address; /* PgBouncer's end of our own connection; AF_UNIX */
	struct endpoint own;     /* our end of it */
	uint32_t own_inode;      /* our socket's inode */
	uint32_t uid;            /* PgBouncer's user over a Unix socket; UINT32_MAX when unknown */
	bool seen_as_we_are; /* PgBouncer shows our own end as we see it: no address translation in
				between */
	int64_t asked_at;    /* monotonic: before the first query */
	int64_t servers_at;  /* monotonic: before SHOW SERVERS, from which the links are */
	int64_t taken_at;    /* our wall clock when the last answer was complete */
	int64_t taken_monotonic;
	int version;                                   /* 11800; 0 when not reported */
	int used_clients, login_clients, used_servers; /* SHOW LISTS; −1 when not reported */
	struct bouncer_pool *pools;
	size_t n_pools;
	/* clients that are linked or wait; the others are only counted */
	struct bouncer_client *clients;
	size_t n_clients;
	struct bouncer_server *servers;
	size_t n_servers;
};

/* Makes a block in an arena of its own, with one reference. */
struct bouncer *bouncer_new(void);
struct bouncer *bouncer_ref(const struct bouncer *bouncer);
/* Drops a reference; NULL is allowed. */
void bouncer_unref(const struct bouncer *bouncer);

/* Converts PgBouncer's word; NULL and unknown words are POOL_MODE_UNKNOWN. */
enum pool_mode pool_mode_parse(const char *word);

#endif

/* The verdict on one connection from the evidence. Pure. */
#ifndef ANALYZE_CLASSIFY_H
#define ANALYZE_CLASSIFY_H

#include <stdbool.h>
#include <stdint.h>

#include "model/assessment.h"
#include "model/verdict.h"

struct backend;
struct rules;

/* Evidence that is not in the backend's own row. */
struct evidence {
	bool own;             /* one of dbtop's own sessions */
	bool agent;           /* an HA agent's */
	bool backup;          /* it runs a base backup, or is a maintenance tool's */
	bool listening;       /* a LISTEN was seen */
	bool backend_client;  /* a working session of a PostgreSQL server uses it */
	bool pooler;          /* its client is a pooler that dbtop cannot ask */
	enum client_end end;  /* by analyze/join */
	bool declared_gone;   /* the page of its dead process shows that its client is gone, and the
				 kernel neither confirms nor contradicts it */
	bool pool_reserve;    /* its pool's page shows that it is not borrowed */
	bool bouncer_reserve; /* of PgBouncer, and not known to be linked to a client now */
	bool linked;          /* PgBouncer says that some client is linked to it */
	int64_t held; /* µs for which it has been borrowed, by its pool's page; −1: not borrowed, or
			 not known */
	int64_t held_limit;       /* the pool's own limit for that; −1 or 0: none */
	bool held_reported;       /* the pool itself has reported this hold as a leak */
	const char *process_name; /* of the process at the other end; NULL when not known */
};

/* server_now is the server's clock when the row was taken. Time that passed since then does not
 * count: the session may have become active again. */
struct verdict classify_backend(const struct backend *backend, const struct evidence *evidence,
	const struct rules *rules, int64_t server_now);

#endif

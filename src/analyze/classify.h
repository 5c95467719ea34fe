/* The verdict on one connection, from what is known of it. Pure. */
#ifndef ANALYZE_CLASSIFY_H
#define ANALYZE_CLASSIFY_H

#include <stdbool.h>
#include <stdint.h>

#include "model/assessment.h"
#include "model/verdict.h"

struct backend;
struct rules;

/* What others than the backend's own row say of a connection. */
struct evidence {
	bool own;                 /* one of dbtop's own sessions */
	enum client_end end;      /* by analyze/join */
	bool declared_gone;       /* the page of its dead process says that its client is gone, and
				     the kernel can neither confirm nor contradict it */
	bool pool_reserve;        /* its pool's page says that it is idle in the pool */
	bool bouncer_reserve;     /* PgBouncer's, and not known to be lent to a client right now */
	int64_t held;             /* µs it has been lent by its pool's page; −1: it is not, or
				     nobody knows */
	const char *process_name; /* of the process at the other end; NULL when not known */
};

/* server_now is the server's clock when the row was taken: a verdict never rests on the time that
 * passed since, in which the session may have come back to life. */
struct verdict classify_backend(const struct backend *backend, const struct evidence *evidence,
	const struct rules *rules, int64_t server_now);

#endif

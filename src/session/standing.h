/* The state of a connection, with texts that can be shown. */
#ifndef SESSION_STANDING_H
#define SESSION_STANDING_H

#include <libpq-fe.h>

#include "model/assessment.h"

struct arena;
struct params;

struct standing {
	struct arena *texts; /* the texts of `state`: a new arena at each change */
	struct server_state state;
};

void standing_init(struct standing *standing);
void standing_deinit(struct standing *standing);

/* Sets the state; frees the former strings. Names are those of `conn`, as libpq resolved them, or
 * without a connection (NULL) those of `params`. `message` is libpq's, or NULL for no error: it
 * decides the status, except while connecting. Keeps the latency and pooler, but not retry_at. */
void standing_set(struct standing *standing, const PGconn *conn, const struct params *params,
	enum server_status status, const char *message);

#endif

/* How a connection stands, in words that may be shown. */
#ifndef SESSION_STANDING_H
#define SESSION_STANDING_H

#include <libpq-fe.h>

#include "model/assessment.h"

struct arena;
struct params;

struct standing {
	struct arena *texts; /* of state: new at each change */
	struct server_state state;
};

void standing_init(struct standing *standing);
void standing_deinit(struct standing *standing);

/* Strings of the former state are gone. Names are those of `conn`, as libpq settled them; without
 * one (NULL) those of `params`. `message` is libpq's, NULL when all is well: it decides the status,
 * except while connecting. The latency and pooler are kept, retry_at is not. */
void standing_set(struct standing *standing, const PGconn *conn, const struct params *params,
	enum server_status status, const char *message);

#endif

/* Leaves a server without leaving a session behind. */
#ifndef SESSION_FAREWELL_H
#define SESSION_FAREWELL_H

#include <libpq-fe.h>
#include <uv.h>

/* PQfinish(), and keeps the loop running until the server's process has ended, for half a second at
 * most: then the slot is free, and the next dbtop does not find a session whose client is gone. It
 * does not wait for a session that runs a statement, or is not logged in. `conn` may be NULL. */
void farewell(uv_loop_t *loop, PGconn *conn);

#endif

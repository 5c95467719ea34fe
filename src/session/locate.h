/* The addresses of a connection's two ends, as the kernel reports them. */
#ifndef SESSION_LOCATE_H
#define SESSION_LOCATE_H

#include <libpq-fe.h>

struct peers_target;

/* Reads the server's address and our own as soon as the kernel knows them. That may be long before
 * the server answers; on a full server nothing else is known. What is not known yet does not change
 * in *location. */
void locate_ends(const PGconn *conn, struct peers_target *location);

/* Called when the connection has ended: removes our end and keeps the server's. */
void locate_forget_own(struct peers_target *location);

#endif

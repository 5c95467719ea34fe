/* Where a connection's two ends are, by the kernel's word. */
#ifndef SESSION_LOCATE_H
#define SESSION_LOCATE_H

#include <libpq-fe.h>

struct peers_target;

/* Learns the server's address and our own as soon as the kernel knows them, which may be long
 * before the server answers: on a full one this is all we get. What is not known yet stays as it
 * is. */
void locate_ends(const PGconn *conn, struct peers_target *location);

/* The connection is over: our end is gone, the server's stays. */
void locate_forget_own(struct peers_target *location);

#endif

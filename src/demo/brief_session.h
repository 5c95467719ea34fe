/* Asks whether a server lets clients in, and leaves no session behind. */
#ifndef DEMO_BRIEF_SESSION_H
#define DEMO_BRIEF_SESSION_H

#include <stdbool.h>

/* Returns true when the server lets clients in, or refuses us for another reason than its start.
 * The server's process has ended then, and its slot is free: a client that only closes its
 * connection does not wait for that. It waits 10 s at most. */
bool brief_session_try(const char *conninfo);

#endif

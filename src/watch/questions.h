/* When the server is asked outside the target's regular polls, and which ports lead to it. */
#ifndef WATCH_QUESTIONS_H
#define WATCH_QUESTIONS_H

#include <stdint.h>

struct follow;
struct shutdown_record;
struct target;

/* Zero: ask at once. */
struct questions {
	int64_t ask_at, pause; /* monotonic, µs */
};

/* Asks for the sessions, and for a scan of the processes, if the answers can add something. The
 * pause between two questions grows. */
void questions_ask(struct questions *questions, struct target *target,
	const struct shutdown_record *record, int64_t now);

/* Sets the ports that lead to the server and to PgBouncer. */
void questions_set_ports(struct target *target, struct follow *follow);

#endif

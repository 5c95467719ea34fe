/* What a sample shows of the application's sockets, in the record. */
#ifndef WATCH_RECORD_SOCKETS_H
#define WATCH_RECORD_SOCKETS_H

#include <stdbool.h>
#include <stdint.h>

struct assessment;
struct follow_sample;
struct shutdown_record;

/* Notes which sockets are open and who holds them, and when they were closed. Call it after
 * record_processes(). The assessment knows the ports of PgBouncer. Returns true if a socket is new
 * or was closed: then the server can say more. */
bool record_sockets(struct shutdown_record *record, const struct assessment *assessment,
	const struct follow_sample *sample);

/* Copies what is known of the sockets to the connections, and makes connections of those to
 * PgBouncer. */
void record_links(struct shutdown_record *record);

/* Before the shutdown, removes the connections that had ended before `since`, their sockets, and
 * those that were closed before their session was found: an application may open and close
 * thousands of them. */
void record_forget_connections(struct shutdown_record *record, int64_t since);

#endif

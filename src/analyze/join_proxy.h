/* The applications behind the local proxy. Pure.
 *
 * A connection goes through the proxy if the process at its client end is the proxy. If dbtop's own
 * connection goes through it, the same client address is enough. The kernel cannot show which
 * application is behind a connection: the proxy's two sockets are not related. A stats page proves
 * it (join_pages.h), and so does an application_name NAME/PID/SLOT, as libdbpool sets it, whose
 * process lives and holds a socket to the proxy's port. For the others the assessment's
 * proxy_clients are the candidates. */
#ifndef ANALYZE_JOIN_PROXY_H
#define ANALYZE_JOIN_PROXY_H

#include <stdbool.h>

#include "model/assessment.h"

struct client_processes;

/* Sets `proxied` of all connections. Call it after join_clients(). */
void join_proxy_mark(struct assessment *assessment);

/* Sets process and matched_by of proxied connections where they are proven, and proxy_clients. Call
 * it after all other joins. */
void join_proxy(struct assessment *assessment, struct client_processes *processes);

/* Reads the PID of NAME/PID/SLOT; false for a name of another form, or NULL. */
bool join_proxy_read_name(const char *application_name, int32_t *ret_pid);

#endif

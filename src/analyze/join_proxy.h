/* The applications behind the local proxy. Pure.
 *
 * A connection goes through the proxy when the process at its client's end is the proxy; or, when
 * dbtop's own connection goes through it, when the server sees the same address at both. Which
 * application is behind it, the kernel cannot tell: the proxy's two sockets have nothing in common.
 * A stats page proves it (join_pages.h), and so does an application_name NAME/PID/SLOT, as
 * libdbpool sets it, whose process lives and holds a socket to the proxy's port. The others are
 * "one of these": the assessment's proxy_clients. */
#ifndef ANALYZE_JOIN_PROXY_H
#define ANALYZE_JOIN_PROXY_H

#include <stdbool.h>

#include "model/assessment.h"

struct client_processes;

/* How many processes it may add. */
size_t join_proxy_processes(const struct assessment *assessment);

/* Fills in proxied of all connections. After join_clients(). */
void join_proxy_mark(struct assessment *assessment);

/* Fills in, of those that are proxied, process and matched_by where it is proven; and
 * proxy_clients. After all other joins. */
void join_proxy(struct assessment *assessment, struct client_processes *processes);

/* The PID of NAME/PID/SLOT; false for a name of another form, or NULL. */
bool join_proxy_read_name(const char *application_name, int32_t *ret_pid);

#endif

/* Scans of this machine's sockets, processes and proxy. */
#ifndef TARGET_TARGET_SCANS_H
#define TARGET_TARGET_SCANS_H

#include <stdbool.h>
#include <stdint.h>

struct target;

/* Scans sockets and processes; `fresh` reads everything again. Does nothing while the server's
 * address is not known. */
void target_begin_scan(struct target *target, bool fresh);

/* True if the latest rows show a connection that the last scan did not look for, or if the last
 * scan is too old. */
bool target_needs_scan(const struct target *target);

/* Scans for the proxy unless the last scan is younger than `after` µs. */
void target_scan_proxy(struct target *target, int64_t after);

/* Scans for the proxy if the last scan is too old: after a second while a screen shows the proxy,
 * else after five. */
void target_keep_proxy_in_sight(struct target *target);

#endif

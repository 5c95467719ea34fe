/* What a connection's process does and uses, in words. The text is in the arena, or static; NULL if
 * there is nothing to show. */
#ifndef VIEW_EXPLAIN_PROCESS_H
#define VIEW_EXPLAIN_PROCESS_H

#include <stdbool.h>

struct arena;
struct client_process;
struct pool_slot;

/* "cpu 3.2% · memory 48.0 MB" */
const char *explain_process_usage(struct arena *arena, const struct client_process *client);

/* What it did at the last scan: its first thread, and the thread that borrowed the connection;
 * `slot` may be NULL. *ret_caution is set to true if it cannot go on by itself. */
const char *explain_process_state(struct arena *arena, const struct client_process *client,
	const struct pool_slot *slot, bool *ret_caution);

#endif

/* Looks up the server's name before libpq would do it, because libpq waits for the answer. */
#ifndef SESSION_RESOLVE_H
#define SESSION_RESOLVE_H

#include <stdbool.h>
#include <uv.h>

struct resolve;

/* Called on the loop's thread: a comma-separated list of addresses for libpq's hostaddr, and the
 * name once for each for its host; both NULL with an error text. They are gone after the call. */
typedef void resolve_done_fn(
	void *data, const char *hosts, const char *addresses, const char *error);

/* Whether libpq would have to look this host up: a name, not an address, a folder or a list. */
bool resolve_is_name(const char *host);

/* Starts the look-up in libuv's threads; never NULL. */
struct resolve *resolve_start(uv_loop_t *loop, const char *host, resolve_done_fn *done, void *data);

/* Lets go of it before its callback ran: that will not be called. NULL is allowed. */
void resolve_abandon(struct resolve *resolve);

#endif

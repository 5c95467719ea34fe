/* The local proxy: its item in the header, its screen, and the applications that use it. */
#ifndef VIEW_PROXY_VIEW_H
#define VIEW_PROXY_VIEW_H

#include "widgets/ui.h"
#include <stdbool.h>

struct arena;
struct assessment;
struct connection;
struct line;

/* "proxy ● serving 2.1 ms"; nothing if proxy_is_shown() is false. */
void proxy_view_item(const struct assessment *assessment, struct line *line);

/* Whether the state is important enough for a small screen: the proxy is absent, another program,
 * or full. */
bool proxy_view_is_bad(const struct assessment *assessment);

/* Draws the screen that P opens. */
extern const struct view proxy_view;

/* What stands between the connection's process and the server, if a forwarder does; else NULL. */
const char *proxy_view_forwarder(struct arena *arena, const struct assessment *assessment,
	const struct connection *connection);

/* The applications that may be behind a proxied connection, a line each, in the arena. NULL if the
 * connection does not go through the proxy, or its application is known. */
const char *proxy_view_candidates(struct arena *arena, const struct assessment *assessment,
	const struct connection *connection);

#endif

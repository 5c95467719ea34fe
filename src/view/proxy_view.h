/* The local proxy: its item in the header, its page, and who is behind it. */
#ifndef VIEW_PROXY_VIEW_H
#define VIEW_PROXY_VIEW_H

#include <stdbool.h>

struct arena;
struct assessment;
struct connection;
struct frame;
struct line;

/* "proxy ● serving 2.1 ms"; nothing when there is no proxy to speak of. */
void proxy_view_item(const struct assessment *assessment, struct line *line);

/* Whether that is worth a place where there is little: it is absent, another program, or full. */
bool proxy_view_is_bad(const struct assessment *assessment);

/* The page behind P. */
void proxy_view_draw(const struct frame *frame);

/* Which applications may be behind a connection through the proxy, a line each, in the arena; NULL
 * when it does not go through it, or is known. */
const char *proxy_view_candidates(struct arena *arena, const struct assessment *assessment,
	const struct connection *connection);

#endif

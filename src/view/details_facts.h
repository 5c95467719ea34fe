/* The facts that the details screen shows of a connection. */
#ifndef VIEW_DETAILS_FACTS_H
#define VIEW_DETAILS_FACTS_H

struct arena;
struct connection;
struct facts;
struct frame;

/* All that is known of it now; in the arena. */
struct facts *details_facts(
	struct arena *arena, const struct frame *frame, const struct connection *connection);

#endif

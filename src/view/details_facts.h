/* The facts that the details screen shows of a connection. */
#ifndef VIEW_DETAILS_FACTS_H
#define VIEW_DETAILS_FACTS_H

struct arena;
struct assessment;
struct connection;
struct facts;
struct ui_state;

/* All that is known of it now; in the arena. */
struct facts *details_facts(struct arena *arena, const struct ui_state *ui,
	const struct assessment *assessment, const struct connection *connection);

#endif

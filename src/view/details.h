/* The details screen: all facts about one connection, and the evidence for them. */
#ifndef VIEW_DETAILS_H
#define VIEW_DETAILS_H

#include <stdint.h>

#include "widgets/identity.h"
#include "widgets/ui.h"

struct assessment;
struct connection;

/* The connection that the screen shows, and the last known facts about it. */
struct details {
	struct identity subject;
	int32_t pid;
	struct arena *arena; /* owns the facts; NULL before the first frame */
	struct facts *facts;
	int64_t gone_at; /* when it was first missing; INSTANT_UNKNOWN while it exists */
};

/* Opens the screen for this connection. Later frames find it by its identity. The ui borrows the
 * details, which belong to the caller. */
void details_open(
	struct details *details, struct ui_state *ui, const struct connection *connection);

/* Call it before each frame: takes over what is known now. For a session that ended it keeps the
 * last known facts, and notes when that was. */
void details_settle(
	struct details *details, const struct ui_state *ui, const struct assessment *assessment);

void details_deinit(struct details *details);

extern const struct view details_view;

#endif

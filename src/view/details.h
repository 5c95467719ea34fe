/* The details page: everything known of one connection, and how it is known. */
#ifndef VIEW_DETAILS_H
#define VIEW_DETAILS_H

#include "view/identity.h"

struct connection;
struct frame;
struct ui_state;

/* The page's subject, and what was known of it when it was last there. */
struct details {
	struct identity subject;
	int32_t pid;
	struct arena *arena; /* owns the facts; NULL before the first frame */
	struct facts *facts;
	int64_t gone_at; /* wall clock, when it was first missed; INSTANT_UNKNOWN while it is there
			  */
};

void details_deinit(struct details *details);

/* Opens the page on this connection, and follows it by its identity from then on. */
void details_open(struct ui_state *ui, const struct connection *connection);

/* Draws ui->details. Of a session that ended it shows what was known last, and says so. */
void details_draw(const struct frame *frame);

#endif

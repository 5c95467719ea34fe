/* The details screen: all facts about one connection, and the evidence for them. */
#ifndef VIEW_DETAILS_H
#define VIEW_DETAILS_H

struct connection;
struct frame;
struct ui_state;

/* Opens the screen for this connection. Later frames find it by its identity. */
void details_open(struct ui_state *ui, const struct connection *connection);

/* Draws ui->details. For a session that ended it shows the last known facts and says
 * that it ended. */
void details_draw(const struct frame *frame);

#endif

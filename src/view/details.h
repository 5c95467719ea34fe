/* The details page: everything known of one connection, and how it is known. */
#ifndef VIEW_DETAILS_H
#define VIEW_DETAILS_H

struct connection;
struct frame;
struct ui_state;

/* Opens the page on this connection, and follows it by its identity from then on. */
void details_open(struct ui_state *ui, const struct connection *connection);

/* Draws ui->details. Of a session that ended it shows what was known last, and says so. */
void details_draw(const struct frame *frame);

#endif

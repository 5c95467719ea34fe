/* A list of facts in sections, as a page shows them: labels on the left, values wrapped beside
 * them; on a narrow screen below them. */
#ifndef VIEW_FACTS_H
#define VIEW_FACTS_H

#include <stddef.h>

#include "model/style.h"

struct arena;
struct dialog;
struct facts;
struct frame;

/* Lives in the arena. */
struct facts *facts_new(struct arena *arena) __attribute__((returns_nonnull));

/* The facts that follow belong to it; copied. A section without facts is not shown. */
void facts_section(struct facts *facts, const char *title);

/* Adds a fact; both strings are copied, line breaks in the value are kept. Without a value (NULL or
 * "") there is nothing to add; a label of "" gives the value the whole width. */
void facts_add(struct facts *facts, enum style style, const char *label, const char *value);

/* Draws them into the dialog, of which width, lines and draw_line are set here. What is shown is
 * scrolled by the ui's state, as in any dialog. */
void facts_draw(const struct frame *frame, const struct facts *facts, struct dialog *dialog);

#endif

/* A list of facts in sections: labels on the left, wrapped values beside them; on a narrow screen
 * the values are below their labels. */
#ifndef WIDGETS_FACTS_H
#define WIDGETS_FACTS_H

#include <stddef.h>

#include "model/style.h"

struct arena;
struct dialog;
struct facts;
struct frame;

/* The list is in the arena. */
struct facts *facts_new(struct arena *arena) __attribute__((returns_nonnull));

/* Begins a section; the title is copied. A section without facts is not shown. */
void facts_section(struct facts *facts, const char *title);

/* Adds a fact. Both strings are copied, and line breaks in the value are kept. A value that is NULL
 * or "" adds nothing; with the label "" the value gets the whole width. */
void facts_add(struct facts *facts, enum style style, const char *label, const char *value);

/* Draws the facts in the dialog; sets its width, lines and draw_line. The ui's state scrolls them
 * as in any dialog. */
void facts_draw(const struct frame *frame, const struct facts *facts, struct dialog *dialog);

#endif

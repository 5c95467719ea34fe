/* What can be judged of any screen: its words, its box, its colours. */
#ifndef SCREEN_LOOK_H
#define SCREEN_LOOK_H

#include <stdbool.h>
#include <stddef.h>

#include "config/theme.h"

struct term_screen;

/* The words of a screen that has room for all of them, sorted. */
struct look_words;

struct look_words *look_words_new(const struct term_screen *screen);
/* NULL is allowed. */
void look_words_free(struct look_words *words);

/* The first word on the screen that is but the beginning, or the end, of one of those, and does not
 * say so with … (in ASCII > and <); the caller frees it. NULL when there is none. */
char *look_cut_word(const struct term_screen *screen, const struct look_words *whole);

/* A dialog's frame. */
struct look_box {
	int left, top, right, bottom;
};

bool look_find_box(const struct term_screen *screen, struct look_box *ret_box);
/* The sides are lines from top to bottom, with a blank inside of each. */
bool look_box_is_closed(const struct term_screen *screen, const struct look_box *box);

/* What is wrong with the page over the table: no box, not a whole one, not this title (it may be
 * cut after 12 characters), no way back among its keys; title NULL: a box. The caller frees it;
 * NULL when all is well. */
char *look_find_box_fault(const struct term_screen *screen, const char *title);

/* The rows tell the same but for the time of day, how long ago something was, and other numbers. */
bool look_time_went_by(const struct term_screen *before, const struct term_screen *after, int y);

/* The colours that a theme has on a terminal of so many. */
struct look_palette {
	int colors;
	struct theme theme;
	int fgs[STYLE_COUNT + 1], bgs[STYLE_COUNT + 1];
	size_t n_fgs, n_bgs;
};

struct look_palette look_palette_of(const struct theme *theme, int colors);

/* A cell that is in none of them, or cannot be read on its ground; the caller frees the words for
 * it. NULL when all is well. */
char *look_find_fault(const struct term_screen *screen, const struct look_palette *palette);

#endif

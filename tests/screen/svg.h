/* A screen as a picture that looks the same in every browser: its own ground and palette, each word
 * at its own column, lines and blocks as shapes so that they join. */
#ifndef SCREEN_SVG_H
#define SCREEN_SVG_H

struct term_screen;

struct svg_options {
	const char *title; /* in the window's bar, and for screen readers */
	int background;    /* 0xrrggbb: what the terminal's own colours are */
	int foreground;
};

/* The caller frees it. */
char *svg_of_screen(const struct term_screen *screen, const struct svg_options *options);

#endif

/* What term's files share. */
#ifndef SUPPORT_TERM_INTERNAL_H
#define SUPPORT_TERM_INTERNAL_H

#include <vterm.h>

#include "term.h"

#define TERM_COMMAND_MAX 8192

struct term {
	pid_t pid; /* 0 once it was reaped */
	int status;
	int master, slave; /* the slave stays open: modes and unread input can be asked for */
	char *home;
	VTerm *vterm;
	VTermScreen *screen;
	int width, height;
	size_t written;

	bool alternate, cursor_visible;
	int mouse;
	char *title;
	char command[TERM_COMMAND_MAX];
	unsigned int bells;
};

/* Makes libvterm's side; its answers go to the program. */
void term_open_screen(struct term *term);

/* Bytes for the program, all of them. */
void term_write(struct term *term, const char *bytes, size_t size);

#endif

/* What term's files share. */
#ifndef SUPPORT_TERM_INTERNAL_H
#define SUPPORT_TERM_INTERNAL_H

#include <vterm.h>

#include "term.h"

#define TERM_COMMAND_MAX 8192

/* What the program has begun to write and not ended. */
enum term_inside { TERM_NOTHING, TERM_ESCAPE, TERM_CONTROL, TERM_STRING, TERM_ONE_MORE };

struct term {
	pid_t pid; /* 0 once it was reaped */
	int status;
	int master, slave; /* the slave stays open: modes and unread input can be asked for */
	char *home;
	VTerm *vterm;
	VTermScreen *screen;
	int width, height;
	size_t written;
	long sleeps; /* how often it had gone to sleep when it was last given something to do */

	bool alternate, cursor_visible;
	size_t cursor_seen; /* bytes of "CSI ? 25" that came so far */
	enum term_inside inside;
	int continuation; /* bytes that the character still needs */
	int mouse;
	char *title;
	/* the operating system command that is being written, and the last one that ended */
	char string[TERM_COMMAND_MAX], command[TERM_COMMAND_MAX];
	size_t string_size;
	unsigned int bells;
	struct term *next; /* of those that are open */
};

/* Makes libvterm's side; its answers go to the program. */
void term_open_screen(struct term *term);

/* After term's size changed. */
void term_fit_screen(struct term *term);

/* What the program wrote. */
void term_show(struct term *term, const char *bytes, size_t size);
/* No sequence and no character is half there. */
bool term_is_whole(const struct term *term);

/* Call this before the program is sent something: it counts as asleep only when it has slept again
 * since. What is written to a pty reaches its reader a little later, and the program may sleep
 * until then. */
void term_stirred(struct term *term);

/* Bytes for the program, all of them. */
void term_write(struct term *term, const char *bytes, size_t size);

#endif

/* The window's title and the bell, for a user who does not see the screen. */
#ifndef DASHBOARD_ATTENTION_H
#define DASHBOARD_ATTENTION_H

struct assessment;
struct attention;
struct display;
struct overview;

/* Enough for any title. */
#define ATTENTION_TITLE_MAX 128

/* "dbtop 4 leaked, 18/25, app@127.0.0.1": the most important first, in ASCII. */
void attention_title(const struct assessment *assessment, char title[static ATTENTION_TITLE_MAX]);

/* Never returns NULL; the caller frees it by free(). */
struct attention *attention_new(void);

/* "dbtop 3 of 50 servers need a person": the same of the overview. */
void attention_overview_title(
	const struct overview *overview, char title[static ATTENTION_TITLE_MAX]);

/* Call it after each refresh of what is shown, and when something else is shown, once the screen is
 * open. */
void attention_update(struct display *display);

/* So many connections of a server were leaked before, and are now; −1: not known. */
void attention_note_leaked(struct display *display, int before, int now);

/* Call it with each frame: sets the title and rings the bell if needed. */
void attention_show(struct display *display);

#endif

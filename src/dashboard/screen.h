/* A screen: how it is drawn, its keys, and what happens on it. Each is defined by one file of this
 * folder, and listed in screens.c. */
#ifndef DASHBOARD_SCREEN_H
#define DASHBOARD_SCREEN_H

#include <stdbool.h>

#include "tui/input.h"
#include "widgets/grid.h"
#include "widgets/ui.h"

struct dashboard;

#define BINDING_KEYS 6

#define CHAR(letter)                                                                               \
	{                                                                                          \
		INPUT_CHAR, letter                                                                 \
	}
#define CONTROL(letter)                                                                            \
	{                                                                                          \
		INPUT_CTRL, letter                                                                 \
	}
#define FUNCTION(number)                                                                           \
	{                                                                                          \
		INPUT_FUNCTION, number                                                             \
	}
#define KEY(name)                                                                                  \
	{                                                                                          \
		INPUT_##name, 0                                                                    \
	}

/* A command, its keys, and its words for the key bar and the help. */
struct binding {
	void (*run)(struct dashboard *dashboard);
	struct key_event keys[BINDING_KEYS]; /* ends with {0, 0} */
	const char *names, *bar, *what;      /* as in struct key_help */
	bool always;                         /* stays in the bar when others are left out */
	enum key_time when;
	enum help_section section; /* the help's section, for rows with `what` */
	bool (*works)(const struct dashboard *dashboard); /* NULL: always */
	bool confirms; /* carries out what the screen asks: works only after the user had time to
			  read it */
};

/* All functions may be NULL. */
struct screen {
	const struct view *view;    /* NULL: the table */
	const struct binding *keys; /* ends with a row without a command */
	/* The target has a new assessment. The screen need not be open. */
	void (*assessed)(struct dashboard *dashboard);
	/* It came on top: asks for what only this screen needs. May be called again. */
	void (*enter)(struct dashboard *dashboard);
	/* It was closed. */
	void (*leave)(struct dashboard *dashboard);
	/* Before each frame while it is open: brings what it shows up to date. */
	void (*settle)(struct dashboard *dashboard);
	/* Whether text is typed on it now; then press() gets every key first, and pasted text. It
	 * returns whether the key was part of the text. */
	bool (*takes_text)(const struct dashboard *dashboard);
	bool (*press)(struct dashboard *dashboard, const struct key_event *event);
	/* A click on a row, a title or a target. */
	void (*click)(struct dashboard *dashboard, struct hit hit);
};

/* The keys that work on every screen, after those of the screen. */
extern const struct binding global_keys[];

/* Esc, q and Enter close the screen. */
extern const struct binding close_keys[];

extern const struct screen details_screen, emergency_run_screen, emergency_screen, locks_screen,
	overview_screen, password_screen, plan_screen, proxy_screen, quit_screen, table_screen,
	watch_screen;

#endif

/* What the dashboards of all servers share: the terminal, and which of them is shown. Each server
 * has a dashboard of its own from the moment it is opened: its table, tags, filter, plan and
 * actions know no other server. The overview has one, too, which has no server. */
#ifndef DASHBOARD_DISPLAY_H
#define DASHBOARD_DISPLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "config/theme.h"
#include "view/overview.h"
#include "widgets/grid.h"

struct app;
struct attention;
struct dashboard;
struct key_help;
struct run;
struct server_row;
struct tui;

/* What a command wants to see next: a server's number, or one of these. */
#define DISPLAY_NOTHING  SIZE_MAX
#define DISPLAY_OVERVIEW (SIZE_MAX - 1)

struct display {
	struct app *app;
	struct run *run;
	struct tui *tui; /* NULL until the terminal is opened */
	struct theme theme;
	struct grid grid;
	struct attention *attention;
	const struct key_help *keys;
	size_t n_keys;

	struct dashboard *shown;
	struct dashboard **servers; /* by their numbers; NULL: not opened yet */
	struct server_row *rows;    /* the overview's: one for each server */
	size_t n_servers;
	struct dashboard *all; /* the overview's; NULL: not opened yet */
	struct overview overview;
	size_t last;   /* the server that was shown last */
	size_t wanted; /* set by commands; the loop shows it before the next key */
	bool returns;  /* the run began with the overview: Esc on a table goes back to it */

	uv_poll_t *input, *output;
	uv_prepare_t *draw;
	uv_timer_t *timeout; /* the timeout of the first answer, before the first frame is drawn */
	uv_timer_t *overdue; /* until the overview shows what is new */
	bool is_complete;    /* all servers of the configuration are connected */
	bool leaving;

	/* Of all servers and the overview. */
	bool paused;
	int64_t interval; /* µs between refreshes */
};

#endif

/* The dashboard: one loop, one table, and the screens over it. */
#ifndef DASHBOARD_DASHBOARD_H
#define DASHBOARD_DASHBOARD_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "action/guard.h"
#include "config/theme.h"
#include "model/rights.h"
#include "view/details.h"
#include "view/log_view.h"
#include "widgets/grid.h"
#include "widgets/ui.h"

struct app;
struct assessment;
struct attention;
struct autostart;
struct audit;
struct emergency_screen;
struct lock_impact;
struct password;
struct player;
struct run;
struct runner;
struct target;
struct tui;
struct watch_screen;

/* Shared by the files of the dashboard: the loop (run.c), the keys (keymap.c), the screens and the
 * commands. */
struct dashboard {
	struct app *app;
	struct run *run;
	struct target *target;       /* the run's */
	struct audit *audit;         /* the run's */
	struct autostart *autostart; /* NULL: not wanted */
	struct runner *runner;
	struct lock_impact *lock_impact; /* for the plan */
	struct emergency_screen *emergency;
	struct watch_screen *watch;
	struct tui *tui; /* NULL until the terminal is opened */
	struct theme theme;
	struct ui_state ui;
	struct details details;
	struct log_view log;
	struct grid grid;
	struct player *player; /* for --replay; NULL */
	struct action *plan;   /* the plan that is shown or carried out; NULL */
	struct password *password;
	struct attention *attention;
	struct guard_history ended;
	bool limit_confirmed; /* the guard has asked about the limit; the next Enter confirms */
	struct {
		uint64_t drawn; /* ui.questions at the last frame */
		uint64_t seen;  /* ui.questions at the last frame that was sent completely */
		int64_t since;  /* µs, monotonic: since when `seen` is on the screen */
	} question;
	struct {
		uint64_t questions; /* ui.questions when screens were last entered and left */
		const struct view *views[UI_VIEWS_MAX]; /* those that were open then */
		size_t depth;
	} followed;
	bool dirty; /* the frame is out of date; it is drawn when the last one was sent */
	bool leaving;
	bool greeted; /* the notice about missing rights was shown */
	char greeting[RIGHTS_TEXT_MAX];

	uv_poll_t *input, *output;
	uv_prepare_t *draw;
	uv_timer_t *timeout; /* the timeout of the first answer, before the first frame is drawn */
};

/* Ends the loop; the program exits with this status. */
void dashboard_leave(struct dashboard *dashboard, int status);

/* Whether the screen on top, with its current question, was visible long enough to be read (300
 * ms). */
bool dashboard_question_was_seen(const struct dashboard *dashboard);

/* The audit log cannot be written: says why, and asks for a second Enter. */
void dashboard_ask_unaudited(struct dashboard *dashboard);

/* Stops as Ctrl+Z does, with the terminal restored; returns when the program is continued. */
void dashboard_suspend(struct dashboard *dashboard);

/* Draws the whole screen again. */
void dashboard_redraw(struct dashboard *dashboard);

#endif

/* The dashboard of one server: its table, and the screens over it; or that of the overview. */
#ifndef DASHBOARD_DASHBOARD_H
#define DASHBOARD_DASHBOARD_H

#include <stdbool.h>
#include <stdint.h>

#include "action/guard.h"
#include "model/rights.h"
#include "view/details.h"
#include "view/log_view.h"
#include "widgets/ui.h"

struct app;
struct assessment;
struct autostart;
struct audit;
struct display;
struct emergency_screen;
struct lock_impact;
struct password;
struct player;
struct run;
struct runner;
struct target;
struct watch_screen;

/* Shared by the files of the dashboard: the loop (run.c), the keys (keymap.c), the screens and the
 * commands. */
struct dashboard {
	struct display *display; /* shared with the other servers' */
	struct app *app;
	struct target *target;       /* the run's; NULL: the overview's dashboard */
	struct audit *audit;         /* the run's */
	struct autostart *autostart; /* NULL: not wanted */
	struct runner *runner;
	struct lock_impact *lock_impact; /* for the plan */
	struct emergency_screen *emergency;
	struct watch_screen *watch;
	struct ui_state ui;
	struct details details;
	struct log_view log;
	struct player *player; /* for --replay; NULL */
	struct action *plan;   /* the plan that is shown or carried out; NULL */
	struct password *password;
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
	bool dirty;   /* the frame is out of date; it is drawn when the last one was sent */
	bool greeted; /* the notice about missing rights was shown */
	char greeting[RIGHTS_TEXT_MAX];
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

/* Keeps what is shown of all servers as it is, or shows what is new again. */
void dashboard_pause(struct dashboard *dashboard, bool paused);

/* Refreshes all servers at this interval, in µs. */
void dashboard_set_interval(struct dashboard *dashboard, int64_t interval);

/* Draws the whole screen again. */
void dashboard_redraw(struct dashboard *dashboard);

#endif

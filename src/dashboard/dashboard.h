/* The dashboard: one loop, one screen, the pages that lie over it. */
#ifndef DASHBOARD_DASHBOARD_H
#define DASHBOARD_DASHBOARD_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "action/guard.h"
#include "config/theme.h"
#include "dashboard/attention.h"
#include "dashboard/password.h"
#include "model/rights.h"
#include "view/grid.h"
#include "view/ui.h"

struct app;
struct assessment;
struct audit;
struct clearing_page_state;
struct emergency_page;
struct executor;
struct losses;
struct player;
struct proxy_page;
struct target;
struct tui;
struct watch_page;

#define DASHBOARD_SIGNALS 7

/* Shared by the files of the dashboard: the loop (run.c), the keys (keymap.c) and what they do
 * (commands*.c). */
struct dashboard {
	struct app *app;
	struct target *target;
	struct audit *audit;
	struct executor *executor;
	struct losses *losses; /* of the plan */
	struct emergency_page *emergency;
	struct proxy_page *proxy;
	struct clearing_page_state *clearing;
	struct watch_page *watch;
	struct tui *tui; /* NULL until the screen is taken */
	struct theme theme;
	struct ui_state ui;
	struct grid grid;
	struct player *player;    /* of --replay; NULL */
	struct action_plan *plan; /* of the plan's pages, and of a run under way; NULL */
	struct password password;
	char title[ATTENTION_TITLE_MAX]; /* of the window */
	bool retitles, rings;            /* with the next frame */
	int leaked_before;               /* in the last refresh; −1: not known */
	struct guard_history ended;
	bool limit_confirmed; /* "more than the limit: really?" was asked for this plan */
	struct {
		uint64_t drawn; /* the ui's question that the last frame shows */
		uint64_t seen;  /* the same of the last frame that has gone out completely */
		int64_t since;  /* µs, monotonic: since when that is seen */
	} question;
	uint64_t asked_for; /* the ui's questions when locks and proxy were last asked for */
	bool dirty; /* the frame is not what it should be; drawn when the last one has gone out */
	bool leaving;
	bool greeted; /* what the role may do was told */
	char greeting[RIGHTS_TEXT_MAX];
	int status; /* the exit status */

	uv_poll_t *input, *output;
	uv_prepare_t *draw;
	uv_timer_t *patience; /* how long the first frame waits for the first answer */
	uv_signal_t *signals[DASHBOARD_SIGNALS];
};

/* Ends the loop with this exit status. */
void dashboard_leave(struct dashboard *dashboard, int status);

/* While a watch is armed Ctrl+C may have been meant for the application: opens the question, and
 * returns true. False when there is nothing to ask, or it is asked already. */
bool dashboard_asks_to_leave(struct dashboard *dashboard);

/* Whether the page on top, as it asks now, was on the screen long enough to be read (300 ms). */
bool dashboard_question_was_seen(const struct dashboard *dashboard);

/* Stops as Ctrl+Z does, with the terminal as it was; returns when continued. */
void dashboard_suspend(struct dashboard *dashboard);

/* Everything is drawn again, whatever the terminal shows now. */
void dashboard_redraw(struct dashboard *dashboard);

#endif

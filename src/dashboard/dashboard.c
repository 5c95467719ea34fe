/* The functions of the dashboard that commands and screens use. */
#include "dashboard/dashboard.h"

#include <signal.h>

#include "action/audit.h"
#include "base/cleanup.h"
#include "base/instant.h"
#include "base/mem.h"
#include "dashboard/display.h"
#include "modes/app.h"
#include "modes/run.h"
#include "target/target.h"
#include "tui/tui.h"

/* A plan can be confirmed after it was on the screen for this time, so that keys typed before do
 * not confirm it. */
#define QUESTION_SEEN 300000 /* µs */

void dashboard_leave(struct dashboard *dashboard, int status)
{
	dashboard->display->leaving = true;
	run_finish(dashboard->display->run, status);
}

void dashboard_redraw(struct dashboard *dashboard)
{
	tui_redraw(dashboard->display->tui);
	dashboard->dirty = true;
}

/* Stops the whole job as the terminal's driver does. The kernel ignores SIGTSTP in a job that no
 * shell can continue, as under ssh -t: then nothing stops. */
static void stop_job(void)
{
	const struct sigaction ignored = { .sa_handler = SIG_IGN },
			       stops = { .sa_handler = SIG_DFL };
	struct sigaction ours;
	sigaction(SIGTSTP, &ignored, &ours);
	kill(0, SIGTSTP);
	sigaction(SIGTSTP, &stops, NULL);
	/* Sent to this thread: it stops before raise() returns. */
	raise(SIGTSTP);
	sigaction(SIGTSTP, &ours, NULL);
}

void dashboard_suspend(struct dashboard *dashboard)
{
	struct tui *tui = dashboard->display->tui;
	if (tui)
		tui_suspend(tui);
	stop_job();
	if (tui) {
		tui_resume(tui);
		tui_resize(tui);
		dashboard_redraw(dashboard);
	}
}

void dashboard_pause(struct dashboard *dashboard, bool paused)
{
	struct display *display = dashboard->display;
	display->paused = paused;
	for (size_t i = 0; i < run_n_servers(display->run); i++)
		target_pause(run_server(display->run, i), paused);
}

void dashboard_set_interval(struct dashboard *dashboard, int64_t interval)
{
	struct display *display = dashboard->display;
	display->interval = interval;
	for (size_t i = 0; i < run_n_servers(display->run); i++)
		target_set_interval(run_server(display->run, i), interval);
}

bool dashboard_question_was_seen(const struct dashboard *dashboard)
{
	return dashboard->question.seen == dashboard->ui.questions &&
		instant_monotonic() - dashboard->question.since >= QUESTION_SEEN;
}

void dashboard_ask_unaudited(struct dashboard *dashboard)
{
	CLEANUP(cleanup_free)
	char *asks = mem_printf("%s: Enter again goes on", audit_refusal(dashboard->audit));
	ui_ask_anew(&dashboard->ui);
	ui_notice(&dashboard->ui, STYLE_CAUTION, asks);
}

/* Shows a sample as dbtop would, through its own view and terminal code, and stays until it is
 * killed: what pictures are made of, the same each time. stage SCENE [THEME] */
#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "action/plan.h"
#include "app/keymap.h"
#include "base/arena.h"
#include "config/theme.h"
#include "model/action.h"
#include "model/assessment.h"
#include "model/history.h"
#include "sample.h"
#include "tui/tui.h"
#include "view/details.h"
#include "view/grid.h"
#include "view/screen.h"
#include "view/ui.h"

struct stage {
	struct assessment *assessment;
	struct history history;
	struct ui_state ui;
	struct action_plan *plan;
	struct theme theme;
	struct tui *tui;
	struct grid grid;
};

static void draw(struct stage *stage)
{
	int width, height;
	tui_size(stage->tui, &width, &height);
	screen_build(stage->assessment, &stage->history, &stage->ui, stage->plan, width, height,
		&stage->grid);
	tui_draw(stage->tui, &stage->grid);
}

static void show_plan(struct stage *stage)
{
	stage->plan = plan_kill_leaked(stage->assessment, false);
	/* as somebody would who knows that report */
	for (size_t i = 0; i < stage->plan->n_targets; i++)
		if (stage->plan->targets[i].certainty == CERTAINTY_PRESUMED)
			stage->plan->targets[i].selected = false;
	ui_push(&stage->ui, PAGE_PLAN);
}

static void show_results(struct stage *stage)
{
	show_plan(stage);
	for (size_t i = 0; i < stage->plan->n_targets; i++)
		if (stage->plan->targets[i].selected)
			stage->plan->targets[i].result =
				i == 1 ? RESULT_CHANGED : RESULT_TERMINATED;
	ui_push(&stage->ui, PAGE_RESULTS);
}

static void show_details(struct stage *stage)
{
	const struct connection *connection = sample_find(stage->assessment, 9801);
	if (connection)
		details_open(&stage->ui, connection);
}

static void show_help(struct stage *stage)
{
	ui_push(&stage->ui, PAGE_HELP);
}

static void show_filter(struct stage *stage)
{
	ui_filter_begin(&stage->ui);
	for (const char *c = "worker"; *c; c++)
		ui_filter_type(&stage->ui, (char32_t)*c);
}

static const struct scene {
	const char *name;
	enum sample_kind sample;
	void (*show)(struct stage *stage);
} scenes[] = {
	{ "dashboard", SAMPLE_SCREEN, NULL },
	{ "plan", SAMPLE_SCREEN, show_plan },
	{ "results", SAMPLE_SCREEN, show_results },
	{ "details", SAMPLE_SCREEN, show_details },
	{ "help", SAMPLE_SCREEN, show_help },
	{ "filter", SAMPLE_SCREEN, show_filter },
	{ "full", SAMPLE_FULL, NULL },
	{ "stale", SAMPLE_STALE, NULL },
};

static const struct scene *find_scene(const char *name)
{
	for (size_t i = 0; i < sizeof(scenes) / sizeof(scenes[0]); i++)
		if (strcmp(scenes[i].name, name) == 0)
			return &scenes[i];
	return NULL;
}

static void fail(const char *what)
{
	fprintf(stderr, "stage: %s\n", what);
	exit(2);
}

/* Nothing comes: the terminal is asleep in its loop. */
static void stay(void)
{
	struct epoll_event event;
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	while (epoll_wait(epoll, &event, 1, -1) >= 0 || errno == EINTR)
		;
}

int main(int argc, char **argv)
{
	static struct stage stage;
	size_t n_keys;
	setlocale(LC_CTYPE, "");
	const struct key_help *keys = keymap_help(&n_keys);
	const struct scene *scene = argc > 1 ? find_scene(argv[1]) : NULL;
	if (!scene)
		fail("no such scene");
	if (theme_builtin(argc > 2 ? argv[2] : "default", &stage.theme) != 0)
		fail("no such theme");
	if (tui_new(&stage.theme, &stage.tui) != 0)
		fail("no terminal");
	stage.assessment = sample_assessment(scene->sample);
	sample_history(&stage.history);
	grid_init(&stage.grid);
	ui_init(&stage.ui, keys, n_keys);
	/* the first frame settles the rows that the scene is about */
	draw(&stage);
	if (scene->show) {
		scene->show(&stage);
		draw(&stage);
	}
	stay();
	return 0;
}

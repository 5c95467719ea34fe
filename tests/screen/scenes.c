/* A row a scene; what the samples do not tell of is made in scene_data.c. */
#include "scenes.h"

#include <stdio.h>
#include <string.h>

#include "action/plan.h"
#include "action/proxy_plan.h"
#include "base/arena.h"
#include "dashboard/keymap.h"
#include "model/action.h"
#include "model/assessment.h"
#include "model/emergency.h"
#include "sample.h"
#include "scene_data.h"
#include "view/emergency_view.h"
#include "view/help.h"
#include "view/locks.h"
#include "view/overview_view.h"
#include "view/password.h"
#include "view/plan.h"
#include "view/proxy_view.h"
#include "view/screen.h"
#include "view/watch_view.h"
#include "widgets/settle.h"

/* The key works on the screen on top, as the app finds out before each frame. */
static void allow(struct scenery *scenery, const char *key)
{
	const struct ui_state *ui = &scenery->ui;
	for (size_t i = 0; i < ui->n_keys; i++)
		if (ui->keys[i].view == ui_top(ui) && strcmp(ui->keys[i].keys, key) == 0)
			scenery->ui.met |= 1u << ui->keys[i].need;
}

/* The same for one of several keys of that name, by its word in the bar. */
static void allow_word(struct scenery *scenery, const char *word)
{
	const struct ui_state *ui = &scenery->ui;
	for (size_t i = 0; i < ui->n_keys; i++)
		if (ui->keys[i].view == ui_top(ui) && ui->keys[i].bar &&
			strcmp(ui->keys[i].bar, word) == 0)
			scenery->ui.met |= 1u << ui->keys[i].need;
}

static void show_plan(struct scenery *scenery)
{
	scenery->plan = plan_kill_leaked(scenery->assessment, CERTAINTY_PRESUMED);
	/* as somebody would who knows that report */
	for (size_t i = 0; i < scenery->plan->n_steps; i++)
		if (scenery->plan->steps[i].session.certainty == CERTAINTY_PRESUMED)
			scenery->plan->steps[i].selected = false;
	ui_push(&scenery->ui, &plan_view);
	allow(scenery, "Space");
	allow(scenery, "a");
}

static void show_results(struct scenery *scenery)
{
	show_plan(scenery);
	for (size_t i = 0; i < scenery->plan->n_steps; i++)
		if (scenery->plan->steps[i].selected)
			scenery->plan->steps[i].result =
				i == 1 ? RESULT_CHANGED : RESULT_TERMINATED;
	ui_push(&scenery->ui, &results_view);
}

static void open_details(struct scenery *scenery, int32_t pid)
{
	const struct connection *connection = sample_find(scenery->assessment, pid);
	if (!connection)
		return;
	details_open(&scenery->details, &scenery->ui, connection);
	allow(scenery, "K");
	if (connection->backend->state == BACKEND_STATE_ACTIVE)
		allow(scenery, "c");
}

static void show_details(struct scenery *scenery)
{
	open_details(scenery, 9801);
}

static void show_pooled(struct scenery *scenery)
{
	open_details(scenery, 9912);
}

static void show_help(struct scenery *scenery)
{
	ui_push(&scenery->ui, &help_view);
}

static void show_filter(struct scenery *scenery)
{
	ui_filter_begin(&scenery->ui);
	for (const char *c = "worker"; *c; c++)
		ui_filter_type(&scenery->ui, (char32_t)*c);
}

static void show_filtered(struct scenery *scenery)
{
	show_filter(scenery);
	ui_filter_keep(&scenery->ui);
}

static void show_nothing(struct scenery *scenery)
{
	ui_filter_begin(&scenery->ui);
	for (const char *c = "zebra"; *c; c++)
		ui_filter_type(&scenery->ui, (char32_t)*c);
	ui_filter_keep(&scenery->ui);
}

static void show_tagged(struct scenery *scenery)
{
	ui_move(&scenery->ui, 1);
	ui_toggle_tag(&scenery->ui);
	ui_toggle_tag(&scenery->ui);
}

static void show_locks(struct scenery *scenery)
{
	ui_push(&scenery->ui, &locks_view);
}

static void show_proxy(struct scenery *scenery)
{
	ui_push(&scenery->ui, &proxy_view);
	allow(scenery, "r");
}

static void show_launch(struct scenery *scenery)
{
	static const char *const argv[] = { "cloud-sql-proxy", "--health-check", "--port", "5433",
		"project:region:instance" };
	scenery->plan = proxy_plan(ACTION_PROXY_RESTART, scenery->assessment->proxy, argv,
		sizeof(argv) / sizeof(argv[0]), "/home/app/.local/state/dbtop/proxy.log");
	ui_push(&scenery->ui, &plan_view);
}

static void show_launch_run(struct scenery *scenery)
{
	show_launch(scenery);
	struct action_step *command = &scenery->plan->steps[1];
	command->result = RESULT_STARTED;
	command->pid = 9105;
	ui_push(&scenery->ui, &results_view);
}

static void show_emergency(struct scenery *scenery)
{
	scenery->emergency = scene_emergency();
	scenery->ui.emergency = scenery->emergency;
	ui_word_begin(&scenery->ui, "stop");
	ui_word_type(&scenery->ui, U's');
	ui_word_type(&scenery->ui, U't');
	ui_push(&scenery->ui, &emergency_view);
}

static void show_emergency_elsewhere(struct scenery *scenery)
{
	show_emergency(scenery);
	scene_emergency_elsewhere(scenery->emergency);
}

static void show_emergency_run(struct scenery *scenery)
{
	show_emergency(scenery);
	scene_emergency_stopping(scenery->emergency);
	ui_push(&scenery->ui, &emergency_run_view);
}

static void show_emergency_done(struct scenery *scenery)
{
	show_emergency(scenery);
	scene_emergency_done(scenery->emergency);
	ui_push(&scenery->ui, &emergency_run_view);
}

static void show_clearing(struct scenery *scenery)
{
	scenery->plan = scene_clearing(false);
	ui_push(&scenery->ui, &plan_view);
	allow(scenery, "Space");
	allow(scenery, "a");
}

static void show_cleared(struct scenery *scenery)
{
	scenery->plan = scene_clearing(true);
	ui_push(&scenery->ui, &results_view);
}

static void show_watch(struct scenery *scenery)
{
	scene_watch(scenery, WATCH_CLOSED);
	ui_push(&scenery->ui, &watch_view);
	allow_word(scenery, "close");
}

static void show_watch_failed(struct scenery *scenery)
{
	scene_watch(scenery, WATCH_LEFT);
	ui_push(&scenery->ui, &watch_view);
	allow(scenery, "k");
	allow_word(scenery, "close");
}

static void show_watch_armed(struct scenery *scenery)
{
	scene_watch(scenery, WATCH_ARMED);
	ui_push(&scenery->ui, &watch_view);
	allow(scenery, "w");
	allow_word(scenery, "close, watch on");
}

static void show_quit(struct scenery *scenery)
{
	scene_watch(scenery, WATCH_ARMED);
	ui_push(&scenery->ui, &quit_view);
}

/* The cursor is not on the first row, so that its sign is in colour. */
static void show_overview(struct scenery *scenery)
{
	scene_servers_make(&scenery->servers);
	scenery->ui.overview = &scenery->servers.overview;
	scenery->ui.now = SAMPLE_NOW;
	ui_push(&scenery->ui, &overview_view);
	overview_settle(&scenery->servers.overview, &scenery->ui);
	overview_select(&scenery->servers.overview, &scenery->ui, 2);
}

static void show_overview_help(struct scenery *scenery)
{
	show_overview(scenery);
	ui_push(&scenery->ui, &help_view);
}

static void show_password(struct scenery *scenery)
{
	scenery->ui.password_wanted = true;
	scenery->ui.password_length = 7;
	ui_push(&scenery->ui, &password_view);
}

static void show_actions(struct scenery *scenery)
{
	struct ui_state *ui = &scenery->ui;
	log_view_open(&scenery->log, ui, "Actions", "nothing has been ended or cancelled yet");
	for (size_t i = 0; i < n_scene_actions; i++)
		log_view_add(&scenery->log, SAMPLE_NOW - scene_actions[i].ago,
			scene_actions[i].style, scene_actions[i].text);
}

static void show_messages(struct scenery *scenery)
{
	log_view_open(&scenery->log, &scenery->ui, "Messages", "nothing has been logged yet");
}

static void show_theme(struct scenery *scenery)
{
	ui_notice(&scenery->ui, STYLE_TEXT, "theme light (2 of 6)   dbtop -t light keeps it");
}

static void show_paused(struct scenery *scenery)
{
	scenery->ui.paused = true;
}

static void show_replay(struct scenery *scenery)
{
	scenery->ui.replay = (struct ui_replay){ .at = 16, .count = 3600, .speed = "2×" };
}

static const struct scene scenes[] = {
	{ "dashboard", SAMPLE_SCREEN, NULL, NULL },
	{ "pools", SAMPLE_SCREEN, scene_set_pools, NULL },
	{ "filter", SAMPLE_SCREEN, NULL, show_filter },
	{ "filtered", SAMPLE_SCREEN, NULL, show_filtered },
	{ "nothing", SAMPLE_SCREEN, NULL, show_nothing },
	{ "tagged", SAMPLE_SCREEN, NULL, show_tagged },
	{ "paused", SAMPLE_SCREEN, NULL, show_paused },
	{ "theme", SAMPLE_SCREEN, NULL, show_theme },
	{ "replay", SAMPLE_SCREEN, NULL, show_replay },
	{ "stale", SAMPLE_STALE, NULL, NULL },
	{ "full", SAMPLE_FULL, NULL, NULL },
	{ "refused", SAMPLE_REFUSED, NULL, NULL },
	{ "connecting", SAMPLE_CONNECTING, NULL, NULL },
	{ "denied", SAMPLE_CONNECTING, scene_set_denied, NULL },
	{ "empty", SAMPLE_EMPTY, NULL, NULL },
	{ "help", SAMPLE_SCREEN, NULL, show_help },
	{ "plan", SAMPLE_SCREEN, NULL, show_plan },
	{ "results", SAMPLE_SCREEN, NULL, show_results },
	{ "details", SAMPLE_SCREEN, scene_set_locks, show_details },
	{ "pooled", SAMPLE_SCREEN, NULL, show_pooled },
	{ "locks", SAMPLE_SCREEN, scene_set_locks, show_locks },
	{ "actions", SAMPLE_SCREEN, NULL, show_actions },
	{ "messages", SAMPLE_SCREEN, NULL, show_messages },
	{ "proxy", SAMPLE_SCREEN, scene_set_proxy, show_proxy },
	{ "launch", SAMPLE_SCREEN, scene_set_proxy, show_launch },
	{ "launched", SAMPLE_SCREEN, scene_set_proxy, show_launch_run },
	{ "emergency", SAMPLE_SCREEN, NULL, show_emergency },
	{ "emergency-elsewhere", SAMPLE_SCREEN, NULL, show_emergency_elsewhere },
	{ "emergency-run", SAMPLE_SCREEN, NULL, show_emergency_run },
	{ "emergency-done", SAMPLE_SCREEN, NULL, show_emergency_done },
	{ "clearing", SAMPLE_SCREEN, NULL, show_clearing },
	{ "cleared", SAMPLE_SCREEN, NULL, show_cleared },
	{ "watch", SAMPLE_SCREEN, NULL, show_watch },
	{ "watch-failed", SAMPLE_SCREEN, NULL, show_watch_failed },
	{ "watch-armed", SAMPLE_SCREEN, NULL, show_watch_armed },
	{ "quit", SAMPLE_SCREEN, NULL, show_quit },
	{ "password", SAMPLE_CONNECTING, scene_set_denied, show_password },
	{ "overview", SAMPLE_SCREEN, NULL, show_overview },
	{ "overview-help", SAMPLE_SCREEN, NULL, show_overview_help },
};
#define SCENES (sizeof(scenes) / sizeof(scenes[0]))

const struct scene *scene_find(const char *name)
{
	for (size_t i = 0; i < SCENES; i++)
		if (strcmp(scenes[i].name, name) == 0)
			return &scenes[i];
	return NULL;
}

const struct scene *scene_at(size_t index)
{
	return index < SCENES ? &scenes[index] : NULL;
}

void scenery_init(struct scenery *scenery, const struct scene *scene)
{
	size_t n_keys;
	const struct key_help *keys = keymap_help(&n_keys);
	*scenery = (struct scenery){
		.arena = arena_new(),
		.assessment = sample_assessment((enum sample_kind)scene->sample),
	};
	sample_history(&scenery->history);
	ui_init(&scenery->ui, keys, n_keys);
	shutdown_record_init(&scenery->record);
	if (scene->set)
		scene->set(scenery->assessment);
}

void scenery_draw(struct scenery *scenery, int width, int height, struct grid *grid)
{
	settle_rows(&scenery->ui, scenery->assessment);
	details_settle(&scenery->details, &scenery->ui, scenery->assessment);
	if (scenery->ui.overview)
		overview_settle(&scenery->servers.overview, &scenery->ui);
	struct ui_shown shown = screen_build(scenery->assessment, &scenery->history, &scenery->ui,
		scenery->plan, width, height, grid);
	ui_note_shown(&scenery->ui, &shown);
}

void scenery_deinit(struct scenery *scenery)
{
	ui_deinit(&scenery->ui);
	details_deinit(&scenery->details);
	log_view_deinit(&scenery->log);
	action_free(scenery->plan);
	emergency_free(scenery->emergency);
	shutdown_record_deinit(&scenery->record);
	scene_servers_free(&scenery->servers);
	assessment_free(scenery->assessment);
	arena_free(scenery->arena);
}

/* One table with a row for each command: its keys, its screen, and its words for the key bar and
 * the help. */
#include "dashboard/keymap.h"

#include "dashboard/commands.h"
#include "dashboard/dashboard.h"
#include "tui/input.h"

#define MOST_KEYS 6

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

/* A row belongs to one screen. The rows of ANYWHERE apply to every screen, after its own rows. */
#define ANYWHERE (-1)

static const struct binding {
	int screen; /* enum screen, or ANYWHERE */
	command_fn *run;
	struct key_event keys[MOST_KEYS]; /* ends with {0, 0} */
	const char *names, *bar, *what;
	bool always; /* stays in the bar when others are left out */
	enum key_time when;
	enum help_section section; /* the help's section, for rows with `what` */
	enum key_need need;
	bool confirms; /* carries out what the screen asks: works only after the user had time to
			  read it */
} bindings[] = {
	{ SCREEN_MAIN, command_play, { CHAR('p') }, "p", "play/stop", "play the recording, or stop",
		true, KEY_REPLAY, HELP_REPLAY },
	{ SCREEN_MAIN, command_step_on, { CHAR('.') }, ".", "next", "the next snapshot", true,
		KEY_REPLAY, HELP_REPLAY },
	{ SCREEN_MAIN, command_step_back, { CHAR(',') }, ",", "back", "the one before", true,
		KEY_REPLAY, HELP_REPLAY },
	{ SCREEN_MAIN, command_seek_on, { CHAR(']') }, "]", "+1 min", "a minute forward", false,
		KEY_REPLAY, HELP_REPLAY },
	{ SCREEN_MAIN, command_seek_back, { CHAR('[') }, "[", "-1 min", "a minute back", false,
		KEY_REPLAY, HELP_REPLAY },
	{ SCREEN_MAIN, command_to_start, { CHAR('{') }, "{", NULL, "to the recording's beginning",
		false, KEY_REPLAY, HELP_REPLAY },
	{ SCREEN_MAIN, command_to_end, { CHAR('}') }, "}", NULL, "to its end", false, KEY_REPLAY,
		HELP_REPLAY },
	{ SCREEN_MAIN, command_play_faster, { CHAR('+') }, "+", NULL, "play faster", false,
		KEY_REPLAY, HELP_REPLAY },
	{ SCREEN_MAIN, command_play_slower, { CHAR('-') }, "-", NULL, "play slower", false,
		KEY_REPLAY, HELP_REPLAY },
	{ SCREEN_MAIN, command_kill_leaked, { CHAR('k') }, "k", "kill # leaked",
		"end the leaked; shows the plan first", true, KEY_LIVE, HELP_ACT },
	{ SCREEN_MAIN, command_terminate, { CHAR('K') }, "K", "kill",
		"end the tagged, or the selected one", true, KEY_LIVE, HELP_ACT },
	{ SCREEN_MAIN, command_cancel, { CHAR('c') }, "c", "cancel", "cancel their statements",
		false, KEY_LIVE, HELP_ACT },
	{ SCREEN_MAIN, command_proxy, { CHAR('P') }, "P", NULL,
		"the local proxy; start or restart it", false, KEY_EVER, HELP_LOOK },
	{ SCREEN_MAIN, command_locks, { CHAR('l') }, "l", "locks", "locks: who blocks whom", false,
		KEY_LIVE, HELP_LOOK },
	{ SCREEN_MAIN, command_emergency, { CHAR('E') }, "E", "emergency",
		"stop the application; shows who first", false, KEY_LIVE, HELP_ACT },
	{ SCREEN_MAIN, command_clear_pages, { CHAR('X') }, "X", NULL,
		"remove the stats pages of dead processes", false, KEY_LIVE, HELP_ACT },
	{ SCREEN_MAIN, command_watch, { CHAR('w') }, "w", "watch",
		"watch this process shut down; a verdict follows", false, KEY_LIVE, HELP_LOOK },
	{ SCREEN_MAIN, command_filter, { CHAR('/') }, "/", "filter",
		"show what matches: text, field:text, !text", true, KEY_EVER, HELP_TABLE },
	{ SCREEN_MAIN, command_sort, { CHAR('s') }, "s", "sort", "sort by the next column", false,
		KEY_EVER, HELP_TABLE },
	{ SCREEN_MAIN, command_reverse, { CHAR('S') }, "S", NULL, "sort the other way round", false,
		KEY_EVER, HELP_TABLE },
	{ SCREEN_MAIN, command_group, { CHAR('g') }, "g", "group",
		"group by process, application, database, …", false, KEY_EVER, HELP_TABLE },
	{ SCREEN_MAIN, command_pause, { CHAR('p') }, "p", "pause", "pause; press again to go on",
		false, KEY_LIVE, HELP_SCREEN },
	{ SCREEN_MAIN, command_tag, { CHAR(' ') }, "Space", NULL, "tag for K and c", false,
		KEY_LIVE, HELP_ACT },
	{ SCREEN_MAIN, command_untag, { CHAR('u') }, "u", NULL, "untag all", false, KEY_LIVE,
		HELP_ACT },
	{ SCREEN_MAIN, command_enter, { KEY(ENTER) }, "Enter", NULL,
		"details of a connection; fold a group", false, KEY_EVER, HELP_LOOK },
	{ SCREEN_MAIN, command_fold, { KEY(LEFT) }, "← →", NULL, "fold the group, unfold it", false,
		KEY_EVER, HELP_TABLE },
	{ SCREEN_MAIN, command_unfold, { KEY(RIGHT) }, "→", NULL, NULL, false, KEY_EVER,
		HELP_TABLE },
	{ SCREEN_MAIN, command_pan_right, { CHAR('L'), KEY(SHIFT_RIGHT) }, "L Shift-→", NULL,
		"the columns beyond the right edge", false, KEY_EVER, HELP_TABLE },
	{ SCREEN_MAIN, command_pan_left, { CHAR('H'), KEY(SHIFT_LEFT) }, "H Shift-←", NULL,
		"back to the first columns", false, KEY_EVER, HELP_TABLE },
	{ SCREEN_MAIN, command_find_next, { CHAR('n') }, "n", NULL,
		"the next match of the last filter", false, KEY_EVER, HELP_TABLE },
	{ SCREEN_MAIN, command_find_previous, { CHAR('N') }, "N", NULL, "the one before", false,
		KEY_EVER, HELP_TABLE },
	{ SCREEN_MAIN, command_follow, { CHAR('F') }, "F", NULL,
		"follow this connection until it ends", false, KEY_EVER, HELP_TABLE },
	{ SCREEN_MAIN, command_password, { CHAR('W') }, "W", NULL,
		"type the password that the server asks for", false, KEY_LIVE, HELP_LOOK },
	{ SCREEN_MAIN, command_actions_log, { CHAR('a') }, "a", NULL,
		"actions: what was ended, and the outcome", false, KEY_EVER, HELP_LOOK },
	{ SCREEN_MAIN, command_messages, { CHAR('m') }, "m", NULL, "messages: dbtop's own log",
		false, KEY_EVER, HELP_LOOK },
	{ SCREEN_MAIN, command_refresh_less, { CHAR('+') }, "+ -", NULL, "refresh less, more often",
		false, KEY_LIVE, HELP_SCREEN },
	{ SCREEN_MAIN, command_refresh_more, { CHAR('-') }, "-", NULL, NULL, false, KEY_LIVE,
		HELP_SCREEN },
	{ SCREEN_MAIN, command_copy, { CHAR('y') }, "y", NULL, "copy the statement", false,
		KEY_EVER, HELP_LOOK },
	{ SCREEN_PLAN, command_tick, { CHAR(' ') }, "Space", "untick", "tick or untick a row", true,
		.need = NEED_TICKS },
	{ SCREEN_PLAN, command_tick_all, { CHAR('a') }, "a", "all", "tick or untick all", false,
		.need = NEED_TICKS },
	{ SCREEN_PLAN, command_confirm, { KEY(ENTER) }, "Enter", UI_CONFIRM,
		"do it to the ticked ones", true, .confirms = true },
	{ SCREEN_PLAN, command_back, { KEY(ESCAPE), CHAR('q') }, "Esc", "leave them alone",
		"do nothing", true },
	{ SCREEN_RESULTS, command_back, { KEY(ESCAPE), CHAR('q'), KEY(ENTER) }, "Esc", "close",
		NULL, true },
	{ SCREEN_EMERGENCY, command_emergency_confirm, { KEY(ENTER) }, "Enter", "stop #", NULL,
		true, .confirms = true },
	{ SCREEN_EMERGENCY, command_back, { KEY(ESCAPE) }, "Esc", "leave them alone", NULL, true },
	{ SCREEN_EMERGENCY_RUN, command_back, { KEY(ESCAPE), CHAR('q'), KEY(ENTER) }, "Esc",
		"close", NULL, true },
	{ SCREEN_WATCH, command_watch_kill, { CHAR('k') }, "k", "end #", NULL, true,
		.need = NEED_LEFT },
	{ SCREEN_WATCH, command_watch_again, { CHAR('w') }, "w", "arm again", NULL, false,
		.need = NEED_PROCESS },
	{ SCREEN_WATCH, command_back, { KEY(ESCAPE), CHAR('q'), KEY(ENTER) }, "Esc",
		"close, watch on", NULL, true },
	{ SCREEN_QUIT, command_leave, { KEY(ENTER), CONTROL('c'), CHAR('y') }, "Enter", "quit",
		NULL, true },
	{ SCREEN_QUIT, command_back, { KEY(ESCAPE), CHAR('n'), CHAR('q') }, "Esc", "stay", NULL,
		true },
	{ SCREEN_HELP, command_back, { KEY(ESCAPE), CHAR('q'), KEY(ENTER), CHAR('?') }, "Esc",
		"close", "back", true },
	{ SCREEN_DETAILS, command_terminate, { CHAR('K') }, "K", "kill", NULL, false,
		.need = NEED_SESSION },
	{ SCREEN_DETAILS, command_cancel, { CHAR('c') }, "c", "cancel", NULL, false,
		.need = NEED_STATEMENT },
	{ SCREEN_DETAILS, command_back, { KEY(ESCAPE), CHAR('q'), KEY(ENTER) }, "Esc", "close",
		NULL, true },
	{ SCREEN_PROXY, command_proxy_start, { CHAR('s') }, "s", "start", NULL, false,
		.need = NEED_START },
	{ SCREEN_PROXY, command_proxy_restart, { CHAR('r') }, "r", "restart", NULL, false,
		.need = NEED_RESTART },
	{ SCREEN_PROXY, command_back, { KEY(ESCAPE), CHAR('q'), CHAR('P'), KEY(ENTER) }, "Esc",
		"close", NULL, true },
	{ SCREEN_LOCKS, command_lock_details, { KEY(ENTER) }, "Enter", "details", NULL, false,
		.need = NEED_LINE },
	{ SCREEN_LOCKS, command_back, { KEY(ESCAPE), CHAR('q'), CHAR('l') }, "Esc", "close", NULL,
		true },
	{ SCREEN_LOG, command_back, { KEY(ESCAPE), CHAR('q'), KEY(ENTER) }, "Esc", "close", NULL,
		true },
	{ SCREEN_PASSWORD, command_password_give, { KEY(ENTER) }, "Enter", "connect", NULL, true },
	{ SCREEN_PASSWORD, command_password_decline, { KEY(ESCAPE) }, "Esc", "not now", NULL,
		true },
	{ ANYWHERE, command_up, { KEY(UP), CONTROL('p') }, "↑ ↓ j", NULL, "up, down", false,
		KEY_EVER, HELP_MOVE },
	{ ANYWHERE, command_down, { KEY(DOWN), CHAR('j'), CONTROL('n') }, "↓ j", NULL, NULL, false,
		KEY_EVER, HELP_MOVE },
	{ ANYWHERE, command_page_up, { KEY(PAGE_UP), CONTROL('b'), CONTROL('u'), CHAR('b') },
		"PgUp PgDn", NULL, "a page up, down; Ctrl-U, Ctrl-D or J", false, KEY_EVER,
		HELP_MOVE },
	{ ANYWHERE, command_page_down,
		{ KEY(PAGE_DOWN), CHAR('J'), CONTROL('f'), CONTROL('d'), CHAR('f') },
		"PgDn J Ctrl-D", NULL, NULL, false, KEY_EVER, HELP_MOVE },
	{ ANYWHERE, command_home, { KEY(HOME), CHAR('<') }, "Home End G", NULL,
		"to the first, to the last", false, KEY_EVER, HELP_MOVE },
	{ ANYWHERE, command_end, { KEY(END), CHAR('G'), CHAR('>') }, "End G", NULL, NULL, false,
		KEY_EVER, HELP_MOVE },
	{ ANYWHERE, command_back, { KEY(ESCAPE) }, "Esc", NULL, "back; clears the filter", false,
		KEY_EVER, HELP_SCREEN },
	{ ANYWHERE, command_help, { CHAR('?'), FUNCTION(1) }, "?", "help", "this screen (also F1)",
		true, KEY_EVER, HELP_SCREEN },
	{ ANYWHERE, command_theme, { CHAR('t') }, "t", NULL, "the next theme", false, KEY_EVER,
		HELP_SCREEN },
	{ ANYWHERE, command_redraw, { CONTROL('l') }, "Ctrl-L", NULL, "draw the screen again",
		false, KEY_EVER, HELP_SCREEN },
	{ ANYWHERE, command_suspend, { CONTROL('z') }, "Ctrl-Z", NULL, "suspend dbtop", false,
		KEY_EVER, HELP_SCREEN },
	{ ANYWHERE, command_quit, { CHAR('q'), FUNCTION(10) }, "q", "quit",
		"quit (also F10, Ctrl-C)", true, KEY_EVER, HELP_SCREEN },
	{ ANYWHERE, command_interrupt, { CONTROL('c') }, "Ctrl-C", NULL, NULL, false },
};
#define BINDINGS (sizeof(bindings) / sizeof(bindings[0]))

const struct key_help *keymap_help(size_t *ret_count)
{
	static struct key_help help[BINDINGS];
	for (size_t i = 0; i < BINDINGS; i++)
		help[i] = (struct key_help){
			.keys = bindings[i].names,
			.what = bindings[i].what,
			.bar = bindings[i].bar,
			.screen = bindings[i].screen == ANYWHERE ? SCREEN_MAIN
								 : (enum screen)bindings[i].screen,
			.always = bindings[i].always,
			.when = bindings[i].when,
			.section = bindings[i].section,
			.need = bindings[i].need,
		};
	*ret_count = BINDINGS;
	return help;
}

static bool is_bound(const struct binding *binding, const struct key_event *event)
{
	for (size_t i = 0; i < MOST_KEYS; i++) {
		const struct key_event *key = &binding->keys[i];
		bool ends = key->key == INPUT_CHAR && key->c == 0;
		if (ends)
			return false;
		if (key->key == event->key && key->c == event->c)
			return true;
	}
	return false;
}

/* Keys that act on a server are also found in a recording: their commands say why
 * they do nothing. */
static const struct binding *find(int screen, const struct key_event *event, bool replaying)
{
	for (size_t i = 0; i < BINDINGS; i++)
		if (bindings[i].screen == screen && is_bound(&bindings[i], event) &&
			(bindings[i].when != KEY_REPLAY || replaying))
			return &bindings[i];
	return NULL;
}

/* While the filter is typed, all keys are text except these. */
static void press_in_filter(struct ui_state *ui, const struct key_event *event)
{
	switch (event->key) {
	case INPUT_CHAR: ui_filter_type(ui, event->c); break;
	case INPUT_CTRL:
		if (event->c == 'w' || event->c == 'u')
			ui_filter_erase_word(ui);
		break;
	case INPUT_BACKSPACE:
	case INPUT_DELETE: ui_filter_erase(ui); break;
	case INPUT_ENTER: ui_filter_keep(ui); break;
	case INPUT_ESCAPE: ui_filter_clear(ui); break;
	case INPUT_UP: ui_move(ui, -1); break;
	case INPUT_DOWN: ui_move(ui, 1); break;
	default: break;
	}
}

/* While the word is typed, every letter is part of it. */
static bool press_in_word(struct ui_state *ui, const struct key_event *event)
{
	switch (event->key) {
	case INPUT_CHAR: ui_word_type(ui, event->c); return true;
	case INPUT_BACKSPACE:
	case INPUT_DELETE: ui_word_erase(ui); return true;
	default: return false;
	}
}

#define WHEEL_ROWS 3

/* The first click selects the row, a second one opens it. */
static void click_row(struct dashboard *dashboard, uint32_t row)
{
	struct ui_state *ui = &dashboard->ui;
	if (ui_current_screen(ui) != SCREEN_MAIN)
		return;
	if (ui->row == row && row < ui->rows.n_rows)
		command_enter(dashboard);
	else
		ui_select(ui, row);
}

/* Every key and click runs its command through this function. */
static void run(struct dashboard *dashboard, const struct binding *binding)
{
	if (binding->confirms && !dashboard_question_was_seen(dashboard)) {
		ui_notice(&dashboard->ui, STYLE_CAUTION,
			"the plan has only just appeared: read it, then press Enter again");
		return;
	}
	binding->run(dashboard);
}

/* The clicked bar may belong to a screen that a key has closed since the frame was drawn. */
static void click_key(struct dashboard *dashboard, uint32_t id)
{
	if (id < BINDINGS &&
		(bindings[id].screen == ANYWHERE ||
			bindings[id].screen == (int)ui_current_screen(&dashboard->ui)))
		run(dashboard, &bindings[id]);
}

static void click(struct dashboard *dashboard, struct hit hit)
{
	struct ui_state *ui = &dashboard->ui;
	switch (hit.kind) {
	case HIT_NONE: break;
	case HIT_ROW: click_row(dashboard, hit.id); break;
	case HIT_COLUMN:
		if (ui_current_screen(ui) == SCREEN_MAIN)
			ui_sort_by(ui, (enum column_id)hit.id);
		break;
	case HIT_KEY: click_key(dashboard, hit.id); break;
	case HIT_LINE: ui->cursor = hit.id; break;
	case HIT_TARGET:
		ui->cursor = hit.id;
		if (ui_current_screen(ui) == SCREEN_PLAN)
			command_tick(dashboard);
		break;
	}
}

static void use_mouse(struct dashboard *dashboard, const struct key_event *event)
{
	struct ui_state *ui = &dashboard->ui;
	ui_notice(ui, STYLE_TEXT, NULL);
	switch (event->key) {
	case INPUT_WHEEL_UP: ui_move(ui, -WHEEL_ROWS); break;
	case INPUT_WHEEL_DOWN: ui_move(ui, WHEEL_ROWS); break;
	case INPUT_WHEEL_LEFT: ui_pan(ui, -1); break;
	case INPUT_WHEEL_RIGHT: ui_pan(ui, 1); break;
	default: click(dashboard, grid_hit(&dashboard->grid, event->x, event->y)); break;
	}
}

static bool is_quit(const struct key_event *event)
{
	return event->key == INPUT_CTRL && event->c == 'c';
}

/* If text is being typed: takes the key, and returns whether it was part of the text. */
static bool type(struct dashboard *dashboard, const struct key_event *event)
{
	struct ui_state *ui = &dashboard->ui;
	if (ui->filter_editing && !is_quit(event)) {
		press_in_filter(ui, event);
		return true;
	}
	switch (ui_current_screen(ui)) {
	case SCREEN_PASSWORD: return password_press(dashboard, event);
	case SCREEN_EMERGENCY: return press_in_word(ui, event);
	default: return false;
	}
}

static bool is_mouse(const struct key_event *event)
{
	return event->key >= INPUT_CLICK && event->key <= INPUT_WHEEL_RIGHT;
}

/* Pasted text is inserted where text is typed, without control characters. Elsewhere
 * it is ignored. */
static void paste(struct dashboard *dashboard, const struct key_event *event)
{
	struct ui_state *ui = &dashboard->ui;
	if (ui->filter_editing || ui_current_screen(ui) == SCREEN_PASSWORD ||
		ui_current_screen(ui) == SCREEN_EMERGENCY) {
		if (event->key == INPUT_CHAR)
			type(dashboard, event);
		return;
	}
	ui_notice(ui, STYLE_CAUTION, "pasted text is not taken as keys");
}

void keymap_press(struct dashboard *dashboard, const struct key_event *event)
{
	if (event->pasted) {
		paste(dashboard, event);
		return;
	}
	if (is_mouse(event)) {
		use_mouse(dashboard, event);
		return;
	}
	if (type(dashboard, event))
		return;
	bool replaying = dashboard->player != NULL;
	const struct binding *binding =
		find((int)ui_current_screen(&dashboard->ui), event, replaying);
	if (!binding)
		binding = find(ANYWHERE, event, replaying);
	if (!binding)
		return;
	/* The notice belongs to the key before. Ctrl-L only draws the screen again, so it keeps the
	 * notice. */
	if (binding->run != command_redraw)
		ui_notice(&dashboard->ui, STYLE_TEXT, NULL);
	run(dashboard, binding);
}

/* Finds the command of a key: first among the keys of the screen on top, then among those that
 * every screen has. */
#include "dashboard/keymap.h"

#include "dashboard/commands.h"
#include "dashboard/dashboard.h"
#include "dashboard/display.h"
#include "dashboard/screen.h"
#include "dashboard/screens.h"
#include "tui/input.h"

#define BINDINGS_MAX 128

/* The index-th binding of all screens, then of the global keys; NULL after the last one.
 * *ret_view is where it works, *ret_need its key_help.need, and *ret_everywhere whether it is a
 * global one. */
static const struct binding *binding_at(
	size_t index, const struct view **ret_view, unsigned int *ret_need, bool *ret_everywhere)
{
	const struct screen *screen;
	for (size_t i = 0;; i++) {
		screen = screens_get(i);
		const struct binding *keys = screen ? screen->keys : global_keys;
		unsigned int need = 0;
		for (; keys->run; keys++) {
			need += keys->works != NULL;
			if (index-- > 0)
				continue;
			*ret_view = screen ? screen->view : NULL;
			*ret_everywhere = !screen;
			*ret_need = keys->works ? need : 0;
			return keys;
		}
		if (!screen)
			return NULL;
	}
}

const struct key_help *keymap_help(size_t *ret_count)
{
	static struct key_help help[BINDINGS_MAX];
	const struct binding *binding;
	const struct view *view;
	unsigned int need;
	bool everywhere;
	size_t count = 0;
	while (count < BINDINGS_MAX && (binding = binding_at(count, &view, &need, &everywhere)))
		help[count++] = (struct key_help){
			.keys = binding->names,
			.what = binding->what,
			.bar = binding->bar,
			.view = view,
			.always = binding->always,
			.when = binding->when,
			.section = binding->section,
			.need = need,
			.everywhere = everywhere,
		};
	*ret_count = count;
	return help;
}

unsigned int keymap_met(const struct dashboard *dashboard)
{
	unsigned int met = 0, need = 0;
	for (const struct binding *key = screens_top(dashboard)->keys; key->run; key++)
		if (key->works && (need++, key->works(dashboard)))
			met |= 1u << need;
	return met;
}

static bool is_bound(const struct binding *binding, const struct key_event *event)
{
	for (size_t i = 0; i < BINDING_KEYS; i++) {
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
static const struct binding *find(
	const struct binding *keys, const struct key_event *event, bool replaying)
{
	for (; keys->run; keys++)
		if (is_bound(keys, event) && (keys->when != KEY_REPLAY || replaying))
			return keys;
	return NULL;
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
	const struct view *view;
	const struct view *top = ui_top(&dashboard->ui);
	unsigned int need;
	bool everywhere;
	const struct binding *binding = binding_at(id, &view, &need, &everywhere);
	if (binding && (view == top || (everywhere && top->is_whole)))
		run(dashboard, binding);
}

static void click(struct dashboard *dashboard, struct hit hit)
{
	const struct screen *screen = screens_top(dashboard);
	switch (hit.kind) {
	case HIT_NONE: break;
	case HIT_KEY: click_key(dashboard, hit.id); break;
	case HIT_LINE: dashboard->ui.cursor = hit.id; break;
	default:
		if (screen->click)
			screen->click(dashboard, hit);
		break;
	}
}

#define WHEEL_ROWS 3

static void use_mouse(struct dashboard *dashboard, const struct key_event *event)
{
	struct ui_state *ui = &dashboard->ui;
	ui_notice(ui, STYLE_TEXT, NULL);
	switch (event->key) {
	case INPUT_WHEEL_UP: ui_move(ui, -WHEEL_ROWS); break;
	case INPUT_WHEEL_DOWN: ui_move(ui, WHEEL_ROWS); break;
	case INPUT_WHEEL_LEFT: ui_pan(ui, -1); break;
	case INPUT_WHEEL_RIGHT: ui_pan(ui, 1); break;
	default: click(dashboard, grid_hit(&dashboard->display->grid, event->x, event->y)); break;
	}
}

static bool is_mouse(const struct key_event *event)
{
	return event->key >= INPUT_CLICK && event->key <= INPUT_WHEEL_RIGHT;
}

/* If text is being typed: passes the key on, and returns whether it was part of the text. */
static bool type(struct dashboard *dashboard, const struct key_event *event)
{
	const struct screen *screen = screens_top(dashboard);
	return screen->takes_text && screen->takes_text(dashboard) &&
		screen->press(dashboard, event);
}

/* Pasted text is inserted where text is typed, without control characters. Elsewhere
 * it is ignored. */
static void paste(struct dashboard *dashboard, const struct key_event *event)
{
	const struct screen *screen = screens_top(dashboard);
	if (!screen->takes_text || !screen->takes_text(dashboard))
		ui_notice(&dashboard->ui, STYLE_CAUTION, "pasted text is not taken as keys");
	else if (event->key == INPUT_CHAR)
		screen->press(dashboard, event);
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
	const struct binding *binding = find(screens_top(dashboard)->keys, event, replaying);
	if (!binding)
		binding = find(global_keys, event, replaying);
	if (!binding)
		return;
	/* The notice belongs to the key before. Ctrl-L only draws the screen again, so it keeps the
	 * notice. */
	if (binding->run != command_redraw)
		ui_notice(&dashboard->ui, STYLE_TEXT, NULL);
	run(dashboard, binding);
}

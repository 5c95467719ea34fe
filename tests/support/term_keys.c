/* Keys by their names → what a terminal sends for them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/instant.h"
#include "base/text.h"
#include "term_internal.h"

static const struct {
	const char *name;
	VTermKey key;
} keys[] = {
	{ "Enter", VTERM_KEY_ENTER },
	{ "Tab", VTERM_KEY_TAB },
	{ "Backspace", VTERM_KEY_BACKSPACE },
	{ "Esc", VTERM_KEY_ESCAPE },
	{ "Up", VTERM_KEY_UP },
	{ "Down", VTERM_KEY_DOWN },
	{ "Left", VTERM_KEY_LEFT },
	{ "Right", VTERM_KEY_RIGHT },
	{ "Insert", VTERM_KEY_INS },
	{ "Delete", VTERM_KEY_DEL },
	{ "Home", VTERM_KEY_HOME },
	{ "End", VTERM_KEY_END },
	{ "PgUp", VTERM_KEY_PAGEUP },
	{ "PgDn", VTERM_KEY_PAGEDOWN },
};

static void press_named(struct term *term, const char *name)
{
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (strcmp(keys[i].name, name) == 0) {
			vterm_keyboard_key(term->vterm, keys[i].key, VTERM_MOD_NONE);
			return;
		}
	}
	int number;
	char letter;
	const char *rest = name;
	char32_t c = text_next(&rest);
	if (strcmp(name, "Space") == 0)
		vterm_keyboard_unichar(term->vterm, ' ', VTERM_MOD_NONE);
	else if (sscanf(name, "F%d", &number) == 1)
		vterm_keyboard_key(
			term->vterm, (VTermKey)VTERM_KEY_FUNCTION(number), VTERM_MOD_NONE);
	else if (sscanf(name, "Ctrl-%c", &letter) == 1)
		term_write(term, &(char){ (char)(letter & 0x1f) }, 1);
	else if (c && !*rest)
		vterm_keyboard_unichar(term->vterm, c, VTERM_MOD_NONE);
	else {
		fprintf(stderr, "term: no such key: %s\n", name);
		abort();
	}
}

void term_press(struct term *term, const char *names)
{
	CLEANUP(cleanup_free) char *copy = strdup(names);
	for (char *rest = copy, *name; (name = strsep(&rest, " "));)
		if (*name)
			press_named(term, name);
}

void term_send(struct term *term, const char *text)
{
	term_write(term, text, strlen(text));
}

void term_click(struct term *term, int x, int y, int button)
{
	vterm_mouse_move(term->vterm, y, x, VTERM_MOD_NONE);
	vterm_mouse_button(term->vterm, button, true, VTERM_MOD_NONE);
	vterm_mouse_button(term->vterm, button, false, VTERM_MOD_NONE);
}

void term_paste(struct term *term, const char *text)
{
	vterm_keyboard_start_paste(term->vterm);
	term_write(term, text, strlen(text));
	vterm_keyboard_end_paste(term->vterm);
}

#define PLAN_SEEN_MS 400 /* dbtop demands 300 */

void term_read_plan(struct term *term)
{
	/* settled, it has drawn the plan and noted when */
	(void)!term_settle(term);
	int64_t seen = instant_monotonic() + PLAN_SEEN_MS * 1000;
	while (instant_monotonic() < seen)
		term_read(term, 10);
}

void term_confirm(struct term *term)
{
	term_read_plan(term);
	term_press(term, "Enter");
}

/* The keys that every screen has. */
#include "dashboard/commands.h"
#include "dashboard/screen.h"

const struct binding global_keys[] = {
	{ command_up, { KEY(UP), CONTROL('p') }, "↑ ↓", NULL, "up, down", false, KEY_EVER,
		HELP_MOVE },
	{ command_down, { KEY(DOWN), CONTROL('n') }, "↓", NULL, NULL, false, KEY_EVER, HELP_MOVE },
	{ command_page_up, { KEY(PAGE_UP), CONTROL('b'), CONTROL('u'), CHAR('b') }, "PgUp PgDn",
		NULL, "a page up, down; Ctrl-U, Ctrl-D or J", false, KEY_EVER, HELP_MOVE },
	{ command_page_down, { KEY(PAGE_DOWN), CHAR('J'), CONTROL('f'), CONTROL('d'), CHAR('f') },
		"PgDn J Ctrl-D", NULL, NULL, false, KEY_EVER, HELP_MOVE },
	{ command_home, { KEY(HOME), CHAR('<') }, "Home End G", NULL, "to the first, to the last",
		false, KEY_EVER, HELP_MOVE },
	{ command_end, { KEY(END), CHAR('G'), CHAR('>') }, "End G", NULL, NULL, false, KEY_EVER,
		HELP_MOVE },
	{ command_back, { KEY(ESCAPE) }, "Esc", NULL, "back; clears the filter", false, KEY_EVER,
		HELP_SCREEN },
	{ command_help, { CHAR('?'), FUNCTION(1) }, "?", "help", "this screen (also F1)", true,
		KEY_EVER, HELP_SCREEN },
	{ command_theme, { CHAR('t') }, "t", NULL, "the next theme", false, KEY_EVER, HELP_SCREEN },
	{ command_redraw, { CONTROL('l') }, "Ctrl-L", NULL, "draw the screen again", false,
		KEY_EVER, HELP_SCREEN },
	{ command_suspend, { CONTROL('z') }, "Ctrl-Z", NULL, "suspend dbtop", false, KEY_EVER,
		HELP_SCREEN },
	{ command_quit, { CHAR('q'), FUNCTION(10) }, "q", "quit", "quit (also F10, Ctrl-C)", true,
		KEY_EVER, HELP_SCREEN },
	{ command_interrupt, { CONTROL('c') }, "Ctrl-C", NULL, NULL, false },
	{ 0 },
};

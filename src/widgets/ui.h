/* What the user chose, and the operations on it. Keys are not known here: the app's keymap calls
 * these functions.
 *
 * The rows are those of the last frame: an operation acts on what the user saw, even if newer data
 * has arrived since. */
#ifndef WIDGETS_UI_H
#define WIDGETS_UI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uchar.h>

#include "model/style.h"
#include "widgets/filter.h"
#include "widgets/identity.h"
#include "widgets/rows.h"

struct arena;
struct assessment;
struct action;
struct details;
struct emergency;
struct frame;
struct log_view;
struct overview;
struct shutdown_verdict;

/* How a screen over the table is drawn. Each is defined by the file that draws it. */
struct view {
	void (*draw)(const struct frame *frame);
	bool is_whole; /* covers the whole terminal; else it lies over the screen below it */
};

#define UI_WORD_MAX  16
#define UI_VIEWS_MAX 8 /* open screens; a further one replaces the top one */

/* Some keys act on a server, others on a recording of one. */
enum key_time {
	KEY_EVER,
	KEY_LIVE,
	KEY_REPLAY,
	KEY_SEVERAL, /* on one of several servers */
};

/* The help's headings; keys that act come first. */
enum help_section {
	HELP_ACT,
	HELP_LOOK,
	HELP_TABLE,
	HELP_REPLAY,
	HELP_MOVE,
	HELP_SCREEN,
};
#define HELP_SECTIONS (HELP_SCREEN + 1)

/* The label of the key that confirms a plan: "end 4", "cancel 2", "remove 1". */
#define UI_CONFIRM "@"

/* One entry of the key bar and of the help, in the app's order: the most important comes first. */
struct key_help {
	const char *keys; /* "k", "Ctrl-L", "↑ ↓" */
	const char *what; /* for the help: "end the leaked connections"; NULL: not in the help */
	const char *bar;  /* for the bar: "kill # leaked"; # is the number of leaked or ticked ones.
			     UI_CONFIRM: what the plan does. NULL: not in the bar */
	const struct view *view; /* where it works, whose bar shows it; NULL: the table */
	bool always;             /* it stays in the bar when others are left out */
	enum key_time when;
	enum help_section section;
	unsigned int need; /* it works while 1 << need is in ui->met; 0: always */
	bool everywhere;   /* it works on every screen, and is in the table's bar */
};

/* The statuses and numbers of one refresh. What changed since is bold until the next refresh. */
struct ui_seen {
	struct arena *arena;
	struct map *statuses; /* identity → status; NULL before the first refresh */
	int used, leaked;
};

/* What a frame showed. screen_build() returns it; the operations until the next frame keep within
 * it. */
struct ui_shown {
	unsigned int columns;   /* of the table: 1 << enum column_id */
	size_t most_pan;        /* the largest useful `pan` */
	size_t top;             /* the first row of the table */
	size_t page_rows;       /* rows the table has room for */
	size_t dialog_top;      /* the first line of the dialog */
	size_t dialog_rows;     /* how many lines it has room for */
	size_t dialog_lines;    /* how many lines it has */
	bool dialog_has_cursor; /* up and down move a cursor; else they scroll */
};

/* The position in a recording that is played. */
struct ui_replay {
	size_t at, count;  /* the current snapshot and how many there are; count 0: no recording */
	const char *speed; /* "2×" */
	bool playing;
};

/* The shutdown watch. */
struct ui_watch {
	const char *name;                       /* "python3 4312" */
	const struct shutdown_verdict *verdict; /* so far */
	int connections;                        /* open ones that it holds now; −1: not known */
	int left;                               /* sessions that can be ended */
	bool complete;                          /* the verdict is final */
	int64_t elapsed; /* µs since the first sign of its end; −1: armed */
};

struct ui_state {
	/* set by the app */
	const struct key_help *keys;
	size_t n_keys;
	int64_t now;      /* wall clock of the frame; 0: that of the assessment */
	int64_t interval; /* µs between refreshes */
	bool ascii;
	bool paused;
	bool readonly;
	bool several;     /* the run has several servers */
	unsigned int met; /* 1 << key_help.need, for each key of the screen on top that works now */
	struct ui_replay replay;

	/* the table */
	enum grouping grouping;
	enum column_id sort;
	bool reverse;
	struct filter filter;
	bool filter_editing;
	struct filter search; /* the last filter, for which n searches */
	bool searching;       /* its matches are underlined */
	bool following;       /* the selected connection is followed until it ends */
	bool row_chosen;      /* the user moved the cursor, or opened a screen; else it stays on the
				 first row */
	enum column_id columns[COLUMN_COUNT]; /* the user's choice, in that order */
	size_t n_columns;                     /* 0: all that fit */
	size_t pan;                           /* columns moved out to the left */
	struct identity_set folded, tagged;
	struct identity selected;

	/* the screens over the table: views[depth − 1] is on top; with depth 0 the table is */
	const struct view *views[UI_VIEWS_MAX];
	size_t depth;
	uint64_t questions; /* increased when a screen opens, or begins to ask something else */
	size_t cursor;      /* the line under the cursor in a dialog */
	size_t scroll;      /* of dialogs without a cursor */
	const struct details *details;     /* set by details_open(); NULL: none */
	const struct log_view *log;        /* set by log_view_open(); NULL: none */
	const struct overview *overview;   /* set by the app; NULL: none */
	const struct emergency *emergency; /* set by the app; NULL while processes are assessed */
	const struct ui_watch *watch;      /* set by the app; NULL: none */
	const char *proxy_start; /* set by the app: the command that starts the proxy; NULL */
	const char *word_wanted; /* what has to be typed */
	char word[UI_WORD_MAX];  /* what is typed so far */
	const char *tour;     /* one line above the keys of the main screen, set by the app; NULL */
	bool password_wanted; /* set by the app: the server waits for a password */
	size_t password_length; /* how many characters are typed */
	char *notice;           /* one line above the keys, until the next operation; NULL */
	enum style notice_style;

	/* updated before each frame: widgets/settle.h */
	struct rows rows;
	size_t row;          /* the selected row */
	int64_t assessed_at; /* when the last assessment was made */
	struct ui_seen last, before;

	struct ui_shown shown; /* by the last frame */
};

/* keys belongs to the app and must outlive the ui. */
void ui_init(struct ui_state *ui, const struct key_help *keys, size_t n_keys);
void ui_deinit(struct ui_state *ui);

/* Takes over what a frame showed: cursor, scrolling and panning stay within it. */
void ui_note_shown(struct ui_state *ui, const struct ui_shown *shown);

/* Moves the cursor in the table, or in the dialog on top; it stops at the end. */
void ui_move(struct ui_state *ui, long rows);
void ui_page(struct ui_state *ui, int pages);
void ui_home(struct ui_state *ui);
void ui_end(struct ui_state *ui);
/* Selects a row of the table by its index. */
void ui_select(struct ui_state *ui, size_t row);

/* Folds or unfolds the group under the cursor, or that of the connection under the cursor. */
void ui_toggle_fold(struct ui_state *ui);
void ui_set_folded(struct ui_state *ui, bool folded);

/* Tags or untags the connection under the cursor, or all of the group; the cursor moves on. */
void ui_toggle_tag(struct ui_state *ui);
void ui_untag_all(struct ui_state *ui);
bool ui_is_tagged(const struct ui_state *ui, const struct backend *backend);

/* The connections for an action: the tagged ones (none if all of them have ended), else the one
 * under the cursor, else those of the group under the cursor. Writes indices into the assessment's
 * connections; there must be room for all of them. Returns how many there are. */
size_t ui_chosen(
	const struct ui_state *ui, const struct assessment *assessment, uint32_t *ret_connections);

/* Sets the columns by their names (column_names()); duplicates are left out. */
void ui_set_columns(struct ui_state *ui, const char *const *names, size_t count);
/* Moves the columns to the left (1) or to the right (−1), as far as there are more. */
void ui_pan(struct ui_state *ui, int by);

void ui_next_sort(struct ui_state *ui);
void ui_toggle_reverse(struct ui_state *ui);
void ui_sort_by(struct ui_state *ui, enum column_id column);
void ui_next_grouping(struct ui_state *ui);

/* The filter takes effect while it is typed. */
void ui_filter_begin(struct ui_state *ui);
void ui_filter_type(struct ui_state *ui, char32_t c);
void ui_filter_erase(struct ui_state *ui);      /* the last character */
void ui_filter_erase_word(struct ui_state *ui); /* the last word */
void ui_filter_keep(struct ui_state *ui);       /* ends the typing */
void ui_filter_clear(struct ui_state *ui);      /* ends the typing and shows all rows */

/* Whether the key does something now. */
bool ui_key_works(const struct ui_state *ui, const struct key_help *key);
/* The word that confirms an emergency: letters only, lower case. */
void ui_word_begin(struct ui_state *ui, const char *wanted);
void ui_word_type(struct ui_state *ui, char32_t c);
void ui_word_erase(struct ui_state *ui);
bool ui_word_is_right(const struct ui_state *ui);

/* The screen on top; NULL: the table. */
const struct view *ui_top(const struct ui_state *ui);
void ui_push(struct ui_state *ui, const struct view *view);
/* Closes the screen on top; does nothing on the table. */
void ui_pop(struct ui_state *ui);
/* The screen on top asks something new: a key works only after the user had time to see it. */
void ui_ask_anew(struct ui_state *ui);
/* Returns to the table. */
void ui_pop_all(struct ui_state *ui);

/* The topmost screen that covers the whole terminal; NULL: the table. */
const struct view *ui_base(const struct ui_state *ui);

/* Whether a screen is open, on top or below others. */
bool ui_is_open(const struct ui_state *ui, const struct view *view);

/* Shows one line above the keys; the text is copied. */
void ui_notice(struct ui_state *ui, enum style style, const char *text);

/* Ticks or unticks the target under the cursor, and moves on. */
void ui_toggle_target(struct ui_state *ui, struct action *plan);
/* Ticks all targets, or unticks them if all are ticked. */
void ui_toggle_targets(struct action *plan);

#endif

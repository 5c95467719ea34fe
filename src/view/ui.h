/* What the user chose, and the operations on it. It knows no keys: the app's keymap calls these.
 *
 * The rows are those of the last frame: an operation acts on what the user saw, also when the data
 * behind it has been replaced since. */
#ifndef VIEW_UI_H
#define VIEW_UI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uchar.h>

#include "model/style.h"
#include "view/filter.h"
#include "view/identity.h"
#include "view/rows.h"

struct arena;
struct assessment;
struct action_plan;
struct clearing;
struct shutdown_verdict;
struct emergency;
struct facts;

enum page {
	PAGE_MAIN,
	PAGE_HELP,
	PAGE_PLAN,    /* the plan, to be ticked and confirmed */
	PAGE_RESULTS, /* the same plan, while it is carried out and after */
	PAGE_MESSAGE,
	PAGE_DETAILS,
	PAGE_LOCKS,
	PAGE_PROXY,
	PAGE_LAUNCH,     /* the plan of the proxy's start, to be confirmed */
	PAGE_LAUNCH_RUN, /* its steps */
	PAGE_EMERGENCY,  /* the plan of an emergency, to be confirmed by a word */
	PAGE_PASSWORD,
	PAGE_LOG,
	PAGE_CLEAR,         /* stats pages of dead processes, to be removed */
	PAGE_CLEAR_RUN,     /* the same, while they are removed and after */
	PAGE_EMERGENCY_RUN, /* its steps, while it is carried out and after */
	PAGE_WATCH,         /* the shutdown watch */
	PAGE_QUIT,          /* really, while a watch is armed? */
};

#define UI_WORD_MAX  16
#define UI_PAGES_MAX 8 /* pages that lie over each other; more replace the top one */

/* Some keys act on a server, others on a recording of one. */
enum key_time {
	KEY_EVER,
	KEY_LIVE,
	KEY_REPLAY,
};

/* What a key needs to do anything: it comes and goes while the page is open. */
enum key_need {
	NEED_NOTHING,
	NEED_LINE,      /* a session in the line under the cursor */
	NEED_SESSION,   /* the page's session can be ended, and we may */
	NEED_STATEMENT, /* … runs one that can be cancelled */
	NEED_LEFT,      /* what was watched left a session that can be ended */
	NEED_PROCESS,   /* … lives */
	NEED_START,     /* the proxy can be started */
	NEED_RESTART,   /* … can be started anew */
};

/* Under which heading the help tells of a key; those that act come first. */
enum help_section {
	HELP_ACT,
	HELP_LOOK,
	HELP_TABLE,
	HELP_REPLAY,
	HELP_MOVE,
	HELP_SCREEN,
};
#define HELP_SECTIONS (HELP_SCREEN + 1)

/* One line of the key bar and of the help, in the app's order: what matters most comes first. */
struct key_help {
	const char *keys; /* "k", "Ctrl-L", "↑ ↓" */
	const char *what; /* for the help: "end the leaked connections"; NULL: not in it */
	const char *bar;  /* for the bar: "kill # leaked"; # is how many are leaked, or ticked.
			     NULL: not there */
	enum page page;   /* where it works: the bar of this page shows it */
	bool always;      /* it stays in the bar when others have to go */
	enum key_time when;
	enum help_section section;
	enum key_need need;
};

/* What a connection or the server was in the last refresh: what differs is bold for one. */
struct ui_seen {
	struct arena *arena;
	struct map *statuses; /* identity → status; NULL before the first refresh */
	int used, leaked;
};

/* The details page's subject, and what was known of it when it was last seen. */
struct details {
	struct identity subject;
	int32_t pid;
	struct arena *arena; /* owns the facts; NULL before the first frame */
	struct facts *facts;
	int64_t gone_at; /* wall clock, when it was first missed; INSTANT_UNKNOWN while it is there
			  */
};

struct log_line {
	int64_t at; /* wall clock */
	enum style style;
	const char *text;
};

/* A page of dated lines; it keeps them until it is opened again. */
struct log_view {
	struct arena *arena; /* owns everything here; NULL before the first time */
	const char *title;
	const char *empty; /* what stands there without a line */
	struct log_line *lines;
	size_t count, room;
};

/* Where a recording stands that is played. */
struct ui_replay {
	size_t at, count;  /* the snapshot that is shown, of how many; count 0: nothing is played */
	const char *speed; /* "2×" */
	bool playing;
};

/* The shutdown watch. */
struct ui_watch {
	const char *name;                       /* "python3 4312" */
	const struct shutdown_verdict *verdict; /* so far */
	int connections;                        /* it holds right now */
	int left;                               /* sessions that can be ended */
	bool settled;                           /* the verdict stands */
	int64_t elapsed; /* µs since the first sign of an end; −1: armed */
};

struct ui_state {
	/* set by the app */
	const struct key_help *keys;
	size_t n_keys;
	int64_t now;      /* wall clock of the frame; 0: the assessment's */
	int64_t interval; /* µs between refreshes */
	bool ascii;
	bool paused;
	bool readonly;
	unsigned int met; /* 1 << enum key_need, of this frame; NEED_LINE is the page's own */
	struct ui_replay replay;

	/* the table */
	enum grouping grouping;
	enum column_id sort;
	bool reverse;
	struct filter filter;
	bool filter_editing;
	struct filter search;                 /* the last filter there was: what n looks for */
	bool searching;                       /* … and is marked in the table */
	bool following;                       /* the selected connection, until it ends */
	enum column_id columns[COLUMN_COUNT]; /* the user's choice, in that order */
	size_t n_columns;                     /* 0: all that fit */
	size_t pan;                           /* columns moved out to the left */
	struct identity_set folded, tagged;
	struct identity selected;

	/* the pages over it; pages[depth − 1] is on top, depth 0 is the main page */
	enum page pages[UI_PAGES_MAX];
	size_t depth;
	uint64_t questions; /* how many times a page was opened, or began to ask something else */
	size_t cursor;      /* in the plan */
	size_t scroll;      /* of help and message */
	char *message_title, *message;
	enum style message_style;
	struct details details;
	const struct launch *launch;     /* the app's, for its pages; NULL */
	const struct clearing *clearing; /* likewise */
	struct log_view log;
	const struct emergency *emergency; /* set by the app; NULL while it looks */
	const struct ui_watch *watch;      /* set by the app; NULL: none */
	const char *word_wanted;           /* what has to be typed … */
	char word[UI_WORD_MAX];            /* … and what is typed so far */
	const char *tour;       /* one line above the keys of the main page, set by the app; NULL */
	bool password_wanted;   /* the server waits for one: set by the app … */
	size_t password_length; /* … and how many characters are typed */
	char *notice;           /* one line above the keys, until the next operation; NULL */
	enum style notice_style;

	/* settled by each frame: view/settle.h */
	struct rows rows;
	size_t row, top;     /* the selected row, the first one shown */
	size_t page_rows;    /* rows the table has room for */
	unsigned int shown;  /* columns: 1 << enum column_id */
	size_t most_pan;     /* further there are no columns */
	size_t dialog_top;   /* the first of its lines that the dialog shows */
	size_t dialog_rows;  /* how many it has room for … */
	size_t dialog_lines; /* … and how many it has */
	int64_t assessed_at; /* which refresh it was */
	struct ui_seen last, before;
};

/* keys is the app's, and outlives it. */
void ui_init(struct ui_state *ui, const struct key_help *keys, size_t n_keys);
void ui_deinit(struct ui_state *ui);

/* Moving: in the table, or in the dialog on top. Past the end is the end. */
void ui_move(struct ui_state *ui, long rows);
void ui_page(struct ui_state *ui, int pages);
void ui_home(struct ui_state *ui);
void ui_end(struct ui_state *ui);
/* A row of the table, by its index. */
void ui_select(struct ui_state *ui, size_t row);

/* The group under the cursor, or that of the connection under it. */
void ui_toggle_fold(struct ui_state *ui);
void ui_set_folded(struct ui_state *ui, bool folded);

/* The connection under the cursor, or all of the group's; the cursor moves on. */
void ui_toggle_tag(struct ui_state *ui);
void ui_untag_all(struct ui_state *ui);
bool ui_is_tagged(const struct ui_state *ui, const struct backend *backend);

/* What an action is for: the tagged connections (none when all of them have ended), else the one
 * under the cursor, else its group's. Indices into the assessment's connections; room for all of
 * them is needed. Returns how many. */
size_t ui_chosen(
	const struct ui_state *ui, const struct assessment *assessment, uint32_t *ret_connections);

/* The columns by their names (column_names()), each of them once. */
void ui_set_columns(struct ui_state *ui, const char *const *names, size_t count);
/* Moves the columns to the left (1) or to the right (−1), as far as there are more. */
void ui_pan(struct ui_state *ui, int by);

void ui_next_sort(struct ui_state *ui);
void ui_toggle_reverse(struct ui_state *ui);
void ui_sort_by(struct ui_state *ui, enum column_id column);
void ui_next_grouping(struct ui_state *ui);
void ui_toggle_pause(struct ui_state *ui);

/* The filter: live while it is typed. */
void ui_filter_begin(struct ui_state *ui);
void ui_filter_type(struct ui_state *ui, char32_t c);
void ui_filter_erase(struct ui_state *ui);      /* the last character */
void ui_filter_erase_word(struct ui_state *ui); /* the last word */
void ui_filter_keep(struct ui_state *ui);       /* ends the typing */
void ui_filter_clear(struct ui_state *ui);      /* ends it, and shows everything */

/* Whether the key does something now. */
bool ui_key_works(const struct ui_state *ui, const struct key_help *key);
/* The word that an emergency asks for: letters alone, lower case. */
void ui_word_begin(struct ui_state *ui, const char *wanted);
void ui_word_type(struct ui_state *ui, char32_t c);
void ui_word_erase(struct ui_state *ui);
bool ui_word_is_right(const struct ui_state *ui);

enum page ui_current_page(const struct ui_state *ui);
void ui_push(struct ui_state *ui, enum page page);
/* Closes the page on top; nothing on the main page. */
void ui_pop(struct ui_state *ui);
/* The page on top asks something else than before: the user has to see it first. */
void ui_ask_anew(struct ui_state *ui);
/* Back to the main page. */
void ui_pop_all(struct ui_state *ui);

/* Whether a page is open, on top or below others. */
bool ui_has_page(const struct ui_state *ui, enum page page);

/* Opens a message; both strings are copied. */
void ui_message(struct ui_state *ui, enum style style, const char *title, const char *text);
/* One line above the keys; copied. */
void ui_notice(struct ui_state *ui, enum style style, const char *text);

/* Ticks or unticks the target under the cursor, and moves on. */
void ui_toggle_target(struct ui_state *ui, struct action_plan *plan);
/* Ticks all, or unticks all when all are ticked. */
void ui_toggle_targets(struct action_plan *plan);

#endif

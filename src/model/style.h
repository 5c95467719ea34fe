/* The roles that text plays on the screen. A theme gives each a colour and attributes; the view
 * only names the role. */
#ifndef MODEL_STYLE_H
#define MODEL_STYLE_H

enum style {
	STYLE_TEXT,        /* the terminal's own foreground */
	STYLE_DIM,         /* less important: frames, labels, idle connections */
	STYLE_STRONG,      /* the most important words */
	STYLE_TITLE,       /* the line that names the server */
	STYLE_HEADING,     /* the table's heading */
	STYLE_SORTED,      /* the title of the column that is sorted by */
	STYLE_GROUP,       /* the row of a group */
	STYLE_ACTIVE,      /* running a statement */
	STYLE_CAUTION,     /* in transaction, waiting, stale */
	STYLE_LEAKED,      /* needs action */
	STYLE_GOOD,        /* done, healthy */
	STYLE_PROTECTED,   /* protected: never ended by k */
	STYLE_SELECTED,    /* the row under the cursor: laid over the others */
	STYLE_CHANGED,     /* changed in this refresh: laid over the others */
	STYLE_MATCH,       /* matches of the filter: laid over the others */
	STYLE_USED,        /* gauge: slots in use */
	STYLE_USED_LEAKED, /* gauge: slots leaked */
	STYLE_FREE,        /* gauge: free slots */
	STYLE_RESERVED,    /* gauge: reserved slots */
	STYLE_KEY,         /* the key bar's keys */
	STYLE_KEY_LABEL,   /* the key bar's labels */
	STYLE_DIALOG,      /* the background and text of a dialog */
	STYLE_DIALOG_FRAME,
};
#define STYLE_COUNT (STYLE_DIALOG_FRAME + 1)

/* The theme file's key: "dialog-frame". */
const char *style_name(enum style style);

#endif

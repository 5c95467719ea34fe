/* The roles that text plays on the screen. A theme gives each a colour and attributes; the view
 * only names the role. */
#ifndef MODEL_STYLE_H
#define MODEL_STYLE_H

enum style {
	STYLE_TEXT,        /* the terminal's own foreground */
	STYLE_DIM,         /* at rest: frames, labels, idle connections */
	STYLE_STRONG,      /* the few things read first */
	STYLE_TITLE,       /* the server's line */
	STYLE_HEADING,     /* the table's heading */
	STYLE_SORTED,      /* the heading it is sorted by */
	STYLE_GROUP,       /* a process's row */
	STYLE_ACTIVE,      /* at work */
	STYLE_CAUTION,     /* in transaction, waiting, stale */
	STYLE_LEAKED,      /* needs action */
	STYLE_GOOD,        /* done, healthy */
	STYLE_PROTECTED,   /* never ended by k */
	STYLE_SELECTED,    /* the row under the cursor: laid over the others */
	STYLE_CHANGED,     /* for one refresh: laid over the others */
	STYLE_MATCH,       /* what the filter found: laid over the others */
	STYLE_USED,        /* gauge: slots in use */
	STYLE_USED_LEAKED, /* gauge: slots leaked */
	STYLE_FREE,        /* gauge: free slots */
	STYLE_RESERVED,    /* gauge: reserved slots */
	STYLE_KEY,         /* the key bar's keys */
	STYLE_KEY_LABEL,   /* … and what they do */
	STYLE_DIALOG,      /* a dialog's body */
	STYLE_DIALOG_FRAME,
};
#define STYLE_COUNT (STYLE_DIALOG_FRAME + 1)

/* The theme file's key: "dialog-frame". */
const char *style_name(enum style style);

#endif

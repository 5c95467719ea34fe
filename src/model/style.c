/* The styles' names in a theme file. */
#include "model/style.h"

static const char *const names[] = {
	[STYLE_TEXT] = "text",
	[STYLE_DIM] = "dim",
	[STYLE_STRONG] = "strong",
	[STYLE_TITLE] = "title",
	[STYLE_HEADING] = "heading",
	[STYLE_SORTED] = "sorted",
	[STYLE_GROUP] = "group",
	[STYLE_ACTIVE] = "active",
	[STYLE_CAUTION] = "caution",
	[STYLE_LEAKED] = "leaked",
	[STYLE_GOOD] = "good",
	[STYLE_PROTECTED] = "protected",
	[STYLE_SELECTED] = "selected",
	[STYLE_CHANGED] = "changed",
	[STYLE_MATCH] = "match",
	[STYLE_USED] = "used",
	[STYLE_USED_LEAKED] = "used-leaked",
	[STYLE_FREE] = "free",
	[STYLE_RESERVED] = "reserved",
	[STYLE_KEY] = "key",
	[STYLE_KEY_LABEL] = "key-label",
	[STYLE_DIALOG] = "dialog",
	[STYLE_DIALOG_FRAME] = "dialog-frame",
};

const char *style_name(enum style style)
{
	return names[style];
}

/* Colour pairs are made when they are needed: a theme uses few. */
#include "tui/paint.h"

#include <ncurses.h>

#include "config/theme.h"
#include "tui/truecolor.h"
#include "widgets/grid.h"

#define TRUE_COLORS (1 << 24)

struct pairs {
	struct {
		int fg, bg;
	} made[PAINT_PAIRS];
	int count, most; /* pair 0 has the terminal's own colours */
};

/* In direct colour mode a number is the colour itself, except for the first eight, which are the
 * terminal's. */
static int to_direct(int color)
{
	if (color < 8)
		return color;
	int rgb = theme_to_rgb(color);
	return rgb < 8 ? 0 : rgb;
}

static short pair_of(struct pairs *pairs, int fg, int bg)
{
	for (int i = 0; i < pairs->count; i++)
		if (pairs->made[i].fg == fg && pairs->made[i].bg == bg)
			return (short)i;
	/* Without a free pair the terminal's own colours are used. */
	if (pairs->count >= pairs->most || init_extended_pair(pairs->count, fg, bg) == ERR)
		return 0;
	pairs->made[pairs->count].fg = fg;
	pairs->made[pairs->count].bg = bg;
	return (short)pairs->count++;
}

/* In the order in which they are applied: the cursor's overlay is last. */
static const struct {
	enum overlay overlay;
	enum style style;
} overlays[] = {
	{ OVERLAY_CHANGED, STYLE_CHANGED },
	{ OVERLAY_MATCH, STYLE_MATCH },
	{ OVERLAY_SELECTED, STYLE_SELECTED },
};

static void lay_over(struct theme_style *style, const struct theme_style *over)
{
	if (over->fg != THEME_DEFAULT)
		style->fg = over->fg;
	if (over->bg != THEME_DEFAULT)
		style->bg = over->bg;
	style->bold |= over->bold;
	style->dim |= over->dim;
	style->underline |= over->underline;
	style->italic |= over->italic;
	style->reverse |= over->reverse;
}

/* In a dialog a style without a colour of its own has the dialog's. */
static void lay_under(struct theme_style *style, const struct theme_style *under)
{
	if (style->fg == THEME_DEFAULT)
		style->fg = under->fg;
	if (style->bg == THEME_DEFAULT)
		style->bg = under->bg;
}

static struct theme_style combine(const struct theme *theme, enum style style, unsigned int overlay)
{
	struct theme_style result = theme->styles[style];
	if (overlay & OVERLAY_DIALOG)
		lay_under(&result, &theme->styles[STYLE_DIALOG]);
	for (size_t i = 0; i < sizeof(overlays) / sizeof(overlays[0]); i++)
		if (overlay & overlays[i].overlay)
			lay_over(&result, &theme->styles[overlays[i].style]);
	return result;
}

static uint32_t attributes(const struct theme_style *style)
{
	return (uint32_t)((style->bold ? A_BOLD : 0) | (style->dim ? A_DIM : 0) |
		(style->underline ? A_UNDERLINE : 0) | (style->reverse ? A_REVERSE : 0) |
		(style->italic ? A_ITALIC : 0));
}

/* Converts the theme to the colours of the terminal. */
static struct theme reduce(const struct theme *theme, int colors, struct truecolor *truecolor)
{
	if (truecolor)
		truecolor_clear(truecolor);
	if (!truecolor || colors != 256)
		return theme_reduce(theme, colors > 256 ? TRUE_COLORS : colors);
	struct theme reduced = theme_reduce(theme, TRUE_COLORS);
	truecolor_init(truecolor, &reduced);
	return reduced;
}

void paint_init(
	struct paint *paint, const struct theme *theme, int colors, struct truecolor *truecolor)
{
	bool direct = colors > 256;
	struct theme reduced = reduce(theme, colors, truecolor);
	struct pairs pairs = { .count = 1,
		.most = COLOR_PAIRS < PAINT_PAIRS ? COLOR_PAIRS : PAINT_PAIRS };
	pairs.made[0].fg = pairs.made[0].bg = THEME_DEFAULT;
	for (unsigned int style = 0; style < STYLE_COUNT; style++) {
		for (unsigned int overlay = 0; overlay < PAINT_OVERLAYS; overlay++) {
			struct theme_style look = combine(&reduced, (enum style)style, overlay);
			if (direct) {
				look.fg = to_direct(look.fg);
				look.bg = to_direct(look.bg);
			}
			bool bare = !look.underline && !look.reverse;
			paint->looks[style][overlay] = (struct look){
				.attributes = attributes(&look),
				.pair = colors >= 8 ? pair_of(&pairs, look.fg, look.bg) : 0,
				.ground = bare ? 1 + look.bg : -1,
			};
		}
	}
}

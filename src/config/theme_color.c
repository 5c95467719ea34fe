/* Converts colours for terminals that have fewer. */
#include <stdint.h>

#include "config/theme.h"

/* The least distance between the channels of a colour that is not grey. */
#define TINTED 32

/* A grey from this value on looks white. */
#define BRIGHT 200

/* A background up to this value looks black. */
#define DARK 100

#define WHITE 7
#define GREY  8 /* bright-black */

struct rgb {
	int r, g, b;
};

/* xterm's: https://invisible-island.net/xterm/ (XTerm-col.ad). The colours 16 to 255 are the same
 * in all terminals, these are not. */
static const struct rgb ansi[16] = {
	{ 0, 0, 0 },
	{ 205, 0, 0 },
	{ 0, 205, 0 },
	{ 205, 205, 0 },
	{ 0, 0, 238 },
	{ 205, 0, 205 },
	{ 0, 205, 205 },
	{ 229, 229, 229 },
	{ 127, 127, 127 },
	{ 255, 0, 0 },
	{ 0, 255, 0 },
	{ 255, 255, 0 },
	{ 92, 92, 255 },
	{ 255, 0, 255 },
	{ 0, 255, 255 },
	{ 255, 255, 255 },
};

static struct rgb to_rgb(int color)
{
	static const int steps[] = { 0, 95, 135, 175, 215, 255 };
	if (THEME_IS_RGB(color))
		return (struct rgb){ color >> 16 & 0xff, color >> 8 & 0xff, color & 0xff };
	if (color < 16)
		return ansi[color];
	if (color >= 232) {
		int grey = 8 + 10 * (color - 232);
		return (struct rgb){ grey, grey, grey };
	}
	int cube = color - 16;
	return (struct rgb){ steps[cube / 36], steps[cube / 6 % 6], steps[cube % 6] };
}

int theme_to_rgb(int color)
{
	struct rgb c = to_rgb(color);
	return c.r << 16 | c.g << 8 | c.b;
}

static int distance(struct rgb a, struct rgb b)
{
	int r = a.r - b.r, g = a.g - b.g, blue = a.b - b.b;
	return r * r + g * g + blue * blue;
}

static int largest(struct rgb c)
{
	int larger = c.r > c.g ? c.r : c.g;
	return larger > c.b ? larger : c.b;
}

static int smallest(struct rgb c)
{
	int smaller = c.r < c.g ? c.r : c.g;
	return smaller < c.b ? smaller : c.b;
}

static bool is_tinted(struct rgb c)
{
	return largest(c) - smallest(c) >= TINTED;
}

/* The same hue and brightness with full saturation; a grey is unchanged. */
static struct rgb pure(struct rgb c)
{
	if (!is_tinted(c))
		return c;
	int most = largest(c), least = smallest(c), range = most - least;
	return (struct rgb){ (c.r - least) * most / range, (c.g - least) * most / range,
		(c.b - least) * most / range };
}

int theme_to_256(int color)
{
	if (color < 256)
		return color;
	int best = 16;
	for (int i = 17; i < 256; i++)
		if (distance(to_rgb(i), to_rgb(color)) < distance(to_rgb(best), to_rgb(color)))
			best = i;
	return best;
}

static struct rgb bright(struct rgb c)
{
	int most = largest(c) ? largest(c) : 1;
	return (struct rgb){ c.r * 255 / most, c.g * 255 / most, c.b * 255 / most };
}

/* With so few colours, the plain distance maps a pale colour to grey and a dark one to a wrong hue.
 * So the hue has the largest weight, then the rest. */
static int nearest_of(int color, int count)
{
	if (color < count)
		return color;
	struct rgb wanted = to_rgb(color);
	int best = THEME_DEFAULT, least = INT32_MAX;
	for (int i = 0; i < count; i++) {
		struct rgb ours = pure(ansi[i]), theirs = pure(wanted);
		int apart = 2 * distance(bright(ours), bright(theirs)) + distance(ours, theirs);
		if (!is_tinted(wanted))
			apart = distance(ours, theirs);
		if (is_tinted(ansi[i]) != is_tinted(wanted) || apart >= least)
			continue;
		least = apart;
		best = i;
	}
	return best;
}

int theme_to_16(int color)
{
	return nearest_of(color, 16);
}

int theme_to_8(int color)
{
	return nearest_of(color, 8);
}

static int to_none(int color)
{
	(void)color;
	return THEME_DEFAULT;
}

static int to_same(int color)
{
	return color;
}

static const struct palette {
	int colors; /* the least number of colours */
	int (*to)(int color);
	bool has_grey; /* a grey between black and white, for text that is less important */
} palettes[] = {
	{ 1 << 24, to_same, true },
	{ 256, theme_to_256, true },
	{ 16, theme_to_16, true },
	{ 8, theme_to_8, false },
	{ 0, to_none, false },
};

static const struct palette *palette_for(int colors)
{
	const struct palette *palette = palettes;
	while (palette->colors > 0 && palette->colors > colors)
		palette++;
	return palette;
}

static bool is_grey(int color)
{
	return color >= 8 && !is_tinted(to_rgb(color)) && to_rgb(color).r < BRIGHT;
}

/* The background of the screen. A dark one becomes black in a small palette, whatever its tint. */
static int reduce_ground(int bg, const struct palette *palette)
{
	if (palette->colors > 0 && palette->colors < 256 && bg >= 16 && largest(to_rgb(bg)) < DARK)
		return 0;
	return palette->to(bg);
}

static bool is_light(int ground)
{
	return ground != THEME_DEFAULT && largest(to_rgb(ground)) >= BRIGHT;
}

/* from and text: the style `text` before and after the conversion. */
static void reduce_foreground(struct theme_style *style, const struct theme_style *from,
	const struct theme_style *text, const struct palette *palette)
{
	int fg = palette->to(style->fg);
	if (style->fg == from->fg) {
		fg = text->fg;
	} else if (is_grey(style->fg) && !palette->has_grey) {
		fg = text->fg;
		style->dim = true;
	} else if (fg == 0 && style->fg != 0 && !is_light(text->bg)) {
		fg = palette->has_grey ? GREY : text->fg; /* Black would be invisible. */
	}
	style->fg = fg;
}

static void reduce_background(struct theme_style *style, int ground, const struct theme_style *text,
	const struct palette *palette)
{
	int bg = reduce_ground(style->bg, palette);
	if (style->bg == ground || style->bg == THEME_DEFAULT) {
		bg = style->bg == ground ? text->bg : THEME_DEFAULT;
	} else if ((style->bg > 0 && bg <= 0) || bg == text->bg) {
		bg = THEME_DEFAULT;
		style->reverse = true;
	}
	style->bg = bg;
}

/* A dialog may have the same background as the table: it has a frame. */
static bool needs_ground(enum style style)
{
	return style != STYLE_DIALOG && style != STYLE_DIALOG_FRAME;
}

/* The colour with the largest contrast to the background, because it is used most. */
static int reduce_text(int fg, int ground, const struct palette *palette)
{
	int to = palette->to(fg);
	if (to == fg || palette->colors >= 256)
		return to;
	if (is_light(ground) && to != THEME_DEFAULT)
		return 0;
	return to == GREY ? WHITE : to;
}

struct theme theme_reduce(const struct theme *theme, int colors)
{
	const struct palette *palette = palette_for(colors);
	const struct theme_style *from = &theme->styles[STYLE_TEXT];
	struct theme reduced = *theme;
	struct theme_style text = *from;
	text.bg = reduce_ground(from->bg, palette);
	text.fg = reduce_text(from->fg, text.bg, palette);
	for (size_t i = 0; i < STYLE_COUNT; i++) {
		struct theme_style *style = &reduced.styles[i];
		bool reversed = style->reverse;
		reduce_foreground(style, from, &text, palette);
		reduce_background(style, from->bg, &text, palette);
		if (!needs_ground((enum style)i) && style->reverse && !reversed) {
			style->reverse = false;
			style->bg = text.bg;
		}
	}
	return reduced;
}

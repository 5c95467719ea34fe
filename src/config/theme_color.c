/* Colours for terminals that have fewer. */
#include <stdint.h>

#include "config/theme.h"

/* How far apart the channels of a colour are that is no grey. */
#define TINTED 32

/* From here on a grey is white to the eye. */
#define BRIGHT 200

/* bright-black */
#define GREY 8

struct rgb {
	int r, g, b;
};

/* xterm's: https://invisible-island.net/xterm/ (XTerm-col.ad). 16 to 255 are the same everywhere,
 * these are not. */
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

/* The same hue and brightness without the white in it; a grey as it is. */
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

/* Among so few colours the plain distance of a pale one is least to grey, or to a wrong hue. */
static int nearest_of(int color, int count)
{
	if (color < count)
		return color;
	struct rgb wanted = to_rgb(color);
	int best = THEME_DEFAULT, least = INT32_MAX;
	for (int i = 0; i < count; i++) {
		int apart = distance(pure(ansi[i]), pure(wanted));
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
	int colors; /* at least */
	int (*to)(int color);
	bool has_grey; /* between black and white, so that what is at rest can be told by it */
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

static void reduce_foreground(struct theme_style *style, const struct palette *palette)
{
	int fg = palette->to(style->fg);
	if (is_grey(style->fg) && !palette->has_grey) {
		fg = THEME_DEFAULT;
		style->dim = true;
	} else if (fg == 0 && style->fg != 0) {
		fg = palette->has_grey ? GREY : THEME_DEFAULT; /* black would not be seen */
	}
	style->fg = fg;
}

static void reduce_background(struct theme_style *style, const struct palette *palette)
{
	int bg = palette->to(style->bg);
	if (style->bg > 0 && bg <= 0) {
		bg = THEME_DEFAULT;
		style->reverse = true;
	}
	style->bg = bg;
}

struct theme theme_reduce(const struct theme *theme, int colors)
{
	const struct palette *palette = palette_for(colors);
	struct theme reduced = *theme;
	for (size_t i = 0; i < STYLE_COUNT; i++) {
		reduce_foreground(&reduced.styles[i], palette);
		reduce_background(&reduced.styles[i], palette);
	}
	return reduced;
}

/* Gives colours numbers of the palette, and replaces the numbers in frames. */
#include "tui/truecolor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/theme.h"

#define FIRST 16 /* lower numbers are the terminal's own colours */

void truecolor_clear(struct truecolor *truecolor)
{
	truecolor->any = false;
	for (size_t i = 0; i < TRUECOLOR_NUMBERS; i++)
		truecolor->rgb[i] = -1;
}

static void mark_used(bool *used, int color)
{
	if (color >= 0 && color < TRUECOLOR_NUMBERS)
		used[color] = true;
}

static int number_of(struct truecolor *truecolor, const bool *used, int color)
{
	int rgb = color & 0xffffff;
	for (int i = TRUECOLOR_NUMBERS - 1; i >= FIRST; i--)
		if (truecolor->rgb[i] == rgb)
			return i;
	for (int i = TRUECOLOR_NUMBERS - 1; i >= FIRST; i--) {
		if (used[i] || truecolor->rgb[i] >= 0)
			continue;
		truecolor->rgb[i] = rgb;
		truecolor->any = true;
		return i;
	}
	return theme_to_256(color);
}

void truecolor_init(struct truecolor *truecolor, struct theme *theme)
{
	bool used[TRUECOLOR_NUMBERS] = { false };
	truecolor_clear(truecolor);
	for (size_t i = 0; i < STYLE_COUNT; i++) {
		mark_used(used, theme->styles[i].fg);
		mark_used(used, theme->styles[i].bg);
	}
	for (size_t i = 0; i < STYLE_COUNT; i++) {
		struct theme_style *style = &theme->styles[i];
		if (THEME_IS_RGB(style->fg))
			style->fg = number_of(truecolor, used, style->fg);
		if (THEME_IS_RGB(style->bg))
			style->bg = number_of(truecolor, used, style->bg);
	}
}

/* Reads "\033[38;5;252m", or 48 for the background: all terminal descriptions with 256 colours use
 * this form. Returns its length, and the number; 0 if there is none here. */
static size_t read_color(const char *bytes, size_t size, int *ret_number)
{
	static const char before[] = "\033[", after[] = "8;5;";
	const size_t start = sizeof(before) - 1 + 1 + sizeof(after) - 1;
	size_t length = start;
	int number = 0;
	if (size <= start || memcmp(bytes, before, 2) != 0 ||
		(bytes[2] != '3' && bytes[2] != '4') || memcmp(bytes + 3, after, 4) != 0)
		return 0;
	while (length < size && length < start + 3 && bytes[length] >= '0' && bytes[length] <= '9')
		number = 10 * number + bytes[length++] - '0';
	if (length == start || length == size || bytes[length] != 'm' ||
		number >= TRUECOLOR_NUMBERS)
		return 0;
	*ret_number = number;
	return length + 1;
}

size_t truecolor_rewrite(
	const struct truecolor *truecolor, const char *bytes, size_t size, char *ret_bytes)
{
	size_t to = 0;
	for (size_t at = 0; at < size;) {
		int number;
		size_t length =
			bytes[at] == '\033' ? read_color(bytes + at, size - at, &number) : 0;
		if (!length || truecolor->rgb[number] < 0) {
			ret_bytes[to++] = bytes[at++];
			continue;
		}
		int rgb = truecolor->rgb[number];
		to += (size_t)sprintf(ret_bytes + to, "\033[%c8;2;%d;%d;%dm", bytes[at + 2],
			rgb >> 16 & 0xff, rgb >> 8 & 0xff, rgb & 0xff);
		at += length;
	}
	return to;
}

bool truecolor_is_said(void)
{
	const char *says = getenv("COLORTERM");
	return says && (strcmp(says, "truecolor") == 0 || strcmp(says, "24bit") == 0);
}

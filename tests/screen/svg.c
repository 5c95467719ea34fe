/* Runs of equal looks become a rectangle behind and words before it. */
#include "svg.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "config/theme.h"
#include "term.h"

/* Tenths of a pixel: no rounding that differs between machines. */
#define COLUMN   84
#define ROW      180
#define BASELINE 132
#define MARGIN   140
#define BAR      320
#define FONT                                                                                       \
	"ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono','Liberation "               \
	"Mono',monospace"

struct svg {
	FILE *out;
	const struct term_screen *screen;
	const struct svg_options *options;
};

/* The first sixteen are the terminal's own: these go with the ground. */
static const int palette[16] = { 0x1c2128, 0xff7b72, 0x7ee787, 0xe3b341, 0x79c0ff, 0xd2a8ff,
	0x76e3ea, 0xc9d1d9, 0x6e7681, 0xffa198, 0x56d364, 0xe3b341, 0xa5d6ff, 0xd2a8ff, 0xb3f0ff,
	0xf0f6fc };

static int rgb(int color, int otherwise)
{
	if (color == TERM_COLOR_DEFAULT)
		return otherwise;
	if (color & TERM_COLOR_RGB)
		return color & 0xffffff;
	return color < 16 ? palette[color] : theme_to_rgb(color);
}

static int ink(const struct svg *svg, const struct term_cell *cell)
{
	return cell->reverse ? rgb(cell->bg, svg->options->background)
			     : rgb(cell->fg, svg->options->foreground);
}

static int ground(const struct svg *svg, const struct term_cell *cell)
{
	return cell->reverse ? rgb(cell->fg, svg->options->foreground)
			     : rgb(cell->bg, svg->options->background);
}

static void number(const struct svg *svg, const char *name, int tenths)
{
	fprintf(svg->out, " %s=\"%d", name, tenths / 10);
	if (tenths % 10)
		fprintf(svg->out, ".%d", tenths % 10);
	fputc('"', svg->out);
}

static void rectangle(const struct svg *svg, int x, int y, int width, int height, int color)
{
	fputs("<rect", svg->out);
	number(svg, "x", x);
	number(svg, "y", y);
	number(svg, "width", width);
	number(svg, "height", height);
	fprintf(svg->out, " fill=\"#%06x\"", (unsigned int)color);
}

static int left_of(int x)
{
	return MARGIN + x * COLUMN;
}

static int top_of(int y)
{
	return BAR + y * ROW;
}

/* Which of the four arms a line has, from the middle of its cell: left, right, up, down. */
static const struct {
	uint32_t c;
	bool left, right, up, down;
} box_lines[] = {
	{ 0x2500, true, true, false, false },
	{ 0x2502, false, false, true, true },
	{ 0x250c, false, true, false, true },
	{ 0x2510, true, false, false, true },
	{ 0x2514, false, true, true, false },
	{ 0x2518, true, false, true, false },
	{ 0x251c, false, true, true, true },
	{ 0x2524, true, false, true, true },
	{ 0x252c, true, true, false, true },
	{ 0x2534, true, true, true, false },
	{ 0x253c, true, true, true, true },
};

/* An eighth of a line's way is 1 pixel thick. */
static bool draw_line(const struct svg *svg, uint32_t c, int x, int y, int cells, int color)
{
	for (size_t i = 0; i < sizeof(box_lines) / sizeof(box_lines[0]); i++) {
		if (box_lines[i].c != c)
			continue;
		int middle = x + COLUMN / 2 - 5, centre = y + ROW / 2 - 5;
		if (box_lines[i].left || box_lines[i].right) {
			int from = box_lines[i].left ? x : middle;
			int to = box_lines[i].right ? x + cells * COLUMN : middle + 10;
			rectangle(svg, from, centre, to - from, 10, color);
			fputs("/>", svg->out);
		}
		if (box_lines[i].up || box_lines[i].down) {
			int from = box_lines[i].up ? y : centre;
			int to = box_lines[i].down ? y + ROW : centre + 10;
			rectangle(svg, middle, from, 10, to - from, color);
			fputs("/>", svg->out);
		}
		return true;
	}
	return false;
}

/* ▁ to █ grow from below, █ to ▏ shrink to the left, ░▒▓ are thinner ink. */
static bool draw_block(const struct svg *svg, uint32_t c, int x, int y, int cells, int color)
{
	static const char *const shades[] = { ".28", ".5", ".74" };
	int width = cells * COLUMN;
	if (c >= 0x2581 && c <= 0x2588) {
		int height = ROW * (int)(c - 0x2580) / 8;
		rectangle(svg, x, y + ROW - height, width, height, color);
	} else if (c > 0x2588 && c <= 0x258f) {
		rectangle(svg, x, y, COLUMN * (int)(0x2590 - c) / 8, ROW, color);
	} else if (c >= 0x2591 && c <= 0x2593) {
		rectangle(svg, x, y, width, ROW, color);
		fprintf(svg->out, " opacity=\"%s\"", shades[c - 0x2591]);
	} else {
		return false;
	}
	fputs("/>", svg->out);
	return true;
}

/* Lines of gauges have a gap between them, as lines of text have: they are drawn like text. */
static bool draw_shape(const struct svg *svg, const struct term_cell *cell, int x, int y, int cells)
{
	uint32_t c = cell->chars[0];
	int color = ink(svg, cell);
	return !cell->chars[1] &&
		(draw_line(svg, c, left_of(x), top_of(y), cells, color) ||
			draw_block(svg, c, left_of(x), top_of(y), cells, color));
}

static bool is_shape(const struct term_cell *cell)
{
	uint32_t c = cell->chars[0];
	return c >= 0x2500 && c < 0x25a0;
}

static bool is_blank(const struct term_cell *cell)
{
	return cell->chars[0] == ' ' && !cell->chars[1];
}

static bool same_ink(const struct svg *svg, const struct term_cell *a, const struct term_cell *b)
{
	return ink(svg, a) == ink(svg, b) && a->bold == b->bold && a->italic == b->italic &&
		a->underline == b->underline;
}

static void write_escaped(FILE *out, uint32_t c)
{
	char bytes[4];
	switch (c) {
	case '<': fputs("&lt;", out); break;
	case '>': fputs("&gt;", out); break;
	case '&': fputs("&amp;", out); break;
	default: fwrite(bytes, 1, text_encode(c, bytes), out);
	}
}

static void write_word(const struct svg *svg, int y, int from, int to)
{
	const struct term_cell *first = term_cell(svg->screen, from, y);
	fputs("<text", svg->out);
	number(svg, "x", left_of(from));
	number(svg, "y", top_of(y) + BASELINE);
	if (to - from > 1)
		number(svg, "textLength", (to - from) * COLUMN);
	if (ink(svg, first) != svg->options->foreground)
		fprintf(svg->out, " fill=\"#%06x\"", (unsigned int)ink(svg, first));
	if (first->bold)
		fputs(" font-weight=\"700\"", svg->out);
	if (first->italic)
		fputs(" font-style=\"italic\"", svg->out);
	if (first->underline)
		fputs(" text-decoration=\"underline\"", svg->out);
	fputc('>', svg->out);
	for (int x = from; x < to; x++) {
		const struct term_cell *cell = term_cell(svg->screen, x, y);
		for (int i = 0; i < TERM_CELL_CHARS && cell->chars[i]; i++)
			write_escaped(svg->out, cell->chars[i]);
	}
	fputs("</text>", svg->out);
}

static int end_of_word(const struct svg *svg, int y, int from)
{
	const struct term_cell *first = term_cell(svg->screen, from, y);
	int x = from + 1;
	for (; x < svg->screen->width; x++) {
		const struct term_cell *cell = term_cell(svg->screen, x, y);
		if (cell->width &&
			(is_blank(cell) || is_shape(cell) || !same_ink(svg, first, cell)))
			break;
	}
	return x;
}

static int end_of_shape(const struct svg *svg, int y, int from)
{
	const struct term_cell *first = term_cell(svg->screen, from, y);
	int x = from + 1;
	while (x < svg->screen->width && same_ink(svg, first, term_cell(svg->screen, x, y)) &&
		term_cell(svg->screen, x, y)->chars[0] == first->chars[0])
		x++;
	return x;
}

static void draw_grounds(const struct svg *svg, int y)
{
	int width = svg->screen->width;
	for (int x = 0, end; x < width; x = end) {
		int color = ground(svg, term_cell(svg->screen, x, y));
		for (end = x + 1; end < width; end++)
			if (ground(svg, term_cell(svg->screen, end, y)) != color)
				break;
		if (color == svg->options->background)
			continue;
		rectangle(svg, left_of(x), top_of(y), (end - x) * COLUMN, ROW, color);
		fputs("/>", svg->out);
	}
}

static void draw_row(const struct svg *svg, int y)
{
	draw_grounds(svg, y);
	for (int x = 0, end; x < svg->screen->width; x = end) {
		const struct term_cell *cell = term_cell(svg->screen, x, y);
		end = x + 1;
		if (is_blank(cell) || !cell->width)
			continue;
		if (is_shape(cell)) {
			end = end_of_shape(svg, y, x);
			if (draw_shape(svg, cell, x, y, end - x))
				continue;
		}
		end = end_of_word(svg, y, x);
		write_word(svg, y, x, end);
	}
	fputc('\n', svg->out);
}

static void draw_window(const struct svg *svg, int width, int height)
{
	static const int buttons[] = { 0xff5f57, 0xfebc2e, 0x28c840 };
	fprintf(svg->out,
		"<rect x=\".5\" y=\".5\" width=\"%d\" height=\"%d\" rx=\"9\" "
		"fill=\"#%06x\" stroke=\"#8b949e\" stroke-opacity=\".45\"/>\n",
		width / 10 - 1, height / 10 - 1, (unsigned int)svg->options->background);
	for (int i = 0; i < 3; i++)
		fprintf(svg->out, "<circle cx=\"%d\" cy=\"15\" r=\"5.5\" fill=\"#%06x\"/>",
			20 + i * 19, (unsigned int)buttons[i]);
	fprintf(svg->out,
		"<text x=\"%d\" y=\"19\" text-anchor=\"middle\" fill=\"#8b949e\">%s</text>\n",
		width / 20, svg->options->title);
}

char *svg_of_screen(const struct term_screen *screen, const struct svg_options *options)
{
	char *text = NULL;
	size_t size = 0;
	struct svg svg = { open_memstream(&text, &size), screen, options };
	int width = (2 * MARGIN + screen->width * COLUMN + 9) / 10 * 10;
	int height = BAR + screen->height * ROW + MARGIN;
	fprintf(svg.out,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
		"viewBox=\"0 0 %d %d\" role=\"img\" font-family=\"%s\" font-size=\"14\" "
		"fill=\"#%06x\">\n<title>%s</title>\n",
		width / 10, height / 10, width / 10, height / 10, FONT,
		(unsigned int)options->foreground, options->title);
	draw_window(&svg, width, height);
	for (int y = 0; y < screen->height; y++)
		draw_row(&svg, y);
	fputs("</svg>\n", svg.out);
	fclose(svg.out);
	return text;
}

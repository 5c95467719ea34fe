/* Words are compared with those of a wide screen, colours with those of the theme. */
#include "look.h"

#include <ctype.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "term.h"

/* --- words --- */

struct look_words {
	char *text; /* cut up */
	const char **words;
	size_t count;
};

static int compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Blanks and the lines of boxes end a word. */
static void blank_lines(char *text)
{
	for (char *c = text; *c; c++)
		if (strncmp(c, "\xe2\x94", 2) == 0 && c[2])
			memset(c, ' ', 3);
}

/* "old" and "old:" are one word. */
static void strip(char *word)
{
	size_t length = strlen(word);
	while (length && strchr(":,.;?!)", word[length - 1]))
		word[--length] = '\0';
}

static struct look_words *split(char *text)
{
	struct look_words *words = mem_alloc(sizeof(*words));
	blank_lines(text);
	words->text = text;
	words->words = mem_alloc((strlen(text) / 2 + 1) * sizeof(*words->words));
	for (char *rest = text, *word; (word = strsep(&rest, " \n|"));) {
		strip(word);
		if (*word)
			words->words[words->count++] = word;
	}
	return words;
}

struct look_words *look_words_new(const struct term_screen *screen)
{
	struct look_words *words = split(term_screen_text(screen));
	qsort(words->words, words->count, sizeof(*words->words), compare);
	return words;
}

void look_words_free(struct look_words *words)
{
	if (!words)
		return;
	free(words->words);
	free(words->text);
	free(words);
}

static bool has(const struct look_words *whole, const char *word)
{
	return bsearch(&word, whole->words, whole->count, sizeof(word), compare) != NULL;
}

/* "connecti" of "connection", but not "old" of "old:". */
static bool is_part(const char *word, const char *of)
{
	size_t length = strlen(word), all = strlen(of);
	if (length >= all)
		return false;
	bool begins = strncmp(of, word, length) == 0 && isalnum((unsigned char)of[length]);
	bool ends = strcmp(of + all - length, word) == 0 &&
		isalnum((unsigned char)of[all - length - 1]);
	return begins || ends;
}

static bool has_letter(const char *word)
{
	while (*word && !isalpha((unsigned char)*word))
		word++;
	return *word != '\0';
}

/* What happens to begin or end a longer word as well. */
static bool is_word(const char *word)
{
	static const char *const forms[] = { "held", "type", "app", "all", "stop", "for", "are",
		"end", "left", "not" };
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
		if (strcmp(forms[i], word) == 0)
			return true;
	/* an age: 7m of 7m12s */
	return isdigit((unsigned char)word[0]) || strlen(word) < 3;
}

static bool is_marked(const char *word)
{
	size_t length = strlen(word);
	return strstr(word, "…") || word[0] == '<' || word[length - 1] == '>';
}

/* A path that goes on in the next line is whole. */
static bool goes_on(const struct look_words *words, size_t i, const struct look_words *whole)
{
	CLEANUP(cleanup_free) char *before = NULL, *after = NULL;
	if (i + 1 < words->count)
		after = mem_printf("%s%s", words->words[i], words->words[i + 1]);
	if (i > 0)
		before = mem_printf("%s%s", words->words[i - 1], words->words[i]);
	return (after && has(whole, after)) || (before && has(whole, before));
}

char *look_cut_word(const struct term_screen *screen, const struct look_words *whole)
{
	struct look_words *words = split(term_screen_text(screen));
	char *cut = NULL;
	for (size_t i = 0; i < words->count && !cut; i++) {
		const char *word = words->words[i];
		if (!has_letter(word) || is_marked(word) || is_word(word) || has(whole, word) ||
			goes_on(words, i, whole))
			continue;
		for (size_t j = 0; j < whole->count && !cut; j++)
			if (is_part(word, whole->words[j]))
				cut = mem_printf("\"%s\" of \"%s\"", word, whole->words[j]);
	}
	look_words_free(words);
	return cut;
}

/* --- boxes --- */

static uint32_t char_at(const struct term_screen *screen, int x, int y)
{
	return term_cell(screen, x, y)->chars[0];
}

static bool is_side(uint32_t c)
{
	return c == 0x2502 || c == '|';
}

static bool is_corner(uint32_t c, uint32_t corner)
{
	return c == corner || c == '+';
}

static bool begins_box(const struct term_screen *screen, int x, int y)
{
	return is_corner(char_at(screen, x, y), 0x250c) && y + 1 < screen->height &&
		is_side(char_at(screen, x, y + 1)) && x + 1 < screen->width &&
		char_at(screen, x + 1, y) == ' ';
}

static bool close_box(const struct term_screen *screen, struct look_box *box)
{
	int y = box->top + 1, x = screen->width - 1;
	while (y < screen->height && !is_corner(char_at(screen, box->left, y), 0x2514))
		y++;
	box->bottom = y;
	while (y < screen->height && x > box->left && !is_corner(char_at(screen, x, y), 0x2518))
		x--;
	box->right = x;
	return y < screen->height && x > box->left;
}

bool look_find_box(const struct term_screen *screen, struct look_box *ret_box)
{
	for (int y = 0; y < screen->height; y++) {
		for (int x = 0; x < screen->width; x++) {
			struct look_box box = { .left = x, .top = y };
			if (begins_box(screen, x, y) && close_box(screen, &box)) {
				*ret_box = box;
				return true;
			}
		}
	}
	return false;
}

bool look_box_is_closed(const struct term_screen *screen, const struct look_box *box)
{
	if (!is_corner(char_at(screen, box->right, box->top), 0x2510))
		return false;
	for (int y = box->top + 1; y < box->bottom; y++)
		if (!is_side(char_at(screen, box->left, y)) ||
			!is_side(char_at(screen, box->right, y)) ||
			char_at(screen, box->left + 1, y) != ' ' ||
			char_at(screen, box->right - 1, y) != ' ')
			return false;
	return true;
}

/* The title in the frame, the way back in the last line inside; nothing else on the frame. */
char *look_find_box_fault(const struct term_screen *screen, const char *title)
{
	struct look_box box;
	bool found = look_find_box(screen, &box);
	if (found != (title != NULL))
		return mem_strdup(found ? "a box" : "no box");
	if (!found)
		return NULL;
	if (!look_box_is_closed(screen, &box))
		return mem_strdup("something lies over the frame");
	CLEANUP(cleanup_free) char *top = term_screen_line(screen, box.top);
	/* a title may be cut, with … */
	CLEANUP(cleanup_free) char *short_title = mem_printf("%.12s", title);
	if (!strstr(top, short_title))
		return mem_printf("no title: %s", title);
	CLEANUP(cleanup_free) char *keys = term_screen_line(screen, box.bottom - 1);
	return strstr(keys, "Esc") ? NULL : mem_printf("no way back: %s", keys);
}

/* --- time --- */

/* Without numbers, blanks and the bars of the history (▁ to █): what is left does not change as
 * time goes by. */
static char *words_of(char *line)
{
	char *to = line;
	bool number = false;
	for (const char *from = line; *from; from++) {
		/* 59s becomes 1m */
		bool unit = number && strchr("dhms", *from);
		number = unit || strchr("0123456789", *from);
		if (strncmp(from, "\xe2\x96", 2) == 0 && from[2])
			from += 2;
		else if (!unit && !strchr("0123456789. ", *from))
			*to++ = *from;
	}
	*to = '\0';
	return line;
}

/* A share of the processor is known once a process was read twice: it appears as time goes by. */
static char *timeless_words(char *line)
{
	static const char share[] = "·cpu%";
	words_of(line);
	for (char *at; (at = strstr(line, share));)
		memmove(at, at + strlen(share), strlen(at + strlen(share)) + 1);
	return line;
}

bool look_time_went_by(const struct term_screen *before, const struct term_screen *after, int y)
{
	CLEANUP(cleanup_free) char *was = term_screen_line(before, y);
	CLEANUP(cleanup_free) char *is = term_screen_line(after, y);
	bool shows_age = (strstr(was, " ago") || strstr(was, "just now")) && strstr(is, " ago");
	return shows_age || strcmp(timeless_words(was), timeless_words(is)) == 0;
}

/* --- colours --- */

static void add(int *colors, size_t *count, int color)
{
	for (size_t i = 0; i < *count; i++)
		if (colors[i] == color)
			return;
	colors[(*count)++] = color;
}

static bool is_among(const int *colors, size_t count, int color)
{
	for (size_t i = 0; i < count; i++)
		if (colors[i] == color)
			return true;
	return false;
}

struct look_palette look_palette_of(const struct theme *theme, int colors)
{
	struct look_palette palette = { .colors = colors, .theme = theme_reduce(theme, colors) };
	/* the blanks that a terminal clears by itself */
	add(palette.fgs, &palette.n_fgs, THEME_DEFAULT);
	add(palette.bgs, &palette.n_bgs, THEME_DEFAULT);
	for (size_t i = 0; i < STYLE_COUNT; i++) {
		add(palette.fgs, &palette.n_fgs, palette.theme.styles[i].fg);
		add(palette.bgs, &palette.n_bgs, palette.theme.styles[i].bg);
	}
	return palette;
}

static double channel(int color, int shift)
{
	double value = (theme_to_rgb(color) >> shift & 0xff) / 255.0;
	return value <= 0.03928 ? value / 12.92 : pow((value + 0.055) / 1.055, 2.4);
}

static double luminance(int color)
{
	return 0.2126 * channel(color, 16) + 0.7152 * channel(color, 8) +
		0.0722 * channel(color, 0);
}

/* WCAG 2's. What is the terminal's own is taken to be a light grey on black. */
static double contrast(int fg, int bg)
{
	double a = luminance(fg == THEME_DEFAULT ? 252 : fg);
	double b = luminance(bg == THEME_DEFAULT ? 16 : bg);
	return a > b ? (a + 0.05) / (b + 0.05) : (b + 0.05) / (a + 0.05);
}

/* Letters must be read: 3 to 1; gauges, lines and what is free need but be seen. */
static double least_contrast(const struct term_cell *cell)
{
	uint32_t c = cell->chars[0];
	return c < 0x80 && isalnum((int)c) ? 3.0 : 1.3;
}

static char *fault_of(const struct term_cell *cell, const struct look_palette *palette)
{
	if (!is_among(palette->fgs, palette->n_fgs, cell->fg))
		return mem_printf("foreground %d is not the theme's", cell->fg);
	if (!is_among(palette->bgs, palette->n_bgs, cell->bg))
		return mem_printf("ground %d is not the theme's", cell->bg);
	double is = contrast(cell->fg, cell->bg), must = least_contrast(cell);
	/* fewer are the user's own palette */
	if (palette->colors >= 256 && is < must)
		return mem_printf("contrast of %.2f: %d on %d", is, cell->fg, cell->bg);
	return NULL;
}

char *look_find_fault(const struct term_screen *screen, const struct look_palette *palette)
{
	for (int y = 0; y < screen->height; y++) {
		for (int x = 0; x < screen->width; x++) {
			const struct term_cell *cell = term_cell(screen, x, y);
			if (cell->width == 0 || cell->chars[0] == ' ')
				continue;
			char *fault = fault_of(cell, palette);
			if (!fault)
				continue;
			char *where = mem_printf(
				"U+%04X in column %d, row %d: %s", cell->chars[0], x, y, fault);
			free(fault);
			return where;
		}
	}
	return NULL;
}

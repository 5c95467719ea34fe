/* The screen's side of the terminal: libvterm's cells and properties, read and compared. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/text.h"
#include "term_internal.h"

static int on_property(VTermProp property, VTermValue *value, void *data)
{
	struct term *term = data;
	switch (property) {
	case VTERM_PROP_ALTSCREEN: term->alternate = value->boolean; break;
	case VTERM_PROP_MOUSE: term->mouse = value->number; break;
	default: break;
	}
	return 1;
}

static int on_bell(void *data)
{
	struct term *term = data;
	term->bells++;
	return 1;
}

static void on_answer(const char *bytes, size_t size, void *data)
{
	term_write(data, bytes, size);
}

/* libvterm 0.1 writes past a line of one column when a wide character comes: it gets another one,
 * which nobody sees. */
static int columns(const struct term *term)
{
	return term->width > 1 ? term->width : 2;
}

/* xterm and its kin forget the scrolling region then, and leave the cursor where it is. */
void term_fit_screen(struct term *term)
{
	char bytes[64];
	int x, y;
	vterm_set_size(term->vterm, term->height, columns(term));
	term_cursor(term, &x, &y);
	int size = snprintf(bytes, sizeof(bytes), "\033[r\033[%d;%dH", y + 1, x + 1);
	vterm_input_write(term->vterm, bytes, (size_t)size);
}

/* libvterm has it saved and restored with the cursor's position, other terminals have not. */
static void watch_cursor(struct term *term, char c)
{
	static const char sequence[] = "\033[?25";
	if (term->cursor_seen == sizeof(sequence) - 1 && (c == 'h' || c == 'l'))
		term->cursor_visible = c == 'h';
	if (term->cursor_seen < sizeof(sequence) - 1 && c == sequence[term->cursor_seen])
		term->cursor_seen++;
	else
		term->cursor_seen = c == sequence[0];
}

static void end_string(struct term *term)
{
	term->string[term->string_size] = '\0';
	if (strncmp(term->string, "0;", 2) == 0 || strncmp(term->string, "2;", 2) == 0) {
		free(term->title);
		term->title = mem_strdup(term->string + 2);
	} else {
		memcpy(term->command, term->string, term->string_size + 1);
	}
}

static void add_to_string(struct term *term, unsigned char c)
{
	if (term->string_size < sizeof(term->string) - 1)
		term->string[term->string_size++] = (char)c;
}

/* Where a sequence or a character ends: between, nothing may be put into libvterm's input. ESC, CAN
 * and SUB end any of them. */
static void watch_ends(struct term *term, unsigned char c)
{
	bool escape = c == '\033', cancel = c == '\030' || c == '\032';
	if (term->inside == TERM_STRING && (escape || c == '\a'))
		end_string(term);
	term->continuation = 0;
	if (escape || cancel) {
		term->inside = escape ? TERM_ESCAPE : TERM_NOTHING;
		return;
	}
	switch (term->inside) {
	case TERM_ESCAPE:
		term->inside = c == '[' ? TERM_CONTROL
			: c == ']'      ? TERM_STRING
			: c == '('      ? TERM_ONE_MORE
					: TERM_NOTHING;
		term->string_size = 0;
		break;
	case TERM_CONTROL:
		if (c >= 0x40 && c <= 0x7e)
			term->inside = TERM_NOTHING;
		break;
	case TERM_STRING:
		if (c == '\a')
			term->inside = TERM_NOTHING;
		else
			add_to_string(term, c);
		break;
	case TERM_ONE_MORE: term->inside = TERM_NOTHING; break;
	case TERM_NOTHING:
		term->continuation = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : c >= 0xc0 ? 1 : 0;
		break;
	}
}

/* libvterm gets no operating system commands: its versions pass them on in different ways, and 0.1
 * loses parts of those that come in pieces. The ESC that may begin one waits for the next byte. */
void term_show(struct term *term, const char *bytes, size_t size)
{
	CLEANUP(cleanup_free) char *shown = mem_alloc(size + 1);
	size_t n_shown = 0;
	for (size_t i = 0; i < size; i++) {
		unsigned char c = (unsigned char)bytes[i];
		enum term_inside before = term->inside;
		watch_cursor(term, bytes[i]);
		if (term->continuation && (c & 0xc0) == 0x80)
			term->continuation--;
		else
			watch_ends(term, c);
		if (before == TERM_ESCAPE && term->inside != TERM_STRING)
			shown[n_shown++] = '\033';
		if (before != TERM_STRING && term->inside != TERM_STRING &&
			term->inside != TERM_ESCAPE)
			shown[n_shown++] = bytes[i];
	}
	vterm_input_write(term->vterm, shown, n_shown);
}

bool term_is_whole(const struct term *term)
{
	return term->inside == TERM_NOTHING && !term->continuation;
}

void term_open_screen(struct term *term)
{
	static const VTermScreenCallbacks callbacks = {
		.settermprop = on_property,
		.bell = on_bell,
	};
	term->cursor_visible = true;
	term->title = mem_strdup("");
	term->vterm = vterm_new(term->height, columns(term));
	vterm_set_utf8(term->vterm, 1);
	vterm_output_set_callback(term->vterm, on_answer, term);
	term->screen = vterm_obtain_screen(term->vterm);
	vterm_screen_set_callbacks(term->screen, &callbacks, term);
	vterm_screen_enable_altscreen(term->screen, 1);
	vterm_screen_reset(term->screen, 1);
}

bool term_is_alternate(const struct term *term)
{
	return term->alternate;
}

bool term_cursor_visible(const struct term *term)
{
	return term->cursor_visible;
}

void term_cursor(const struct term *term, int *ret_x, int *ret_y)
{
	VTermPos position;
	vterm_state_get_cursorpos(vterm_obtain_state(term->vterm), &position);
	*ret_x = position.col;
	*ret_y = position.row;
}

int term_mouse(const struct term *term)
{
	return term->mouse;
}

const char *term_title(const struct term *term)
{
	return term->title;
}

const char *term_command(const struct term *term)
{
	return term->command;
}

unsigned int term_bells(const struct term *term)
{
	return term->bells;
}

size_t term_written(const struct term *term)
{
	return term->written;
}

static int color_of(const VTermColor *color, uint8_t default_mask)
{
	if (color->type & default_mask)
		return TERM_COLOR_DEFAULT;
	if (VTERM_COLOR_IS_INDEXED(color))
		return color->indexed.idx;
	return TERM_COLOR_RGB | color->rgb.red << 16 | color->rgb.green << 8 | color->rgb.blue;
}

/* libvterm leaves the right half of a wide character at −1. */
static struct term_cell read_cell(const struct term *term, int x, int y)
{
	VTermScreenCell from;
	vterm_screen_get_cell(term->screen, (VTermPos){ .row = y, .col = x }, &from);
	bool right_half = from.chars[0] == (uint32_t)-1;
	struct term_cell cell = {
		.width = right_half ? 0 : from.width,
		.fg = color_of(&from.fg, VTERM_COLOR_DEFAULT_FG),
		.bg = color_of(&from.bg, VTERM_COLOR_DEFAULT_BG),
		.bold = from.attrs.bold,
		.underline = from.attrs.underline != 0,
		.italic = from.attrs.italic,
		.reverse = from.attrs.reverse,
	};
	if (right_half)
		return cell;
	/* whatever follows the last one does not matter */
	for (int i = 0; i < TERM_CELL_CHARS && from.chars[i]; i++)
		cell.chars[i] = from.chars[i];
	if (!cell.chars[0])
		cell.chars[0] = ' ';
	return cell;
}

struct term_screen *term_copy(const struct term *term)
{
	size_t count = (size_t)term->width * (size_t)term->height;
	struct term_screen *screen = mem_alloc(sizeof(*screen) + count * sizeof(struct term_cell));
	screen->width = term->width;
	screen->height = term->height;
	for (int y = 0; y < term->height; y++)
		for (int x = 0; x < term->width; x++)
			screen->cells[(size_t)y * (size_t)term->width + (size_t)x] =
				read_cell(term, x, y);
	return screen;
}

const struct term_cell *term_cell(const struct term_screen *screen, int x, int y)
{
	return &screen->cells[(size_t)y * (size_t)screen->width + (size_t)x];
}

static bool is_blank(const struct term_cell *cell)
{
	return cell->chars[0] == ' ' && !cell->chars[1];
}

/* A blank's foreground, weight and slant cannot be seen, and a right half is drawn with its left.
 */
static bool look_alike(const struct term_cell *a, const struct term_cell *b)
{
	if (a->width == 0 && b->width == 0)
		return true;
	if (memcmp(a->chars, b->chars, sizeof(a->chars)) != 0 || a->width != b->width ||
		a->bg != b->bg || a->underline != b->underline || a->reverse != b->reverse)
		return false;
	bool blank = is_blank(a) && !a->reverse && !a->underline;
	return blank || (a->fg == b->fg && a->bold == b->bold && a->italic == b->italic);
}

bool term_rows_equal(const struct term_screen *a, const struct term_screen *b, int y, int *ret_x)
{
	for (int x = 0; x < a->width; x++) {
		if (!look_alike(term_cell(a, x, y), term_cell(b, x, y))) {
			*ret_x = x;
			return false;
		}
	}
	return true;
}

bool term_screens_equal(
	const struct term_screen *a, const struct term_screen *b, int *ret_x, int *ret_y)
{
	*ret_x = *ret_y = 0;
	if (a->width != b->width || a->height != b->height)
		return false;
	for (int y = 0; y < a->height; y++) {
		if (!term_rows_equal(a, b, y, ret_x)) {
			*ret_y = y;
			return false;
		}
	}
	return true;
}

static int end_of_line(const struct term_screen *screen, int y)
{
	int x = screen->width;
	while (x > 0 && is_blank(term_cell(screen, x - 1, y)))
		x--;
	return x;
}

static void write_line(FILE *out, const struct term_screen *screen, int y)
{
	int end = end_of_line(screen, y);
	for (int x = 0; x < end; x++) {
		const struct term_cell *cell = term_cell(screen, x, y);
		for (int i = 0; i < TERM_CELL_CHARS && cell->chars[i]; i++) {
			char bytes[4];
			fwrite(bytes, 1, text_encode(cell->chars[i], bytes), out);
		}
	}
}

static char *lines(const struct term_screen *screen, int from, int to)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	for (int y = from; y < to; y++) {
		write_line(out, screen, y);
		if (to - from > 1)
			fputc('\n', out);
	}
	fclose(out);
	return text;
}

char *term_screen_text(const struct term_screen *screen)
{
	return lines(screen, 0, screen->height);
}

char *term_screen_line(const struct term_screen *screen, int y)
{
	return lines(screen, y, y + 1);
}

char *term_text(const struct term *term)
{
	CLEANUP(cleanup_free) struct term_screen *screen = term_copy(term);
	return term_screen_text(screen);
}

char *term_line(const struct term *term, int y)
{
	CLEANUP(cleanup_free) struct term_screen *screen = term_copy(term);
	return lines(screen, y, y + 1);
}

/* Columns, not bytes: each cell before it counts. */
static int column_of(const struct term_screen *screen, int y, size_t bytes)
{
	size_t before = 0;
	for (int x = 0; x < screen->width; x++) {
		if (before >= bytes && term_cell(screen, x, y)->width)
			return x;
		const struct term_cell *cell = term_cell(screen, x, y);
		for (int i = 0; i < TERM_CELL_CHARS && cell->chars[i]; i++) {
			char encoded[4];
			before += text_encode(cell->chars[i], encoded);
		}
	}
	return screen->width;
}

bool term_find(const struct term *term, const char *text, int *ret_x, int *ret_y)
{
	CLEANUP(cleanup_free) struct term_screen *screen = term_copy(term);
	for (int y = 0; y < screen->height; y++) {
		CLEANUP(cleanup_free) char *line = lines(screen, y, y + 1);
		const char *found = strstr(line, text);
		if (!found)
			continue;
		if (ret_x)
			*ret_x = column_of(screen, y, (size_t)(found - line));
		if (ret_y)
			*ret_y = y;
		return true;
	}
	return false;
}

bool term_shows(const struct term *term, const char *text)
{
	return term_find(term, text, NULL, NULL);
}

void term_print(const struct term *term, const char *heading)
{
	CLEANUP(cleanup_free) char *text = term_text(term);
	fprintf(stderr, "--- %s (%d×%d)\n%s---\n", heading, term->width, term->height, text);
}

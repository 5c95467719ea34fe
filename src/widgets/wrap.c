/* Text is broken at blanks; a word that is wider than the line is cut. */
#include "widgets/wrap.h"

#include "base/text.h"
#include "widgets/grid.h"

size_t wrap_line(const struct grid *grid, const char *text, int width, size_t *ret_skip)
{
	const char *at = text, *blank = NULL;
	int columns = 0;
	while (*at && *at != '\n') {
		const char *next = at;
		char character[5] = { 0 };
		text_encode(text_next(&next), character);
		columns += grid_width(grid, character);
		if (*at == ' ')
			blank = at;
		if (columns > width && at > text) {
			const char *end = blank && blank > text ? blank : at;
			*ret_skip = (size_t)(end - text) + (end == blank);
			return (size_t)(end - text);
		}
		at = next;
	}
	*ret_skip = (size_t)(at - text) + (*at == '\n');
	return (size_t)(at - text);
}

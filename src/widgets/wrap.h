/* Breaks text into lines. */
#ifndef WIDGETS_WRAP_H
#define WIDGETS_WRAP_H

#include <stddef.h>

struct grid;

/* The bytes of text that make the next line of at most `width` columns, broken at a blank if
 * possible; *ret_skip is where the next line begins. A line break ends a line. */
size_t wrap_line(const struct grid *grid, const char *text, int width, size_t *ret_skip);

#endif

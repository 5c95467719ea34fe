/* How much memory a line of JSON may take when it is read: "{}" is three bytes in a list, and two
 * hundred in memory. */
#ifndef COLLECT_LINE_WEIGHT_H
#define COLLECT_LINE_WEIGHT_H

#include <stdbool.h>
#include <stddef.h>

/* More than an answer about all ends, with all pages, has. */
#define LINE_GROUPS_MOST ((size_t)1 << 16) /* objects and arrays */
#define LINE_VALUES_MOST ((size_t)1 << 19)

bool line_weight_is_allowed(const char *line, size_t length);

#endif

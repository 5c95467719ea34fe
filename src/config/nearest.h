/* "Did you mean …?": the known name that a mistyped one was probably meant to be. */
#ifndef CONFIG_NEAREST_H
#define CONFIG_NEAREST_H

#include <stddef.h>

/* One of names, or NULL when none is near enough: one slip in three characters of the last part
 * (what follows the last dot). */
const char *nearest_name(const char *typed, const char *const *names, size_t count);

/* The slips between two names: a character too many, too few, wrong, or two swapped. Names longer
 * than 64 bytes are far from everything. */
size_t nearest_distance(const char *a, const char *b);

#endif

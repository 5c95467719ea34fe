/* "Did you mean …?": finds the known name that a misspelled one probably means. */
#ifndef CONFIG_NEAREST_H
#define CONFIG_NEAREST_H

#include <stddef.h>

/* One of names, or NULL if none is close enough: one error per three characters of the last part
 * (the text after the last dot), or the typed name is the beginning of another. */
const char *nearest_name(const char *typed, const char *const *names, size_t count);

/* The number of errors between two names: an extra, missing or wrong character, or two swapped
 * ones. A name longer than 64 bytes is far from every other. */
size_t nearest_distance(const char *a, const char *b);

#endif

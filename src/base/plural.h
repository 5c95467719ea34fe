/* English word forms that depend on a number. */
#ifndef BASE_PLURAL_H
#define BASE_PLURAL_H

#include <stdint.h>

/* The ending of a noun: "1 lock", "2 locks". */
static inline const char *plural_s(int64_t n)
{
	return n == 1 ? "" : "s";
}

/* "1 process", "2 processes" */
static inline const char *plural_es(int64_t n)
{
	return n == 1 ? "" : "es";
}

#endif

/* Durations: microseconds in an int64_t; reads them, and formats them for people. */
#ifndef BASE_DURATION_H
#define BASE_DURATION_H

#include <stdint.h>

#define DURATION_TEXT_MAX 24

/* Reads a number of seconds ("300", "0.5") or a number with one of PostgreSQL's units (us, ms, s,
 * min, h, d). Returns 0, -EINVAL when the text is no duration, or -ERANGE when it is negative or
 * over 10 years; on failure *ret_usec does not change. */
int duration_parse(const char *text, int64_t *ret_usec) __attribute__((warn_unused_result));

/* Formats a duration with at most two units: 0.1s, 12s, 7m12s, 3h04m, 3d04h. A negative one becomes
 * "-". Returns text, which is at most 7 columns wide below 10,000 days. */
char *duration_format(int64_t usec, char text[static DURATION_TEXT_MAX]);

#endif

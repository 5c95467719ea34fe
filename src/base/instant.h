/* Instants: microseconds since 1970-01-01 UTC in an int64_t; reads and formats them. */
#ifndef BASE_INSTANT_H
#define BASE_INSTANT_H

#include <stddef.h>
#include <stdint.h>

/* The server did not report the instant. Never a real instant. */
#define INSTANT_UNKNOWN INT64_MIN

#define USEC_PER_SEC  INT64_C(1000000)
#define USEC_PER_MSEC INT64_C(1000)

/* Enough for any int64_t instant and its terminator. */
#define INSTANT_TEXT_MAX 40

/* The wall clock. */
int64_t instant_now(void);

/* The monotonic clock, for deadlines and elapsed time; its zero has no meaning. */
int64_t instant_monotonic(void);

/* Converts PostgreSQL's binary timestamptz, in microseconds since 2000-01-01. ±infinity becomes
 * INSTANT_UNKNOWN. */
int64_t instant_from_postgres(int64_t timestamptz);

/* to − from, but 0 where that is negative, because clocks may be set back; −1 when either is
 * unknown. */
int64_t instant_elapsed(int64_t from, int64_t to);

/* Formats RFC 3339 in UTC with microseconds: 2026-01-31T12:00:00.123456Z. Returns text. */
char *instant_rfc3339(int64_t instant, char text[static INSTANT_TEXT_MAX]);

/* Reads RFC 3339 with or without a fraction, in UTC ("Z") or with an offset. Returns 0, or -EINVAL;
 * then *ret_instant does not change. */
int instant_parse(const char *text, int64_t *ret_instant) __attribute__((warn_unused_result));

/* Formats the local time of day: 12:03:44. Returns text. */
char *instant_clock(int64_t instant, char text[static INSTANT_TEXT_MAX]);

#endif

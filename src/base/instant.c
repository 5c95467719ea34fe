/* Clocks, PostgreSQL's epoch and RFC 3339. */
#include "base/instant.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* 2000-01-01 in microseconds since 1970-01-01: src/include/datatype/timestamp.h,
 * POSTGRES_EPOCH_JDATE. */
#define POSTGRES_EPOCH (INT64_C(946684800) * USEC_PER_SEC)

static int64_t read_clock(clockid_t clock)
{
	struct timespec ts;
	clock_gettime(clock, &ts);
	return ts.tv_sec * USEC_PER_SEC + ts.tv_nsec / 1000;
}

int64_t instant_now(void)
{
	return read_clock(CLOCK_REALTIME);
}

int64_t instant_monotonic(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

int64_t instant_from_postgres(int64_t timestamptz)
{
	int64_t instant;
	if (timestamptz == INT64_MIN || timestamptz == INT64_MAX ||
		__builtin_add_overflow(timestamptz, POSTGRES_EPOCH, &instant))
		return INSTANT_UNKNOWN;
	return instant;
}

int64_t instant_elapsed(int64_t from, int64_t to)
{
	if (from == INSTANT_UNKNOWN || to == INSTANT_UNKNOWN)
		return -1;
	int64_t elapsed;
	if (__builtin_sub_overflow(to, from, &elapsed))
		return -1;
	return elapsed > 0 ? elapsed : 0;
}

/* Rounds down, so that instants before 1970 have a positive fraction, too. */
static time_t split(int64_t instant, int *ret_usec)
{
	int64_t usec = instant % USEC_PER_SEC;
	int64_t sec = instant / USEC_PER_SEC;
	if (usec < 0) {
		usec += USEC_PER_SEC;
		sec--;
	}
	*ret_usec = (int)usec;
	return (time_t)sec;
}

char *instant_rfc3339(int64_t instant, char text[static INSTANT_TEXT_MAX])
{
	int usec;
	time_t sec = split(instant, &usec);
	struct tm tm;
	char day[INSTANT_TEXT_MAX - 10];
	if (!gmtime_r(&sec, &tm) || !strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm))
		strcpy(day, "?");
	snprintf(text, INSTANT_TEXT_MAX, "%s.%06dZ", day, usec);
	return text;
}

/* Reads `count` digits and the character after them, unless that is NUL. */
static bool take_number(const char **text, int count, char after, int *ret_number)
{
	int number = 0;
	for (int i = 0; i < count; i++, ++*text) {
		if (**text < '0' || **text > '9')
			return false;
		number = number * 10 + (**text - '0');
	}
	if (after && *(*text)++ != after)
		return false;
	*ret_number = number;
	return true;
}

/* Reads the digits after the point; ignores those after the sixth. */
static bool take_fraction(const char **text, int *ret_usec)
{
	int usec = 0, unit = 100000, digits = 0;
	if (**text != '.')
		return true;
	for (++*text; **text >= '0' && **text <= '9'; ++*text, unit /= 10, digits++)
		usec += (**text - '0') * unit;
	*ret_usec = usec;
	return digits > 0;
}

static bool take_offset(const char **text, int64_t *ret_seconds)
{
	int hours, minutes, sign = **text == '-' ? -1 : 1;
	if (**text == 'Z' || **text == 'z') {
		++*text;
		return true;
	}
	if (*(*text) != '+' && **text != '-')
		return false;
	++*text;
	if (!take_number(text, 2, ':', &hours) || !take_number(text, 2, '\0', &minutes))
		return false;
	*ret_seconds = sign * (hours * 3600 + minutes * 60);
	return hours < 24 && minutes < 60;
}

int instant_parse(const char *text, int64_t *ret_instant)
{
	struct tm tm = { 0 };
	int usec = 0;
	int64_t offset = 0;
	if (!take_number(&text, 4, '-', &tm.tm_year) || !take_number(&text, 2, '-', &tm.tm_mon) ||
		!take_number(&text, 2, 'T', &tm.tm_mday) ||
		!take_number(&text, 2, ':', &tm.tm_hour) ||
		!take_number(&text, 2, ':', &tm.tm_min) ||
		!take_number(&text, 2, '\0', &tm.tm_sec) || !take_fraction(&text, &usec) ||
		!take_offset(&text, &offset) || *text)
		return -EINVAL;
	if (tm.tm_mon < 1 || tm.tm_mon > 12 || tm.tm_mday < 1 || tm.tm_mday > 31 ||
		tm.tm_hour > 23 || tm.tm_min > 59 || tm.tm_sec > 60)
		return -EINVAL;
	tm.tm_year -= 1900;
	tm.tm_mon--;
	*ret_instant = ((int64_t)timegm(&tm) - offset) * USEC_PER_SEC + usec;
	return 0;
}

char *instant_clock(int64_t instant, char text[static INSTANT_TEXT_MAX])
{
	int usec;
	time_t sec = split(instant, &usec);
	struct tm tm;
	if (!localtime_r(&sec, &tm) || !strftime(text, INSTANT_TEXT_MAX, "%H:%M:%S", &tm))
		strcpy(text, "?");
	return text;
}

/* Reading and writing durations. */
#include "base/duration.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/instant.h"

#define MINUTE (60 * USEC_PER_SEC)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)
#define LIMIT  (3653 * DAY)

/* postgresql.conf's units for time: https://www.postgresql.org/docs/current/config-setting.html */
static const struct {
	const char *name;
	int64_t usec;
} units[] = {
	{ "", USEC_PER_SEC },
	{ "us", 1 },
	{ "ms", USEC_PER_MSEC },
	{ "s", USEC_PER_SEC },
	{ "min", MINUTE },
	{ "h", HOUR },
	{ "d", DAY },
};

static int64_t unit_usec(const char *name)
{
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (strcmp(name, units[i].name) == 0)
			return units[i].usec;
	return 0;
}

int duration_parse(const char *text, int64_t *ret_usec)
{
	/* strtod() alone would accept " 5", "0x5", "nan" and "inf" */
	if (!isdigit((unsigned char)text[0]) && text[0] != '.' && text[0] != '-')
		return -EINVAL;
	if (text[strspn(text, "-.0123456789")] == 'x' || strchr(text, 'e') || strchr(text, 'E'))
		return -EINVAL;
	char *end;
	double value = strtod(text, &end);
	if (end == text || !isfinite(value))
		return -EINVAL;
	end += strspn(end, " ");
	int64_t unit = unit_usec(end);
	if (!unit)
		return -EINVAL;
	value *= (double)unit;
	if (value < 0 || value > (double)LIMIT)
		return -ERANGE;
	*ret_usec = llround(value);
	return 0;
}

char *duration_format(int64_t usec, char text[static DURATION_TEXT_MAX])
{
	const size_t size = DURATION_TEXT_MAX;
	long long sec = usec / USEC_PER_SEC;
	if (usec < 0)
		snprintf(text, size, "-");
	else if (usec < 10 * USEC_PER_SEC)
		snprintf(text, size, "%lld.%llds", sec, (long long)(usec / 100000 % 10));
	else if (usec < MINUTE)
		snprintf(text, size, "%llds", sec);
	else if (usec < HOUR)
		snprintf(text, size, "%lldm%02llds", sec / 60, sec % 60);
	else if (usec < DAY)
		snprintf(text, size, "%lldh%02lldm", sec / 3600, sec / 60 % 60);
	else
		snprintf(text, size, "%lldd%02lldh", sec / 86400, sec / 3600 % 24);
	return text;
}

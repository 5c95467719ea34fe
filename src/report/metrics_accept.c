/* Which format a client asks for: RFC 9110, 12.5.1. */
#include "report/metrics_accept.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

const char *metrics_content_type(enum metrics_format format)
{
	return format == METRICS_OPEN ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
				      : "text/plain; version=0.0.4; charset=utf-8";
}

/* The q of one part of the header, which ends at `end`; 1 if there is none. */
static double read_weight(const char *part, const char *end)
{
	const char *at = memchr(part, ';', (size_t)(end - part));
	while (at) {
		at++;
		at += strspn(at, " \t");
		if (at < end && strncasecmp(at, "q=", 2) == 0) {
			double weight = strtod(at + 2, NULL);
			return weight >= 0 && weight <= 1 ? weight : 0;
		}
		at = memchr(at, ';', at < end ? (size_t)(end - at) : 0);
	}
	return 1;
}

static bool has_type(const char *part, const char *end, const char *type)
{
	size_t length = strlen(type);
	return (size_t)(end - part) >= length && strncasecmp(part, type, length) == 0 &&
		(part + length == end || strchr("; \t", part[length]));
}

/* OpenMetrics of another version than 1.0.0 is not what we write. */
static bool is_our_version(const char *part, const char *end)
{
	char copy[128];
	snprintf(copy, sizeof(copy), "%.*s", (int)(end - part), part);
	const char *version = strcasestr(copy, "version=");
	return !version || strncmp(version + strlen("version="), "1.0.0", 5) == 0;
}

enum metrics_format metrics_accepted(const char *accept)
{
	double open = 0, text = 0;
	for (const char *part = accept; part && *part;) {
		part += strspn(part, ", \t");
		const char *end = part + strcspn(part, ",");
		double weight = read_weight(part, end);
		if (has_type(part, end, "application/openmetrics-text") &&
			is_our_version(part, end) && weight > open)
			open = weight;
		if (has_type(part, end, "text/plain") && weight > text)
			text = weight;
		part = end;
	}
	return open > 0 && open >= text ? METRICS_OPEN : METRICS_TEXT;
}

/* What the pages of the logs are made from. */
#ifndef DASHBOARD_LOGS_H
#define DASHBOARD_LOGS_H

#include <stddef.h>

/* One line of the audit log in words for people: "terminate 9912 app/shop python3: terminated". In
 * text, cut at its size; false for a line that tells nothing, or cannot be read. The wall clock of
 * it is in *ret_at. */
#include <stdbool.h>
#include <stdint.h>

#define LOGS_TEXT_MAX 512

struct logs_line {
	int64_t at;
	bool failed;              /* it did not do what it was to do */
	char text[LOGS_TEXT_MAX]; /* clean */
};

bool logs_read_action(const char *line, size_t length, struct logs_line *ret_line);

#endif

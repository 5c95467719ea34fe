/* The contents of the screens of logs. */
#ifndef DASHBOARD_LOGS_H
#define DASHBOARD_LOGS_H

#include <stddef.h>

/* Describes one line of the audit log for people: "terminate 9912 app/shop python3: terminated".
 * The text is cut at its size. False for a line without an action, or one that cannot be read.
 * *ret_at is its time (wall clock). */
#include <stdbool.h>
#include <stdint.h>

#define LOGS_TEXT_MAX 512

struct logs_line {
	int64_t at;
	bool failed;              /* the action failed */
	char text[LOGS_TEXT_MAX]; /* clean */
};

bool logs_read_action(const char *line, size_t length, struct logs_line *ret_line);

#endif

/* What the lists of an emergency show of a process, a session, another machine, and of what is
 * left. Each function adds to a line that was begun. */
#ifndef VIEW_EMERGENCY_ROWS_H
#define VIEW_EMERGENCY_ROWS_H

#include <stdbool.h>
#include <stddef.h>

#include "model/skip.h"

struct action_step;
struct emergency;
struct emergency_left;
struct findings_host;
struct line;

/* Whether the plan has a tick for a process with this reason. */
bool emergency_rows_can_be_ticked(enum skip_reason skip);

/* `is_short`: with the first words of its command alone. */
void emergency_rows_format_process(const struct emergency *emergency,
	const struct action_step *step, bool is_short, struct line *line);

void emergency_rows_format_session(
	const struct emergency *emergency, const struct action_step *step, struct line *line);

#define EMERGENCY_HOST_INDENT 4

/* A line of the host's command: `length` bytes from `part`. After the last one are its sessions. */
void emergency_rows_format_host(
	const struct findings_host *host, const char *part, size_t length, struct line *line);

void emergency_rows_format_left(const struct emergency_left *left, struct line *line);

#endif

/* A group's own row: its name, what is known of it, and how many connections it has. */
#ifndef WIDGETS_GROUP_LINE_H
#define WIDGETS_GROUP_LINE_H

#include <stdint.h>

struct assessment;
struct group;
struct line;

/* "python3 main.py", "gone: python3 worker.py", "not visible to this role" */
void group_line_name(
	const struct assessment *assessment, const struct group *group, struct line *line);

/* "4312 · app · jarvis.service · 210M · cpu 3.1%", "GRANT pg_monitor TO dbtop;" */
void group_line_details(const struct assessment *assessment, const struct group *group, int64_t now,
	struct line *line);

/* "3 connections   1 leaked": the numbers have `digits` columns, so that they are aligned; with
 * fewer words in a narrow table. */
void group_line_counts(const struct group *group, int digits, int table_width, struct line *line);

#endif

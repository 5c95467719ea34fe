/* Reads the processes and connections of a recorded snapshot. */
#ifndef REPORT_REVIVE_CONNECTIONS_H
#define REPORT_REVIVE_CONNECTIONS_H

#include <jansson.h>

struct activity;
struct assessment;
struct map;
struct reader;

/* Reads "processes"; *ret_processes is a map to find them again, in the assessment's arena. Each
 * function returns 0, or -EINVAL with reader->error set. */
int revive_processes(struct reader *reader, const json_t *root, struct assessment *assessment,
	struct map **ret_processes) __attribute__((warn_unused_result));

/* Reads "connections", after "pools". The backends and their strings are stored in the activity. */
int revive_connections(struct reader *reader, const json_t *root, const struct map *processes,
	struct assessment *assessment, struct activity *activity)
	__attribute__((warn_unused_result));

#endif

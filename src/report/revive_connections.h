/* The processes' and the connections' part of a recorded snapshot. */
#ifndef REPORT_REVIVE_CONNECTIONS_H
#define REPORT_REVIVE_CONNECTIONS_H

#include <jansson.h>

struct activity;
struct assessment;
struct map;
struct reader;

/* "processes"; *ret_processes finds them again, in the assessment's arena. Each returns 0, or
 * -EINVAL with reader->error set. */
int revive_processes(struct reader *reader, const json_t *root, struct assessment *assessment,
	struct map **ret_processes) __attribute__((warn_unused_result));

/* "connections", after "pools": their backends go to the activity, and so do their strings. */
int revive_connections(struct reader *reader, const json_t *root, const struct map *processes,
	struct assessment *assessment, struct activity *activity)
	__attribute__((warn_unused_result));

#endif

/* An emergency that is opened on some rows ticks the processes of these rows alone. Pure. */
#ifndef ACTION_EMERGENCY_CHOSEN_H
#define ACTION_EMERGENCY_CHOSEN_H

#include <stddef.h>
#include <stdint.h>

struct assessment;
struct connection;
struct emergency;

/* A session of a chosen row, and its process on this machine as far as it was known. */
struct emergency_chosen {
	int32_t backend;
	int64_t backend_start;
	int32_t pid; /* 0: not known */
	uint64_t start_ticks;
};

struct emergency_chosen emergency_chosen_of(
	const struct assessment *assessment, const struct connection *connection);

/* Unticks all but the processes of the chosen sessions. The emergency's own assessment may know a
 * process that was not known when the rows were chosen. If none of them can be stopped, the ticks
 * stay as they are. */
void emergency_chosen_tick(struct emergency *emergency, const struct assessment *assessment,
	const struct emergency_chosen *chosen, size_t n_chosen);

#endif

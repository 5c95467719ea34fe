/* What is left of the application after an emergency, and why. Pure. */
#ifndef ACTION_EMERGENCY_LEFT_H
#define ACTION_EMERGENCY_LEFT_H

#include <stddef.h>

struct action;
struct action_step;
struct emergency;

/* Fills in what is left and how much that is. fresh: a plan from a new assessment; sessions: those
 * that are still there to be ended, NULL without a connection; unseen: how many more nobody can
 * name. */
void emergency_left_count(struct emergency *emergency, const struct emergency *fresh,
	const struct action *sessions, size_t unseen);

/* The step of the last round that had this session; NULL: none had it. */
const struct action_step *emergency_left_last_result(
	const struct emergency *emergency, const struct action_step *step);

#endif

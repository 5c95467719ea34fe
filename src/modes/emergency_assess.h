/* A fresh assessment for the emergency, and the plan made from it. */
#ifndef MODES_EMERGENCY_ASSESS_H
#define MODES_EMERGENCY_ASSESS_H

#include <stdbool.h>

struct app;
struct assessment;
struct emergency;
struct emergency_assess;
struct target;

/* The plan is the callee's to free; the assessment is borrowed. */
typedef void emergency_assess_done_fn(
	void *data, struct emergency *emergency, const struct assessment *assessment);

/* Never NULL; app and target outlive it. */
struct emergency_assess *emergency_assess_new(
	struct app *app, struct target *target, emergency_assess_done_fn *done, void *data);

/* Begins; does nothing while one is under way. done() always follows within seconds, with what is
 * known by then. */
void emergency_assess_begin(struct emergency_assess *assess);

/* The target has a new assessment. */
void emergency_assess_assessed(struct emergency_assess *assess);

/* NULL is allowed. done() is not called any more. Handles close in the loop's next turns. */
void emergency_assess_free(struct emergency_assess *assess);

#endif
